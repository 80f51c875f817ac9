#!/usr/bin/env python3
"""The timer wheel: ours, Kafka's own (Java's SystemTimer), and BullMQ's delayed jobs on Redis, in one run.

Needs no stack; it starts a Redis. Kafka's jars and BullMQ come into onsale's cache. Fails when our
wheel misses its targets: 10,000,000 pending; adding one and cancelling another 150 ns; 100 bytes a timer; 1,000,000 expiries a second.

Ids are random, times to go up to 15 minutes, cancelled is any of those pending. "Alone" is a pair that nobody announced
(wheel_prefetch). Kafka's wheel cancels by reference; by id it needs a map beside it: both are shown. What BullMQ does takes
round trips and it may be shared and survive its clients: another thing, but the one that this wheel stands for in systems of that
kind; jobs are inserted 1,000 a call. Lateness: at RATE a second, of ours 10,000.

Kafka's wheel gets KAFKA_TIMERS, fewer than ours, which is to its advantage: Java takes minutes to collect the garbage of 10,000,000.

TIMERS, KAFKA_TIMERS, PAIRS, JOBS, RATE and SECONDS in the environment change the sizes. What is measured is also told as it comes.
"""
import os
import pathlib
import subprocess
import tempfile

import harness
import bullmq
import fetch
import machine
import peers
from bullmq import measures
from common import BUILD, ROOT, program, say
from stack import build

JAVA = ROOT / "bench/wheel_java"
TIMERS = os.environ.get("TIMERS", "10000000")
KAFKA_TIMERS = os.environ.get("KAFKA_TIMERS", "2000000")
PAIRS = os.environ.get("PAIRS", "4000000")
JOBS = int(os.environ.get("JOBS", "100000"))
RATE = int(os.environ.get("RATE", "5000"))
SECONDS = int(os.environ.get("SECONDS", "10"))


def ours():
    say(f"onsale: {int(TIMERS):,} timers")
    return measures(BUILD / "bench/bench_wheel", TIMERS, PAIRS)


# --- Kafka's wheel ---

def kafka(work):
    jars = fetch.jars() / "kafka"
    subprocess.run([program("java"), "-cp", f"{peers.jars(JAVA)}/*", "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn",
                    "-d", work / "classes", "-cp", ":".join(map(str, jars.glob("kafka-server-common-*.jar"))), JAVA / "Bench.java"],
                   check=True)
    run = [program("java"), "-XX:+UseParallelGC", "-Xmx8g", f"-Dlog4j2.configurationFile={ROOT}/dev/kafka/log4j2.yaml",
           "-cp", f"{work}/classes:{jars}/*", "Bench", KAFKA_TIMERS, PAIRS]
    for way in ("by-reference", "by-id"):
        say(f"Kafka's wheel, cancelled {way}: {int(KAFKA_TIMERS):,} timers")
        yield measures(*run, way)


# --- the table ---

def of(name, scale=1):
    return lambda r: scale * r[name] if name in r else None


def per_second(rate, ns):
    return lambda r: r[rate] if rate in r else 1e9 / r[ns] if ns in r else None


def pair(r):
    return r.get("pair_ns") or 1e9 / r["inserts"] + 1e9 / r["cancels"]


ROWS = [  # what, unit, digits, value of a result
    ("filling", "timers/s", 0, per_second("inserts", "fill_ns")),
    ("longest batch of 128 of these", "ms", 2, of("fill_longest_batch_us", 1e-3)),
    ("add one and cancel one", "ns", 0, pair),
    ("    alone", "ns", 0, of("pair_alone_ns")),
    ("memory", "bytes/timer", 1, of("bytes_a_timer")),
    ("expiries, as time passes", "timers/s", 0, of("expiries_a_second")),
    ("longest millisecond of these", "ms", 2, of("expire_longest_us", 1e-3)),
    ("expiries, all overdue", "timers/s", 0, lambda r: r.get("late_expiries_a_second", r.get("expiries"))),
    ("lateness, p50", "ms", 2, of("late_p50_ms")),
    ("lateness, p99", "ms", 2, of("late_p99_ms")),
]


def main():
    build(["bench_wheel"])
    fetch.fetch_jars()
    peers.jars(JAVA)
    bullmq.prepare()
    with tempfile.TemporaryDirectory(prefix="onsale-bench.") as work, machine.watched():
        work = pathlib.Path(work)
        results = {"onsale": ours()}
        results["Kafka by ref."], results["Kafka by id"] = kafka(work)
        results["BullMQ"] = bullmq.measure(work, JOBS, RATE, SECONDS)
    print(f"\n{'':32}{'':12}" + "".join(f"{name:>15}" for name in results))
    for what, unit, digits, value in ROWS:
        values = [value(r) for r in results.values()]
        print(f"{what:32}{unit:12}" + "".join(f"{'' if v is None else f'{v:,.{digits}f}':>15}" for v in values))
    wheel = results["onsale"]
    missed = [text for text, bad in [("a pair over 150 ns", wheel["pair_ns"] > 150), ("over 100 bytes a timer", wheel["resident_a_timer"] > 100),
                                     ("under 1,000,000 expiries a second", wheel["expiries_a_second"] < 1000000)] if bad]
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


harness.run(main)
