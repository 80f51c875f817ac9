-- Purchases of several tickets, and where in a show there is room. An order of before is a purchase of one.
alter table orders
    add column purchase_size    smallint not null default 1,
    add column show_id          uuid,
    add column idempotency_hash bigint; -- of what was asked with the key; null: one ticket by its id
-- How many places of a show its buyer has, paid or not.
-- squawk-ignore require-concurrent-index-creation
create index orders_by_show on orders (user_id, show_id) where show_id is not null and status <> 'cancelled';

alter table order_events
    add column purchase_id   uuid,
    add column purchase_size int,
    add column show_id       uuid;

alter table tickets add column show_id uuid;

-- A copy of each show, kept up by its events.
create table shows (
    id       uuid primary key,
    version  int  not null,
    user_id  uuid not null, -- the seller
    status   text not null,
    per_user int  not null
);

-- The areas of shows. `places` counts the tickets that are known here; its changes are told on the topic stock.
create table areas (
    id         uuid    primary key,
    show_id    uuid    not null,
    accessible boolean not null,
    version    int     not null,
    places     int     not null,
    first_rank int     not null, -- the least and the highest of its rows
    last_rank  int     not null
) with (fillfactor = 50);

create table stock_events (
    seq         bigint generated always as identity primary key,
    type        text   not null,
    id          uuid   not null,
    show_id     uuid   not null,
    version     int    not null,
    occurred_at timestamptz not null default now(),
    places      int    not null,
    traceparent text
);

-- Where runs of k places side by side begin, 1 to 8, in a row's mask of free places.
create function run_starts(free bigint, k int) returns bigint language sql immutable parallel safe as $$
    select case k when 1 then free
                  when 2 then free & (free >> 1)
                  when 3 then free & (free >> 1) & (free >> 2)
                  when 4 then free & (free >> 1) & (free >> 2) & (free >> 3)
                  when 5 then free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4)
                  when 6 then free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5)
                  when 7 then free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5) & (free >> 6)
                  when 8 then free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5) & (free >> 6) & (free >> 7)
           end
$$;

-- How many places side by side are free; 8 for more.
create function longest_run(free bigint) returns int language sql immutable parallel safe as $$
    select case when free = 0 then 0
                when free & (free >> 1) = 0 then 1
                when free & (free >> 1) & (free >> 2) = 0 then 2
                when free & (free >> 1) & (free >> 2) & (free >> 3) = 0 then 3
                when free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) = 0 then 4
                when free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5) = 0 then 5
                when free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5) & (free >> 6) = 0 then 6
                when free & (free >> 1) & (free >> 2) & (free >> 3) & (free >> 4) & (free >> 5) & (free >> 6) & (free >> 7) = 0 then 7
                else 8 end
$$;

-- A row of seats, or 60 standing places. Its id with a place's number (0 to 59) in the last six bits is the ticket of that place.
-- `free` has a bit a place. A bit that is 0: the place is taken, or its taker's transaction is under way; whatever ends an order sets
-- it again in the same transaction. A bit that is 1 is a hint only, which may come too late or be of a ticket that was withdrawn. The index
-- orders_live has the last word. Only `open` is in an index, so almost every update stays in its page.
create table seat_rows (
    id         uuid    primary key,
    area_id    uuid    not null,
    show_id    uuid    not null,
    rank       int     not null, -- within the show: the lowest is given away first
    accessible boolean not null, -- for those who ask for it, and nobody else
    price      bigint  not null, -- in thousandths of the currency's unit
    area_name  text    not null,
    row_name   text,             -- null: standing places
    first_seat int,              -- the number of the seat at place 0
    free       bigint  not null,
    longest    int     not null, -- longest_run(free); generated, it would take ten times as long as the update
    open       boolean not null generated always as (free <> 0) stored
) with (fillfactor = 50);
create index seat_rows_open on seat_rows (show_id, accessible, rank) where open;
-- At the end of a sale most open rows have single places left, which nobody needs to walk past who wants two together.
create index seat_rows_pairs on seat_rows (show_id, accessible, rank) where longest >= 2;

-- What is asked for by POST /api/purchases: the best places, or tickets by their ids.
create type purchase_request as (
    ordinal bigint, id uuid, user_id uuid, show_id uuid, area_id uuid, quantity int, together boolean, accessible boolean,
    max_price bigint, tickets uuid[], key text, hash bigint, traceparent text, hold_seconds int, grace_seconds int, most int,
    first_rank int, last_rank int -- of the area, if one is asked for
);

-- Whatever ends an order gives its place back. It has locked the row of seats before the order (lock_purchases), as nobody may wait
-- for a row of seats who holds an order.
create function give_place_back() returns trigger language plpgsql as $$
begin
    perform set_free(row_of(new.ticket_id), 1::bigint << place_of(new.ticket_id), true);
    return null;
end
$$;
create trigger give_place_back after update of status on orders for each row
    when (new.show_id is not null and new.status = 'cancelled' and old.status <> 'cancelled') execute function give_place_back();
