-- Takes charges that Stripe has to be asked about and that nobody else asks about now, those due for longest first. Money that has to go
-- back is put among the returns, which are asked about by themselves: such a charge is answered with 'return', and is not due again.
--
-- A PaymentIntent is created only while its order lives and Stripe still knows the key (24 hours; 23 leave room). Otherwise, and after
-- every second answer that did not come, because Stripe keeps a 500 for the key as well, it is looked for by its order (find). sent_at is
-- when it was last asked to be created: a search that finds nothing counts only some time after that.
with due as (
    select order_id from charges
     where ask is not null and ask_at <= now()
     order by ask_at
     limit (select most from unnest($1::int4[]) as r (most))
       for update skip locked
), question as (
    select c.order_id, c.sent_at,
           case when c.ask = 'refund' and c.stripe_id is not null then 'return'
                when c.ask <> 'create' then c.ask
                when c.order_status = 'cancelled' or c.expires_at < now() - interval '1 hour' or c.asked % 2 = 0
                     or coalesce(c.key_at, c.started_at) < now() - interval '23 hours' then 'find'
                else 'create' end as ask
      from charges c join due using (order_id)
), taken as (
    update charges c set ask = case when q.ask <> 'return' then c.ask end,
                         ask_at = case when q.ask <> 'return' then ask_again_at(c.asked) end, asked = c.asked + 1,
                         sent_at = case q.ask when 'create' then now() else c.sent_at end
      from question q
     where c.order_id = q.order_id
    returning c.order_id, c.id, c.attempt, q.ask, c.token, c.amount, c.currency, c.stripe_id,
              (extract(epoch from now() - coalesce(q.sent_at, c.started_at)) * 1000)::int8 as sent_ago_ms
), opened as (
    insert into returns as r (stripe_id, order_id, state, ask, ask_at)
    select stripe_id, order_id, 'refund', 'refund', now() from taken
     where ask = 'return'
     order by stripe_id
        on conflict (stripe_id) do update
       set wanted = true, state = 'refund', opened_at = now(), ask = 'refund', ask_at = now(), asked = 0
     where not r.wanted
)
select order_id, id, attempt, ask, token, amount, currency, stripe_id, 1 as tries, sent_ago_ms from taken
