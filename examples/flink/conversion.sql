-- Of the orders that were placed in each minute: how many were paid, ended unpaid, or are open. A minute is said when no more of it can come: by the
-- topic `watermarks`, and not by a guess of how late an event may be. It is said again when another of its orders has ended.

-- Changes are taken together, so that a promise which goes on by a minute changes nothing of the minutes before.
SET 'table.exec.mini-batch.enabled' = 'true';
SET 'table.exec.mini-batch.allow-latency' = '1 s';
SET 'table.exec.mini-batch.size' = '10000';

-- The promises about `orders`: in each partition, all before upTo is below the offset.
CREATE TEMPORARY VIEW promises AS
SELECT `partition`, FLOOR(occurredAt TO MINUTE) AS upTo, MIN(`offset`) AS `offset`
  FROM `watermarks` WHERE `topic` = 'orders' GROUP BY `partition`, FLOOR(occurredAt TO MINUTE);

-- Those that are met: what is below the offset was read.
CREATE TEMPORARY VIEW met AS
SELECT p.`partition`, p.upTo FROM promises AS p JOIN orders AS o ON o.kafkaPartition = p.`partition` AND o.kafkaOffset = p.`offset` - 1
UNION ALL
SELECT `partition`, upTo FROM promises WHERE `offset` = 0;

-- Up to when all is there: as far as all twelve partitions have met.
CREATE TEMPORARY VIEW whole AS
SELECT MIN(upTo) AS upTo FROM (SELECT `partition`, MAX(upTo) AS upTo FROM met GROUP BY `partition`) HAVING COUNT(*) = 12;

-- Each order as it is now: an event that comes again changes nothing.
CREATE TEMPORARY VIEW newest AS
SELECT f.id, f.placed, n.status FROM (SELECT id, FLOOR(MIN(occurredAt) TO MINUTE) AS placed FROM orders GROUP BY id) AS f
  JOIN (SELECT id, status, ROW_NUMBER() OVER (PARTITION BY id ORDER BY version DESC) AS n FROM orders) AS n ON n.id = f.id AND n.n = 1;

CREATE TEMPORARY VIEW by_minute AS
SELECT placed AS `minute`, COUNT(*) AS placed, COUNT(*) FILTER (WHERE status = 'complete') AS paid, COUNT(*) FILTER (WHERE status = 'cancelled') AS ended,
       COUNT(*) FILTER (WHERE status NOT IN ('complete', 'cancelled')) AS `open`
  FROM newest GROUP BY placed;

SELECT DISTINCT m.* FROM by_minute AS m JOIN whole AS w ON m.`minute` < w.upTo;
