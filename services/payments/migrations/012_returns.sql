-- Money that has to go back, or went back by somebody else's doing; and how old an attempt's idempotency key is.

alter table charges
    add column key_at  timestamptz, -- when this attempt's idempotency key was first used: Stripe forgets it a day later
    add column sent_at timestamptz; -- when Stripe was last asked to create this attempt's PaymentIntent

-- One row a PaymentIntent that must not keep its money: the charge's own when its order has ended, or another one of the order, which
-- should not be. Also one that somebody refunds at Stripe by hand: that is only watched (not wanted).
create table returns (
    stripe_id text    primary key,
    order_id  uuid    not null,
    wanted    boolean not null default true,
    state     text    not null check (state in ('cancel', 'refund', 'pending', 'stuck', 'foreign', 'done')),
    tries     int     not null default 1, -- refunds asked for, each with an idempotency key of its own
    key_at    timestamptz,                -- when this try's key was first used
    reason    text,                       -- why the last try failed
    opened_at timestamptz not null default now(),
    ended_at  timestamptz,
    ask       text,                       -- as in charges: cancel, refund or refunds
    ask_at    timestamptz,
    asked     int     not null default 0,
    check ((ask is null) = (ask_at is null))
);
create index returns_due on returns (ask_at) where ask is not null;
create index returns_open on returns (opened_at) where state in ('refund', 'pending', 'stuck');

-- Disputes, as Stripe told of them.
create table disputes (
    id         text   primary key,
    stripe_id  text   not null, -- the PaymentIntent
    status     text   not null,
    closed     boolean not null,
    amount     bigint not null, -- as Stripe counts
    currency   text   not null,
    reason     text,
    opened_at  timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
create index disputes_open on disputes (opened_at) where not closed;
