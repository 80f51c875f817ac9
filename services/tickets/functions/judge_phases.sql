-- Why the phases of a show that has been announced cannot change to others; null: they can. A phase that has opened stays as it is, but
-- one that is open may close at another time that has not passed. All others open in the future.
create or replace function judge_phases(before jsonb, after jsonb) returns text language plpgsql stable as $$
begin
    return case
        when before is null then 'sells'
        when after is null then 'no phases'
        when exists (select from jsonb_array_elements(before) b
                      where (b ->> 'opensAt')::timestamptz <= now()
                        and not exists (select from jsonb_array_elements(after) a
                                         where a - 'closesAt' = b - 'closesAt'
                                           and (a = b or least((a ->> 'closesAt')::timestamptz, (b ->> 'closesAt')::timestamptz) > now())))
        then 'phase begun'
        when exists (select from jsonb_array_elements(after) a
                      where (a ->> 'opensAt')::timestamptz <= now()
                        and not exists (select from jsonb_array_elements(before) b where b - 'closesAt' = a - 'closesAt'))
        then 'phase late' end;
end
$$;
