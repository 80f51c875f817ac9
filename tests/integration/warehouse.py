"""The warehouse of a stack that runs with --analytics: what its tables have, what the topics say that they have to have, and Connect between them."""
import copy
import io
import json
import re
import time
import uuid

import fastavro
import requests

from support import DEADLINE, wait_until
from topics import topic_schema

TABLES = {"users": "user_events", "tickets": "ticket_events", "shows": "show_events", "orders": "order_events", "payments": "payment_events",
          "audit": "audit_events", "entries": "entry_events", "expirations": "expiration_events", "demand": "demand_counts", "sales-by-minute": "ticket_sales",
          "show-sales": "area_sales", "tickets-audit": "ticket_deeds", "orders-audit": "order_deeds", "payments-audit": "payment_deeds"}
ERASABLE = {"users": {"email"}} | {topic: {"address"} for topic in TABLES if topic.endswith("audit")}  # what must not come into the warehouse
KEYS = {topic: ["id", "version"] for topic in TABLES} | {"expirations": ["orderId", "attempt", "occurredAt"], "sales-by-minute": ["ticketId", "minute"],
                                                             "demand": ["id"], "audit": ["id"], "show-sales": ["areaId", "minute", "part"]}


def snake(name):
    return re.sub("([A-Z])", r"_\1", name).lower()


def told(stack, topic):
    """The rows that a topic has to become: {identity: row}"""
    fields = topic_schema(topic)["fields"]
    came_later = {field["name"]: field["default"] for field in fields if "default" in field}  # writers of before do not know them
    needed = {field["name"] for field in fields} - came_later.keys()
    rows = {}
    for record in stack.topic(topic).records():
        try:
            event = stack.topic(topic).decode(record)
        except Exception:
            continue  # one of the bad ones, which have a test of their own
        if set(event) >= needed:
            row = {snake(name): value for name, value in (came_later | event).items() if name not in ERASABLE.get(topic, ())}
            rows[tuple(event[name] for name in KEYS[topic])] = row | {"kafka_partition": event.partition, "kafka_offset": event.offset}
    return rows


def loaded(ask, topic):
    """The rows that there are. ask(query, *args): of the warehouse."""
    names = [name for name, in ask("select column_name from information_schema.columns where table_name = %s", TABLES[topic])
             if name != "loaded_at"]
    rows = [dict(zip(names, row)) for row in ask(f"select {', '.join(names)} from {TABLES[topic]}")]
    return {tuple(row[snake(name)] for name in KEYS[topic]): row for row in rows}


def connect(stack, method, path, **kwargs):
    def answer():  # a worker that takes up its work says 409 or 500
        got = requests.request(method, stack.env["CONNECT_URL"] + path, timeout=60, **kwargs)
        return got if got.status_code < 300 else None
    got = wait_until(answer, f"{method} {path}")
    return got.json() if got.content else None


def reached(stack, topic):
    """{partition: the offset up to which its records are rows}, as was committed."""
    found = connect(stack, "GET", f"/connectors/warehouse-{topic}/offsets")["offsets"]
    return {o["partition"]["kafka_partition"]: o["offset"]["kafka_offset"] for o in found}


def read_again(stack, topic):
    """From the beginning, as connect/README.md tells after a mistake."""
    connect(stack, "PUT", f"/connectors/warehouse-{topic}/stop")
    connect(stack, "DELETE", f"/connectors/warehouse-{topic}/offsets")
    connect(stack, "PUT", f"/connectors/warehouse-{topic}/resume")


def tell_with_a_new_field(stack):
    """The topic tickets gets a field, seatRow, and an event that has it: "K". Returns the event without it."""
    topic, schema = stack.topic("tickets"), copy.deepcopy(topic_schema("tickets"))
    schema["fields"].append({"name": "seatRow", "type": ["null", "string"], "default": None})
    answer = requests.post(f"{topic.registry}/subjects/tickets-value/versions", json={"schema": json.dumps(schema)}, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    event = {"type": "TicketCreated", "id": str(uuid.uuid4()), "version": 1, "occurredAt": int(time.time() * 1000),
             "userId": str(uuid.uuid4()), "title": "A seat", "price": 100, "currency": "USD", "status": "available", "orderId": None}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event | {"seatRow": "K"})
    topic.produce_raw((event["id"], b"\0" + answer.json()["id"].to_bytes(4, "big") + out.getvalue()))
    return event
