-- The life of a return: what Stripe says of PaymentIntents that must not keep their money. A row of `inputs` is about the charge itself
-- unless it is `aside`: of another attempt, or of another PaymentIntent than the charge's.
--
--     state     meaning
--     cancel    it may still succeed: Stripe is asked to cancel it
--     refund    Stripe is asked to refund it; after an answer that did not come, which refunds it has
--     pending   Stripe has made a refund, the bank has not: Stripe is asked, and its webhooks tell, how that ends
--     stuck     asked for too often: a person has to look (onsale_payments_refunds_stuck)
--     foreign   somebody else refunds it
--     done      it is cancelled, or all of it went back
--
-- A refund that succeeded can fail later: then a return that is done is open again.
create or replace function is_aside(c charges, attempt int, stripe_id text) returns boolean language sql stable as $$
    select $3 is not null
       and ($2 is distinct from c.attempt
            or coalesce(c.stripe_id <> $3, exists (select from returns r where r.stripe_id = $3 and r.order_id = c.order_id and r.wanted)))
$$;

create or replace function write_returns(order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[], round bigint)
returns void language plpgsql as $$
begin
    insert into returns as r (stripe_id, order_id, state, ask, ask_at)
    select distinct on (i.stripe_id) i.stripe_id, i.order_id, n.state, n.state, now()
      from (select *, row_number() over (partition by order_id order by ordinal) as nth
              from unnest(order_ids, attempts, inputs, stripe_ids) with ordinality as i (order_id, attempt, input, stripe_id, ordinal)) i
      join charges c on c.order_id = i.order_id
     cross join lateral (select case when i.input = 'succeeded' then 'refund' else 'cancel' end as state) n
     where i.nth = round and (is_aside(c, i.attempt, i.stripe_id) or c.state = 'failed' and c.stripe_id is null and i.input <> 'succeeded')
       and (i.input = 'succeeded' or i.input in ('requires_action', 'processing') and i.attempt <= c.attempt)
     order by i.stripe_id, i.ordinal
        on conflict (stripe_id) do update
       set state = 'refund', wanted = true, opened_at = now(), ask = 'refund', ask_at = now(), asked = 0
     where excluded.state = 'refund' and (r.state = 'cancel' or not r.wanted);

    with item as (
        select distinct on (coalesce(i.stripe_id, c.stripe_id)) coalesce(i.stripe_id, c.stripe_id) as stripe_id, i.input, i.reason
          from (select *, row_number() over (partition by order_id order by ordinal) as nth
                  from unnest(order_ids, inputs, stripe_ids, reasons) with ordinality as i (order_id, input, stripe_id, reason, ordinal)) i
          join charges c on c.order_id = i.order_id
         where i.nth = round and i.input in ('refunded', 'refund_pending', 'refund_failed', 'canceled')
         order by coalesce(i.stripe_id, c.stripe_id), i.ordinal
    ), step as (
        select r.stripe_id, i.input, i.reason,
               case when i.input = 'refunded' or i.input = 'canceled' and r.state = 'cancel' then 'done'
                    when i.input = 'refund_pending' and r.wanted then 'pending'
                    when i.input = 'refund_failed' and r.wanted and r.tries % return_tries() > 0 and r.state <> 'stuck' then 'refund'
                    when i.input = 'refund_failed' and (r.wanted or r.state = 'done') then 'stuck'
                    else r.state end as next
          from item i join returns r on r.stripe_id = i.stripe_id
         where i.input <> 'canceled' or r.state = 'cancel'
         order by r.stripe_id for update of r
    )
    update returns r
       set state = s.next, reason = case when s.next = 'done' then r.reason else coalesce(s.reason, r.reason) end,
           ended_at = case when s.next = 'done' then coalesce(r.ended_at, now()) end,
           opened_at = case when r.state = 'done' and s.next <> 'done' then now() else r.opened_at end,
           tries = r.tries + case when s.next = 'refund' then 1 else 0 end,
           key_at = case when s.next <> 'refund' then r.key_at end,
           asked = case when r.state = s.next and s.next <> 'refund' then r.asked else 0 end,
           ask = n.ask,
           ask_at = case n.ask when 'refund' then return_try_at(r.tries)
                               when 'refunds' then return_again_at(case when r.state = s.next then r.asked else 0 end) end
      from step s
     cross join lateral (select case when s.next = 'refund' then 'refund'
                                     when s.next = 'pending' or s.next = 'foreign' and s.input = 'refund_pending' then 'refunds' end
                                as ask) n
     where r.stripe_id = s.stripe_id;
end $$;
