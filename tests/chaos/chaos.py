"""chaos.py CHECKER PROXY SEED MINUTES BROKERS REPLICAS [REVISION]: people use a stack of its own while everything in it is killed, paused, restarted, the
network between its parts fails, their clocks are wrong, a standby takes over, and Stripe's stand-in misbehaves. Then all is healed, and what
must be true is checked. The last line says how it went. After a failure the shortest story of the ticket concerned is printed, and
build/chaos/SEED keeps the history, the logs, the topics and what the databases have."""
import contextlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time
import traceback

sys.path.extend([str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests/integration", "dev")])
import story
import upgrade
from checks import Checks
from footprint import Footprints
from history import History
from nemesis import OURS, Nemesis
from processes import postgres_bin
from rows import Rows
from sandbox import Books
from successor import Successor
from support import FRUGAL, ROOT, Topic, stacks
from wiring import KEEPERS, Wiring
from workload import Crowd

HOLD = 6  # seconds
SETTINGS = {"HOLD_SECONDS": str(HOLD), "PAYMENT_GRACE_SECONDS": "5", "SIGNAL_AGAIN": "1s", "SIGNAL_AGAIN_MOST": "2s", "STRIPE_TIMEOUT": "3s",
            "STRIPE_SEARCH_LAG": "20s", "HTTP_THREADS": "2", "STRIPE_RATE": "10", "MAX_HOLDS_PER_USER": "4", "ADMIT_RATE": "2",
            "PAYMENT_FAILURES": "0", "WATERMARK_INTERVAL": "1s", "RDKAFKA_FETCH_WAIT_MAX_MS": "500", "RDKAFKA_HEARTBEAT_INTERVAL_MS": "1000"}
TOPICS = ("tickets", "orders", "payments", "expirations", "waiting")


class Run:
    def __init__(self, checker, proxy, seed, minutes, brokers, replicas, revision):
        self.began, self.proxy = time.monotonic(), proxy
        self.checker, self.seed, self.seconds, self.brokers, self.replicas = checker, seed, 60 * minutes, brokers, replicas
        self.revision = revision  # that it starts with, to be upgraded; "": this tree
        self.evidence = ROOT / "build/chaos" / str(seed)
        shutil.rmtree(self.evidence, ignore_errors=True)
        self.evidence.mkdir(parents=True)
        self.history = History(self.evidence / "history.jsonl")
        self.deeds, self.stack = 0, None

    def play(self):
        print(f"seed {self.seed}: {self.seconds} s, {self.brokers} broker(s), {self.replicas} of each replicated service"
              + (f", from {self.revision} to this tree" if self.revision else ""), flush=True)
        with stacks(upgrade.before(self.revision) if self.revision else ROOT, **FRUGAL) as make:
            self.stack = make("--analytics", *(["--brokers", str(self.brokers)] if self.brokers > 1 else []), **SETTINGS)
            self.say("a stack runs")
            with self.wired() as (wiring, successor):
                footprints = Footprints(self.stack)
                with footprints:
                    self.disturb(wiring, successor)
                rows = Rows(self.stack, wiring.dev.state)
                checks = Checks(self.stack, self.history, Books(self.stack), self.checker, rows, self.say)
                said = checks.run()
                print(f"before, at most, and afterwards: {footprints.check()}", flush=True)
            print(f"{dict(sorted(checks.counts().items()))}\nwho owns each ticket: {said}", flush=True)

    @contextlib.contextmanager
    def wired(self):
        """With what can be disturbed between its processes, and a server of Postgres that takes over from another."""
        with contextlib.ExitStack() as closing:
            try:
                upgrade.run_of(self.stack.tree)
                wiring = Wiring(self.stack, self.proxy)
                closing.callback(wiring.close)
                service = random.Random(self.seed).choice(["orders", "tickets", "payments"])
                successor = Successor(self.stack, service, wiring.dev.state)
                closing.callback(successor.close)
                wiring.rewire({service: successor.ports})
                for key in (f"{service.upper()}_{role}DATABASE_URL" for role in ("", "OWNER_", "REPLICATION_")):
                    if key in self.stack.env:  # of a version before there are two
                        self.stack.env[key] = successor.url(self.stack.env[key])
                self.say(f"its network and clocks are in our hands, and {successor.name} has a standby")
                if self.revision:
                    upgrade.run_of(ROOT)
                    wiring.dev.create_topics()
                yield wiring, successor
            except BaseException:
                self.keep_evidence()  # while the server that took over is there to be asked
                raise

    def disturb(self, wiring, successor):
        crowd = Crowd(self.stack, self.history, self.seed, HOLD)
        nemesis = Nemesis(self.stack, self.history, crowd, self.seed, self.replicas, wiring, successor, self.seconds,
                          [*OURS, "stripe-sandbox"] if self.revision else [])
        try:
            with crowd:
                with nemesis:
                    crowd.wait(self.seconds)
                self.say("healing")
                nemesis.heal()
        finally:
            nemesis.give_up()
        self.deeds = nemesis.count

    def say(self, what):
        print(f"{time.monotonic() - self.began:4.0f} s  {what}", flush=True)

    def keep_evidence(self):
        for log in (path for folder in ("", "log", "data/standby") for path in (self.stack.state / folder).glob("*.log")):
            shutil.copy(log, self.evidence)
        for service in (*KEEPERS, "warehouse"):
            with open(self.evidence / f"{service}.sql", "w") as file:
                subprocess.run([postgres_bin() / "pg_dump", "--data-only", self.stack.env[f"{service.upper()}_DATABASE_URL"]], stdout=file, check=False)
        for name in TOPICS:
            try:
                events = Topic(self.stack.env, name).events()
            except Exception as failure:
                events = []
                print(f"the topic {name} could not be read: {failure}", flush=True)
            with open(self.evidence / f"topic-{name}.jsonl", "w") as file:
                file.writelines(json.dumps(event | {"partition": event.partition, "offset": event.offset, "written": event.timestamp}, default=str) + "\n"
                                for event in events)


def main(checker, proxy, seed, minutes, brokers, replicas, revision=""):
    run = Run(checker, proxy, int(seed), int(minutes), int(brokers), int(replicas), revision)
    began = time.monotonic()
    try:
        run.play()
    except Exception as failure:
        traceback.print_exc()
        story.tell(str(failure), run.history, run.evidence)
        what = re.sub(r"\s+", " ", str(failure) or type(failure).__name__)[:300]
        print(f"seed {run.seed}: WRONG: {what}; the evidence is in {run.evidence.relative_to(ROOT)}", flush=True)
        return 1
    finally:
        run.history.close()
    print(f"all of it took {time.monotonic() - began:.0f} s")
    print(f"{run.seconds} s, seed {run.seed}, {len(run.history.requests()):,} requests, {run.deeds} deeds: nothing wrong", flush=True)
    shutil.rmtree(run.evidence)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
