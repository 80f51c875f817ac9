-- Makes the next `most` blocks of an area: seat_rows, tickets and their events, and moves blocks_made on. The area that is least far is
-- first, so that a small one does not wait for a large one. Replicas pass over an area that another one is at. Answers how many blocks
-- were made, and how many areas there were to make.
with req as (
    select most from unnest($1::int4[]) as r (most)
), area as (
    select a.* from areas a
     where a.blocks_made < a.blocks and not a.ended
       and exists (select from shows s where s.id = a.show_id and s.status = 'draft')
     order by a.blocks_made, a.id limit 1
       for update of a skip locked
), block as (
    select a.id as area_id, r.block, r.name, r.first_seat, r.places
      from area a cross join req
      join area_rows r on r.area_id = a.id and r.block >= a.blocks_made and r.block < a.blocks_made + req.most
     where a.seated
     union all
    select a.id, b, null, null, least(60, a.places - b * 60)
      from area a cross join req
     cross join generate_series(a.blocks_made, least(a.blocks_made + req.most, a.blocks) - 1) as b
     where not a.seated
), place as (
    select place_id(a.id, b.block * 64 + p) as id, s.user_id,
           left(s.title || ', ' || a.name || coalesce(', row ' || b.name || ', seat ' || b.first_seat + p, ''), 200) as title,
           a.price, s.currency, s.id as show_id, a.id as area_id, a.name as area_name, b.name as row_name, b.first_seat + p as seat,
           (a.rank << 18) | b.block as rank, a.accessible, a.traceparent
      from area a
      join shows s on s.id = a.show_id
      join block b on b.area_id = a.id
     cross join generate_series(0, b.places - 1) as p
     order by b.block, p
), new_row as (
    insert into seat_rows (id, area_id, name, first_seat, places, free)
    select place_id(area_id, block * 64), area_id, name, first_seat, places, (1::bigint << places) - 1 from block order by block
), ticket as (
    insert into tickets (id, version, user_id, title, price, currency, status, show_id, area_id, area_name, row_name, seat, rank, accessible)
    select id, 1, user_id, title, price, currency, 'available', show_id, area_id, area_name, row_name, seat, rank, accessible from place
), event as (
    insert into ticket_events (type, id, version, user_id, title, price, currency, status, show_id, area_id, area_name, row_name, seat,
                               rank, accessible, traceparent)
    select 'TicketCreated', id, 1, user_id, title, price, currency, 'available', show_id, area_id, area_name, row_name, seat,
           rank, accessible, traceparent
      from place
), progress as (
    update areas a set blocks_made = a.blocks_made + b.blocks, made = a.made + b.places
      from (select area_id, count(*)::int as blocks, sum(places)::int as places from block group by area_id) b
     where a.id = b.area_id
)
select (select count(*) from block) as done, (select count(*) from areas a join shows s on s.id = a.show_id
                                                  where a.blocks_made < a.blocks and not a.ended and s.status = 'draft') as found
