-- Deletes a user whose password is still the one that was checked: 'done'; 'stale' if it is not, 'gone' if there is no such user any more. With him goes
-- what is kept of his sessions, letters, passkeys and second factor, and what the logs have of his address: he may not come back with them in a new epoch.
create or replace function delete_account(who uuid, checked_hash text, out verdict text, out version int, out session_version int)
language plpgsql as $$
#variable_conflict use_column
begin
    delete from users u where u.id = who and u.password_hash = checked_hash
    returning 'done', next_version(u.version), u.session_version + 1 into verdict, version, session_version;
    if verdict is null then
        verdict := case when exists (select from users u where u.id = who) then 'stale' else 'gone' end;
        return;
    end if;
    delete from sessions s where s.user_id = who;
    delete from links l where l.user_id = who;
    delete from second_factors f where f.user_id = who;
    delete from recovery_codes c where c.user_id = who;
    delete from passkeys p where p.user_id = who;
    delete from used_challenges c where c.user_id = who;
    delete from letter_events l where l.user_id = who;
    delete from user_events e where e.id = who;
end $$;
