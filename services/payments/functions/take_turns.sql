-- How many requests of a lane may be made now; the caller takes what it needs of them (spend_turns) in the same transaction. They come
-- in evenly at the lane's limit (in thousandths of a request a second; 0: none), and are not saved up for longer than a tenth of
-- a second, because Stripe counts within a second. extra: requests that were made in between without asking, which count as well.
--
-- After a 429 the limit is a share of that, which grows again by a twentieth of the whole each second.
--
-- All others may also make what payments have left over, but for one and for what comes in between two looks of a worker (a twentieth of
-- a second): while payments wait, no more than that is ever there. Payments are looked for first, so it was counted just before.
create or replace function turns_of(which text, thousandths int, extra int) returns int language plpgsql as $$
declare
    p paces;
    moment timestamptz;
    passed double precision;
    rate double precision := thousandths / 1000.0;
    over double precision := 0;
begin
    if thousandths = 0 then
        return 1000000; -- there is no limit
    end if;
    select * into p from paces where lane = which for update;
    if which = 'others' then
        select greatest(0, turns - greatest(1, a_second / 20)) into over from paces where lane = 'payments' for update;
    end if;
    moment := clock_timestamp(); -- after it was waited for
    passed := greatest(0, extract(epoch from moment - p.counted_at));
    p.share := least(1, p.share + passed / 20);
    rate := rate * p.share;
    p.turns := least(greatest(1, rate / 10), p.turns + passed * rate) - extra;
    update paces set share = p.share, turns = p.turns, counted_at = moment, a_second = rate where lane = which;
    return case when moment < p.not_before then 0 else greatest(0, floor(p.turns + over)) end;
end $$;

create or replace function spend_turns(which text, thousandths int, spent int, last_place bigint) returns void language plpgsql as $$
declare lent double precision := 0;
begin
    if thousandths = 0 then
        return; -- they would be missing once there is a limit
    end if;
    if which = 'others' then
        select greatest(0, spent - greatest(0, turns)) into lent from paces where lane = which;
        update paces set turns = turns - lent where lane = 'payments' and lent > 0;
    end if;
    update paces set turns = turns - spent + lent, served = greatest(served, last_place) where lane = which;
end $$;

-- Stripe said 429: three quarters of the pace, once a second however many say so; and none at all for as long as it asks for.
create or replace function slow_down(after_seconds int) returns void language plpgsql as $$
begin
    perform from paces order by lane for update;
    update paces
       set share = case when slowed_at < clock_timestamp() - interval '1 s' then greatest(0.05, share * 0.75) else share end,
           slowed_at = case when slowed_at < clock_timestamp() - interval '1 s' then clock_timestamp() else slowed_at end,
           turns = least(turns, 0), not_before = greatest(not_before, clock_timestamp() + after_seconds * interval '1 s');
end $$;
