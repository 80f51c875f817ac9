#!/usr/bin/env python3
"""POST /api/orders with several times more load than orders can bear: what it still does, what a refusal costs, and how soon all is as before.

Postgres is the limit here, as it is where it is far away or its disk is slow: each set of orders takes it some milliseconds in which nobody
computes. So orders and the load generator have time on the same two cores. What may wait for the database is bounded (DB_QUEUE), and more are
answered 503 at once. A burst of ten times as much is followed by half of what can be borne, second by second, until it is answered as fast as
before the burst.
"""
import os
import pathlib

import harness
from orders import TICKET, Orders, told
from rounds import SECONDS

USERS = 1000 * SECONDS  # each may hold 10 tickets; after the first turn their sessions are known
CONNECTIONS, CROWD = 128, 1024
SETTINGS = {"DB_QUEUE": "256", "DB_BATCH": "100"}
SLOW_MS = 20  # so DB_BATCH of them are some 4,000 a second
TIMES, BURST, BURST_SECONDS, RECOVERY = 5, 10, 3, 5
REFUSAL_US = 20  # of orders' CPU
TICKETS = 100_000 * SECONDS  # more than a turn asks for
PREPARE = f"""
truncate orders, order_events, tickets;
insert into tickets select {TICKET.format("n")}, 1, '00000000-0000-7000-8000-000000000001', 'Seat ' || n, 2050, 'USD', 'available'
  from generate_series(1, {TICKETS}) n;
create or replace function bench_slow() returns trigger language plpgsql as $$ begin perform pg_sleep({SLOW_MS / 1000}); return null; end $$;
create or replace trigger bench_slow before insert on orders for each statement execute function bench_slow();
"""


class Overload(Orders):
    def __init__(self, *args):
        super().__init__(*args)
        self.next = 1

    def fresh(self, rows=0):
        self.query("truncate orders, order_events")
        self.await_publisher()
        self.checkpoint()
        self.next = 1

    def cpu_us(self):
        fields = pathlib.Path(f"/proc/{self.stack.pid('orders')}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")

    def offer(self, rate, connections, seconds):
        before = self.cpu_us()
        run = self.wrk(self.next, int(rate), script="orders.lua", connections=connections, seconds=seconds)
        self.next += run["tickets"] + 2
        run["cpu_us"] = self.cpu_us() - before
        run["good"] = (run["requests"] - run["refused"]) / run["seconds"]
        return run


def measure(bench):
    print(bench.settings() + "".join(f", {name}={value}" for name, value in SETTINGS.items()) + f", {SLOW_MS} ms more for each set of orders", flush=True)
    with bench.alone():
        bench.query(PREPARE)
        bench.query("vacuum analyze tickets")
        bench.fresh()
        bench.offer(0, CONNECTIONS, SECONDS)  # the first plans, and segments of the log to be used again
        bench.fresh()
        peak = bench.offer(0, CONNECTIONS, SECONDS)
        print(f"as many as go: {told(peak)}", flush=True)
        bench.fresh()
        much = bench.offer(TIMES * peak["good"], CROWD, SECONDS)
        a_refusal = max(0.0, much["cpu_us"] - much["good"] * much["seconds"] * peak["cpu_us"] / peak["requests"]) / max(1, much["refused"])
        kept = much["good"] / peak["good"]
        print(f"{TIMES} times as much asked for: {much['rate']:,.0f} a second were answered, {much['good']:,.0f} of them with an order"
              f" ({kept:.0%} of the most, goal 90%); a refusal costs orders {a_refusal:.0f} us (goal {REFUSAL_US})", flush=True)
        seconds = recover(bench, peak["good"])
        print(f"after {BURST_SECONDS} s of {BURST} times as much: as before after {seconds} s (goal {RECOVERY})")
    return kept >= 0.9 and a_refusal <= REFUSAL_US and seconds <= RECOVERY


def recover(bench, peak):
    """How many seconds after a burst requests are answered as before it."""
    bench.fresh()
    calm = bench.offer(peak / 2, CONNECTIONS, SECONDS)
    bench.offer(BURST * peak, CROWD, BURST_SECONDS)
    for second in range(1, 4 * RECOVERY):
        run = bench.offer(peak / 2, CONNECTIONS, 1)
        print(f"half of the most, before: {told(calm)}; in second {second} after the burst: {told(run)}, {run['refused']} refused", flush=True)
        if run["refused"] == 0 and run["p50_us"] <= 2 * calm["p50_us"] and run["p99_us"] <= max(2 * calm["p99_us"], 50_000):
            return second
    return 4 * RECOVERY


def main():
    with harness.stack(**SETTINGS) as stack:
        return measure(Overload(stack, "orders", USERS))


harness.run(main)
