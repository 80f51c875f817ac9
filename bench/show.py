#!/usr/bin/env python3
"""A show of a million places, from one small request: how long until all are made, on the topic, known to orders, and for sale. What each
process keeps in memory then. And how often a second the seats of an area of 60,000 can be read, beside the edge.

The peer, in the same run and the same Postgres: as many rows by one `insert … select` into a table with the same columns and indexes, and
into an outbox; nothing publishes them, and nobody learns of them.

PLACES (1,000,000) and BENCH_SECONDS (5, of reading) in the environment change the sizes.
"""
import os
import time

import harness
from ground import ROWS_AN_AREA
from rounds import CONNECTIONS, SECONDS, Bench
from shows import announce, add_area, area_of, make_show
from support import resident_kib, wait_until

PLACES = int(os.environ.get("PLACES", "1000000"))
GOAL_SECONDS, GOAL_READS = 60, 20000
PEER = f"""
create table peer_tickets (like tickets including all);
create table peer_outbox (seq bigint generated always as identity primary key, type text not null, body jsonb not null, created_at timestamptz default now());
with place as (
    insert into peer_tickets (id, version, user_id, title, price, currency, status, show_id, area_id, area_name, rank, accessible)
    select gen_random_uuid(), 1, user_id, title, price, currency, status, show_id, area_id, area_name, n, false
      from (select * from tickets where show_id is not null limit 1) t cross join generate_series(1, {PLACES}) n
    returning *
)
insert into peer_outbox (type, body) select 'TicketCreated', to_jsonb(place) from place;
drop table peer_tickets, peer_outbox;
"""


def make(stack, seller):
    """The show, and the seconds from the request until each of these was reached."""
    show = make_show(seller, perUser=1000)
    before = sum(stack.topic("tickets").ends().values())
    begin = time.monotonic()
    area = add_area(seller, show, name="Field", places=PLACES)
    reached = {}

    def look():
        now = area_of(seller, show, area)
        there = {"made": now["made"], "on the topic": sum(stack.topic("tickets").ends().values()) - before, "known to orders": now["known"]}
        for name, count in there.items():
            if count >= PLACES:
                reached.setdefault(name, time.monotonic() - begin)
        return len(reached) == len(there)
    wait_until(look, "all is known", 900, pause=0.2)
    announce(seller, show)
    buyer = stack.user()
    answer = buyer.post("/api/purchases", json={"showId": show["id"], "quantity": 3})
    assert answer.status_code == 201, answer.text
    reached["sold the first three"] = time.monotonic() - begin
    return reached


def memory(stack):
    mib = {name: resident_kib(process["pid"]) / 1024 for name, process in stack.status().items() if process["pid"]}
    return ", ".join(f"{name} {size:.0f}" for name, size in sorted(mib.items(), key=lambda item: -item[1]))


def reads(stack, seller):
    """GETs a second of a map of seats, with few and many connections."""
    show = make_show(seller, perUser=1000)
    area = add_area(seller, show, name="Stalls", rows=[{"name": str(n), "from": 1, "to": 60} for n in range(1, ROWS_AN_AREA + 1)])
    wait_until(lambda: area_of(seller, show, area)["known"] == area["places"], "orders knows the area", 120, pause=0.2)
    announce(seller, show)
    bench = Bench(stack, "tickets")
    requests = bench.file("requests", f"GET /api/shows/{show['id']}/areas/{area['id']}/seats\n")
    return {connections: bench.wrk(requests, connections=connections, seconds=SECONDS) for connections in (CONNECTIONS, 4 * CONNECTIONS)}


def main():
    with harness.stack() as stack:
        seller = stack.user()
        reached = make(stack, seller)
        print(f"{PLACES:,} places from one request: " + ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in reached.items())
              + f" (goal {GOAL_SECONDS} s)", flush=True)
        print(f"memory, MiB: {memory(stack)}", flush=True)
        begin = time.monotonic()
        Bench(stack, "tickets").query(PEER)
        peer = time.monotonic() - begin
        last = max(reached.values())
        print(f"the peer's insert: {peer:.1f} s; ours, made {reached['made'] / peer:.2f} ×, for sale {last / peer:.2f} ×", flush=True)
        runs = reads(stack, seller)
        for connections, run in runs.items():
            print(f"seats of an area of {60 * ROWS_AN_AREA:,}, {connections} connections: {run['rate']:,.0f} a second,"
                  f" p50 {run['p50_us'] / 1000:.2f} ms, p99 {run['p99_us'] / 1000:.2f} ms (goal {GOAL_READS:,})")
    return last <= GOAL_SECONDS and max(run["rate"] for run in runs.values()) >= GOAL_READS


harness.run(main)
