-- The number of a ticket in its area: the last 24 bits of its id. The last 6 of these count places within a row.
create or replace function place_number(id uuid) returns int language sql immutable parallel safe as $$
    select ('x' || right(id::text, 6))::bit(24)::int
$$;
