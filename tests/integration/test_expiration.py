"""streams/expiration from outside: what it says on `expirations` about what is on `orders`, whatever happens to it meanwhile."""
import datetime
import itertools
import json
import os
import pathlib
import random
import signal
import threading
import time

import pytest
import requests

from holds import TIMERS, Holds, Load, Order, now_ms
import support
from support import DEADLINE, ROOT, SERVERS, Replica, wait_until

FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.fixture(scope="module")
def stack(make_stack):
    """Signals are given again after 0.5, 1, 2, 2, … seconds, and a dead instance is noticed after 6."""
    return make_stack(only=(*SERVERS, "expiration"), SIGNAL_AGAIN="500ms", SIGNAL_AGAIN_MOST="2s", RDKAFKA_SESSION_TIMEOUT_MS="6000")


@pytest.fixture(autouse=True)
def all_well(stack):
    stack.wait_ready("expiration")
    yield
    stack.wait_ready("expiration")


@pytest.fixture
def alone(stack):
    """Nobody but the replicas that the test starts, by the supervised one's id: it has its partitions at once when they end."""
    template = Replica(stack, "expiration", INSTANCE_ID="expiration")
    template.log.close()
    stack.supervisor("stop", "expiration")
    yield lambda **environment: replica(stack, template, **environment)
    stack.supervisor("start", "expiration")


def replica(stack, template, **environment):
    made = Replica.__new__(Replica)
    made.__dict__.update(template.__dict__)
    made.environment = {**template.environment, **environment}
    made.log = open(template.log.name, "a+b")
    return made


def timers(stack):
    return stack.metric("expiration", TIMERS)


def waits(heard):
    """Between each signal and the next, in milliseconds, as they were given."""
    return [(b["occurredAt"] - a["occurredAt"]) / datetime.timedelta(milliseconds=1) for a, b in itertools.pairwise(heard)]


# --- an instance alone ---

def test_each_unpaid_order_is_signalled_in_time(stack):
    with Holds(stack) as holds:
        orders = holds.place(1000, 300, 2000)
        holds.wait_heard(orders)
        assert all(holds.of(o)[0].timestamp >= o.due for o in orders)
        assert all(holds.of(o)[0]["attempt"] == 1 for o in orders)
        holds.wait_all_over()


def test_an_order_due_already_is_signalled_at_once(stack):
    with Holds(stack) as holds:
        orders = holds.place(50, -3600_000, 3600_000)
        holds.wait_heard(orders)
        holds.wait_all_over()


def test_orders_over_are_never_signalled(stack):
    with Holds(stack) as holds:
        orders = holds.place_in_time(300, 5000, left_ms=3000)
        holds.end(orders[:100], "OrderCompleted")
        holds.end(orders[100:200])
        wait_until(lambda: timers(stack) == 100 or now_ms() >= orders[0].due, "the others are known to be over")
        known = now_ms() < orders[0].due
        holds.wait_heard(orders[200:])  # due in the same millisecond or so
        assert not known or not any(holds.of(o) for o in orders[:200])
        holds.wait_all_over()


def test_a_signal_without_an_answer_comes_again_less_and_less_often(stack):
    with Holds(stack, answer=False) as holds:
        orders = holds.place(20, 200)
        paying = orders[:10]
        holds.write(*(o.event("OrderUpdated", "awaiting_payment") for o in paying))
        holds.wait_heard(orders, 5)
        for order in orders:
            heard = holds.of(order)[:5]
            assert [s["attempt"] for s in heard] == [1, 2, 3, 4, 5]
            for wait, wanted in zip(waits(heard), [500, 1000, 2000, 2000], strict=True):
                assert wait >= wanted, waits(heard)
        wait_until(lambda: all(min(waits(holds.of(o))[3:]) < 4000 for o in orders), "it is never waited longer than the most")
        holds.end(paying, "OrderCompleted")
        holds.end(orders, reason="expired")
        wait_until(lambda: timers(stack) == stack.metric("expiration", "onsale_expiration_signals_unacked") == 0, "no timer is set, no signal on its way")
        holds.count_heard()
        heard = [len(holds.of(o)) for o in orders]
        sentinel = holds.place(1, 2500)
        holds.wait_heard(sentinel)
        assert heard == [len(holds.of(o)) for o in orders], "signalled although it was over"


def test_a_log_that_begins_in_the_middle_of_an_order(stack):
    with Holds(stack) as holds:
        order = Order(400)
        order.version = 1
        holds.orders[str(order.id)] = order
        holds.write(order.event("OrderUpdated", "awaiting_payment"))
        holds.flush()
        holds.wait_heard([order])
        holds.wait_all_over()


def test_what_a_replaced_publisher_had_sent_comes_late_and_sets_no_timer(stack):
    """Its order is over, so nobody will ever end it again: it would be signalled for ever."""
    order, topic, read = Order(60_000), stack.topic("orders"), "onsale_expiration_records_total"
    created, ended = order.event("OrderCreated", "created"), order.event("OrderCancelled", "cancelled", "buyer")
    before, pending = stack.metric("expiration", read), timers(stack)

    def tell(event, lsn):
        topic.produce(event, headers={"type": event["type"], "epoch": "3", "position": f"{lsn:016X}/00000001"})
    tell(created, 0x10)
    tell(ended, 0x20)
    tell(created, 0x10)
    wait_until(lambda: stack.metric("expiration", read) >= before + 3, "all three are read")
    with Holds(stack) as holds:
        holds.place(2, 3600_000)  # they are counted once a second
        wait_until(lambda: timers(stack) >= pending + 2, "what was read by then is counted")
        assert timers(stack) == pending + 2
    wait_until(lambda: timers(stack) == pending, "they are over")
    stack.kill("expiration")
    stack.wait_ready("expiration")
    assert timers(stack) == pending, "nor for who goes on there"
    tell(ended, 0x30)  # with which all is read for good


def test_what_is_not_an_event_is_passed_over(stack):
    before = stack.metric("expiration", "onsale_expiration_undecodable_total")
    with Holds(stack) as holds:
        for partition in range(12):
            stack.topic("orders").produce_raw(("k", b""), ("k", b"\0\0"), ("k", b"{}"), (None, b"\0\x7f\xff\xff\xff\x02"),
                                              ("k", None), ("k", holds.prefix + b"\x80" * 40), partition=partition)
        orders = holds.place(100, 500)
        holds.wait_heard(orders)
        holds.wait_all_over()
    assert stack.metric("expiration", "onsale_expiration_undecodable_total") == before + 72
    assert "is passed over" in stack.logs("expiration")


def test_the_log_is_kept_longer_than_an_order_holds_its_ticket():
    topics = {t["name"]: t["config"] for t in json.loads((ROOT / "schemas/avro/topics.json").read_text())["topics"]}
    assert topics["orders"]["cleanup.policy"] == "delete" and int(topics["orders"]["retention.ms"]) >= 7 * 86400 * 1000


# --- its end and its start ---

def test_the_end_is_orderly_and_quick(stack, alone):
    with Holds(stack, answer=False) as holds, alone() as one:
        one.wait_ready()
        orders = holds.place(200, 0)
        holds.wait_heard(orders)
        open_orders = holds.place(10, 60_000)
        holds.end(orders)
        wait_until(lambda: one.metric(TIMERS) == 10, "ten are pending")
        assert one.metric("onsale_consumer_records_total") >= 10, "or it would pass for a consumer that stands still"
        assert one.terminate() == 0
        assert "left behind" not in one.output()
        committed, ends = holds.committed(), stack.topic("orders").ends()
        pending = {holds.partitions[str(o.ticket)] for o in open_orders}
        assert {p for p in ends if committed[p] < ends[p]} == pending


def test_kill_9_while_events_flow(stack):
    with Holds(stack) as holds:
        with Load(holds) as load:
            for _ in range(6):
                threading.Event().wait(1)
                stack.wait_ready("expiration")
                stack.kill("expiration")
        holds.wait_heard(load.unpaid)
        stack.wait_ready("expiration")
        holds.wait_all_over()


def test_ready_only_when_all_timers_are_set_again(stack, alone):
    with Holds(stack) as holds:
        orders = [o for _ in range(5) for o in holds.place(10_000, 3600_000)]
        holds.end(orders[:10_000])
        with alone() as one:
            said = set()
            def answer():
                try:
                    return requests.get(one.admin_url + "/readyz", timeout=DEADLINE)
                except requests.ConnectionError:
                    return None
            def ready():
                reply = answer()
                if reply is not None and reply.status_code == 503:
                    said.add(reply.json()["waiting"][0]["reason"])
                return reply is not None and reply.status_code == 200
            wait_until(ready, "it is ready", pause=0)
            assert one.metric(TIMERS) == 40_000
            assert one.metric("onsale_expiration_rebuild_records") == 0
            assert any("records to go" in reason for reason in said), said
            holds.end(orders)
            holds.wait_all_over(lambda: one.metric(TIMERS))


def test_it_waits_for_the_registry(stack, alone):
    with Holds(stack) as holds:
        stack.supervisor("stop", "registry")
        try:
            with alone() as one:
                wait_until(lambda: (r := one.readyz()) is not None and "registry" in r.text, "it says what it waits for")
                assert one.terminate() == 0
            with alone() as one:
                wait_until(lambda: one.readyz() is not None, "it lives")
                stack.supervisor("start", "registry")
                one.wait_ready()
                holds.wait_heard(holds.place(20, 100))
        finally:
            stack.supervisor("start", "registry")
            wait_until(lambda: requests.get(stack.env["SCHEMA_REGISTRY_URL"] + "/subjects", timeout=DEADLINE).ok, "the registry is back")


# --- several instances ---

def test_partitions_move_under_load(stack):
    with Holds(stack) as holds, Load(holds, spread_ms=6000) as load, Replica(stack, "expiration") as second:
        second.wait_ready()
        for _ in range(2):
            with Replica(stack, "expiration") as third:
                third.wait_ready()
                everybody = [stack, second, third]
                wait_until(lambda: sorted(partitions(i) for i in everybody) == [4, 4, 4], "each has a third")
                threading.Event().wait(1)
                assert third.terminate() == 0
            wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
        with Replica(stack, "expiration") as third:
            third.wait_ready()
            wait_until(lambda: partitions(third) == 4, "it has a third")
            third.kill()
            wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
        stack.kill("expiration")
        stack.wait_ready("expiration")
        load.stop()
        holds.wait_heard(load.unpaid)
        holds.wait_all_over(lambda: timers(stack) + second.metric(TIMERS))
        assert second.terminate() == 0


def partitions(instance):
    return support.partitions(instance, "expiration")


def test_after_a_kill_its_partitions_are_back_at_once(stack):
    """By its INSTANCE_ID; a stranger would wait until the dead one's session ends, for longer than any test waits."""
    first, second = (Replica(stack, "expiration", RDKAFKA_SESSION_TIMEOUT_MS="300000") for _ in range(2))
    stack.supervisor("stop", "expiration")
    try:
        with second, first:
            first.wait_ready()
            second.wait_ready()
            wait_until(lambda: partitions(first) == partitions(second) == 6, "each has a half")
            given = second.output().count("gave up")
            first.kill()
            first.start()
            wait_until(lambda: partitions(first) == 6, "it has its half again")
            second.kill()
            second.start()
            wait_until(lambda: partitions(second) == 6, "so has the other")
            assert first.terminate() == 0
            wait_until(lambda: partitions(second) == 12, "one that ends does leave")
            first.start()
            wait_until(lambda: partitions(first) == partitions(second) == 6, "each has a half")
            assert second.output().count("gave up") == given + 2, "nothing was taken from it when one was killed"
    finally:
        stack.supervisor("start", "expiration")
    stack.wait_ready("expiration")


def test_of_two_with_one_id_the_elder_ends(stack):
    before, hint = stack.pid("expiration"), "each needs its own"
    with Replica(stack, "expiration", INSTANCE_ID="expiration") as twin:
        wait_until(lambda: stack.pid("expiration") not in (0, before), "the elder has ended")
        assert hint in stack.logs("expiration")
        assert twin.process.wait(DEADLINE) == 70, "the supervisor starts the elder again, which is the younger then"
        assert hint in twin.output()
    wait_until(lambda: partitions(stack) == 12, "it has all")


# --- what is pulled away under it ---

def test_the_broker_restarts(stack):
    with Holds(stack) as holds:
        with Load(holds) as load:
            for _ in range(2):
                threading.Event().wait(1)
                holds.wait_heard(list(load.unpaid))  # whatever the restart before has cost: it is over
                stack.wait_ready("expiration")
                with holds.broker_away():
                    stack.kill("kafka")
                    end = time.monotonic() + 3
                    while time.monotonic() < end:
                        assert stack.ready("expiration"), stack.admin("expiration", "/readyz").text
                        threading.Event().wait(0.1)
                    stack.wait_kafka()
        holds.wait_heard(load.unpaid)
        holds.wait_all_over()


def test_many_come_due_while_the_broker_is_away(stack):
    with Holds(stack) as holds:
        def start():
            stack.supervisor("start", "kafka")
            stack.wait_kafka()
        try:
            orders = holds.place_in_time(30_000, 20_000, left_ms=12_000, deed=lambda: stack.supervisor("stop", "kafka"), undo=start)
            wait_until(lambda: now_ms() > orders[-1].due + 3000, "they are due")
            assert stack.ready("expiration") and timers(stack) == len(orders)
            assert stack.metric("expiration", "onsale_expiration_signals_unacked") <= 20_000
        finally:
            start()
        holds.wait_heard(orders)
        holds.wait_all_over()


def test_paused_past_many_deadlines(stack):
    with Holds(stack) as holds:
        pid = stack.pid("expiration")
        placed = sorted(holds.place_in_time(800, 3000, 5000), key=lambda o: o.due)
        orders, later = placed[:600], placed[600:]
        os.kill(pid, signal.SIGSTOP)
        try:
            random.shuffle(orders)
            holds.end(orders[:300])
            holds.end(later[:100], "OrderCompleted")
            assert not any(holds.of(o) for o in placed)
            wait_until(lambda: now_ms() > placed[599].due, "the pause is long")
        finally:
            os.kill(pid, signal.SIGCONT)
        holds.wait_heard(orders[300:])
        assert not any(holds.of(o) for o in orders[:300]), "it was over when the process woke up"
        holds.wait_heard(later[100:])
        holds.wait_all_over()


def test_paused_until_others_took_over(stack):
    with Holds(stack) as holds, Replica(stack, "expiration") as second:
        second.wait_ready()
        wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
        pid = stack.pid("expiration")
        orders = holds.place(400, 1000, 9000)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: partitions(second) == 12, "the other has them all")
            holds.wait_heard(orders)
            wait_until(lambda: second.metric(TIMERS) == 0, "all are over")
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
        holds.wait_all_over(lambda: timers(stack) + second.metric(TIMERS))
        heard = holds.count_heard()
        sentinel = holds.place(20, 200)
        holds.wait_heard(sentinel)
        assert sum(len(holds.of(o)) for o in orders) == heard, "the one that woke up signalled what is over"


# --- the clock is set ---

@pytest.fixture
def clock(tmp_path):
    assert FAKETIME, "libfaketime is not installed"
    file = tmp_path / "clock"

    class Clock:
        environment = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

        def set(self, seconds):
            new = file.with_suffix(".new")
            new.write_text(f"{seconds:+d}\n")
            new.rename(file)
    made = Clock()
    made.set(0)
    return made


def test_the_clock_is_set_forward(stack, alone, clock):
    with Holds(stack) as holds, alone(**clock.environment) as one:
        one.wait_ready()
        soon, later = holds.place(500, 1800_000, 600_000), holds.place(100, 7200_000)
        wait_until(lambda: one.metric(TIMERS) == 600, "all are set")
        holds.clock_ahead_ms = 3600_000
        clock.set(3600)
        holds.wait_heard(soon)
        assert not any(holds.of(o) for o in later)
        holds.end(later)
        holds.wait_all_over(lambda: one.metric(TIMERS))


def test_the_clock_is_set_back(stack, alone, clock):
    with Holds(stack) as holds, alone(**clock.environment) as one:
        one.wait_ready()
        holds.wait_heard(holds.place(100, 100))
        wait_until(lambda: one.metric(TIMERS) == 0, "they are over")
        before = holds.place_in_time(100, 10_000, left_ms=5000, deed=lambda: clock.set(-3600), undo=lambda: clock.set(0), timers=lambda: one.metric(TIMERS))
        after = holds.place(100, 2000)
        wait_until(lambda: one.metric(TIMERS) == 200, "all are set")
        early = holds.place(100, -3600_000 + 1500)  # in an hour's time ago: this is now, by its clock
        holds.wait_heard(early)
        wait_until(lambda: all(o.due < now_ms() for o in before), "it would be their time")
        assert not any(holds.of(o) for o in [*before, *after]), "before it was due by the clock"
        clock.set(0)
        holds.wait_heard([*before, *after])
        holds.wait_all_over(lambda: one.metric(TIMERS))
