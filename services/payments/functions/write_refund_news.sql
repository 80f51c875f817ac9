-- Takes in that Stripe tells of refunds, each event once: which refunds the PaymentIntent has now, Stripe is asked. The order is known
-- only where the event's metadata has it; a refund made by hand has none, its charge has.
create or replace function write_refund_news(ids text[], order_ids uuid[], stripe_ids text[]) returns setof bigint
language plpgsql as $$
begin
    with fresh as (
        insert into webhook_events (id) select distinct i from unnest(ids) as i order by i
            on conflict do nothing
        returning id
    )
    select array_agg(order_id), array_agg(stripe_id) into order_ids, stripe_ids
      from (select distinct on (e.stripe_id) e.order_id, e.stripe_id
              from unnest(ids, order_ids, stripe_ids) as e (id, order_id, stripe_id) join fresh f on f.id = e.id
             order by e.stripe_id, e.order_id nulls last) e;

    perform 1 from charges c -- before the returns, as everybody does
      where c.order_id = any (order_ids || array(select r.order_id from returns r where r.stripe_id = any (stripe_ids)))
      order by c.order_id for update;
    insert into returns (stripe_id, order_id, wanted, state)
    select e.stripe_id, e.order_id, c.order_status = 'cancelled', case c.order_status when 'cancelled' then 'pending' else 'foreign' end
      from unnest(order_ids, stripe_ids) as e (order_id, stripe_id) join charges c on c.order_id = e.order_id
     order by e.stripe_id
        on conflict do nothing;

    with known as (
        select stripe_id from returns where stripe_id = any (stripe_ids) and state not in ('cancel', 'refund') order by stripe_id for update
    )
    update returns r set ask = 'refunds', ask_at = now(), asked = 0 from known k where r.stripe_id = k.stripe_id;
    return query select generate_series(1, cardinality(ids))::bigint;
end $$;
