-- What became of the places of shows, for their sellers. The first row of each says whether it may be read, its currency and the length of a
-- step. Then a row for each area, with all there ever was; then the newest steps in which something happened, by time, and by area if wanted.
-- Without a length it is the shortest by which all of it fits. Hours and days are those of the clocks at the venue.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int4[], $5::bool[]) with ordinality as r (id, viewer, per, most, by_area, ordinal)
), asked as (
    select r.ordinal, r.most, r.by_area, s.id, s.currency, s.time_zone, t.newest,
           case when s.user_id = r.viewer then 'done' when s.status = 'announced' then 'forbidden' else 'missing' end as verdict,
           coalesce(r.per, case when t.newest is null or t.newest - t.oldest < r.most * interval '1 minute' then 'minute'
                                when t.newest - t.oldest < r.most * interval '1 hour' then 'hour' else 'day' end) as per
      from req r
      left join shows s on s.id = r.id
     cross join lateral (select min(minute) as oldest, max(minute) as newest from show_sales where show_id = r.id) t
), own as (
    select *, date_trunc(per, date_trunc(per, newest, time_zone) - (most - 1) * ('1 ' || per)::interval, time_zone) as since
      from asked
     where verdict = 'done'
)
select a.ordinal, 0 as part, a.verdict, a.currency, a.per, null::uuid as area_id, null::text as area_name, null::int8 as places,
       null::timestamptz as begins, null::int8 as placed, null::int8 as sold, null::int8 as returned, null::int8 as revenue, 0 as rank
  from asked a
 union all
select o.ordinal, 1, null, o.currency, null, a.id, a.name, a.places, null, n.placed, n.sold, n.returned, n.revenue, a.rank
  from own o
  join areas a on a.show_id = o.id
 cross join lateral (
    select coalesce(sum(s.placed), 0)::int8 as placed, coalesce(sum(s.sold), 0)::int8 as sold, coalesce(sum(s.returned), 0)::int8 as returned,
           coalesce(sum(s.revenue), 0)::int8 as revenue
      from show_sales s
     where s.show_id = o.id and s.area_id = a.id) n
 union all
select o.ordinal, 2, null, o.currency, null, s.area_id, null, null, s.begins, s.placed, s.sold, s.returned, s.revenue, 0
  from own o
 cross join lateral (
    select date_trunc(o.per, s.minute, o.time_zone) as begins, case when o.by_area then s.area_id end as area_id, sum(s.placed)::int8 as placed,
           sum(s.sold)::int8 as sold, sum(s.returned)::int8 as returned, sum(s.revenue)::int8 as revenue
      from show_sales s
     where s.show_id = o.id and s.minute >= o.since
     group by 1, 2) s
 order by ordinal, part, begins, rank, area_id
