-- Cancels orders for their buyers, each with all of its purchase; one that is cancelled already stays so, without another event. An
-- order that another transaction is changing is not waited for: 'again'.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[]) with ordinality
        as r (id, user_id, traceparent, session_id, address, near, ordinal)
), seen as (
    select r.*, o.id as known_id, o.user_id as buyer_id, case when o.user_id = r.user_id then purchase_of(o.id, o.purchase_size) end as purchase_id
      from req r left join orders o on o.id = r.id
), wanted as (
    select distinct on (purchase_id) purchase_id, traceparent, session_id, address, near from seen where purchase_id is not null order by purchase_id, ordinal
), locked as materialized (
    select o.*, w.purchase_id, w.traceparent, w.session_id, w.address, w.near, count(*) over (partition by w.purchase_id) = o.purchase_size as whole
      from lock_purchases(array(select purchase_id from wanted), skip => true) o
      join wanted w on w.purchase_id = purchase_of(o.id, o.purchase_size)
), changed as (
    update orders o set status = 'cancelled', reason = 'buyer', hold_slot = null, network = null, version = next_version(l.version)
      from locked l
     where o.id = l.id and l.whole and l.status in ('created', 'awaiting_payment')
    returning o.*, l.purchase_id, l.traceparent, l.session_id, l.address, l.near
), lapse as (
    insert into lapses (user_id, about, purchase_id)
    select distinct user_id, coalesce(show_id, ticket_id), purchase_id from changed
        on conflict do nothing
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent, purchase_id, purchase_size, show_id, session_id, address, network)
    select 'OrderCancelled', c.id, c.ticket_id, c.version, c.user_id, c.seller_id, c.status, c.expires_at, c.price, c.currency,
           c.title, c.ticket_version, c.reason, c.traceparent, c.purchase_id, c.purchase_size, c.show_id, c.session_id, c.address,
           c.near
      from changed c
)
select s.ordinal,
       case when s.known_id is null then 'missing'
            when s.buyer_id <> s.user_id then 'forbidden'
            when l.id is null then 'again'
            when l.status = 'complete' then 'complete'
            else 'done' end as verdict
  from seen s
  left join locked l on l.id = s.purchase_id and l.whole
 order by s.ordinal
