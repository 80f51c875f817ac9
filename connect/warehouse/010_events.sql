-- The events of each topic, a row each, as they come: whatever is read again meets its own row. What a field means, its schema says
-- (schemas/avro), and so do the comments of the columns here. A field that a schema gets later becomes a column when its first event
-- comes. Times are UTC; amounts are in minor units of their currency (cents).
--
-- kafka_partition and kafka_offset lead back to the record; loaded_at is when its row was first written here.

create table if not exists user_events ( -- without the e-mail addresses: these must be erasable
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
alter table user_events add column if not exists session_version int, add column if not exists session_id uuid,
    add column if not exists deleted boolean; -- null: no, by a version of before

create table if not exists ticket_events (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    user_id         uuid        not null,
    title           text        not null,
    price           bigint      not null,
    currency        text        not null,
    status          text        not null,
    order_id        uuid,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
alter table ticket_events
    add column if not exists show_id    uuid,
    add column if not exists area_id    uuid,
    add column if not exists area_name  text,
    add column if not exists row_name   text,
    add column if not exists seat       int,
    add column if not exists rank       int,
    add column if not exists accessible boolean,
    add column if not exists date       text,
    add column if not exists venue      text,
    add column if not exists city       text;
create index if not exists ticket_events_by_show on ticket_events (show_id) where show_id is not null;

create table if not exists show_events (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    user_id         uuid        not null,
    title           text        not null,
    venue           text        not null,
    city            text        not null,
    starts_at       timestamptz not null,
    time_zone       text        not null,
    description     text,
    currency        text        not null,
    status          text        not null,
    per_user        int         not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
alter table show_events add column if not exists phases text;
alter table show_events add column if not exists organizer text;
alter table show_events add column if not exists places int;

create table if not exists order_events (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    ticket_id       uuid        not null,
    occurred_at     timestamptz not null,
    user_id         uuid        not null,
    seller_id       uuid        not null,
    status          text        not null,
    expires_at      timestamptz not null,
    price           bigint      not null,
    currency        text        not null,
    title           text        not null,
    ticket_version  int         not null,
    reason          text,
    purchase_id     uuid,
    purchase_size   int,
    show_id         uuid,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
alter table order_events add column if not exists purchase_id uuid, add column if not exists purchase_size int,
    add column if not exists show_id uuid; -- a warehouse of before

create table if not exists payment_events (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    ticket_id       uuid        not null,
    order_id        uuid        not null,
    occurred_at     timestamptz not null,
    user_id         uuid        not null,
    status          text        not null,
    amount          bigint      not null,
    currency        text        not null,
    attempt         int         not null,
    final           boolean     not null,
    stripe_id       text,
    reason          text,
    purchase_id     uuid,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
alter table payment_events add column if not exists purchase_id uuid; -- a warehouse of before
create index if not exists payment_events_by_order on payment_events (order_id);

create table if not exists audit_events ( -- without the addresses, as above: their networks are here
    id              uuid        not null primary key,
    type            text        not null,
    occurred_at     timestamptz not null,
    outcome         text        not null,
    reason          text,
    user_id         uuid,
    session_id      uuid,
    subject_id      uuid,
    network         text        not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp()
);
create index if not exists audit_events_by_user on audit_events (user_id, occurred_at);
create index if not exists audit_events_by_time on audit_events (occurred_at);

create table if not exists ticket_deeds ( -- what was done by requests; without the addresses, as above
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    user_id         uuid,
    session_id      uuid,
    network         text        not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
create index if not exists ticket_deeds_by_user on ticket_deeds (user_id, occurred_at);

create table if not exists order_deeds (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    user_id         uuid,
    session_id      uuid,
    network         text        not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
create index if not exists order_deeds_by_user on order_deeds (user_id, occurred_at);

create table if not exists payment_deeds (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    user_id         uuid,
    session_id      uuid,
    network         text        not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);
create index if not exists payment_deeds_by_user on payment_deeds (user_id, occurred_at);

create table if not exists entry_events (
    id              uuid        not null,
    version         int         not null,
    type            text        not null,
    ticket_id       uuid        not null,
    occurred_at     timestamptz not null,
    show_id         uuid,
    order_id        uuid        not null,
    seller_id       uuid        not null,
    door            text,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (id, version)
);

-- Signals have no version, and their attempts start again from 1 after a restart: the moment tells them apart.
create table if not exists expiration_events (
    order_id        uuid        not null,
    attempt         int         not null,
    occurred_at     timestamptz not null,
    type            text        not null,
    ticket_id       uuid        not null,
    expires_at      timestamptz not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (order_id, attempt, occurred_at)
);

-- Counts of streams/sales: the newest that was said of each ticket and minute.
create table if not exists ticket_sales (
    ticket_id       uuid        not null,
    minute          timestamptz not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    currency        text        not null,
    placed          int         not null,
    sold            int         not null,
    cancelled       int         not null,
    expired         int         not null,
    revenue         bigint      not null,
    total_placed    int         not null,
    total_sold      int         not null,
    total_cancelled int         not null,
    total_expired   int         not null,
    total_revenue   bigint      not null,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (ticket_id, minute)
);
alter table ticket_sales add column if not exists final boolean;

-- Counts of a second each, which add up: what people asked of shows.
create table if not exists demand_counts (
    id                     uuid        not null,
    type                   text        not null,
    show_id                uuid        not null,
    area_id                uuid,
    occurred_at            timestamptz not null,
    client                 text        not null,
    service                text        not null,
    process_id             uuid        not null,
    asked                  int         not null default 0,
    asked_places           int         not null default 0,
    placed                 int         not null default 0,
    placed_places          int         not null default 0,
    repeated               int         not null default 0,
    failed                 int         not null default 0,
    refused_sold_out       int         not null default 0,
    refused_too_few        int         not null default 0,
    refused_not_together   int         not null default 0,
    refused_taken          int         not null default 0,
    refused_price          int         not null default 0,
    refused_limit          int         not null default 0,
    refused_not_open       int         not null default 0,
    refused_over           int         not null default 0,
    refused_not_sold       int         not null default 0,
    refused_queue_required int         not null default 0,
    refused_area_required  int         not null default 0,
    refused_code_required  int         not null default 0,
    refused_code_wrong     int         not null default 0,
    refused_code_used      int         not null default 0,
    refused_other          int         not null default 0,
    gave_up_places         int         not null default 0,
    came                   int         not null default 0,
    joined                 int         not null default 0,
    admitted               int         not null default 0,
    missed                 int         not null default 0,
    kafka_partition        int         not null,
    kafka_offset           bigint      not null,
    loaded_at              timestamptz not null default clock_timestamp(),
    primary key (id)
);
alter table demand_counts add column if not exists refused_lapsed int not null default 0, add column if not exists refused_crowded int not null default 0,
    add column if not exists refused_fewer int not null default 0; -- counted as refused_other before
create index if not exists demand_counts_by_show on demand_counts (show_id, occurred_at);

-- Counts of streams/sales by area: the newest that was said of each area, minute and part, which add up.
create table if not exists area_sales (
    area_id         uuid        not null,
    minute          timestamptz not null,
    part            int         not null,
    show_id         uuid        not null,
    version         int         not null,
    type            text        not null,
    occurred_at     timestamptz not null,
    currency        text        not null,
    placed          int         not null,
    sold            int         not null,
    returned        int         not null,
    expired         int         not null,
    revenue         bigint      not null,
    final           boolean,
    kafka_partition int         not null,
    kafka_offset    bigint      not null,
    loaded_at       timestamptz not null default clock_timestamp(),
    primary key (area_id, minute, part)
);
create index if not exists area_sales_by_show on area_sales (show_id, minute);
