-- A page of the shows that are announced, by date: those behind the one that `cursor` names.
select r.ordinal, s.id, s.title, s.venue, s.city, s.starts_at, s.time_zone, s.description, s.currency, s.status, s.per_user, s.user_id,
       s.version
  from unnest($1::uuid[], $2::int4[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) with ordinality
    as r (cursor, most, pattern, city, begins, ends, ordinal)
  left join shows c on c.id = r.cursor
 cross join lateral (
    select * from shows s
     where s.status = 'announced' and s.starts_at >= greatest(coalesce(r.begins, now()), c.starts_at) and (r.ends is null or s.starts_at < r.ends)
       and (r.cursor is null or (s.starts_at, s.id) > (c.starts_at, c.id))
       and (r.pattern is null or s.title ilike r.pattern or s.venue ilike r.pattern)
       and (r.city is null or lower(s.city) = lower(r.city))
     order by s.starts_at, s.id
     limit r.most) s
 where r.cursor is null or c.id is not null
 order by r.ordinal, s.starts_at, s.id
