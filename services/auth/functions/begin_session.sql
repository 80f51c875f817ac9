-- Begins a session of a user, unless all of his have ended since his password was looked up (`ver`), or he is gone: not `begun` then. He may
-- have 50: with one more the oldest ends, which an event tells. With `new_hash` his password is kept under today's argon2id parameters, if
-- it is still the one that was checked.
create or replace function begin_session(who uuid, ver int, session uuid, seconds int, address text, browser text, checked_hash text, new_hash text,
                                         out begun bool, out ended uuid, out version int, out email text)
language plpgsql as $$
#variable_conflict use_column
begin
    perform 1 from users u where u.id = who and u.session_version = ver for no key update;
    begun := found;
    if not begun then
        return;
    end if;
    if new_hash is not null then
        update users u set password_hash = new_hash where u.id = who and u.password_hash = checked_hash;
    end if;
    insert into sessions (id, user_id, version, expires_at, address, browser)
    values (session, who, ver, now() + seconds * interval '1 s', begin_session.address, begin_session.browser);
    delete from sessions s
     where s.id = (select o.id from sessions o where o.user_id = who order by o.created_at desc offset 50 limit 1)
    returning s.id into ended;
    if ended is not null then
        update users u set version = next_version(u.version) where u.id = who returning u.version, u.email into version, email;
    end if;
end $$;
