#!/usr/bin/env python3
"""At the door: what an ordinary client sees through the edge, with everything running behind it.

    ./onsale bench door

Orders of single tickets, purchases of three seats together, and reads of a ticket, with 64 and with 256 connections, through the edge that
./onsale run starts; reads beside it, too. The load generator runs on the same cores. Goals: 6,500 orders, 9,000 seats and
35,000 reads a second. Then: which process takes how many microseconds of CPU an order, a seat and a read.

BENCH_SECONDS (8, of each turn) and WARM (20: Java compiles the broker while it runs) in the environment change the sizes; ONLY (orders,
seats or reads) leaves out the others.
"""
import os

import harness
from common import Failed
from cpu import cpu_seconds, print_cpu
from ground import SELLER, TICKET, list_tickets, open_show
from rounds import Bench

SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
WARM = int(os.environ.get("WARM", "20"))
ONLY = os.environ.get("ONLY", "")
CONNECTIONS = (64, 256)
QUANTITY = 3
GOALS = {"orders": 6500, "seats": 9000, "reads": 35000}
ONE = {"orders": "an order", "seats": "a seat", "reads": "a read"}
MOST = 15000  # of orders or seats a second
ROOM = MOST * (WARM + SECONDS * len(CONNECTIONS))
USERS = ROOM // 8  # each may hold 10 tickets: eight single ones, or nine in three purchases


class Door:
    def __init__(self, stack):
        self.stack, self.url, self.first = stack, stack.env["ONSALE_URL"], 1
        self.bench = Bench(stack, "orders", USERS)
        self.read_file = None

    # --- what is done: each gives the run with the rate of what counts ---

    def orders(self, connections, seconds):
        run = self.bench.wrk(self.first, 0, script="orders.lua", url=self.url, connections=connections, seconds=seconds)
        if run["refused"]:
            raise Failed(f"{run['refused']} orders were refused")
        self.first += run["tickets"]
        return run

    def seats(self, connections, seconds):
        run = self.bench.wrk(self.show, 0, QUANTITY, script="purchases.lua", url=self.url, connections=connections, seconds=seconds)
        if run["refused"]:
            raise Failed(f"{run['refused']} purchases were refused")
        return run | {"rate": QUANTITY * run["rate"]}

    def reads(self, connections, seconds, url=None):
        return self.bench.wrk(self.read_file, url=url or self.url, connections=connections, seconds=seconds)

    # --- turns ---

    def turn(self, what, connections):
        before, begin = cpu_seconds(self.stack), os.times()
        run = getattr(self, what)(connections, SECONDS)
        after, end = cpu_seconds(self.stack), os.times()
        after["wrk", ""] = end.children_user + end.children_system - begin.children_user - begin.children_system  # it has ended
        print(f"\n{told(what, connections, run)} (goal {GOALS[what]:,})", flush=True)
        if connections == CONNECTIONS[0]:
            print_cpu(before, after, run["seconds"], run["rate"] * run["seconds"], ONE[what])
        return run["rate"]

    def measure(self, what):
        getattr(self, what)(CONNECTIONS[0], WARM if what != "reads" else 2)
        rates = [self.turn(what, connections) for connections in CONNECTIONS]
        if what == "reads":
            for connections in CONNECTIONS:
                print(told("reads beside the edge", connections, self.reads(connections, SECONDS, self.stack.env["TICKETS_URL"])))
        return max(rates)

    def prepare(self, what):
        if what == "orders":
            list_tickets(self.stack, ROOM)
        elif what == "seats":
            self.show = open_show(self.stack, ROOM)
            self.bench = Bench(self.stack, "orders", USERS)  # others, who hold nothing yet
        else:
            os.sync()  # the kernel writes what orders left now, and not beside the reads
            self.stack.sql("tickets", "insert into tickets (id, version, user_id, title, price, currency, status)"
                           f" select (left({TICKET}::text, 34) || 'ff')::uuid, 1, {SELLER}, 'Seat ' || n, 2050, 'USD', 'cancelled'"
                           " from generate_series(256, 2560000, 256) n on conflict do nothing")
            some = self.stack.sql("tickets", "select id::text from tickets limit 10000")
            self.read_file = self.bench.file("requests", "".join(f"GET /api/tickets/{ticket}\n" for ticket, in some))


def told(what, connections, run):
    return (f"{what}, {connections} connections: {run['rate']:,.0f} a second, p50 {run['p50_us'] / 1000:.1f} ms,"
            f" p99 {run['p99_us'] / 1000:.1f} ms")


def main():
    with harness.stack() as stack:
        door = Door(stack)
        print(door.bench.settings(), flush=True)
        best = {}
        for what in GOALS:
            if ONLY in ("", what):
                door.prepare(what)
                best[what] = door.measure(what)
    missed = [f"{rate:,.0f} {what} of {GOALS[what]:,}" for what, rate in best.items() if rate < GOALS[what]]
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


harness.run(main)
