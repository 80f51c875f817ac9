-- The row of seats that a ticket is in: its id without the last 6 bits.
create or replace function row_of_place(id uuid) returns uuid language sql immutable parallel safe as $$
    select place_id(id, place_number(id) & ~63)
$$;
