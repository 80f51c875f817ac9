"""What is done to a stack while people use it: deeds from a table, in an order that the seed says. Several arms act side by side, each on
something else. heal() undoes what is undone by itself only later, and waits until everything is up."""
import contextlib
import os
import random
import signal
import threading
import time
import xmlrpc.client

import psycopg
import requests
from background import Background
from common import Failed
from history import now_us
from processes import CONNECT
from sandbox import Books
from support import Replica, wait_until
from wiring import CLOCKED

ARMS = 3  # and one that has a standby promoted, once
STANDSTILL = 12  # seconds: longer than a consumer's session (10 s) and the brokers' own
HEALING = 900  # seconds that everything may take to be up again, on a machine with no time for us
REPLICATED = ("orders", "tickets", "payments", "waiting")
OURS = ("auth", "tickets", "orders", "payments", "web", "expiration", "sales", "state", "waiting")
FAULTS = {
    "slow": {"latency_ms": 1500, "webhook_delay_ms": 1000},
    "wrong": {"error_before": 0.2, "error_after": 0.2, "error_kept": 0.1, "rate_limit": 0.1, "drop_before": 0.1, "drop_after": 0.1,
              "refund_refused": 0.1, "webhook_duplicate": 0.5, "webhook_shuffle_ms": 1500},
    "silent": {"latency_ms": 8000},  # longer than payments waits for it
    "losing every answer": {"drop_after": 1},
}
# What is done to a link: whether connections live, in which directions nothing comes through, how slowly the rest.
NETWORK = {
    "cut": lambda wiring, link, dice: wiring.cut(link),
    "silence": lambda wiring, link, dice: wiring.poison(link, "timeout", timeout=0),
    "one-way": lambda wiring, link, dice: wiring.poison(link, "timeout", [dice.choice(["upstream", "downstream"])], timeout=0),
    "delay": lambda wiring, link, dice: wiring.poison(link, "latency", latency=600, jitter=500),
    "narrow": lambda wiring, link, dice: wiring.poison(link, "bandwidth", rate=8),
    "halve": lambda wiring, link, dice: wiring.poison(link, "limit_data", bytes=dice.randrange(20, 4000)),  # each ends within a message
}
CLOCK = (-90, -20, -3, 3, 20, 90)  # seconds by which a process is wrong
# What the stand-in does at all times: a little of everything.
ALWAYS = {"latency_ms": 50, "drop_after": 0.03, "error_after": 0.02, "webhook_duplicate": 0.1, "webhook_shuffle_ms": 300}


def descendants(pid):
    """A process with all below it: a Postgres server is one for each connection."""
    found, parents = [pid], {}
    for other in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{other}/stat") as stat:
            parents.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(other))
    for each in found:
        found += parents.get(each, [])
    return found


class Nemesis(Background):
    def __init__(self, stack, history, crowd, seed, replicas, wiring, successor, seconds, older):
        super().__init__(ARMS + 1)
        self.wiring, self.successor, self.seconds, self.gone = wiring, successor, seconds, set()
        self.older = older
        self.stack, self.history, self.doors, self.seed = stack, history, crowd.doors, seed
        self.books, self.count, self.lock = Books(stack), 0, threading.Lock()
        self.names = list(stack.status())
        self.busy, self.replicas = set(), {}  # what an arm is at work on; {name: replica}
        self.books.settings(**ALWAYS)
        for service in REPLICATED:
            for _ in range(replicas - 1):
                self.add_replica(service)
        brokers = [name for name in self.names if name.startswith("kafka")]
        databases = [name for name in self.names if name.startswith("postgres")]
        ground = [*brokers, *databases, "registry", "stripe-sandbox", CONNECT]
        # The deed, what it may be done to, how often compared with the others.
        self.deeds = [
            (self.kill, [*OURS, *ground, "edge"], 8),
            (self.kill, ["orders", "tickets", "payments", "expiration", "waiting"], 6),
            (self.pause, ["orders", "tickets", "payments", "expiration", "sales", "state", "waiting", CONNECT, *brokers, *databases], 3),
            (self.restart, [*OURS, CONNECT, *brokers, *databases], 3),
            (self.fault, list(FAULTS), 3),
            (self.come, REPLICATED, 2),
            (self.go_away, REPLICATED, 2),
            *((self.network, [f"{link} {how}" for link in sorted(wiring.links)], 2) for how in NETWORK),
            (self.clock, [f"{name}'s clock" for name in CLOCKED], 3),
        ]

    # --- the deeds ---

    def kill(self, dice, name):
        self.stack.kill(name)

    def pause(self, dice, name):
        """Long enough to be taken for dead."""
        pids = descendants(self.stack.pid(name) or 0)
        if pids[0] == 0:
            raise ProcessLookupError(name)
        signalled = []
        try:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    signalled.append(pid)
            self.stopping.wait(STANDSTILL)
        finally:
            for pid in signalled:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def restart(self, dice, name):
        self.stack.supervisor("stop", name)
        self.stopping.wait(dice.random() * 3)
        self.stack.supervisor("start", name)

    def fault(self, dice, name):
        self.books.settings(**FAULTS[name])
        self.stopping.wait(dice.uniform(2, 8))
        wait_until(self.calm, "the stand-in for Stripe has its usual faults again", pause=0.2)

    def calm(self):
        try:
            self.books.reset()
            self.books.settings(**ALWAYS)
            return True
        except (requests.RequestException, AssertionError):
            return False  # it is being started

    def network(self, dice, target):
        link, how = target.split()
        try:
            NETWORK[how](self.wiring, link, dice)
            self.stopping.wait(dice.uniform(1, STANDSTILL))
        finally:
            self.wiring.mend(link)

    def clock(self, dice, target):
        name = target.split("'")[0]
        try:
            self.wiring.clock(name, dice.choice(CLOCK))
            self.stopping.wait(STANDSTILL)
        finally:
            self.wiring.clock(name, 0)

    def promote(self, dice, name):
        self.successor.take_over()
        self.wiring.bury(f"{self.successor.service}-database0")
        self.names.remove(name)
        self.gone.add(name)

    def upgrade(self, dice, name):
        """To the program of this tree, if the stack was started with an older one's."""
        self.wiring.upgrade(name)
        self.older.remove(name)

    def come(self, dice, service):
        if sum(name.startswith(service) for name in self.replicas) < 2:
            self.add_replica(service)

    def go_away(self, dice, service):
        """Killed, asked to go, or paused until it is taken for dead."""
        names = sorted(name for name in self.replicas if name.startswith(service))
        if not names:
            return
        how = dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
        replica = self.replicas[names[0]]
        if how == signal.SIGSTOP:
            replica.signal(signal.SIGSTOP)
            self.stopping.wait(STANDSTILL)
            replica.signal(signal.SIGCONT)
        else:
            self.remove_replica(names[0], how)

    def add_replica(self, service):
        replica = Replica(self.stack, service).start()
        self.replicas[f"{service} {replica.http_port}"] = replica
        self.doors.open(service, replica.url)

    def remove_replica(self, name, how):
        replica = self.replicas.pop(name)
        self.doors.close(name.split()[0], replica.url)
        replica.signal(how)
        replica.process.wait(HEALING)
        replica.log.close()

    # --- their order ---

    def go(self, arm):
        dice = random.Random(f"{self.seed} nemesis {arm}")
        if arm == ARMS:
            self.change(dice)
            return
        self.stopping.wait(2 * arm + 1)
        while not self.stopping.is_set():
            [(deed, targets, _)] = dice.choices(self.deeds, weights=[weight for *_, weight in self.deeds])
            self.act(deed, dice, dice.choice(targets))
            self.stopping.wait(dice.uniform(0.5, 4))

    def change(self, dice):
        """What stays so: the promotion, and the upgrades, one after the other."""
        self.stopping.wait(self.seconds * dice.uniform(0.25, 0.5))
        while not self.stopping.is_set() and self.successor.name not in self.gone:
            self.act(self.promote, dice, self.successor.name)
            self.stopping.wait(0.2)
        while not self.stopping.is_set() and self.older:
            self.act(self.upgrade, dice, self.older[0])
            self.stopping.wait(dice.uniform(0.5, 2))

    def act(self, deed, dice, target):
        about = "stripe-sandbox" if target in FAULTS else target.split()[0] if deed == self.network else target
        with self.lock:
            if about in self.busy or about in self.gone:
                return
            self.busy.add(about)
            self.count += 1
        start = now_us()
        try:
            deed(dice, target)
            said = f"{deed.__name__} {target}"
        except (OSError, requests.RequestException, xmlrpc.client.Fault, psycopg.Error, AssertionError, Failed) as failure:
            said = f"{deed.__name__} {target}, in vain: {failure}"  # it is on its way up from the last time
        finally:
            with self.lock:
                self.busy.discard(about)
        self.history.add(do="deed", deed=said, start=start, end=now_us())

    # --- afterwards ---

    def heal(self):
        """Stops, and waits until everything runs. The replicas go."""
        self.stop()
        for name in list(self.replicas):
            self.replicas[name].signal(signal.SIGCONT)
            self.remove_replica(name, signal.SIGTERM)
        self.wiring.calm()
        for name in CLOCKED:
            self.wiring.clock(name, 0)
        end = time.monotonic() + HEALING
        for name in self.names:
            wait_until(lambda n=name: self.runs(n), f"{name} runs", end - time.monotonic(), pause=0.2)
        for name in self.gone:
            assert self.stack.info(name)["statename"] == "STOPPED", f"{name} runs beside the one that took its place"
        self.stack.wait_kafka(HEALING)
        wait_until(self.registry_answers, "the registry answers", HEALING, pause=0.2)
        while self.older:
            self.upgrade(None, self.older[0])
        for name in (*OURS, "stripe-sandbox"):
            wait_until(lambda n=name: self.stack.ready(n), f"{name} is ready", HEALING, pause=0.2)
            assert not self.wiring.dev.is_of_another_build(name), f"{name} is not this tree's"
        self.books.reset()

    def runs(self, name):
        state = self.stack.info(name)["statename"]
        if state not in ("RUNNING", "STARTING", "BACKOFF", "STOPPING"):  # a restart that did not come to its end
            with contextlib.suppress(xmlrpc.client.Fault):
                self.stack.supervisor("start", name)
        return state == "RUNNING"

    def registry_answers(self):
        try:
            return requests.get(self.stack.env["SCHEMA_REGISTRY_URL"] + "/subjects", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def give_up(self):
        """Nothing of ours stays, whatever failed."""
        self.stopping.set()
        for replica in self.replicas.values():
            if replica.process.poll() is None:
                replica.kill()
            replica.log.close()
