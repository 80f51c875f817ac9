"""An event log of its own with the publisher that follows it (publisher_driver), and what writes to it."""
import os
import random
import signal
import subprocess
import uuid

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from background import Background
from databases import ask, ask_anew
from support import DEADLINE, ROOT, Topic, wait_until
from topics import seen_by_consumers

DRIVER = ROOT / "build/release/tests/publisher_driver"
KEYS = 40

TABLES = """
create table tickets (n int primary key, id uuid not null default gen_random_uuid(), version int not null default 0);
insert into tickets select generate_series(1, %d);
create table ticket_events (
    seq bigint generated always as identity primary key,
    type text not null, id uuid not null, version int not null, occurred_at timestamptz not null, user_id uuid not null,
    title text not null, price bigint not null, currency text not null, status text not null, order_id uuid, traceparent text);
-- One more version of each of these tickets, and its event: as a service does it, in one statement.
create function change(ns int[], trace text default null) returns void language sql as $$
    with locked as (select n from tickets where n = any(ns) order by n for update),
    changed as (update tickets t set version = version + 1 from locked l where t.n = l.n returning t.*)
    insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status, order_id, traceparent)
    select case version when 1 then 'TicketCreated' else 'TicketUpdated' end, id, version, clock_timestamp(), id,
           'Seat ' || n || ' “é”', 100 * n, 'EUR', 'available', case when n %% 2 = 0 then id end, trace from changed
$$;
""" % KEYS


class Driver:
    """One publisher process."""

    def __init__(self, log, retention_ms=0, registry=None, brokers=None, table="ticket_events", more=(), **environment):
        self.output = log.directory / f"{uuid.uuid4().hex}.log"
        self.out = open(self.output, "w")
        self.process = subprocess.Popen(
            [DRIVER, log.name, log.url, brokers or log.brokers, registry or log.registry, str(retention_ms), table, log.name, *more],
            stdout=self.out, stderr=subprocess.STDOUT, env={**os.environ, **environment})
        log.drivers.append(self)

    def text(self):
        return self.output.read_text()

    def says(self, text):
        """Waits for a line with this text, and gives all there are."""
        def lines():
            assert self.process.poll() is None or text in self.text(), self.text()
            return [line for line in self.text().splitlines() if text in line]
        return wait_until(lines, f"{text!r} in {self.output}")

    def ready(self):
        def is_ready():
            assert self.process.poll() is None, self.text()
            said = [line for line in self.text().splitlines() if line == "ready" or line.startswith("not ready")]
            return said and said[-1] == "ready"
        wait_until(is_ready, f"ready in {self.output}")
        return self

    def metric(self, name):
        before = self.text().count("end of metrics")
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.text().count("end of metrics") > before, "metrics")
        line = [x for x in self.text().splitlines() if x.startswith(name + " ")][-1]
        return float(line.split()[1])

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        return self.process.wait(DEADLINE)


class Log:
    """An event log in a database of its own, and the topic it goes to."""

    def __init__(self, stack, directory, partitions=12, server=None):
        self.stack, self.directory, self.drivers, self.borrowed = stack, directory, [], server is None
        self.ask = ask if self.borrowed else ask_anew  # of two servers either may be the primary by now
        self.name = f"pub_{uuid.uuid4().hex[:12]}"
        self.brokers, self.registry = stack.env["KAFKA_BROKERS"], stack.env["SCHEMA_REGISTRY_URL"]
        self.admin_url = server or stack.env["POSTGRES_URL"]
        self.url = f"/{self.name}".join(self.admin_url.rsplit("/postgres", 1))
        self.topic = Topic(stack.env, self.name)
        self._admin_sql(f"create database {self.name}")
        for part in ("migrations", "functions"):
            for file in sorted((ROOT / "common/publisher" / part).glob("*.sql")):
                self.sql(file.read_text())
        self.sql(TABLES)
        self.kafka = AdminClient({"bootstrap.servers": self.brokers})
        self.create_topic(self.topic, partitions)

    def create_topic(self, topic, partitions=12):
        def led():
            try:
                return topic.ends()
            except KafkaException:
                return None
        self.kafka.create_topics([NewTopic(topic.name, partitions, 1)])[topic.name].result(30)
        wait_until(led, "the topic's partitions have a leader")

    def close(self):
        for driver in self.drivers:
            driver.process.kill()
            driver.process.wait()
            driver.out.close()
        if self.borrowed:  # the server goes on without it
            self._drop()
        self.kafka.delete_topics([self.name])[self.name].result(30)

    def _drop(self):
        slots = self._admin_sql("select slot_name, active_pid from pg_replication_slots where database = %s", self.name)
        for slot, pid in slots:
            if pid:
                self._admin_sql("select pg_terminate_backend(%s, 5000)", pid)
            self._admin_sql("select pg_drop_replication_slot(%s)", slot)
        self._admin_sql(f"drop database {self.name} with (force)")

    def _admin_sql(self, query, *args):
        return self.ask(self.admin_url, query, args or None)

    def connect(self):
        return psycopg.connect(self.url, autocommit=True)

    def sql(self, query, *args):
        return self.ask(self.url, query, args or None)

    def change(self, *ns, trace=None):
        self.sql("select change(%s, %s)", list(ns), trace)

    def driver(self, **options):
        return Driver(self, **options)

    def slots(self):
        return self.sql("select slot_name, active from pg_replication_slots where database = current_database()")

    def epoch(self):
        return self.sql("select epoch from publisher_epoch")[0][0]

    # --- what came out ---

    def rows(self, table="ticket_events"):
        return self.sql(f"select id::text, version from {table} order by seq")

    def published(self, count, topic=None):
        """All events, once there are so many."""
        topic = topic or self.topic
        def there():
            return sum(topic.ends().values())
        try:
            wait_until(lambda: there() >= count, f"{count} events on {topic.name}")
        except AssertionError as timeout:
            raise AssertionError(f"{timeout}; there are {there()}, and {self.slots()}; publishers said {[d.text()[-500:] for d in self.drivers]}") from None
        return topic.events()

    def check(self, epoch=None, table="ticket_events", topic=None, deaths=1):
        """What is on the topic (of one epoch) is the log: nothing lost, nothing seen twice, in order for each ticket. deaths: of publishers."""
        rows = self.rows(table)
        def of_epoch():
            return [e for e in self.published(len(rows), topic) if epoch is None or e.headers["epoch"] == str(epoch)]

        events = wait_until(lambda: len(seen := seen_by_consumers(of_epoch(), deaths)) >= len(rows) and seen, f"{len(rows)} events of epoch {epoch}")
        found, expected = {}, {}
        for event in events:
            found.setdefault(event.key, []).append(event["version"])
        for key, version in rows:
            expected.setdefault(key, []).append(version)
        assert found == expected
        last = {}
        for event in events:
            assert event.position > last.get(event.partition, (0, 0)), "positions go up within a partition"
            last[event.partition] = event.position
        return events


class Writers(Background):
    """Transactions that overlap, touch the same tickets, come in all sizes and are sometimes rolled back."""

    def __init__(self, log, count=4, pause=0.01):
        super().__init__(count)
        self.log, self.pause = log, pause

    def go(self, n):
        rng, connection = random.Random(n), None
        while not self.stopping.wait(self.pause * rng.random()):
            try:
                connection = connection or psycopg.connect(self.log.url, autocommit=True)
                self._transaction(connection, rng)
            except psycopg.errors.DeadlockDetected:
                continue  # two changes in one transaction lock in any order
            except psycopg.OperationalError:
                connection = None

    def _transaction(self, connection, rng):
        kind = rng.random()
        keys = rng.sample(range(1, KEYS + 1), KEYS if kind < 0.02 else rng.randint(1, 3))
        with connection.transaction(force_rollback=kind > 0.95):
            connection.execute("select change(%s)", [keys])
            if kind > 0.7:
                connection.execute("select change(%s)", [rng.sample(range(1, KEYS + 1), 1)])
