"""The publisher by itself: a process that is nothing else (publisher_driver), with real Postgres and Kafka, each test with a
database and a topic of its own. What it publishes is compared with the event log, row by row."""
import contextlib
import itertools
import json
import random
import signal
import threading
import time
import urllib.error
import urllib.request

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from event_log import KEYS, Log, Writers
from support import DEADLINE, Replica, wait_until

REPLACED = '"message":"Kafka and the producer do not agree'  # logged of a producer that librdkafka gave up


@pytest.fixture
def log(stack, tmp_path):
    log = Log(stack, tmp_path)
    yield log
    log.close()


@pytest.fixture
def log_alone(make_stack, tmp_path):
    """On a server of its own: whoever publishes from it does so again."""
    log = Log(make_stack(), tmp_path)
    yield log
    log.close()


# --- what is published ---

def test_an_event_is_its_row(log):
    log.driver().ready()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    log.change(7, 8, trace=trace)
    log.change(7)
    first, second, third = sorted(log.published(3), key=lambda e: e.position)
    (row,) = log.sql("select id, occurred_at from ticket_events where version = 1 and title like 'Seat 7 %%'")
    seven, eight = (first, second) if first["title"].startswith("Seat 7 ") else (second, first)
    assert seven == {"type": "TicketCreated", "id": row[0], "version": 1, "userId": row[0], "title": "Seat 7 “é”",
                     "occurredAt": row[1].replace(microsecond=row[1].microsecond // 1000 * 1000),
                     "price": 700, "currency": "EUR", "status": "available", "orderId": None,
                     **dict.fromkeys(("showId", "areaId", "areaName", "rowName", "seat", "rank", "accessible", "date", "venue", "city"))}, "a place of no show"
    assert eight["orderId"] == eight["id"]
    assert seven.key == str(row[0])
    assert seven.headers == {"epoch": str(log.epoch()), "position": seven.headers["position"], "type": "TicketCreated",
                             "traceparent": trace}
    assert first.position[0] == second.position[0] and (first.position[1], second.position[1]) == (1, 2), "one transaction"
    assert third.position[0] > first.position[0] and third.position[1] == 1
    assert third.headers["type"] == "TicketUpdated" and "traceparent" not in third.headers


def test_keys_go_where_everybody_elses_go(log):
    """The murmur2 partitioner, as Java has it: so that topics can be joined."""
    log.driver().ready()
    log.change(*range(1, KEYS + 1))
    ours = {e.key: e.partition for e in log.published(KEYS)}
    theirs = {}
    producer = Producer({"bootstrap.servers": log.brokers, "partitioner": "murmur2_random"})
    for key in ours:
        producer.produce(log.name, key=key, on_delivery=lambda _, r: theirs.update({r.key().decode(): r.partition()}))
    assert producer.flush(30) == 0
    assert ours == theirs


def test_interleaved_transactions_come_in_commit_order(log):
    log.driver().ready()
    with Writers(log, count=6, pause=0):
        wait_until(lambda: log.sql("select count(*) from ticket_events")[0][0] > 3000, "3000 events")
    log.check()
    # A transaction that began first and commits last is published last.
    with log.connect() as slow:
        with slow.transaction():
            slow.execute("select change(array[1])")
            log.change(2)
        slow.execute("select 1")
    early, late = sorted(log.check(), key=lambda e: e.position)[-2:]
    assert (early["title"][:6], late["title"][:6]) == ("Seat 2", "Seat 1")


def test_large_transactions_and_texts(log):
    log.driver().ready()
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 500)")
    log.sql("insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status)"
            " select 'TicketCreated', id, 1000, now(), id, repeat('é', 100000), 1, 'EUR', 'sold' from tickets limit 1")
    assert max(len(e["title"]) for e in log.check()) == 100000


# --- what happens to the process ---

def test_kill_9_a_hundred_times_under_load(log):
    rng = random.Random(1)
    with Writers(log) as writers:
        for _ in range(100):
            driver = log.driver()
            if rng.random() < 0.8:
                driver.ready()
            writers.stopping.wait(rng.random() * 0.4)  # a moment of any kind: before it publishes, while it does
            driver.kill()
    driver = log.driver().ready()
    events = log.check(deaths=100)
    assert len(events) > 3000
    assert {e.headers["epoch"] for e in events} == {str(log.epoch())}, "no epoch was given up"


def test_stop_publishes_what_is_committed(log):
    driver = log.driver(STOP_MS="60000").ready()
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 500)")
    assert driver.kill(signal.SIGTERM) == 0
    assert sum(log.topic.ends().values()) == 20000
    log.change(1)
    after = log.driver().ready()
    log.check()
    wait_until(lambda: after.metric("onsale_publisher_events_total") > 0, "it knows that Kafka has it")
    assert after.metric("onsale_publisher_skipped_total") == 0, "all of it was confirmed"
    assert after.metric("onsale_publisher_events_total") == 1


def test_a_stop_frees_the_slot_at_once(log):
    """On a machine that has the time: once in five is enough."""
    free = []
    for _ in range(5):
        driver = log.driver().ready()
        driver.says("publishing ticket_events")
        assert driver.kill(signal.SIGTERM) == 0
        free.append(not log.slots()[0][1])
    assert any(free)


def test_a_standby_takes_over_within_two_seconds(log):
    """On a machine that has the time: of five and more turns once is enough."""
    took, began = [], time.monotonic()
    active = log.driver().ready()
    active.says("publishing ticket_events")
    while len(took) < 5 or min(took) >= 2:
        assert time.monotonic() < began + DEADLINE, took
        turn = len(took)
        standby = log.driver().ready()
        standby.says("standing by")
        active.kill()
        died = time.monotonic()
        log.change(turn % KEYS + 1)
        wait_until(lambda turn=turn: sum(log.topic.ends().values()) == turn + 1, "the event of the take-over")
        took.append(time.monotonic() - died)
        active = standby
    log.check()


def test_replicas_that_start_together_begin_one_epoch(log):
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 20)")
    drivers = [log.driver() for _ in range(5)]
    for driver in drivers:
        driver.ready()
    log.check()
    assert sum("begins" in driver.text() for driver in drivers) == 1


def test_replicas_killed_in_turn_under_load(log):
    replicas = [log.driver().ready() for _ in range(3)]
    with Writers(log):
        for _ in range(20):
            before = sum(log.topic.ends().values())
            wait_until(lambda: sum(log.topic.ends().values()) > before, "somebody publishes")
            active = wait_until(lambda: next((d for d in replicas if d.metric("onsale_publisher_active") == 1), None), "one of them publishes")
            active.kill()
            replicas.remove(active)
            replicas.append(log.driver().ready())
    log.check(deaths=20)


def test_a_paused_owner_is_replaced_and_stands_by_after(log):
    paused, standby = log.driver().ready(), log.driver().ready()
    standby.says("standing by")
    log.change(1)
    log.published(1)
    paused.process.send_signal(signal.SIGSTOP)
    # These wait in the buffers of its connection when it wakes up, and are published by then.
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 50)")
    standby.says("publishing ticket_events")
    log.published(2001)
    paused.process.send_signal(signal.SIGCONT)
    paused.says("standing by")
    log.change(3)
    log.check()


# --- what happens to the slot ---

def warned(driver):
    return [json.loads(line)["message"] for line in driver.text().splitlines() if '"level":"warn"' in line]


def test_events_from_before_the_first_start_are_published(log):
    log.change(1, 2, 3)
    driver = log.driver().ready()
    log.change(1)
    events = log.check()
    assert sorted(e.position for e in events)[:3] == [(0, 1), (0, 2), (0, 3)]
    assert not warned(driver), "a first start is no incident"
    assert driver.metric("onsale_publisher_republished_total") == 3


def test_a_dropped_slot_has_the_log_published_again(log):
    driver = log.driver().ready()
    for n in range(1, 41):
        log.change(n)
    log.check()
    old = log.epoch()
    driver.kill()
    (slot, _), = log.slots()
    wait_until(lambda: not log.slots()[0][1], "the slot is free")
    log.sql("select pg_drop_replication_slot(%s)", slot)
    log.change(1)
    driver = log.driver().ready()
    log.change(2)
    wait_until(lambda: sum(log.topic.ends().values()) == 40 + 42, "the log again, and what is new")
    assert log.epoch() > old
    log.check(epoch=log.epoch())
    assert driver.metric("onsale_publisher_republished_total") == 41
    assert any("the whole log is published again" in text for text in warned(driver))
    assert [name for name, _ in log.slots()] == [f"onsale_{log.name}_{log.epoch()}"]


def test_a_promoted_server_has_the_log_published_again(log_alone):
    """Its positions may be some that the topic knows, of events that the promotion lost: also when the slot came along."""
    log = log_alone
    driver = log.driver().ready()
    for n in range(1, 21):
        log.change(n)
    log.check()
    old = log.epoch()
    with away(log, "postgres"):
        (log.stack.state / "data/postgres/standby.signal").touch()
    log.sql("select pg_promote(true, 60)")
    wait_until(lambda: log.epoch() > old, "a new epoch")
    log.change(1)
    wait_until(lambda: sum(log.topic.ends().values()) == 20 + 21, "the log again, and what is new")
    log.check(epoch=log.epoch())
    assert any("timeline another" in text for text in warned(driver))


SLOWLY = {"RDKAFKA_QUEUE_BUFFERING_MAX_MESSAGES": "10", "RDKAFKA_LINGER_MS": "25"}  # hundreds of round trips, each of as long


def test_a_crash_while_publishing_the_log_again_begins_anew(log):
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 200)")
    for _ in range(3):
        before = sum(log.topic.ends().values())
        driver = log.driver(**SLOWLY)
        wait_until(lambda: sum(log.topic.ends().values()) > before, "some are out")
        driver.kill()
        assert not log.sql("select republished from publisher_epoch")[0][0], "it was in the middle"
    log.driver().ready()
    wait_until(lambda: log.sql("select republished from publisher_epoch")[0][0], "it is done at last")
    log.check(epoch=log.epoch())
    assert len(log.slots()) == 1, "the slots of epochs that broke off are gone"


def wait_begun_anew(driver, times):
    """It publishes after its producer gave up so many times. (It may have begun anew more often: what could tell Postgres nothing for a while does.)"""
    wait_until(lambda: driver.text().count(REPLACED) == times and "publishing ticket_events" in driver.text().rpartition(REPLACED)[2], "it begins anew")


def test_a_producer_that_gives_up_while_the_log_is_published_again(log):
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 200)")
    driver = log.driver(**SLOWLY)
    for times in range(1, 4):
        wait_begun_anew(driver, times - 1)
        before = sum(log.topic.ends().values())
        wait_until(lambda before=before: sum(log.topic.ends().values()) > before, "some are out")
        driver.process.send_signal(signal.SIGUSR2)
        wait_until(lambda times=times: driver.text().count(REPLACED) == times, "it is given up")
        assert not log.sql("select republished from publisher_epoch")[0][0], "it was in the middle"
    wait_until(lambda: log.sql("select republished from publisher_epoch")[0][0], "it is done at last")
    log.check(epoch=log.epoch())
    assert len(log.slots()) == 1, "the slots of epochs that broke off are gone"


@pytest.mark.parametrize("loss", ["drop publication onsale_events", "alter publication onsale_events drop table ticket_events"])
def test_a_lost_publication_has_the_log_published_again(log, loss):
    driver = log.driver().ready()
    log.change(1)
    log.published(1)
    driver.kill()
    old = log.epoch()
    log.sql(loss)
    log.change(2)  # no slot will ever show this one
    log.driver().ready()
    log.published(3)
    assert log.epoch() > old
    log.check(epoch=log.epoch())


def test_replicas_that_see_a_publication_lost_begin_one_epoch(log):
    """The owner is told that its stream is at an end; whoever stands by may be faster than it to begin anew."""
    drivers = [log.driver().ready() for _ in range(4)]
    for turn in range(1, 6):
        old = log.epoch()
        log.sql("drop publication onsale_events")
        log.change(turn)
        wait_until(lambda: log.epoch() > old, "a new epoch")
        wait_until(lambda: sum("from the log" in d.text() for d in drivers) and log.sql("select republished from publisher_epoch")[0][0]
                   and [active for _, active in log.slots()] == [True], "its slot is read")
        for driver in drivers:  # all have settled again, as owner or standby
            wait_until(lambda: [x for x in driver.text().splitlines() if '"publisher"' in x][-1].count("standing by")
                       or driver.metric("onsale_publisher_active") == 1, "settled")
    assert sum(d.text().count("the whole log is published again") for d in drivers) == turn
    log.check(epoch=log.epoch())


def test_an_older_copy_of_the_database_does_not_pass_for_the_newer(log):
    driver = log.driver().ready()
    log.change(1)
    (event,) = log.published(1)
    driver.kill()
    # The topic knows a later position of this epoch than the database has come to.
    producer = Producer({"bootstrap.servers": log.brokers})
    producer.produce(log.name, key=event.key, value=b"x", partition=event.partition,
                     headers={"epoch": event.headers["epoch"], "position": "00ffffffffffffff/00000001"})
    producer.flush()
    log.change(1)
    driver = log.driver()
    driver.says("is ahead of the database")
    wait_until(lambda: sum(log.topic.ends().values()) == 4, "the log again")
    assert str(log.epoch()) != event.headers["epoch"]


def rewind(log, copy):
    """Puts the slot back to where its copy stands: Postgres gives everything since then again."""
    wait_until(lambda: not log.slots()[0][1], "the slot is free")
    slot = f"onsale_{log.name}_{log.epoch()}"
    log.sql("select pg_drop_replication_slot(%s)", slot)
    log.sql("select pg_copy_logical_replication_slot(%s, %s)", copy, slot)


def copy_slot(log):
    copy = f"{log.name}_copy"
    log.sql("select pg_copy_logical_replication_slot(%s, %s)", f"onsale_{log.name}_{log.epoch()}", copy)
    return copy


def test_what_the_topic_has_is_skipped(log):
    driver = log.driver().ready()
    copy = copy_slot(log)
    with Writers(log):
        wait_until(lambda: log.sql("select count(*) from ticket_events")[0][0] > 2000, "2000 events")
    count = len(log.check())
    driver.kill()
    rewind(log, copy)
    log.change(1)
    driver = log.driver().ready()
    assert len(log.check()) == count + 1
    assert driver.metric("onsale_publisher_skipped_total") == count


def test_foreign_records_hide_nothing(log):
    """The last records of a partition may be anybody's, more than a glance back takes in, and still coming."""
    driver = log.driver().ready()
    copy = copy_slot(log)
    for n in range(1, KEYS + 1):
        log.change(n)
    partition = log.check()[0].partition
    driver.kill()
    producer, stopping = Producer({"bootstrap.servers": log.brokers}), threading.Event()

    def write(count):
        for _ in range(count):
            producer.produce(log.name, key=b"k", value=b"x", partition=partition)
            producer.poll(0)
        assert producer.flush(30) == 0

    def go_on():
        while not stopping.wait(0.01):
            write(1)

    write(20000)
    rewind(log, copy)
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        driver = log.driver().ready()
        wait_until(lambda: driver.metric("onsale_publisher_skipped_total") == KEYS, "all are known")
    finally:
        stopping.set()
        writer.join()
    assert len([e for e in log.topic.records() if e.headers()]) == KEYS


# --- what happens to the others ---

@contextlib.contextmanager
def away(log, name):
    log.stack.supervisor("stop", name)
    try:
        yield
    finally:
        log.stack.supervisor("start", name)
        if name == "kafka":
            log.stack.wait_kafka()
        else:
            wait_until(lambda: answers(log), "Postgres answers")


def answers(log):
    try:
        return log.sql("select 1")
    except psycopg.OperationalError:
        return None


def test_broker_away_for_ten_seconds(log):
    """On a machine that has the time it keeps the slot meanwhile: once in five is enough."""
    driver = log.driver(RDKAFKA_QUEUE_BUFFERING_MAX_MESSAGES="200").ready()
    driver.says("publishing ticket_events")

    def written():
        return log.sql("select count(*) from ticket_events")[0][0]

    def keeps_the_slot():
        since, there = len(driver.text()), sum(log.topic.ends().values())
        with Writers(log) as writers:
            wait_until(lambda: sum(log.topic.ends().values()) > there + 100, "it flows")
            with away(log, "kafka"):
                before = written()
                writers.stopping.wait(10)
                wait_until(lambda: written() > before + 200, "more than the queue holds")
        log.check()
        said = driver.text()[since:]  # librdkafka may give up where brokers come and go; another producer goes on then
        return said.count("publishing ticket_events") == said.count(REPLACED)
    assert any(keeps_the_slot() for _ in range(5))


def test_a_producer_that_gives_up_is_replaced(log):
    """Within the process, which goes on with its other work; nothing is lost, or comes behind what is later."""
    driver = log.driver().ready()
    with Writers(log):
        for times in range(1, 6):
            before = sum(log.topic.ends().values())
            wait_until(lambda before=before: sum(log.topic.ends().values()) > before + 100, "it flows")
            driver.process.send_signal(signal.SIGUSR2)
            wait_begun_anew(driver, times)
    log.check(deaths=5)
    assert driver.text().count(REPLACED) == 5
    assert driver.kill(signal.SIGTERM) == 0


def test_killed_while_the_broker_is_away(log):
    driver = log.driver().ready()
    for n in range(1, KEYS + 1):  # the first event of each partition goes alone
        log.change(n)
    log.published(KEYS)
    confirmed = "select confirmed_flush_lsn from pg_replication_slots where database = current_database()"
    with away(log, "kafka"):
        for n in range(1, KEYS + 1):
            log.change(n)
        wait_until(lambda: driver.metric("onsale_publisher_unacked_events") == KEYS, "all are on their way")
        told = log.sql(confirmed)
        since = log.sql("select now()")[0][0]
        wait_until(lambda: log.sql("select reply_time > %s from pg_stat_replication"
                                   " where application_name = 'onsale-publisher-stream'", since)[0][0], "it has reported")
        assert log.sql(confirmed) == told, "nothing is confirmed that Kafka does not have"
        driver.kill()
    log.driver().ready()
    log.check()


def test_postgres_restarts(log):
    driver = log.driver().ready()
    with Writers(log):
        wait_until(lambda: sum(log.topic.ends().values()) > 100, "it flows")
        with away(log, "postgres"):
            driver.says("not ready")
        driver.ready()
        before = sum(log.topic.ends().values())
        wait_until(lambda: sum(log.topic.ends().values()) > before + 100, "it flows again")
    log.check()
    registry_recovers(log)


def registry_recovers(log):
    """The schema registry has lost its connections to Postgres too, and notices one by one as it uses them. The tests that
    follow need it."""
    def answers(_):
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(f"{log.registry}/subjects", timeout=DEADLINE) as answer:
            return answer.status == 200
    wait_until(lambda: all(map(answers, range(20))), "the registry answers 20 times in a row")


@pytest.mark.parametrize("broken, reason", [
    ({"registry": "http://127.0.0.1:1/apis/ccompat/v7"}, "cannot register the schema"),
    ({"brokers": "127.0.0.1:1"}, "Kafka does not answer"),
    ({"table": "no_such_events"}, "no_such_events"),
])
def test_waits_for_what_is_missing_and_says_so_once(log, broken, reason):
    driver = log.driver(**broken)
    driver.says(reason)
    tries = threading.Event()
    tries.wait(3)  # enough for several tries
    said = [m for m in warned(driver) if reason in m]
    assert len(said) == 1, said
    assert driver.kill(signal.SIGTERM) == 0, "it can be told to stop meanwhile"


def test_a_property_that_would_break_promises_is_refused(log):
    driver = log.driver(RDKAFKA_ACKS="1")
    assert driver.process.wait(DEADLINE) == 78
    assert driver.text().strip() == (f"{log.name}: Kafka property acks must stay -1: unset the RDKAFKA_ variable that says 1")


def test_a_topic_with_other_partitions_is_refused(stack, tmp_path):
    log = Log(stack, tmp_path, partitions=5)
    try:
        log.driver().says("has 5 partitions")
    finally:
        log.close()


def test_a_record_that_kafka_refuses_ends_the_process(log):
    driver = log.driver().ready()
    small = ConfigResource("topic", log.name, incremental_configs=[
        ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)])
    log.kafka.incremental_alter_configs([small])[small].result(30)
    versions = itertools.count(1)

    def ended():  # the broker takes its time to see that setting
        log.sql("insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status)"
                " select 'TicketCreated', id, %s, now(), id, string_agg(gen_random_uuid()::text, ''), 1, 'EUR', 'sold'"
                " from tickets, generate_series(1, 200) where n = 1 group by id", next(versions))
        return driver.process.poll() is not None
    wait_until(ended, "a record is refused", pause=0.5)
    assert driver.process.poll() == 70
    assert "Kafka refuses a record" in driver.text()


def test_a_row_that_cannot_be_published_ends_the_process(log):
    driver = log.driver().ready()
    log.sql("insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status)"
            " select 'NoSuchType', id, 1, now(), id, 't', 1, 'EUR', 'sold' from tickets limit 1")
    assert driver.process.wait(DEADLINE) == 70
    assert "does not fit field type of TicketEvent" in driver.text()


# --- copies ---

def test_too_few_copies_of_events_are_said(stack):
    """One broker has one, and the topics were created to be content with it."""
    kafka = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"]})
    topic = ConfigResource("topic", "users")
    assert kafka.describe_configs([topic])[topic].result(30)["min.insync.replicas"].value == "1"
    with Replica(stack, "auth", EVENT_COPIES="2") as demanding:
        demanding.wait_ready()
        assert demanding.output().count("topic users with 1 in-sync replicas, EVENT_COPIES asks for 2") == 1
        assert demanding.metric("onsale_publisher_event_copies") == 1
    assert "EVENT_COPIES" not in stack.logs("auth") and stack.metric("auth", "onsale_publisher_event_copies") == 1


# --- retention ---

def test_events_are_deleted_after_the_retention(log):
    driver = log.driver(retention_ms=1000).ready()
    log.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 300)")
    wait_until(lambda: log.sql("select count(*) from ticket_events")[0][0] == 0, "all are deleted")
    events = log.topic.events()
    assert len(events) == 12000, "and all were published"
    assert driver.metric("onsale_events_expired_total") == 12000
