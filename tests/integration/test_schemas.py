"""The event schemas: our encoding against fastavro's, versions of a schema against each other, and all of it through the real
registry. avro_driver is our side."""
import copy
import io
import json
import random
import subprocess
import time
import uuid

import fastavro
import pytest
import requests

from support import DEADLINE, ROOT
from topics import topic_schema

TOPICS = json.loads((ROOT / "schemas/avro/topics.json").read_text())["topics"]
NAMES = [topic["name"] for topic in TOPICS]
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


class Driver:
    def __init__(self):
        self.process = subprocess.Popen([ROOT / "build/release/tests/avro_driver"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"avro_driver died on {request}"
        return json.loads(line)


@pytest.fixture
def ours(stack):  # which builds it
    driver = Driver()
    yield driver.ask
    driver.process.stdin.close()
    assert driver.process.wait(DEADLINE) == 0


# --- fastavro's side: without logical types, so that its values are what is on the wire ---

def plain(schema):
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if k not in ("logicalType", "doc")}
    return [plain(s) for s in schema] if isinstance(schema, list) else schema


def written(schema, event):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(schema)), event)
    return out.getvalue()


def read(writer, reader, data):
    return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(copy.deepcopy(writer)),
                                      fastavro.parse_schema(copy.deepcopy(reader)))


def inner(field):
    """The type of a field, the other than null of a union."""
    return field["type"][1] if isinstance(field["type"], list) else field["type"]


def as_ours(topic, event):
    """A value of fastavro's as the driver shows it: times in microseconds."""
    times = [f["name"] for f in topic_schema(topic)["fields"]
             if isinstance(inner(f), dict) and inner(f).get("logicalType") == "timestamp-millis"]
    return {name: value * 1000 if name in times and value is not None else value for name, value in event.items()}


def made_up(rng, schema):
    """A value of a schema that still has its logical types, as it goes on the wire."""
    if isinstance(schema, list):
        return rng.choice([None, made_up(rng, schema[1])])
    if isinstance(schema, str):
        schema = {"type": schema}
    kind = schema.get("logicalType") or schema["type"]
    if kind == "record":
        return {f["name"]: made_up(rng, f["type"]) for f in schema["fields"]}
    number = rng.getrandbits(63) >> rng.randrange(63)
    return {
        "enum": lambda: rng.choice(schema["symbols"]),
        "fixed": lambda: rng.randbytes(schema["size"]),
        "array": lambda: [made_up(rng, schema["items"]) for _ in range(rng.randrange(4))],
        "map": lambda: {f"k{i}": made_up(rng, schema["values"]) for i in range(rng.randrange(4))},
        "uuid": lambda: str(uuid.UUID(bytes=rng.randbytes(16))),
        "timestamp-millis": lambda: rng.randrange(-62135596800000, 253402300800000),
        "null": lambda: None,
        "boolean": lambda: rng.random() < 0.5,
        "int": lambda: rng.choice([1, -1]) * (number % 2**31),
        "long": lambda: rng.choice([1, -1]) * number,
        "float": lambda: float(rng.randrange(-100, 100)),
        "double": rng.random,
        "bytes": lambda: rng.randbytes(rng.randrange(20)),
        "string": lambda: "".join(rng.choice(["a", "ö", "票", "🎟", '"', "\\", "\x01", " words "]) for _ in range(rng.randrange(30))),
    }[kind]()


def some_type(rng, depth=0):
    """Any type, named ones under names not used yet."""
    name = f"N{rng.getrandbits(60)}"
    kind = rng.choice(PRIMITIVES + ["enum", "fixed"] + (["array", "map", "union", "record"] if depth < 3 else []))
    return {
        "enum": lambda: {"type": "enum", "name": name, "symbols": ["p", "q", "r"]},
        "fixed": lambda: {"type": "fixed", "name": name, "size": rng.randrange(20)},
        "array": lambda: {"type": "array", "items": some_type(rng, depth + 1)},
        "map": lambda: {"type": "map", "values": some_type(rng, depth + 1)},
        "union": lambda: ["null", rng.choice([p for p in PRIMITIVES if p != "null"])],
        "record": lambda: {"type": "record", "name": name,
                           "fields": [{"name": f"f{i}", "type": some_type(rng, depth + 1)} for i in range(rng.randrange(4))]},
    }.get(kind, lambda: kind)()


def other_version(rng, schema):
    """A writer's schema that can be read as this one: fields left out that have a default, narrower numbers, null no longer or not
    yet allowed, symbols in another order, fields nobody knows, and all in any order."""
    other = copy.deepcopy(schema)
    fields = [f for f in other["fields"] if "default" not in f or rng.random() < 0.7]
    for field in fields:
        kind = inner(field)
        if field["type"] == "long" and rng.random() < 0.5:
            field["type"] = "int"
        if isinstance(kind, dict) and kind["type"] == "enum":
            rng.shuffle(kind["symbols"])
        if isinstance(field["type"], list) and rng.random() < 0.5:
            field["type"] = inner(field)
            del field["default"]
        elif not isinstance(field["type"], list) and rng.random() < 0.2:
            field["type"] = [field["type"], "string" if field["type"] == "boolean" else "boolean"]
    fields += [{"name": f"unknown{i}", "type": some_type(rng)} for i in range(rng.randrange(4))]
    rng.shuffle(fields)
    return {**other, "fields": fields}


# --- against fastavro ---

@pytest.mark.parametrize("topic", NAMES)
def test_both_write_and_read_the_same_bytes(ours, topic):
    rng, schema = random.Random(topic), topic_schema(topic)
    for _ in range(300):
        event = made_up(rng, schema)
        data = written(plain(schema), event)
        answer = ours(topic=topic, bytes=data.hex())
        assert answer["status"] == "ok", event
        assert answer["event"] == as_ours(topic, event)
        assert answer["bytes"] == data.hex()


@pytest.mark.parametrize("topic", NAMES)
def test_both_resolve_other_versions_alike(ours, topic):
    rng, schema = random.Random(topic), topic_schema(topic)
    for _ in range(200):
        writer = other_version(rng, schema)
        # A union that is none of the reader's is written by its first branch, the one that can be read.
        event = {f["name"]: made_up(rng, f["type"][0] if isinstance(f["type"], list) and f["type"][0] != "null" else f["type"])
                 for f in writer["fields"]}
        data = written(plain(writer), event)
        answer = ours(topic=topic, schema=json.dumps(writer), bytes=data.hex())
        assert answer["status"] == "ok", (writer, event, answer)
        assert answer["event"] == as_ours(topic, read(plain(writer), plain(schema), data))
        if any(inner(f) != "null" for f in writer["fields"]):
            assert ours(topic=topic, schema=json.dumps(writer), bytes=data.hex() + "00")["status"] == "malformed input"


@pytest.mark.parametrize("topic", NAMES)
def test_every_kept_version_is_still_read(ours, topic):
    """schemas/avro/history/TOPIC.N.avsc: what is in the topics and in the registry for as long as they are kept."""
    rng, schema = random.Random(topic), topic_schema(topic)
    kept = [json.loads(f.read_text()) for f in sorted((ROOT / "schemas/avro/history").glob(f"{topic}.*.avsc"))]
    for writer in [*kept, schema]:
        for _ in range(20):
            event = made_up(rng, writer)
            data = written(plain(writer), event)
            answer = ours(topic=topic, schema=json.dumps(writer), bytes=data.hex())
            assert answer["status"] == "ok", answer["why"]
            assert answer["event"] == as_ours(topic, read(plain(writer), plain(schema), data))


# --- through the registry ---

@pytest.fixture
def registry(stack):
    return stack.env["SCHEMA_REGISTRY_URL"]


@pytest.fixture
def subject():
    return f"t{uuid.uuid4().hex[:10]}-value"  # short: a reason is cut at 256 characters


def without(schema, name):
    return {**schema, "fields": [f for f in schema["fields"] if f["name"] != name]}


def with_field(schema, **field):
    return {**schema, "fields": [field, *schema["fields"]]}


def wire(schema_id, schema, event):
    return (b"\0" + schema_id.to_bytes(4, "big") + written(plain(schema), event)).hex()


def test_a_schema_registers_once_at_level_backward(ours, registry, subject):
    text = json.dumps(topic_schema("tickets"))
    first = ours(registry=registry, subject=subject, schema=text)
    assert first["status"] == "ok"
    assert ours(registry=registry, subject=subject, schema=text) == first
    assert requests.get(f"{registry}/config/{subject}", timeout=DEADLINE).json()["compatibilityLevel"] == "BACKWARD"
    assert requests.get(f"{registry}/subjects/{subject}/versions", timeout=DEADLINE).json() == [1]
    assert json.loads(requests.get(f"{registry}/schemas/ids/{first['id']}", timeout=DEADLINE).json()["schema"]) == topic_schema("tickets")


def test_a_stricter_level_stays(ours, registry, subject):
    """An operator's choice outlives the start of a service."""
    assert requests.put(f"{registry}/config/{subject}", json={"compatibility": "FULL_TRANSITIVE"}, timeout=DEADLINE).ok
    assert ours(registry=registry, subject=subject, schema=json.dumps(topic_schema("tickets")))["status"] == "ok"
    assert requests.get(f"{registry}/config/{subject}", timeout=DEADLINE).json()["compatibilityLevel"] == "FULL_TRANSITIVE"


def test_a_schema_evolves_in_both_directions(ours, registry, subject):
    """Our reader is the version in the middle: older and newer records on one topic are both read."""
    now = topic_schema("tickets")
    older, newer = without(now, "orderId"), with_field(now, name="unheardOf", type="string", default="any")
    rng = random.Random(1)
    for schema in (older, now, newer):
        registered = ours(registry=registry, subject=subject, schema=json.dumps(schema))
        assert registered["status"] == "ok", registered["why"]
        event = made_up(rng, schema)
        answer = ours(topic="tickets", registry=registry, bytes=wire(registered["id"], schema, event))
        assert answer["status"] == "ok", answer["why"]
        expected = as_ours("tickets", {"orderId": None, **event})
        expected.pop("unheardOf", None)
        assert answer["event"] == expected
    assert requests.get(f"{registry}/subjects/{subject}/versions", timeout=DEADLINE).json() == [1, 2, 3]


def test_what_would_not_read_old_records_is_refused(ours, registry, subject):
    now = topic_schema("tickets")
    assert ours(registry=registry, subject=subject, schema=json.dumps(now))["status"] == "ok"
    no_default = with_field(now, name="unheardOf", type="string")
    refused = ours(registry=registry, subject=subject, schema=json.dumps(no_default))
    assert refused["status"] == "refused by the other side"
    assert "409" in refused["why"] and "unheardOf" in refused["why"]
    assert ours(registry=registry, subject=subject, schema="{nonsense")["status"] == "refused by the other side"
    assert requests.get(f"{registry}/subjects/{subject}/versions", timeout=DEADLINE).json() == [1]


def test_an_id_nobody_gave_out_is_malformed_after_a_second(ours, registry):
    start = time.monotonic()
    answer = ours(topic="tickets", registry=registry, bytes="007fffffff00")
    assert answer["status"] == "malformed input" and "2147483647" in answer["why"]
    assert time.monotonic() - start >= 1


LOGS = ("tickets", "shows", "stock", "orders", "payments", "users", "letters", "entries", "audit")
BEFORE_THE_RULE = {("stock", "accessible"), ("users", "sessionVersion")}


@pytest.mark.parametrize("topic", LOGS)
def test_a_field_that_came_later_may_be_missing(topic):
    """Rows that were written before its column was added may not be published yet: they have no value for it, and would hold up all others."""
    versions = sorted((ROOT / "schemas/avro/history").glob(f"{topic}.*.avsc"), key=lambda path: int(path.suffixes[-2][1:]))
    fields = [{field["name"]: field["type"] for field in json.loads(path.read_text())["fields"]} for path in versions]
    came = {name: kind for newer in fields[1:] for name, kind in newer.items() if name not in fields[0]}
    assert [name for name, kind in came.items() if "null" not in kind and (topic, name) not in BEFORE_THE_RULE] == []


@pytest.mark.parametrize("kind, text", [
    ("JSON", '{"type":"object","properties":{"id":{"type":"string"}}}'),
    ("PROTOBUF", 'syntax = "proto3"; message Ticket { string id = 1; }'),
    ("AVRO", '"string"'),
    ("AVRO", '{"type":"record","name":"Other","fields":[{"name":"id","type":"string"}]}'),
    ("AVRO", '{"type":"record","name":"TicketEvent","namespace":"onsale","fields":[{"name":"id","type":"string"}]}'),
])
def test_a_schema_of_something_else_is_malformed(ours, registry, subject, kind, text):
    answer = requests.post(f"{registry}/subjects/{subject}/versions", json={"schemaType": kind, "schema": text}, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    value = b"\0" + answer.json()["id"].to_bytes(4, "big") + b"\2a"
    answer = ours(topic="tickets", registry=registry, bytes=value.hex())
    assert answer["status"] == "malformed input" and answer["why"]


def test_a_wrong_url_condemns_no_record(stack, ours, registry):
    """404, but not in a registry's words: tried again for ever, so asked here without that."""
    answer = ours(registry=registry.replace("/apis/ccompat/v7", "/nowhere"), subject="x-value", schema="{}")
    assert answer["status"] == "refused by the other side" and "is its URL right?" in answer["why"]
