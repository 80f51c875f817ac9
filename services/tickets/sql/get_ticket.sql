-- Tickets by id.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join tickets t on t.id = r.id
 order by r.ordinal
