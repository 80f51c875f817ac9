-- Puts places of shows that have become known into their rows of seats, and tells how many each area has. Areas come last and in the
-- order of their ids, as all places of one meet there.
create or replace function write_places(ids uuid[], statuses text[], show_ids uuid[], area_ids uuid[], area_names text[],
                                        row_names text[], seats int[], ranks int[], accessibles boolean[], prices bigint[])
returns void language plpgsql as $$
begin
    insert into seat_rows as s (id, area_id, show_id, rank, accessible, price, area_name, row_name, first_seat, free, longest)
    select *, longest_run(free)
      from (select row_of(id), area_id, show_id, min(rank), bool_or(accessible), min(price), min(area_name), min(row_name),
                   min(seat - place_of(id)),
                   bit_or(case status when 'cancelled' then 0::bigint else 1::bigint << place_of(id) end) as free
              from unnest(ids, statuses, show_ids, area_ids, area_names, row_names, seats, ranks, accessibles, prices)
                   as p (id, status, show_id, area_id, area_name, row_name, seat, rank, accessible, price)
             group by row_of(id), area_id, show_id
             order by row_of(id)) found
        on conflict (id) do update set free = s.free | excluded.free, longest = longest_run(s.free | excluded.free);

    with area as (
        insert into areas as a (id, show_id, accessible, version, places, first_rank, last_rank)
        select area_id, show_id, bool_or(accessible), 1, count(*), min(rank), max(rank)
          from unnest(area_ids, show_ids, accessibles, ranks) as p (area_id, show_id, accessible, rank)
         group by area_id, show_id order by area_id
            on conflict (id) do update
           set version = next_version(a.version), places = a.places + excluded.places,
               first_rank = least(a.first_rank, excluded.first_rank), last_rank = greatest(a.last_rank, excluded.last_rank)
        returning *
    )
    insert into stock_events (type, id, show_id, version, places, accessible)
    select 'AreaStocked', id, show_id, version, places, accessible from area;
end
$$;

-- Puts places back into their rows of seats, unless an order has them: their tickets are not sold any more, and while they were, a claim
-- may have taken them out (tickets_gone). The turn, then the rows: as in lock_purchases. Whoever orders a place holds its row until the
-- order can be seen.
create or replace function put_places_back(ids uuid[]) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('lock_purchases', 0));
    perform from seat_rows s where s.id in (select row_of(id) from unnest(ids) as i (id)) order by s.id for update;
    perform set_free(row_of(i.id), 1::bigint << place_of(i.id), true)
       from unnest(ids) as i (id)
      where not exists (select from orders o where o.ticket_id = i.id and o.status <> 'cancelled');
end
$$;
