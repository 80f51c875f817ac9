-- Ends orders whose time is over by this database's clock, whatever the sender's says. One that is being paid is left until the
-- payment resolves, at most until its grace ends; the signal comes again. A signal for an order that is unknown means that it was
-- lost. (Signals that are read again are of orders that are known by then.)
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) as e (order_id, ticket_id, expires_at, traceparent)
), locked as (
    select o.id, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     where o.status = 'created' and o.expires_at <= now() or o.status = 'awaiting_payment' and o.grace_ends_at <= now()
     order by o.ticket_id for update of o
), changed as (
    update orders o set status = 'cancelled', reason = 'expired', hold_slot = null, version = next_version(o.version)
      from locked l
     where o.id = l.id
    returning o.*, l.traceparent
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent)
    select 'OrderCancelled', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
           reason, traceparent
      from changed order by ticket_id
)
select end_lost_orders(array_agg(e.order_id), array_agg(e.ticket_id), array_agg(null::uuid), array_agg(e.expires_at),
                       array_agg(e.traceparent))
  from event_in e
 where not exists (select from orders o where o.id = e.order_id)
having count(*) > 0
