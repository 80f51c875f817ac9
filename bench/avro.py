#!/usr/bin/env python3
"""Encoding and decoding of events: the generated code, Apache's libavro, and Apache's Java implementation, in one run.

Needs no stack. Java's jars come by Maven into onsale's cache. Fails when the generated code is not 10 times as fast as
libavro and 2.5 times as fast as the fastest way of Java.

What is measured is the whole way: a struct (an object) of all fields to bytes, and bytes to a struct of all fields. Only the
"-value" and "-text" rows leave a part out:
- libavro-value: its own tree of values and bytes, without the struct the application uses.
- java-text: classes of the same schema without logical types, so that ids stay text and times numbers, which lets its
  generator make straight-line code (custom coders). java-generic leaves them so, too; java-specific has UUID and Instant.
"""
import collections
import json
import pathlib
import subprocess
import tempfile

import harness
import machine
import peers
from common import BUILD, ROOT, program
from stack import build

JAVA = ROOT / "bench/avro_java"
RECORDS = {"ExpirationEvent": "expirations", "TicketEvent": "tickets"}


def java(classpath, *arguments):
    options = ["-Xmx256m", "-Dorg.apache.avro.specific.use_custom_coders=true",
               "-Dorg.apache.avro.SERIALIZABLE_PACKAGES=onsale,plain"]
    return subprocess.run([program("java"), *options, "-cp", classpath, *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def plain(schema):
    """The schema without logical types, in a namespace of its own."""
    if isinstance(schema, dict):
        schema = {k: plain(v) for k, v in schema.items() if k != "logicalType"}
        return {**schema, "namespace": "plain"} if "namespace" in schema else schema
    return [plain(s) for s in schema] if isinstance(schema, list) else schema


def java_results(work):
    classpath = f"{peers.jars(JAVA)}/*"
    schemas = {}
    for record, name in RECORDS.items():
        schemas[record] = ROOT / f"schemas/avro/{name}.avsc"
        schemas["plain", record] = work / f"{name}.avsc"
        schemas["plain", record].write_text(json.dumps(plain(json.loads(schemas[record].read_text()))))
    compiler = [classpath, "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-d", work / "classes"]
    java(*compiler, "-cp", ":".join(map(str, peers.jars(JAVA).glob("*.jar"))), JAVA / "Generate.java", JAVA / "Bench.java")
    java(f"{work}/classes:{classpath}", "Generate", work / "sources", *schemas.values())
    java(*compiler, "-cp", ":".join(map(str, peers.jars(JAVA).glob("*.jar"))), *(work / "sources").rglob("*.java"))
    for record in RECORDS:
        for name, kind, schema in (("java-generic", "generic", schemas[record]), ("java-specific", "specific", schemas[record]),
                                   ("java-text", "specific", schemas["plain", record])):
            yield from java(f"{work}/classes:{classpath}", "Bench", name, kind, schema, work / f"{record}.records").splitlines()


def c_results(work):
    done = subprocess.run([BUILD / "bench/bench_avro", work], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def main():
    build(["bench_avro"])
    peers.jars(JAVA)
    results, sizes = collections.defaultdict(dict), {}
    with tempfile.TemporaryDirectory(prefix="onsale-bench.") as work, machine.watched():
        work = pathlib.Path(work)
        for line in [*c_results(work), *java_results(work)]:
            implementation, record, size, measure, ns = line.split()
            results[record, measure][implementation] = float(ns)
            sizes.setdefault(record, size)
    enough = True
    for (record, measure), times in results.items():
        ours = times["onsale"]
        print(f"{measure} a {record} of {sizes[record]} bytes (mean)")
        for implementation, ns in times.items():
            print(f"    {implementation:14} {ns:8.1f} ns" + ("" if ns == ours else f"  {ns / ours:6.1f} x"))
        fastest_java = min(ns for name, ns in times.items() if name.startswith("java"))
        enough &= times["libavro"] >= 10 * ours and fastest_java >= 2.5 * ours
    print("reached: 10 x libavro, 2.5 x Java" if enough else "MISSED: 10 x libavro, 2.5 x Java")
    return enough


harness.run(main)
