-- What the code of a ticket is made of: the ticket and its place, its sale, its show, and whether it was used.
select r.ordinal, t.id, t.status, t.order_id, s.buyer_id, s.refunded, t.title, t.area_name, t.row_name, t.seat,
       w.id as show_id, w.title as show_title, w.venue, w.city, w.starts_at, w.time_zone, a.admitted_at, a.door
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join tickets t on t.id = r.id
  left join sales s on s.order_id = t.order_id
  left join shows w on w.id = t.show_id
  left join admissions a on a.ticket_id = t.id and a.order_id = t.order_id
 order by r.ordinal
