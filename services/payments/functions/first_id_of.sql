-- The least id that was made at that time: ids of charges begin with it.
create or replace function first_id_of(at timestamptz) returns uuid language sql stable strict parallel safe as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::int8), 12, '0') || repeat('0', 20))::uuid
$$;
