-- What Stripe would keep: payment intents, refunds, the answers given to idempotency keys, and the events to deliver.

create table payment_intents (
    id             text   primary key collate "C", -- pi_ and a UUIDv7: newest last
    version        int    not null,
    created        timestamptz not null,
    amount         bigint not null check (amount > 0),
    currency       text   not null,
    status         text   not null check (status in ('requires_payment_method', 'requires_confirmation', 'requires_action',
                                                     'succeeded', 'canceled')),
    payment_method text,              -- pm_card_visa, tok_visa: as it was given
    charge         text,              -- of the latest attempt that reached the bank
    failure        text,              -- why the latest attempt failed (failures in cards.c)
    received       bigint not null,   -- captured
    refunded       bigint not null default 0,
    metadata       jsonb  not null,
    description    text,
    return_url     text,
    flags          int    not null,   -- enum intent_flags in objects.h
    canceled       timestamptz,
    cancel_reason  text,
    check (received = case status when 'succeeded' then amount else 0 end),
    check (refunded between 0 and received) -- never more than was captured
);

create table refunds (
    id             text   primary key collate "C",
    payment_intent text   not null references payment_intents,
    charge         text   not null,
    created        timestamptz not null,
    amount         bigint not null check (amount > 0),
    reason         text,
    metadata       jsonb  not null
);
create index refunds_by_intent on refunds (payment_intent, id);

-- The first answer to each Idempotency-Key, and to which request it was given.
create table idempotency_keys (
    key         text  primary key,
    request     text  not null,
    path        text  not null,
    fingerprint bytea not null, -- of the parameters
    status      int   not null,
    body        text  not null,
    created     timestamptz not null default now()
);
create index idempotency_keys_by_age on idempotency_keys (created);

-- The outbox of webhooks: delivered when none of the copies is left.
create table events (
    seq       bigint generated always as identity primary key,
    id        text   not null,
    type      text   not null,
    body      text   not null,
    due       timestamptz not null,
    copies    int    not null check (copies >= 0),
    tries     int    not null default 0,
    delivered timestamptz
);
create index events_due on events (due) where copies > 0;
create index events_delivered on events (delivered) where copies = 0;

-- The control routes' settings that are not as they were at first.
create table settings (
    name  text primary key,
    value text not null
);

-- What tests compare their own books with.
create view ledger as
    select id, created, amount, currency, status, payment_method, received as captured, refunded, received - refunded as kept,
           (select count(*) from refunds r where r.payment_intent = i.id) as refunds, failure, metadata
      from payment_intents i;
