#!/usr/bin/env python3
"""usage: verify-queue.py SHOW [USER...]   Recomputes the queue of a show from the topic `waiting`, trusting nobody: whether the seed is the one whose
hash was published before anybody joined, every place, whose turn it has been, and to whom what came back was offered. Prints each round as JSON; with
users, their places; without, everybody's, one a line. Exit code 1: the topic contradicts itself, as nothing of ours writes it.
KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; pip install confluent-kafka fastavro requests."""
import datetime
import functools
import hashlib
import hmac
import io
import json
import os
import sys
import uuid


def drawn(seed, users):
    """Those who joined before the opening, in the order that their ids, in the order of the log, and the seed make; equal ranks go by user id."""
    ids = {user: uuid.UUID(user).bytes for user in users}
    draw = hmac.digest(seed, hashlib.sha256(b"".join(ids.values())).digest(), "sha256")
    return sorted(ids, key=lambda user: (hashlib.sha256(draw + ids[user]).digest()[:8], ids[user]))


KEPT = 3_600_000  # ms for which a round that was closed can go on


class Round:
    def __init__(self, event):
        self.number, self.seed_hash, self.seed = event["round"], event["seedHash"], None
        self.closed, self.serving = None, 0  # when it was closed
        self.joined = {}  # who, in the order of the log
        self.places = {}  # from 1; empty before the opening
        self.sold_out, self.offered = None, 0  # when nothing was left; the places of all offers since
        self.offers = {}  # when each got his, in their order
        self.faults = []
        self.take_times(event)

    def take_times(self, event):
        self.opens, self.closes, self.version, self.writer = event["opensAt"], event["closesAt"], event["showVersion"], event["writer"]

    def announce(self, event):
        if event["showVersion"] < self.version or (self.seed and event["opensAt"] != self.opens):
            return
        if self.closed is not None and (event["showVersion"] == self.version or event["occurredAt"] >= self.closed + KEPT):
            return
        if event["seedHash"] == self.seed_hash:
            self.take_times(event)
            self.closed = None
        elif event["writer"] == self.writer:  # else two replicas announced at once, and the first counts
            self.faults.append("the hash of the seed changed")

    def join(self, user):
        if user not in self.joined:
            self.joined[user] = True
            if self.seed:
                self.places[user] = len(self.joined)

    def open(self, event):
        seed = bytes.fromhex(event["seed"] or "")
        if self.seed or event["occurredAt"] < self.opens:
            return
        if hashlib.sha256(seed).hexdigest() != self.seed_hash:
            self.faults.append("a seed was published that is not of the hash")
            return
        self.seed = seed
        self.places = {user: n for n, user in enumerate(drawn(seed, self.joined), 1)}

    def serve(self, serving):
        if not self.seed or serving > len(self.joined):
            self.faults.append(f"place {serving} had its turn, which nobody had")
        elif self.sold_out is None:
            self.serving = max(self.serving, serving)

    def sell_out(self, event):
        if self.seed and self.sold_out is None:
            self.sold_out = event["occurredAt"]

    def offer(self, event):
        user = event["userId"]
        if self.sold_out is None or user not in self.places:
            self.faults.append(f"user {user} was offered something, who was not on the waiting list")
        elif user not in self.offers and event["offered"] == self.offered + event["want"]:  # else two replicas offered at once, and the first counts
            self.offers[user], self.offered = event["occurredAt"], event["offered"]

    def close(self, event):
        if event["occurredAt"] >= self.closes or event["showVersion"] > self.version:
            self.closed, self.version = event["occurredAt"], max(self.version, event["showVersion"])

    def summary(self):
        return {"round": self.number, "seedHash": self.seed_hash, "seed": self.seed and self.seed.hex(), "people": len(self.joined),
                "serving": self.serving, "soldOut": self.sold_out is not None, "offers": len(self.offers), "closed": self.closed is not None,
                "faults": self.faults}


def plain(value):
    """Ids as texts, times as milliseconds."""
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000)
    return str(value) if isinstance(value, uuid.UUID) else value


def replay(events):
    """The rounds of one show, from its records in the order of the topic."""
    rounds, now, later = [], None, None  # all; the one that is open, will be first, or was last; while it is open, the one after it
    for record in events:
        event = {name: plain(value) for name, value in record.items()}
        kind, number = event["type"], event["round"]
        ahead = now is not None and now.closed is None and now.seed is not None and number > now.number
        one = later if ahead else now
        if kind == "QueueAnnounced" and (one is None or one.closed is not None) and number > (rounds[-1].number if rounds else 0):
            one = Round(event)
            if event["seedHash"] in [before.seed_hash for before in rounds]:
                one.faults.append("its seed is that of a round before")
            rounds.append(one)
            now, later = (now, one) if ahead else (one, later)
        elif one is None or number != one.number or (one.closed is not None and kind != "QueueAnnounced"):
            pass  # late: it is of a round that is over
        elif kind == "QueueAnnounced":
            one.announce(event)
        elif kind == "QueueJoined":
            one.join(event["userId"])
        elif kind == "QueueClosed":
            one.close(event)
            if now.closed is not None and later is not None and later.closed is None:
                now, later = later, None
        elif one is later:
            pass  # too early
        elif kind == "QueueOpened":
            one.open(event)
        elif kind == "QueueServing":
            one.serve(event["serving"])
        elif kind == "QueueSoldOut":
            one.sell_out(event)
        elif kind == "QueueOffered":
            one.offer(event)
    return rounds


def records(show):
    """What the topic has of a show."""
    import fastavro
    import requests
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

    @functools.cache
    def schema(number):
        answer = requests.get(f"{os.environ['SCHEMA_REGISTRY_URL']}/schemas/ids/{number}", timeout=10)
        return fastavro.parse_schema(json.loads(answer.json()["schema"]))

    consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": "verify-queue", "enable.auto.commit": False,
                         "enable.partition.eof": True})
    left = set(consumer.list_topics("waiting", timeout=10).topics["waiting"].partitions)
    consumer.assign([TopicPartition("waiting", partition, OFFSET_BEGINNING) for partition in left])
    while left:
        record = consumer.poll(30)
        if record is None:
            sys.exit("Kafka does not answer")
        if record.error():
            if record.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(f"Kafka: {record.error()}")
            left.discard(record.partition())
        elif record.key() == show.encode():  # a byte 0, the schema's number, the event
            yield fastavro.schemaless_reader(io.BytesIO(record.value()[5:]), schema(int.from_bytes(record.value()[1:5], "big")))
    consumer.close()


def main(show, *users):
    rounds = replay(records(show))
    for one in rounds:
        print(json.dumps(one.summary()))
        for user in users or sorted(one.places, key=one.places.get):
            print(user, one.places.get(user, "joined" if user in one.joined else "not there"))
    if not rounds:
        sys.exit(f"there has been no queue for show {show}")
    sys.exit(any(one.faults for one in rounds))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
