#!/usr/bin/env python3
"""POST /api/payments with Stripe's stand-in answering after 50 ms, and the whole purchase: order, pay, complete, sold.

The first at 1,000 a second, where what counts is our own part of each (all but Stripe's), once the first seconds are over in which
all connect, the statements' plans are made and Java compiles the broker; and then as many as go. The second with everything running, from the first order to
the last ticket sold. Always on a stack of its own, whose tickets, orders and payments it makes and forgets. WARM (15) in the environment
says for how many seconds the first are left out.
"""
import base64
import json
import os
import re
import subprocess
import threading
import time
import urllib.request

import psycopg

import harness
from common import ROOT, Failed
from rounds import SECONDS, Bench
from support import wait_until

RATE, LATENCY_MS, USERS, ORDERS, PURCHASES = 1000, 50, 2000, 150000, 60000
WARM = int(os.environ.get("WARM", "15"))
ORDER = "01930000-0000-7000-9000-{:012x}"
TICKET = "01930000-0000-7001-8000-{:012x}"
NOBODY = "00000000-0000-7000-8000-000000000001"


def percentile(before, after, share):
    """Of a histogram between two scrapes, in ms: as Prometheus' histogram_quantile has it, evenly spread within a bucket. In
    the tail, which thins out, that is rather too much."""
    counts = sorted((bound, after[bound] - before.get(bound, 0)) for bound in after)
    wanted, low, below = share * counts[-1][1], 0, 0
    for bound, count in counts:
        if count >= wanted:
            return 1000 * (low + (bound - low) * (wanted - below) / (count - below))
        low, below = bound, count


class Payments(Bench):
    def __init__(self, stack):
        super().__init__(stack, "payments", USERS)
        self.users = [self.subject(token) for token in self.tokens.read_text().split()]

    @staticmethod
    def subject(token):
        claims = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]

    def sandbox(self, **settings):
        request = urllib.request.Request(self.env["STRIPE_SANDBOX_URL"] + "/sandbox/settings", json.dumps(settings).encode())
        urllib.request.urlopen(request, timeout=10).close()

    def forget(self, service, *tables):
        with psycopg.connect(self.env[f"{service}_OWNER_DATABASE_URL"], autocommit=True) as connection:
            while True:
                try:
                    connection.execute(f"truncate {', '.join(tables)}")
                    return
                except psycopg.errors.DeadlockDetected:
                    pass  # a statement of the service's took them in another order

    def fill(self, service, table, columns, rows):
        with psycopg.connect(self.env[f"{service}_OWNER_DATABASE_URL"], autocommit=True) as connection:
            with connection.cursor().copy(f"copy {table} ({columns}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(f"vacuum analyze {table}")

    def histogram(self, name):
        text = urllib.request.urlopen(self.env["PAYMENTS_ADMIN_URL"] + "/metrics", timeout=10).read().decode()
        return {float(bound.replace("+Inf", "inf")): float(count)
                for bound, count in re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', text, re.M)}

    # --- payments ---

    def pay(self, rate, connections):
        self.forget("STRIPE_SANDBOX", "payment_intents", "refunds", "events")
        self.forget("PAYMENTS", "charges", "attempts", "webhook_events", "payment_events")
        self.fill("PAYMENTS", "charges", "order_id, order_version, order_status, ticket_id, user_id, amount, currency, expires_at",
                  ((ORDER.format(n), 1, "created", TICKET.format(n), self.users[n % USERS], 2050, "USD", "infinity") for n in range(ORDERS)))
        self.checkpoint()
        own = []
        warm = threading.Timer(WARM, lambda: own.append(self.histogram("onsale_payments_own_duration_seconds")))
        warm.start()
        run = self.wrk(rate, script="payments.lua", connections=connections, seconds=WARM + 3 * SECONDS)
        warm.join()
        own.append(self.histogram("onsale_payments_own_duration_seconds"))
        if run["refused"]:
            raise Failed(f"{run['refused']} of {run['requests']} payments were refused")
        run["own_p99_ms"] = percentile(*own, 0.99)
        print(f"{'at a rate' if rate else 'as many as go'}, {connections} connections: {run['rate']:,.0f} payments a second,"
              f" p50 {run['p50_us'] / 1000:.0f} ms, p99 {run['p99_us'] / 1000:.0f} ms"
              f" (Stripe: {LATENCY_MS} ms); our own part: p99 {run['own_p99_ms']:.0f} ms", flush=True)
        return run

    # --- purchases ---

    def count(self, service, query):
        with psycopg.connect(self.env[f"{service}_OWNER_DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query).fetchone()[0]

    def purchase(self, connections):
        self.forget("ORDERS", "orders", "order_events", "tickets")
        self.forget("TICKETS", "tickets", "ticket_events", "seen_orders")
        tickets = [(TICKET.format(n), 1, NOBODY, f"Seat {n}", 2050, "USD", "available") for n in range(PURCHASES)]
        for service in ("ORDERS", "TICKETS"):
            self.fill(service, "tickets", "id, version, user_id, title, price, currency, status", tickets)
        begin = time.monotonic()
        done = subprocess.run(["wrk", "-t", "2", "-c", str(connections), "-d", f"{SECONDS}s", "-s", ROOT / "bench/purchase.lua",
                               self.env["ONSALE_URL"], "--", self.tokens], capture_output=True, text=True)
        run = json.loads(done.stdout.splitlines()[-1])
        paid = self.count("PAYMENTS", "select count(*) from charges where state = 'succeeded'")
        while self.count("TICKETS", "select count(*) from tickets where status = 'sold'") < paid:
            if time.monotonic() > begin + SECONDS + 120:
                raise Failed("tickets that were paid for are not sold")
            time.sleep(0.02)
            paid = self.count("PAYMENTS", "select count(*) from charges where state = 'succeeded'")
        seconds = time.monotonic() - begin
        print(f"{connections} connections, through the edge: {paid:,} purchases, the last ticket sold {seconds - run['seconds']:.1f} s after the"
              f" last request: {paid / seconds:,.0f} a second; {run['other']} other answers", flush=True)
        return paid / seconds


def main():
    with harness.stack() as stack:
        bench = Payments(stack)
        print(bench.settings(), flush=True)
        bench.sandbox(latency_ms=LATENCY_MS)
        with bench.alone("stripe_sandbox"):
            calm, most = bench.pay(RATE, 256), bench.pay(0, 256)
        bench.await_publisher()
        bench.forget("PAYMENTS", "charges", "attempts", "webhook_events", "payment_events")
        wait_until(lambda: all(p["state"] == "ready" for p in stack.status().values()), "everything is ready again", pause=0.2)
        bench.purchase(128)
    return most["rate"] >= 1000 and calm["own_p99_ms"] <= 20


harness.run(main)
