-- Ends orders whose time is over by this database's clock, whatever the sender's says. One that is being paid is left until the
-- payment resolves, at most until its grace ends; the signal comes again.
with event_in as (
    select * from unnest($1::uuid[], $2::text[]) as e (order_id, traceparent)
), locked as (
    select o.id, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     where o.status = 'created' and o.expires_at <= now() or o.status = 'awaiting_payment' and o.grace_ends_at <= now()
     order by o.ticket_id for update of o
), changed as (
    update orders o set status = 'cancelled', reason = 'expired', hold_slot = null, version = o.version + 1
      from locked l
     where o.id = l.id
    returning o.*, l.traceparent
)
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                          ticket_version, reason, traceparent)
select 'OrderCancelled', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
       reason, traceparent
  from changed order by ticket_id
