"""Who gets how much of the processors while there are not enough of them. In a cluster pods have shares by what they request; here processes
have them by control groups, where such may be made: those whom a buyer waits for go first, those who only follow what happened last. With SHARES=0 they
do not.
"""
import contextlib
import os
import pathlib

from common import say
from cpu import family
from support import wait_until

# A server of Postgres has the group of its service. The people who buy are in the first, too: they stand for other machines.
FIRST, BROKER, REST = "first", "broker", "rest"
WAITED_FOR = ("edge", "orders", "postgres-orders", "waiting", "payments", "postgres-payments", "stripe-sandbox", "postgres")
WEIGHTS = {FIRST: 16, BROKER: 2, REST: 1}
KERNEL = "Processes share the processors as the kernel sees fit"
TOLD = (f"Where the processors are not enough, {', '.join(WAITED_FOR)} and the people have {WEIGHTS[FIRST]} shares of them, Kafka {WEIGHTS[BROKER]},"
        f" all others {WEIGHTS[REST]}")


class Version:
    """Of control groups: where they are, what a group's weight is called, and how much of that is 1."""

    def __init__(self, top, controller, weight, one):
        self.top, self.weight, self.one = pathlib.Path(top), weight, one
        self.home = self.top
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                self.home = self.top / path.lstrip("/")

    def make(self, name, weight):
        group = self.top / f"onsale-bench-{os.getpid()}-{name}"
        group.mkdir()
        try:
            (group / self.weight).write_text(str(weight * self.one))
        except OSError:
            group.rmdir()
            raise
        return group

    def remove(self, group):
        """Whatever is still started in it."""
        def gone():
            move((group / "cgroup.procs").read_text().split(), self.home)
            with contextlib.suppress(OSError):  # another came meanwhile
                group.rmdir()
            return not group.exists()
        wait_until(gone, f"{group} is empty", 10)


def version():
    """The one that this machine has."""
    if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        found = Version("/sys/fs/cgroup", "", "cpu.weight", 100)
        (found.top / "cgroup.subtree_control").write_text("+cpu")
        return found
    return Version("/sys/fs/cgroup/cpu", "cpu", "cpu.shares", 1024)


def move(pids, group):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            (group / "cgroup.procs").write_text(str(pid))


def group_of(name):
    return FIRST if name in WAITED_FOR else BROKER if name == "kafka" else REST


def fill(stack, groups):
    for _ in range(2):  # what was started meanwhile, too
        for name, process in stack.status().items():
            move(family(process["pid"]) if process["pid"] else [], groups[group_of(name)])
    move([os.getpid()], groups[FIRST])


@contextlib.contextmanager
def given(stack, wanted=True):
    """Meanwhile this process and what it starts are in the first group, if that is wanted: it is not where processes are started anew, which would
    be in no group. Yields what is to be said of it."""
    with contextlib.ExitStack() as made:
        told = KERNEL
        if wanted and os.environ.get("SHARES") != "0":
            try:
                found, groups = version(), {}
                for name, weight in WEIGHTS.items():
                    groups[name] = found.make(name, weight)
                    made.callback(found.remove, groups[name])
                fill(stack, groups)
                told = TOLD
            except OSError as reason:
                say(f"no control groups of cpu can be had ({reason})")
        yield told
