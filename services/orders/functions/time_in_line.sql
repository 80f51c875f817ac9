-- How long payments in line waited, by events of one charge in the order of their versions, and since when the last one still waits.
-- known: the version that was applied last; since: what waits since then. All times are those of the events, so it does not matter how late
-- they come, nor how many at once.
create or replace function time_in_line(known int, since timestamptz, versions int[], waits bool[], times timestamptz[],
                                        out waits_since timestamptz, out waited interval) language plpgsql immutable as $$
begin
    waits_since := since;
    waited := interval '0';
    for i in 1 .. cardinality(versions) loop
        continue when versions[i] <= coalesce(known, 0);
        if waits[i] then
            waits_since := coalesce(waits_since, times[i]);
        elsif waits_since is not null then
            waited := waited + greatest(interval '0', times[i] - waits_since);
            waits_since := null;
        end if;
    end loop;
end $$;
