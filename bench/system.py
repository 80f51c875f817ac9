#!/usr/bin/env python3
"""The whole system under an on-sale: how many orders a second it settles, and how soon a ticket shows as reserved.

    ./onsale bench system

Starts a stack of its own and places orders over HTTP, by distinct users for distinct tickets, while everything runs that follows
an order. An order is settled when its ticket is reserved in the database of tickets, its timer is set in expiration, and its
event has come back to orders' copy of the ticket. Fails when fewer than 6,000 a second are settled over a minute, when that lags
behind (one second at the end of it, or three times what it was), or when from 201 to reserved takes more than 10 ms (p50) or
50 ms (p99) at 1,000 orders a second. Afterwards each order is compared with its ticket.

Then the same of a show, through purchases of three seats together: 10,000 seats a second for half a minute, with 180 us of CPU each.

RATE and SEAT_RATE (what is offered a second), ONLY (single_orders or seats), BENCH_SECONDS and WARM (seconds before they count: Java compiles
the broker while it runs) in the environment change the sizes.
"""
import bisect
import os
import pathlib
import statistics
import threading
import time

import psycopg

import harness
import support
from common import say
from cpu import cpu_seconds, print_cpu
from ground import list_tickets, open_show
from rounds import Bench

RATE = int(os.environ.get("RATE", "6200"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))
WARM = int(os.environ.get("WARM", "40"))
GOAL = 6000
CALM_RATE, CALM_SECONDS, CALM_WARM = 1000, 30, 10
USERS = RATE * (WARM + SECONDS + 10) // 9 + CALM_RATE * (CALM_WARM + CALM_SECONDS) // 9  # each may hold 10 tickets
SEAT_RATE = int(os.environ.get("SEAT_RATE", "10200"))
SEAT_SECONDS, SEAT_WARM = min(30, SECONDS), min(10, WARM)
SEAT_USERS = SEAT_RATE * (SEAT_WARM + SEAT_SECONDS + 10) // 9
SEAT_GOAL, SEAT_CPU, QUANTITY = 10000, 180, 3
ONLY = os.environ.get("ONLY", "")
CONNECTIONS = 128
LOOK_S = 0.002  # between looks for tickets that became reserved; what is measured is late by up to as much
TIMERS = "onsale_expiration_timers"


# --- the load ---

class Load:
    """wrk, on a thread of its own: run() starts it and gives what it says."""

    def __init__(self, run):
        self.result = None
        self.thread = threading.Thread(target=lambda: setattr(self, "result", run()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        assert self.result, "wrk failed"
        assert self.result["refused"] == 0, f"{self.result['refused']} were refused"


def orders(bench, first, rate, seconds, *answers):
    """Orders for the tickets from `first` on."""
    return Load(lambda: bench.wrk(first, rate, *answers, script="orders.lua", connections=CONNECTIONS, seconds=seconds))


def purchases(bench, show, rate, seconds):
    """Purchases of QUANTITY seats of a show."""
    return Load(lambda: bench.wrk(show, rate, QUANTITY, script="purchases.lua", connections=CONNECTIONS, seconds=seconds))


# --- how far everything is, without looking at more than a row ---

class Progress:
    """Counts of orders at each stage, as samples in time, from those of the beginning on; kept by sequences, so that looking costs next to
    nothing."""

    def __init__(self, stack):
        self.stack = stack
        self.orders = psycopg.connect(stack.env["ORDERS_OWNER_DATABASE_URL"], autocommit=True)
        self.tickets = psycopg.connect(stack.env["TICKETS_OWNER_DATABASE_URL"], autocommit=True)
        self.samples, self.base = [], {}
        self.base = self.look()
        self.samples = []

    def look(self):
        ask = lambda db, text: db.execute(text).fetchone()[0]  # noqa: E731
        last = "select coalesce(pg_sequence_last_value(pg_get_serial_sequence('{}', 'seq')::regclass), 0)"
        came_back = "select coalesce(sum(next_offset), 0)::int8 from consumer_offsets where topic = 'tickets'"
        # The last stage first: no stage can seem to be ahead of the one before it.
        sample = {"came back": ask(self.orders, came_back), "timers": int(self.stack.metric("expiration", TIMERS)),
                  "reserved": ask(self.tickets, last.format("ticket_events")), "placed": ask(self.orders, last.format("order_events")),
                  "at": time.monotonic()}
        sample |= {stage: count - self.base.get(stage, 0) for stage, count in sample.items() if stage != "at"}
        self.samples.append(sample)
        return sample

    def follow(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.5)
        return self.look()

    def all_settled(self):
        s = self.look()
        return s["placed"] == s["reserved"] == s["timers"] == s["came back"]

    def lag(self, sample, stage):
        """Seconds since as many orders were placed as are at this stage now."""
        placed = [s["placed"] for s in self.samples]
        i = bisect.bisect_left(placed, sample[stage])
        if i == 0 or i == len(placed):
            return 0.0
        a, b = self.samples[i - 1], self.samples[i]
        part = (sample[stage] - a["placed"]) / max(1, b["placed"] - a["placed"])
        return max(0.0, sample["at"] - (a["at"] + part * (b["at"] - a["at"])))


STAGES = ("reserved", "timers", "came back")


def settled(sample):
    return min(sample[stage] for stage in STAGES)


# --- how much goes at a time ---

TRANSACTIONS = {("orders", "requests"): "db_{}_total", ("tickets", "reactions"): "consumer_{}_total",
                ("orders", "reactions"): "consumer_{}_total", ("payments", "reactions"): "consumer_{}_total"}


def transactions(stack):
    """(transactions, what they carried) so far, by (service, what for)."""
    ask = lambda service, name: stack.metric(service, "onsale_" + name)  # noqa: E731
    return {key: (ask(key[0], form.format("batches")), ask(key[0], form.format("items" if key[1] == "requests" else "records")))
            for key, form in TRANSACTIONS.items()}


def print_transactions(before, after, seconds):
    print("\nTransactions")
    for key, (batches, items) in after.items():
        batches, items = batches - before[key][0], items - before[key][1]
        print(f"  {' '.join(key):49} {batches / seconds:6,.0f} a second, of {items / max(1, batches):.1f}")


# --- what is measured ---

def sustained(stack, progress, load, warm, seconds, goal, what):
    """Settled a second, whether the backlog was flat, and the microseconds of CPU of each."""
    with load:
        progress.follow(warm)
        carried, cpu, begin = transactions(stack), cpu_seconds(stack), progress.look()
        end = progress.follow(seconds)
        cpu_end, carried_end = cpu_seconds(stack), transactions(stack)
    support.wait_until(progress.all_settled, "all is settled", 120, pause=0.1)
    seconds = end["at"] - begin["at"]
    rate = (settled(end) - settled(begin)) / seconds
    during = [s for s in progress.samples if begin["at"] <= s["at"] <= end["at"]]
    lags = {stage: [progress.lag(s, stage) for s in during] for stage in STAGES}
    print(f"\nplaced   {(end['placed'] - begin['placed']) / seconds:8,.0f} {what}s a second, p50 {load.result['p50_us'] / 1000:.1f} ms,"
          f" p99 {load.result['p99_us'] / 1000:.1f} ms (the warming up too)")
    print(f"settled  {rate:8,.0f} a second over {seconds:.0f} s (goal {goal:,})")
    for stage, all_lags in lags.items():
        third = len(all_lags) // 3
        print(f"  {stage:10} behind by: median {statistics.median(all_lags[:third]):.2f} s in the first third,"
              f" {statistics.median(all_lags[-third:]):.2f} s in the last; most {max(all_lags):.2f} s")
    spent = print_cpu(cpu, cpu_end, seconds, end["placed"] - begin["placed"], f"each {what}")
    print_transactions(carried, carried_end, seconds)
    thirds = [(statistics.median(ls[:len(ls) // 3]), statistics.median(ls[-(len(ls) // 3):])) for ls in lags.values()]
    flat = all(last < 1 and last < 3 * max(first, 0.1) for first, last in thirds)
    return rate, flat, spent


def watch_reserved(stack, stop, seen):
    """When each ticket was first seen as reserved: by reading what the table has new, in the order it was committed."""
    with psycopg.connect(stack.env["TICKETS_OWNER_DATABASE_URL"], autocommit=True) as db:
        last = db.execute("select coalesce(max(seq), 0) from ticket_events").fetchone()[0]
        while not stop.is_set():
            rows = db.execute("select seq, id from ticket_events where seq > %s order by seq", (last,)).fetchall()
            at = time.time()
            for last, ticket in rows:  # noqa: B007 -- the next look begins after the last
                seen[str(ticket)] = at
            time.sleep(LOOK_S)


def calm(stack, bench, progress, first):
    say(f"{CALM_RATE:,} orders a second for {CALM_SECONDS} s")
    stop, seen = threading.Event(), {}
    watcher = threading.Thread(target=watch_reserved, args=(stack, stop, seen))
    answers = bench.file("answers", "")
    watcher.start()
    begin = time.time()
    try:
        with orders(bench, first, CALM_RATE, CALM_WARM + CALM_SECONDS, answers) as load:
            carried = transactions(stack)
        print_transactions(carried, transactions(stack), CALM_WARM + CALM_SECONDS)
        support.wait_until(progress.all_settled, "all is settled", 60, pause=0.1)
    finally:
        stop.set()
        watcher.join()
    late = []
    for number in range(2):
        for line in pathlib.Path(f"{answers}{number}").read_text().splitlines():
            ticket, us = line.split()
            if int(us) / 1e6 >= begin + CALM_WARM:
                late.append(max(0.0, seen[ticket] * 1000 - int(us) / 1000))
    p50, p99 = harness.percentile(late, 0.5), harness.percentile(late, 0.99)
    print(f"\n201 to reserved at {load.result['rate']:,.0f} orders a second: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(late):.0f} ms,"
          f" of {len(late):,} (goal 10 and 50 ms; looked every {LOOK_S * 1000:.0f} ms)"
          f"\nthe order itself: p50 {load.result['p50_us'] / 1000:.1f} ms, p99 {load.result['p99_us'] / 1000:.1f} ms")
    return p50 <= 10 and p99 <= 50


def compare(stack):
    """Every order holds its ticket, and no ticket is held otherwise."""
    held = dict(stack.sql("tickets", "select id, order_id from tickets where status = 'reserved'"))
    placed = stack.sql("orders", "select ticket_id, id from orders where status = 'created'")
    assert held == dict(placed) and len(held) == len(placed), "orders and tickets disagree"
    print(f"{len(placed):,} orders and their tickets agree")


def single_orders(stack):
    """What was missed."""
    bench = Bench(stack, "orders", USERS)
    print(bench.settings(), flush=True)
    many = RATE * (WARM + SECONDS + 10)
    list_tickets(stack, many + CALM_RATE * (CALM_WARM + CALM_SECONDS + 10))
    progress = Progress(stack)
    say(f"{RATE:,} orders a second for {WARM} s and {SECONDS} s")
    rate, flat, _ = sustained(stack, progress, orders(bench, 1, RATE, WARM + SECONDS + 6), WARM, SECONDS, GOAL, "order")
    soon = calm(stack, bench, progress, many)
    compare(stack)
    return [text for text, bad in [(f"fewer than {GOAL:,} orders a second settled", rate < GOAL), ("the backlog is not flat", not flat),
                                   ("reserved too late", not soon)] if bad]


def seats(stack):
    """What was missed."""
    say(f"making a show of {SEAT_RATE * (SEAT_WARM + SEAT_SECONDS + 10):,} seats")
    show = open_show(stack, SEAT_RATE * (SEAT_WARM + SEAT_SECONDS + 10))
    bench, progress = Bench(stack, "orders", SEAT_USERS), Progress(stack)
    say(f"{SEAT_RATE:,} seats a second by {QUANTITY} for {SEAT_WARM} s and {SEAT_SECONDS} s")
    load = purchases(bench, show, SEAT_RATE / QUANTITY, SEAT_WARM + SEAT_SECONDS + 6)
    rate, flat, spent = sustained(stack, progress, load, SEAT_WARM, SEAT_SECONDS, SEAT_GOAL, "seat")
    return [text for text, bad in [(f"fewer than {SEAT_GOAL:,} seats a second settled", rate < SEAT_GOAL),
                                   ("the backlog of seats is not flat", not flat),
                                   (f"more than {SEAT_CPU} us of CPU a seat", spent > SEAT_CPU)] if bad]


def main():
    missed = []
    with harness.stack() as stack:
        for part in (single_orders, seats):
            if ONLY in ("", part.__name__):
                missed += part(stack)
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


harness.run(main)
