-- Tickets by id, with the place that each is. Of which order it is, only its seller and its buyer see; who bought it, `sales` knows for
-- certain, for a replica of before did not write buyer_id. Places of a draft are nobody's business.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status,
       case when t.order_id is not null and r.user_id is not null and (
                     r.user_id = t.user_id
                     or r.user_id = coalesce(case t.status when 'sold' then (select s.buyer_id from sales s where s.order_id = t.order_id) end,
                                         t.buyer_id))
            then t.order_id end as order_id,
       t.version, to_char(t.date, 'YYYY-MM-DD') as date, t.venue, t.city, t.show_id, t.area_id, t.area_name, t.row_name, t.seat
  from unnest($1::uuid[], $2::uuid[]) with ordinality as r (id, user_id, ordinal)
  join tickets t on t.id = r.id
                and (t.show_id is null or exists (select from shows s where s.id = t.show_id and s.status <> 'draft'))
 order by r.ordinal
