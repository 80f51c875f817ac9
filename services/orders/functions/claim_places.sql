-- Takes places or tickets for each request that was not refused, in their order. `claimed` has those that got theirs, with the tickets.
create or replace function claim_all(requests purchase_request[], judged text[], out claimed purchase_request[], out refusals text[],
                                     out left_over int[]) language plpgsql as $$
declare
    r purchase_request;
    -- What requests before asked for in vain: of each kind the highest price at which none is left, of each wish how many are left.
    nothing jsonb := '{}';
    kind text;
    wish text;
    remaining int;
    fitting int;
    n int := 1;
    next int;
begin
    claimed := '{}';
    refusals := judged;
    left_over := array_fill(null::int, array[cardinality(requests)]);
    while n <= cardinality(requests) loop
        r := requests[n];
        next := n + 1;
        -- As soon as no place is left at a price nobody of the same kind gets one; before, nobody with the same wish. (By ids: null.)
        kind := r.show_id || ' ' || r.accessible || ' ' || coalesce(r.area_id::text, '');
        wish := kind || ' ' || r.max_price || ' ' || r.quantity || ' ' || r.together;
        if judged[n] is not null then
            null;
        elsif r.tickets is not null then
            refusals[n] := case when exists (select from unnest(claimed) c where c.tickets && r.tickets) then 'reserved'
                                when not claim_tickets(r.tickets) then 'again' end;
            claimed := case when refusals[n] is null then claimed || r else claimed end;
        elsif nothing ? wish or r.max_price <= (nothing ->> kind)::bigint then
            refusals[n] := 'none';
            left_over[n] := coalesce((nothing ->> wish)::int, 0);
        else
            next := n;
            if r.quantity > 1 then
                select * into claimed, next from claim_alike(requests, judged, n, claimed);
            end if;
            if next = n then -- not decided there
                next := n + 1;
                r.tickets := claim_places(r);
                if r.tickets is not null then
                    claimed := claimed || r;
                else
                    select * into remaining, fitting from places_left(r);
                    if fitting >= r.quantity then
                        refusals[n] := 'again'; -- rivals may give back what they hold
                    else
                        refusals[n] := 'none';
                        left_over[n] := remaining;
                        nothing := nothing || case remaining when 0 then jsonb_build_object(kind, price_of_none(r))
                                                             else jsonb_build_object(wish, remaining) end;
                    end if;
                end if;
            end if;
        end if;
        n := next;
    end loop;
end
$$;

-- From the nth request on: as long as they ask for several of the same places, and have them side by side, adds them to `claimed`. What
-- claim_places would do for each of them, but the rows of seats are read and written once for all. `next` is the first that was not
-- decided: others are asked for, or not found among the first rows.
create or replace function claim_alike(requests purchase_request[], judged text[], n int, inout claimed purchase_request[],
                                       out next int) language plpgsql as $$
declare
    f constant purchase_request := requests[n];
    r purchase_request;
    ids uuid[] := '{}';  -- the first rows in which two sit together; locked
    frees bigint[] := '{}';
    last_rank int := f.first_rank;
    s record;
    all_seen boolean := false;
    options int;
    best int;
    lonely boolean;
    decided boolean;
    places bigint;
    run bigint;
begin
    next := n;
    while next <= cardinality(requests) loop
        r := requests[next];
        if judged[next] is null then
            exit when r.tickets is not null or r.quantity < 2 or (r.show_id, r.accessible, r.max_price) <> (f.show_id, f.accessible, f.max_price)
                      or r.area_id is distinct from f.area_id;
            loop -- as in take_places: the first row of four in which no single place stays behind, else the first of the four
                options := 0;
                best := null;
                lonely := true;
                for i in 1 .. cardinality(ids) loop
                    run := best_run(frees[i], r.quantity);
                    continue when run is null;
                    options := options + 1;
                    lonely := leaves_single(frees[i], run);
                    if options = 1 or not lonely then
                        best := i;
                        places := run;
                    end if;
                    exit when options = 4 or not lonely;
                end loop;
                decided := options = 4 or not lonely or all_seen;
                exit when decided or cardinality(ids) >= 8;
                all_seen := true;
                for s in select o.id, o.free, o.rank from seat_rows o
                          where o.show_id = f.show_id and o.accessible = f.accessible and o.rank between last_rank and f.last_rank
                            and o.longest >= 2 and suits(o, f) and o.id <> all (ids)
                          order by o.rank limit 4 for update skip locked
                loop
                    ids := ids || s.id;
                    frees := frees || s.free;
                    last_rank := s.rank;
                    all_seen := cardinality(ids) % 4 > 0;
                end loop;
            end loop;
            exit when best is null or not decided;
            frees[best] := frees[best] & ~places;
            r.tickets := seats_of(ids[best], places);
            claimed := claimed || r;
        end if;
        next := next + 1;
    end loop;
    if next > n then
        update seat_rows o set free = c.free, longest = longest_run(c.free)
          from unnest(ids, frees) c (id, free) where o.id = c.id and o.free <> c.free;
    end if;
end
$$;

-- Takes the best places for a request: its tickets, or null if there are not as many. Side by side in one row, unless the request
-- does not ask for that; standing places need not be, but are of one area. Rows of seats that another transaction has locked are passed
-- over. Their bits are believed (tickets_gone).
create or replace function claim_places(r purchase_request) returns uuid[] language plpgsql as $$
declare
    tickets uuid[] := '{}';
    piece int := r.quantity; -- places side by side that are looked for
    claim record;
begin
    loop
        claim := take_places(r, piece);
        if claim.row_id is not null then
            tickets := tickets || seats_of(claim.row_id, claim.places);
            exit when cardinality(tickets) = r.quantity;
            piece := least(piece, r.quantity - cardinality(tickets));
        else
            if r.together and tickets = '{}' then
                r.area_id := standing_area(r);
            end if;
            piece := case when not r.together or r.area_id is not null then least(piece - 1, longest_piece(r)) end;
            if piece is null or piece = 0 then
                perform set_free(row_of(id), 1::bigint << place_of(id), true) from unnest(tickets) as i (id);
                return null;
            end if;
        end if;
    end loop;
    return tickets;
end
$$;

-- Takes those places of shows that are among some tickets; false: another transaction has a row of theirs.
create or replace function claim_tickets(tickets uuid[]) returns boolean language plpgsql as $$
declare
    places uuid[] := array(select t.id from tickets t where t.id = any (tickets) and t.show_id is not null);
    wanted uuid[] := array(select distinct row_of(id) from unnest(places) as i (id));
    got uuid[] := array(select s.id from seat_rows s where s.id = any (wanted) order by s.id for update skip locked);
begin
    if cardinality(got) < cardinality(wanted) then return false; end if;
    perform set_free(row_of(id), 1::bigint << place_of(id), false) from unnest(places) as i (id);
    return true;
end
$$;

create or replace function set_free(row_id uuid, places bigint, are_free boolean) returns void language plpgsql as $$
begin
    if are_free then
        update seat_rows s set free = s.free | places, longest = longest_run(s.free | places) where s.id = row_id;
    else
        update seat_rows s set free = s.free & ~places, longest = longest_run(s.free & ~places) where s.id = row_id;
    end if;
end
$$;

-- Whether a row of seats is one that a request asks for. (show_id, accessible and rank are asked for beside it, by the index.)
create or replace function suits(s seat_rows, r purchase_request) returns boolean language sql immutable as $$
    select (r.area_id is null or s.area_id = r.area_id) and s.price <= r.max_price
$$;

-- Takes so many places side by side: of the first rows that have them, in the best in which no single place stays behind; else in the best.
create or replace function take_places(r purchase_request, piece int, out row_id uuid, out places bigint) language plpgsql as $$
begin
    if piece > 1 then -- by the index of rows that have two together
        with room as (
            select s.id, s.free, s.rank from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
               and s.longest >= 2 and s.longest >= piece and suits(s, r) and (piece = r.quantity or not r.together or s.row_name is null)
             order by s.rank limit 4 for update skip locked
        ), fit as materialized (
            select id, free, rank, best_run(free, piece) as run from room
        ), best as materialized (
            select id, run from fit order by leaves_single(free, run), rank limit 1
        )
        update seat_rows s set free = s.free & ~b.run, longest = longest_run(s.free & ~b.run) from best b where s.id = b.id
        returning s.id, b.run into row_id, places;
    else
        with room as (
            select s.id, s.free, s.rank from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
               and s.open and suits(s, r) and (r.quantity = 1 or not r.together or s.row_name is null)
             order by s.rank limit 4 for update skip locked
        ), fit as materialized (
            select id, free, rank, best_run(free, 1) as run from room
        ), best as materialized (
            select id, run from fit order by leaves_single(free, run), rank limit 1
        )
        update seat_rows s set free = s.free & ~b.run, longest = longest_run(s.free & ~b.run) from best b where s.id = b.id
        returning s.id, b.run into row_id, places;
    end if;
end
$$;

-- The best standing area that has all places for a request; null: none.
create or replace function standing_area(r purchase_request) returns uuid language plpgsql stable as $$
begin
    return (select s.area_id from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
               and s.open and suits(s, r) and s.row_name is null
             group by s.area_id having sum(bit_count(s.free::bit(64))) >= r.quantity
             order by min(s.rank) limit 1);
end
$$;

-- How many places side by side a request may be given as a part of its places; null: none.
create or replace function longest_piece(r purchase_request) returns int language plpgsql stable as $$
begin
    return (select max(s.longest) from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
               and s.open and suits(s, r) and (not r.together or s.row_name is null));
end
$$;

-- Of the best places that were claimed, those that cannot be given away: ordered, or withdrawn.
create or replace function tickets_gone(claimed purchase_request[]) returns uuid[] language plpgsql as $$
begin
    return array(select t.id
                   from unnest(claimed) c
                  cross join lateral unnest(c.tickets) as i (id)
                   join tickets t on t.id = i.id
                  where c.show_id is not null -- tickets by their ids were judged
                    and (t.status in ('cancelled', 'sold')
                         or (select o.id from orders o where o.ticket_id = t.id and o.status <> 'cancelled') is not null));
end
$$;
