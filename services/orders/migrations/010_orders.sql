-- Orders, the log of what happened to them, and what is known here of tickets.

-- A copy of each ticket, kept up by its events. Every order changes its ticket twice or more, so pages leave room for it.
create table tickets (
    id       uuid   primary key,
    version  int    not null,
    user_id  uuid   not null, -- the seller
    title    text   not null,
    price    bigint not null,
    currency text   not null,
    status   text   not null
) with (fillfactor = 80);

create table orders (
    id              uuid   primary key, -- UUIDv7: newest last
    version         int    not null,
    ticket_id       uuid   not null,
    user_id         uuid   not null,    -- the buyer
    seller_id       uuid   not null,
    status          text   not null check (status in ('created', 'awaiting_payment', 'complete', 'cancelled')),
    expires_at      timestamptz not null,
    grace_ends_at   timestamptz not null, -- how long a payment under way may keep it past expires_at
    price           bigint not null,      -- this and the next three: of the ticket when the order was placed
    currency        text   not null,
    title           text   not null,
    ticket_version  int    not null,
    reason          text,
    hold_slot       smallint, -- which of the buyer's MAX_HOLDS_PER_USER places it takes up while it is live and unpaid
    idempotency_key text,
    payment_id      uuid,     -- its charge, and how far the charge's events were applied
    payment_version int,
    check ((status = 'cancelled') = (reason is not null)),
    check ((status in ('created', 'awaiting_payment')) = (hold_slot is not null))
);
-- A ticket never has two live orders.
create unique index orders_live on orders (ticket_id) where status <> 'cancelled';
-- A buyer never holds more tickets than there are slots.
create unique index orders_holds on orders (user_id, hold_slot) where hold_slot is not null;
create unique index orders_idempotency on orders (user_id, idempotency_key) where idempotency_key is not null;
create index orders_by_buyer on orders (user_id, id);

-- The event log: written by the statement that changes an order, published by logical replication, and shown as its history.
create table order_events (
    seq            bigint generated always as identity primary key,
    type           text   not null,
    id             uuid   not null,
    ticket_id      uuid   not null,
    version        int    not null,
    occurred_at    timestamptz not null default now(),
    user_id        uuid   not null,
    seller_id      uuid   not null,
    status         text   not null,
    expires_at     timestamptz not null,
    price          bigint not null,
    currency       text   not null,
    title          text   not null,
    ticket_version int    not null,
    reason         text,
    traceparent    text
);
create index order_events_by_order on order_events (id, version);
