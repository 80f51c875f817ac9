-- Shows with their areas, a row each; a show without areas has one row. Drafts and what became of them are for their seller alone.
with req as (
    select * from unnest($1::uuid[], $2::uuid[]) with ordinality as r (id, viewer, ordinal)
), count as materialized ( -- once a show, however many ask for it
    select a.id, coalesce(sum(bit_count(w.free::bit(64))), 0)::int8 as free
      from (select distinct id from req) r
      join areas a on a.show_id = r.id
      left join seat_rows w on w.area_id = a.id
     group by a.id
)
select r.ordinal, s.id, s.title, s.venue, s.city, s.starts_at, s.time_zone, s.description, s.currency, s.status, s.per_user, s.user_id,
       s.version, s.phases, s.picture, s.organizer, a.id, a.name, a.price, s.currency, a.seated, a.accessible, a.rank, a.places, a.made, a.known,
       n.free
  from req r
  join shows s on s.id = r.id and (s.status = 'announced' or s.user_id = r.viewer)
  left join areas a on a.show_id = s.id
  left join count n on n.id = a.id
 order by r.ordinal, a.rank, a.id
