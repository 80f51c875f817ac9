#!/usr/bin/env python3
"""Sales by minute: how soon a change is in its row, how fast a backlog is counted, and in how much memory; and Kafka Streams doing the same
windows over the same topic (bench/sales_streams), exactly once as well, committing as often (100 ms), in the same run; and Flink SQL, at least once (exactly
once it would be as late as its checkpoints, which hold all windows each time), with a checkpoint every 10 s.

    ./onsale bench sales

Starts a stack of its own; nothing but Kafka and the one that is measured runs meanwhile. The peers' jars come by Maven into onsale's cache.
Late is a row when somebody who reads as committed has it, after its newest change, whose occurredAt is set when it is sent. Each order is placed, and
paid about a second later. The rate lasts WARM s before it counts: a broker that has just been started compiles its code, as Java does itself.
The backlog is what is on the topic when a new consumer group starts. Fails when p99 is over 1 s, or we take over 20 MB in use or more
than a tenth of Kafka Streams' memory. RATE, SECONDS and EVENTS in the environment change the sizes.
"""
import contextlib
import io
import json
import os
import pathlib
import re
import struct
import subprocess
import threading
import time
import uuid

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import harness
import fetch
import peers
import support
import topics
from common import ROOT, Failed, program, say
from tally import event

RATE = int(os.environ.get("RATE", "2000"))
SECONDS = int(os.environ.get("SECONDS", "20"))
EVENTS = int(os.environ.get("EVENTS", "300000"))
WARM = 10
PARTITIONS = 12
JAVA = ROOT / "bench/sales_streams"


class Load:
    def __init__(self, stack):
        self.schema, number = fastavro.parse_schema(topics.topic_schema("orders")), stack.topic("orders").schema_id()
        self.prefix = b"\0" + number.to_bytes(4, "big")
        self.producer = Producer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "linger.ms": 2, "partitioner": "murmur2_random",
                                  "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000, "log_level": 0})
        self.open = []  # orders to be paid

    def send(self, count, hold):
        """count changes: an order placed, or one paid that was placed `hold` orders ago."""
        for i in range(count):
            now = time.time_ns() // 1_000_000
            if len(self.open) < hold or i % 2 == 0:
                order, ticket = uuid.uuid4(), uuid.uuid4()
                self.open.append((order, ticket))
                one = event(order, ticket, 1, "OrderCreated", now)
            else:
                order, ticket = self.open.pop(0)
                one = event(order, ticket, 2, "OrderCompleted", now)
            out = io.BytesIO(self.prefix)
            out.seek(5)
            fastavro.schemaless_writer(out, self.schema, one)
            self.producer.produce("orders", out.getvalue(), str(ticket))
        self.producer.poll(0)

    def at_rate(self, seconds):
        begin, sent = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            self.send(int(passed * RATE) - sent, RATE // 2)
            sent = int(passed * RATE)
            time.sleep(0.002)
        assert self.producer.flush(30) == 0


class Ear(threading.Thread):
    """How late the records of a topic are, from now on, after what newest_ms(record) says; those of which it says None do not count."""

    def __init__(self, stack, topic, newest_ms):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "group.id": f"bench-{uuid.uuid4()}", "fetch.wait.max.ms": 20,
                                  "enable.auto.commit": False, "log_level": 0})
        self.consumer.assign([TopicPartition(topic, p, end) for p, end in stack.topic(topic).ends().items()])
        self.newest_ms, self.late, self.stopping = newest_ms, [], False

    def run(self):
        while not self.stopping:
            records = self.consumer.consume(1000, timeout=0.02)
            now = time.time() * 1000
            self.late += [now - newest for r in records if r.error() is None and (newest := self.newest_ms(r)) is not None]
        self.consumer.close()

    def end(self):
        self.stopping = True
        self.join()
        return sorted(self.late)


def newest_of_row(value):
    """occurredAt of a row: behind the type (1 byte), the ticket (37) and the version, all varints."""
    at = 5 + 1 + 37
    while value[at] & 0x80:
        at += 1
    number, shift = 0, 0
    for byte in value[at + 1:]:
        number |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return number >> 1


class Measured:
    """Ours, or the peer: a process, its consumer group, its topic."""

    def __init__(self, stack, name, group, topic, newest_ms, start):
        self.stack, self.name, self.group, self.topic, self.newest_ms, self.start = stack, name, group, topic, newest_ms, start
        self.consumer = Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "group.id": group, "log_level": 0})
        self.found = {}

    def done(self):
        places = self.consumer.committed([TopicPartition("orders", p) for p in range(PARTITIONS)], timeout=10)
        return sum(max(p.offset, 0) for p in places)

    def memory(self, key):
        return int(re.search(rf"{key}:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def catch_up(self):
        """Until all that is on the topic is counted and committed; from the first of it that is."""
        end, first = sum(self.stack.topic("orders").ends().values()), None
        say(f"{self.name}: {end - self.begin:,} events at once")
        started = time.monotonic()
        while (now := self.done()) < end:
            if now > self.begin and first is None:
                first = time.monotonic(), now, self.cpu()
            assert time.monotonic() - started < 120, f"{now} of {end}"
            time.sleep(0.02)
        if first is None:
            raise Failed(f"{end - self.begin:,} events were counted before anybody looked: set EVENTS to more")
        took = time.monotonic() - first[0]
        self.found |= {"rate": (end - first[1]) / took, "cpu_us": (self.cpu() - first[2]) / (end - first[1]) * 1e6,
                       "full": self.memory("VmRSS")}

    def at_rate(self, load):
        say(f"{self.name}: {RATE:,} events a second, {SECONDS} s")
        ear = Ear(self.stack, self.topic, lambda record: self.newest_ms(record.value()))
        load.at_rate(WARM)
        ear.start()
        time.sleep(1.5)
        ear.late.clear()
        before = self.cpu()
        load.at_rate(SECONDS)
        used = self.cpu() - before
        time.sleep(1)
        late = ear.end()
        assert len(late) > RATE * SECONDS * 0.5, f"only {len(late)} rows"
        self.found |= {"p50": harness.percentile(late, 0.5), "p99": harness.percentile(late, 0.99), "most": max(late), "cpu": 100 * used / SECONDS,
                       "peak": self.memory("VmHWM")}


@contextlib.contextmanager
def ours(measured):
    measured.begin = measured.done()
    with measured.replica as replica:
        measured.pid = replica.process.pid
        yield


@contextlib.contextmanager
def streams(measured):
    work = measured.stack.state / "streams"
    work.mkdir(exist_ok=True)
    subprocess.run([program("java"), "-cp", f"{peers.jars(JAVA)}/*", "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-d", work / "classes",
                    "-cp", ":".join(map(str, peers.jars(JAVA).glob("*.jar"))), JAVA / "Bench.java"], check=True)
    measured.begin = measured.done()
    with open(work / "log", "w") as log:
        process = subprocess.Popen([program("java"), "-Xmx512m", "-cp", f"{work}/classes:{peers.jars(JAVA)}/*", "Bench", measured.stack.env["KAFKA_BROKERS"],
                                    ROOT / "schemas/avro/orders.avsc", work / "state"], stdout=log, stderr=log)
    measured.pid = process.pid
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


FLINK_JOB = """
SET 'execution.checkpointing.interval' = '10 s';
SET 'execution.checkpointing.storage' = 'filesystem';
SET 'execution.checkpointing.dir' = 'file://{work}/checkpoints';
SET 'table.dml-sync' = 'true';
CREATE TABLE minutes (ticketId STRING, m TIMESTAMP(3), newest BIGINT, placed BIGINT, sold BIGINT, cancelled BIGINT, expired BIGINT, revenue BIGINT,
    PRIMARY KEY (ticketId, m) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'bench-flink', 'properties.bootstrap.servers' = '{brokers}',
    'key.format' = 'json', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY');
INSERT INTO minutes
SELECT ticketId, FLOOR(occurredAt TO MINUTE),
       MAX(UNIX_TIMESTAMP(CAST(occurredAt AS STRING), 'yyyy-MM-dd HH:mm:ss.SSS') * 1000 + EXTRACT(MILLISECOND FROM occurredAt)),
       COUNT(*) FILTER (WHERE type = 'OrderCreated'), COUNT(*) FILTER (WHERE type = 'OrderCompleted'), COUNT(*) FILTER (WHERE type = 'OrderCancelled'),
       COUNT(*) FILTER (WHERE reason = 'expired'), COALESCE(SUM(price) FILTER (WHERE type = 'OrderCompleted'), 0)
  FROM orders WHERE type <> 'OrderUpdated' GROUP BY ticketId, FLOOR(occurredAt TO MINUTE);
"""


class MeasuredFlink(Measured):
    def done(self):
        """It writes a row for each change, and commits what it has read once in 10 s."""
        return sum(self.stack.topic("bench-flink").ends().values())


@contextlib.contextmanager
def flink(measured):
    work, directory = measured.stack.state / "flink", ROOT / "examples/flink"
    work.mkdir(exist_ok=True)
    environment = {**os.environ, **measured.stack.env, "FLINK_LIB": str(fetch.flink()), "TMPDIR": str(work)}
    tables, job = work / "tables.sql", work / "job.sql"
    tables.write_bytes(subprocess.run([directory / "tables.py"], env=environment, check=True, stdout=subprocess.PIPE).stdout)
    job.write_text(FLINK_JOB.format(brokers=measured.stack.env["KAFKA_BROKERS"], work=work))
    measured.begin = measured.done()
    with open(work / "log", "w") as log:
        process = subprocess.Popen([directory / "run", tables, job], env=environment, stdout=log, stderr=log)
    measured.pid = process.pid
    try:
        yield
    finally:
        if process.poll() is not None:
            raise Failed(f"Flink has ended: {(work / 'log').read_text()[-2000:]}")
        process.terminate()
        process.wait(30)


def measure(stack):
    replica = support.Replica(stack, "sales", RDKAFKA_SESSION_TIMEOUT_MS="6000")
    stack.only("kafka", "registry", "postgres")
    kafka = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "log_level": 0})
    for done in kafka.create_topics([NewTopic(name, PARTITIONS, 1) for name in ("bench-sales", "bench-flink")]).values():
        done.result(30)
    load = Load(stack)
    first = Measured(stack, "onsale", "onsale-sales", "sales-by-minute", newest_of_row, ours)
    first.replica = replica
    with ours(first):
        replica.wait_ready()
        first.found["idle"] = first.memory("VmRSS")
    load.send(EVENTS, 2000)
    assert load.producer.flush(120) == 0
    replica.log = open(replica.log.name, "a+b")
    with ours(first):
        first.catch_up()
        first.at_rate(load)
    peer = Measured(stack, "Kafka Streams", "bench-sales", "bench-sales", lambda v: struct.unpack(">q", v[:8])[0], streams)
    with streams(peer):
        peer.catch_up()
        peer.at_rate(load)
    sql = MeasuredFlink(stack, "Flink SQL", "bench-flink", "bench-flink", lambda v: json.loads(v)["newest"], flink)
    with flink(sql):
        sql.catch_up()
        sql.at_rate(load)
    return first.found, peer.found, sql.found


def main():
    peers.jars(JAVA)
    with harness.stack() as stack:
        us, peer, sql = measure(stack)
    lines = [("a row behind its change, p50", "p50", "ms"), ("                          p99", "p99", "ms"), ("                          most", "most", "ms"),
             (f"CPU at {RATE:,} a second", "cpu", "% of a core"), ("a backlog is counted", "rate", "a second"), ("CPU an event of it", "cpu_us", "us"),
             ("memory, idle", "idle", "MiB"), ("memory after the backlog", "full", "MiB"), ("memory, at most", "peak", "MiB")]
    print(f"{'':42}      onsale   Kafka Streams   Flink SQL")
    for text, key, unit in lines:
        print(f"{text:42}{us[key]:12,.1f}{peer.get(key, float('nan')):16,.1f}{sql.get(key, float('nan')):12,.1f} {unit}")
    missed = [text for text, bad in [
        ("p99 over 1 s", us["p99"] > 1000), ("idle above 20 MB", us["idle"] * 2**20 > 20e6),
        ("over a tenth of Kafka Streams' memory", us["peak"] > peer["peak"] / 10)] if bad]
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


if __name__ == "__main__":
    harness.run(main)
