-- Whether people have a second factor, and how many recovery codes are left.
with req as (
    select * from unnest($1::uuid[]) with ordinality as r (user_id, ordinal)
)
select r.ordinal, f.user_id is not null as is_on, (select count(*) from recovery_codes c where c.user_id = f.user_id) as codes_left
  from req r
  left join second_factors f on f.user_id = r.user_id and f.confirmed
 order by r.ordinal
