-- When the phase of a show opens that is open, or else the next one; null: all are over. `phases` as shows has them.
create or replace function next_opening(phases text) returns timestamptz language plpgsql stable as $$
begin
    return (select min((p ->> 'opensAt')::timestamptz) from jsonb_array_elements(phases::jsonb) p
             where (p ->> 'closesAt')::timestamptz > now());
end
$$;
