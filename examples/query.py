#!/usr/bin/env python3
"""usage: query.py TOPIC SQL   ClickHouse's SQL over a topic, up to now, in this process (chdb): the table `events` has the fields of the topic's schema.
    query.py orders "select sellerId, currency, sum(price) from (select * from events limit 1 by id, version) where type = 'OrderCompleted' group by all"
KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where; pip install chdb confluent-kafka, or examples/requirements.txt."""
import os
import sys
import tempfile

import chdb
from confluent_kafka import Consumer, TopicPartition

topic, question = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": "example-query", "enable.auto.commit": False,
                     "enable.partition.eof": True})
to_read = set(consumer.list_topics(topic).topics[topic].partitions)
consumer.assign([TopicPartition(topic, partition, 0) for partition in to_read])

# The format AvroConfluent is records one behind the other, each with its schema's number: ClickHouse asks the registry itself what they have.
with tempfile.NamedTemporaryFile() as file:
    while to_read:
        for record in consumer.consume(10_000, timeout=1):
            if record.error():  # the only one that is expected: the end of a partition, for now
                to_read.discard(record.partition())
            else:
                file.write(record.value())
    file.flush()
    print(chdb.query(f"with events as (select * from file('{file.name}', AvroConfluent)) {question}"
                     " settings input_format_avro_allow_missing_fields = 1, format_avro_schema_registry_url ="  # records of before lack what came later
                     f" '{os.environ['SCHEMA_REGISTRY_URL']}'", "TSVWithNames"), end="")
