-- Withdraws the tickets of the next `most` blocks of an area whose show has ended. Nothing is made of such an area any more. Rows are
-- locked in the order of everybody else: tickets, then seat_rows, each in the order of their ids. Answers as make_places does.
with req as (
    select most from unnest($1::int4[]) as r (most)
), area as (
    select a.*, least(a.blocks_withdrawn + req.most, a.blocks_made) as upto
      from areas a cross join req
     where a.blocks_withdrawn < a.blocks_made and a.ended
     order by a.blocks_withdrawn, a.id limit 1
       for update of a skip locked
), locked as (
    select t.*, a.traceparent
      from area a
      join tickets t on t.id >= place_id(a.id, a.blocks_withdrawn * 64) and t.id <= place_id(a.id, a.upto * 64 - 1)
     order by t.id for update of t
), changed as (
    update tickets t set status = 'cancelled', version = next_version(l.version)
      from locked l
     where t.id = l.id and l.status = 'available'
    returning t.*, l.traceparent
), event as (
    insert into ticket_events (type, id, version, user_id, title, price, currency, status, show_id, area_id, area_name, row_name, seat,
                               rank, accessible, traceparent)
    select 'TicketCancelled', id, version, user_id, title, price, currency, status, show_id, area_id, area_name, row_name, seat,
           rank, accessible, traceparent
      from changed order by id
), taken as (
    select r.id from seat_rows r
     where r.id in (select row_of_place(id) from changed)
     order by r.id for update
), mask as (
    update seat_rows r set free = 0 from taken where r.id = taken.id
), progress as (
    update areas a set blocks_withdrawn = l.upto from area l where a.id = l.id
)
select (select coalesce(sum(upto - blocks_withdrawn), 0) from area)::int8 as done, (select count(*) from areas where blocks_withdrawn < blocks_made and ended) as found
