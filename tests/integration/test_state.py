"""streams/state from outside: what `tickets-state`, `orders-state` and `shows-state` say, whatever happens to it meanwhile."""
import ast
import concurrent.futures
import os
import subprocess
import sys
import threading
import uuid

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

import shows
from shopping import Shopping
from state_tables import SERVICES, agrees, table
from support import ROOT, Replica, wait_until
from tally import SOON_VOID, event

NOON = 1_750_000_000_000


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(**SOON_VOID, HOLD_SECONDS="3", PAYMENT_GRACE_SECONDS="3", SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s")


@pytest.fixture(autouse=True)
def all_well(stack):
    stack.wait_ready("state")
    yield
    stack.wait_ready("state")


def wait_agrees(stack):
    for name, service in SERVICES.items():
        wait_until(lambda name=name: agrees(stack, name), f"{name}-state is what the database of {service} has", pause=0.5)


def newest_by_topic(stack, name):
    """By the topic of events: all fields of each thing's highest version."""
    newest = {}
    for record in stack.topic(name).events():
        if record["version"] > newest.get(str(record["id"]), {"version": 0})["version"]:
            newest[str(record["id"])] = record
    return newest


def said(records):
    """All fields, and the partition."""
    return {key: (dict(record), record.partition) for key, record in records.items()}


def test_a_reader_that_starts_today_gets_the_whole_table(stack):
    """Much happens, withdrawals and a draft that is given up, too, and it is killed meanwhile."""
    seller = stack.user()
    withdrawn = seller.list_ticket()
    assert seller.delete(f"/api/tickets/{withdrawn['id']}").status_code == 204
    show, _ = shows.announced(seller)
    draft = shows.make_show(seller)
    shows.made(seller, draft, shows.add_area(seller, draft))
    with Replica(stack, "state") as second, concurrent.futures.ThreadPoolExecutor(1) as pool:
        second.wait_ready()
        shopping = pool.submit(Shopping(stack, 3).go)
        for victim in (stack, second):
            threading.Event().wait(2)
            victim.kill(*["state"] * (victim is stack))
        shopping.result()
    assert seller.delete(f"/api/shows/{draft['id']}").status_code == 204
    wait_until(lambda: not stack.sql("orders", "select 1 from orders where status in ('created', 'awaiting_payment')"), "all orders are over")
    wait_agrees(stack)
    for name in SERVICES:  # a refund may come still
        wait_until(lambda name=name: said(table(stack, name)) == said(newest_by_topic(stack, name)), f"{name}-state has the newest of {name}", pause=0.5)
    assert table(stack, "tickets")[withdrawn["id"]]["status"] == "cancelled", "what has ended stays, as what it came to"
    assert [table(stack, "shows")[of["id"]]["status"] for of in (show, draft)] == ["announced", "cancelled"]


def test_the_example_has_the_table_too(stack):
    seller = stack.user()
    seller.list_ticket()
    wait_until(lambda: agrees(stack, "tickets"), "tickets-state is what the database has", pause=0.5)
    wanted = dict(stack.sql("tickets", "select status, count(*) from tickets group by 1"))
    with subprocess.Popen([sys.executable, ROOT / "examples/table.py", "tickets"], env={**os.environ, **stack.env}, text=True,
                          stdout=subprocess.PIPE) as example:
        try:
            wait_until(lambda: ast.literal_eval(example.stdout.readline()) == wanted, "it says how many there are", pause=0)
        finally:
            example.kill()


def sentinel(stack):
    """Of each partition of orders the last record, copied."""
    order = event(uuid.uuid4(), uuid.uuid4(), 1, "OrderCreated", NOON)
    stack.topic("orders").produce(order)
    wait_until(lambda: str(order["id"]) in table(stack, "orders"), "what came before is copied, too")


def test_what_comes_again_or_late_changes_nothing(stack):
    order, ticket = uuid.uuid4(), uuid.uuid4()
    versions = [event(order, ticket, n, "OrderUpdated", NOON + n) for n in range(1, 6)]
    old = stack.metric("state", "onsale_state_old_total")
    stack.topic("orders").produce(*versions)
    stack.topic("orders").produce(*versions[:3], versions[4], event(order, ticket, 7, "OrderCompleted", NOON + 7), versions[2])
    wait_until(lambda: table(stack, "orders").get(str(order), {"version": 0})["version"] == 7, "the newest is there")
    wait_until(lambda: stack.metric("state", "onsale_state_old_total") == old + 5, "five are left out")


def test_what_is_not_an_event_is_passed_over(stack):
    before = stack.metric("state", "onsale_state_refused_total")
    odd = event(uuid.uuid4(), uuid.uuid4(), 1, "OrderCreated", NOON)
    stack.topic("orders").produce_raw(("k", b""), ("k", b"{}"), (None, b"\0\x7f\xff\xff\xff\x02"), ("k", None), partition=3)
    stack.topic("orders").produce({**odd, "version": 0}, {**odd, "version": -4}, odd)
    wait_until(lambda: str(odd["id"]) in table(stack, "orders"), "what follows is copied")
    wait_until(lambda: stack.metric("state", "onsale_state_refused_total") == before + 6, "six are counted")
    assert "is passed over" in stack.logs("state")


def test_topics_read_again_from_the_beginning_change_nothing(stack):
    """Its place in them is set back, while it is away."""
    sentinel(stack)
    before = {name: stack.topic(f"{name}-state").ends() for name in SERVICES}
    stack.supervisor("stop", "state")
    admin = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"]})
    places = [TopicPartition(name, p, 0) for name in SERVICES for p in stack.topic(name).ends()]

    def altered():
        [(_, future)] = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("onsale-state", places)]).items()
        try:
            return all(p.error is None for p in future.result().topic_partitions)
        except Exception:
            return False
    wait_until(altered, "the group is empty and its position set")
    stack.supervisor("start", "state")
    stack.wait_ready("state")
    ends = sum(sum(stack.topic(name).ends().values()) for name in SERVICES)
    wait_until(lambda: stack.metric("state", "onsale_state_records_total") >= ends, "all is read again")
    sentinel(stack)
    news = [record for name in SERVICES for record in stack.topic(f"{name}-state").events(before[name])]
    assert len(news) == 1


def test_the_broker_restarts(stack):
    shows.make_show(stack.user())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        shopping = pool.submit(Shopping(stack, 2).go)
        threading.Event().wait(1)
        stack.kill("state")
        stack.wait_ready("state")
        shopping.result()
    stack.kill("kafka")
    stack.wait_kafka()
    stack.wait_ready("state")
    sentinel(stack)
    wait_until(lambda: not stack.sql("orders", "select 1 from orders where status in ('created', 'awaiting_payment')"), "all orders are over")
    for name in ("tickets", "shows"):
        wait_until(lambda name=name: agrees(stack, name), f"{name}-state is what the database has", pause=0.5)
