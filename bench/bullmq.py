"""BullMQ's delayed jobs on Redis, which bench/wheel.py and bench/expiration.py measure beside ours: what stands for timers in systems
of this kind. Needs Debian's redis-server, nodejs and npm; BullMQ comes into onsale's cache. Redis writes nothing to disk.
"""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "dev"), str(ROOT / "tests/integration")]
import npm  # noqa: E402
from common import program, say  # noqa: E402
from support import free_port  # noqa: E402

SOURCE = ROOT / "bench/wheel_bullmq"

# Before anything is measured, not minutes later.
if missing := [name for name in ("redis-server", "node", "npm") if not shutil.which(name)]:
    sys.exit(f"{', '.join(missing)}: not installed, and needed (Debian's redis-server, nodejs and npm)")


def measures(*command):
    """The lines `name value` that command prints."""
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    result = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    say(", ".join(f"{name} {value:g}" for name, value in result.items()))
    return result


@contextlib.contextmanager
def redis(work):
    port = free_port()
    with subprocess.Popen([program("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--dir", work, "--save", ""],
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
        return measures(program("node"), npm.installed(SOURCE) / "bench.js", port, jobs, rate, seconds)
