-- The orders of purchases, by the purchase's id.
select r.ordinal, o.id, o.status, o.expires_at, o.user_id, o.version, o.ticket_id, o.title, o.price, o.currency, o.ticket_version,
       o.reason, o.show_id, 'found' as verdict, o.purchase_size, s.area_name, s.row_name, s.first_seat + place_of(o.ticket_id) as seat, null::int as remaining
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join orders f on f.id = r.id and f.id = purchase_of(f.id, f.purchase_size)
 cross join lateral (select * from orders m where m.id between f.id and order_of(f.id, f.purchase_size, f.purchase_size)
                      order by m.id limit 8) o
  left join lateral (select * from seat_rows where id = row_of(o.ticket_id) and o.show_id is not null limit 1) s on true
 order by r.ordinal, o.id
