-- When each area is sold out, if it goes on as in the newest ten of the minutes in which something was taken or came back.

CREATE TEMPORARY VIEW areas AS
SELECT id, showId, places FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY version DESC) AS n FROM stock) WHERE n = 1;

-- What was taken in each minute, and did not come back: of each part of it the newest row.
CREATE TEMPORARY VIEW taken_minutes AS
SELECT areaId, `minute`, SUM(placed - returned) AS taken
  FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY areaId, `minute`, part ORDER BY version DESC) AS n FROM show_sales)
 WHERE n = 1 AND placed + returned > 0
 GROUP BY areaId, `minute`;

CREATE TEMPORARY VIEW pace AS
SELECT areaId, SUM(taken) AS taken FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY areaId ORDER BY `minute` DESC) AS n FROM taken_minutes) WHERE n <= 10
 GROUP BY areaId;

SELECT a.showId, a.id AS areaId, a.places - t.taken AS `left`, p.taken / 10.0 AS a_minute,
       CASE WHEN p.taken > 0 THEN CEIL((a.places - t.taken) * 10.0 / p.taken) END AS minutes_left
  FROM areas AS a JOIN (SELECT areaId, SUM(taken) AS taken FROM taken_minutes GROUP BY areaId) AS t ON t.areaId = a.id JOIN pace AS p ON p.areaId = a.id;
