-- Keeps a secret for a second factor, which is not on before a code of it was confirmed: 'begun'; 'on' where there is one already; 'stale' where the
-- password is no longer the one that was checked. One that was begun before is forgotten.
create or replace function begin_second_factor(who uuid, checked_hash text, sealed bytea) returns text language plpgsql as $$
begin
    perform 1 from users u where u.id = who and u.password_hash = checked_hash for no key update;
    if not found then
        return 'stale';
    end if;
    insert into second_factors as f (user_id, secret) values (who, sealed)
        on conflict (user_id) do update set secret = excluded.secret, sealed_at = now() where not f.confirmed;
    return case when found then 'begun' else 'on' end;
end $$;
