-- What some tickets cost now.
select r.ordinal, t.id, t.price, t.currency, t.version
  from unnest($1::text[]) with ordinality as r (tickets, ordinal)
 cross join lateral unnest(r.tickets::uuid[]) as i (id)
 cross join lateral (select * from tickets t where t.id = i.id limit 1) t
 order by r.ordinal, t.id
