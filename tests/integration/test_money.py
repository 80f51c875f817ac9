"""A crowd that pays while everything fails: Stripe's answers get lost, holds expire, payments, orders and the stand-in for Stripe are
killed at random. Afterwards the books of Stripe are held against orders and tickets."""
import collections
import random
import threading
import time

import pytest
import requests

import money
from crowd import first_of_each
from sandbox import Books
from support import DEADLINE, MARKET, wait_published, wait_read, wait_until

BUYERS, TICKETS, SECONDS, HOLD, GRACE, ENOUGH, KILLS = 200, 150, 25, 6, 5, 20, 5
FAULTS = {"latency_ms": 150, "drop_before": 0.05, "drop_after": 0.05, "error_before": 0.05, "error_after": 0.05, "error_kept": 0.03,
          "rate_limit": 0.05, "requests_per_second": 400, "refund_refused": 0.1, "webhook_duplicate": 0.2, "webhook_shuffle_ms": 1500,
          "search_lag_ms": 3000}
CARDS = ["pm_card_visa"] * 6 + ["tok_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_card_authenticationRequired",
                                "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "pm_nobody_knows"]
KILLED = ("payments", "orders", "stripe-sandbox")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(only=MARKET, HOLD_SECONDS=str(HOLD), PAYMENT_GRACE_SECONDS=str(GRACE), SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s",
                      STRIPE_TIMEOUT="3s", STRIPE_SEARCH_LAG="20s", HTTP_THREADS="2")


class Buyer(threading.Thread):
    """Orders what is on sale and pays for it, or not, in every way there is, until told to stop."""

    def __init__(self, crowd, user, seed):
        super().__init__(daemon=True)
        self.crowd, self.user, self.dice = crowd, user, random.Random(seed)

    def run(self):
        while not self.crowd.over.is_set():
            try:
                self.buy()
            except requests.RequestException:
                self.crowd.count("no answer")
            self.crowd.over.wait(self.dice.random() * 1.5)

    def buy(self):
        answer = self.user.post("/api/orders", json={"ticketId": self.dice.choice(self.crowd.tickets)})
        self.crowd.count(f"order {answer.status_code}")
        if answer.status_code != 201:
            return
        order, choice = answer.json(), self.dice.random()
        if choice < 0.1:
            return  # it expires
        if choice < 0.2:
            self.crowd.over.wait(self.dice.uniform(0, HOLD))  # paid at the last moment, or a little late
        pays = threading.Thread(target=self.pay, args=(order,), daemon=True)
        pays.start()
        if choice > 0.85:
            self.crowd.over.wait(self.dice.random() * 0.5)
            self.user.delete(f"/api/orders/{order['id']}")
        pays.join()

    def pay(self, order):
        try:
            for _ in range(self.dice.randint(1, 4)):
                answer = self.user.post("/api/payments", json={"orderId": order["id"], "token": self.dice.choice(CARDS)})
                self.crowd.count(f"pay {answer.status_code}")
                if answer.status_code == 202:
                    self.confirm(answer.json())
                if answer.status_code in (201, 202, 404, 409):
                    return
        except requests.RequestException:
            self.crowd.count("no answer")

    def confirm(self, charge):
        if self.dice.random() < 0.7:
            intent = charge["clientSecret"].split("_secret")[0]
            requests.post(f"{self.crowd.books.url}/sandbox/3ds/{intent}", timeout=DEADLINE,
                          data={"outcome": self.dice.choice(["complete", "complete", "fail"])})


class Crowd:
    def __init__(self, stack, books):
        self.stack, self.books, self.over = stack, books, threading.Event()
        self.lock, self.counts = threading.Lock(), collections.Counter()
        seller = stack.user()
        self.tickets = [seller.list_ticket(f"Ticket {n}", price=10 + n)["id"] for n in range(TICKETS)]
        self.buyers = [Buyer(self, user, n) for n, user in enumerate(stack.users(BUYERS))]

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def __enter__(self):
        for buyer in self.buyers:
            buyer.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for buyer in self.buyers:
            buyer.join(DEADLINE)


def kill_at_random(stack, dice, until):
    kills, never = collections.Counter(), threading.Event()
    while time.monotonic() < until or kills.total() < KILLS:
        never.wait(dice.uniform(0.5, 2.5))
        name = dice.choice(KILLED)
        try:
            stack.kill(name)
            kills[name] += 1
        except ProcessLookupError:
            pass  # it is being started
    return kills


def test_the_books_agree(stack):
    books = Books(stack)
    seed = random.randrange(10 ** 6)
    print("seed", seed)
    with Crowd(stack, books) as crowd:
        books.settings(**FAULTS)
        kills = kill_at_random(stack, random.Random(seed), time.monotonic() + SECONDS)
        wait_until(lambda: money.complete(stack) >= ENOUGH, "enough was bought for books worth checking", pause=0.5)
    for name in KILLED:
        stack.wait_ready(name)
    books.reset()
    print(dict(crowd.counts), dict(kills))
    for _ in range(2):  # once more when payments knows how each order ended
        try:
            wait_until(lambda: not money.hanging(stack), "nothing hangs", pause=0.5)
        except AssertionError as timeout:
            raise AssertionError(f"{timeout}: {money.hanging(stack)}") from None
        wait_published(stack, "orders")
        wait_read(stack, "payments", "orders")

    wait_until(lambda: stack.sql("tickets", "select count(*) from tickets where status = 'sold'")[0][0] == money.complete(stack),
               "tickets knows what is sold")
    assert money.check_books(stack, books) >= ENOUGH
    refunds = stack.sql("payments", "select count(*) from charges where state = 'refunded'")[0][0]
    print("refunded", refunds)


def test_events_tell_the_same(stack):
    """Of each charge the last event is its state, versions have no gap, and orders were completed by nothing else."""
    wait_published(stack, "payments")
    money.check_events(stack, first_of_each(stack.topic("payments").events()))
