"""chaos.py CHECKER SEED MINUTES BROKERS REPLICAS: people use a stack of its own while everything in it is killed, paused, restarted, and
Stripe's stand-in misbehaves. Then all is healed, and what must be true is checked. The last line says how it went. After a failure the shortest
story of the ticket concerned is printed, and build/chaos/SEED keeps the history, the logs and the topics."""
import json
import pathlib
import re
import shutil
import sys
import time
import traceback

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import story
from checks import Checks
from history import History
from nemesis import Nemesis
from sandbox import Books
from support import FRUGAL, ROOT, Topic, stacks
from workload import Crowd

HOLD = 6  # seconds
SETTINGS = {"HOLD_SECONDS": str(HOLD), "PAYMENT_GRACE_SECONDS": "5", "SIGNAL_AGAIN": "1s", "SIGNAL_AGAIN_MOST": "2s", "STRIPE_TIMEOUT": "3s",
            "STRIPE_SEARCH_LAG": "20s", "HTTP_THREADS": "2", "MAX_HOLDS_PER_USER": "4"}
TOPICS = ("tickets", "orders", "payments", "expirations")


class Run:
    def __init__(self, checker, seed, minutes, brokers, replicas):
        self.checker, self.seed, self.seconds, self.brokers, self.replicas = checker, seed, 60 * minutes, brokers, replicas
        self.evidence = ROOT / "build/chaos" / str(seed)
        shutil.rmtree(self.evidence, ignore_errors=True)
        self.evidence.mkdir(parents=True)
        self.history = History(self.evidence / "history.jsonl")
        self.deeds, self.stack = 0, None

    def play(self):
        print(f"seed {self.seed}: {self.seconds} s, {self.brokers} broker(s), {self.replicas} of each replicated service", flush=True)
        with stacks(**FRUGAL) as make:
            self.stack = make(*(["--brokers", str(self.brokers)] if self.brokers > 1 else []), **SETTINGS)
            try:
                self.disturb()
                checks = Checks(self.stack, self.history, Books(self.stack), self.checker)
                said = checks.run()
                print(f"{dict(sorted(checks.counts().items()))}\nwho owns each ticket: {said}", flush=True)
            except BaseException:
                self.keep_evidence()
                raise

    def disturb(self):
        crowd = Crowd(self.stack, self.history, self.seed, HOLD)
        nemesis = Nemesis(self.stack, self.history, crowd, self.seed, self.replicas)
        try:
            with crowd:
                with nemesis:
                    crowd.wait(self.seconds)
                print("healing", flush=True)
                nemesis.heal()
        finally:
            nemesis.give_up()
        self.deeds = nemesis.count

    def keep_evidence(self):
        for log in self.stack.state.rglob("*.log"):
            shutil.copy(log, self.evidence)
        for name in TOPICS:
            try:
                events = Topic(self.stack.env, name).events()
            except Exception as failure:
                events = []
                print(f"the topic {name} could not be read: {failure}", flush=True)
            with open(self.evidence / f"topic-{name}.jsonl", "w") as file:
                file.writelines(json.dumps(event | {"partition": event.partition, "offset": event.offset, "written": event.timestamp}, default=str) + "\n"
                                for event in events)


def main(checker, *numbers):
    run = Run(checker, *map(int, numbers))
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
