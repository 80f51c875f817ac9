-- Takes what was typed as a code of somebody's second factor, once: of a step of the clock later than any that was taken, or one for a lost device.
-- 'taken', or 'none' where no second factor is on; 'wrong'; 'stale' where all sessions have ended since his password was looked up (`ver`; null:
-- that is not asked). With `sealed_anew` the secret is kept under today's key. The user is locked first, as all who change him do.
create or replace function take_code(who uuid, ver int, step bigint, recovery bytea, sealed_anew bytea) returns text language plpgsql as $$
declare
    version int;
begin
    select u.session_version into version from users u where u.id = who for no key update;
    if version <> ver then
        return 'stale';
    end if;
    if not exists (select from second_factors f where f.user_id = who and f.confirmed) then
        return 'none';
    end if;
    if recovery is not null then
        delete from recovery_codes c where c.user_id = who and c.hash = recovery;
    else
        update second_factors f
           set last_step = step, secret = coalesce(sealed_anew, f.secret), sealed_at = case when sealed_anew is null then f.sealed_at else now() end
         where f.user_id = who and f.last_step < step;
    end if;
    return case when found then 'taken' else 'wrong' end;
end $$;
