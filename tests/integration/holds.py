"""Orders as the topic shows them, written by the test itself, and an ear for the signals about them."""
import collections
import contextlib
import io
import random
import threading
import time
import uuid

import fastavro
import requests
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from background import Background
from support import DEADLINE, wait_until
from topics import Ear, topic_schema

GROUP = "onsale-expiration"
TIMERS = "onsale_expiration_timers"


def now_ms():
    return time.time_ns() // 1_000_000


class Order:
    def __init__(self, hold_ms):
        self.id, self.ticket, self.user = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        self.due = now_ms() + hold_ms
        self.version, self.over_at = 0, None

    def event(self, type, status, reason=None):
        self.version += 1
        return {"type": type, "id": self.id, "ticketId": self.ticket, "version": self.version, "occurredAt": now_ms(),
                "userId": self.user, "sellerId": self.user, "status": status, "expiresAt": self.due, "price": 2000,
                "currency": "EUR", "title": "A seat", "ticketVersion": 1, "reason": reason}


class Holds(Background):
    """Places orders and ends them; hears what expiration says. What was placed and not ended is ended on leaving, so that the
    next test finds nothing pending."""

    def __init__(self, stack, answer=True):
        super().__init__()
        self.stack, self.answer = stack, answer
        self.topic, self.signals = stack.topic("orders"), stack.topic("expirations")
        self.schema = fastavro.parse_schema(topic_schema("orders"))
        self.prefix = b"\0" + self.topic.schema_id().to_bytes(4, "big")
        self.producer = Producer({"bootstrap.servers": self.topic.brokers, "partitioner": "murmur2_random",
                                  "enable.idempotence": True, "linger.ms": 1, "log_level": 0, "reconnect.backoff.max.ms": 500})
        self.lock = threading.Lock()
        self.clock_ahead_ms = 0  # of the process that signals
        self.away = []  # when the broker was, from and to
        self.orders, self.heard = {}, collections.defaultdict(list)
        self.partitions = {}  # of orders, by key

    # --- what the orders service would write ---

    def write(self, *events):
        for event in events:
            out = io.BytesIO(self.prefix)
            out.seek(len(self.prefix))
            fastavro.schemaless_writer(out, self.schema, event)
            self.producer.produce("orders", key=str(event["ticketId"]), value=out.getvalue(), on_delivery=self._written)
            self.producer.poll(0)

    def _written(self, error, record):
        assert error is None, error
        self.partitions[record.key().decode()] = record.partition()

    def flush(self):
        assert self.producer.flush(DEADLINE) == 0

    def place(self, n, hold_ms, spread_ms=0):
        """n orders that are due in hold_ms, and up to spread_ms later."""
        placed = [Order(hold_ms + (random.randrange(spread_ms) if spread_ms else 0)) for _ in range(n)]
        with self.lock:
            self.orders.update((str(o.id), o) for o in placed)
        self.write(*(o.event("OrderCreated", "created") for o in placed))
        self.flush()
        return placed

    def place_in_time(self, n, hold_ms, spread_ms=0, left_ms=1000, deed=None, undo=None, timers=None):
        """The same; and all are set while left_ms are left to the first. deed() is done before that one is due, or undone. Where the machine is too
        slow for that, with a longer hold. timers(): of whoever signals."""
        timers = timers or self.timers
        while True:
            before = timers()
            placed = self.place(n, hold_ms, spread_ms)
            due = min(o.due for o in placed)
            wait_until(lambda: timers() >= before + n or now_ms() > due - left_ms, f"{n} timers are set")
            if now_ms() <= due - left_ms:
                if deed is None:
                    return placed
                deed()
                if now_ms() < due:
                    return placed
                undo()
            self.end(placed)
            wait_until(lambda: timers() <= before, "they are over")
            hold_ms, left_ms = 2 * hold_ms, 2 * left_ms

    def end(self, orders, type="OrderCancelled", reason="buyer"):
        status = "complete" if type == "OrderCompleted" else "cancelled"
        with self.lock:
            going = [o for o in orders if o.over_at is None]
            for order in going:
                order.over_at = float("inf")
        self.write(*(o.event(type, status, None if type == "OrderCompleted" else reason) for o in going))
        self.flush()
        for order in going:
            order.over_at = now_ms()  # acknowledged: who reads to the end of the topic from now on knows it

    # --- what is heard ---

    def go(self, _):
        ear = Ear(self.signals, self.since)
        while not self.stopping.is_set():
            found = [self.signals.decode(r) for r in ear.hear(1000, timeout=0.02)]
            answered = []
            with self.lock:
                for signal in found:
                    signal.heard_at = now_ms()
                    self.heard[str(signal["orderId"])].append(signal)
                    if str(signal["orderId"]) in self.orders:
                        answered.append(self.orders[str(signal["orderId"])])
            if self.answer and answered:
                self.end(answered, reason="expired")
        ear.close()

    def wait_heard(self, orders, times=1):
        def all_heard():
            with self.lock:
                return all(len(self.heard[str(o.id)]) >= times for o in orders)
        try:
            wait_until(all_heard, f"{len(orders)} orders are signalled {times} times")
        except AssertionError as timeout:
            silent = [o for o in orders if len(self.heard[str(o.id)]) < times]
            there = sum(self.signals.ends().values()) - sum(self.since.values())
            raise AssertionError(f"{timeout}; {len(silent)} are not: {[(str(o.id), o.due) for o in silent[:3]]}; "
                                 f"the topic has {there} signals more, {sum(map(len, self.heard.values()))} were heard") from None

    def count_heard(self):
        """How many signals there have been, of whatever order, once all that the topic has are heard."""
        there = sum(self.signals.ends().values()) - sum(self.since.values())
        def count():
            with self.lock:
                return sum(map(len, self.heard.values()))
        wait_until(lambda: count() >= there, "all signals are heard")
        return count()

    def of(self, order):
        with self.lock:
            return list(self.heard[str(order.id)])

    @contextlib.contextmanager
    def broker_away(self):
        self.away.append([now_ms(), float("inf")])
        yield
        self.away[-1][1] = now_ms()

    def could_know(self, order):
        """That it was over when it was due: for a second, and neither as the broker went away before that could be read, nor while
        expiration was late with others, too, or the broker with what it said of them."""
        if not order.over_at or order.over_at > order.due - 1000 - self.clock_ahead_ms:
            return False
        if any(gone - 1000 < order.over_at and order.due < back + 3000 for gone, back in self.away):
            return False
        meanwhile = [o for o in self.orders.values() if order.over_at - 1000 < o.due <= order.due]
        first = [(o.due, signals[0]) for o in meanwhile if (signals := self.heard[str(o.id)])]
        return not any(signal.timestamp > due + 500 or signal.heard_at > due + 1000 for due, signal in first)

    def check(self):
        """What must hold of every signal, whatever happened: never early, never of an order that was known to be over, about the
        right order, in the right partition."""
        with self.lock:
            for order in self.orders.values():
                for signal in self.heard[str(order.id)]:
                    assert signal["type"] == signal.headers["type"] == "OrderExpired"
                    assert signal["expiresAt"].timestamp() * 1000 == order.due
                    assert signal["occurredAt"] >= signal["expiresAt"] and signal.timestamp >= order.due, "early"
                    assert signal.key == str(order.ticket) == str(signal["ticketId"])
                    assert signal.partition == self.partitions[signal.key]
                    assert signal["attempt"] >= 1
                    assert not self.could_know(order), "it was over"

    def unpaid(self):
        with self.lock:
            return [o for o in self.orders.values() if o.over_at is None or self.heard[str(o.id)]]

    # --- what is left ---

    def committed(self):
        consumer = Consumer({"bootstrap.servers": self.topic.brokers, "group.id": GROUP, "log_level": 0})

        def places():
            with contextlib.suppress(KafkaException):  # the broker took too long to say
                return consumer.committed([TopicPartition("orders", p) for p in range(12)], timeout=10)
        try:
            return {p.partition: max(p.offset, 0) for p in wait_until(places, "it says what is committed")}
        finally:
            consumer.close()

    def timers(self):
        return self.stack.metric("expiration", TIMERS)

    def pending(self):
        """None: it is not there, as after librdkafka has given a client up."""
        with contextlib.suppress(requests.ConnectionError):
            return self.timers() if self.stack.ready("expiration") else None

    def wait_all_over(self, pending=None):
        """Nothing pends in any instance, and a restart would read nothing again."""
        wait_until(lambda: (pending or self.pending)() == 0, "no timer is set")
        wait_until(lambda: self.committed() == self.topic.ends(), "the committed offsets are the ends", pause=0.2)

    def __enter__(self):
        self.since = self.signals.ends()
        return super().__enter__()

    def __exit__(self, kind, *_):
        super().__exit__()
        self.end(list(self.orders.values()))
        if kind is None:
            self.check()


class Load(Background):
    """Orders, two hundred a second: most expire after a second or so, every fourth is paid and every fourth cancelled before."""

    def __init__(self, holds, per_round=20, hold_ms=1200, spread_ms=2500):
        super().__init__()
        self.holds, self.per_round, self.hold_ms, self.spread_ms = holds, per_round, hold_ms, spread_ms
        self.unpaid = []

    def go(self, _):
        while not self.stopping.is_set():
            placed = self.holds.place(self.per_round, self.hold_ms, self.spread_ms)
            half, quarter = self.per_round // 2, self.per_round // 4
            self.unpaid += placed[:half]
            self.holds.end(placed[half:half + quarter], "OrderCompleted")
            self.holds.end(placed[half + quarter:])
            self.stopping.wait(0.1)

    def __exit__(self, kind, *_):
        super().__exit__()
        if kind is None:
            assert len(self.unpaid) > 100, "hardly any load"
