-- Takes charges that Stripe has to be asked about and that nobody else asks about now, those due for longest first.
with due as (
    select order_id from charges
     where ask is not null and ask_at <= now()
     order by ask_at
     limit (select most from unnest($1::int4[]) as r (most))
       for update skip locked
)
update charges c set ask_at = ask_again_at(c.asked), asked = c.asked + 1
  from due
 where c.order_id = due.order_id
returning c.order_id, c.id, c.attempt, c.ask, c.token, c.amount, c.currency, c.stripe_id
