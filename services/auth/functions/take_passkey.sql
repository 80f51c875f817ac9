-- Takes what a passkey signed, once: 'taken'; 'wrong' where that challenge was signed before, or the authenticator has counted further already (it was copied),
-- or it is no longer this user's; 'stale' where all his sessions have ended since it was looked up. The user is locked first, as all who change him do.
create or replace function take_passkey(who uuid, ver int, credential bytea, signed bigint, nonce bytea) returns text language plpgsql as $$
#variable_conflict use_column
declare
    version int;
begin
    select u.session_version into version from users u where u.id = who for no key update;
    if version is distinct from ver then
        return 'stale';
    end if;
    insert into used_challenges (user_id, nonce) values (who, take_passkey.nonce) on conflict do nothing;
    if not found then
        return 'wrong';
    end if;
    update passkeys p
       set sign_count = signed, used_at = now()
     where p.credential = take_passkey.credential and p.user_id = who and (p.sign_count < signed or (p.sign_count = 0 and signed = 0));
    return case when found then 'taken' else 'wrong' end;
end $$;
