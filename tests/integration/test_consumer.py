"""The consumer by itself: consumer_driver reads a topic into a database, while what it stands on is taken away.

`seen` has a row for every application of an event, without any guard: so an event that took effect twice shows."""
import collections
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid

import fastavro
import psycopg
import pytest
import requests
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from background import Background
from databases import ask
from support import DEADLINE, GRACE, ROOT, SERVERS, Topic, wait_until
from topics import Cluster, topic_schema

sys.path.append(str(ROOT / "dev"))
from stack import build

PRESET = os.environ.get("CONSUMER_PRESET", "release")
DRIVER = ROOT / "build" / PRESET / "tests" / "consumer_driver"
SCHEMA = fastavro.parse_schema(topic_schema("tickets"))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def ground(make_stack):
    build(targets=["consumer_driver"], preset=PRESET)
    stack = make_stack(only=SERVERS)
    stack.schema_id = Topic(stack.env, "tickets").schema_id()  # now: the registry has bad days in these tests
    return stack


class Feed(Topic):
    """A topic of ticket events of its own, and the database that a driver reads it into."""

    def __init__(self, stack, partitions=4):
        super().__init__(stack.env, f"feed-{uuid.uuid4().hex[:12]}")
        self.stack, self.partitions = stack, partitions
        self.kafka = AdminClient({"bootstrap.servers": self.brokers})
        self.create()
        server = stack.env["POSTGRES_URL"]
        database = self.name.replace("-", "_")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"create database {database}")
        self.url = server.rsplit("/", 1)[0] + "/" + database
        self.id = stack.schema_id
        self.versions = collections.Counter()  # of every ticket written, the last
        self.drivers = []

    def create(self):
        topic = NewTopic(self.name, num_partitions=self.partitions, replication_factor=1)
        self.kafka.create_topics([topic])[self.name].result(30)

    def delete(self):
        self.kafka.delete_topics([self.name])[self.name].result(30)
        Cluster.of(self.brokers).producer = None  # which would take the topic that is made anew for the old one

    def event(self, ticket, version, type_=None, title="A ticket"):
        return {"type": type_ or ("TicketCreated" if version == 1 else "TicketUpdated"), "id": ticket, "version": version,
                "occurredAt": int(time.time() * 1000), "userId": ticket, "title": title, "price": 2000, "currency": "USD",
                "status": "available", "orderId": None}

    def value(self, event):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, SCHEMA, event)
        return b"\0" + self.id.to_bytes(4, "big") + out.getvalue()

    def write(self, count, tickets):
        """So many events, each the next version of any of these tickets."""
        records = []
        for ticket in random.choices(tickets, k=count):
            self.versions[ticket] += 1
            records.append((ticket, self.value(self.event(ticket, self.versions[ticket]))))
        self.produce_raw(*records)

    def sql(self, query, *args):
        return ask(self.url, query, args or None)

    def one(self, query, *args):
        return self.sql(query, *args)[0][0]

    def driver(self, **environment):
        driver = Driver(self, environment)
        self.drivers.append(driver)
        return driver

    def read(self):
        """How many records are behind the positions."""
        return self.one("select coalesce(sum(next_offset), 0) from consumer_offsets")

    def wait_read(self):
        total = sum(self.ends().values())
        wait_until(lambda: self.read() >= total, "everything is read")

    def assert_applied_once_in_order(self):
        applied = collections.defaultdict(list)
        for ticket, version in self.sql("select id::text, version from seen order by n"):
            applied[ticket].append(version)
        assert {t: list(range(1, v + 1)) for t, v in self.versions.items()} == dict(applied)


class Driver:
    def __init__(self, feed, environment):
        self.log = open(feed.stack.state / f"{feed.name}-{len(feed.drivers)}.log", "a+b")
        self.command = [DRIVER, feed.name]
        self.environment = {"DATABASE_URL": feed.url, "KAFKA_BROKERS": feed.brokers, "SCHEMA_REGISTRY_URL": feed.registry,
                            "PATH": os.environ["PATH"], "RDKAFKA_SESSION_TIMEOUT_MS": "6000", **environment}
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.PIPE, stdout=self.log,
                                        stderr=subprocess.PIPE)
        return self

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stderr:
            if line == b".\n":
                return lines
            lines.append(line.decode().rstrip("\n"))
        raise AssertionError(f"ended: {lines}\n{self.output()[-3000:]}")

    def ready(self):
        return self.ask("ready")[0]

    def wait_ready(self):
        wait_until(lambda: self.ready() == "yes", "the consumer is ready")
        return self

    def metric(self, name):
        for line in self.ask("metrics"):
            if line.startswith(f"onsale_consumer_{name} "):
                return float(line.split()[1])
        raise KeyError(name)

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def signal(self, sig):
        self.process.send_signal(sig)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(GRACE) == 0, self.output()[-3000:]

    def close(self):
        print(f"--- {self.log.name}\n{self.output()[-4000:]}")  # shown if the test fails
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        self.process.stdin.close()
        self.process.stderr.close()
        self.log.close()


@pytest.fixture
def feed(ground):
    feed = Feed(ground)
    yield feed
    for driver in feed.drivers:
        driver.close()


class Stream(Background):
    """Writes to a feed again and again, while the body of the with statement runs."""

    def __init__(self, feed, tickets, burst=20):
        super().__init__()
        self.feed, self.tickets, self.burst = feed, tickets, burst

    def go(self, _):
        while not self.stopping.wait(0.05):
            self.feed.write(self.burst, self.tickets)


def tickets(count):
    return [str(uuid.uuid4()) for _ in range(count)]


def seen(feed):
    return feed.one("select count(*) from seen")


# --- what it does ---

def test_effects_in_order_per_key(feed):
    feed.write(5000, tickets(40))
    driver = feed.driver().wait_ready()
    feed.write(1000, list(feed.versions) + tickets(400))
    feed.wait_read()
    feed.assert_applied_once_in_order()
    assert dict(feed.sql("select topic || '/' || partition, next_offset from consumer_offsets")) == \
        {f"{feed.name}/{p}": end for p, end in feed.ends().items()}
    wait_until(lambda: driver.metric("lag_records") == 0, "the lag is noticed to be gone")
    assert driver.metric("records_total") == 6000
    assert driver.metric("partitions") == 4
    assert driver.metric("delay_seconds_count") == 6000
    assert driver.metric("batches_total") < 1000


def test_what_nothing_reacts_to_is_passed_over(feed):
    feed.driver().wait_ready()
    ticket, = tickets(1)
    feed.produce_raw((ticket, feed.value(feed.event(ticket, 1, "TicketCancelled"))))
    feed.wait_read()
    assert feed.one("select (select count(*) from seen) + (select count(*) from dead_letters)") == 0


def test_the_trace_goes_on(feed):
    feed.driver().wait_ready()
    cases = dict(zip(tickets(5), [TRACE, "", TRACE + "0", "\x00" * 55, TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)]))
    for ticket, header in cases.items():
        feed.produce_raw((ticket, feed.value(feed.event(ticket, 1))), headers={"traceparent": header})
    feed.wait_read()
    assert dict(feed.sql("select id::text, traceparent from seen")) == {t: TRACE if h == TRACE else None for t, h in cases.items()}


def waiting(driver, count):
    return wait_until(lambda: driver.metric("partitions_waiting") == count, f"{count} partitions wait")


def test_undecodable_records_are_put_aside(feed):
    driver = feed.driver().wait_ready()
    good = feed.value(feed.event(tickets(1)[0], 1))
    bad = [b"", b"\1" + good[1:], good[:3], good[:-1], good + b"x", b"\0" + (1 << 30).to_bytes(4, "big") + good[5:], b"\xff" * 5000]
    for value in bad:
        feed.produce_raw(("key", value), partition=0)
        feed.write(10, tickets(3))
    feed.produce_raw(("gone", None), (None, b"nobody's"), partition=0)
    feed.write(10, tickets(3))
    feed.wait_read()
    feed.assert_applied_once_in_order()
    letters = feed.sql("select key, value, reason from dead_letters order by \"offset\"")
    assert [(key, value) for key, value, _ in letters] == [(b"key", v) for v in bad] + [(b"gone", None), (None, b"nobody's")]
    assert all(reason for _, _, reason in letters)
    assert driver.metric("dead_letters_total") == len(letters)


def test_replaying_a_topic_changes_nothing(feed):
    feed.write(3000, tickets(50))
    feed.produce_raw(("bad", b"bad"))
    feed.driver().wait_ready()
    feed.wait_read()
    feed.drivers[0].stop()
    before = feed.sql("select * from tickets order by id"), feed.sql("select * from effects order by n")
    feed.sql("update consumer_offsets set next_offset = 0")
    feed.driver().wait_ready()
    feed.wait_read()
    assert seen(feed) == 6000
    assert (feed.sql("select * from tickets order by id"), feed.sql("select * from effects order by n")) == before
    assert feed.one("select count(*) from dead_letters") == 1


# --- what it survives ---

def test_killed_again_and_again(feed):
    some = tickets(30)
    feed.write(100, some)
    driver = feed.driver(BATCH="20").wait_ready()
    with Stream(feed, some):
        for _ in range(20):
            before = seen(feed)
            wait_until(lambda: seen(feed) > before, "it goes on")
            driver.kill()
            # A dead member holds its partitions until its session ends: another group does not wait for that.
            driver = feed.driver(BATCH="20", CONSUMER_GROUP=f"next-{len(feed.drivers)}").wait_ready()
    feed.wait_read()
    feed.assert_applied_once_in_order()


def wait_counted(records, *drivers):
    """A moment after their positions are committed; and none is counted twice."""
    def counted():
        total = sum(driver.metric("records_total") for driver in drivers)
        assert total <= records
        return total == records
    wait_until(counted, f"{records} records are counted")


def test_paused_beyond_its_session_then_resumed(ground):
    """The paused one has records at hand that the other one takes over meanwhile; it must not bring them to effect."""
    feed = Feed(ground, partitions=6)
    try:
        some = tickets(50)
        paused, other = feed.driver(BATCH="10").wait_ready(), feed.driver(BATCH="10").wait_ready()
        wait_until(lambda: paused.metric("partitions") == 3 == other.metric("partitions"), "both have a share")
        with Stream(feed, some, burst=200):
            for _ in range(2):
                before = seen(feed)
                wait_until(lambda: seen(feed) > before + 500, "it goes on")
                paused.signal(signal.SIGSTOP)
                wait_until(lambda: other.metric("partitions") == 6, "the other one takes over")
                before = seen(feed)
                wait_until(lambda: seen(feed) > before + 500, "it goes on")
                paused.signal(signal.SIGCONT)
                wait_until(lambda: paused.metric("partitions") == 3 == other.metric("partitions"), "both have a share again")
        feed.wait_read()
        feed.assert_applied_once_in_order()
        wait_counted(sum(feed.ends().values()), paused, other)
    finally:
        for driver in feed.drivers:
            driver.close()


def test_two_that_believe_to_own_the_partitions(feed):
    """Two groups that know nothing of each other write by the same positions: each record takes effect once."""
    some = tickets(100)
    feed.write(20000, some)
    one = feed.driver(BATCH="50")
    other = feed.driver(BATCH="50", RDKAFKA_GROUP_ID="unused")
    assert other.process.wait(DEADLINE) == 78 and "group.id" in other.output()  # what correctness rests on cannot be set
    thief = feed.driver(BATCH="50", CONSUMER_GROUP="thief")
    feed.wait_read()
    feed.assert_applied_once_in_order()
    wait_counted(20000, one, thief)

    def met():
        feed.write(2000, some)
        feed.wait_read()
        return one.metric("fenced_total") + thief.metric("fenced_total") > 0
    wait_until(met, "one is refused what the other has done: unless each stands still while the other reads")
    feed.assert_applied_once_in_order()
    wait_counted(sum(feed.ends().values()), one, thief)


def test_connections_cut_at_any_moment(feed):
    """So that some commits are answered and others are not: whether they happened must not matter."""
    some = tickets(30)
    driver = feed.driver(BATCH="20").wait_ready()
    cuts = 0
    with Stream(feed, some, burst=50):
        while cuts < 40:
            before = seen(feed)
            wait_until(lambda: seen(feed) > before, "it goes on")
            time.sleep(random.random() * 0.02)  # not to wait for anything: to hit any moment of a batch
            cuts += feed.one("select count(pg_terminate_backend(pid)) from pg_stat_activity"
                             " where application_name like 'onsale-%-consumer' and datname = current_database()")
    feed.wait_read()
    feed.assert_applied_once_in_order()
    assert driver.metric("retries_total") >= 20, "most cuts are noticed one by one"


def test_postgres_restarted(feed):
    some = tickets(30)
    driver = feed.driver().wait_ready()
    with Stream(feed, some):
        for _ in range(3):
            before = seen(feed)
            wait_until(lambda: seen(feed) > before, "it goes on")  # so it knows the schema, too
            feed.stack.supervisor("stop", "postgres")
            retries = driver.metric("retries_total")
            wait_until(lambda: driver.metric("retries_total") > retries, "it notices")
            start_postgres(feed)
    feed.wait_read()
    feed.assert_applied_once_in_order()


def test_postgres_forgets_the_last_batches(feed):
    """They do not wait for the disk: a crash takes them back, effects and positions alike, and they are read again."""
    some = tickets(10)
    driver = feed.driver().wait_ready()
    feed.write(100, some)
    feed.wait_read()
    assert any(forgets(feed, driver, some) for _ in range(5))
    feed.assert_applied_once_in_order()


def forgets(feed, driver, some):
    """Has Postgres killed while batches are not on disk. Whether that took them back: unless somebody else committed just then, and waited."""
    server, disk_writer = feed.stack.pid("postgres"), feed.one("select pid from pg_stat_activity where backend_type = 'walwriter'")
    os.kill(disk_writer, signal.SIGSTOP)

    def not_on_disk():
        feed.write(50, some)
        feed.wait_read()
        return feed.one("select pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() - 1000")
    wait_until(not_on_disk, "a batch is not on disk")
    driver.signal(signal.SIGSTOP)
    read, applied = feed.read(), seen(feed)
    os.kill(server, signal.SIGKILL)
    os.kill(disk_writer, signal.SIGKILL)
    await_postgres(feed)
    lost = feed.read() < read and seen(feed) < applied
    driver.signal(signal.SIGCONT)
    feed.wait_read()
    return lost


def start_postgres(feed):
    feed.stack.supervisor("start", "postgres")
    await_postgres(feed)


def await_postgres(feed):
    wait_until(lambda: postgres_answers(feed), "Postgres is back")
    # The registry keeps schemas there, and for minutes does not notice that its connections are dead.
    feed.stack.supervisor("stop", "registry")
    start_registry(feed)


def postgres_answers(feed):
    try:
        with psycopg.connect(feed.url):  # anew: a session of before may be about to end
            return True
    except psycopg.OperationalError:
        return False


def start_registry(feed):
    feed.stack.supervisor("start", "registry")
    wait_until(lambda: registry_answers(feed), "the registry is back")


def registry_answers(feed):
    try:
        return requests.get(f"{feed.registry}/schemas/ids/{feed.id}", timeout=DEADLINE).status_code == 200
    except requests.ConnectionError:
        return False


# A member that stands still for as long is out of its group, and these are not to be.
ONE_POLL, BEYOND = {"RDKAFKA_MAX_POLL_INTERVAL_MS": "20000", "RDKAFKA_SESSION_TIMEOUT_MS": "20000"}, 22


def test_postgres_away_longer_than_a_poll_may_take(feed):
    """It stays a member of the group meanwhile: nothing is rebalanced."""
    driver = feed.driver(**ONE_POLL).wait_ready()
    feed.write(1, tickets(1))
    feed.wait_read()  # so it knows the schema: the registry keeps its own in Postgres
    feed.stack.supervisor("stop", "postgres")
    feed.write(100, tickets(10))
    start = time.monotonic()
    wait_until(lambda: time.monotonic() > start + BEYOND, "longer than max.poll.interval.ms")
    start_postgres(feed)
    feed.wait_read()
    feed.assert_applied_once_in_order()
    assert "gave up" not in driver.output()


def test_tables_missing_at_the_start(feed):
    feed.driver().wait_ready()
    feed.drivers[0].stop()
    feed.sql("alter table consumer_offsets rename to hidden")
    driver = feed.driver()
    wait_until(lambda: "consumer_offsets" in driver.ready(), "it says what it waits for")
    feed.sql("alter table hidden rename to consumer_offsets")
    driver.wait_ready()


def test_broker_restarted(feed):
    some = tickets(30)
    driver = feed.driver().wait_ready()
    feed.write(500, some)
    feed.stack.supervisor("stop", "kafka")
    feed.stack.supervisor("start", "kafka")
    feed.stack.wait_kafka()
    feed.write(500, some)
    feed.wait_read()
    feed.assert_applied_once_in_order()
    assert driver.process.poll() is None


def test_registry_away(feed):
    """What it cannot decode yet is waited for: never skipped, never put aside."""
    some = tickets(30)
    feed.write(100, some)
    feed.stack.supervisor("stop", "registry")
    try:
        driver = feed.driver(**ONE_POLL).wait_ready()
        start = time.monotonic()
        wait_until(lambda: time.monotonic() > start + BEYOND and driver.metric("retries_total") > 2, "it tries")
        feed.write(100, some)
        assert seen(feed) == 0 and feed.one("select count(*) from dead_letters") == 0
    finally:
        start_registry(feed)
    feed.wait_read()
    feed.assert_applied_once_in_order()
    assert feed.one("select count(*) from dead_letters") == 0
    assert "gave up" not in driver.output()


def test_a_statement_that_refuses_a_record(feed):
    """Is not skipped, and the log names the record; all that come before it are done; it is done when it can be. Only its own partition
    waits for that."""
    some = tickets(10)
    driver = feed.driver().wait_ready()
    poison, = tickets(1)
    before = feed.ends()[0]
    feed.produce_raw(*((ticket, feed.value(feed.event(ticket, 1))) for ticket in some), partition=0)
    feed.produce_raw((poison, feed.value(feed.event(poison, 1, title="poison"))), partition=0)
    feed.produce_raw(*((ticket, feed.value(feed.event(ticket, 2))) for ticket in some), partition=0)
    wait_until(lambda: seen(feed) == 10, "what comes before it is done")
    wait_until(lambda: f"{feed.name}/0@{before + 10} waits: " in driver.output(), "the log names it")
    waiting(driver, 1)
    for partition in (1, 2, 3):
        feed.produce_raw(*((ticket, feed.value(feed.event(ticket, 3))) for ticket in some), partition=partition)
    wait_until(lambda: seen(feed) == 40, "the other partitions go on")
    assert feed.one("select count(*) from seen where version = 2") == 0
    feed.sql("alter table tickets drop constraint tickets_title_check")
    feed.wait_read()
    assert seen(feed) == 51
    waiting(driver, 0)


def test_two_records_that_are_refused(feed):
    """In two partitions: each waits, the others go on."""
    driver = feed.driver(BATCH="50").wait_ready()
    for partition in (0, 2):
        poison, = tickets(1)
        feed.produce_raw((poison, feed.value(feed.event(poison, 1, title="poison"))), partition=partition)
    waiting(driver, 2)
    for partition in range(4):
        feed.produce_raw(*((ticket, feed.value(feed.event(ticket, 1))) for ticket in tickets(100)), partition=partition)
    wait_until(lambda: seen(feed) == 200, "the other partitions go on")
    feed.sql("alter table tickets drop constraint tickets_title_check")
    feed.wait_read()
    assert seen(feed) == 402


def newer_schema():
    """Ours with a symbol more, as the next version's would be: its id, and how an event with that symbol is written."""
    schema = topic_schema("tickets")
    schema["fields"][0]["type"]["symbols"].append("TicketAdmitted")
    return schema


def register(feed, schema):
    body = {"schema": json.dumps(schema)}
    answer = requests.post(f"{feed.registry}/subjects/{feed.name}-value/versions", json=body, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_a_symbol_of_a_newer_version_is_waited_for(feed):
    """While an upgrade is under way: the partition waits for the new program. If none comes, the record is put aside, and can be applied
    later."""
    schema = newer_schema()
    schema_id = register(feed, schema)
    ticket, = tickets(1)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), feed.event(ticket, 1, "TicketAdmitted"))
    driver = feed.driver(UNREADABLE_WAIT_MS="3600000").wait_ready()
    feed.produce_raw((ticket, b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()), partition=0)
    waiting(driver, 1)
    for partition in (0, 1):
        feed.produce_raw((ticket, feed.value(feed.event(ticket, 2))), partition=partition)
    wait_until(lambda: seen(feed) == 1, "the other partition goes on")
    assert feed.one("select count(*) from dead_letters") == 0
    driver.stop()
    driver = feed.driver(UNREADABLE_WAIT_MS="1000").wait_ready()
    feed.wait_read()
    assert seen(feed) == 2
    assert "newer version" in feed.one("select reason from dead_letters")


# --- positions that Kafka does not have ---

def test_topic_made_anew_while_running(feed):
    some = tickets(10)
    driver = feed.driver().wait_ready()
    feed.write(1000, some)
    feed.wait_read()
    feed.delete()
    wait_until(lambda: feed.name not in feed.kafka.list_topics(timeout=10).topics, "the topic is gone")
    feed.create()
    feed.write(50, some)
    wait_until(lambda: seen(feed) == 1050, "the new topic is read from its start")
    feed.assert_applied_once_in_order()
    wait_until(lambda: feed.read() == 50, "the positions are those of the new topic")
    assert driver.metric("offset_resets_total") > 0
    assert "starting over" in driver.output()


def test_topic_made_anew_while_stopped(feed):
    some = tickets(10)
    driver = feed.driver().wait_ready()
    feed.write(1000, some)
    feed.wait_read()
    driver.stop()
    feed.delete()
    wait_until(lambda: feed.name not in feed.kafka.list_topics(timeout=10).topics, "the topic is gone")
    feed.create()
    feed.write(50, some)
    driver = feed.driver().wait_ready()
    wait_until(lambda: seen(feed) == 1050, "the new topic is read from its start")
    feed.assert_applied_once_in_order()
    assert driver.metric("offset_resets_total") > 0


def test_records_deleted_before_they_were_read(feed):
    some = tickets(10)
    driver = feed.driver().wait_ready()
    feed.write(1000, some)
    feed.wait_read()
    driver.stop()
    feed.write(1000, some)
    ends = feed.ends()
    feed.kafka.delete_records([TopicPartition(feed.name, p, end) for p, end in ends.items()])
    for future in feed.kafka.delete_records([TopicPartition(feed.name, p, end) for p, end in ends.items()]).values():
        future.result(30)
    driver = feed.driver().wait_ready()
    feed.write(100, some)
    wait_until(lambda: seen(feed) == 1100, "the rest is read")
    assert driver.metric("offset_resets_total") == sum(end > 0 for end in ends.values())


# --- stopping ---

def test_stops_under_load_and_hands_over(feed):
    some = tickets(30)
    first = feed.driver().wait_ready()
    with Stream(feed, some):
        for _ in range(3):
            before = seen(feed)
            wait_until(lambda: seen(feed) > before, "it goes on")
            second = feed.driver()
            first.stop()
            second.wait_ready()
            wait_until(lambda: second.metric("partitions") == 4, "it has them all")
            first = second
    feed.wait_read()
    feed.assert_applied_once_in_order()


def test_stops_in_time_when_everything_is_away(feed):
    driver = feed.driver().wait_ready()
    waiting = feed.driver()
    waiting.ready()  # its tables are made; it may still be waiting for partitions
    for name in ("kafka", "postgres"):
        feed.stack.supervisor("stop", name)
    try:
        for each in (driver, waiting):
            each.stop()
    finally:
        feed.stack.supervisor("start", "kafka")
        feed.stack.wait_kafka()
        start_postgres(feed)
