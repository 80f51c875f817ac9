-- The life of a charge, as a table: in this state, on this input, is it so; what is not listed changes nothing.
--
--     state      as the world sees it   meaning
--     none                              nobody has paid yet
--     started    started                Stripe was or will be asked; the answer is not known
--     action     requires_action        the buyer has to confirm with the bank
--     abandoned  requires_action        the same, but it is not wanted any more: Stripe is asked to cancel it
--     failed     failed                 no money moved; may be tried again unless final
--     succeeded  succeeded              paid
--     refunding  succeeded              paid, and the money has to go back: the order has ended
--     refunded   refunded               it went back
--
-- Inputs are what Stripe says of the PaymentIntent (succeeded, requires_action, processing, declined, canceled), that it made the
-- refund (refunded), that another card is to be tried instead (replaced), and that the order was cancelled (order_cancelled).
-- A failure never undoes a success; a success undoes everything. An attempt fails only when its PaymentIntent can never succeed: one
-- that the buyer has the secret of is cancelled first.
create table charge_rules (
    state text    not null,
    ended boolean not null, -- the order is cancelled
    input text    not null,
    next  text    not null,
    event text,             -- what is published
    ask   text,             -- what Stripe is to be asked then
    primary key (state, ended, input)
);
insert into charge_rules (state, ended, input, next, event, ask) values
    ('started',   false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('started',   true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('started',   false, 'requires_action', 'action',    'PaymentStarted',  'look'),
    ('started',   true,  'requires_action', 'abandoned', 'PaymentStarted',  'cancel'),
    ('started',   false, 'processing',      'started',   null,              'look'),
    ('started',   true,  'processing',      'started',   null,              'look'),
    ('started',   false, 'declined',        'failed',    'PaymentFailed',   null),
    ('started',   true,  'declined',        'failed',    'PaymentFailed',   null),
    ('started',   false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('started',   true,  'canceled',        'failed',    'PaymentFailed',   null),

    ('action',    false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('action',    true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('action',    false, 'declined',        'abandoned', null,              'cancel'),
    ('action',    true,  'declined',        'abandoned', null,              'cancel'),
    ('action',    false, 'replaced',        'abandoned', null,              'cancel'),
    ('action',    true,  'order_cancelled', 'abandoned', null,              'cancel'),
    ('action',    false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('action',    true,  'canceled',        'failed',    'PaymentFailed',   null),

    ('abandoned', false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('abandoned', true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),
    ('abandoned', false, 'canceled',        'failed',    'PaymentFailed',   null),
    ('abandoned', true,  'canceled',        'failed',    'PaymentFailed',   null),

    ('failed',    false, 'succeeded',       'succeeded', 'PaymentCreated',  null),
    ('failed',    true,  'succeeded',       'refunding', 'PaymentCreated',  'refund'),

    ('succeeded', true,  'order_cancelled', 'refunding', null,              'refund'),
    ('refunding', true,  'refunded',        'refunded',  'PaymentRefunded', null);

-- How the world sees a state.
create function charge_status(state text) returns text language sql immutable as $$
    select case state when 'action' then 'requires_action' when 'abandoned' then 'requires_action'
                      when 'refunding' then 'succeeded' else state end
$$;

-- How long whoever asks Stripe is left alone with it: 3 s, then twice that, and so on up to a minute; and some chance, so that what
-- began together does not stay so. Asking twice at a time is harmless (the idempotency key), only of no use.
create function ask_again_at(asked int) returns timestamptz language sql volatile as $$
    select now() + least(60, 3 * 2 ^ least(asked, 10)) * (0.75 + random() / 2) * interval '1 s'
$$;

-- What a charge looks like to its buyer, in the columns that every route answers from.
create type charge_answer as (
    ordinal bigint, verdict text, id uuid, order_id uuid, state text, attempt int, final boolean, reason text, amount bigint,
    currency text, client_secret text, next_action text, started_at timestamptz, changed_at timestamptz
);

-- Takes charges a step on, by the rules. attempt: which one the input is about (null: whichever), as an answer about an earlier
-- attempt says nothing about this one. An order may come several times: then its inputs are applied in that order. Answers the
-- charges as they are then.
create function write_charges(order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[],
                              client_secrets text[], next_actions text[], traceparents text[])
returns setof charge_answer language plpgsql as $$
declare rounds int;
begin
    perform 1 from charges c where c.order_id = any (order_ids) order by c.order_id for update;
    select max(n) into rounds from (select count(*) as n from unnest(order_ids) as i (id) group by id) t;
    for round in 1 .. coalesce(rounds, 0) loop
        with item as (
            select *, row_number() over (partition by order_id order by ordinal) as nth
              from unnest(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents) with ordinality
                as i (order_id, attempt, input, stripe_id, reason, client_secret, next_action, traceparent, ordinal)
        ), step as (
            select i.order_id, i.input, i.stripe_id, i.reason, i.client_secret, i.next_action, i.traceparent, r.next, r.event, r.ask
              from item i
              join charges c on c.order_id = i.order_id and c.attempt = coalesce(i.attempt, c.attempt)
              join charge_rules r on r.state = c.state and r.ended = (c.order_status = 'cancelled') and r.input = i.input
             where i.nth = round
        ), changed as (
            update charges c
               set state = s.next, changed_at = now(),
                   version = c.version + case when s.event is null then 0 else 1 end,
                   final = case s.next when 'failed' then c.attempt >= c.max_attempts or c.order_status = 'cancelled'
                                       else s.next = 'refunded' end,
                   stripe_id = coalesce(s.stripe_id, c.stripe_id),
                   client_secret = case s.next when 'action' then s.client_secret end,
                   next_action = case s.next when 'action' then s.next_action end,
                   reason = case when s.next in ('started', 'succeeded') then null
                                 when s.next = 'refunding' or s.input = 'order_cancelled' then 'order_ended'
                                 when s.input = 'replaced' then 'replaced'
                                 when s.input = 'canceled' then coalesce(c.reason, 'canceled')
                                 when s.input = 'declined' then s.reason
                                 else c.reason end,
                   ask = s.ask, asked = 0,
                   ask_at = case s.ask when 'look' then ask_again_at(0) else case when s.ask is not null then now() end end
              from step s
             where c.order_id = s.order_id
            returning c.*, s.event, s.traceparent
        ), failed as (
            update attempts a set reason = c.reason
              from changed c
             where c.state = 'failed' and a.order_id = c.order_id and a.attempt = c.attempt
        )
        insert into payment_events (type, id, ticket_id, order_id, version, user_id, status, amount, currency, attempt, final,
                                    stripe_id, reason, traceparent)
        select event, id, ticket_id, order_id, version, user_id, charge_status(state), amount, currency, attempt, final, stripe_id,
               case when state in ('failed', 'refunded') then reason end, traceparent
          from changed where event is not null order by ticket_id;
    end loop;
    return query
    select i.ordinal, i.input, c.id, c.order_id, c.state, c.attempt, c.final, c.reason, c.amount, c.currency, c.client_secret,
           c.next_action, c.started_at, c.changed_at
      from unnest(order_ids, inputs) with ordinality as i (order_id, input, ordinal)
      join charges c on c.order_id = i.order_id
     order by i.ordinal;
end $$;

-- Starts attempts to pay. What an item gets is its verdict, with the charge as it is then:
--     started      it is this caller's to ask Stripe now
--     repeated     this attempt was made before (the same Idempotency-Key, or the same payment method without one): here is how it
--                  stands; state is 'failed' for one that failed, whatever came after it
--     busy         another attempt is under way: ask again when it is over
--     missing      no such order, or not yet
--     forbidden    somebody else's
--     other body   the Idempotency-Key came with another order or payment method before
--     paid, ended, limit
create function write_attempts(order_ids uuid[], charge_ids uuid[], user_ids uuid[], tokens text[], keys text[], most int[],
                               traceparents text[])
returns setof charge_answer language plpgsql as $$
declare verdicts text[];
begin
    perform 1 from charges c where c.order_id = any (order_ids) order by c.order_id for update;
    select array_agg(case when c.order_id is null then 'missing'
                          when c.user_id <> r.user_id then 'forbidden'
                          when k.key is not null and (k.order_id, k.token) <> (r.order_id, r.token) then 'other body'
                          when k.key is not null then 'repeated'
                          when r.key is null and c.token = r.token and c.state not in ('failed', 'abandoned') then 'repeated'
                          when c.order_status = 'cancelled' then 'ended'
                          when c.order_status = 'complete' or c.state = 'succeeded' then 'paid'
                          when c.state = 'action' then 'replaced'
                          when c.state in ('started', 'abandoned') then 'busy'
                          when c.final then 'limit'
                          when c.expires_at <= now() then 'ended'
                          else 'started' end order by r.ordinal)
      into verdicts
      from unnest(order_ids, user_ids, tokens, keys) with ordinality as r (order_id, user_id, token, key, ordinal)
      left join charges c on c.order_id = r.order_id
      left join attempts k on k.user_id = r.user_id and k.key = r.key;

    perform write_charges(array_agg(id), array_agg(null::int), array_agg('replaced'::text), array_agg(null::text),
                          array_agg(null::text), array_agg(null::text), array_agg(null::text), array_agg(traceparent))
       from unnest(order_ids, traceparents, verdicts) as r (id, traceparent, verdict) where verdict = 'replaced' having count(*) > 0;

    return query
    with seen as (
        select * from unnest(order_ids, charge_ids, user_ids, tokens, keys, most, traceparents, verdicts) with ordinality
            as r (order_id, charge_id, user_id, token, key, allowed, traceparent, verdict, ordinal)
    ), chosen as (
        select distinct on (s.order_id) s.* from seen s where s.verdict = 'started' order by s.order_id, s.ordinal
    ), changed as (
        update charges c
           set id = coalesce(c.id, s.charge_id), version = c.version + 1, state = 'started', attempt = c.attempt + 1,
               max_attempts = s.allowed, final = false, token = s.token, stripe_id = null, reason = null,
               started_at = coalesce(c.started_at, now()), changed_at = now(), ask = 'create', ask_at = ask_again_at(0), asked = 1
          from chosen s
         where c.order_id = s.order_id
        returning c.*
    ), noted as (
        insert into attempts (user_id, key, order_id, attempt, token)
        select s.user_id, s.key, c.order_id, c.attempt, c.token
          from changed c join chosen s on s.order_id = c.order_id
         where s.key is not null
            on conflict do nothing
    ), event as (
        insert into payment_events (type, id, ticket_id, order_id, version, user_id, status, amount, currency, attempt, final,
                                    traceparent)
        select 'PaymentStarted', c.id, c.ticket_id, c.order_id, c.version, c.user_id, 'started', c.amount, c.currency, c.attempt,
               c.final, s.traceparent
          from changed c join chosen s on s.order_id = c.order_id
         order by c.ticket_id
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

-- Keeps what is known of orders up with their events; what is older changes nothing. The charge of one that was cancelled is
-- called off, or goes back.
create function write_orders(order_ids uuid[], versions int[], ticket_ids uuid[], user_ids uuid[], statuses text[], prices bigint[],
                             currencies text[], expiries timestamptz[], traceparents text[])
returns void language plpgsql as $$
declare cancelled uuid[];
begin
    with fresh as (
        insert into charges as c (order_id, order_version, ticket_id, user_id, order_status, amount, currency, expires_at)
        select order_id, version, ticket_id, user_id, status, price, currency, expires_at
          from unnest(order_ids, versions, ticket_ids, user_ids, statuses, prices, currencies, expiries)
            as e (order_id, version, ticket_id, user_id, status, price, currency, expires_at)
         order by order_id
            on conflict (order_id) do update
           set order_version = excluded.order_version, order_status = excluded.order_status, expires_at = excluded.expires_at
         where c.order_version < excluded.order_version
        returning c.order_id, c.order_status
    )
    select array_agg(order_id) into cancelled from fresh where order_status = 'cancelled';
    perform write_charges(array_agg(id), array_agg(null::int), array_agg('order_cancelled'::text), array_agg(null::text),
                          array_agg(null::text), array_agg(null::text), array_agg(null::text), array_agg(traceparent))
       from unnest(order_ids, traceparents) as e (id, traceparent) where id = any (cancelled) having count(*) > 0;
end $$;

-- Takes in events of Stripe, each once.
create function write_webhooks(ids text[], order_ids uuid[], attempts int[], inputs text[], stripe_ids text[], reasons text[],
                               client_secrets text[], next_actions text[], traceparents text[])
returns setof bigint language plpgsql as $$
begin
    with fresh as (
        insert into webhook_events (id) select distinct i from unnest(ids) as i order by i
            on conflict do nothing
        returning id
    ), item as (
        select distinct on (e.id) e.*
          from unnest(ids, order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents) with ordinality
            as e (id, order_id, attempt, input, stripe_id, reason, client_secret, next_action, traceparent, ordinal)
          join fresh f on f.id = e.id
         where e.order_id is not null
         order by e.id, e.ordinal
    )
    select array_agg(order_id order by ordinal), array_agg(attempt order by ordinal), array_agg(input order by ordinal),
           array_agg(stripe_id order by ordinal), array_agg(reason order by ordinal), array_agg(client_secret order by ordinal),
           array_agg(next_action order by ordinal), array_agg(traceparent order by ordinal)
      into order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents
      from item;
    if order_ids is not null then
        perform write_charges(order_ids, attempts, inputs, stripe_ids, reasons, client_secrets, next_actions, traceparents);
    end if;
    return query select generate_series(1, cardinality(ids))::bigint;
end $$;
