-- How refunds ended. One that failed is the account's money again. Its events are sent; nothing happens to one that ended so before.
with req as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) with ordinality
        as r (id, status, failure, events, due, ordinal)
), chosen as (
    select distinct on (f.id) f.id, f.payment_intent, f.amount, f.status as before, r.status, r.failure, r.events, r.due
      from req r join refunds f on f.id = r.id
     where f.status <> r.status and f.status <> 'failed'
     order by f.id, r.ordinal
), changed as (
    update refunds f set status = c.status, failure = c.failure from chosen c where f.id = c.id
), back as (
    update payment_intents i set refunded = i.refunded - c.amount, version = i.version + 1
      from (select payment_intent, sum(amount) as amount from chosen where status = 'failed' group by 1) c
     where i.id = c.payment_intent
), event as (
    insert into events (id, type, body, due, copies)
    select e ->> 'id', e ->> 'type', e::text, c.due, 1 from chosen c cross join lateral json_array_elements(c.events::json) e
)
select r.ordinal, exists (select from chosen c where c.id = r.id) as done from req r order by r.ordinal
