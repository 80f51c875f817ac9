-- Takes charges a step on, by the rules. attempt: which one the input is about (null: whichever), as an answer about an earlier
-- attempt says nothing about this one. An order may come several times: then its inputs are applied in that order. What is said of
-- another PaymentIntent than the charge's is for write_returns. Answers the charges as they are then, and the input, or 'unchanged'.
-- One that met Stripe's limit waits since it was sent: the event says so, as that time is not the buyer's. But not for longer than main.c
-- promises to the readers of its topic.
create or replace function write_charges(order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[],
                                         client_secrets text[], next_actions text[], traceparents text[], card_brands text[],
                                         card_last4s text[], fingerprints text[])
returns setof charge_answer language plpgsql as $$
declare
    rounds int;
    sellers uuid[]; -- of what was paid or declined, for count_tries; and which it was
    declines boolean[];
begin
    perform 1 from charges c where c.order_id = any (order_ids) order by c.order_id for update;
    update charges c set ask = null, ask_at = null -- the last look for an attempt that failed has its answer
      from unnest(order_ids, attempts) as i (order_id, attempt)
     where c.order_id = i.order_id and c.attempt = i.attempt and c.state = 'failed' and c.ask = 'find';
    if card_brands is not null then -- a webhook was faster, which does not tell the card: this answer does, and no other is needed
        update charges c set card_brand = coalesce(c.card_brand, i.card_brand), card_last4 = coalesce(c.card_last4, i.card_last4),
                             ask = case when c.state <> 'succeeded' or c.ask <> 'look' then c.ask end,
                             ask_at = case when c.state <> 'succeeded' or c.ask <> 'look' then c.ask_at end
          from unnest(order_ids, attempts, stripe_ids, card_brands, card_last4s)
            as i (order_id, attempt, stripe_id, card_brand, card_last4)
         where c.order_id = any (order_ids) and c.order_id = i.order_id and c.attempt = i.attempt and c.stripe_id = i.stripe_id
           and (c.card_brand is null and i.card_brand is not null or c.state = 'succeeded' and c.ask = 'look');
    end if;
    select max(n) into rounds from (select count(*) as n from unnest(order_ids) as i (id) group by id) t;
    for round in 1 .. coalesce(rounds, 0) loop
        perform write_returns(order_ids, attempts, inputs, stripe_ids, reasons, round);
        with item as (
            select *, row_number() over (partition by order_id order by ordinal) as nth
              from unnest(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents, card_brands,
                          card_last4s, fingerprints) with ordinality
                as i (order_id, attempt, input, stripe_id, reason, client_secret, next_action, traceparent, card_brand, card_last4, fingerprint,
                      ordinal)
        ), step as (
            select i.order_id, r.input, i.stripe_id, i.reason, i.client_secret, i.next_action, i.traceparent, i.card_brand,
                   i.card_last4, i.fingerprint, r.next, r.event, r.ask, c.asker
              from item i
              join charges c on c.order_id = i.order_id and c.attempt = coalesce(i.attempt, c.attempt)
              join charge_rules r on r.state = c.state and r.ended = (c.order_status = 'cancelled')
                                 and r.input = case when i.input = 'order_cancelled' and c.state = 'started' and never_sent(c) then 'unsent'
                                                    else i.input end
             where i.nth = round and not is_aside(c, coalesce(i.attempt, c.attempt), i.stripe_id)
        ), changed as (
            update charges c
               set state = s.next, changed_at = now(),
                   version = case when s.event is null then c.version else next_version(c.version) end,
                   final = case s.next when 'failed' then c.attempt >= c.max_attempts or c.order_status = 'cancelled'
                                       else s.next = 'refunded' end,
                   stripe_id = coalesce(s.stripe_id, c.stripe_id),
                   card_brand = coalesce(s.card_brand, c.card_brand), card_last4 = coalesce(s.card_last4, c.card_last4),
                   client_secret = case s.next when 'action' then s.client_secret end,
                   next_action = case s.next when 'action' then s.next_action end,
                   reason = case when s.next in ('started', 'succeeded') then null
                                 when s.next = 'refunding' or s.input in ('order_cancelled', 'unsent')
                                      or s.input = 'absent' and c.order_status = 'cancelled' then 'order_ended'
                                 when s.input = 'refunded' and c.state = 'succeeded' then 'refunded_outside'
                                 when s.input = 'replaced' then 'replaced'
                                 when s.input in ('canceled', 'absent') then coalesce(c.reason, 'canceled')
                                 when s.input = 'declined' then s.reason
                                 else c.reason end,
                   told_address = case s.ask when 'create' then c.told_address end,
                   told_email = case s.ask when 'create' then c.told_email end,
                   asker = case when s.next in ('started', 'action', 'abandoned') or s.ask = 'find' then c.asker end, -- it may still have succeeded
                   ask = s.ask, asked = 0,
                   ask_at = case when s.ask = 'look' then ask_again_at(0)
                                 when s.input in ('absent', 'unsent') then now() + interval '1 day'
                                 when s.ask is not null then now() end
              from step s
             where c.order_id = s.order_id
            returning c.order_id, c.state, c.attempt, c.reason, c.token, c.seller_id, c as charge, s.event,
                      case when s.event in ('PaymentCreated', 'PaymentFailed') then s.asker end as asked_by, s.input, s.fingerprint, s.traceparent,
                      case s.input when 'limited' then greatest(coalesce(c.sent_at, now()), now() - interval '10 s') else now() end as since
        ), failed as (
            update attempts a set reason = c.reason
              from changed c
             where c.state = 'failed' and a.order_id = c.order_id and a.attempt = c.attempt
        ), card as (
            insert into card_declines (order_id, attempt, fingerprint, token)
            select c.order_id, c.attempt, c.fingerprint, c.token from changed c
             where c.input = 'declined' and c.fingerprint is not null order by c.order_id
                on conflict do nothing
        ), event as (
            insert into payment_events (type, id, ticket_id, order_id, purchase_id, version, user_id, status, amount, currency, attempt, final,
                                        stripe_id, reason, traceparent, occurred_at, session_id, address, network)
            select e.*, c.since, (c.asked_by).session_id, (c.asked_by).address, (c.asked_by).network
              from changed c cross join lateral payment_events_of(c.charge, c.event, c.traceparent) e
             where c.event is not null order by e.ticket_id
        )
        select sellers || array_agg(coalesce(c.seller_id, '00000000-0000-0000-0000-000000000000')), declines || array_agg(c.input = 'declined')
          into sellers, declines
          from changed c where c.input = 'declined' or c.event = 'PaymentCreated';
    end loop;
    update charges c set asker = null -- of what can't have another outcome any more
     where c.order_id = any (order_ids) and c.asker is not null and c.state not in ('started', 'action', 'abandoned') and c.ask is distinct from 'find';
    if cardinality(sellers) > 0 then
        perform count_tries(sellers, declines);
    end if;
    return query
    select i.ordinal, case when c.changed_at = now() then i.input else 'unchanged' end, c.id, c.order_id, c.state, c.attempt, c.final, c.reason, c.amount, c.currency, c.client_secret,
           c.next_action, c.started_at, c.changed_at
      from unnest(order_ids, inputs) with ordinality as i (order_id, input, ordinal)
      join charges c on c.order_id = i.order_id
     order by i.ordinal;
end $$;

-- For replicas of the version before, which know no fingerprints.
create or replace function write_charges(order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[],
                                         client_secrets text[], next_actions text[], traceparents text[], card_brands text[],
                                         card_last4s text[])
returns setof charge_answer language plpgsql as $$
begin
    return query select * from write_charges(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents,
                                             card_brands, card_last4s, null::text[]);
end $$;

-- For inputs that tell of no card, and for replicas of versions before.
create or replace function write_charges(order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[],
                                         client_secrets text[], next_actions text[], traceparents text[])
returns setof charge_answer language plpgsql as $$
begin
    return query select * from write_charges(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents,
                                             null::text[], null::text[], null::text[]);
end $$;
