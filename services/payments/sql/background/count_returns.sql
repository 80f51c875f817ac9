-- For the metrics: how old the oldest refund is that is not made (all; one that Stripe has not taken; one that is pending), and how many
-- wait for a person. A charge that has to go back and has no return yet counts as well. The parameter is not used.
with open as (
    select state, opened_at as since from returns where state in ('refund', 'pending', 'stuck')
    union all
    select 'refund', changed_at from charges c
     where state = 'refunding'
       and not exists (select from returns r where r.stripe_id = c.stripe_id and r.wanted and r.state <> 'done')
)
select coalesce(extract(epoch from now() - min(since)), 0)::int8 as oldest_s, count(*) filter (where state = 'stuck') as stuck,
       (select count(*) from disputes where not closed) as disputes,
       coalesce(extract(epoch from now() - min(since) filter (where state = 'refund')), 0)::int8 as oldest_due_s,
       coalesce(extract(epoch from now() - min(since) filter (where state = 'pending')), 0)::int8 as oldest_pending_s
  from open
 where cardinality($1::int4[]) >= 0
