"""What the benchmarks over HTTP share: the stack's services, two load generators, and rounds that alternate between them.

The two take turns on the same machine within the same minutes, so that what else runs there meets both; what counts is the median
of the rounds' ratios. BENCH_ROUNDS (5) and BENCH_SECONDS (5, of each turn) say how many and how long; BENCH_ROWS (1,000,000), how much is in a large table.
"""
import contextlib
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import psycopg

from common import ROOT, Failed

CONNECTIONS = 64
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
USERS = 1000
PGBENCH_CLIENTS = (4, 8, 16, 32, 64)
PUBLISHER_REST = 1 << 20  # bytes of WAL: a publisher this close has caught up


def ratio(ours, theirs):
    return ours / theirs if theirs else math.inf


class Bench:
    def __init__(self, stack, service="tickets", users=USERS):
        self.stack, self.env, self.service = stack, stack.env, service
        self.database = self.env[f"{service.upper()}_OWNER_DATABASE_URL"]
        self._directory = tempfile.TemporaryDirectory(prefix="onsale-bench.")
        self.tokens = self.file("tokens", stack.onsale("token", str(users)))

    def file(self, name, text):
        """For the load generators; gone with this object."""
        path = pathlib.Path(self._directory.name) / name
        path.write_text(text)
        return path

    def query(self, text):
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def settings(self):
        """One line about what runs."""
        environment = pathlib.Path(f"/proc/{self.stack.pid(self.service)}/environ").read_text().split("\0")
        threads = next((v.removeprefix("HTTP_THREADS=") for v in environment if v.startswith("HTTP_THREADS=")), "1")
        server = {name: self.query(f"show {name}")[0][0] for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers")}
        return f"{os.cpu_count()} cores, HTTP_THREADS={threads}, " + ", ".join(f"{k}={v}" for k, v in server.items())

    def supervisor(self, action, names):
        subprocess.run(["/usr/bin/supervisorctl", "-s", f"unix://{self.stack.state}/run/supervisor.sock", action, *names],
                       stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def alone(self, *but):
        """The other services are stopped meanwhile, but for those named: what follows an event elsewhere is another figure."""
        others = [name[:-len("_ADMIN_URL")].lower() for name in self.env if name.endswith("_ADMIN_URL")]
        others = [name for name in others if name not in (self.service, *but)]
        self.supervisor("stop", others)
        try:
            yield
        finally:
            self.supervisor("start", others)

    # --- the two load generators ---

    def pgbench(self, script, clients, seconds=SECONDS):
        """Transactions a second."""
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", script, "-D", "number=0", "-c", str(clients), "-j", "2",
                               "-T", str(seconds), self.database], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"pgbench failed:\n{done.stderr}")
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        return float(rate[1]) if rate else 0.0  # none was made in time

    def wrk(self, requests, *arguments, script="load.lua", connections=CONNECTIONS, seconds=SECONDS, url=None):
        """What the script's done() says of these requests, and the rate."""
        done = subprocess.run(["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s", ROOT / "bench" / script,
                               url or self.env[f"{self.service.upper()}_URL"], "--", str(requests), self.tokens, *map(str, arguments)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"wrk failed:\n{done.stdout}{done.stderr}")
        run = json.loads(done.stdout.splitlines()[-1])
        if run["errors"] > 0:
            raise Failed(f"wrk met {run['errors']} errors in {run['requests']} requests")
        return run | {"rate": run["requests"] / run["seconds"]}

    def checkpoint(self):
        """Behind it old files of the WAL are used again. Where there are none yet, each 16 MB of WAL make all commits wait while
        a file of zeros is written (50 ms here), which a server that has been up for an hour does no more."""
        with psycopg.connect(self.env[f"{self.service.upper()}_POSTGRES_URL"], autocommit=True) as connection:
            connection.execute("checkpoint")

    def await_publisher(self):
        """Seconds that the publisher took to catch up."""
        begin = time.monotonic()
        while self.query("select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)), 0)"
                         f" from pg_replication_slots where slot_name like 'onsale_{self.service}_%'")[0][0] > PUBLISHER_REST:
            if time.monotonic() - begin > 300:
                raise Failed("the publisher does not catch up")
            time.sleep(0.1)
        return time.monotonic() - begin

    # --- rounds ---

    def best_clients(self, script):
        rates = {}
        for clients in PGBENCH_CLIENTS:
            self.await_publisher()
            rates[clients] = self.pgbench(script(), clients, seconds=min(3, SECONDS))
        print("pgbench, transactions a second by clients: " + ", ".join(f"{c}: {r:,.0f}" for c, r in rates.items()), flush=True)
        return max(rates, key=rates.get)

    def compare(self, script, ours, goal):
        """script() names a file for pgbench, ours() runs wrk. True when the median ratio reaches the goal."""
        print(self.settings(), flush=True)
        clients = self.best_clients(script)
        peers, runs = [], []
        for number in range(1, ROUNDS + 1):
            self.await_publisher()
            peers.append(self.pgbench(script(), clients))
            behind_peer = self.await_publisher()
            runs.append(run := ours())
            behind = self.await_publisher()
            print(f"round {number}: pgbench {peers[-1]:,.0f}, HTTP {run['rate']:,.0f} a second, ratio {ratio(run['rate'], peers[-1]):.2f};"
                  f" p50 {run['p50_us'] / 1000:.2f} ms, p99 {run['p99_us'] / 1000:.2f} ms;"
                  f" the publisher was {behind_peer:.1f} and {behind:.1f} s behind", flush=True)
        times = statistics.median(ratio(run["rate"], peer) for run, peer in zip(runs, peers))
        print(f"medians of {ROUNDS} rounds of {SECONDS} s: pgbench -M prepared -c {clients} {statistics.median(peers):,.0f},"
              f" HTTP at {CONNECTIONS} connections {statistics.median(r['rate'] for r in runs):,.0f} a second,"
              f" ratio {times:.2f} (goal {goal}); p50 {statistics.median(r['p50_us'] for r in runs) / 1000:.2f} ms,"
              f" p99 {statistics.median(r['p99_us'] for r in runs) / 1000:.2f} ms")
        return times >= goal
