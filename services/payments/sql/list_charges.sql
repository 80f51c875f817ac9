-- A page of a buyer's charges, newest first, of those older than `before`; of one order only if one is given.
select r.ordinal, 'listed' as verdict, c.id, c.order_id, c.state, c.attempt, c.final, c.reason, c.amount, c.currency, c.client_secret,
       c.next_action, c.started_at, c.changed_at
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int4[]) with ordinality as r (user_id, order_id, before, most, ordinal)
 cross join lateral (
    (select * from charges o
      where r.order_id is null and o.user_id = r.user_id and o.id < r.before
      order by o.id desc
      limit r.most)
    union all
    select * from charges o where o.order_id = r.order_id and o.user_id = r.user_id and o.id < r.before) c
 order by r.ordinal, c.id desc
