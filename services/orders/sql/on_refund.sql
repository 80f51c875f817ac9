-- Tells in the history of cancelled orders that what was paid for them went back, for all of a purchase. An event that was applied
-- changes nothing.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[]) as e (order_id, payment_id, version, traceparent)
), news as (
    select distinct on (purchase_of(o.id, o.purchase_size))
           purchase_of(o.id, o.purchase_size) as purchase_id, purchase_of(e.payment_id, o.purchase_size) as charge_id,
           e.version as payment_version, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     order by purchase_of(o.id, o.purchase_size), e.version desc
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from news))
), changed as (
    update orders o set version = next_version(l.version), payment_id = n.charge_id, payment_version = n.payment_version
      from locked l join news n on n.purchase_id = purchase_of(l.id, l.purchase_size)
     where o.id = l.id and l.status = 'cancelled' and coalesce(l.payment_id, n.charge_id) = n.charge_id
       and coalesce(l.payment_version, 0) < n.payment_version
    returning o.*, n.purchase_id, n.traceparent
)
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                          ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
select 'OrderUpdated', id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version,
       'refunded', traceparent, purchase_id, purchase_size, show_id
  from changed order by ticket_id
