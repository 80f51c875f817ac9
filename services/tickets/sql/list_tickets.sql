-- A page of what is on sale, newest first, of tickets older than `before`. Not what was for a day that is over: of yesterday, as somewhere on
-- earth it may be that day still.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       to_char(t.date, 'YYYY-MM-DD') as date, t.venue, t.city
  from unnest($1::uuid[], $2::int4[]) with ordinality as r (before, most, ordinal)
 cross join lateral (
    select * from tickets t
     where t.status = 'available' and t.show_id is null and t.id < r.before and (t.date is null or t.date >= current_date - 1)
     order by t.id desc
     limit r.most) t
 order by r.ordinal, t.id desc
