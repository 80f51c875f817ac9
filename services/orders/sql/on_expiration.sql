-- Ends orders whose time is over by this database's clock, whatever the sender's says, with all of their purchases. One that is being
-- paid is left until the payment resolves, at most until its grace ends; the signal comes again. One whose payment waits in line at
-- payments is left as well, for a day: after that, payments has lost it. A signal for an order that is unknown means that it was lost.
-- (Signals that are read again are of orders that are known by then.)
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) as e (order_id, ticket_id, expires_at, traceparent)
), due as (
    select distinct on (purchase_of(o.id, o.purchase_size)) purchase_of(o.id, o.purchase_size) as purchase_id, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     where o.status = 'created' and o.expires_at <= now() or o.status = 'awaiting_payment' and o.grace_ends_at <= now()
       and coalesce(o.payment_waits_since < now() - interval '1 day', true)
     order by purchase_of(o.id, o.purchase_size), o.id
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from due))
), changed as (
    update orders o set status = 'cancelled', reason = 'expired', hold_slot = null, network = null, version = next_version(l.version)
      from locked l join due d on d.purchase_id = purchase_of(l.id, l.purchase_size)
     where o.id = l.id and (l.status = 'created' and l.expires_at <= now() or l.status = 'awaiting_payment' and l.grace_ends_at <= now()
                            and coalesce(l.payment_waits_since < now() - interval '1 day', true))
    returning o.*, d.purchase_id, d.traceparent
), lapse as (
    insert into lapses (user_id, about, purchase_id)
    select distinct user_id, coalesce(show_id, ticket_id), purchase_id from changed
        on conflict do nothing
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
    select 'OrderCancelled', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
           reason, traceparent, purchase_id, purchase_size, show_id
      from changed order by ticket_id
)
select end_lost_orders(array_agg(e.order_id), array_agg(e.ticket_id), array_agg(null::uuid), array_agg(e.expires_at),
                       array_agg(e.traceparent))
  from event_in e
 where not exists (select from orders o where o.id = e.order_id)
having count(*) > 0
