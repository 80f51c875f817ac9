-- The blocks of areas that are made, in order; one row without a block where there is none. An area of a draft is for its seller alone.
select r.ordinal, a.id, a.seated, s.status, place_number(w.id) / 64 as block, w.name, w.first_seat, w.places, w.free
  from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as r (show_id, area_id, viewer, ordinal)
  join areas a on a.id = r.area_id and a.show_id = r.show_id
  join shows s on s.id = a.show_id and (s.status = 'announced' or s.user_id = r.viewer)
  left join seat_rows w on w.area_id = a.id
 order by r.ordinal, w.id
