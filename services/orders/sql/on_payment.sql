-- Takes live orders to the status that their charge's event asks for, each with all of its purchase: the first event of a step does
-- it, those of the other orders find it done. Events up to the version that was applied last change nothing, nor do those of a charge
-- other than the purchase's own; but a charge that waits in line, and was lost by payments, is followed by another. An order that was
-- paid and is unknown was lost: it is cancelled, and payments gives the money back.
--
-- While a payment waits in line at payments its orders do not end (on_expiration). That time is added to their grace, and if it was more
-- than a second also to what the buyer has, which is told.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::bool[],
                         $9::timestamptz[])
        as e (order_id, payment_id, version, next_status, ticket_id, user_id, traceparent, waits, occurred_at)
), news as (
    select purchase_of(o.id, o.purchase_size) as purchase_id,
           (array_agg(purchase_of(e.payment_id, o.purchase_size) order by e.version desc))[1] as charge_id,
           max(e.version) as payment_version, (array_agg(e.next_status order by e.version desc))[1] as next_status,
           (array_agg(e.traceparent order by e.version desc))[1] as traceparent, array_agg(e.version order by e.version) as versions,
           array_agg(e.waits order by e.version) as waits, array_agg(e.occurred_at order by e.version) as times
      from event_in e
      join orders o on o.id = e.order_id
     group by 1
), locked as materialized (
    select * from lock_purchases(array(select purchase_id from news))
), changed as (
    update orders o
       set status = n.next_status, version = case when e.tells then next_version(l.version) else l.version end,
           payment_id = n.charge_id, payment_version = n.payment_version,
           hold_slot = case when n.next_status in ('created', 'awaiting_payment') then o.hold_slot end,
           network = case when n.next_status in ('created', 'awaiting_payment') then o.network end,
           reason = case n.next_status when 'cancelled' then 'payment_failed' end,
           payment_waits_since = t.waits_since, expires_at = o.expires_at + w.told, grace_ends_at = o.grace_ends_at + t.waited
      from locked l join news n on n.purchase_id = purchase_of(l.id, l.purchase_size)
     cross join lateral time_in_line(l.payment_version, l.payment_waits_since, n.versions, n.waits, n.times) t
     cross join lateral (select case when t.waited > interval '1 s' and n.next_status in ('created', 'awaiting_payment')
                                     then date_trunc('milliseconds', t.waited) else interval '0' end as told) w
     cross join lateral (select l.status <> n.next_status or w.told > interval '0' as tells) e
     where o.id = l.id and l.status in ('created', 'awaiting_payment')
       and (l.status <> n.next_status or t.waits_since is distinct from l.payment_waits_since or t.waited > interval '0')
       and (coalesce(l.payment_id, n.charge_id) = n.charge_id or l.payment_waits_since is not null)
       and coalesce(l.payment_version, 0) < n.payment_version
    returning o.*, n.purchase_id, n.traceparent, e.tells
), lapse as (
    insert into lapses (user_id, about, purchase_id)
    select distinct user_id, coalesce(show_id, ticket_id), purchase_id from changed where status = 'cancelled'
        on conflict do nothing
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
