-- For the metrics: payments that were declined, and that were made, within an hour. The parameter is not used.
select coalesce(sum(t.declined), 0)::int8 as declined, coalesce(sum(t.paid), 0)::int8 as paid
  from seller_tries t
 where t.since > now() - interval '1 hour' and cardinality($1::int4[]) >= 0
