-- Adds a passkey of a user whose password is still the one that was checked: 'done'; 'known' (it was added before, by anybody), 'full' (he has 20) or 'stale'.
create or replace function add_passkey(who uuid, checked_hash text, credential bytea, algorithm int, public_key bytea, sign_count bigint, name text,
                                       out verdict text, out passkey_id uuid, out added_at timestamptz, out email text)
language plpgsql as $$
#variable_conflict use_column
begin
    select u.email into email from users u where u.id = who and u.password_hash = checked_hash for no key update;
    if not found then
        verdict := 'stale';
    elsif (select count(*) from passkeys p where p.user_id = who) >= 20 then
        verdict := 'full';
    else
        insert into passkeys as p (user_id, credential, algorithm, public_key, sign_count, name)
        values (who, add_passkey.credential, add_passkey.algorithm, add_passkey.public_key, add_passkey.sign_count, add_passkey.name)
            on conflict (credential) do nothing
        returning p.id, p.added_at into passkey_id, added_at;
        verdict := case when found then 'done' else 'known' end;
    end if;
end $$;
