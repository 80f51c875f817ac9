-- A page of what is on sale, newest first, of tickets older than `before`. `pattern`, if any, is an ILIKE too short for
-- the trigram index; it is common enough to be found soon while walking down.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version
  from unnest($1::uuid[], $2::int4[], $3::text[]) with ordinality as r (before, most, pattern, ordinal)
 cross join lateral (
    select * from tickets t
     where t.status = 'available' and t.id < r.before and (r.pattern is null or t.title ilike r.pattern)
     order by t.id desc
     limit r.most) t
 order by r.ordinal, t.id desc
