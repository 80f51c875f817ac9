-- Purchases that ended without being paid: let expire, given back, or declined for good. Kept for a day. Whoever lets many lapse waits
-- before he holds the same again, and holds fewer at a time (judge_origins.sql).
create table lapses (
    user_id     uuid not null,
    about       uuid not null, -- the show; or the ticket, if it is of none
    purchase_id uuid not null,
    ended_at    timestamptz not null default now(),
    primary key (user_id, about, purchase_id)
);
create index lapses_by_time on lapses (ended_at);

-- Forgets a few old ones, at least as many as have come; waits for nobody.
create function forget_lapses() returns trigger language plpgsql as $$
begin
    delete from lapses where ctid = any (array(
        select ctid from lapses where ended_at < now() - interval '1 day'
         order by ended_at limit 10 + 2 * (select count(*) from come) for update skip locked));
    return null;
end
$$;
create trigger forget_lapses after insert on lapses referencing new table as come for each statement execute function forget_lapses();

-- From which network an order was placed (origins.h), as long as it is held unpaid; of a purchase its first order says so.
alter table orders add column network bigint;
-- squawk-ignore require-concurrent-index-creation
create index orders_by_network on orders (network) where network is not null;

-- Where a purchase is asked for, and what is set: how long whoever lets a second one lapse waits (in seconds; 0: nobody does), and how
-- many tickets may be held from one network.
create type purchase_origin as (network bigint, lapse_wait int, network_most int);
