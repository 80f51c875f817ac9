"""Topics outlive the programs that read them: a schema may only change so that what was written stays readable. schemas/avro/history
keeps every version that was registered; compatibility.py says what a change would break, and is held against the real registry here."""
import copy
import json
import uuid

import pytest
import requests

from compatibility import breaks
from support import AVRO, DEADLINE, topic_schema
import support

TOPICS = [name for name, topic in support.TOPICS.items() if topic["schema"] == f"{name}.avsc"]  # others share one of these


def kept(topic):
    """The versions registered so far, oldest first."""
    numbers = sorted(int(file.name.split(".")[1]) for file in (AVRO / "history").glob(f"{topic}.*.avsc"))
    return [json.loads((AVRO / f"history/{topic}.{n}.avsc").read_text()) for n in numbers]


def undocumented(part):
    """A schema without its docs: they may change at any time."""
    if isinstance(part, dict):
        return {key: undocumented(value) for key, value in part.items() if key != "doc"}
    return [undocumented(item) for item in part] if isinstance(part, list) else part


@pytest.mark.parametrize("topic", TOPICS)
def test_a_schema_breaks_no_version_before_it(topic):
    for number, version in enumerate(kept(topic), 1):
        broken = breaks(version, topic_schema(topic))
        assert not broken, f"{topic}.avsc may not follow its version {number}: {'; '.join(broken)}"


@pytest.mark.parametrize("topic", TOPICS)
def test_the_schema_as_it_is_now_is_kept(topic):
    assert undocumented(kept(topic)[-1]) == undocumented(topic_schema(topic)), \
        f"keep the new version: cp schemas/avro/{topic}.avsc schemas/avro/history/{topic}.{len(kept(topic)) + 1}.avsc"


# --- what breaks, and what does not ---

def field(schema, name):
    return next(f for f in schema["fields"] if f["name"] == name)


def changed(of, **how):
    return lambda schema: field(schema, of).update(how)


def added(**new):
    return lambda schema: schema["fields"].append(new)


def gone(name):
    return lambda schema: schema["fields"].remove(field(schema, name))


def symbols(name, change):
    return lambda schema: change(field(schema, name)["type"]["symbols"])


BREAKING = {
    "a field without a default": (added(name="gate", type="string"), "gate: new, and without a default"),
    "another type": (changed("price", type="string"), "price: was long, and is string"),
    "narrower": (changed("price", type="int"), "price: was long, and is int"),
    "null no longer": (changed("orderId", type="string", default=""), "orderId: was null, and is string"),
    "a symbol lost": (symbols("status", lambda s: s.remove("sold")), "status: lost the symbol sold"),
    "another name": (changed("title", name="headline"), "headline: new, and without a default"),
    "another record": (lambda schema: schema.update(name="Ticket"), "the record was called TicketEvent, and is called Ticket"),
}
FINE = {
    "nothing": lambda schema: None,
    "a field with a default": added(name="gate", type=["null", "string"], default=None),
    "wider": changed("version", type="long"),
    "null allowed": changed("title", type=["null", "string"], default=None),
    "a symbol more": symbols("status", lambda s: s.append("lost")),
    "another name, with the old one as alias": changed("title", name="headline", aliases=["title"]),
    "a field with a default gone": gone("orderId"),
}


@pytest.fixture
def registers(stack):
    """Whether the registry takes a schema as the next version of tickets."""
    url = f"{stack.env['SCHEMA_REGISTRY_URL']}/subjects/t{uuid.uuid4().hex[:10]}-value/versions"

    def register(schema):
        answer = requests.post(url, json={"schema": json.dumps(schema)}, timeout=DEADLINE)
        assert answer.status_code in (200, 409), answer.text
        return answer.status_code == 200
    assert register(topic_schema("tickets"))
    return register


@pytest.mark.parametrize("change", BREAKING)
def test_what_breaks_is_named_and_refused_by_the_registry(registers, change):
    make, message = BREAKING[change]
    new = copy.deepcopy(topic_schema("tickets"))
    make(new)
    assert breaks(topic_schema("tickets"), new)[0].startswith(message)
    assert not registers(new)


@pytest.mark.parametrize("change", FINE)
def test_what_breaks_nothing_is_taken(registers, change):
    new = copy.deepcopy(topic_schema("tickets"))
    FINE[change](new)
    assert breaks(topic_schema("tickets"), new) == []
    assert registers(new)


def test_a_field_that_others_need_stays():
    """The registry would let it go: records written before could be read. But not those written from then on, by who is not updated."""
    new = copy.deepcopy(topic_schema("tickets"))
    gone("currency")(new)
    assert breaks(topic_schema("tickets"), new) == [
        "currency: gone, and had no default: who reads by the schema of before cannot read new records"]
