-- Changes a user whose password is still the one that was checked; null leaves a thing as it is. With another password all sessions of
-- before end; with `verify` also with another address, which is `unverified` then. An e-mail that somebody else has is found out by the
-- unique index, the only judge that rivals in other transactions respect; `on conflict` would do, but updates have none, so the error is
-- caught here, before it can end the batch.
create or replace function write_account(who uuid, checked_hash text, new_email text, new_hash text, verify bool,
                                         out verdict text, out version int, out email text, out session_version int,
                                         out old_email text, out moved bool, out unverified bool)
language plpgsql as $$
#variable_conflict use_column
begin
    select u.email into old_email from users u where u.id = who for update;
    moved := coalesce(lower(new_email) <> lower(old_email), false);
    unverified := moved and verify;
    update users u
       set email = coalesce(new_email, u.email), password_hash = coalesce(new_hash, u.password_hash), version = next_version(u.version),
           session_version = u.session_version + case when new_hash is null and not unverified then 0 else 1 end,
           verified = u.verified and not unverified
     where u.id = who and u.password_hash = checked_hash
    returning 'done', u.version, u.email, u.session_version into verdict, version, email, session_version;
    verdict := coalesce(verdict, 'stale');
exception when unique_violation then
    verdict := 'taken';
end $$;
