-- For the metrics: how many payments wait in line, for how long the first of them (of one that met Stripe's limit: since its first turn),
-- and how many a minute are made now. The parameter is not used.
select count(*) as waiting, coalesce(extract(epoch from now() - min(coalesce(c.key_at, c.changed_at))), 0)::int8 as oldest_s,
       (select (p.a_second * 60)::int8 from paces p where p.lane = 'payments') as a_minute
  from charges c
 where c.ask = 'create' and c.asked = 0 and cardinality($1::int4[]) >= 0
