-- The ids of tickets that are places, and those of their rows: the last six bits count the places (seat_rows in 011_purchases.sql).
create or replace function row_of(ticket_id uuid) returns uuid language sql immutable parallel safe as $$
    select (left(ticket_id::text, 34) || lpad(to_hex(get_byte(uuid_send(ticket_id), 15) & 192), 2, '0'))::uuid
$$;

create or replace function place_of(ticket_id uuid) returns int language sql immutable parallel safe as $$
    select get_byte(uuid_send(ticket_id), 15) & 63
$$;

-- The tickets of the places whose bits are set, from the left.
create or replace function seats_of(row_id uuid, places bigint) returns uuid[] language plpgsql immutable parallel safe as $$
declare
    prefix text := left(row_id::text, 34);
    last_byte int := get_byte(uuid_send(row_id), 15);
    tickets uuid[] := '{}';
    place int := round(ln((places & -places)::float8) / ln(2::float8)); -- the first
begin
    while places >> place <> 0 loop
        if places >> place & 1 = 1 then
            tickets := tickets || (prefix || lpad(to_hex(last_byte | place), 2, '0'))::uuid;
        end if;
        place := place + 1;
    end loop;
    return tickets;
end
$$;
