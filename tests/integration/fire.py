"""The event path under fire: whatever is killed, paused, stopped or lost, what is committed reaches the topic, in order, once.

Run by `pytest tests/integration/fire.py`; not yet a part of ./onsale test. A stack of its own, so that the others' stays whole. Each test ends by comparing the whole event log with the whole topic."""
import collections
import signal
import time
import uuid

import psycopg
import pytest

from support import Replica, Writers, free_port, wait_until
from test_tickets import order


@pytest.fixture(scope="module")
def fire(make_stack):
    return make_stack()


@pytest.fixture(scope="module")
def people(fire):
    return fire.tokens(8)


def committed(stack):
    """What the database says happened: {ticket: [versions]}."""
    log = collections.defaultdict(list)
    for ticket, version in stack.sql("tickets", "select id::text, version from ticket_events order by seq"):
        log[ticket].append(version)
    return {ticket: sorted(versions) for ticket, versions in log.items()}


def published(stack, epoch=None):
    """What the topic says, in its order."""
    log = collections.defaultdict(list)
    for event in stack.topic("tickets").events():
        if epoch is None or int(event.headers["epoch"]) == epoch:
            assert event.key == str(event["id"])
            log[event.key].append(event["version"])
    return dict(log)


def assert_published_once_in_order(stack, acknowledged=None):
    """Every committed event is on the topic, in order per ticket, none twice; and what was acknowledged was committed."""
    database = committed(stack)
    for ticket, version in (acknowledged or {}).items():
        assert version in database.get(ticket, []), "acknowledged, but not committed"

    def all_there():
        return sum(map(len, published(stack).values())) >= sum(map(len, database.values()))
    wait_until(all_there, "the topic has as many events as the log", 60)
    topic = published(stack)
    for ticket, versions in topic.items():
        assert versions == sorted(set(versions)), f"{ticket}: out of order or twice: {versions}"
    assert topic == database


def test_killed_a_hundred_times_between_commit_and_publish(fire, people):
    supervised, replica = f"http://127.0.0.1:{fire.status()['tickets']['port']}", Replica(fire, "tickets")
    fire.supervisor("stop", "tickets")
    try:
        with replica, Writers([replica.url], people) as writers:
            replica.wait_ready()
            for _ in range(100):
                before = len(writers.acknowledged)
                wait_until(lambda: len(writers.acknowledged) > before + 3, "writes go on")
                replica.kill()
                replica.start().wait_ready()
        assert supervised and len(writers.acknowledged) > 300
    finally:
        fire.supervisor("start", "tickets")
        fire.wait_ready("tickets")
    assert_published_once_in_order(fire, writers.acknowledged)


def test_a_standby_takes_over(fire, people):
    """Two replicas: one publishes; when it is killed, the other has taken over and published within two seconds."""
    with Replica(fire, "tickets") as replica:
        replica.wait_ready()
        assert (fire.metric("tickets", "onsale_publisher_active"), replica.metric("onsale_publisher_active")) == (1, 0)
        topic = fire.topic("tickets")
        with Writers([replica.url], people, 4) as writers:
            wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
            ends = topic.ends()
            fire.kill("tickets")
            started = time.monotonic()
            wait_until(lambda: replica.metric("onsale_publisher_active") == 1, "the standby has the slot", 2)
            ends = topic.ends()
            wait_until(lambda: sum(topic.ends().values()) > sum(ends.values()), "events are published again",
                       2 - (time.monotonic() - started))
        fire.wait_ready("tickets")
        assert_published_once_in_order(fire, writers.acknowledged)
        replica.terminate()
        wait_until(lambda: fire.metric("tickets", "onsale_publisher_active") == 1, "the supervised one publishes again")


def test_broker_stopped_under_writes(fire, people):
    with Writers([fire.url], people) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
        fire.supervisor("stop", "kafka")
        writers.statuses.clear()
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 10, "ten seconds without a broker")
        assert set(writers.statuses) <= {200, 201} and sum(writers.statuses.values()) > 100, "HTTP goes on as if nothing were"
        fire.supervisor("start", "kafka")
        fire.wait_kafka()
    assert_published_once_in_order(fire, writers.acknowledged)


def test_postgres_restarted_under_writes(fire, people):
    pid = fire.pid("tickets")
    with Writers([fire.url], people) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
        fire.kill("postgres", signal.SIGINT)  # a fast shutdown; the supervisor starts it again
        wait_until(lambda: writers.statuses.get(503, 0) > 0, "requests are refused with 503")
        count = len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > count + 20, "writes go on again")
    assert set(writers.statuses) <= {200, 201, 503}, "nothing but success and 503"
    assert writers.failures == 0, "no connection was cut"
    assert fire.pid("tickets") == pid, "the same process as before"
    fire.wait_ready("tickets")
    assert_published_once_in_order(fire, writers.acknowledged)


def test_postgres_killed_under_writes(fire, people):
    with Writers([fire.url], people) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
        fire.kill("postgres")
        wait_until(lambda: writers.statuses.get(503, 0) > 0, "requests are refused with 503")
        count = len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > count + 20, "writes go on again", 60)
    fire.wait_ready("tickets")
    assert_published_once_in_order(fire, writers.acknowledged)


def test_registry_down_at_start(fire):
    with Replica(fire, "tickets") as replica:
        fire.supervisor("stop", "tickets")
        fire.supervisor("stop", "registry")
        replica.kill()
        replica.start()
        try:
            def says_so():
                answer = replica.readyz()
                return answer is not None and answer.status_code == 503 and "registry" in answer.text
            wait_until(says_so, "/readyz says that it waits for the registry")
            assert "registry" in replica.output()
        finally:
            fire.supervisor("start", "registry")
        replica.wait_ready()
        fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")


# --- reactions ---

def position_sum(stack):
    return sum(n for [n] in stack.sql("tickets", "select next_offset from consumer_offsets where topic = 'orders'"))


def wait_applied(stack, deadline=60):
    wait_until(lambda: position_sum(stack) == sum(stack.topic("orders").ends().values()), "orders are applied to the end", deadline)


def holds(stack, tickets):
    """A story for each ticket: ordered, cancelled, ordered again. Returns the events in order."""
    events = []
    for ticket in tickets:
        first, second = order(ticket, "created", 1), order(ticket, "created", 1)
        events += [first, order(ticket, "cancelled", 2, first["id"]), second]
    return events


def assert_held_once(stack, tickets):
    """Created, locked, released, locked: version 4 and four events, if each effect was applied exactly once."""
    ids = [t["id"] for t in tickets]
    rows = stack.sql("tickets", "select status, version, count(*) from tickets where id::text = any(%s) group by 1, 2", ids)
    assert rows == [("reserved", 4, len(ids))]
    assert stack.sql("tickets", "select count(*) from ticket_events where id::text = any(%s)", ids) == [(4 * len(ids),)]


def some_tickets(stack, n):
    user = stack.user()
    return [user.list_ticket(title=f"held {i}") for i in range(n)]


def test_consumer_paused_past_its_session(fire):
    """Paused while it works; its partitions go to another instance; woken up, it must not apply anything again."""
    settings = {"RDKAFKA_SESSION_TIMEOUT_MS": "6000", "RDKAFKA_HEARTBEAT_INTERVAL_MS": "1000"}
    tickets = some_tickets(fire, 300)
    with Replica(fire, "tickets", **settings) as paused, Replica(fire, "tickets", **settings) as other:
        paused.wait_ready()
        other.wait_ready()
        fire.supervisor("stop", "tickets")
        try:
            wait_until(lambda: paused.metric("onsale_consumer_partitions") > 0 and other.metric("onsale_consumer_partitions") > 0
                       and paused.metric("onsale_consumer_partitions") + other.metric("onsale_consumer_partitions") == partitions(fire),
                       "the two share the partitions", 60)
            events = holds(fire, tickets)
            fire.topic("orders").produce(*events[:300])
            paused.signal(signal.SIGSTOP)
            fire.topic("orders").produce(*events[300:])
            wait_until(lambda: other.metric("onsale_consumer_partitions") == partitions(fire), "the other has them all", 60)
            wait_applied(fire)
            paused.signal(signal.SIGCONT)
            wait_until(lambda: paused.metric("onsale_consumer_partitions") > 0, "the paused one is back in the group", 60)
            wait_applied(fire)
            assert_held_once(fire, tickets)
        finally:
            fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")


def partitions(stack):
    return len(stack.topic("orders").ends())


def test_consumer_killed_while_it_applies(fire):
    tickets = some_tickets(fire, 300)
    events = holds(fire, tickets)
    with Replica(fire, "tickets") as replica:
        fire.supervisor("stop", "tickets")
        try:
            for at in range(0, len(events), 90):
                fire.topic("orders").produce(*events[at:at + 90])
                replica.kill()
                replica.start()
            wait_applied(fire, 120)
        finally:
            fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    wait_applied(fire)
    assert_held_once(fire, tickets)
    assert_published_once_in_order(fire)


def snapshot(stack):
    return (stack.sql("tickets", "select * from tickets order by id"), stack.sql("tickets", "select count(*), max(seq) from ticket_events"),
            stack.sql("tickets", "select * from seen_orders order by 1"))


def test_replay_of_the_whole_topic_changes_nothing(fire):
    tickets = some_tickets(fire, 50)
    fire.topic("orders").produce(*holds(fire, tickets))
    wait_applied(fire)
    before = snapshot(fire)
    fire.supervisor("stop", "tickets")
    fire.sql("tickets", "update consumer_offsets set next_offset = 0 where topic = 'orders'")
    assert position_sum(fire) == 0
    fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    wait_applied(fire)
    assert snapshot(fire) == before


def test_undecodable_records_are_put_aside(fire):
    topic = fire.topic("orders")
    before = topic.ends()
    [ticket, last] = some_tickets(fire, 2)
    schema_id = topic.schema_id().to_bytes(4, "big")
    bad = {b"": "empty", b"\0" + schema_id: "no body", b"\0" + schema_id + b"\xff" * 40: "garbage",
           b"\0\x7f\xff\xff\xff" + b"x" * 40: "an unknown schema id", b"\x01" + schema_id + b"x": "another magic", b"{}": "JSON"}
    first = order(ticket, "created", 1)
    topic.produce(first)
    topic.produce_raw(*[(ticket["id"], value) for value in bad], (ticket["id"], None))
    topic.produce(order(ticket, "cancelled", 2, first["id"]), order(last, "created", 1))
    wait_applied(fire)
    letters = fire.sql("tickets", """select key, value, reason from dead_letters where topic = 'orders' and key = %s order by "offset" """,
                       ticket["id"].encode())
    assert [(bytes(key), value) for key, value, _ in letters] == [(ticket["id"].encode(), v) for v in [*bad, None]]
    assert all(reason for *_, reason in letters)
    assert fire.metric("tickets", "onsale_consumer_dead_letters_total") >= 7
    states = fire.sql("tickets", "select status, version from tickets where id::text = any(%s) order by version", [ticket["id"], last["id"]])
    assert states == [("reserved", 2), ("available", 3)], "the stream goes on behind them"
    assert sum(topic.ends().values()) - sum(before.values()) == 10


def test_topic_made_anew_is_read_from_its_start(fire):
    """Positions that Kafka no longer has: from the earliest, loudly."""
    fire.supervisor("stop", "tickets")
    fire.sql("tickets", "update consumer_offsets set next_offset = next_offset + 1000000 where topic = 'orders'")
    fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    [ticket] = some_tickets(fire, 1)
    fire.topic("orders").produce(order(ticket, "created", 1))
    wait_applied(fire)
    assert fire.sql("tickets", "select status from tickets where id::text = %s", ticket["id"]) == [("reserved",)]
    assert fire.metric("tickets", "onsale_consumer_offset_resets_total") > 0


# --- the last: it leaves repeats on the topic, by design ---

def test_slot_dropped_republishes_the_log(fire, people):
    [[slot, epoch]] = fire.sql("tickets", "select slot_name, substring(slot_name from '[0-9]+$')::int from pg_replication_slots "
                                          "where database = current_database()")
    with Writers([fire.url], people, 4) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")

        def dropped():
            try:
                fire.sql("tickets", "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = %s", slot)
                fire.sql("tickets", "select pg_drop_replication_slot(%s)", slot)
                return True
            except psycopg.errors.ObjectInUse:
                return False
            except psycopg.errors.UndefinedObject:
                return True
        wait_until(dropped, "the slot is dropped")
        count = len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > count + 20, "writes go on")
    database = committed(fire)

    def republished():
        return published(fire, epoch + 1)
    wait_until(lambda: sum(map(len, republished().values())) >= sum(map(len, database.values())), "the whole log is there again", 60)
    assert republished() == database, "under the new epoch: everything, in order, once"
    assert "republish" in fire.logs("tickets").lower(), "said loudly"
    assert fire.metric("tickets", "onsale_publisher_republished_total") > 0
