-- A page of a seller's own shows, those begun last first; without what is cancelled, which is a draft that was deleted. Free places are
-- counted of what is announced.
with page as materialized (
    select r.ordinal, s.*
      from unnest($1::uuid[], $2::int4[], $3::uuid[]) with ordinality as r (before, most, user_id, ordinal)
     cross join lateral (
        select * from shows s where s.user_id = r.user_id and s.id < r.before and s.status <> 'cancelled' order by s.id desc limit r.most) s
), count as materialized (
    select a.show_id, sum(n.free)::int8 as free, min(a.price) filter (where n.free > 0) as from_price
      from (select distinct id from page where status = 'announced') p
      join areas a on a.show_id = p.id
     cross join lateral (select coalesce(sum(bit_count(w.free::bit(64))), 0) as free from seat_rows w where w.area_id = a.id) n
     group by a.show_id
)
select s.ordinal, s.id, s.title, s.venue, s.city, s.starts_at, s.time_zone, s.description, s.currency, s.status, s.per_user, s.user_id,
       s.version, null::text as phases, s.picture, s.organizer, n.from_price, coalesce(n.free, 0)::int8 as free, s.place_count::int8 as places,
       s.phases is not null as phased, case when s.phases is not null then next_opening(s.phases) end as opens_at
  from page s
  left join count n on n.show_id = s.id
 order by s.ordinal, s.id desc
