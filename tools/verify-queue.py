#!/usr/bin/env python3
"""usage: verify-queue.py SHOW [USER...]   Recomputes the queue of a show from the topic `waiting`, trusting nobody: whether the seed is the one whose
hash was published before anybody joined, every place, and whose turn it has been. Prints each round as JSON; with users, their places; without,
everybody's, one a line. Exit code 1: the topic contradicts itself, as nothing of ours writes it.
KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; pip install confluent-kafka fastavro requests."""
import functools
import hashlib
import hmac
import io
import json
import os
import sys
import uuid


def rank(seed, user):
    """What decides between those who joined before the opening; equal ranks go by user id."""
    return hmac.new(seed, uuid.UUID(user).bytes, hashlib.sha256).digest()[:8], uuid.UUID(user).bytes


class Round:
    def __init__(self, number, seed_hash):
        self.number, self.seed_hash, self.seed = number, seed_hash, None
        self.closed, self.serving = False, 0
        self.joined = {}  # who, in the order of the log
        self.places = {}  # from 1; empty before the opening
        self.faults = []

    def join(self, user):
        if user not in self.joined:
            self.joined[user] = True
            if self.seed:
                self.places[user] = len(self.joined)

    def open(self, seed):
        if self.seed:
            return
        if hashlib.sha256(seed).hexdigest() != self.seed_hash:
            self.faults.append("a seed was published that is not of the hash")
            return
        self.seed = seed
        self.places = {user: n for n, user in enumerate(sorted(self.joined, key=lambda user: rank(seed, user)), 1)}

    def serve(self, serving):
        if not self.seed or serving > len(self.joined):
            self.faults.append(f"place {serving} had its turn, which nobody had")
        else:
            self.serving = max(self.serving, serving)

    def announce(self, seed_hash):
        if seed_hash != self.seed_hash:
            self.faults.append("the hash of the seed changed")

    def summary(self):
        return {"round": self.number, "seedHash": self.seed_hash, "seed": self.seed and self.seed.hex(), "people": len(self.joined),
                "serving": self.serving, "closed": self.closed, "faults": self.faults}


def replay(events):
    """The rounds of one show, from its records in the order of the topic."""
    rounds = []
    for event in events:
        kind, number = event["type"], event["round"]
        now = rounds[-1] if rounds and not rounds[-1].closed else None
        if kind == "QueueAnnounced" and now is None and number == len(rounds) + 1:
            rounds.append(Round(number, event["seedHash"]))
        elif kind == "QueueJoined" and now:
            now.join(event["userId"])
        elif now is None or number != now.number:
            pass  # late: it is of a round that is over
        elif kind == "QueueAnnounced":
            now.announce(event["seedHash"])
        elif kind == "QueueOpened":
            now.open(bytes.fromhex(event["seed"]))
        elif kind == "QueueServing":
            now.serve(event["serving"])
        elif kind == "QueueClosed":
            now.closed = True
    return rounds


def records(show):
    """What the topic has of a show."""
    import fastavro
    import requests
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

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
        if record.error():  # the only one that is expected: the end of a partition, for now
            left.discard(record.partition())
        elif record.key() == show.encode():  # a byte 0, the schema's number, the event
            yield fastavro.schemaless_reader(io.BytesIO(record.value()[5:]), schema(int.from_bytes(record.value()[1:5], "big")))
    consumer.close()


def main(show, *users):
    rounds = replay(dict(event, userId=event["userId"] and str(event["userId"])) for event in records(show))
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
