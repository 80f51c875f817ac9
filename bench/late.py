#!/usr/bin/env python3
"""How late analysts hear of it: what was asked (`demand`), up to when all is there (`watermarks`), and what the lake's tables have.

    ./onsale bench late

Starts a stack of its own with the lake. For SECONDS, ten people at a time ask for what is sold out: a record of `demand` is late from the end of the second
that it counts, and a watermark as late as the time is past of which it tells. Both until somebody has it who reads all the time. Then RATE changes of orders
a second come onto their topic, and nothing runs but Kafka, the registry, Postgres and Connect, which writes them to the warehouse, too. The lake's table is as
far behind as the oldest change that it lacks: the most just before each commit, the least just after it (by Iceberg's own list of commits; a stack of
`./onsale run --lake` commits every 5 s).
"""
import itertools
import json
import os
import subprocess
import threading
import time

import harness
import fetch
import sales
from common import say
from shows import announced
from support import wait_until

RATE, SECONDS = sales.RATE, int(os.environ.get("SECONDS", "60"))
ASKING = 10
COMMITS = """
import json, os
from pyiceberg.catalog import load_catalog
database = os.environ["WAREHOUSE_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
catalogue, name = load_catalog("onsale", type="sql", uri=database, init_catalog_tables="false"), ("onsale", "order_events")
commits = catalogue.load_table(name).snapshots() if catalogue.table_exists(name) else []
print(json.dumps([(one.timestamp_ms, int(one.summary["total-records"])) for one in commits]))
"""


def ms(event):
    return event["occurredAt"].timestamp() * 1000


def ears_of(stack):
    demand, watermarks = stack.topic("demand"), stack.topic("watermarks")

    def of_orders(record):
        event = watermarks.decode(record)
        return ms(event) if event["topic"] == "orders" else None
    return {"demand, after its second": sales.Ear(stack, "demand", lambda record: ms(demand.decode(record)) + 1000),
            "watermarks of orders": sales.Ear(stack, "watermarks", of_orders)}


def ask_in_vain(who, wish, until):
    while time.monotonic() < until:
        assert who.post("/api/purchases", json=wish).status_code == 409


def commits(stack):
    return json.loads(subprocess.run([fetch.analysts_python(), "-c", COMMITS], env={**os.environ, **stack.env}, stdout=subprocess.PIPE, check=True).stdout)


def behind(found, began_ms, before):
    """Of the lake, in ms: just before and just after each commit that brought something; changes came evenly, from began_ms on."""
    sent = [(at, began_ms + (total - before) * 1000 / RATE) for at, total in found if total >= before]
    return [(at - earlier, at - newest) for (_, earlier), (at, newest) in itertools.pairwise(sent) if newest > earlier]


def hear(stack):
    """{name: how late each was}"""
    seller, buyer, *people = stack.users(2 + ASKING)
    show, _ = announced(seller, [{"places": 1}])
    wish = {"showId": show["id"], "quantity": 1}
    assert buyer.post("/api/purchases", json=wish).status_code == 201
    say(f"{ASKING} people ask in vain for {SECONDS} s")
    ears = ears_of(stack)
    until = time.monotonic() + SECONDS
    crowd = [threading.Thread(target=ask_in_vain, args=(who, wish, until)) for who in people]
    for one in (*crowd, *ears.values()):
        one.start()
    for one in crowd:
        one.join()
    return {name: ear.end() for name, ear in ears.items()}


def fill_the_lake(stack):
    """How far behind it was before and after each commit, in ms."""
    load = sales.Load(stack)
    stack.only("kafka", "registry", "postgres", "connect")

    def has(events):
        wait_until(lambda: (found := commits(stack)) and found[-1][1] >= events, "the lake has it", pause=2)
    load.at_rate(sales.WARM)
    sent = sum(stack.topic("orders").ends().values())
    has(sent)
    say(f"{RATE:,} changes a second for {SECONDS} s")
    began = time.time() * 1000
    load.at_rate(SECONDS)
    has(sum(stack.topic("orders").ends().values()))
    return behind(commits(stack), began, sent)


def main():
    with harness.stack("--lake") as stack:
        ears, lake = hear(stack), fill_the_lake(stack)
    for name, late in ears.items():
        print(f"{name:32}{len(late):6} records: p50 {harness.percentile(late, 0.5):7,.0f} ms,"
              f" p99 {harness.percentile(late, 0.99):7,.0f} ms, most {max(late):7,.0f} ms")
    before, after = [sorted(column) for column in zip(*lake)]
    print(f"{'the lake behind the topic':32}{len(lake):6} commits: p50 {after[len(after) // 2]:7,.0f} ms just after one, "
          f"{before[len(before) // 2]:,.0f} ms just before one; most {before[-1]:,.0f} ms")
    return True


if __name__ == "__main__":
    harness.run(main)
