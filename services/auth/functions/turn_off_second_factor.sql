-- Turns off the second factor of a user whose password is still the one that was checked: 'done'; 'off' where none was on; 'stale'. One that was only begun
-- goes, too.
create or replace function turn_off_second_factor(who uuid, checked_hash text, out verdict text, out email text)
language plpgsql as $$
#variable_conflict use_column
begin
    select u.email into email from users u where u.id = who and u.password_hash = checked_hash for no key update;
    if not found then
        verdict := 'stale';
        return;
    end if;
    verdict := case when exists (select from second_factors f where f.user_id = who and f.confirmed) then 'done' else 'off' end;
    delete from second_factors f where f.user_id = who;
    delete from recovery_codes c where c.user_id = who;
end $$;
