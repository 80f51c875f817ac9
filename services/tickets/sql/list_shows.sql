-- A page of the shows that are announced, by date: those behind the one that `cursor` names. With their cheapest place that is free, and how
-- many places are free of how many. Days are by the clocks at a show's place. Their phases stay out, as they may be long; it is told when
-- the next one opens.
with page as materialized (
    select r.ordinal, s.*
      from unnest($1::uuid[], $2::int4[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                  $7::timestamptz[], $8::timestamptz[]) with ordinality
        as r (cursor, most, pattern, city, begins, first_day, ends, end_day, ordinal)
      left join shows c on c.id = r.cursor
     cross join lateral (
        select * from shows s
         where s.status = 'announced' and s.starts_at >= greatest(coalesce(r.begins, now()), c.starts_at)
           and (r.ends is null or s.starts_at < r.ends)
           and (r.first_day is null or s.starts_at >= r.first_day at time zone 'UTC' at time zone s.time_zone)
           and (r.end_day is null or s.starts_at < r.end_day at time zone 'UTC' at time zone s.time_zone)
           and (r.cursor is null or (s.starts_at, s.id) > (c.starts_at, c.id))
           and (r.pattern is null or s.title ilike r.pattern or s.venue ilike r.pattern)
           and (r.city is null or lower(s.city) = lower(r.city))
         order by s.starts_at, s.id
         limit r.most) s
     where r.cursor is null or c.id is not null
), count as materialized ( -- once a show, however many ask for it
    select a.show_id, sum(n.free)::int8 as free, min(a.price) filter (where n.free > 0) as from_price
      from (select distinct id from page) p
      join areas a on a.show_id = p.id
     cross join lateral (select coalesce(sum(bit_count(w.free::bit(64))), 0) as free from seat_rows w where w.area_id = a.id) n
     group by a.show_id
)
select s.ordinal, s.id, s.title, s.venue, s.city, s.starts_at, s.time_zone, s.description, s.currency, s.status, s.per_user, s.user_id,
       s.version, null::text as phases, s.picture, s.organizer, n.from_price, coalesce(n.free, 0)::int8 as free, s.place_count::int8 as places,
       s.phases is not null as phased, case when s.phases is not null then next_opening(s.phases) end as opens_at
  from page s
  left join count n on n.show_id = s.id
 order by s.ordinal, s.starts_at, s.id
