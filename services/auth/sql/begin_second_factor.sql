-- Keeps the secrets of second factors, which are not on yet: 'begun', 'on' or 'stale' (begin_second_factor). Users are locked in the order of their ids, so
-- batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::bytea[]) with ordinality as r (id, checked_hash, sealed, ordinal)
)
select r.ordinal, b.verdict
  from (select * from req order by id, ordinal) r
 cross join lateral begin_second_factor(r.id, r.checked_hash, r.sealed) b (verdict)
 order by r.ordinal
