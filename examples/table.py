#!/usr/bin/env python3
"""usage: table.py tickets|orders|shows   A table of one's own that starts today: reads TOPIC-state from its beginning into a dict, prints how many
there are by status, and follows it until interrupted. KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; pip install confluent-kafka fastavro requests."""
import collections
import functools
import io
import json
import os
import sys

import fastavro
import requests
from confluent_kafka import Consumer

topic = f"{sys.argv[1]}-state"
consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": "example-table", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "enable.partition.eof": True})
to_read = set(consumer.list_topics(topic).topics[topic].partitions)


@functools.cache
def schema(number):
    answer = requests.get(f"{os.environ['SCHEMA_REGISTRY_URL']}/schemas/ids/{number}", timeout=10)
    return fastavro.parse_schema(json.loads(answer.json()["schema"]))


table = {}
consumer.subscribe([topic])
while True:
    record = consumer.poll(10)
    if record is None:
        continue
    if record.error():  # the only one that is expected: the end of a partition, for now
        to_read.discard(record.partition())
    else:  # the newest of its key; a byte 0, the schema's number, the event
        number = int.from_bytes(record.value()[1:5], "big")
        table[record.key()] = fastavro.schemaless_reader(io.BytesIO(record.value()[5:]), schema(number))
    if not to_read:
        print(dict(collections.Counter(row["status"] for row in table.values())), flush=True)
