-- The ticket of an area that has this number: it becomes the last 24 bits of the area's id.
create or replace function place_id(area_id uuid, place int) returns uuid language sql immutable parallel safe as $$
    select overlay(area_id::text placing lpad(to_hex(place), 6, '0') from 31)::uuid
$$;
