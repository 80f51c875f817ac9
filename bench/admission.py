#!/usr/bin/env python3
"""How the rate at which people come in from a queue follows what the house bears. People wait, come in RATE (2,000) a second at most, and buy three
places together each, through the edge. After BEFORE (15) seconds the whole house, Kafka and Postgres, too, loses a core; after WHILE (20) more it gets
it back. What counts is how long a purchase takes for those who have come in: before, while, and after. The people run on the same machine, on all cores.

PEOPLE (90,000) have to be more than come in until AFTER (25) seconds later, and there are places for all. With SHARES=0 the
kernel alone says who gets the processors.
"""
import contextlib
import os
import pathlib
import subprocess
import time

os.environ.setdefault("RATE", "2000")
os.environ.setdefault("PEOPLE", "90000")
os.environ["SEATS"] = str(3 * int(os.environ["PEOPLE"]))
import harness
import onsale
import shares
from background import Background
from common import Failed, say
from cpu import family
from stack import build
from support import wait_until

BEFORE, WHILE, AFTER = (int(os.environ.get(name, seconds)) for name, seconds in (("BEFORE", 15), ("WHILE", 20), ("AFTER", 25)))
GOAL_MS = 250


class Rate(Background):
    """What `waiting` lets in, each second since the opening."""

    def __init__(self, stack):
        super().__init__()
        self.stack, self.seen = stack, []

    def go(self, _):
        while not self.stopping.wait(1):
            self.seen.append((time.time(), self.stack.metric("waiting", "onsale_waiting_rate")))

    def between(self, begin, end):
        return [rate for at, rate in self.seen if begin <= at < end]


class Admission(onsale.Sale):
    def house(self, cores):
        """All threads of the stack run on these, and whatever they start."""
        supervisor = int((self.stack.state / "run/supervisord.pid").read_text())
        for _ in range(2):  # what was started meanwhile, too
            for pid in family(supervisor):
                for thread in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                    with contextlib.suppress(OSError):  # it has ended
                        os.sched_setaffinity(int(thread.name), cores)

    def sell(self):
        log, cores = self.bench.file("answers", ""), os.sched_getaffinity(0)
        command = self.crowd("buy", self.stack.env["KAFKA_BROKERS"], log, onsale.GIVE_UP, onsale.PAY, self.seats, BEFORE + WHILE + AFTER)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as people, Rate(self.stack) as self.rate:
            try:
                if people.stdout.readline() != "ready\n":
                    raise Failed("the people are not ready")
                self.set_opening(self.show, onsale.WARM)
                wait_until(lambda: self.numbers(self.show)["open"], "it opens", pause=0.05)
                self.marks = [time.time()]
                for seconds, house in ((BEFORE, {min(cores)}), (WHILE, cores)):
                    time.sleep(seconds)
                    self.house(house)
                    self.marks.append(time.time())
                people.wait()
                self.marks.append(time.time())
            finally:
                people.kill()
        self.answers = [line.split(" ") for line in log.read_text().splitlines()]

    def told(self):
        """By phase: when a purchase was asked for, its people's turn had come."""
        bought = [(int(line[1]) / 1e6 - int(line[2]) / 1e6, int(line[2]) / 1000) for line in self.of("buy") if line[3] == "201"]
        worst = 0
        for name, begin, end in zip(("before", "a core less", "after"), self.marks, self.marks[1:]):
            took, rates = sorted(ms for at, ms in bought if begin <= at < end), self.rate.between(begin, end)
            if not took or not rates:
                raise Failed(f"nobody has bought: {name}")
            p50, p99 = harness.percentile(took, 0.5), harness.percentile(took, 0.99)
            worst = max(worst, p99)
            print(f"{name}: {len(took) / (end - begin):,.0f} purchases a second, p50 {p50:.1f} ms, p99 {p99:.1f} ms, the longest {took[-1]:.0f} ms;"
                  f" the rate each second: {' '.join(f'{rate:.0f}' for rate in rates)}", flush=True)
        refused = sum(line[3] != "201" for line in self.of("buy"))
        print(f"p99 of a purchase, of the worst of the three: {worst:.0f} ms (goal {GOAL_MS} ms); {refused} answers were no purchase;"
              f" the rate fell {self.stack.metric('waiting', 'onsale_waiting_rate_falls_total'):.0f} times")
        return worst <= GOAL_MS


def main():
    build(["crowd"])
    with harness.stack(ADMIT_RATE=str(onsale.RATE)) as stack, shares.given(stack) as share:
        sale = Admission(stack, share)
        print(sale.bench.settings(), share, sep="; ", flush=True)
        say("everybody joins")
        sale.join()
        sale.sell()
        return sale.told()


if __name__ == "__main__":
    harness.run(main)
