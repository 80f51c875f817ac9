-- What an order's event does to its ticket. Orders seen at this version or a later one are passed over (`fresh`), so a replay
-- changes nothing. Only the order that holds a ticket releases it. A live order on a ticket that was withdrawn meanwhile: the
-- withdrawal is published again, and orders cancels that order.
--
-- Orders lets one live order through for a ticket, so its word counts, also against what is known here: after a failover that lost
-- events, a complete order has its ticket whoever seems to hold it, and one that was cancelled gives back what seemed sold to it. So
-- does a ticket that was paid for before orders had heard of its withdrawal: it is sold.
--
-- A ticket that is a place also has a bit in its row of seats: 1 while it is available. Rows are locked after tickets, in the order of
-- their ids.
--
-- Orders of 90 days ago (their ids begin with the time) are forgotten, two for each that comes, so that seen_orders does not grow
-- for ever. An order lives for minutes; its events can come again for as long as orders' event log keeps them (EVENT_RETENTION, 30
-- days) and, published again at the end of that, for as long as the topic does (30 days more). Should an older one come after all,
-- so does all of its history: its ticket, if it is on sale, is reserved until its cancellation comes again; one sold stays sold.
with event_in as (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int4[], $5::text[], $6::text[]) with ordinality
        as e (order_id, ticket_id, buyer_id, version, status, traceparent, ordinal)
), fresh as (
    insert into seen_orders as s (order_id, version)
    select order_id, version from event_in order by order_id
        on conflict (order_id) do update set version = excluded.version where s.version < excluded.version
    returning s.order_id
), forgotten as (
    delete from seen_orders -- by an array: a join with what was found may read all of the table, and did
     where order_id = any (array(select order_id from seen_orders
                                  where order_id < (lpad(to_hex((extract(epoch from now() - interval '90 days') * 1000)::int8), 12, '0')
                                                    || repeat('0', 20))::uuid
                                    and order_id not in (select order_id from event_in)
                                  order by order_id limit (select 2 * count(*) from event_in) for update skip locked))
), locked as (
    select t.*, e.order_id as by_order, e.buyer_id as by_buyer, e.status as order_status, e.traceparent
      from tickets t
      join event_in e on e.ticket_id = t.id
      join fresh f on f.order_id = e.order_id
     order by t.id for update of t
), decided as (
    select *,
           case when order_status in ('created', 'awaiting_payment') and status in ('available', 'cancelled') then
                     case status when 'available' then 'reserved' else 'cancelled' end
                when order_status = 'cancelled' and status in ('reserved', 'sold') and order_id = by_order then 'available'
                when order_status = 'complete' and status in ('available', 'reserved', 'cancelled') then 'sold' end as next_status
      from locked
), changed as (
    update tickets t
       set status = d.next_status, version = next_version(d.version),
           order_id = case when d.next_status in ('reserved', 'sold') then d.by_order end,
           buyer_id = case when d.next_status in ('reserved', 'sold') then d.by_buyer end
      from decided d
     where t.id = d.id and d.next_status is not null
    returning t.*, d.traceparent
), seats as (
    select row_of_place(id) as row_id, coalesce(bit_or(1::bigint << (place_number(id) & 63)) filter (where status = 'available'), 0) as freed,
           bit_or(1::bigint << (place_number(id) & 63)) as touched
      from changed where show_id is not null group by 1
), turn as materialized ( -- tickets of a row are on several partitions, and a transaction comes here several times: so one at a time
    select pg_advisory_xact_lock(hashtextextended('seat_rows', 0)) from (select from seats limit 1) s
), locked_rows as (
    select w.id, w.free, s.freed, s.touched
      from seat_rows w join seats s on s.row_id = w.id
     where (select count(*) from turn) > 0
     order by w.id for update of w
), masks as (
    update seat_rows w set free = (l.free & ~l.touched) | l.freed from locked_rows l where w.id = l.id
)
insert into ticket_events (type, id, version, user_id, title, price, currency, status, order_id, show_id, area_id, area_name, row_name, seat,
                           rank, accessible, traceparent)
select case status when 'cancelled' then 'TicketCancelled' else 'TicketUpdated' end,
       id, version, user_id, title, price, currency, status, order_id, show_id, area_id, area_name, row_name, seat,
       rank, accessible, traceparent
  from changed order by id
