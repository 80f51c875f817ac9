-- Shows with their areas, a row each; a show without areas has one row. Drafts and what became of them are for their seller alone.
select r.ordinal, s.id, s.title, s.venue, s.city, s.starts_at, s.time_zone, s.description, s.currency, s.status, s.per_user, s.user_id,
       s.version, a.id, a.name, a.price, s.currency, a.seated, a.accessible, a.rank, a.places, a.made, a.known,
       (select coalesce(sum(bit_count(free::bit(64))), 0) from seat_rows w where w.area_id = a.id)::int8 as free
  from unnest($1::uuid[], $2::uuid[]) with ordinality as r (id, viewer, ordinal)
  join shows s on s.id = r.id and (s.status = 'announced' or s.user_id = r.viewer)
  left join areas a on a.show_id = s.id
 order by r.ordinal, a.rank, a.id
