#!/usr/bin/env python3
"""A service that does nothing: its memory, and how soon it is ready when everything else is up.

    ./onsale bench idle

Starts a stack of its own, and beside it one more instance of each service, BENCH_ROUNDS (20) times: from exec to the first 200 of
/readyz. The memory is VmRSS of the supervised instance, which has been ready and idle since then. The peer, in the same run: a Node.js
process that only listens (what a service of that kind of stack begins with).

Before that the whole stack idles for IDLE_SECONDS (60), after QUIET_SECONDS (60) in which Java compiles what the start made it use: it
may take 5 % of a core in all.
"""
import os
import socket
import statistics
import subprocess
import time

import harness
import peers
from cpu import idle
from support import Replica, free_port, resident_kib, wait_until

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "20"))
IDLE_SECONDS = int(os.environ.get("IDLE_SECONDS", "60"))
QUIET_SECONDS = int(os.environ.get("QUIET_SECONDS", "60"))
GOAL = 5  # percent of a core


def resident_mib(pid):
    return resident_kib(pid) / 1024


def seconds_to_ready(stack, service):
    with Replica(stack, service) as replica:
        started = time.monotonic()
        replica.wait_ready(pause=0.001)
        seconds = time.monotonic() - started
        replica.terminate()  # so that the next one need not wait for a dead member's place in the group
        return seconds


def node():
    """Seconds to listening, and memory, of an HTTP server of node's own that does nothing."""
    port = free_port()
    program = f"require('http').createServer((q, r) => r.end()).listen({port}, '127.0.0.1')"
    started = time.monotonic()
    process = subprocess.Popen([peers.node(), "-e", program])
    try:
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_until(listens, "node listens", pause=0.001)
        return time.monotonic() - started, resident_mib(process.pid)
    finally:
        process.kill()
        process.wait()


def whole_stack(stack):
    time.sleep(QUIET_SECONDS)
    used = idle(stack, IDLE_SECONDS)
    most = sorted(used.items(), key=lambda item: -item[1])
    print(f"idle stack: {sum(used.values()):.1f} % of a core in all (goal {GOAL}): "
          + ", ".join(f"{name} {percent:.2f}" for name, percent in most), flush=True)
    return sum(used.values()) <= GOAL


def main():
    with harness.stack() as stack:
        frugal = whole_stack(stack)
        services = [name for name in stack.status() if f"{name.upper()}_ADMIN_URL" in stack.env]
        times = {name: sorted(seconds_to_ready(stack, name) for _ in range(ROUNDS)) for name in services}
        peer = node()
        print(f"{'':12}{'ready after':>14}{'slowest':>12}{'idle memory':>14}")
        for name in services:
            print(f"{name:12}{statistics.median(times[name]) * 1000:11.0f} ms{times[name][-1] * 1000:9.0f} ms"
                  f"{resident_mib(stack.pid(name)):10.1f} MiB")
        print(f"{'node, bare':12}{peer[0] * 1000:11.0f} ms{'':12}{peer[1]:10.1f} MiB")
    return frugal


harness.run(main)
