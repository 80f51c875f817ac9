-- Keeps a password under today's argon2id parameters, unless it was changed meanwhile.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as r (id, checked_hash, password_hash, ordinal)
), kept as (
    update users u set password_hash = r.password_hash
      from (select distinct on (id) * from req order by id, ordinal) r
     where u.id = r.id and u.password_hash = r.checked_hash
)
select ordinal from req order by ordinal
