-- Who lets what he holds run out: five orders in an hour, and more than four of five of those that he placed in it. Said every ten minutes, as long as
-- it is so. What comes later than half a minute, or 10 s after a partition has gone quiet, is not counted: it is no proof, but a reason to look.
SELECT window_start, window_end, userId, COUNT(DISTINCT id) FILTER (WHERE reason = 'expired') AS ran_out, COUNT(DISTINCT id) FILTER (WHERE version = 1) AS placed
  FROM HOP(DATA => TABLE orders, TIMECOL => DESCRIPTOR(occurredAt), SLIDE => INTERVAL '10' MINUTES, SIZE => INTERVAL '1' HOUR)
 GROUP BY window_start, window_end, userId
HAVING COUNT(DISTINCT id) FILTER (WHERE reason = 'expired') >= 5
   AND COUNT(DISTINCT id) FILTER (WHERE reason = 'expired') * 5 > COUNT(DISTINCT id) FILTER (WHERE version = 1) * 4;
