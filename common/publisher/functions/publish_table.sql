-- Adds an event log to the publication; as publish_tables.
create or replace function publish_table(name text) returns void
language plpgsql security definer set search_path from current as $$
begin
    execute format('alter publication onsale_events add table %I.%I', current_schema(), name);
end $$;
-- Not for everybody: who replicates would see what it adds.
revoke execute on function publish_table(text) from public;
