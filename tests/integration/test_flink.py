"""Flink reads the topics by examples/flink, and its three jobs come to what the records say. It runs by itself, in SQL's own client."""
import collections
import datetime
import os
import re
import subprocess
import sys
import time
import uuid

import pytest

from support import ROOT, SERVERS, wait_until
from tally import MINUTE, SOON_FINAL, event

sys.path.insert(0, str(ROOT / "dev"))
import fetch

FLINK, JOBS = ROOT / "examples/flink", ("conversion", "sell-out", "hoarders")
HOUR = 60 * MINUTE
ENDS = {"paid": ("OrderCompleted", None), "expired": ("OrderCancelled", "expired"), "buyer": ("OrderCancelled", "buyer"), "open": None}


class Evening:
    """Orders of two hours ago, in their order, for places of one area; some came again, and one has yet to come."""

    def __init__(self, stack):
        self.stack, self.begin = stack, (time.time_ns() // 1_000_000 - 2 * HOUR) // HOUR * HOUR
        area = uuid.uuid4().int >> 24 << 24
        self.show, self.area, self.places = str(uuid.uuid4()), str(uuid.UUID(int=area)), 500
        self.tickets = (str(uuid.UUID(int=area | n)) for n in range(self.places))
        self.minutes, self.taken, self.events = collections.defaultdict(collections.Counter), collections.Counter(), []
        self.hoarder, self.unlucky, self.few = (str(uuid.uuid4()) for _ in range(3))
        for n in range(6):
            self.order(self.hoarder, n, "expired")
            self.order(self.unlucky, n, "expired")
            self.order(self.unlucky, n, "paid")
        for n in range(4):
            self.order(self.few, n, "expired")
        for n in range(60):
            self.order(str(uuid.uuid4()), n // 4, [*ENDS][n % 4])
        for n in range(40):
            self.order(str(uuid.uuid4()), 15 + n // 4, "paid")
        self.events.sort(key=lambda e: e["occurredAt"])

    def order(self, who, minute, ends):
        order, ticket, at = str(uuid.uuid4()), next(self.tickets), self.begin + minute * MINUTE + len(self.events)
        more = {"userId": who, "showId": self.show}
        self.events.append(event(order, ticket, 1, "OrderCreated", at) | more)
        if ENDS[ends]:
            kind, reason = ENDS[ends]
            self.events.append(event(order, ticket, 2, kind, at + 5 * MINUTE, reason=reason) | more)
        self.minutes[minute][{"expired": "ended", "buyer": "ended"}.get(ends, ends)] += 1
        self.taken[minute] += 1
        if ends in ("expired", "buyer"):
            self.taken[minute + 5] -= 1

    def tell(self):
        stock = {"type": "AreaStocked", "id": self.area, "showId": self.show, "occurredAt": self.begin, "accessible": False}
        self.stack.topic("stock").produce(*(stock | {"version": n, "places": places} for n, places in ((1, 60), (2, self.places))), key="id")
        later = event(str(uuid.uuid4()), str(uuid.uuid4()), 1, "OrderCreated", self.begin + 3 * HOUR)
        self.stack.topic("orders").produce(*self.events, *self.events[:20], later)
        self.told = time.time()

    def counted(self):
        """By streams/sales, and promised by orders."""
        topic = self.stack.topic("show-sales")
        rows = {(row["minute"], row["part"]): row for row in map(topic.decode, topic.records(key=self.show))}
        return (sum(row["placed"] for row in rows.values()) == sum(sum(m.values()) for m in self.minutes.values())
                and sum(row["returned"] for row in rows.values()) == sum(m["ended"] for m in self.minutes.values()))

    def promised(self):
        reached = {e["partition"]: e["occurredAt"].timestamp() for e in self.stack.topic("watermarks").events() if e["topic"] == "orders"}
        return len(reached) == 12 and min(reached.values()) > self.told


@pytest.fixture(scope="module")
def evening(make_stack):
    stack = make_stack(only=(*SERVERS, "orders", "sales"), **SOON_FINAL)
    evening = Evening(stack)
    evening.tell()
    wait_until(evening.counted, "sales has counted all of it")
    wait_until(evening.promised, "orders has promised that all of it is there")
    return evening


def tables_of(said):
    """What the client prints of each question: [{column: value}], each as it is in the end."""
    tables = []
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells and cells[0] == "op":
            tables.append((cells[1:], collections.Counter()))
        elif cells:
            tables[-1][1][tuple(cells[1:])] += 1 if cells[0] in ("+I", "+U") else -1
    assert all(n >= 0 for _, rows in tables for n in rows.values())
    return [[dict(zip(columns, row)) for row in rows.elements()] for columns, rows in tables]


@pytest.fixture(scope="module")
def answers(evening, tmp_path_factory):
    """Of the three jobs, one after the other in one client."""
    scratch = tmp_path_factory.mktemp("flink")
    environment = {**os.environ, **evening.stack.env, "FLINK_LIB": str(fetch.flink()), "TMPDIR": str(scratch)}
    tables, jobs = scratch / "tables.sql", scratch / "jobs.sql"
    with open(tables, "w") as file:
        subprocess.run([FLINK / "tables.py", "--up-to-now"], env=environment, stdout=file, check=True)
    jobs.write_text("".join((FLINK / f"{job}.sql").read_text() for job in JOBS))
    done = subprocess.run([FLINK / "run", tables, jobs], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = tables_of(done.stdout)
    assert len(found) == len(JOBS), done.stdout[-8000:] + done.stderr[-4000:]
    return dict(zip(JOBS, found))


def minute_of(cell):
    return int(datetime.datetime.fromisoformat(cell + "+00:00").timestamp() * 1000)


def test_conversion_by_minute(evening, answers):
    """All that is promised to be there, and nothing else: the order to come is in no minute."""
    found = {(minute_of(row["minute"]) - evening.begin) // MINUTE: {name: int(row[name]) for name in ("placed", "paid", "ended", "open")}
             for row in answers["conversion"]}
    assert found == {minute: {"placed": sum(ends.values()), **{name: ends[name] for name in ("paid", "ended", "open")}}
                     for minute, ends in evening.minutes.items()}


def test_forecast_of_the_end(evening, answers):
    [row] = answers["sell-out"]
    left = evening.places - sum(evening.taken.values())
    pace = sum(taken for _, taken in sorted(evening.taken.items())[-10:])
    assert (row["showId"], row["areaId"], int(row["left"])) == (evening.show, evening.area, left)
    assert float(row["a_minute"]) == pytest.approx(pace / 10)
    assert pace > 0 and float(row["minutes_left"]) == -(-left * 10 // pace)


def test_hoarders(evening, answers):
    """Nobody who pays as often, and nobody of whom it is four only."""
    assert {row["userId"] for row in answers["hoarders"]} == {evening.hoarder}
    assert max(int(row["ran_out"]) for row in answers["hoarders"]) == 6


def test_every_topic_is_a_table():
    """By the schema's own fields; what the tables say is checked by Flink above, for it reads all of them first."""
    made = subprocess.run([FLINK / "tables.py"], env={**os.environ, "KAFKA_BROKERS": "b:1", "SCHEMA_REGISTRY_URL": "http://r"}, capture_output=True,
                          text=True, check=True).stdout
    topics = re.findall(r"'topic' = '([\w-]+)'", made)
    assert set(topics) == {path.name.removesuffix(".odcs.yaml") for path in (ROOT / "schemas/contracts").glob("*.yaml")}
    assert "bounded" not in made
