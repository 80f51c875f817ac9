#!/usr/bin/env python3
"""From the event log to the topic: our publisher and Debezium's Postgres connector with its outbox router, in one run.

Starts a stack of its own (real Postgres, Kafka, registry); Debezium's jars come by Maven into onsale's cache. Fails when the
publisher misses its targets: commit to readable p50 5 ms and p99 25 ms at 1,000 commits a second; 100,000 events a second from a
backlog of 1,000,000.

Both carry the same events, one record each, key, headers and Avro payload alike, to a topic of 12 partitions of their own.
Ours reads typed columns and encodes; for Debezium the payload is encoded already, by whoever writes the row, as its outbox
pattern wants it: work it need not do. Debezium's waits are tuned away (poll.interval.ms 1, large batches and queues).

EVENTS, RATE and SECONDS in the environment change the sizes.
"""
import contextlib
import io
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

import fastavro
import psycopg
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import harness
import fetch
import peers
import support
import topics
from common import BUILD, ROOT, program, say
from stack import build

EVENTS = int(os.environ.get("EVENTS", "1000000"))
RATE = int(os.environ.get("RATE", "1000"))
SECONDS = int(os.environ.get("SECONDS", "30"))
WARM_SECONDS = 15  # Java's compiler needs some
PARTITIONS = 12
PER_COMMIT = 100  # events a transaction in the backlog: what a busy service's batches carry

TABLES = """
create table ticket_events (
    seq bigint generated always as identity primary key,
    type text not null, id uuid not null, version int not null, occurred_at timestamptz not null, user_id uuid not null,
    title text not null, price bigint not null, currency text not null, status text not null, order_id uuid, traceparent text);
create table outbox (
    id uuid primary key, aggregatetype text not null, aggregateid text not null, type text not null, traceparent text, payload bytea);
create procedure fill_log(n int) language plpgsql as $$ begin
    for i in 1 .. n / %(per)d loop
        insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status, traceparent)
        select 'TicketCreated', gen_random_uuid(), 1, clock_timestamp(), gen_random_uuid(), 'Row 7, seat 42', 2000, 'EUR',
               'available', '%(trace)s' from generate_series(1, %(per)d);
        commit;
    end loop;
end $$;
create procedure fill_outbox(n int, payload bytea) language plpgsql as $$ begin
    for i in 1 .. n / %(per)d loop
        insert into outbox select gen_random_uuid(), 'tickets', gen_random_uuid(), 'TicketCreated', '%(trace)s', payload
        from generate_series(1, %(per)d);
        commit;
    end loop;
end $$;
""" % {"per": PER_COMMIT, "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def debezium_jars():
    return peers.jars(ROOT / "bench/publisher_debezium")


def payload():
    """One event as its row in the outbox carries it: the wire format of the registry."""
    out, someone = io.BytesIO(b"\0\0\0\0\1"), "0af76519-16cd-43dd-8448-eb211c80319c"
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(topics.topic_schema("tickets")), {
        "type": "TicketCreated", "id": someone, "version": 1, "occurredAt": int(time.time() * 1000), "userId": someone,
        "title": "Row 7, seat 42", "price": 2000, "currency": "EUR", "status": "available", "orderId": None})
    return out.getvalue()


class Ground:
    """A database and the way to the topics."""

    def __init__(self, stack):
        self.directory, self.brokers, self.registry = stack.state, stack.env["KAFKA_BROKERS"], stack.env["SCHEMA_REGISTRY_URL"]
        admin = stack.env["POSTGRES_URL"]
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("create database bench")
        self.url = admin.rsplit("/", 1)[0] + "/bench"
        for migration in sorted((ROOT / "common/publisher/migrations").glob("*.sql")):
            self.sql(migration.read_text())
        self.sql(TABLES)
        self.kafka = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        self.consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "bench", "log_level": 0})

    def sql(self, query, *args):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, args or None)
            return cursor.fetchall() if cursor.description else []

    def create_topic(self, name):
        self.kafka.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
        support.wait_until(lambda: self.records(name) is not None, f"topic {name}")

    def records(self, topic):
        """How many are readable."""
        with contextlib.suppress(Exception):
            return sum(self.consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=5)[1] for p in range(PARTITIONS))


class Peer:
    """A process that brings rows to a topic."""

    def __init__(self, ground):
        self.ground, self.process = ground, None
        ground.create_topic(self.topic)

    def run(self, *command):
        with open(self.ground.directory / f"{self.name}.log", "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        return (self.ground.directory / f"{self.name}.log").read_text()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def cpu(self):
        return support.cpu_seconds(self.process.pid)

    def memory(self, key):
        return support.resident_kib(self.process.pid, key) / 1024

    def slot_is(self, active):
        support.wait_until(lambda: self.ground.sql("select active from pg_replication_slots where slot_name like %s",
                                                   self.slot) == [(active,)], f"{self.name}: slot")


class Onsale(Peer):
    name, topic, kind, slot, source = "onsale", "bench-onsale", "log", "onsale_bench%", "ticket_events"

    def start(self):
        self.run(BUILD / "tests/publisher_driver", "bench", self.ground.url, self.ground.brokers,
                 self.ground.registry, "0", self.source, self.topic)
        self.slot_is(True)

    def stop_reading(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def read_on(self):
        self.run(*self.process.args)

    def fill(self, n):
        self.ground.sql("call fill_log(%s)" % n)


class Debezium(Peer):
    name, topic, kind, slot, source = "debezium", "bench-debezium", "outbox", "bench_outbox", "outbox"

    def start(self):
        self.port = support.free_port()
        worker, connector = self.ground.directory / "worker.properties", self.ground.directory / "connector.json"
        worker.write_text("\n".join(f"{k}={v}" for k, v in self.worker().items()) + "\n")
        connector.write_text(json.dumps({"name": "outbox", "config": self.connector()}))
        self.run(program("java"), "-Xmx512m", f"-Dlog4j2.configurationFile={ROOT}/dev/kafka/log4j2.yaml", "-cp",
                 f"{fetch.jars()}/kafka/*", "org.apache.kafka.connect.cli.ConnectStandalone", worker, connector)
        self.slot_is(True)

    def worker(self):
        return {"bootstrap.servers": self.ground.brokers, "listeners": f"http://127.0.0.1:{self.port}",
                "plugin.path": debezium_jars(), "plugin.discovery": "only_scan",
                "offset.storage.file.filename": self.ground.directory / "connect.offsets",
                "key.converter": "org.apache.kafka.connect.storage.StringConverter",
                "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
                "producer.batch.size": 262144, "producer.compression.type": "lz4", "producer.linger.ms": 0}

    def connector(self):
        at = psycopg.conninfo.conninfo_to_dict(self.ground.url)
        return {"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": "1",
                "plugin.name": "pgoutput", "database.hostname": at["host"], "database.port": at["port"],
                "database.user": at["user"], "database.password": at["password"], "database.dbname": at["dbname"],
                "topic.prefix": "bench", "table.include.list": "public.outbox", "publication.autocreate.mode": "filtered",
                "publication.name": "bench_outbox", "slot.name": self.slot, "snapshot.mode": "no_data",
                "tombstones.on.delete": "false", "poll.interval.ms": "1", "max.batch.size": "8192", "max.queue.size": "32768",
                "transforms": "outbox", "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
                "transforms.outbox.route.topic.replacement": self.topic,
                "transforms.outbox.table.fields.additional.placement": "type:header:type,traceparent:header:traceparent"}

    def _rest(self, verb):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/connectors/outbox/{verb}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()

    def stop_reading(self):
        self._rest("stop")

    def read_on(self):
        self._rest("resume")

    def fill(self, n):
        self.ground.sql("call fill_outbox(%s, '\\x%s')" % (n, payload().hex()))


def latency(peer):
    say(f"{peer.name}: {RATE} commits a second, {SECONDS} s")
    before = peer.cpu()
    done = subprocess.run([BUILD / "bench/bench_publisher", peer.ground.url, peer.ground.brokers, peer.topic, peer.kind,
                           str(RATE), str(WARM_SECONDS), str(SECONDS)], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{peer.log()[-3000:]}"
    return json.loads(done.stdout) | {"cpu": (peer.cpu() - before) / (WARM_SECONDS + SECONDS)}


def drain(peer):
    say(f"{peer.name}: a backlog of {EVENTS:,} events")
    peer.stop_reading()
    peer.slot_is(False)
    before = peer.ground.records(peer.topic)
    peer.fill(EVENTS)
    cpu_before = peer.cpu() if peer.process.poll() is None else 0
    started = time.monotonic()
    peer.read_on()
    first = None
    while (now := peer.ground.records(peer.topic) or 0) < before + EVENTS:
        first = first or (now > before and time.monotonic())
        assert peer.process.poll() is None, peer.log()[-3000:]
        time.sleep(0.02)
    ended = time.monotonic()
    result = {"rate": EVENTS / (ended - first), "seconds": ended - started, "cpu": peer.cpu() - cpu_before,
              "peak": peer.memory("VmHWM")}
    assert peer.ground.records(peer.topic) == before + EVENTS, "each event once"
    return result


def measure(peer):
    try:
        peer.start()
        idle = peer.memory("VmRSS")
        return {"latency": latency(peer), "drain": drain(peer), "idle": idle}
    finally:
        peer.kill()


ROWS = [  # what, unit, value of a result
    ("commit to readable, p50", "ms", lambda r: f"{r['latency']['p50_ms']:.2f}"),
    ("commit to readable, p99", "ms", lambda r: f"{r['latency']['p99_ms']:.2f}"),
    ("CPU at this rate", "% of a core", lambda r: f"{100 * r['latency']['cpu']:.1f}"),
    ("backlog, from first to last record", "events/s", lambda r: f"{r['drain']['rate']:,.0f}"),
    ("backlog, from start to last record", "s", lambda r: f"{r['drain']['seconds']:.2f}"),
    ("CPU for the backlog", "s", lambda r: f"{r['drain']['cpu']:.2f}"),
    ("memory, idle", "MiB", lambda r: f"{r['idle']:.0f}"),
    ("memory, peak", "MiB", lambda r: f"{r['drain']['peak']:.0f}"),
]


def main():
    build(["publisher_driver", "bench_publisher"])
    debezium_jars()
    with harness.stack() as stack:
        ground = Ground(stack)
        results = {peer.name: measure(peer(ground)) for peer in (Onsale, Debezium)}
    print(f"\n{'':38}{'':14}" + "".join(f"{name:>14}" for name in results))
    for what, unit, value in ROWS:
        print(f"{what:38}{unit:14}" + "".join(f"{value(r):>14}" for r in results.values()))
    ours = results["onsale"]
    missed = [text for text, bad in [("p50 over 5 ms", ours["latency"]["p50_ms"] > 5), ("p99 over 25 ms", ours["latency"]["p99_ms"] > 25),
                                     ("drains below 100,000 a second", ours["drain"]["rate"] < 100000)] if bad]
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


harness.run(main)
