-- The sessions of people, each one's newest first.
with req as (
    select * from unnest($1::uuid[]) with ordinality as r (user_id, ordinal)
)
select r.ordinal, s.id, s.created_at, s.address, s.browser
  from req r
  join users u on u.id = r.user_id
  join sessions s on s.user_id = u.id and s.version = u.session_version and s.expires_at > now()
 order by r.ordinal, s.created_at desc
