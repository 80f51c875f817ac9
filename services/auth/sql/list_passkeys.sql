-- The passkeys of people, in the order in which they were added.
with req as (
    select * from unnest($1::uuid[]) with ordinality as r (user_id, ordinal)
)
select r.ordinal, p.id, p.credential, p.name, p.added_at, p.used_at
  from req r
  join passkeys p using (user_id)
 order by r.ordinal, p.added_at, p.id
