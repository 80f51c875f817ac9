"""Clients of Kafka that are not ours read the topics, through the registry: one seller's orders, written once and compressed as ours are, come to the
same counts whoever reads them. The table of schemas/README.md says what each needs."""
import collections
import contextlib
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time
import uuid

import confluent_kafka
import pytest

from support import DEADLINE, ROOT
from tally import event
from topics import Topic

sys.path.insert(0, str(ROOT / "dev"))
import clients
import fetch

ORDERS = 1500


class Sold:
    """What became of a seller's orders, as it was written: by type, and what was paid."""

    def __init__(self, stack):
        rng, now = random.Random(31), time.time_ns() // 1_000_000
        self.seller, self.stack, self.counts, self.revenue, self.tickets = str(uuid.uuid4()), stack, collections.Counter(), 0, set()
        self.producer = confluent_kafka.Producer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "partitioner": "murmur2_random", "linger.ms": 200,
                                                  "compression.type": "lz4"})
        self.topic = Topic(stack.env, "orders")
        for n in range(ORDERS):
            order, ticket, price = str(uuid.uuid4()), str(uuid.uuid4()), rng.randint(500, 9000)
            self.tickets.add(ticket)
            self.tell(event(order, ticket, 1, "OrderCreated", now - ORDERS + n, price, "USD"))
            ends = rng.choice(["OrderCompleted", "OrderCancelled"])
            self.tell(event(order, ticket, 2, ends, now, price, "USD", reason="buyer" if ends == "OrderCancelled" else None))
            self.revenue += price * (ends == "OrderCompleted")
        assert self.producer.flush(DEADLINE) == 0

    def sell_another(self, price):
        self.tell(event(str(uuid.uuid4()), str(uuid.uuid4()), 1, "OrderCompleted", time.time_ns() // 1_000_000, price, "USD"))
        self.revenue += price
        assert self.producer.flush(DEADLINE) == 0

    def tell(self, what):
        value = self.topic.encode(what | {"sellerId": self.seller})
        self.producer.produce("orders", key=what["ticketId"], value=value, headers={"type": what["type"], "epoch": "1", "position": "0/0"})
        self.counts[what["type"]] += 1

    def environment(self):
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, **self.stack.env, "PATH": path}

    def read_by(self, *command):
        done = subprocess.run([*command], cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def sold(stack):
    return Sold(stack)


def counted(said):
    """However a program writes them."""
    return {kind: int(n) for kind, n in re.findall(r"(Order[A-Z][a-z]+)[ :=](\d+)", said)}


@pytest.mark.parametrize("reader", [clients.node_reader, clients.go_reader], ids=lambda reader: reader.__name__.removesuffix("_reader"))
def test_a_program_reads_up_to_now(sold, reader):
    said = sold.read_by(*reader(), sold.seller)
    assert counted(said) == sold.counts
    assert re.findall(r"revenue (\d+)", said) == [str(sold.revenue)]


def test_a_program_in_c_reads_up_to_now(sold):
    """By the command in its head."""
    [command] = re.findall(r"\./(sold .*)", (ROOT / "examples/c/sold.c").read_text())
    [program] = clients.c_reader()
    said = sold.read_by("sh", "-c", f'SELLER="{sold.seller}"; {program.parent}/{command}')
    assert {kind: int(n) for n, kind in map(str.split, said.splitlines())} == sold.counts


def test_python_reads_up_to_now(sold, tmp_path):
    said = sold.read_by(sys.executable, "examples/sales.py", tmp_path / "sales.png")
    [line] = [line.split() for line in said.splitlines() if line.startswith(sold.seller)]
    assert line[1:] == ["USD", str(sold.counts["OrderCompleted"]), str(sold.revenue)]


def test_clickhouse_reads_up_to_now(sold):
    """In this process, by chdb."""
    def answers(question):
        said = sold.read_by(fetch.analysts_python(), "examples/query.py", "orders", question)
        return [line.split() for line in said.splitlines()[1:]]
    ours = f"from events where sellerId = toUUID('{sold.seller}')"
    assert {kind: int(n) for kind, n in answers(f"select type, count() {ours} group by type")} == sold.counts
    assert answers(f"select currency, sum(price) {ours} and type = 'OrderCompleted' group by currency") == [["USD", str(sold.revenue)]]


def test_kcat_reads_up_to_now(sold):
    """Of what is in the headers and the key: Debian's has no Avro."""
    lines = [line.split() for line in sold.read_by("examples/tap.sh", "-o", "beginning", "-e").splitlines()]
    ours = [line[1] for line in lines if line[-1] in sold.tickets]  # others of this broker may have none
    assert collections.Counter(re.search(r"type=(\w+)", headers)[1] for headers in ours) == sold.counts


@contextlib.contextmanager
def started(sold, command, errors):
    with open(errors, "a") as log, subprocess.Popen(command, cwd=ROOT, env=sold.environment(), stdout=subprocess.PIPE, stderr=log, text=True) as program:
        late = threading.Timer(DEADLINE, program.kill)
        late.start()
        try:
            yield program
        finally:
            late.cancel()
            program.kill()


def test_kafka_streams_counts_each_sale_once(sold, tmp_path):
    """Also when it is killed while it counts: a sale that were counted twice would show in the sum after the next one."""
    command, errors = clients.streams_reader(), tmp_path / "errors"

    def earned(program, least):
        """The first sum of this seller that is so much."""
        for line in program.stdout:
            seller, currency, cents = line.split()
            if seller == sold.seller and int(cents) >= least:
                return currency, int(cents)
        pytest.fail(errors.read_text()[-4000:])
    with started(sold, command, errors) as program:
        earned(program, 1)
    before = sold.revenue
    with started(sold, command, errors) as program:
        sold.sell_another(1234)
        assert earned(program, before + 1234) == ("USD", before + 1234)
