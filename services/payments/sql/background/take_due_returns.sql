-- Takes PaymentIntents that must not keep their money, as take_due_charges does. After an answer to a refund that did not come, and when
-- Stripe may have forgotten its key, Stripe is asked which refunds there are.
with due as (
    select stripe_id from returns
     where ask is not null and ask_at <= now()
     order by ask_at
     limit (select most from unnest($1::int4[]) as r (most))
       for update skip locked
), question as (
    select r.stripe_id,
           case when r.ask = 'refund' and (r.asked % 2 = 1 or r.key_at < now() - interval '23 hours') then 'refunds' else r.ask end as ask
      from returns r join due using (stripe_id)
), taken as (
    update returns r set ask_at = return_again_at(r.asked), asked = r.asked + 1,
                         key_at = case q.ask when 'refund' then coalesce(r.key_at, now()) else r.key_at end
      from question q
     where r.stripe_id = q.stripe_id
    returning r.order_id, q.ask, r.stripe_id, r.tries
)
select c.order_id, coalesce(c.id, c.order_id) as id, c.attempt, t.ask, null::text as token, c.amount, c.currency, t.stripe_id, t.tries,
       0::int8 as sent_ago_ms
  from taken t join charges c on c.order_id = t.order_id
