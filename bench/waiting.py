#!/usr/bin/env python3
"""POST /api/shows/ID/queue by people with sessions, each of whom joins once (202 when Kafka has it, and we have read it), against what a
good team would write with Node.js and Redis (waiting_redis: a sorted set), in the same run.

Then BENCH_ROWS people (1,000,000) join at once, on the topic: what each takes of memory, how long after the opening all places are known,
and how long a replica that starts needs to know them.

PEOPLE (50,000 a second of a turn) have sessions; fewer make the start shorter, and then some join again.
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import harness
import bullmq
import peers
from common import ROOT, Failed
from rounds import ROUNDS, ROWS, SECONDS, Bench, ratio
from support import Replica, free_port, wait_until

CONNECTIONS = int(os.environ.get("CONNECTIONS", "1024"))  # a crowd's; each joins once Kafka has it, and that takes milliseconds
PEOPLE = int(os.environ.get("PEOPLE", str(50000 * SECONDS)))  # more than join in a turn
AHEAD = 20 + ROWS // 5000  # seconds that a million may take to get onto the topic


def now_ms():
    return time.time_ns() // 1_000_000


class Waiting(Bench):
    def __init__(self, stack):
        self.stack, self.env, self.service, self.shows = stack, stack.env, "waiting", []
        self._directory = tempfile.TemporaryDirectory(prefix="onsale-bench.")
        self.tokens = self.file("tokens", stack.onsale("token", str(PEOPLE)))
        with urllib.request.urlopen(self.env["AUTH_URL"] + "/.well-known/jwks.json") as answer:
            self.keys = self.file("keys.json", answer.read().decode())

    def show(self, opens_ms):
        """One whose phase with a queue opens then, as `tickets` would announce it."""
        show = str(uuid.uuid4())
        moment = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000)) for ms in (opens_ms, opens_ms + 86_400_000)]
        phases = [{"name": "Sale", "opensAt": moment[0], "closesAt": moment[1], "perUser": 8, "queue": True, "codes": False}]
        self.stack.topic("shows").produce(
            {"type": "ShowAnnounced", "id": show, "version": 1, "occurredAt": now_ms(), "userId": str(uuid.uuid4()), "title": "A show",
             "venue": "A house", "city": "Basel", "startsAt": opens_ms + 86_400_000, "timeZone": "Europe/Zurich", "description": None,
             "currency": "USD", "status": "announced", "perUser": 8, "phases": json.dumps(phases)}, key="id")
        wait_until(lambda: self.numbers(show), "its queue can be joined")
        self.shows.append(show)
        return show

    def numbers(self, show, url=None):
        """None: there is no queue."""
        try:
            with urllib.request.urlopen(f"{url or self.env['WAITING_URL']}/api/shows/{show}/queue/serving", timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.HTTPError, ConnectionError):
            return None

    def join(self):
        """A second, each person once."""
        show = self.show(now_ms() + 3_600_000)
        run = self.wrk(show, script="waiting.lua", connections=CONNECTIONS)
        joined = self.numbers(show)["people"]
        if run["refused"] or joined + CONNECTIONS < min(run["requests"], PEOPLE):
            raise Failed(f"{run['refused']} of {run['requests']} were refused, {joined} have joined")
        return run

    @contextlib.contextmanager
    def peer(self):
        with bullmq.redis(self._directory.name, "--appendonly", "yes", "--appendfsync", "everysec") as redis_port:
            port = free_port()
            command = [peers.node(), "server.js", str(port), str(redis_port), self.keys]
            with subprocess.Popen(command, cwd=peers.packages(ROOT / "bench/waiting_redis"), start_new_session=True) as server:
                try:
                    url = f"http://127.0.0.1:{port}"
                    wait_until(lambda: self.answers(url), "the server of waiting_redis answers")
                    yield url
                finally:
                    server.terminate()

    @staticmethod
    def answers(url):
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def fill(self, show):
        """Everybody joins, by records as ours write them."""
        round_number = next(e["round"] for e in self.stack.topic("waiting").events() if str(e["showId"]) == show)
        for first in range(0, ROWS, 50000):
            self.stack.topic("waiting").produce(
                *({"type": "QueueJoined", "showId": show, "round": round_number, "occurredAt": now_ms(), "userId": str(uuid.uuid4())}
                  for _ in range(min(50000, ROWS - first))), key="showId")

    def told(self, name):
        return self.stack.metric("waiting", f"onsale_waiting_{name}")

    def bytes_of_people(self):
        """Of all queues, when all who have joined are measured; that is each second."""
        wait_until(lambda: self.told("people") == sum(self.numbers(show)["people"] for show in self.shows), "all people are measured")
        return self.told("people_bytes")

    def resident(self):
        status = pathlib.Path(f"/proc/{self.stack.pid('waiting')}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def a_million(bench):
    others, before = bench.bytes_of_people(), bench.resident()
    opens = now_ms() + AHEAD * 1000
    show = bench.show(opens)
    bench.fill(show)
    wait_until(lambda: bench.numbers(show)["people"] == ROWS, "all have joined")
    of_places = (bench.bytes_of_people() - others) / ROWS
    resident = (bench.resident() - before) / ROWS
    if now_ms() > opens:
        raise Failed("it opened before all had joined: more than AHEAD is needed here")
    wait_until(lambda: bench.numbers(show)["open"], "it opens", 2 * AHEAD, pause=0.005)
    opening = bench.told("opening_seconds_sum")
    with Replica(bench.stack, "waiting") as other:
        began = time.monotonic()
        other.wait_ready()
        known = time.monotonic() - began
        same = bench.numbers(show, other.url)["seed"] == bench.numbers(show)["seed"]
    print(f"{ROWS:,} people: {of_places:.0f} bytes each (goal 64), {resident:.0f} of the process; all places known {opening:.2f} s after the opening"
          f" (goal 1 s); a replica that starts knows them after {known:.1f} s (goal 5 s)")
    return of_places <= 64 and opening <= 1 and known <= 5 and same


def main():
    with harness.stack() as stack:
        bench = Waiting(stack)
        theirs, runs = [], []
        with bench.alone("auth"):
            for number in range(1, ROUNDS + 1):
                with bench.peer() as url:
                    theirs.append(bench.wrk(uuid.uuid4(), script="waiting.lua", connections=CONNECTIONS, url=url)["rate"])
                runs.append(bench.join())
                print(f"round {number}: Node.js with Redis {theirs[-1]:,.0f} joins a second, ours {runs[-1]['rate']:,.0f},"
                      f" p50 {runs[-1]['p50_us'] / 1000:.2f} ms, p99 {runs[-1]['p99_us'] / 1000:.2f} ms", flush=True)
            rate = statistics.median(run["rate"] for run in runs)
            times = statistics.median(ratio(run["rate"], peer) for run, peer in zip(runs, theirs))
            print(f"medians of {ROUNDS} rounds of {SECONDS} s: {rate:,.0f} joins a second (goal 30,000), {times:.1f} of Node.js's with Redis")
            return a_million(bench) and rate >= 30000


if __name__ == "__main__":
    harness.run(main)
