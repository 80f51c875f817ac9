-- Orders as their events tell of them, the charge of each, and the log of what happened to charges.

-- One row an order, its charge beside it (id is null until somebody pays). What orders says and what Stripe says so meet under one
-- lock: neither can miss the other. Every payment changes it a few times, so pages leave room for that.
create table charges (
    order_id      uuid   primary key,
    order_version int    not null,
    order_status  text   not null,
    ticket_id     uuid   not null,
    user_id       uuid   not null, -- the buyer
    amount        bigint not null, -- in minor units
    currency      text   not null,
    expires_at    timestamptz not null,

    id            uuid,            -- the charge; UUIDv7
    version       int    not null default 0,
    state         text   not null default 'none',
    attempt       int    not null default 0,
    max_attempts  int    not null default 0,
    final         boolean not null default false,
    token         text,            -- the payment method of this attempt
    stripe_id     text,            -- the PaymentIntent of this attempt
    client_secret text,            -- this and the next: while the buyer has to confirm
    next_action   text,
    reason        text,
    started_at    timestamptz,     -- the first attempt, and the last change
    changed_at    timestamptz,

    ask           text,            -- what Stripe is to be asked: create, look, cancel or refund
    ask_at        timestamptz,     -- not before; whoever asks moves it ahead, so that others leave it to him for that long
    asked         int    not null default 0, -- times, since the state last changed
    check ((state = 'none') = (id is null)),
    check ((ask is null) = (ask_at is null))
) with (fillfactor = 70);
create unique index charges_by_id on charges (id) where id is not null;
create index charges_by_buyer on charges (user_id, id) where id is not null;
create index charges_due on charges (ask_at) where ask is not null;

-- Which attempt came with which Idempotency-Key, and why it failed: a repetition gets the same answer, also when a later attempt
-- has begun.
create table attempts (
    user_id  uuid not null,
    key      text not null,
    order_id uuid not null,
    attempt  int  not null,
    token    text not null,
    reason   text,
    primary key (user_id, key)
);
create index attempts_by_order on attempts (order_id, attempt);

-- Events of Stripe that were taken in; they may come more than once.
create table webhook_events (
    id text        primary key,
    at timestamptz not null default now()
);
create index webhook_events_by_age on webhook_events (at);

-- The event log: written by the statement that changes a charge, published by logical replication.
create table payment_events (
    seq         bigint generated always as identity primary key,
    type        text   not null,
    id          uuid   not null,
    ticket_id   uuid   not null,
    order_id    uuid   not null,
    version     int    not null,
    occurred_at timestamptz not null default now(),
    user_id     uuid   not null,
    status      text   not null,
    amount      bigint not null,
    currency    text   not null,
    attempt     int    not null,
    final       boolean not null,
    stripe_id   text,
    reason      text,
    traceparent text
);
