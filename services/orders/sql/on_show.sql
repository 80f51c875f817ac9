-- Keeps the copy of a show up with its events.
insert into shows as s (id, version, user_id, status, per_user, phases, starts_at)
select id, version, user_id, status, per_user, phases::jsonb, starts_at
  from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int4[], $6::text[], $7::timestamptz[])
    as e (id, version, user_id, status, per_user, phases, starts_at)
    on conflict (id) do update
   set version = excluded.version, status = excluded.status, per_user = excluded.per_user,
       phases = excluded.phases, starts_at = excluded.starts_at
 where s.version < excluded.version
