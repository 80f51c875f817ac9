-- Starts attempts to pay purchases (order_ids: their ids). What an item gets is its verdict, with the charge as it is then:
--     started      it is this caller's to ask Stripe now; paced: it waits in line instead
--     repeated     this attempt was made before (the same Idempotency-Key, or the same payment method without one): here is how it
--                  stands; state is 'failed' for one that failed, whatever came after it
--     busy         another attempt is under way: ask again when it is over; or one has just failed that had waited in line, so that
--                  orders may be about to give it more time
--     missing      no such purchase, or not yet, or not yet all of its orders
--     forbidden    somebody else's
--     other body   the Idempotency-Key came with another order or payment method before
--     paid, ended, limit
--     too many     so many payments of this person came to nothing within a day (failed_most; 0: any number)
--     often        so many payments from this network were declined within a day (network_most; 0: any number)
--     refused      so many payments by this card were declined within a day, whoever tried it (card_most; 0: any number)
-- Where cards are tried at this seller's tickets (seller_most: tried_sellers) a fifth of failed_most and network_most may be declined there
-- besides: an honest buyer may still try a second card.
create or replace function start_attempts(order_ids uuid[], charge_ids uuid[], user_ids uuid[], tokens text[], keys text[],
                                          most int[], traceparents text[], paced boolean[], failed_most int[], networks bigint[],
                                          network_most int[], card_most int[], seller_most int[], addresses text[], emails text[],
                                          askers payment_asker[])
returns setof charge_answer language plpgsql as $$
declare
    verdicts text[];
    locked uuid[] := array(select c.order_id from charges c where c.order_id = any (order_ids) order by c.order_id for update);
    tried uuid[];
    refused text[];
begin
    tried := tried_sellers(array(select c.seller_id from charges c where c.order_id = any (locked)), seller_most[1]); -- settings: the same for all
    refused := refused_methods(tokens, card_most[1]);
    select array_agg(case when c.order_id is null or c.order_id <> all (locked) -- it has come since: another may be judging it, too
                               or array_position(c.tickets, null) is not null then 'missing'
                          when c.user_id <> r.user_id then 'forbidden'
                          when k.key is not null and (k.order_id, k.token) <> (r.order_id, r.token) then 'other body'
                          when k.key is not null then 'repeated'
                          when r.key is null and c.token = r.token and c.state not in ('failed', 'abandoned') then 'repeated'
                          when c.order_status = 'cancelled' then 'ended'
                          when c.order_status = 'complete' or c.state in ('succeeded', 'refunding') then 'paid'
                          when c.state = 'action' then case when c.attempt >= c.max_attempts then 'limit' else 'replaced' end
                          when c.state in ('started', 'abandoned') then 'busy'
                          when c.final then 'limit'
                          when c.expires_at <= now() and c.place_in_line is not null and c.changed_at > now() - interval '5 s' then 'busy'
                          when c.expires_at <= now() then 'ended'
                          when r.failed_most > 0 and failed_tries(r.user_id) >= r.failed_most then 'too many'
                          when fails_often(r.network, r.network_most) then 'often'
                          when c.seller_id = any (tried) and r.failed_most > 0 and declined_there(r.user_id, c.seller_id) >= greatest(1, r.failed_most / 5)
                          then 'too many'
                          when c.seller_id = any (tried) and r.network_most > 0 and fails_often(r.network, greatest(1, r.network_most / 5), c.seller_id)
                          then 'often'
                          when r.token = any (refused) then 'refused'
                          else 'started' end order by r.ordinal)
      into verdicts
      from unnest(order_ids, user_ids, tokens, keys, failed_most, networks, network_most) with ordinality
             as r (order_id, user_id, token, key, failed_most, network, network_most, ordinal)
      left join charges c on c.order_id = r.order_id
      left join attempts k on k.user_id = r.user_id and k.key = r.key;

    perform write_charges(array_agg(id), array_agg(null::int), array_agg('replaced'::text), array_agg(null::text),
                          array_agg(null::text), array_agg(null::text), array_agg(null::text), array_agg(traceparent))
       from unnest(order_ids, traceparents, verdicts) as r (id, traceparent, verdict) where verdict = 'replaced' having count(*) > 0;

    return query
    with seen as (
        select * from unnest(order_ids, charge_ids, user_ids, tokens, keys, most, traceparents, verdicts, paced, networks, addresses, emails,
                             askers) with ordinality
            as r (order_id, charge_id, user_id, token, key, allowed, traceparent, verdict, in_line, network, address, email, session_id,
                  asked_from, near, ordinal)
    ), first as (
        select distinct on (s.order_id) s.* from seen s where s.verdict = 'started' order by s.order_id, s.ordinal
    ), noted as ( -- a key starts one attempt, also when it comes with several orders at once
        insert into attempts (user_id, key, order_id, attempt, token)
        select f.user_id, f.key, f.order_id, c.attempt + 1, f.token
          from first f join charges c on c.order_id = f.order_id
         where f.key is not null
         order by f.user_id, f.key, f.ordinal
            on conflict do nothing
        returning attempts.order_id
    ), chosen as (
        select * from first f where f.key is null or f.order_id in (select n.order_id from noted n)
    ), changed as (
        update charges c
           set id = coalesce(c.id, case when c.size > 1 then with_place(s.charge_id, 1) else s.charge_id end),
               version = next_version(c.version), state = 'started', attempt = c.attempt + 1, max_attempts = s.allowed,
               final = false, token = s.token, stripe_id = null, reason = null, card_brand = null, card_last4 = null,
               started_at = coalesce(c.started_at, now()), changed_at = now(), ask = 'create', ask_at = case when s.in_line then now() else ask_again_at(0) end,
               asked = case when s.in_line then 0 else 1 end, key_at = case when s.in_line then null else now() end,
               sent_at = case when s.in_line then null else now() end,
               place_in_line = case when s.in_line then nextval('charge_line') end, network = s.network,
               told_address = s.address, told_email = s.email,
               asker = row(s.session_id, s.asked_from, s.near)::payment_asker
          from chosen s
         where c.order_id = s.order_id
        returning c.*, c as charge, s.traceparent
    ), event as (
        insert into payment_events (type, id, ticket_id, order_id, purchase_id, version, user_id, status, amount, currency, attempt, final,
                                    stripe_id, reason, traceparent, session_id, address, network)
        select e.*, (c.asker).session_id, (c.asker).address, (c.asker).network
          from changed c
         cross join lateral payment_events_of(c.charge, 'PaymentStarted', c.traceparent) e
         order by e.ticket_id
    )
    select s.ordinal,
           case when s.verdict = 'replaced' then 'busy'
                when s.verdict <> 'started' or h.ordinal = s.ordinal then s.verdict
                when h.token = s.token and h.key is not distinct from s.key then 'repeated'
                else 'busy' end,
           coalesce(n.id, c.id), s.order_id,
           case when n.id is not null then n.state when k.attempt < c.attempt then 'failed' else c.state end,
           coalesce(n.attempt, k.attempt, c.attempt),
           coalesce(n.final, c.final),
           case when n.id is not null then null when k.attempt < c.attempt then k.reason else c.reason end,
           coalesce(n.amount, c.amount), coalesce(n.currency, c.currency), c.client_secret, c.next_action,
           coalesce(n.started_at, c.started_at), coalesce(n.changed_at, c.changed_at)
      from seen s
      left join chosen h on h.order_id = s.order_id
      left join changed n on n.order_id = s.order_id and s.verdict = 'started'
      left join charges c on c.order_id = s.order_id
      left join attempts k on k.user_id = s.user_id and k.key = s.key and s.verdict = 'repeated'
     order by s.ordinal;
end $$;

-- For replicas of the version before, which know no cards, and no sellers.
create or replace function start_attempts(order_ids uuid[], charge_ids uuid[], user_ids uuid[], tokens text[], keys text[],
                                          most int[], traceparents text[], paced boolean[], failed_most int[], networks bigint[],
                                          network_most int[])
returns setof charge_answer language plpgsql as $$
begin
    return query select * from start_attempts(order_ids, charge_ids, user_ids, tokens, keys, most, traceparents, paced, failed_most, networks,
                                              network_most, null, null, null, null, null);
end $$;

-- For replicas of versions before, which know no networks either.
create or replace function start_attempts(order_ids uuid[], charge_ids uuid[], user_ids uuid[], tokens text[], keys text[],
                                          most int[], traceparents text[], paced boolean[], failed_most int[])
returns setof charge_answer language plpgsql as $$
begin
    return query select * from start_attempts(order_ids, charge_ids, user_ids, tokens, keys, most, traceparents, paced, failed_most, null, null,
                                              null, null, null, null, null);
end $$;
