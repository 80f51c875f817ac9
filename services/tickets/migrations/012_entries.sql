-- Who bought a ticket, who was let in by it, and the log of that.

-- Each paid order, as the topic payments tells of it. That topic is read from its beginning, so the sales that it still knows are here, too.
create table sales (
    order_id uuid    primary key,
    buyer_id uuid    not null,
    refunded boolean not null -- the money went back: the ticket's code admits nobody any more
);

-- Each sale of a ticket admits once.
create table admissions (
    ticket_id       uuid not null,
    order_id        uuid not null, -- the sale: the serial of the code
    id              uuid not null,
    user_id         uuid not null, -- who let in
    door            text,
    admitted_at     timestamptz not null default now(),
    idempotency_key text,          -- of the request: the same one again is answered the same
    primary key (ticket_id, order_id)
);

-- The event log.
create table entry_events (
    seq         bigint generated always as identity primary key,
    type        text   not null,
    id          uuid   not null,
    ticket_id   uuid   not null,
    version     int    not null,
    occurred_at timestamptz not null default now(),
    show_id     uuid,
    order_id    uuid   not null,
    seller_id   uuid   not null,
    door        text,
    traceparent text
);
