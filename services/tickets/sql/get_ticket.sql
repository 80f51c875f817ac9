-- Tickets by id, with the place that each is. Places of a draft are nobody's business.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       t.show_id, t.area_id, t.area_name, t.row_name, t.seat
  from unnest($1::uuid[]) with ordinality as r (id, ordinal)
  join tickets t on t.id = r.id
                and (t.show_id is null or exists (select from shows s where s.id = t.show_id and s.status <> 'draft'))
 order by r.ordinal
