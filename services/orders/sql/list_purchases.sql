-- A page of a buyer's purchases, newest first, of those older than `before`: one row an order.
select r.ordinal, o.id, o.status, o.expires_at, o.user_id, o.version, o.ticket_id, o.title, o.price, o.currency, o.ticket_version,
       o.reason, o.show_id, 'found' as verdict, o.purchase_size, s.area_name, s.row_name, s.first_seat + place_of(o.ticket_id) as seat, null::int as remaining
  from unnest($1::uuid[], $2::uuid[], $3::int4[]) with ordinality as r (user_id, before, most, ordinal)
 cross join lateral (select * from orders f
                      where f.user_id = r.user_id and f.id < r.before and f.id = purchase_of(f.id, f.purchase_size)
                      order by f.id desc limit r.most) f
 cross join lateral (select * from orders m where m.id between f.id and order_of(f.id, f.purchase_size, f.purchase_size)
                      order by m.id limit 8) o
  left join lateral (select * from seat_rows where id = row_of(o.ticket_id) and o.show_id is not null limit 1) s on true
 order by r.ordinal, f.id desc, o.id
