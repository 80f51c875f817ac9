"""What else the machine did while something was measured, so that a noisy neighbour is not taken for a regression."""
import contextlib
import dataclasses
import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 0.1  # of the CPU: what others may take of it


@dataclasses.dataclass
class Sample:
    at: float      # seconds
    busy: float    # seconds of CPU that this machine has used, over all its cores
    stolen: float  # that the host gave to other machines
    ours: float    # that the processes we ask about have used
    load: str      # the load of the last minute


def tree_seconds(roots):
    """CPU of these processes and all below them, with what ended and was waited for."""
    used, children = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            pid = int(path.parent.name)
            used[pid] = sum(map(int, fields[11:15])) / TICKS
            children.setdefault(int(fields[1]), []).append(pid)
    total, left = 0.0, list(roots)
    while left:
        pid = left.pop()
        total += used.get(pid, 0)
        left += children.get(pid, [])
    return total


def look(roots):
    first = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0]
    user, nice, system, _, _, irq, softirq, stolen = (int(n) / TICKS for n in first.split()[1:9])
    return Sample(time.monotonic(), user + nice + system + irq + softirq, stolen, tree_seconds(roots),
                  pathlib.Path("/proc/loadavg").read_text().split()[0])


def line(begin, end, cores):
    seconds = end.at - begin.at
    ours, busy, stolen = (max(0.0, after - before) / seconds / cores for before, after in
                          ((begin.ours, end.ours), (begin.busy, end.busy), (begin.stolen, end.stolen)))
    others = max(0.0, busy - ours)
    text = (f"machine: {cores} cores for {seconds:.0f} s: this benchmark used {ours:.0%} of them, other processes {others:.0%},"
            f" {stolen:.0%} were stolen; load {begin.load} at the beginning, {end.load} at the end")
    if others + stolen > QUIET:
        text += "\nmachine: IT WAS NOT QUIET, so do not compare these figures with those of another run"
    return text


@contextlib.contextmanager
def watched(*roots):
    """Prints what the machine was like meanwhile. What runs below this process, or below one of the roots (pids), counts as ours."""
    roots = {os.getpid(), *roots}
    begin = look(roots)
    yield
    print(line(begin, look(roots), os.cpu_count()), flush=True)
