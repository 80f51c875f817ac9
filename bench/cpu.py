"""Where the CPU of a stack goes: seconds by process and by what its threads do, and what it takes of a core while nobody uses it."""
import os
import pathlib
import time

import psycopg

TICKS = os.sysconf("SC_CLK_TCK")
NOT_OURS = ("wrk", "all else")  # the load, and what else runs on the machine; the kernel's own threads are among it


def thread_kind(process, name):
    if process in ("kafka", "registry"):
        return "compiling" if "Compiler" in name else "collecting" if name.startswith(("GC", "VM")) else "serving"
    if name.startswith("rdk:"):
        return "librdkafka"
    return "requests" if name.startswith("http") else name


def backends(stack):
    """{pid: (role, what it is)} of each server of Postgres."""
    found = {}
    for url in (url for name, url in stack.env.items() if name.endswith("POSTGRES_URL")):
        with psycopg.connect(url, autocommit=True) as db:
            for pid, role, name, kind in db.execute("select pid, usename, application_name, backend_type from pg_stat_activity"):
                found[pid] = role, kind if kind != "client backend" else name or "client"
    return found


def cpu_seconds(stack):
    """CPU seconds so far, by (process, what it does)."""
    used, pids, sessions = {}, {p["pid"]: name for name, p in stack.status().items() if p["pid"]}, backends(stack)
    for path in pathlib.Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        name, (user, system) = text[text.index("(") + 1:text.rindex(")")], map(int, text.rsplit(")", 1)[1].split()[11:13])
        pid = int(path.parts[2])
        if pid in sessions:
            role, kind = sessions[pid]
            key = ("postgres", f"{role or ''} {kind}".strip())
        elif pid in pids:
            key = (pids[pid], thread_kind(pids[pid], name))
        elif name.startswith("wrk"):
            key = ("wrk", "")
        else:
            key = ("all else", name)
        used[key] = used.get(key, 0) + (user + system) / TICKS
    return used


def print_cpu(before, after, seconds, items, what="an order"):
    spent = {key: after[key] - before.get(key, 0) for key in after}
    spent = {key: s for key, s in spent.items() if s > 0.002 * seconds}
    processes = {}
    for (process, kind), s in spent.items():
        processes.setdefault(process, []).append((s, kind))
    print(f"\nCPU, of {os.cpu_count()} cores; microseconds {what}")
    for process, kinds in sorted(processes.items(), key=lambda p: -sum(s for s, _ in p[1])):
        for s, kind in sorted(kinds, reverse=True):
            print(f"  {process:12} {kind:36} {s / seconds / os.cpu_count():6.1%} {s / items * 1e6:7.1f}")
        if len(kinds) > 1:
            together = sum(s for s, _ in kinds)
            print(f"  {process:12} {'':36} {together / seconds / os.cpu_count():6.1%} {together / items * 1e6:7.1f}  in all")
    own = sum(s for (process, _), s in spent.items() if process not in NOT_OURS)
    for words, s in (("together", sum(spent.values())), ("of it the system's own processes", own)):
        print(f"  {words:49} {s / seconds / os.cpu_count():6.1%} {s / items * 1e6:7.1f}")
    return own / items * 1e6


# --- a stack that nobody uses ---

def family(root):
    """pids of a process and all below it."""
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            children.setdefault(int(path.read_text().rsplit(")", 1)[1].split()[1]), []).append(int(path.parent.name))
        except OSError:
            continue
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def nanoseconds(stack):
    """CPU so far of the stack, by process, exact to the nanosecond: what idles takes less than a tick at a time. Postgres' servers are one."""
    names, used = {p["pid"]: name for name, p in stack.status().items() if p["pid"]}, {}
    for pid in list(names):
        for each in family(pid):
            for path in pathlib.Path(f"/proc/{each}/task").glob("*/schedstat"):
                try:
                    spent = int(path.read_text().split()[0])
                except OSError:
                    continue
                name = "postgres" if names[pid].startswith("postgres") else names[pid]
                used[name] = used.get(name, 0) + spent
    return used


def idle(stack, seconds):
    """{process: percent of a core} over so many seconds in which nobody asks the stack for anything."""
    before = nanoseconds(stack)
    begin = time.monotonic()
    time.sleep(seconds)
    after, spent = nanoseconds(stack), time.monotonic() - begin
    return {name: (after[name] - before.get(name, 0)) / spent / 1e7 for name in after}
