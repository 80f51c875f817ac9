-- Takes live orders to the status that their charge's event asks for. Events up to the version that was applied last change
-- nothing, nor do those of a charge other than the order's own. An order that was paid and is unknown was lost: it is cancelled, and
-- payments gives the money back.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::uuid[], $6::uuid[], $7::text[])
        as e (order_id, payment_id, version, next_status, ticket_id, user_id, traceparent)
), locked as (
    select o.id, e.payment_id, e.version as payment_version, e.next_status, e.traceparent
      from event_in e
      join orders o on o.id = e.order_id
     where o.status in ('created', 'awaiting_payment') and o.status <> e.next_status
       and coalesce(o.payment_id, e.payment_id) = e.payment_id and coalesce(o.payment_version, 0) < e.version
     order by o.ticket_id for update of o
), changed as (
    update orders o
       set status = l.next_status, version = next_version(o.version), payment_id = l.payment_id, payment_version = l.payment_version,
           hold_slot = case when l.next_status in ('created', 'awaiting_payment') then o.hold_slot end,
           reason = case l.next_status when 'cancelled' then 'payment_failed' end
      from locked l
     where o.id = l.id
    returning o.*, l.traceparent
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent)
    select case status when 'complete' then 'OrderCompleted' when 'cancelled' then 'OrderCancelled' else 'OrderUpdated' end,
           id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version, reason, traceparent
      from changed order by ticket_id
)
select end_lost_orders(array_agg(e.order_id), array_agg(e.ticket_id), array_agg(e.user_id), array_agg(now()),
                       array_agg(e.traceparent))
  from event_in e
 where e.next_status = 'complete' and not exists (select from orders o where o.id = e.order_id)
having count(*) > 0
