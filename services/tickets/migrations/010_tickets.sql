-- Tickets, and the log of what happened to them.
create extension if not exists pg_trgm;

create table tickets (
    id               uuid   primary key, -- UUIDv7: newest last
    version          int    not null,
    user_id          uuid   not null,    -- the seller
    title            text   not null,
    price            bigint not null check (price > 0), -- minor units
    currency         text   not null,
    status           text   not null check (status in ('available', 'reserved', 'sold', 'cancelled')),
    order_id         uuid,               -- who holds it, or bought it
    idempotency_key  text,
    idempotency_hash bigint,             -- of the body that came with the key
    check ((status in ('reserved', 'sold')) = (order_id is not null))
);
create unique index tickets_idempotency on tickets (user_id, idempotency_key) where idempotency_key is not null;
create index tickets_by_seller on tickets (user_id, id);
create index tickets_on_sale on tickets (id) where status = 'available';
create index tickets_by_title on tickets using gin (title gin_trgm_ops) where status = 'available';

-- How far each order's events were applied here: what makes replaying the orders topic change nothing.
create table seen_orders (
    order_id uuid primary key,
    version  int  not null
);

-- The event log: written by the statement that changes a ticket, published by logical replication.
create table ticket_events (
    seq         bigint generated always as identity primary key,
    type        text   not null,
    id          uuid   not null,
    version     int    not null,
    occurred_at timestamptz not null default now(),
    user_id     uuid   not null,
    title       text   not null,
    price       bigint not null,
    currency    text   not null,
    status      text   not null,
    order_id    uuid,
    traceparent text
);
