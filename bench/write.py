#!/usr/bin/env python3
"""POST /api/tickets against pgbench making the same rows, a ticket and its event a transaction, while the publisher follows both.
What it lists stays on a stack that was given (./onsale reset forgets it).
"""
import itertools
import time

import harness
from rounds import Bench

# Ids ascend as UUIDv7 do: the turn's time, the client, and its count, in digits that are good hexadecimal ones too.
INSERT = """\\set number :number + 1
\\set seat random(1, 50)
\\set row random(1, 80)
with placed as (
    insert into tickets (id, version, user_id, title, price, currency, status)
    values (('{time}-7' || (100 + :client_id) || '-8000-' || (100000000000 + :number))::uuid, 1, '{user}',
            'Seat ' || :seat || ', row ' || :row, 2050, 'usd', 'available')
    returning *)
insert into ticket_events (type, id, version, user_id, title, price, currency, status, traceparent)
select 'TicketCreated', id, version, user_id, title, price, currency, status,
       '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' from placed;
"""
USER = "00000000-0000-7000-8000-000000000001"


def measure(bench):
    turns = itertools.count()

    def script():
        now = f"{time.time_ns() // 1_000_000:012x}"
        return bench.file(f"insert{next(turns)}.sql", INSERT.format(time=f"{now[:8]}-{now[8:]}", user=USER))

    requests = bench.file("requests", "".join(
        f'POST /api/tickets {{"title":"Seat {seat}, row {row}","price":"{10 + seat + row}.50"}}\n'
        for seat in range(1, 51) for row in range(1, 81)))
    with bench.alone():
        return bench.compare(script, lambda: bench.wrk(requests), goal=2)


def main():
    with harness.stack_or_given() as stack:
        return measure(Bench(stack))


harness.run(main)
