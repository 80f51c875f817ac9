-- Spends codes for people; each gets a verdict:
--     spent       he can buy; also if he could before, by whichever code
--     code wrong  the show has no such code; code used: others have spent it as often as it can be
--     again       somebody else is spending the code at this moment, or the same person another one: ask again
-- With tickets in place of a show, the code is of the show of one of them. Nobody waits for a code: many may have the same one. Uses
-- are written in one order, so two of these never deadlock, and each code is written once, by however many people it is spent.
create or replace function write_code_uses(show_ids uuid[], user_ids uuid[], hashes uuid[], tickets text[])
returns table (ordinal bigint, verdict text) language plpgsql as $$
declare
    locked uuid[] := array(select c.hash from codes c where c.hash = any (hashes) order by c.hash for update skip locked);
begin
    return query
    with req as (
        select i.nth, i.user_id, i.hash, c.show_id, c.uses - c.used as uses_left,
               exists (select from code_uses u where u.show_id = c.show_id and u.user_id = i.user_id) as had,
               case when c.hash is null or i.show_id <> c.show_id then 'code wrong'
                    when i.show_id is null and not exists (select from tickets t
                                                            where t.id = any (i.tickets::uuid[]) and t.show_id = c.show_id)
                    then 'code wrong'
                    when c.hash <> all (locked) then 'again' end as failure
          from unnest(show_ids, user_ids, hashes, tickets) with ordinality as i (show_id, user_id, hash, tickets, nth)
          left join codes c on c.hash = i.hash
    ), first as ( -- of a person one
        select distinct on (show_id, user_id) * from req where failure is null and not had order by show_id, user_id, nth
    ), ranked as (
        select *, row_number() over (partition by hash order by nth) <= uses_left as fits from first
    ), used as (
        insert into code_uses (show_id, user_id, hash)
        select f.show_id, f.user_id, f.hash from ranked f where f.fits order by f.show_id, f.user_id
            on conflict do nothing -- he is spending another one at the same moment
        returning code_uses.show_id, code_uses.user_id, code_uses.hash
    ), counted as (
        update codes c set used = c.used + n.count
          from (select u.hash, count(*) from used u group by u.hash) n
         where c.hash = n.hash
    )
    select r.nth,
           case when r.failure is not null then r.failure
                when r.had or u.hash is not null then 'spent'
                when not f.fits and r.uses_left <= (select count(*) from used o where o.hash = r.hash) then 'code used'
                else 'again' end
      from req r
      left join ranked f on f.nth = r.nth
      left join used u on u.show_id = r.show_id and u.user_id = r.user_id;
end
$$;
