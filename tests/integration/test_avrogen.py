"""tools/avrogen.py: every kind of field as C, against fastavro, and what it refuses."""
import io
import json
import pathlib
import random
import subprocess
import sys

import fastavro
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu17", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-D_GNU_SOURCE"]

# Decodes and encodes again what comes in, hex by hex.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "events.h"
int main(void) {
    static char hex[65536];
    while (fgets(hex, sizeof hex, stdin) != NULL) {
        size_t n = strcspn(hex, "\\n") / 2;
        uint8_t *bytes = malloc(n), again[65536];
        for (size_t i = 0; i < n; i++) sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
        struct sample_event event;
        if (sample_event_avro.decode(bytes, n, &event) != ST_OK) puts("malformed");
        else {
            size_t size = sample_event_avro.encode(&event, again, n), most = sample_event_avro.max_size(&event);
            if (size > most || sample_event_avro.encode(&event, again, n - 1) != 0) abort();
            for (size_t i = 0; i < size; i++) printf("%02x", again[i]);
            puts("");
        }
        free(bytes);
    }
}
"""

TYPES = {
    "string": "string", "long": "long", "int": "int", "boolean": "boolean", "double": "double",
    "uuid": {"type": "string", "logicalType": "uuid"}, "time": {"type": "long", "logicalType": "timestamp-millis"},
    "mood": {"type": "enum", "name": "SampleMood", "symbols": [f"m{i}" for i in range(70)]},  # an index of two bytes
}


def field(name, kind, **more):
    return {"name": name, "type": kind, "doc": "words", **more}


def sample(*fields):
    type_field = field("type", {"type": "enum", "name": "SampleEventType", "symbols": ["SampleMade", "SampleLost"]})
    return {"type": "record", "name": "SampleEvent", "namespace": "test", "doc": "words",
            "fields": [type_field, field("id", TYPES["uuid"]), *fields]}


def everything():
    """Each kind, and each again that can be null."""
    nullable = {k: {**v, "name": "Other" + v["name"]} if isinstance(v, dict) and "name" in v else v for k, v in TYPES.items()}
    return sample(*(field(f"some{k.capitalize()}", t) for k, t in TYPES.items()),
                  *(field(f"{k}Maybe", ["null", t], default=None) for k, t in nullable.items()))


def generate(directory, schema, **topic):
    (directory / "in").mkdir()
    topic = {"name": "samples", "schema": "samples.avsc", "key": "id", "partitions": 3, **topic}
    (directory / "in/topics.json").write_text(json.dumps({"topics": [topic]}))
    (directory / "in/samples.avsc").write_text(json.dumps(schema))
    return subprocess.run([sys.executable, ROOT / "tools/avrogen.py", directory / "in", directory / "out"],
                          capture_output=True, text=True)


def value(rng, kind):
    if isinstance(kind, list):
        return rng.choice([None, value(rng, kind[1])])
    return {
        "string": "".join(rng.choice("ab票") for _ in range(rng.randrange(200))),
        "long": rng.getrandbits(64) - 2**63, "int": rng.getrandbits(32) - 2**31, "boolean": rng.random() < 0.5,
        "double": rng.random(),
    }[kind] if isinstance(kind, str) else {
        "uuid": "%08x-%04x-%04x-%04x-%012x" % tuple(rng.getrandbits(n) for n in (32, 16, 16, 16, 48)),
        "timestamp-millis": rng.randrange(-62135596800000, 253402300800000),
    }.get(kind.get("logicalType")) or rng.choice(kind["symbols"])


def test_every_kind_of_field(tmp_path):
    schema = everything()
    assert generate(tmp_path, schema).returncode == 0
    (tmp_path / "main.c").write_text(PROGRAM)
    subprocess.run(["gcc", *FLAGS, "-I", ROOT / "common/base", "-I", ROOT / "common/kafka", "-I", tmp_path / "out",
                    "-o", tmp_path / "main", tmp_path / "main.c",
                    tmp_path / "out/events.c", ROOT / "common/base/utf8.c", ROOT / "common/base/hex.c"], check=True)
    bare = json.loads(json.dumps(schema).replace('"logicalType"', '"ignored"'))
    rng, parsed, lines = random.Random(1), fastavro.parse_schema(bare), []
    for _ in range(200):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, {f["name"]: value(rng, f["type"]) for f in schema["fields"]})
        lines.append(out.getvalue().hex())
    done = subprocess.run([tmp_path / "main"], input="\n".join([*lines, lines[0][:-2]]) + "\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*lines, "malformed"]


def test_names_in_c(tmp_path):
    assert generate(tmp_path, everything()).returncode == 0
    header = (tmp_path / "out/events.h").read_text()
    for text in ("enum sample_event_type {SAMPLE_MADE, SAMPLE_LOST};", "SAMPLE_MOOD_M0,", "struct sample_event {",
                 "int64_t some_time;", "bool has_uuid_maybe;", "const struct topic topic_samples;"):
        assert text in header
    assert '{"someTime", "some_time", AVRO_TIME, false,' in (tmp_path / "out/events.c").read_text()


def test_what_did_not_change_is_not_written_again(tmp_path):
    assert generate(tmp_path, everything()).returncode == 0
    (tmp_path / "in/topics.json").touch()
    before = (tmp_path / "out/events.h").stat().st_mtime_ns
    subprocess.run([sys.executable, ROOT / "tools/avrogen.py", tmp_path / "in", tmp_path / "out"], check=True)
    assert (tmp_path / "out/events.h").stat().st_mtime_ns == before


REFUSED = {
    "has no doc": sample({"name": "x", "type": "int"}),
    "is not a record with a doc": {**sample(), "doc": ""},
    "no C type": sample(field("x", {"type": "array", "items": "int"})),
    "no C type for {'type': 'bytes'}": sample(field("x", "bytes")),
    'a union is ["null", TYPE]': sample(field("x", ["int", "null"], default=1)),
    "with the default null": sample(field("x", ["null", "int"])),
    "the same column": sample(field("someX", "int"), field("some_x", "int")),
    "is also a symbol of": sample(field("x", {"type": "enum", "name": "Sample", "symbols": ["made"]}),
                                  field("y", {"type": "enum", "name": "Sample", "symbols": ["made"]})),
    "is no int": sample(field("x", "int", default=2**31)),
    "is no long": sample(field("x", "long", default="1")),
    "is no boolean": sample(field("x", "boolean", default=1)),
    "is no string": sample(field("x", TYPES["uuid"], default="no uuid")),
    "is no enum": sample(field("x", {"type": "enum", "name": "E", "symbols": ["a"]}, default="b")),
    "the enum's default": sample(field("x", {"type": "enum", "name": "E", "symbols": ["a"], "default": "b"})),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(tmp_path, message):
    done = generate(tmp_path, REFUSED[message])
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("topic, message", [({"key": "nobody"}, "no field nobody"), ({"key": "type"}, "the key is a uuid")])
def test_a_topic_without_a_key(tmp_path, topic, message):
    done = generate(tmp_path, sample(), **topic)
    assert done.returncode == 1 and message in done.stderr
