-- Follows the link of a letter, once: the address is its owner's then, and with `new_hash` he has another password. All sessions and other
-- links of before end. While the address was not verified the account may have been somebody else's: with a new password his passkeys and his
-- second factor go, too. Without a user_id in the answer it was no link of this kind, over, or for another address than the account has now.
-- The user is locked first, as all who change users and links do.
create or replace function follow_link(link uuid, what text, new_hash text,
                                       out user_id uuid, out version int, out email text, out session_version int)
language plpgsql as $$
#variable_conflict use_column
declare
    whose   uuid;
    proven  bool;
    sent_to text;
begin
    select l.user_id into whose from links l where l.id = link;
    select u.verified into proven from users u where u.id = whose for no key update;
    delete from links l where l.id = link and l.kind = what and l.expires_at > now() returning l.email into sent_to;
    update users u
       set verified = true, password_hash = coalesce(new_hash, u.password_hash), version = next_version(u.version),
           session_version = u.session_version + 1
     where u.id = whose and lower(u.email) = lower(sent_to)
    returning u.id, u.version, u.email, u.session_version into user_id, version, email, session_version;
    if user_id is not null then
        delete from links l where l.user_id = whose;
        delete from sessions s where s.user_id = whose;
        if new_hash is not null and not proven then
            delete from passkeys p where p.user_id = whose;
            delete from second_factors f where f.user_id = whose;
            delete from recovery_codes c where c.user_id = whose;
        end if;
    end if;
end $$;
