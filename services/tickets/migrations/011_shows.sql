-- Shows, their areas, and the places of these, which are tickets.

-- The time zones that a show can have. Reading pg_timezone_names takes a tenth of a second, so it is read once.
create table time_zones (name text primary key);
insert into time_zones
select name from pg_timezone_names where (name like '%/%' and name !~ '^(posix|right)/') or name = 'UTC';

create table shows (
    id               uuid   primary key, -- UUIDv7
    version          int    not null,
    user_id          uuid   not null,    -- the seller
    title            text   not null,
    venue            text   not null,
    city             text   not null,
    starts_at        timestamptz not null,
    time_zone        text   not null,
    description      text,
    currency         text   not null,
    decimals         int    not null,    -- of the currency's minor unit
    per_user         int    not null,    -- most places a person
    status           text   not null check (status in ('draft', 'announced', 'cancelled')),
    area_count       int    not null default 0, -- how many areas it has had; the next one's rank
    place_count      int    not null default 0, -- in all of them, made or not
    idempotency_key  text,
    idempotency_hash bigint              -- of the body that came with the key
);
create unique index shows_idempotency on shows (user_id, idempotency_key) where idempotency_key is not null;
create index shows_by_date on shows (starts_at, id) where status = 'announced';

-- An area is made block by block: a block is a row of seats, or 60 standing places (fewer at the end). Place p of block b is the ticket
-- place_id(area, b * 64 + p). An area of an ended show is unmade likewise: its tickets are withdrawn.
create table areas (
    id               uuid   primary key, -- the last 24 bits are 0
    show_id          uuid   not null,
    user_id          uuid   not null,
    name             text   not null,
    price            bigint not null check (price > 0), -- minor units
    seated           boolean not null,
    accessible       boolean not null,
    rank             int    not null,
    blocks           int    not null,
    places           int    not null,
    blocks_made      int    not null default 0,
    made             int    not null default 0, -- places of these
    known            int    not null default 0, -- places that orders knows of
    ended            boolean not null default false,
    blocks_withdrawn int    not null default 0,
    traceparent      text,               -- of the request, for the events of its tickets
    idempotency_key  text,
    idempotency_hash bigint
);
create unique index areas_idempotency on areas (user_id, idempotency_key) where idempotency_key is not null;
create index areas_by_show on areas (show_id, id);
create index areas_to_make on areas (id) where blocks_made < blocks and not ended;
create index areas_to_withdraw on areas (id) where blocks_withdrawn < blocks_made and ended;

-- The rows of seats that an area is to have; standing areas need none.
create table area_rows (
    area_id    uuid not null,
    block      int  not null,
    name       text not null,
    first_seat int  not null,
    places     int  not null,
    primary key (area_id, block)
);

-- The blocks that are made, with a bit for each place: 1 is available. Bit 0 is the first place. What orders does changes them all the
-- time, so pages leave room for it.
create table seat_rows (
    id         uuid   primary key, -- of its first ticket: the last 6 bits are 0
    area_id    uuid   not null,
    name       text,               -- this and the next one: null for standing places
    first_seat int,
    places     int    not null,
    free       bigint not null
) with (fillfactor = 80);
create index seat_rows_by_area on seat_rows (area_id, id);

-- The event log of shows.
create table show_events (
    seq         bigint generated always as identity primary key,
    type        text   not null,
    id          uuid   not null,
    version     int    not null,
    occurred_at timestamptz not null default now(),
    user_id     uuid   not null,
    title       text   not null,
    venue       text   not null,
    city        text   not null,
    starts_at   timestamptz not null,
    time_zone   text   not null,
    description text,
    currency    text   not null,
    status      text   not null,
    per_user    int    not null,
    traceparent text
);

-- Which place a ticket is, if it is one.
alter table tickets
    add column show_id    uuid,
    add column area_id    uuid,
    add column area_name  text,
    add column row_name   text,
    add column seat       int,
    add column rank       int,
    add column accessible boolean;
alter table ticket_events
    add column show_id    uuid,
    add column area_id    uuid,
    add column area_name  text,
    add column row_name   text,
    add column seat       int,
    add column rank       int,
    add column accessible boolean;

-- The lists of tickets have no places in them, and neither have their indexes: those of a million titles would take longer than the
-- tickets. A replica of the version before finds its lists by the primary key meanwhile.
-- Writers wait for it: some seconds for each million tickets, once.
-- squawk-ignore require-concurrent-index-deletion
drop index tickets_by_seller, tickets_on_sale, tickets_by_title;
-- squawk-ignore require-concurrent-index-creation
create index tickets_by_seller on tickets (user_id, id) where show_id is null;
-- squawk-ignore require-concurrent-index-creation
create index tickets_on_sale on tickets (id) where status = 'available' and show_id is null;
-- squawk-ignore require-concurrent-index-creation
create index tickets_by_title on tickets using gin (title gin_trgm_ops) where status = 'available' and show_id is null;
