-- Takes in events of Stripe, each once. They do not tell the card of what succeeded: a payment of which nothing else was heard is looked at
-- once.
create or replace function write_webhooks(ids text[], order_ids uuid[], attempts int[], inputs text[], stripe_ids text[],
                                          reasons text[], client_secrets text[], next_actions text[], traceparents text[], fingerprints text[])
returns setof bigint language plpgsql as $$
begin
    with fresh as (
        insert into webhook_events (id) select distinct i from unnest(ids) as i order by i
            on conflict do nothing
        returning id
    ), item as (
        select distinct on (e.id) e.*
          from unnest(ids, order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents, fingerprints)
          with ordinality
            as e (id, order_id, attempt, input, stripe_id, reason, client_secret, next_action, traceparent, fingerprint, ordinal)
          join fresh f on f.id = e.id
         where e.order_id is not null
         order by e.id, e.ordinal
    )
    select array_agg(order_id order by ordinal), array_agg(attempt order by ordinal), array_agg(input order by ordinal),
           array_agg(stripe_id order by ordinal), array_agg(reason order by ordinal), array_agg(client_secret order by ordinal),
           array_agg(next_action order by ordinal), array_agg(traceparent order by ordinal), array_agg(fingerprint order by ordinal)
      into order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents, fingerprints
      from item;
    if order_ids is not null then
        perform write_charges(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents,
                              null::text[], null::text[], fingerprints);
        update charges c set ask = 'look', ask_at = now() + interval '5 s', asked = 0 -- for the receipt, if no answer tells the card by then
          from unnest(order_ids, stripe_ids, inputs) as i (order_id, stripe_id, input)
         where c.order_id = any (order_ids) and c.order_id = i.order_id and c.stripe_id = i.stripe_id
           and i.input = 'succeeded' and c.state = 'succeeded'
           and c.card_brand is null and c.ask is null;
    end if;
    return query select generate_series(1, cardinality(ids))::bigint;
end $$;

-- For replicas of the version before, which know no fingerprints.
create or replace function write_webhooks(ids text[], order_ids uuid[], attempts int[], inputs text[], stripe_ids text[],
                                          reasons text[], client_secrets text[], next_actions text[], traceparents text[])
returns setof bigint language plpgsql as $$
begin
    return query select * from write_webhooks(ids, order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions,
                                              traceparents, null);
end $$;
