"""BullMQ's delayed jobs on Redis, which bench/wheel.py and bench/expiration.py measure beside ours: what stands for timers in systems
of this kind. It starts a Redis of its own, which writes nothing to disk unless it is told to. Import harness first.
"""
import contextlib
import socket
import subprocess
import time

import peers
from common import ROOT, program, say
from support import free_port

SOURCE = ROOT / "bench/wheel_bullmq"


def prepare():
    """Before anything is measured: what is missing is said at once and not minutes later."""
    program("redis-server")
    peers.packages(SOURCE)


def measures(*command):
    """The lines `name value` that command prints."""
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    result = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    say(", ".join(f"{name} {value:g}" for name, value in result.items()))
    return result


@contextlib.contextmanager
def redis(work, *words):
    port = free_port()
    say(f"starting redis-server on port {port}")
    with subprocess.Popen([program("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--dir", work, "--save", "", *words],
                          stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()


def measure(work, jobs, rate, seconds):
    """jobs inserted, cancelled, and due at one moment; then `rate` due a second."""
    with redis(work) as port:
        say(f"BullMQ: {jobs:,} jobs")
        return measures(peers.node(), peers.packages(SOURCE) / "bench.js", port, jobs, rate, seconds)
