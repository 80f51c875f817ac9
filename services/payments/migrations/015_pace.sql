-- Payments wait in line for their turn at Stripe when there is a limit (STRIPE_RATE), over all replicas.
create sequence charge_line;
alter table charges
    add column place_in_line bigint; -- of this attempt's first request to Stripe; null: it began without a limit

-- Whose turn is next, and what has not to be created but only looked at, cancelled or given back. charges_due stays for replicas of the
-- version before.
-- squawk-ignore require-concurrent-index-creation
create index charges_to_create on charges (place_in_line nulls first) where ask = 'create';
-- squawk-ignore require-concurrent-index-creation
create index charges_to_ask on charges (ask_at) where ask <> 'create';

-- How many requests may be made now, of payments and of all others; one row each, which all replicas share.
create table paces (
    lane        text   primary key check (lane in ('payments', 'others')),
    share       double precision not null default 1, -- of the lane's limit: less after Stripe said 429
    turns       double precision not null default 0, -- requests that may be made, by counted_at
    counted_at  timestamptz not null default now(),
    slowed_at   timestamptz not null default '-infinity',
    not_before  timestamptz not null default '-infinity', -- Stripe asked for that
    a_second    double precision not null default 1, -- as it was when it was last counted, for estimates
    served      bigint not null default 0            -- the highest place in line whose turn has come
) with (fillfactor = 20);
insert into paces (lane) values ('payments'), ('others');

-- What Stripe is to be asked about a charge: functions/ask_charges.sql.
create type stripe_question as (
    order_id    uuid,
    id          uuid,
    attempt     int,
    ask         text,
    token       text,
    amount      bigint,
    currency    text,
    stripe_id   text,
    tries       int,
    sent_ago_ms bigint
);
