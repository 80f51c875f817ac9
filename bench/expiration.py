#!/usr/bin/env python3
"""The timers as a stream: how fast they are made again from the topic, how many orders a second are signalled, and how late.

    ./onsale bench expiration

Starts a stack of its own; nothing but Kafka and expiration runs while it is measured. BullMQ does the like on Redis afterwards, with
JOBS of them due at one moment. Fails when a target is missed: 500,000
timers a second made again, 50,000 signals a second when many are due at one moment, p99 of the lateness 10 ms at 10,000 a second.

The rate lasts WARM s before the lateness is looked at: a broker that has just been started compiles its code. Late is how long after
its expiresAt the broker appended an order's signal (LogAppendTime); of a job, when the worker has it.
ORDERS, JOBS, RATE and SECONDS in the environment change the sizes.
"""
import os
import pathlib
import re
import subprocess
import tempfile
import time

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

import harness
import bullmq
import machine
import support
from common import BUILD, say
from stack import build

ORDERS = int(os.environ.get("ORDERS", "1000000"))
JOBS = int(os.environ.get("JOBS", "100000"))
RATE = int(os.environ.get("RATE", "10000"))
SECONDS = int(os.environ.get("SECONDS", "20"))
WARM = 5
FAR_MS = 6 * 3600 * 1000
TIMERS = "onsale_expiration_timers"


def now_ms():
    return time.time_ns() // 1_000_000


def alone(stack):
    """Stops what else would read the topics; returns expiration as a replica, not yet started."""
    # Nobody answers here: each signal is to come once.
    replica = support.Replica(stack, "expiration", SIGNAL_AGAIN="1h", SIGNAL_AGAIN_MOST="1h")
    stack.only("kafka", "registry", "postgres")
    kafka = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "log_level": 0})
    resource = ConfigResource(ConfigResource.Type.TOPIC, "expirations", incremental_configs=[
        ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)])
    for done in kafka.incremental_alter_configs([resource]).values():
        done.result(30)
    return replica


def place(stack, count, first_ms, spread_ms):
    subprocess.run([BUILD / "bench/bench_expiration", stack.env["KAFKA_BROKERS"], str(stack.topic("orders").schema_id()),
                    str(count), str(first_ms), str(spread_ms)], check=True)


def resident_mib(replica, key="VmRSS"):
    return support.resident_kib(replica.process.pid, key) / 1024


def pending(replica, count):
    support.wait_until(lambda: replica.metric(TIMERS) == count, f"{count} timers are set", 120)


def signalled(stack, since, count):
    """The signals from `since` on, once there are so many, as (appended, late), in milliseconds and in the order of being due."""
    topic = stack.topic("expirations")
    support.wait_until(lambda: sum(topic.ends().values()) - sum(since.values()) >= count, f"{count} signals", 120, pause=0.5)
    signals = [(e.timestamp, e.timestamp - e["expiresAt"].timestamp() * 1000) for e in topic.events(since)]
    assert len(signals) == count, "each once"
    assert min(late for _, late in signals) >= 0, "never early"
    return sorted(signals, key=lambda s: s[0] - s[1])


def rebuild(stack, replica):
    say(f"rebuild: {ORDERS:,} pending orders")
    place(stack, ORDERS, now_ms() + FAR_MS, 1000)
    with replica:
        replica.wait_ready()
        idle = resident_mib(replica)
        assert replica.metric(TIMERS) == ORDERS
        took = int(re.findall(r"are whole, \d+ are set, after (\d+) ms", replica.output())[-1])
        assert replica.terminate() == 0
    return {"rate": ORDERS / took * 1000, "took": took, "memory": idle, "bytes": idle * 2**20 / ORDERS}


def burst(stack, replica):
    count = ORDERS // 2
    say(f"burst: {count:,} orders due at one moment")
    since, before, due = stack.topic("expirations").ends(), replica.metric(TIMERS), now_ms() + 15_000
    place(stack, count, due, 0)
    pending(replica, before + count)
    assert now_ms() < due, "the orders were placed too slowly"
    ends = [at for at, _ in signalled(stack, since, count)]
    return {"rate": count / (max(ends) - due) * 1000, "peak": resident_mib(replica, "VmHWM")}


def lateness(stack, replica):
    count, seconds = RATE * (WARM + SECONDS), WARM + SECONDS
    say(f"lateness: {RATE:,} orders due a second, {SECONDS} s")
    since, before = stack.topic("expirations").ends(), replica.metric(TIMERS)
    place(stack, count, now_ms() + 8000, seconds * 1000)
    pending(replica, before + count)
    used = support.cpu_seconds(replica.process.pid)
    time.sleep(seconds + 9)
    used = support.cpu_seconds(replica.process.pid) - used
    late = [late for _, late in signalled(stack, since, count)[RATE * WARM:]]
    return {"p50": harness.percentile(late, 0.5), "p99": harness.percentile(late, 0.99), "max": max(late), "cpu": used / seconds}


def main():
    build(["bench_expiration"])
    bullmq.prepare()
    with harness.stack() as stack:
        replica = alone(stack)
        with replica:
            replica.wait_ready()
            idle = resident_mib(replica)
            assert replica.terminate() == 0
        again = rebuild(stack, replica_again(replica))
        with replica_again(replica) as running:
            running.wait_ready()
            late = lateness(stack, running)
            many = burst(stack, running)
    with tempfile.TemporaryDirectory(prefix="onsale-bench.") as work, machine.watched():
        peer = bullmq.measure(pathlib.Path(work), JOBS, RATE, SECONDS)
    print(f"""
{'':52}          BullMQ
timers made again from the topic      {again['rate']:12,.0f} a second   ({ORDERS:,} in {again['took']:,} ms)
memory with them                      {again['memory']:12,.1f} MiB        ({again['bytes']:.0f} bytes a timer, all in; BullMQ: {peer['bytes_a_timer']:.0f})
memory, idle                          {idle:12,.1f} MiB
signals, all due at one moment        {many['rate']:12,.0f} {peer['expiries']:15,.0f} a second
late at {RATE:,} a second: p50          {late['p50']:12,.0f} {peer['late_p50_ms']:15,.0f} ms
                        p99          {late['p99']:12,.0f} {peer['late_p99_ms']:15,.0f} ms
                        most         {late['max']:12,.0f} ms
CPU at that rate                      {100 * late['cpu']:12,.0f} % of a core""")
    missed = [text for text, bad in [
        ("rebuild below 500,000 a second", again["rate"] < 500_000), ("signals below 50,000 a second", many["rate"] < 50_000),
        ("p99 over 10 ms", late["p99"] > 10), ("idle above 20 MiB", idle > 20)] if bad]
    print(f"missed: {', '.join(missed)}" if missed else "targets met")
    return not missed


def replica_again(replica):
    replica.log = open(replica.log.name, "a+b")
    return replica


harness.run(main)
