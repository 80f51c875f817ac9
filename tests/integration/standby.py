"""Two servers of Postgres, one of them a standby of the other: of Debian's version, or of a newer one (dev/fetch.py)."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import psycopg

from support import DEADLINE, ROOT, free_port, fresh_state, wait_until

sys.path.insert(0, str(ROOT / "dev"))
import fetch
from processes import postgres_bin

AS_POSTGRES = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # the server refuses to run as root
STANDBY = "other"  # the application_name of a walreceiver
CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
wal_level = logical
max_connections = 60
shared_buffers = 16MB
fsync = off
wal_writer_delay = 10ms
wal_keep_size = 512MB
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 100ms
wal_sender_timeout = 0
wal_receiver_timeout = 0
lc_messages = 'C.UTF-8'
"""


def binaries(newer, directory):
    """Where initdb and postgres are. The newer ones are unpacked, where the user postgres can go."""
    if not newer:
        return postgres_bin()
    subprocess.run(["tar", "-xJf", fetch.newer_postgres(), "-C", directory], check=True)
    return directory / "bin"


class Server:
    def __init__(self, bin, data, port=None):
        self.bin, self.data, self.port = bin, data, port or free_port()

    @property
    def url(self):
        return f"postgresql://onsale@127.0.0.1:{self.port}/postgres"

    def _run(self, program, *arguments):
        subprocess.run([*AS_POSTGRES, self.bin / program, "-D", self.data, *arguments], cwd="/", check=True, stdout=subprocess.DEVNULL)

    def initialize(self):
        self._run("initdb", "-U", "onsale", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.configure(CONF)
        return self

    def configure(self, text):
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(text)

    def start(self):
        self._run("pg_ctl", "-w", "-t", str(int(DEADLINE)), "-l", f"{self.data}.log", "-o", f"-p {self.port}", "start")
        return self

    def stop(self, how="immediate"):
        if (self.data / "postmaster.pid").exists():
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            self._run("pg_ctl", "-m", how, "-w", "stop")

    def kill(self):
        """All of it at once, also what is stopped: nothing of it runs again."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (self.data / "postmaster.pid").unlink()

    def processes(self):
        """The server's and its children's."""
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(parent)], stdout=subprocess.PIPE, text=True).stdout.split()
        return [parent, *map(int, children)]

    def sql(self, query, *args, database="postgres"):
        with psycopg.connect(self.url.removesuffix("postgres") + database, autocommit=True) as connection:
            cursor = connection.execute(query, args or None)
            return cursor.fetchall() if cursor.description else []

    def set(self, name, value):
        self.sql(f"alter system set {name} = '{value}'")
        self.sql("select pg_reload_conf()")

    def copy(self, data, port=None):
        """A standby of this one, as pg_basebackup would make it."""
        other = Server(self.bin, data, port)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("select pg_backup_start('copy', true)")
            shutil.copytree(self.data, data, ignore=lambda directory, names: [
                name for name in names if name in ("postmaster.pid", "standby.signal", "postgresql.auto.conf")
                or (pathlib.Path(directory).name in ("pg_wal", "pg_replslot", "archive_status", "summaries")
                and (pathlib.Path(directory) / name).is_file()) or pathlib.Path(directory).name == "pg_replslot"])
            [(label,)] = connection.execute("select labelfile from pg_backup_stop()").fetchall()
        (data / "backup_label").write_text(label)
        (data / "standby.signal").touch()
        other.configure(f"primary_conninfo = 'host=127.0.0.1 port={self.port} user=onsale application_name={STANDBY}'\n"
                        "synchronous_standby_names = ''\n")
        if AS_POSTGRES:
            subprocess.run(["chown", "-R", "postgres:", data], check=True)
        data.chmod(0o700)
        return other

    def caught_up(self, standby):
        [[now]] = self.sql("select pg_current_wal_lsn()::text")
        wait_until(lambda: standby.sql("select pg_last_wal_replay_lsn() >= %s::pg_lsn", now) == [(True,)], "the standby has caught up")

    def waiting(self):
        """The sessions that wait for a synchronous standby, by application."""
        return [name for [name] in self.sql("select application_name from pg_stat_activity where wait_event = 'SyncRep'")]


class Pair:
    """A primary and its standby."""

    def __init__(self, newer=False, synchronous=True):
        self.directory = fresh_state()
        if AS_POSTGRES:
            shutil.chown(self.directory, "postgres", "postgres")
        self.bin = binaries(newer, self.directory)
        self.servers = []
        self.primary = self._add(Server(self.bin, self.directory / "a").initialize())
        self.standby = self._add(self.primary.copy(self.directory / "b"))
        if synchronous:
            self.synchronous(True)

    def _add(self, server):
        self.servers.append(server)
        return server.start()

    def close(self):
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self):
        """Of whichever takes writes."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"postgresql://onsale@{hosts}/postgres?target_session_attrs=read-write"

    def synchronous(self, on):
        self.primary.set("synchronous_standby_names", STANDBY if on else "")
        if on:
            wait_until(lambda: self.primary.sql("select sync_state from pg_stat_replication where application_name = %s", STANDBY)
                       == [("sync",)], "the standby is synchronous")

    def part(self):
        """From now on the standby gets nothing."""
        [[self.sender]] = self.primary.sql("select pid from pg_stat_replication where application_name = %s", STANDBY)
        os.kill(self.sender, signal.SIGSTOP)

    def join(self):
        os.kill(self.sender, signal.SIGCONT)

    def promote(self, kill=True):
        """The standby takes over, with what it has. Without `kill` the old primary does not know."""
        if kill:
            self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        self.primary.sql("select pg_promote(true, 60)")

    def rejoin(self):
        """The old primary comes back as a fresh copy of the new one."""
        self.standby.stop()
        shutil.rmtree(self.standby.data)
        self.servers.remove(self.standby)
        self.standby = self._add(self.primary.copy(self.standby.data, self.standby.port))
