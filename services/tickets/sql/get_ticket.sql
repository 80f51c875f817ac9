-- Tickets by id, with the place that each is.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       t.show_id, t.area_id, t.area_name, t.row_name, t.seat
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join tickets t on t.id = r.id
 order by r.ordinal
