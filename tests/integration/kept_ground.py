"""What a stack of tests stands on, kept for the next one: Kafka and the registry are half of a stack's start, and slow for as long as they are new.

The stack that begins on it finds what it would find in a fresh state directory: no database, no schema, no topic, no group, no log and no key of
the one before. Postgres and Kafka get new files; Kafka's process stays, with another broker in it (kafka/Again.java). The registry stays as it is, with
empty tables. Whatever is not as it should be ends all of it, and the next stack starts as ever."""
import os
import pathlib
import shutil
import signal
import sys
import zipfile

import psycopg

from support import FRUGAL, Stack, fresh_state, processes_of
from waits import wait_until

import clients  # as the next ones, of dev/: support.py knows where that is
import fetch
import processes
from common import cache_dir
from state import DIRECTORIES, State
from supervisor import Supervisor

AGAIN = pathlib.Path(__file__).with_name("kafka") / "Again.java"
KEPT = (processes.POSTGRES, "registry", processes.KAFKA)  # of the processes, those that stay
SOON = 20  # seconds that anything here may take: a new start takes no longer
MANIFEST = "Manifest-Version: 1.0\nPremain-Class: Again\n"


class Unfit(Exception):
    """Nobody may stand on this again: says why."""


def agent():
    """The option by which a broker's process outlives its broker. Made once."""
    directory = cache_dir() / f"kafka-again-{fetch.version(fetch.POM, AGAIN)}"
    with fetch.being_made(directory) as unfinished:
        if unfinished:
            fetch.fetch_jars()
            unfinished.mkdir()
            clients.compile_java([AGAIN], fetch.jars().glob("kafka/*.jar"), unfinished)
            with zipfile.ZipFile(unfinished / "again.jar", "w") as jar:
                jar.writestr("META-INF/MANIFEST.MF", MANIFEST)
                for file in (unfinished / "classes").iterdir():
                    jar.write(file, file.name)
    return f"-javaagent:{directory / 'again.jar'}"


class Ground:
    """At most one, that nobody stands on."""

    failures = 0  # of tests: who knows what they leave

    def __init__(self):
        self.state = None
        self.began = {}  # by the state directory of a stack: the failures before it

    def settings(self):
        """Of a stack that stands on it."""
        return {"KAFKA_OPTS": f"{FRUGAL['KAFKA_OPTS']} {agent()}"}

    def take(self):
        """A state directory: that one, with a broker that begins, or a fresh one."""
        state, self.state = self.state, None
        try:
            if state:
                begin_broker(State(state))
        except Exception as reason:  # whatever it is, another start is the answer
            discard(state, reason)
            state = None
        state = state or fresh_state()
        self.began[state] = Ground.failures
        return state

    def keep(self, state):
        """Whether what stood on this is gone, and the next one may have it."""
        if Ground.failures > self.began[state] or self.state:
            return False
        try:
            clear(state)
        except Exception as reason:  # as above
            say(state, reason)
            return False
        self.state = state
        return True

    def end(self):
        if self.state:
            discard(self.state)


def say(state, reason):
    print(f"{state} is not used again: {type(reason).__name__}: {reason}", file=sys.stderr, flush=True)


def discard(state, reason=None):
    if reason:
        say(state, reason)
    Stack(state).stop()
    shutil.rmtree(state, ignore_errors=True)


# --- what is left of the stack before ---

def clear(directory):
    state = State(directory)
    supervisor = Supervisor(state)
    servers = [name for name in supervisor.names() if name in KEPT or name.startswith(processes.POSTGRES)]
    supervisor.stop([name for name in supervisor.names() if name not in servers])
    if not all(map(supervisor.runs, KEPT)) or not processes.listens(state.ports[processes.KAFKA]):
        raise Unfit("a server does not run")
    nobody_else(state, supervisor, servers)
    with connect(state, "postgres") as server:
        if changed := names(server, CHANGED):
            raise Unfit(f"Postgres has {changed}")
        end_broker(state, supervisor)
        supervisor.stop([name for name in servers if name not in KEPT])
        empty_postgres(server)
    empty_registry(state)
    remove_files(state)
    state.environment = {}
    state.save()


def nobody_else(state, supervisor, servers):
    """A replica that was forgotten would go on with the next one's topics and databases."""
    known = {supervisor.pid(), *(supervisor.info(name)["pid"] for name in servers)}
    wait_until(lambda: known.issuperset(processes_of(state.dir)), "everybody else has ended", SOON)


def connect(state, database):
    url = processes.superuser_url(state, processes.POSTGRES).removesuffix("postgres") + database
    return psycopg.connect(url, autocommit=True, options=f"-c statement_timeout={SOON}s")


def names(server, query):
    return [name for name, in server.execute(query).fetchall()]


CHANGED = """
select name from pg_file_settings where sourcefile like '%auto.conf'
union all select relname::text from pg_class where relnamespace = 'public'::regnamespace"""
DATABASES = "select datname from pg_database where not datistemplate and datname not in ('postgres', 'registry')"
ROLES = "select rolname from pg_roles where rolname !~ '^pg_' and rolname not in ('onsale', 'registry')"
SLOTS = "select slot_name from pg_replication_slots"


def empty_postgres(server):
    """The server that the registry uses, too. Of the others nothing is left."""
    server.execute("select pg_terminate_backend(active_pid) from pg_replication_slots where active")
    wait_until(lambda: not names(server, f"{SLOTS} where active"), "nobody uses a slot", SOON)
    for name in names(server, SLOTS):
        server.execute("select pg_drop_replication_slot(%s)", [name])
    for name in names(server, DATABASES):
        server.execute(f'drop database "{name}" with (force)')
    for name in names(server, ROLES):
        server.execute(f'drop role "{name}"')


def empty_registry(state):
    """All that it knows is in its tables; one has its own version."""
    with connect(state, "registry") as database:
        [tables] = names(database, "select string_agg(quote_ident(tablename), ', ') from pg_tables"
                                   " where schemaname = 'public' and tablename <> 'apicurio'")
        database.execute(f"truncate {tables}")


def remove_files(state):
    for path in (state.dir / "data").iterdir():
        if path.name != processes.POSTGRES:
            shutil.rmtree(path)
    for path in (state.dir / "log").iterdir():
        os.truncate(path, 0)
        if path.stem not in (*KEPT, "supervisord"):
            path.unlink()
    for path in [*(state.dir / "keys").iterdir(), *state.dir.iterdir()]:
        if path.name not in (*DIRECTORIES, "stack.json", "lock"):
            path.unlink()


# --- brokers ---

def ended(state):
    return state.dir / f"run/{processes.KAFKA}.properties.ended"


def hang_up(supervisor):
    os.kill(supervisor.info(processes.KAFKA)["pid"], signal.SIGHUP)


def end_broker(state, supervisor):
    ended(state).unlink(missing_ok=True)
    hang_up(supervisor)
    wait_until(ended(state).exists, "the broker has ended", SOON)


def begin_broker(state):
    processes.prepare_kafka(state)
    hang_up(Supervisor(state))
    wait_until(lambda: processes.listens(state.ports[processes.KAFKA]), "a broker has begun", SOON)
