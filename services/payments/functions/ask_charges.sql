-- The questions to Stripe about charges that the caller has locked. Money that has to go back is put among the returns, which are asked
-- about by themselves: such a charge is answered with 'return', and is not due again.
--
-- A PaymentIntent is created only while its order lives and Stripe still knows the key (24 hours; 23 leave room). Otherwise, and after
-- every second answer that did not come, because Stripe keeps a 500 for the key as well, it is looked for by its order (find). sent_at is
-- when it was last asked to be created: a search that finds nothing counts only some time after that, or at once if it never was.
--
-- A charge that waited in line is told of when its turn comes: from then on it is Stripe that takes its time, and not we.
create or replace function ask_charges(ids uuid[]) returns setof stripe_question language plpgsql as $$
begin
    return query
    with question as (
        select c.order_id, c.sent_at, waits(c) as waited, never_sent(c) as never_sent,
               case when c.ask = 'refund' and c.stripe_id is not null then 'return'
                    when c.ask <> 'create' then c.ask
                    when c.order_status = 'cancelled' then 'find'
                    when waits(c) and never_sent(c) then 'create'
                    when c.expires_at < now() - interval '1 hour' or c.asked % 2 = 0 and c.asked > 0
                         or coalesce(c.key_at, c.started_at) < now() - interval '23 hours' then 'find'
                    else 'create' end as ask
          from charges c where c.order_id = any (ids)
    ), taken as (
        update charges c set ask = case when q.ask <> 'return' then c.ask end,
                             ask_at = case when q.ask <> 'return' then ask_again_at(c.asked) end, asked = c.asked + 1,
                             version = case when q.waited then next_version(c.version) else c.version end,
                             key_at = case q.ask when 'create' then coalesce(c.key_at, case when q.never_sent then now() end) else c.key_at end,
                             sent_at = case q.ask when 'create' then now() else c.sent_at end
          from question q
         where c.order_id = q.order_id
        returning c.order_id, c.id, c.attempt, q.ask, c.token, c.amount, c.currency, c.stripe_id, q.waited, c as charge,
                  case when q.never_sent then 86400000
                       else (extract(epoch from now() - coalesce(q.sent_at, c.started_at)) * 1000)::int8 end as sent_ago_ms
    ), opened as (
        insert into returns as r (stripe_id, order_id, state, ask, ask_at)
        select t.stripe_id, t.order_id, 'refund', 'refund', now() from taken t
         where t.ask = 'return'
         order by t.stripe_id
            on conflict (stripe_id) do update
           set wanted = true, state = 'refund', opened_at = now(), ask = 'refund', ask_at = now(), asked = 0
         where not r.wanted
    ), event as (
        insert into payment_events (type, id, ticket_id, order_id, purchase_id, version, user_id, status, amount, currency, attempt, final,
                                    stripe_id, reason, traceparent)
        select e.* from taken t cross join lateral payment_events_of(t.charge, 'PaymentStarted', null) e
         where t.waited order by e.ticket_id
    )
    select t.order_id, t.id, t.attempt, t.ask, t.token, t.amount, t.currency, t.stripe_id, 1, t.sent_ago_ms from taken t;
end $$;
