#!/usr/bin/env python3
"""The warehouse: how far it is behind the topics, and how fast Connect's sinks are when they have to catch up.

    ./onsale bench warehouse

Starts a stack of its own with --analytics, of which nothing but Postgres, Kafka, the registry and Connect runs while it is measured. Whole
purchases of eight events on three topics come at RATE events a second, for WARM s before they count: Connect compiles its code. Behind
is what lies between an event's occurredAt, set when it is sent, and the last row of the transaction that brings it. Fails when p99 is over 2 s.
Then EVENTS are written while the sinks rest, and it is measured how long the rows take that come then, all three topics at once.
RATE, SECONDS and EVENTS in the environment change the sizes.
"""
import io
import os
import time
import uuid

import fastavro
import psycopg
import requests
from confluent_kafka import Producer

import harness
import support
import topics
from common import say

RATE = int(os.environ.get("RATE", "2000"))
SECONDS = int(os.environ.get("SECONDS", "40"))
EVENTS = int(os.environ.get("EVENTS", "240000"))
WARM = 15
GOAL_SECONDS = 2
TABLES = {"tickets": "ticket_events", "orders": "order_events", "payments": "payment_events"}
STEPS = 8  # events a purchase


def purchase():
    """The events of one, in order: (topic, event without its time)."""
    ticket, order, charge, buyer, seller = (str(uuid.uuid4()) for _ in range(5))
    t = {"id": ticket, "userId": seller, "title": "A seat in row 1", "price": 2000, "currency": "USD", "orderId": None}
    o = {"id": order, "ticketId": ticket, "userId": buyer, "sellerId": seller, "expiresAt": 1_800_000_000_000, "price": 2000,
         "currency": "USD", "title": "A seat in row 1", "ticketVersion": 1, "reason": None}
    p = {"id": charge, "ticketId": ticket, "orderId": order, "userId": buyer, "amount": 2000, "currency": "USD", "attempt": 1,
         "final": False, "stripeId": None, "reason": None}
    yield "tickets", {**t, "type": "TicketCreated", "version": 1, "status": "available"}
    yield "orders", {**o, "type": "OrderCreated", "version": 1, "status": "created"}
    yield "tickets", {**t, "type": "TicketUpdated", "version": 2, "status": "reserved", "orderId": order}
    yield "payments", {**p, "type": "PaymentStarted", "version": 1, "status": "started"}
    yield "orders", {**o, "type": "OrderUpdated", "version": 2, "status": "awaiting_payment"}
    yield "payments", {**p, "type": "PaymentCreated", "version": 2, "status": "succeeded"}
    yield "orders", {**o, "type": "OrderCompleted", "version": 3, "status": "complete"}
    yield "tickets", {**t, "type": "TicketUpdated", "version": 3, "status": "sold", "orderId": order}


class Writer:
    def __init__(self, stack):
        self.producer = Producer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "linger.ms": 5, "partitioner": "murmur2_random",
                                  "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000, "log_level": 0})
        self.schemas = {topic: (fastavro.parse_schema(topics.topic_schema(topic)), stack.topic(topic).schema_id()) for topic in TABLES}

    def purchases(self, count):
        for _ in range(count):
            for topic, event in purchase():
                schema, number = self.schemas[topic]
                out = io.BytesIO()
                out.write(b"\0" + number.to_bytes(4, "big"))
                fastavro.schemaless_writer(out, schema, event | {"occurredAt": time.time_ns() // 1_000_000})
                self.producer.produce(topic, out.getvalue(), event.get("ticketId", event["id"]))
        self.producer.poll(0)


def at_rate(writer, seconds):
    begin, sent = time.monotonic(), 0
    while (passed := time.monotonic() - begin) < seconds:
        wanted = int(passed * RATE / STEPS) - sent
        writer.purchases(wanted)
        sent += wanted
        time.sleep(0.005)
    assert writer.producer.flush(30) == 0
    return sent


def count(warehouse):
    return sum(warehouse.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES.values())


def await_count(warehouse, wanted):
    support.wait_until(lambda: count(warehouse) == wanted, f"{wanted} rows", 300, pause=0.3)


def behind(stack, writer, warehouse):
    """Events written."""
    say(f"{RATE:,} events a second for {WARM} and {SECONDS} s")
    warm = at_rate(writer, WARM)
    since = time.time()
    sent = at_rate(writer, SECONDS)
    await_count(warehouse, (warm + sent) * STEPS)
    rows = " union all ".join(f"select max(loaded_at) over (partition by xmin::text) - occurred_at as late, occurred_at from {table}"
                              for table in TABLES.values())
    p50, p99, most, rows = warehouse.execute(
        "select extract(epoch from percentile_cont(0.5) within group (order by late))::float8, extract(epoch from percentile_cont(0.99)"
        f" within group (order by late))::float8, extract(epoch from max(late))::float8, count(*) from ({rows}) t"
        " where occurred_at >= to_timestamp(%s)", [since]).fetchone()
    print(f"behind at {rows / SECONDS:,.0f} events a second: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, most {most * 1000:.0f} ms")
    return (warm + sent) * STEPS, p99 <= GOAL_SECONDS


def catch_up(stack, writer, warehouse, before):
    def sinks(action):
        for topic in TABLES:
            requests.put(f"{stack.env['CONNECT_URL']}/connectors/warehouse-{topic}/{action}", timeout=30).raise_for_status()
    sinks("pause")
    writer.purchases(EVENTS // STEPS)
    assert writer.producer.flush(120) == 0
    pid = stack.pid("connect")
    begin, cpu = time.monotonic(), support.cpu_seconds(pid)
    sinks("resume")
    await_count(warehouse, before + EVENTS)
    took = time.monotonic() - begin
    memory = stack.status()["connect"]["memory"] / 2**20
    print(f"catching up with {EVENTS:,} events: {EVENTS / took:,.0f} a second, {support.cpu_seconds(pid) - cpu:.1f} s of CPU, {memory:.0f} MiB")


def main():
    with harness.stack("--analytics") as stack:
        stack.only("kafka", "registry", "postgres", "connect")
        writer = Writer(stack)
        with psycopg.connect(stack.env["WAREHOUSE_DATABASE_URL"], autocommit=True) as warehouse:
            written, good = behind(stack, writer, warehouse)
            catch_up(stack, writer, warehouse, written)
    return good


harness.run(main)
