-- Lets in by tickets' codes, once for each sale of a ticket; a request that comes again under its Idempotency-Key is answered as before.
-- What is asked for is a ticket (at_ticket) or a show (at_show), and only its seller may. `fault`: what is wrong with the code by itself;
-- ticket_id and order_id are null then. The verdict 'again': a rival request committed behind this statement's snapshot.
--
-- Nothing of the ticket is locked: a refund that comes at the same moment is before or after.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[],
                         $10::text[], $11::uuid[], $12::text[], $13::text[]) with ordinality
        as r (id, at_ticket, at_show, ticket_id, order_id, user_id, fault, door, key, traceparent, session_id, address, near, ordinal)
), owned as (
    select r.*, coalesce(t.user_id, w.user_id) as seller_id, w.status as show_status
      from req r
      left join tickets t on t.id = r.at_ticket
      left join shows w on w.id = r.at_show
), judged as (
    select o.*, t.title, t.area_name, t.row_name, t.seat, t.show_id,
           case when o.seller_id is null or (o.seller_id <> o.user_id and o.show_status = 'draft') then 'missing'
                when o.seller_id <> o.user_id then 'forbidden'
                when o.fault is not null then o.fault
                when a.id is not null then 'good' -- this request, again
                when s.refunded then 'refunded'
                when t.order_id = o.order_id and t.status = 'sold' then 'good'
                when t.status = 'sold' then 'sold_again'
                else 'not_sold' end as verdict
      from owned o
      left join tickets t on t.id = o.ticket_id
      left join sales s on s.order_id = o.order_id
      left join admissions a on (a.ticket_id, a.order_id, a.user_id, a.idempotency_key) = (o.ticket_id, o.order_id, o.user_id, o.key)
), first as (
    select distinct on (ticket_id, order_id) * from judged where verdict = 'good' order by ticket_id, order_id, ordinal
), admitted as (
    insert into admissions (ticket_id, order_id, id, user_id, door, idempotency_key)
    select ticket_id, order_id, id, user_id, door, key from first order by ticket_id, order_id
        on conflict (ticket_id, order_id) do nothing
    returning *
), event as (
    insert into entry_events (type, id, ticket_id, version, occurred_at, show_id, order_id, seller_id, door, traceparent, user_id,
                              session_id, address, network)
    select 'TicketAdmitted', a.id, a.ticket_id, 1, a.admitted_at, f.show_id, a.order_id, f.seller_id, a.door, f.traceparent, a.user_id,
           f.session_id, f.address, f.near
      from admitted a join first f on f.id = a.id
     order by a.ticket_id
), known as (
    select * from admissions where (ticket_id, order_id) in (select ticket_id, order_id from first)
     union all
    select * from admitted
)
select j.ordinal,
       case when j.verdict <> 'good' then j.verdict
            when k.id is null then 'again'
            when k.id = j.id or (k.user_id = j.user_id and k.idempotency_key = j.key) then 'admitted'
            else 'used' end as verdict,
       k.admitted_at, k.door, j.ticket_id, j.order_id, j.show_id, j.title, j.area_name, j.row_name, j.seat
  from judged j
  left join known k on j.verdict = 'good' and k.ticket_id = j.ticket_id and k.order_id = j.order_id
 order by j.ordinal
