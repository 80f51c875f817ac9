-- Takes live orders to the status that their charge's event asks for, each with all of its purchase: the first event of a step does
-- it, those of the other orders find it done. Events up to the version that was applied last change nothing, nor do those of a charge
-- other than the purchase's own. An order that was paid and is unknown was lost: it is cancelled, and payments gives the money back.
--
-- While a payment waits in line at payments its orders do not end (on_expiration). That time is added to what they have, and told if it
-- was more than a second.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::bool[])
        as e (order_id, payment_id, version, next_status, ticket_id, user_id, traceparent, waits)
), news as (
    select distinct on (purchase_of(o.id, o.purchase_size))
           purchase_of(o.id, o.purchase_size) as purchase_id, purchase_of(e.payment_id, o.purchase_size) as charge_id,
           e.version as payment_version, e.next_status, e.traceparent, e.waits
      from event_in e
      join orders o on o.id = e.order_id
     order by purchase_of(o.id, o.purchase_size), e.version desc
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from news))
), changed as (
    update orders o
       set status = n.next_status, version = case when w.tells then next_version(l.version) else l.version end,
           payment_id = n.charge_id, payment_version = n.payment_version,
           hold_slot = case when n.next_status in ('created', 'awaiting_payment') then o.hold_slot end,
           reason = case n.next_status when 'cancelled' then 'payment_failed' end,
           payment_waits_since = case when n.waits then coalesce(l.payment_waits_since, now()) end,
           expires_at = o.expires_at + w.waited, grace_ends_at = o.grace_ends_at + w.waited
      from locked l join news n on n.purchase_id = purchase_of(l.id, l.purchase_size)
     cross join lateral (select not n.waits and coalesce(l.payment_waits_since < now() - interval '1 s', false)
                                and n.next_status in ('created', 'awaiting_payment') as had_to_wait) h
     cross join lateral (select l.status <> n.next_status or h.had_to_wait as tells,
                                case when h.had_to_wait then date_trunc('milliseconds', now() - l.payment_waits_since)
                                     else interval '0' end as waited) w
     where o.id = l.id and l.status in ('created', 'awaiting_payment')
       and (l.status <> n.next_status or n.waits <> (l.payment_waits_since is not null))
       and coalesce(l.payment_id, n.charge_id) = n.charge_id and coalesce(l.payment_version, 0) < n.payment_version
    returning o.*, n.purchase_id, n.traceparent, w.tells
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
    select case status when 'complete' then 'OrderCompleted' when 'cancelled' then 'OrderCancelled' else 'OrderUpdated' end,
           id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version, reason,
           traceparent, purchase_id, purchase_size, show_id
      from changed where tells order by ticket_id
)
select end_lost_orders(array_agg(e.order_id), array_agg(e.ticket_id), array_agg(e.user_id), array_agg(now()),
                       array_agg(e.traceparent))
  from event_in e
 where e.next_status = 'complete' and not exists (select from orders o where o.id = e.order_id)
having count(*) > 0
