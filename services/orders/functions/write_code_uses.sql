-- Spends codes for people; each gets a verdict:
--     spent       he can buy; also if he could before, by whichever code
--     code wrong  the show has no such code; code used: others have spent it as often as it can be
-- With tickets in place of a show, the code is of the show of one of them. Codes are locked in one order, and uses written in one
-- order, so two of these never deadlock.
create or replace function write_code_uses(show_ids uuid[], user_ids uuid[], hashes uuid[], tickets text[])
returns table (ordinal bigint, verdict text) language plpgsql as $$
declare
    r record;
begin
    perform from codes c where c.hash = any (hashes) order by c.hash for update;
    for r in
        select i.*, c.show_id as of_show
          from unnest(show_ids, user_ids, hashes, tickets) with ordinality as i (show_id, user_id, hash, tickets, nth)
          left join codes c on c.hash = i.hash
         order by c.show_id, i.user_id, i.nth
    loop
        ordinal := r.nth;
        verdict := case
            when r.of_show is null or r.show_id <> r.of_show then 'code wrong'
            when r.show_id is null and not exists (select from tickets t
                                                    where t.id = any (r.tickets::uuid[]) and t.show_id = r.of_show) then 'code wrong'
            else spend_code(r.of_show, r.user_id, r.hash) end;
        return next;
    end loop;
end
$$;

-- One, which is locked and known to be of the show.
create or replace function spend_code(of_show_id uuid, buyer_id uuid, code uuid) returns text language plpgsql as $$
begin
    if exists (select from code_uses u where u.show_id = of_show_id and u.user_id = buyer_id) then
        return 'spent';
    elsif exists (select from codes c where c.hash = code and c.used >= c.uses) then
        return 'code used';
    end if;
    insert into code_uses (show_id, user_id, hash) values (of_show_id, buyer_id, code) on conflict do nothing;
    if found then -- else he has spent another one at the same moment
        update codes c set used = c.used + 1 where c.hash = code;
    end if;
    return 'spent';
end
$$;
