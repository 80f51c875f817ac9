-- Keeps the copy of a show up with its events.
insert into shows as s (id, version, user_id, status, per_user)
select * from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int4[])
    on conflict (id) do update
   set version = excluded.version, status = excluded.status, per_user = excluded.per_user
 where s.version < excluded.version
