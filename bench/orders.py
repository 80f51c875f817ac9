#!/usr/bin/env python3
"""POST /api/orders against pgbench running the same statement for one order a transaction, while the publisher follows both.

Orders are for distinct tickets by distinct users, in an empty table; then the same in one of a million orders; then at half the
rate; then of one ticket for all, which is refused to all but one. Always on a stack of its own: orders that no database knows any more
would be signalled by expiration for ever.
"""
import os
import re
import statistics

import harness
from common import ROOT, Failed
from rounds import CONNECTIONS, ROUNDS, ROWS, SECONDS, Bench, ratio

USERS = min(10000 * SECONDS, 3 * ROWS)  # each may hold 10 tickets: enough for a turn; to sign a session takes a millisecond of a core
TICKETS = 120000 * SECONDS  # more than a turn takes
TICKET = "('01930000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
PREPARE = f"""
truncate orders, order_events, tickets;
create sequence if not exists bench_ticket cache 50;
insert into tickets select {TICKET.format("n")}, 1, '00000000-0000-7000-8000-000000000001', 'Seat ' || n, 2050, 'USD', 'available'
  from generate_series(1, {TICKETS + ROWS}) n;
"""
FILL = f"""
truncate orders, order_events;
insert into orders select gen_random_uuid(), 2, {TICKET.format(f"{TICKETS} + n")}, gen_random_uuid(), gen_random_uuid(), 'complete',
       now(), now(), 2050, 'USD', 'Seat ' || n, 1 from generate_series(1, {ROWS}) n;
insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version)
select 'OrderCompleted', id, ticket_id, 2, user_id, seller_id, 'complete', expires_at, price, currency, title, 1 from orders;
"""
# PG_PLANNING of common/pg/pg.h: the same plan for both.
PLANNING = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c random_page_cost=0.1 -c jit=off"


class Orders(Bench):
    def script(self):
        """place_order.sql with arrays of one element each."""
        values = ["gen_random_uuid()", "gen_random_uuid()", TICKET.format("nextval('bench_ticket')"), "null",
                  "'00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'", "900", "300", "10", "null", "null",
                  "null", "0", "0", "gen_random_uuid()", "'203.0.113.77'", "'203.0.113.0/24'"]
        text = re.sub(r"--[^\n]*", "", (ROOT / "services/orders/sql/place_order.sql").read_text())
        text = re.sub(r"\$(\d+)::", lambda m: f"array[{values[int(m[1]) - 1]}]::", text)
        return self.file("place.sql", text.strip() + ";\n")

    def fresh(self, rows):
        """The table with this many rows, written out, and all tickets free. An empty one is as on the first day: never analysed."""
        self.query(FILL if rows else "truncate orders, order_events")
        self.query("select setval('bench_ticket', 1)")
        if rows:
            self.query("vacuum analyze orders")
            self.query("vacuum analyze order_events")
        self.await_publisher()
        self.checkpoint()
        os.sync()  # what the topic got of all this would be written during the next turn

    def place(self, rate=0, connections=CONNECTIONS):
        run = self.wrk(1, rate, script="orders.lua", connections=connections)
        if run["refused"] > 0:
            raise Failed(f"{run['refused']} of {run['requests']} orders were refused")
        return run


def told(run):
    return f"{run['rate']:,.0f} a second, p50 {run['p50_us'] / 1000:.2f} ms, p99 {run['p99_us'] / 1000:.2f} ms"


def rounds(bench):
    """The peer and ours in turns; ours also in the full table."""
    script = bench.script()
    bench.fresh(ROWS)  # also so that there are segments of Postgres' log to be used again, as in a server that has run for a while
    bench.fresh(0)
    clients = bench.best_clients(lambda: script)
    peers, runs, full = [], [], []
    for number in range(1, ROUNDS + 1):
        bench.fresh(0)
        peers.append(bench.pgbench(script, clients))
        bench.fresh(0)
        runs.append(bench.place())
        behind = bench.await_publisher()
        bench.fresh(ROWS)
        full.append(bench.place())
        print(f"round {number}: pgbench -c {clients} {peers[-1]:,.0f}, HTTP {told(runs[-1])}; with {ROWS:,} orders {told(full[-1])};"
              f" the publisher was {behind:.1f} s behind", flush=True)
    return peers, runs, full


def measure(bench):
    print(bench.settings(), flush=True)
    with bench.alone():
        bench.query(PREPARE)
        bench.query("vacuum analyze tickets")
        peers, runs, full = rounds(bench)
        rate = statistics.median(r["rate"] for r in runs)
        times = statistics.median(ratio(r["rate"], p) for r, p in zip(runs, peers))
        kept = statistics.median(ratio(f["rate"], r["rate"]) for f, r in zip(full, runs))
        bench.fresh(0)
        half = bench.place(rate=rate / 2, connections=2 * CONNECTIONS)
        bench.fresh(0)
        hot = bench.wrk("hot", 0, script="orders.lua")
    won = hot["requests"] - hot["refused"]
    print(f"medians of {ROUNDS} rounds of {SECONDS} s: {rate:,.0f} orders a second, {times:.2f} of pgbench's (goal 2);"
          f" with {ROWS:,} orders in the table {kept:.0%} of that (goal 90%)")
    print(f"at half the rate: {told(half)} (goal: p99 of 50 ms)")
    print(f"one ticket for all: {told(hot)} (goal 20,000), {won} of {hot['requests']:,} got it")
    return times >= 2 and kept >= 0.9 and half["p99_us"] <= 50000 and hot["rate"] >= 20000 and won == 1


def main():
    with harness.stack() as stack:
        os.environ["PGOPTIONS"] = PLANNING  # of pgbench, not of the services
        return measure(Orders(stack, "orders", USERS))


if __name__ == "__main__":
    harness.run(main)
