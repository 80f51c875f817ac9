"""The event path under fire: whatever is killed, paused, stopped or lost, what is committed reaches the topic, in order, once.

A stack of its own, so that the others' stays whole. Each test ends by comparing the whole event log with the whole topic."""
import collections
import os
import signal
import threading
import time

import psycopg
import pytest
import requests

from background import Background
from databases import ask
from support import Replica, User, wait_published, wait_until
from topics import seen_by_consumers
from test_tickets import order


@pytest.fixture(scope="module")
def fire(make_stack):
    stack = make_stack()
    stack.deaths = 0  # of its publishers, in all tests
    return stack


@pytest.fixture(scope="module")
def people(fire):
    return fire.tokens(8)


class Writers(Background):
    """People who list tickets and edit them, a few hundred times a second: some is always on its way, and more would take the time that
    what was killed needs to start. Failures are counted, not raised: the tests here pull the ground away under them. What was acknowledged
    is in .acknowledged: ticket id -> last version."""

    def __init__(self, urls, users, count=8, pause=0.02):
        super().__init__(count)
        self.urls, self.users, self.pause = urls, users, pause
        self.acknowledged, self.failures, self.statuses = {}, 0, {}
        self.lock = threading.Lock()

    def go(self, n):
        url, token = self.urls[n % len(self.urls)], self.users[n % len(self.users)]
        user = User(url, token)
        ticket, turn = None, 0
        while not self.stopping.is_set():
            turn += 1
            try:
                if ticket is None or turn % 4 == 0:
                    answer = user.post("/api/tickets", json={"title": f"{n}.{turn}", "price": 1})
                else:
                    answer = user.put(f"/api/tickets/{ticket}", json={"title": f"{n}.{turn}", "price": 1})
            except requests.RequestException:
                with self.lock:
                    self.failures += 1
                self.stopping.wait(self.pause)
                continue
            with self.lock:
                self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
                if answer.status_code in (200, 201):
                    body = answer.json()
                    ticket = body["id"]
                    self.acknowledged[ticket] = body["version"]
            self.stopping.wait(self.pause)


def committed(stack):
    """What the database says happened: {ticket: [versions]}."""
    log = collections.defaultdict(list)
    for ticket, version in stack.sql("tickets", "select id::text, version from ticket_events order by seq"):
        log[ticket].append(version)
    return {ticket: sorted(versions) for ticket, versions in log.items()}


def published(stack, epoch=None):
    """What the topic says, in its order."""
    log = collections.defaultdict(list)
    events = (e for e in stack.topic("tickets").events() if epoch is None or int(e.headers["epoch"]) == epoch)
    for event in seen_by_consumers(events, stack.deaths):
        assert event.key == str(event["id"])
        log[event.key].append(event["version"])
    return dict(log)


def in_log(stack):
    [[count]] = stack.sql("tickets", "select count(*) from ticket_events")
    return count


def on_topic(stack):
    """Each event once."""
    headers = (dict(record.headers()) for record in stack.topic("tickets").records())
    return len({(of["epoch"], of["position"]) for of in headers})


def assert_published_once_in_order(stack, acknowledged=None):
    """Every committed event is on the topic, in order per ticket, as consumers see it once; and what was acknowledged was committed."""
    database = committed(stack)
    for ticket, version in (acknowledged or {}).items():
        assert version in database.get(ticket, []), "acknowledged, but not committed"

    wait_published(stack, "tickets")
    assert published(stack) == database


def publishes(replica):
    """It may before it is ready, which waits for what it reads as well."""
    assert replica.process.poll() is None, replica.output()[-2000:]
    try:
        return replica.metric("onsale_publisher_events_total") > 0
    except requests.ConnectionError:
        return False


def test_killed_a_hundred_times_between_commit_and_publish(fire, people):
    caught, skipped = 0, 0
    with Replica(fire, "tickets") as replica, Writers([replica.url], people) as writers:
        fire.supervisor("stop", "tickets")
        try:
            for _ in range(100):
                wait_until(lambda: publishes(replica), "it publishes")
                skipped += replica.metric("onsale_publisher_skipped_total")
                replica.kill()
                fire.deaths += 1
                caught += in_log(fire) > on_topic(fire)
                replica.start()
            replica.wait_ready()
        finally:
            fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    assert_published_once_in_order(fire, writers.acknowledged)
    assert caught > 50, "most kills came between a commit and its publishing"
    assert skipped > 100, "what was on the topic and not confirmed came again"


def active(instance):
    name = "onsale_publisher_active"
    try:
        return instance.metric(name) if isinstance(instance, Replica) else instance.metric("tickets", name)
    except requests.ConnectionError:
        return 0  # it is being started


def test_a_standby_takes_over(fire, people):
    """Two replicas: one publishes; when it is killed, the other takes over."""
    def kill():
        fire.kill("tickets")
        fire.deaths += 1

    def taken_over():
        if active(fire):  # it was back before the standby looked
            kill()
        return active(replica)
    wait_until(lambda: active(fire), "the supervised one publishes")
    with Replica(fire, "tickets") as replica:
        replica.wait_ready()
        assert (active(fire), active(replica)) == (1, 0)
        topic = fire.topic("tickets")
        with Writers([replica.url], people, 4) as writers:
            wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
            kill()
            wait_until(taken_over, "the standby has the slot")
            ends = topic.ends()
            wait_until(lambda: sum(topic.ends().values()) > sum(ends.values()), "events are published again")
        fire.wait_ready("tickets")
        assert_published_once_in_order(fire, writers.acknowledged)
        replica.terminate()
        wait_until(lambda: active(fire), "the supervised one publishes again")


def test_broker_stopped_under_writes(fire, people):
    with Writers([fire.url], people) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
        fire.supervisor("stop", "kafka")
        writers.statuses.clear()
        stopped = time.monotonic()
        wait_until(lambda: time.monotonic() - stopped > 10, "ten seconds without a broker")
        assert set(writers.statuses) <= {200, 201} and sum(writers.statuses.values()) > 100, "HTTP goes on as if nothing were"
        assert writers.failures == 0, "no connection was cut"
        fire.supervisor("start", "kafka")
        fire.wait_kafka()
    assert_published_once_in_order(fire, writers.acknowledged)


def test_postgres_restarted_under_writes(fire, people):
    pid = fire.pid("tickets")
    with Writers([fire.url], people) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")
        fire.kill("postgres-tickets", signal.SIGINT)  # a fast shutdown; the supervisor starts it again
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
        fire.kill("postgres-tickets")
        wait_until(lambda: writers.statuses.get(503, 0) > 0, "requests are refused with 503")
        count = len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > count + 20, "writes go on again")
    fire.wait_ready("tickets")
    assert_published_once_in_order(fire, writers.acknowledged)


def test_registry_down_at_start(fire):
    with Replica(fire, "tickets") as replica:
        fire.supervisor("stop", "tickets")
        fire.supervisor("stop", "registry")
        replica.kill()
        fire.deaths += 1
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
    [[total]] = stack.sql("tickets", "select coalesce(sum(next_offset), 0) from consumer_offsets where topic = 'orders'")
    return total


def orders_written(stack):
    return sum(stack.topic("orders").ends().values())


def wait_applied(stack):
    wait_until(lambda: position_sum(stack) == orders_written(stack), "orders are applied to the end")


def holds(tickets):
    """For each ticket the events of an order that held it and was cancelled, of one that holds it now, and of a rival that came
    between and got nothing. In the order that they happen in."""
    events = []
    for ticket in tickets:
        first, rival, second = (order(ticket, "created", 1) for _ in range(3))
        events += [first, rival, order(ticket, "cancelled", 2, first["id"]), second, order(ticket, "cancelled", 2, rival["id"])]
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


def partitions(stack):
    """Of all topics that tickets reads."""
    return sum(len(stack.topic(name).ends()) for name in ("orders", "stock", "payments", "show-sales"))


def consumer_backends(stack):
    """The processes of Postgres that consumers' connections lead to."""
    return [pid for [pid] in stack.sql("tickets", """select pid from pg_stat_activity
        where datname = current_database() and application_name like '%%-consumer'""")]


def unread(stack, backend):
    """How many bytes of its client's lie before this process of Postgres."""
    [[port]] = stack.sql("tickets", "select client_port from pg_stat_activity where pid = %s", backend)
    with open("/proc/net/tcp") as connections:
        return sum(int(fields[4].split(":")[1], 16) for fields in map(str.split, connections) if fields[2].endswith(f":{port:04X}"))


def test_consumer_paused_past_its_session(fire):
    """Paused with a transaction on its way, which Postgres gets to see when the partitions are another's. It must not take effect."""
    settings = {"RDKAFKA_SESSION_TIMEOUT_MS": "6000", "RDKAFKA_HEARTBEAT_INTERVAL_MS": "1000", "CONSUMER_BATCH": "5"}
    tickets, whole = some_tickets(fire, 200), partitions(fire)
    paused, other = Replica(fire, "tickets", **settings), Replica(fire, "tickets", **settings)
    fire.supervisor("stop", "tickets")
    wait_until(lambda: not consumer_backends(fire), "its connection is gone")
    with paused:
        try:
            [backend] = wait_until(lambda: consumer_backends(fire), "it is connected")
            with other:
                shares = [replica.wait_ready().metric for replica in (paused, other)]
                wait_until(lambda: sum(parts := [metric("onsale_consumer_partitions") for metric in shares]) == whole and all(parts),
                           "they share the partitions")
                os.kill(backend, signal.SIGSTOP)
                try:
                    fire.topic("orders").produce(*holds(tickets))
                    wait_until(lambda: unread(fire, backend), "its transaction is on its way")
                    paused.signal(signal.SIGSTOP)
                    wait_until(lambda: other.metric("onsale_consumer_partitions") == whole, "the other has them all")
                    wait_applied(fire)
                finally:
                    os.kill(backend, signal.SIGCONT)
                paused.signal(signal.SIGCONT)
                wait_until(lambda: paused.metric("onsale_consumer_fenced_total") > 0, "its transaction is refused")
                wait_until(lambda: paused.metric("onsale_consumer_partitions") in range(1, whole), "it is back in the group")
                assert position_sum(fire) == orders_written(fire), "no position went back"
                assert_held_once(fire, tickets)
        finally:
            fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")


def test_consumer_killed_while_it_applies(fire):
    """It gets its partitions back at once, so each kill comes between two transactions or in one; or after the last, which does not count."""
    left, tickets, caught = some_tickets(fire, 1200), [], 0
    with Replica(fire, "tickets", CONSUMER_BATCH="2") as replica:
        fire.supervisor("stop", "tickets")
        try:
            wait_applied(fire)
            while caught < 10:
                assert left, f"{caught} of so many kills came while it applied"
                some, left = left[:10], left[10:]
                tickets += some
                before = position_sum(fire)
                fire.topic("orders").produce(*holds(some))
                wait_until(lambda: position_sum(fire) > before, "it applies", pause=0)
                replica.kill()
                fire.deaths += 1
                caught += position_sum(fire) < orders_written(fire)
                replica.start()
            wait_applied(fire)
        finally:
            fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    assert_held_once(fire, tickets)
    assert_published_once_in_order(fire)


def snapshot(stack):
    return (stack.sql("tickets", "select * from tickets order by id"), stack.sql("tickets", "select count(*), max(seq) from ticket_events"),
            stack.sql("tickets", "select * from seen_orders order by 1"))


def test_replay_of_the_whole_topic_changes_nothing(fire):
    held, freed = some_tickets(fire, 50), some_tickets(fire, 50)
    over = [order(ticket, "created", 1) for ticket in freed]
    fire.topic("orders").produce(*holds(held), *over, *[{**o, "type": "OrderCancelled", "status": "cancelled", "version": 2} for o in over])
    wait_applied(fire)
    before = snapshot(fire)
    fire.supervisor("stop", "tickets")
    fire.sql("tickets", "update consumer_offsets set next_offset = 0 where topic = 'orders'")
    assert position_sum(fire) == 0
    fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    wait_applied(fire)
    assert snapshot(fire) == before


def shown(stack, ticket):
    [row] = stack.sql("tickets", "select status, version from tickets where id::text = %s", ticket["id"])
    return row


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
    assert shown(fire, ticket) == ("available", 3) and shown(fire, last) == ("reserved", 2), "the stream goes on behind them"
    assert sum(topic.ends().values()) - sum(before.values()) == 10


def test_nothing_goes_on_without_its_dead_letter(fire):
    """The letter is part of the transaction: while it cannot be written, its record is not passed over, and nothing behind it done."""
    topic, [ticket] = fire.topic("orders"), some_tickets(fire, 1)
    first = order(ticket, "created", 1)
    fire.sql("tickets", "alter table dead_letters add constraint full_up check (key is null) not valid")
    try:
        retries = fire.metric("tickets", "onsale_consumer_retries_total")
        topic.produce(first)
        topic.produce_raw((ticket["id"], b"bad"))
        topic.produce(order(ticket, "cancelled", 2, first["id"]))
        wait_until(lambda: fire.metric("tickets", "onsale_consumer_retries_total") > retries + 4, "it tries again")
        assert position_sum(fire) < orders_written(fire)
        assert shown(fire, ticket) == ("reserved", 2)
    finally:
        fire.sql("tickets", "alter table dead_letters drop constraint full_up")
    wait_applied(fire)
    assert shown(fire, ticket) == ("available", 3)
    assert fire.sql("tickets", "select value from dead_letters where key = %s", ticket["id"].encode()) == [(b"bad",)]


def test_topic_made_anew_is_read_from_its_start(fire):
    """Positions that Kafka no longer has: from the earliest, loudly."""
    wait_until(lambda: fire.metric("tickets", "onsale_consumer_partitions") == partitions(fire), "it reads all partitions")
    fire.supervisor("stop", "tickets")
    fire.sql("tickets", "update consumer_offsets set next_offset = next_offset + 1000000 where topic = 'orders'")
    assert position_sum(fire) > orders_written(fire)
    fire.supervisor("start", "tickets")
    fire.wait_ready("tickets")
    [ticket] = some_tickets(fire, 1)
    fire.topic("orders").produce(order(ticket, "created", 1))
    wait_applied(fire)
    assert shown(fire, ticket) == ("reserved", 2)
    assert fire.metric("tickets", "onsale_consumer_offset_resets_total") > 0


# --- the last: it leaves repeats on the topic, by design ---

def epoch_of(stack):
    [[epoch]] = stack.sql("tickets", "select epoch from publisher_epoch")
    return epoch


def test_slot_dropped_republishes_the_log(fire, people):
    epoch = epoch_of(fire)
    slot = f"onsale_tickets_{epoch}"
    with Writers([fire.url], people, 4) as writers:
        wait_until(lambda: len(writers.acknowledged) > 20, "writes go on")

        def dropped():
            replicating = fire.env["TICKETS_REPLICATION_DATABASE_URL"]
            try:
                ask(replicating, "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = %s", [slot])
                ask(replicating, "select pg_drop_replication_slot(%s)", [slot])
                return True
            except psycopg.errors.ObjectInUse:
                return False
            except psycopg.errors.UndefinedObject:
                return True
        wait_until(dropped, "the slot is dropped")
        count = len(writers.acknowledged)
        wait_until(lambda: len(writers.acknowledged) > count + 20, "writes go on")
    database = committed(fire)

    wait_until(lambda: fire.sql("tickets", "select 1 from publisher_epoch where epoch > %s and republished", epoch), "a new epoch, and the log told again")
    new = epoch_of(fire)
    wait_published(fire, "tickets")
    assert published(fire, new) == database, "under the new epoch: everything, in order, once"
    assert "the whole log is published again" in fire.logs("tickets"), "said loudly"
    assert fire.metric("tickets", "onsale_publisher_republished_total") > 0
