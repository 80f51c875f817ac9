-- A page of a seller's own tickets, whatever their status, newest first.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       to_char(t.date, 'YYYY-MM-DD') as date, t.venue, t.city
  from unnest($1::uuid[], $2::int4[], $3::text[], $4::uuid[]) with ordinality as r (before, most, pattern, user_id, ordinal)
 cross join lateral (
    select * from tickets t
     where t.user_id = r.user_id and t.show_id is null and t.id < r.before and (r.pattern is null or t.title ilike r.pattern)
     order by t.id desc
     limit r.most) t
 order by r.ordinal, t.id desc
