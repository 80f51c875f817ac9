-- Whether a phase is of an area; an area that is null is any.
create or replace function phase_has(phase jsonb, area_id uuid) returns boolean language sql immutable parallel safe as $$
    select area_id is null or not phase ? 'areas' or phase -> 'areas' ? area_id::text
$$;

-- Why somebody cannot have so many more places of a show by the phase that is open at this moment; null: he can. The phases follow one
-- another, so at most one is open. admitted_to: the show in whose queue it is his turn. "code required" comes last: whoever has a
-- code spends it only if nothing else is in the way.
create or replace function judge_phase(of_show shows, buyer_id uuid, area_id uuid, wanted int, admitted_to uuid) returns text
language plpgsql stable as $$
declare
    phase jsonb := (select p from jsonb_array_elements(of_show.phases) p
                     where phase_has(p, area_id)
                       and now() >= (p ->> 'opensAt')::timestamptz and now() < (p ->> 'closesAt')::timestamptz);
begin
    if phase is null then
        return (select case when count(*) = 0 then 'never sold'
                            when bool_or(now() < (p ->> 'opensAt')::timestamptz) then 'not open'
                            else 'over' end
                  from jsonb_array_elements(of_show.phases) p where phase_has(p, area_id));
    end if;
    return case when (phase ->> 'queue')::boolean and admitted_to is distinct from of_show.id then 'queue required'
                when area_id is null and phase ? 'areas'
                     and exists (select from areas a where a.show_id = of_show.id and not phase -> 'areas' ? a.id::text) then 'which area'
                when (select count(*) from orders o where o.user_id = buyer_id and o.show_id = of_show.id and o.status <> 'cancelled')
                     + wanted > (phase ->> 'perUser')::int then 'show limit'
                when (phase ->> 'codes')::boolean
                     and not exists (select from code_uses u where u.show_id = of_show.id and u.user_id = buyer_id) then 'code required' end;
end
$$;
