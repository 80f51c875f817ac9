-- Keeps the copy of a ticket up with its events; what is older than the copy changes nothing. An order on a ticket that was
-- withdrawn ends, unless it is complete.
with event_in as (
    select * from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int8[], $6::text[], $7::text[], $8::text[])
        as e (id, version, user_id, title, price, currency, status, traceparent)
), fresh as (
    insert into tickets as t (id, version, user_id, title, price, currency, status)
    select id, version, user_id, title, price, currency, status from event_in order by id
        on conflict (id) do update
       set version = excluded.version, user_id = excluded.user_id, title = excluded.title, price = excluded.price,
           currency = excluded.currency, status = excluded.status
     where t.version < excluded.version
), locked as (
    select o.id, e.traceparent
      from event_in e
      join orders o on o.ticket_id = e.id and o.status <> 'cancelled'
     where e.status = 'cancelled' and o.status <> 'complete'
     order by o.ticket_id for update of o
), changed as (
    update orders o set status = 'cancelled', reason = 'ticket_cancelled', hold_slot = null, version = next_version(o.version)
      from locked l
     where o.id = l.id
    returning o.*, l.traceparent
)
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                          ticket_version, reason, traceparent)
select 'OrderCancelled', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
       reason, traceparent
  from changed order by ticket_id
