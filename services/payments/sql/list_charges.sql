-- A page of a buyer's charges, newest first, of those older than `before`; that of one order's purchase only if an order is given.
select r.ordinal, 'listed' as verdict, c.id, c.order_id, c.state, c.attempt, c.final, c.reason, c.amount, c.currency, c.client_secret,
       c.next_action, c.started_at, c.changed_at, c.size, l.ahead, l.seconds, c.card_brand, c.card_last4
  from unnest($1::uuid[], purchases_of($2::uuid[]), $3::uuid[], $4::int4[]) with ordinality as r (user_id, purchase_id, before, most, ordinal)
 cross join lateral (
    (select * from charges o
      where r.purchase_id is null and o.user_id = r.user_id and o.id < r.before
      order by o.id desc
      limit r.most)
    union all
    select * from charges o where o.order_id = r.purchase_id and o.user_id = r.user_id and o.id < r.before) c
 left join lateral line_of(c.ask, c.asked, c.place_in_line) l on true
 order by r.ordinal, c.id desc
