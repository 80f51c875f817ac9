#!/usr/bin/env python3
"""GET /api/tickets/ID against pgbench running the same SELECT, on a million tickets.

The tickets are withdrawn ones of nobody, so they show in no list; from a stack that was given they are gone afterwards.
"""
import random

import harness
from rounds import ROWS as TICKETS, Bench

BASE = 100_000_000_000  # so that the number behind the prefix always has 12 digits, which are good hexadecimal ones too
PREFIX = "00000000-0000-7000-8000-"
NOBODY = "00000000-0000-7000-8000-000000000000"

CREATE = f"""insert into tickets (id, version, user_id, title, price, currency, status)
    select ('{PREFIX}' || {BASE} + n)::uuid, 1, '{NOBODY}', 'Seat ' || n, 100 + n, 'usd', 'cancelled' from generate_series(1, {TICKETS}) n
    on conflict do nothing"""

SELECT = f"""\\set n random(1, {TICKETS})
select id, title, price, currency, user_id, status, order_id, version from tickets where id = ('{PREFIX}' || ({BASE} + :n))::uuid;
"""


def main():
    with harness.stack_or_given() as stack:
        bench = Bench(stack)
        print(f"making {TICKETS:,} tickets", flush=True)
        try:
            bench.query(CREATE)
            bench.query("vacuum analyze tickets")
            script = bench.file("select.sql", SELECT)
            some = random.sample(range(1, TICKETS + 1), min(TICKETS, 100_000))
            requests = bench.file("requests", "".join(f"GET /api/tickets/{PREFIX}{BASE + n}\n" for n in some))
            return bench.compare(lambda: script, lambda: bench.wrk(requests), goal=0.8)
        finally:
            if harness.given():
                bench.query(f"delete from tickets where user_id = '{NOBODY}'")


harness.run(main)
