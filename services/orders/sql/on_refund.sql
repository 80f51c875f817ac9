-- Tells in the history of cancelled orders that what was paid for them went back. An event that was applied changes nothing.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[]) as e (order_id, payment_id, version, traceparent)
), locked as (
    select o.id, e.payment_id, e.version as payment_version, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     where o.status = 'cancelled' and coalesce(o.payment_id, e.payment_id) = e.payment_id
       and coalesce(o.payment_version, 0) < e.version
     order by o.ticket_id for update of o
), changed as (
    update orders o set version = next_version(o.version), payment_id = l.payment_id, payment_version = l.payment_version
      from locked l
     where o.id = l.id
    returning o.*, l.traceparent
)
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                          ticket_version, reason, traceparent)
select 'OrderUpdated', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
       'refunded', traceparent
  from changed order by ticket_id
