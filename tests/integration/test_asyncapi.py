"""schemas/asyncapi.yaml is true: it says of every topic what topics.json and the schemas say, and no more."""
import re
import os
import subprocess
import sys

import fastavro
import pytest

from support import ROOT, read_yaml
from topics import TOPICS, topic_schema

sys.path.insert(0, str(ROOT / "dev"))
import fetch

SCHEMAS = ROOT / "schemas"
DOCUMENT = read_yaml(SCHEMAS / "asyncapi.yaml")


def follow(part):
    """What a reference within the document refers to; anything else itself."""
    if not isinstance(part, dict) or "$ref" not in part:
        return part
    assert part["$ref"].startswith("#/"), part
    target = DOCUMENT
    for step in part["$ref"][2:].split("/"):
        target = target[step]
    return follow(target)


def message(channel):
    [(name, reference)] = DOCUMENT["channels"][channel]["messages"].items()
    assert reference == {"$ref": f"#/components/messages/{name}"}
    return follow(reference)


def parsed(file):
    """Exit code and complaints of AsyncAPI's own parser."""
    done = subprocess.run([fetch.node() / "bin/node", ROOT / "tests/asyncapi/validate.cjs", file], text=True,
                          env={**os.environ, "NODE_PATH": str(fetch.node_modules(ROOT / "tests/asyncapi"))},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, [line for line in done.stdout.splitlines() if not line.startswith(("information", "hint"))]


def test_its_own_parser_takes_it(tmp_path):
    assert parsed(SCHEMAS / "asyncapi.yaml") == (0, [])
    broken = tmp_path / "asyncapi.yaml"
    (tmp_path / "avro").symlink_to(SCHEMAS / "avro")
    broken.write_text((SCHEMAS / "asyncapi.yaml").read_text().replace("action: send", "action: shout", 1))
    code, complaints = parsed(broken)
    assert code == 1 and any("action" in line for line in complaints)


def test_it_has_every_topic():
    assert DOCUMENT["asyncapi"].startswith("3.")
    assert set(DOCUMENT["channels"]) == set(TOPICS)
    assert {name: channel["address"] for name, channel in DOCUMENT["channels"].items()} == {name: name for name in TOPICS}
    assert len(DOCUMENT["components"]["messages"]) == len(TOPICS)


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic(name):
    kafka, topic = DOCUMENT["channels"][name]["bindings"]["kafka"], TOPICS[name]
    assert kafka["topic"] == name
    assert kafka["partitions"] == topic["partitions"]
    said = {k: ",".join(v) if isinstance(v, list) else str(v) for k, v in kafka["topicConfiguration"].items()}
    assert said == {k: v for k, v in topic["config"].items() if not re.search("compaction|insync|segment", k)}  # the binding has no words for these


@pytest.mark.parametrize("name", TOPICS)
def test_a_message(name):
    said, schema = message(name), topic_schema(name)
    assert said["name"] == schema["name"]
    assert said["payload"]["schemaFormat"].startswith("application/vnd.apache.avro")
    assert (SCHEMAS / said["payload"]["schema"]["$ref"]).resolve() == SCHEMAS / "avro" / TOPICS[name]["schema"]
    fastavro.parse_schema(schema)
    key = follow(said["bindings"])["kafka"]["key"]
    assert TOPICS[name]["key"] in key["description"].replace(".", "").replace(",", "").split()
    [field] = [f for f in schema["fields"] if f["name"] == TOPICS[name]["key"]]
    assert field["type"] == ("string" if name == "watermarks" else {"type": "string", "logicalType": "uuid"})
    assert key.get("format") == (None if name == "watermarks" else "uuid")


@pytest.mark.parametrize("name", TOPICS)
def test_an_operation(name):
    """Each names the topic's service and all that it says."""
    [operation] = [o for o in DOCUMENT["operations"].values() if o["channel"] == {"$ref": f"#/channels/{name}"}]
    assert operation["action"] == "send"
    assert operation["summary"].split(" publishes ")[1].split(", ") == topic_schema(name)["fields"][0]["type"]["symbols"]


def test_topics_keyed_by_ticket_can_be_joined():
    assert len({topic["partitions"] for name, topic in TOPICS.items() if "ticketId" in (topic["key"], f"{name[:-1]}Id")}) == 1


@pytest.mark.parametrize("name", TOPICS)
def test_the_fields_that_every_event_has_come_first(name):
    """In one order, so that tables made of the topics look alike."""
    names = [field["name"] for field in topic_schema(name)["fields"]]
    common = [n for n in ("type", "id", "ticketId", "version", "occurredAt") if n in names]
    assert names[0] == "type"
    assert [n for n in names[:6] if n in common] == common
