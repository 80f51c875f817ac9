-- Cancels orders for their buyers; one that is cancelled already stays so, without another event. An order that another
-- transaction is changing is not waited for, so that nothing here can deadlock: 'again'.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as r (id, user_id, traceparent, ordinal)
), seen as (
    select r.*, o.id as known_id, o.user_id as buyer_id from req r left join orders o on o.id = r.id
), wanted as (
    select distinct on (id) id, traceparent from seen where buyer_id = user_id order by id, ordinal
), locked as (
    select o.* from orders o join wanted w on w.id = o.id for update of o skip locked
), changed as (
    update orders o set status = 'cancelled', reason = 'buyer', hold_slot = null, version = next_version(l.version)
      from locked l
     where o.id = l.id and l.status in ('created', 'awaiting_payment')
    returning o.*
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent)
    select 'OrderCancelled', c.id, c.ticket_id, c.version, c.user_id, c.seller_id, c.status, c.expires_at, c.price, c.currency,
           c.title, c.ticket_version, c.reason, w.traceparent
      from changed c join wanted w on w.id = c.id
)
select s.ordinal,
       case when s.known_id is null then 'missing'
            when s.buyer_id <> s.user_id then 'forbidden'
            when l.id is null then 'again'
            when l.status = 'complete' then 'complete'
            else 'done' end as verdict
  from seen s
  left join locked l on l.id = s.id
 order by s.ordinal
