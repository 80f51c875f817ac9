#!/usr/bin/env python3
"""examples/flink/tables.py [--up-to-now] > tables.sql     Flink SQL's table of each topic, made of the schemas; of what is there now, or of what comes, too.

KAFKA_BROKERS and SCHEMA_REGISTRY_URL say where. A schema is given with each table, for by the one that Flink makes of the columns it reads no enum.
"""
import json
import os
import pathlib
import sys

AVRO = pathlib.Path(__file__).resolve().parents[2] / "schemas/avro"
TYPES = {"string": "STRING", "enum": "STRING", "int": "INT", "long": "BIGINT", "boolean": "BOOLEAN", "double": "DOUBLE"}
UP_TO_NOW = "'scan.bounded.mode' = 'latest-offset', " if "--up-to-now" in sys.argv else ""


def column(field):
    nullable = isinstance(field["type"], list)
    kind = field["type"][1] if nullable else field["type"]
    kind = kind if isinstance(kind, dict) else {"type": kind}
    said = "TIMESTAMP(3)" if kind.get("logicalType") == "timestamp-millis" else TYPES[kind["type"]]
    return f"`{field['name']}` {said}{'' if nullable else ' NOT NULL'}"


def table(topic):
    schema = json.loads((AVRO / topic["schema"]).read_text(), object_hook=lambda part: {key: value for key, value in part.items() if key != "doc"})
    columns = [*map(column, schema["fields"]), "`kafkaPartition` INT METADATA FROM 'partition' VIRTUAL", "`kafkaOffset` BIGINT METADATA FROM 'offset' VIRTUAL"]
    if not topic["name"].endswith("-state"):  # old truths come beside new ones there: no time passes by them
        columns.append("WATERMARK FOR `occurredAt` AS `occurredAt` - INTERVAL '30' SECOND")
    return f"""CREATE TABLE `{topic['name'].replace('-', '_')}` ({', '.join(columns)}) WITH (
  'connector' = 'kafka', 'topic' = '{topic['name']}', 'properties.bootstrap.servers' = '{os.environ['KAFKA_BROKERS']}',
  'properties.isolation.level' = 'read_committed', 'scan.startup.mode' = 'earliest-offset', {UP_TO_NOW}
  'key.format' = 'raw', 'key.fields' = '{topic['key']}', 'value.fields-include' = 'ALL',
  'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '{os.environ['SCHEMA_REGISTRY_URL']}',
  'value.avro-confluent.schema' = '{json.dumps(schema)}');"""


print("SET 'table.local-time-zone' = 'UTC';\nSET 'table.exec.source.idle-timeout' = '10 s';\nSET 'sql-client.execution.result-mode' = 'tableau';\n"
      "SET 'table.display.max-column-width' = '36';")
for topic in json.loads((AVRO / "topics.json").read_text())["topics"]:
    print(table(topic))
