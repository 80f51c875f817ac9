-- A page of what is on sale and has `pattern` in its title, newest first, by the trigram index. `offset 0` keeps the planner
-- from walking down the ids instead, which takes forever for a rare word.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version
  from unnest($1::uuid[], $2::int4[], $3::text[]) with ordinality as r (before, most, pattern, ordinal)
 cross join lateral (
    select * from (
        select * from tickets t where t.status = 'available' and t.title ilike r.pattern offset 0) t
     where t.id < r.before
     order by t.id desc
     limit r.most) t
 order by r.ordinal, t.id desc
