#!/usr/bin/env python3
"""Makes the data contracts of the topics: documents of the Open Data Contract Standard (ODCS), one a topic.

    contractgen.py [OUT]

Reads schemas/avro/topics.json and the .avsc files it names, where the meaning of every field is written, and writes OUT/TOPIC.odcs.yaml
(schemas/contracts by default), in JSON's part of YAML. What only a contract says is in the tables below. Run it after a change of these.
"""
import json
import pathlib
import sys

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "schemas"

OWNERS = {  # the program that writes the topic
    "users": "auth", "tickets": "tickets", "shows": "tickets", "entries": "tickets", "orders": "orders", "stock": "orders", "payments": "payments",
    "letters": "auth", "audit": "auth", "tickets-audit": "tickets", "orders-audit": "orders", "payments-audit": "payments",
    "expirations": "expiration", "waiting": "waiting", "demand": "orders, waiting, web", "load": "orders", "sales-by-minute": "sales", "show-sales": "sales",
    "watermarks": "auth, tickets, orders, payments",
    "tickets-state": "state", "orders-state": "state", "shows-state": "state"}
IDENTITY = {"sales-by-minute": ["ticketId", "minute"], "expirations": ["orderId", "attempt", "occurredAt"], "watermarks": ["source"], "waiting": [],
            "demand": ["id"], "load": ["instance", "occurredAt"], "letters": ["id"], "audit": ["id"], "show-sales": ["areaId", "minute", "part"]}
TOLD = ("demand", "load")  # what processes count or measure, and say once a second
STATES = ("tickets-state", "orders-state", "shows-state")
FREE_TEXT = {"title", "venue", "city", "description", "areaName", "rowName", "phases", "organizer", "door"}  # written by people: it may hold anything
TYPES = {"string": "string", "long": "integer", "int": "integer", "boolean": "boolean", "double": "number"}
DAY_MS = 86_400_000


def classification(field):
    if field["name"] in ("email", "address"):
        return "personal"
    return "free text" if field["name"] in FREE_TEXT else "pseudonymous" if field["name"].endswith("Id") or field["name"] == "id" else "public"


def field_of(field, identity):
    kind = field["type"]
    nullable = isinstance(kind, list)
    kind = kind[1] if nullable else kind
    kind = {"type": kind} if isinstance(kind, str) else kind
    times = kind.get("logicalType") == "timestamp-millis"
    found = {"name": field["name"], "description": field["doc"], "required": not nullable,
             "logicalType": "timestamp" if times else "string" if kind["type"] == "enum" else TYPES[kind["type"]],
             "physicalType": kind.get("logicalType", kind["type"]), "classification": classification(field)}
    if kind["type"] == "enum":
        found["examples"] = kind["symbols"]
    if field["name"] in identity:
        found |= {"primaryKey": True, "primaryKeyPosition": identity.index(field["name"]) + 1}
    return found


def promises(topic):
    """What schemas/README.md and docs/guarantees.md say, and what of the alerts watches it."""
    name, config = topic["name"], topic["config"]
    kept = "for good" if config["cleanup.policy"] == "compact" else int(config["retention.ms"]) // DAY_MS
    retention = {"property": "retention", "value": kept} | ({"unit": "d"} if isinstance(kept, int) else {})
    yield retention | {"description": "How long records are kept. Compacted: the newest of each key for good." if kept == "for good"
                       else "How long records are kept."}
    if name in TOLD:
        yield {"property": "frequency", "value": 1, "unit": "s", "description": "Each process says what it counted at the end of each second, "
               "or later while Kafka is away. Not in the order of anything else."}
        yield {"property": "completeness", "value": 100, "unit": "%", "description": "But for the last second of a process that is killed. While Kafka is "
               "away for minutes, records are dropped. Alert: OnsaleCountsLost."}
        return
    yield {"property": "frequency", "value": "as it happens", "description": "A change is published when it is committed, not in batches. How long that took "
           "was measured in docs/figures.md. Alerts: OnsalePublisherLags, OnsaleConsumerLags, OnsaleNobodyPublishes."}
    yield {"property": "completeness", "value": 100, "unit": "%", "description": "No committed change is left out, whatever crashes."
           if OWNERS[name] in ("auth", "tickets", "orders", "payments") else "Made of all records of the topics that it follows from."}
    yield {"property": "order", "value": topic["key"], "description": "Records of a key are in the order of their commits; there is no order between keys."}


def contract(topic):
    schema = json.loads((SCHEMAS / "avro" / topic["schema"]).read_text())
    identity = IDENTITY.get(topic["name"], ["id"] if topic["name"] in STATES else ["id", "version"])
    return {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": f"onsale.{topic['name']}", "name": topic["name"], "version": "1.0.0", "status": "active",
        "domain": "ticketing", "dataProduct": "Onsale",
        "description": {"purpose": schema["doc"], "usage": "Read by Kafka, Confluent's wire format. Deduplicate by the primary key: schemas/README.md.",
                        "limitations": topic["why"]},
        "servers": [{"server": "kafka", "type": "kafka", "host": "KAFKA_BROKERS", "format": "avro", "description": "As ./onsale env prints it."}],
        "schema": [{"name": schema["name"], "physicalName": topic["name"], "physicalType": "topic", "logicalType": "object", "description": schema["doc"],
                    "properties": [field_of(field, identity) for field in schema["fields"]]}],
        "slaProperties": list(promises(topic)),
        "customProperties": [{"property": "owner", "value": OWNERS[topic["name"]]}, {"property": "kafkaKey", "value": topic["key"]},
                             {"property": "partitions", "value": topic["partitions"]}]}


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMAS / "contracts"
    out.mkdir(exist_ok=True)
    for topic in json.loads((SCHEMAS / "avro/topics.json").read_text())["topics"]:
        head = "# Made by tools/contractgen.py; not to be edited.\n"
        (out / f"{topic['name']}.odcs.yaml").write_text(head + json.dumps(contract(topic), indent=2, ensure_ascii=False) + "\n")


main()
