"""Who gets how much of the processors while there are not enough of them. In a cluster pods have shares by what they request; here processes
have them by control groups, where such may be made: those whom a buyer waits for go first, those who only follow what happened last. With SHARES=0 they do not.
"""
import contextlib
import os
import pathlib

from common import say
from cpu import family

# A server of Postgres has the group of its service. The people who buy are in the first, too: they stand for other machines.
FIRST, BROKER, REST = "first", "broker", "rest"
KERNEL = "processes share the processors as the kernel sees fit"
WAITED_FOR = ("edge", "orders", "postgres-orders", "waiting")
WEIGHTS = {FIRST: 16, BROKER: 2, REST: 1}
ROOTS = {  # of the control groups' two versions: where it is, what a group's weight is called, and how much of that is 1
    pathlib.Path("/sys/fs/cgroup"): ("cpu.weight", 100),
    pathlib.Path("/sys/fs/cgroup/cpu"): ("cpu.shares", 1024),
}


def root():
    """Of the version that this machine has, or None."""
    for path in ROOTS:
        if (path / "cgroup.procs").exists() and ("cpu" in _text(path / "cgroup.controllers").split() or (path / "cpu.shares").exists()):
            return path
    return None


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def group_of(name):
    return FIRST if name in WAITED_FOR else BROKER if name == "kafka" else REST


def _move(pids, group):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))


def _make(top):
    name, one = ROOTS[top]
    if one == 100:
        (top / "cgroup.subtree_control").write_text("+cpu")
    groups = {group: top / f"onsale-bench-{os.getpid()}-{group}" for group in WEIGHTS}
    for group, path in groups.items():
        path.mkdir()
        (path / name).write_text(str(WEIGHTS[group] * one))
    return groups


def _remove(top, groups):
    for path in groups.values():
        _move(_text(path / "cgroup.procs").split(), top)
        path.rmdir()


@contextlib.contextmanager
def given(stack):
    """Meanwhile this process and what it starts are in the first group. Yields what is to be said of it."""
    top = root() if os.environ.get("SHARES") != "0" else None
    try:
        groups = _make(top) if top else None
    except OSError as reason:
        say(f"no control groups of cpu can be made ({reason})")
        groups = None
    if not groups:
        yield KERNEL
        return
    try:
        for name, process in stack.status().items():
            _move(family(process["pid"]) if process["pid"] else [], groups[group_of(name)])
        _move([os.getpid()], groups[FIRST])
        first = ", ".join(sorted(WAITED_FOR))
        yield (f"where the processors are not enough, {first} and the people have {WEIGHTS[FIRST]} shares of them, Kafka {WEIGHTS[BROKER]},"
               f" and all others {WEIGHTS[REST]}")
    finally:
        _remove(top, groups)
