"""Orders as the topic shows them, written by the test itself, what they come to by a model of few lines, and what sales says."""
import collections
import io
import random
import time
import uuid

import fastavro
from confluent_kafka import Producer

from background import Background
from support import wait_until
from topics import Ear, topic_schema

MINUTE = 60_000
# For streams that write in transactions: a dead instance is noticed after 6 s, and what it left open is void then.
SOON_VOID = {"RDKAFKA_SESSION_TIMEOUT_MS": "6000", "RDKAFKA_TRANSACTION_TIMEOUT_MS": "6000"}
SOON_FINAL = {"WATERMARK_INTERVAL": "1s"}
COUNTS = {"OrderCreated": ["placed"], "OrderCompleted": ["sold"], "OrderCancelled": ["cancelled"]}
NAMES = ["placed", "sold", "cancelled", "expired", "revenue"]


def event(order, ticket, version, type, at_ms, price=2000, currency="EUR", reason=None):
    status = {"OrderCreated": "created", "OrderUpdated": "awaiting_payment", "OrderCompleted": "complete"}.get(type, "cancelled")
    return {"type": type, "id": order, "ticketId": ticket, "version": version, "occurredAt": at_ms, "userId": order, "sellerId": ticket,
            "status": status, "expiresAt": at_ms + 900_000, "price": price, "currency": currency, "title": "A seat",
            "ticketVersion": 1, "reason": reason}


def expected(events):
    """What sales must say of these: {(ticket, minute): row}. Each is counted once, by the time at which it happened."""
    tickets = collections.defaultdict(lambda: collections.defaultdict(list))
    for one in {(str(e["id"]), e["version"]): e for e in events}.values():
        if one["type"] in COUNTS:
            tickets[str(one["ticketId"])][one["occurredAt"] // MINUTE * MINUTE].append(one)
    rows = {}
    for ticket, minutes in tickets.items():
        total = collections.Counter()
        for minute, counted in sorted(minutes.items()):
            row = collections.Counter(dict.fromkeys(NAMES, 0))
            for one in counted:
                row.update(COUNTS[one["type"]])
                row["expired"] += one["reason"] == "expired"
                row["revenue"] += one["price"] if one["type"] == "OrderCompleted" else 0
            total.update(row)
            rows[ticket, minute] = {
                "type": "SalesCounted", "ticketId": ticket, "minute": minute, "occurredAt": max(e["occurredAt"] for e in counted),
                "version": total["placed"] + total["sold"] + total["cancelled"], "currency": counted[0]["currency"],
                **{name: row[name] for name in NAMES}, **{f"total{name.capitalize()}": total[name] for name in NAMES}}
    return rows


def writer(stack):
    return Producer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "partitioner": "murmur2_random", "enable.idempotence": True,
                     "linger.ms": 1, "log_level": 0, "reconnect.backoff.max.ms": 500})


class Market:
    """Tickets that are ordered again and again, and sold once, by the dice. Every so often something is told late, or again."""

    def __init__(self, stack, tickets=150, seed=None):
        self.dice = random.Random(seed)
        self.topic = stack.topic("orders")
        self.schema, self.id = fastavro.parse_schema(topic_schema("orders")), self.topic.schema_id()
        self.producer = writer(stack)
        self.events, self.put_off = [], []
        self.tickets = [self._ticket() for _ in range(tickets)]

    def _ticket(self):
        return {"id": uuid.UUID(int=self.dice.getrandbits(128), version=4), "at": time.time_ns() // 1_000_000 - self.dice.randrange(10 * MINUTE),
                "order": None, "price": self.dice.randrange(1, 100_000), "currency": self.dice.choice(["EUR", "USD", "JPY"])}

    def happen(self, n):
        """n more changes; those told now are returned."""
        told = []
        for _ in range(n):
            place = self.dice.randrange(len(self.tickets))
            one = self._change(self.tickets[place])
            if one["type"] == "OrderCompleted":
                self.tickets[place] = self._ticket()
            self.events.append(one)
            if self.dice.random() < 0.1:
                self.put_off.append(one)
            else:
                told.append(one)
            if self.put_off and self.dice.random() < 0.09:
                told.append(self.put_off.pop(self.dice.randrange(len(self.put_off))))
            if told and self.dice.random() < 0.1:
                told.append(self.dice.choice(told))
        return told

    def _change(self, ticket):
        ticket["at"] += self.dice.randrange(40_000)
        make = lambda type, reason=None: event(  # noqa: E731
            ticket["order"], ticket["id"], ticket["version"], type, ticket["at"], ticket["price"], ticket["currency"], reason)
        if ticket["order"] is None:
            ticket["order"], ticket["version"] = uuid.UUID(int=self.dice.getrandbits(128), version=4), 1
            return make("OrderCreated")
        ticket["version"] += 1
        roll = self.dice.random()
        if roll < 0.3:
            return make("OrderUpdated")
        if roll < 0.5:
            return make("OrderCompleted")
        cancelled = make("OrderCancelled", self.dice.choice(["expired", "buyer"]))
        ticket["order"] = None
        return cancelled

    def rest(self):
        late, self.put_off = self.put_off, []
        self.dice.shuffle(late)
        return late

    def tell(self, events):
        for one in events:
            out = io.BytesIO(b"\0" + self.id.to_bytes(4, "big"))
            out.seek(5)
            fastavro.schemaless_writer(out, self.schema, one)
            self.producer.produce("orders", key=str(one["ticketId"]), value=out.getvalue())
            self.producer.poll(0)

    def flush(self):
        assert self.producer.flush(60) == 0


class Crowd(Background):
    """A market that goes on and on."""

    def __init__(self, market, at_once=20):
        super().__init__()
        self.market, self.at_once = market, at_once

    def go(self, _):
        while not self.stopping.is_set():
            self.market.tell(self.market.happen(self.at_once))
            self.stopping.wait(0.05)
        self.market.tell(self.market.rest())
        self.market.flush()


class Tally:
    """Reads sales-by-minute from where it stands, as committed, on and on. Of each ticket and minute no row is ever followed by an older
    one, or by itself, but for once when it has become final."""

    final_again = False  # the note of what is final was lost with the place in the topic: rows become final once more

    def __init__(self, stack, again=False):
        """again: what was told is told again, from its first version on."""
        self.topic, self.again = stack.topic("sales-by-minute"), again
        self.ear = Ear(self.topic, self.topic.ends())
        self.rows, self.final, self.records = {}, {}, collections.Counter()

    def read(self, timeout=0.05):
        for record in self.ear.hear(5000, timeout):
            row = self.topic.decode(record)
            assert record.key().decode() == str(row["ticketId"]) and row.headers == {"type": "SalesCounted"}
            plain = {name: int(value.timestamp() * 1000) if name in ("minute", "occurredAt") else str(value) if name == "ticketId" else value
                     for name, value in row.items()}
            key, final = (plain["ticketId"], plain["minute"]), plain.pop("final")
            before = self.rows.get(key, {"version": 0})["version"]
            becomes_final = plain["version"] == before and final and (self.final_again or not self.final[key])
            assert self.again or before < plain["version"] or becomes_final, f"{self.rows[key]} is followed by {plain}"
            assert before < plain["version"] or self.again or self.rows[key] == plain, f"{self.rows[key]} becomes {plain} when it is final"
            self.rows[key], self.final[key] = plain, final
            self.records[plain["ticketId"]] += before < plain["version"]

    def wait_for(self, rows):
        """Until they are what was read, all and nothing else, but for rows of other tests' tickets that have become final meanwhile."""
        tickets = {ticket for ticket, _ in rows}

        def same():
            self.read()
            return {key: row for key, row in self.rows.items() if key[0] in tickets or not self.final[key]} == rows
        try:
            wait_until(same, f"{len(rows)} rows are told", pause=0)
        except AssertionError as timeout:
            odd = [(self.rows.get(key), rows.get(key)) for key in {**rows, **self.rows}
                   if self.rows.get(key) != rows.get(key) and (key[0] in tickets or not self.final[key])]
            raise AssertionError(f"{timeout}; {len(odd)} are not as they should be, such as (is, should be) {odd[:2]}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ear.close()
