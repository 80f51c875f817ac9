-- Tells in the history of cancelled orders that what was paid for them went back, for all of a purchase. An event that was applied
-- changes nothing.
-- An order that is complete, and whose money went back because payments knew it as ended (order_ended), had ended: a failover lost that,
-- and its payment, read again, has completed it. It ends now.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::bool[], $5::text[]) as e (order_id, payment_id, version, had_ended, traceparent)
), news as (
    select distinct on (purchase_of(o.id, o.purchase_size))
           purchase_of(o.id, o.purchase_size) as purchase_id, purchase_of(e.payment_id, o.purchase_size) as charge_id,
           e.version as payment_version, e.had_ended, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     order by purchase_of(o.id, o.purchase_size), e.version desc
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from news))
), changed as (
    update orders o
       set status = 'cancelled', reason = coalesce(l.reason, 'lost'), version = next_version(l.version), payment_id = n.charge_id,
           payment_version = n.payment_version
      from locked l join news n on n.purchase_id = purchase_of(l.id, l.purchase_size)
     where o.id = l.id and (l.status = 'cancelled' or l.status = 'complete' and n.had_ended)
       and coalesce(l.payment_id, n.charge_id) = n.charge_id and coalesce(l.payment_version, 0) < n.payment_version
    returning o.*, n.purchase_id, n.traceparent, l.status as was
)
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                          ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
select case was when 'complete' then 'OrderCancelled' else 'OrderUpdated' end, id, ticket_id, version, user_id, seller_id, status, expires_at,
       price, currency, title, ticket_version, case was when 'complete' then reason else 'refunded' end, traceparent, purchase_id,
       purchase_size, show_id
  from changed order by ticket_id
