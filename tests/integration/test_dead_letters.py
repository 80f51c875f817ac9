"""Records that were put aside are shown and applied again by SERVICE dead-letters, in their order, once."""
import collections
import io
import os
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import fastavro
import pytest

from support import DEADLINE, Topic, list_ticket, missing_id
from topics import topic_schema

EX_DATAERR, EX_TEMPFAIL = 65, 75


class DeadLetters:
    """Of tickets: records of `orders`, as if it had not been able to read them."""

    def __init__(self, stack):
        self.stack = stack
        self.program = os.readlink(f"/proc/{stack.pid('tickets')}/exe").removesuffix(" (deleted)")
        self.schema, self.schema_id = fastavro.parse_schema(topic_schema("orders")), Topic(stack.env, "orders").schema_id()
        self.offset = 1_000_000_000  # of no record that is there

    def put(self, value, key=b"key", partition=0):
        self.offset += 1
        self.stack.sql("tickets", 'insert into dead_letters (topic, partition, "offset", key, value, reason) values (%s, %s, %s, %s, %s, %s)',
                       "orders", partition, self.offset, key, value, "could not\nbe read")
        return f"orders/{partition}@{self.offset}"

    def order(self, type_, ticket, order, version):
        now = int(time.time() * 1000)
        event = {"type": type_, "id": order, "version": version, "occurredAt": now, "userId": order, "ticketId": ticket["id"], "price": 2000,
                 "currency": "USD", "status": "cancelled" if type_ == "OrderCancelled" else "created", "expiresAt": now + 900_000,
                 "sellerId": ticket["userId"], "title": ticket["title"], "ticketVersion": 1}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.schema, {f["name"]: event.get(f["name"]) for f in self.schema["fields"]})
        return b"\0" + self.schema_id.to_bytes(4, "big") + out.getvalue()

    def left(self):
        return self.stack.sql("tickets", "select count(*) from dead_letters")[0][0]

    def run(self, *words, **environment):
        settings = {"DATABASE_URL": self.stack.env["TICKETS_DATABASE_URL"], "SCHEMA_REGISTRY_URL": self.stack.env["SCHEMA_REGISTRY_URL"]}
        return subprocess.run([self.program, "dead-letters", *words], env=settings | environment, text=True, capture_output=True, timeout=DEADLINE)


@pytest.fixture
def letters(stack):
    letters = DeadLetters(stack)
    yield letters
    stack.sql("tickets", "delete from dead_letters")


def test_nothing_was_put_aside(letters):
    done = letters.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert letters.run("--apply").stdout == "0 applied, 0 left\n"


def test_they_are_shown(letters):
    places = [letters.put(b"\xff", key=b"a \x1b[31mkey", partition=1), letters.put(None, key=None, partition=0)]
    lines = letters.run().stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(places)
    assert lines[1].endswith("  a ?[31mkey  could not?be read")
    assert letters.left() == 2


def test_applied_once_in_their_order(stack, seller, letters):
    """What can be read now takes effect and is gone; the rest stays."""
    ticket, order = list_ticket(stack, seller), missing_id()
    created = letters.put(letters.order("OrderCreated", ticket, order, 1))
    malformed = letters.put(b"\0\0")
    cancelled = letters.put(letters.order("OrderCancelled", ticket, order, 2))
    done = letters.run("--apply")
    lines = done.stdout.splitlines()
    assert done.returncode == EX_DATAERR, done.stderr
    assert [lines[0], lines[2], lines[3]] == [f"{created} applied", f"{cancelled} applied", "2 applied, 1 left"]
    assert lines[1].startswith(f"{malformed} stays: ")
    assert [e["type"] for e in stack.topic("tickets").of(ticket["id"], 3)] == ["TicketCreated", "TicketUpdated", "TicketUpdated"]
    again = letters.run("--apply")
    assert again.stdout.splitlines()[-1] == "0 applied, 1 left"
    assert seller.get(f"/api/tickets/{ticket['id']}").json()["version"] == 3


def test_several_apply_them_at_once(stack, seller, letters):
    """Each is applied by one of them; there are more than are read at a time."""
    tickets = [list_ticket(stack, seller) for _ in range(5)]
    orders = {ticket["id"]: missing_id() for ticket in tickets}
    for n in range(250):
        ticket = tickets[n % 5]
        letters.put(letters.order("OrderUpdated" if n >= 5 else "OrderCreated", ticket, orders[ticket["id"]], n // 5 + 1))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: letters.run("--apply"), range(3)))
    assert [d.returncode for d in done] == [0, 0, 0], [d.stderr for d in done]
    applied = collections.Counter(line.split()[0] for d in done for line in d.stdout.splitlines() if line.endswith(" applied"))
    assert len(applied) == 250 and set(applied.values()) == {1}
    assert letters.left() == 0
    assert stack.sql("tickets", "select count(*)::int from tickets where status = 'reserved' and order_id = any(%s::uuid[])",
                     list(orders.values())) == [(5,)]


def test_a_registry_that_is_away_condemns_nothing(stack, seller, letters):
    place = letters.put(letters.order("OrderCreated", list_ticket(stack, seller), str(uuid.uuid4()), 1))
    done = letters.run("--apply", SCHEMA_REGISTRY_URL="http://127.0.0.1:9/none")
    assert done.returncode == EX_TEMPFAIL and "127.0.0.1" not in done.stdout
    assert letters.run().stdout.split()[0] == place
