#!/usr/bin/env python3
"""usage: sales.py PNG   Reads the topic orders from its beginning into a DataFrame, prints what was sold by seller, and draws what was
placed and paid over time. KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; pip install confluent-kafka fastavro matplotlib pandas requests."""
import functools
import io
import json
import os
import sys

import fastavro
import matplotlib
import pandas
import requests
from confluent_kafka import Consumer

matplotlib.use("Agg")
consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": "example", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "enable.partition.eof": True})
to_read = set(consumer.list_topics("orders").topics["orders"].partitions)


@functools.cache
def schema(number):
    answer = requests.get(f"{os.environ['SCHEMA_REGISTRY_URL']}/schemas/ids/{number}", timeout=10)
    return fastavro.parse_schema(json.loads(answer.json()["schema"]))


rows = []
consumer.subscribe(["orders"])
while to_read:
    for record in consumer.consume(10_000, timeout=1):
        if record.error():  # the only one that is expected: the end of a partition, for now
            to_read.discard(record.partition())
        else:  # a byte 0, the schema's number, the event
            rows.append(fastavro.schemaless_reader(io.BytesIO(record.value()[5:]), schema(int.from_bytes(record.value()[1:5], "big"))))
events = pandas.DataFrame(rows).drop_duplicates(["id", "version"])
sold = events[events.type == "OrderCompleted"]
print(sold.groupby(["sellerId", "currency"]).price.agg(["count", "sum"]).sort_values("sum", ascending=False).to_string())
counts = pandas.get_dummies(events.set_index("occurredAt").type).sort_index().cumsum()
counts.plot(drawstyle="steps-post", title="Orders so far", xlabel="", figsize=(10, 5)).get_figure().savefig(sys.argv[1])
