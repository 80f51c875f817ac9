-- How attempts ended, or stand; one that a later one follows has failed.
select r.ordinal, 'repeated' as verdict, c.id, c.order_id, case when c.attempt > r.attempt then 'failed' else c.state end as state,
       r.attempt, c.final, case when c.attempt = r.attempt then c.reason end as reason, c.amount, c.currency, c.client_secret,
       c.next_action, c.started_at, c.changed_at, c.size,
       l.ahead, l.seconds, null::text as card_brand, null::text as card_last4
  from unnest($1::uuid[], $2::int4[]) with ordinality as r (purchase_id, attempt, ordinal)
  join charges c on c.order_id = r.purchase_id
  left join lateral line_of(c.ask, c.asked, c.place_in_line) l on c.attempt = r.attempt
 order by r.ordinal
