-- Makes the publication what the publisher reads: inserts into these event logs. It takes the rights of who owns them; a process that serves has none of these,
-- and calls this.
create or replace function publish_tables(tables text[]) returns void
language plpgsql security definer set search_path from current as $$
declare
    logs text := (select string_agg(format('%I.%I', current_schema(), name), ', ') from unnest(tables) as name);
begin
    if exists (select from pg_publication where pubname = 'onsale_events') then
        execute 'alter publication onsale_events set table ' || logs;
    else
        execute 'create publication onsale_events for table ' || logs || ' with (publish = ''insert'')';
    end if;
end $$;
-- Not for everybody: who replicates would see what it adds.
revoke execute on function publish_tables(text[]) from public;
