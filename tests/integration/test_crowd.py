"""The minute an on-sale opens: one winner a ticket, whatever the rush, whoever is killed."""
import asyncio
import collections
import contextlib
import random
import threading
import time

import pytest

import crowd
from support import MARKET, Replica, wait_known, wait_until

BUYERS = 2000


@pytest.fixture(scope="module")
def sale(make_stack):
    crowd.make_room(BUYERS)
    return make_stack(only=MARKET)


@pytest.fixture(scope="module")
def tokens(sale):
    return sale.tokens(BUYERS)


def list_tickets(stack, count):
    seller = stack.user()
    tickets = [seller.list_ticket(title=f"Seat {n}")["id"] for n in range(count)]
    wait_known(stack, *tickets)
    return tickets


def test_the_same_ticket_for_all(sale, tokens):
    [ticket] = list_tickets(sale, 1)

    async def rush():
        buyers = [crowd.Buyer(sale.env["ORDERS_URL"], token) for token in tokens]
        for buyer in buyers:
            await buyer.connect()
        answers = await asyncio.gather(*(buyer.order(ticket) for buyer in buyers))
        for buyer in buyers:
            buyer.close()
        return answers

    answers = asyncio.run(rush())
    assert collections.Counter(status for status, _ in answers) == {201: 1, 409: BUYERS - 1}
    [won] = [body for status, body in answers if status == 201]
    assert crowd.await_agreement(sale).holder[ticket] == won["id"]


def test_two_thousand_buyers_on_five_hundred_tickets(sale, tokens):
    tickets = list_tickets(sale, 500)
    statuses, kept = collections.Counter(), {}

    async def shop(number, token):
        choose, buyer = random.Random(number), crowd.Buyer(sale.env["ORDERS_URL"], token)
        for _ in range(3):
            status, order = await buyer.order(choose.choice(tickets))
            statuses[status] += 1
            if status == 201 and choose.random() < 0.5:
                assert (await buyer.cancel(order["id"]))[0] == 204
            elif status == 201:
                kept[order["ticket"]["id"]] = order["id"]
        buyer.close()

    async def rush():
        await asyncio.gather(*(shop(*pair) for pair in enumerate(tokens)))

    asyncio.run(rush())
    assert set(statuses) == {201, 409} and statuses[201] > 500, statuses
    story = crowd.await_agreement(sale)
    assert {ticket: order for ticket, order in story.holder.items() if ticket in tickets} == kept
    assert len(story.ended("buyer")) > 100


# --- and with whoever is killed ---

HOLD_SECONDS = 4
KILLS = 16
ENOUGH = 200  # orders, before it ends


class Killer(threading.Thread):
    """Kills one of these every second."""

    def __init__(self, *deeds):
        super().__init__(daemon=True)
        self.deeds, self.failure = deeds, None

    def run(self):
        choose = random.Random(7)
        try:
            for turn in range(KILLS):
                deadline = time.monotonic() + 1
                self.deeds[turn % len(self.deeds) if turn < len(self.deeds) else choose.randrange(len(self.deeds))]()
                threading.Event().wait(max(0, deadline - time.monotonic()))
        except Exception as failure:
            self.failure = failure


def killer_of(stack, replica):
    def supervised(name):
        def deed():
            with contextlib.suppress(ProcessLookupError):  # it is on its way up from the last time
                stack.kill(name)
        return deed

    def beside():
        replica.kill()
        replica.start()
    return Killer(*(supervised(name) for name in ("orders", "expiration", "tickets", "kafka", "postgres-orders", "postgres-tickets")), beside)


def test_whoever_is_killed(make_stack):
    """Two replicas of orders, holds of four seconds, and a kill -9 every second. Every order that was answered is there; every
    unpaid one ends exactly once, none early, and then every ticket is on sale again."""
    stack = make_stack(only=MARKET, HOLD_SECONDS=str(HOLD_SECONDS))
    tickets, tokens, acknowledged = list_tickets(stack, 300), stack.tokens(100), {}

    async def shop(number, token, urls, killer):
        choose, buyers = random.Random(number), [crowd.Buyer(url, token) for url in urls]
        while killer.is_alive() or len(acknowledged) < ENOUGH:
            buyer = choose.choice(buyers)
            try:
                status, order = await buyer.order(choose.choice(tickets))
                if status == 201:
                    acknowledged[order["id"]] = "created"
                    if choose.random() < 0.3 and (await buyer.cancel(order["id"]))[0] == 204:
                        acknowledged[order["id"]] = "cancelled"
            except (OSError, EOFError):
                pass
            await asyncio.sleep(0.2)  # five hundred orders a second are more than there are tickets for
        for buyer in buyers:
            buyer.close()

    async def rush(urls, killer):
        await asyncio.gather(*(shop(n, token, urls, killer) for n, token in enumerate(tokens)))

    with Replica(stack, "orders") as replica:
        replica.wait_ready()
        killer = killer_of(stack, replica)
        killer.start()
        asyncio.run(rush([stack.env["ORDERS_URL"], replica.url], killer))
        killer.join()
        assert killer.failure is None
        for service in ("tickets", "orders", "expiration"):
            wait_until(lambda s=service: stack.pid(s) and stack.ready(s), f"{service} is back")
        wait_until(lambda: stack.sql("orders", "select count(*) from orders where status <> 'cancelled'") == [(0,)],
                         "every order has ended")
        story = crowd.await_agreement(stack, read=crowd.first_of_each)
    assert acknowledged.keys() <= story.orders.keys(), "what was answered is there"
    assert {order for order, status in acknowledged.items() if status == "cancelled"} <= story.ended("buyer")
    assert len(story.ended("expired")) > ENOUGH // 2
    assert stack.sql("tickets", "select count(*)::int from tickets where status = 'available'") == [(len(tickets),)]
