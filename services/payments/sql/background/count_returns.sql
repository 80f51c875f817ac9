-- For the metrics: how old the oldest refund is that is not made, and how many wait for a person. The parameter is not used.
select coalesce(extract(epoch from now() - min(opened_at)), 0)::int8 as oldest_s, count(*) filter (where state = 'stuck') as stuck,
       (select count(*) from disputes where not closed) as disputes
  from returns
 where state in ('refund', 'pending', 'stuck') and cardinality($1::int4[]) >= 0
