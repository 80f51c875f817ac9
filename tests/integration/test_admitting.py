"""How many people a second come in from the queues follows what orders can bear: fewer when it has too much to do, or says nothing."""
import contextlib
import time
import uuid

import psycopg
import pytest

from background import Background
from support import Replica, missing_id, wait_until
from test_waiting import Queue, Watch

BY_ORDERS, BY_SILENCE = 2, 3
MOST, LOW = 100, 10


class Process(Background):
    """Says on the topic `load` that it is a process of orders."""

    def __init__(self, stack, **how):
        super().__init__()
        self.topic, self.instance, self.how = stack.topic("load"), str(uuid.uuid4()), how

    def go(self, _):
        while not self.stopping.wait(0.2):
            self.topic.produce({"type": "LoadMeasured", "instance": self.instance, "service": "orders", "occurredAt": time.time_ns() // 1_000_000,
                                "periodMs": 200, "waiting": 0, "answered": 20, "placed": 20, "refused": 0, "p99Us": 5000} | self.how, key="instance")


def rate(stack, name="rate"):
    return stack.metric("waiting", f"onsale_waiting_{name}")


class Comers(Background):
    """They join a queue that is open, one after the other: the rate grows only while somebody waits to come in."""

    def __init__(self, queue, people):
        super().__init__()
        self.queue, self.people = queue, people

    def go(self, _):
        while not self.stopping.wait(0.1):
            self.queue.join(next(self.people))


@pytest.fixture(scope="module")
def queue(stack, seller):
    queue = Queue(stack, seller, opens=-10, seats=100)
    for _ in range(19):
        queue.venue.add("More", rows=[100])
    return queue


@pytest.fixture(autouse=True)
def well(stack, queue, people):
    """Each begins at half of the most at least: what went before is over."""
    assert rate(stack, "rate_top") == MOST
    with Comers(queue, people):
        wait_until(lambda: rate(stack) >= MOST / 2 and rate(stack, "orders_heard") == 1, "orders bears that")


def test_the_rate_grows_only_while_somebody_comes_in(stack, queue, people):
    """Else a sale would begin with the most, whatever orders bears."""
    topic = stack.topic("load")

    def idle(seconds):
        since = topic.ends()
        wait_until(lambda: len([e for e in topic.events(since) if not e["answered"]]) >= seconds, "orders has nothing to do")
    idle(2)
    since = rate(stack)
    idle(4)
    assert rate(stack) <= since
    with Comers(queue, people):
        wait_until(lambda: rate(stack) > since, "it grows")


def test_orders_says_what_it_does(stack, seller, buyer):
    tickets, topic = [seller.list_ticket() for _ in range(3)], stack.topic("load")
    since = topic.ends()
    wait_until(lambda: any(e["answered"] == 0 for e in topic.events(since)), "it is done with what went before")
    since = topic.ends()
    for ticket in tickets:
        buyer.place(ticket)
    placed = wait_until(lambda: (found := [e for e in topic.events(since) if e["placed"]]) and sum(e["placed"] for e in found) >= 3 and found, "it says so")
    assert sum(e["placed"] for e in placed) == 3 and all(e["p99Us"] > 0 and e["answered"] >= e["placed"] for e in placed)
    idle = wait_until(lambda: [e for e in topic.events(since) if not e["answered"]], "it also says that it does nothing")[-1]
    assert (idle["service"], idle["placed"], idle["refused"], idle["p99Us"]) == ("orders", 0, 0, None) and idle["periodMs"] > 0
    assert str(idle["instance"]) == idle.key == placed[0].key


def test_the_rate_follows_what_a_process_bears(stack, seller, queue, people):
    few, joined = Queue(stack, seller, opens=-10), [next(people) for _ in range(5)]
    falls = rate(stack, "rate_falls_total")
    with Watch(few, stack.url), Process(stack, p99Us=900_000) as process:
        low = wait_until(lambda: (r := rate(stack)) <= MOST / 8 and rate(stack, "rate_limit") == BY_ORDERS and r, "it falls, again and again")
        assert rate(stack, "rate_falls_total") > falls
        for who in joined:
            few.join(who)
        wait_until(lambda: few.numbers()["serving"] == 5, "people come in all the same")
        process.how = {}
        with Comers(queue, people):
            wait_until(lambda: rate(stack) >= 2 * low, "it grows")
        wait_until(lambda: rate(stack, "orders_heard") == 2, "both are heard")
    wait_until(lambda: rate(stack, "orders_heard") == 1, "who says nothing any more is forgotten")


def test_a_database_that_stands(stack, queue, people):
    """Requests for orders wait, and are refused at last."""
    class Buyers(Background):
        def go(self, n):
            who = buyers[n]
            while not self.stopping.wait(0.1):
                who.post("/api/orders", json={"ticketId": missing_id()})
    falls, buyers = rate(stack, "rate_falls_total"), stack.users(4)
    with Buyers(4) as asking:
        with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as database:
            database.execute("lock table orders in access exclusive mode")
            wait_until(lambda: rate(stack, "rate_falls_total") >= falls + 2, "it falls, and again")
            fallen = wait_until(lambda: (r := rate(stack)) <= MOST * 9 / 16 and r, "that is measured")
            wait_until(lambda: rate(stack, "rate_limit") == BY_ORDERS, "because of orders")
        asking.stop()
    with Comers(queue, people):
        wait_until(lambda: rate(stack) > fallen, "it grows again")


def test_when_nobody_is_heard_few_come_in(stack, queue, people):
    """Also by a replica that has just started."""
    with contextlib.ExitStack() as closing:
        stack.supervisor("stop", "orders")
        closing.callback(stack.wait_ready, "orders")
        closing.callback(stack.supervisor, "start", "orders")
        wait_until(lambda: rate(stack) == LOW and rate(stack, "rate_limit") == BY_SILENCE, "it falls to what is always let in")
        other = closing.enter_context(Replica(stack, "waiting"))
        other.wait_ready()
        wait_until(lambda: other.metric("onsale_waiting_rate") == LOW, "it has decided")
        assert other.metric("onsale_waiting_rate_limit") == BY_SILENCE and other.metric("onsale_waiting_orders_heard") == 0
    with Comers(queue, people):
        wait_until(lambda: rate(stack) > LOW, "orders is heard again")
