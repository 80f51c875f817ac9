"""Purchases of several orders, paid by one charge. Their order events are put on the topic by the test itself, in any order and in parts;
the rules are held in a database of their own first."""
import itertools
import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from crowd import first_of_each
from holds import now_ms
from sandbox import Books
from support import MARKET, ROOT, Replica, User, errors, missing_id, refused, status_of, wait_payable, wait_published, wait_read, wait_until
from test_payment_rules import attempt, database, row, tell
from test_payment_rules import events as events_of
from venue import Venue
from waits import answered

WRITE = (ROOT / "services/payments/sql/on_order.sql").read_text()
PRICES = (2050, 999, 10000)


class Purchase:
    """As orders tells of it: all of its orders change together."""

    def __init__(self, buyer, prices=PRICES):
        self.id = uuid.UUID(int=uuid.uuid4().int & ~0xf)
        self.orders = [uuid.UUID(int=self.id.int | place) for place in range(len(prices))]
        self.tickets, self.prices, self.buyer = [uuid.uuid4() for _ in prices], prices, uuid.UUID(str(buyer))
        self.show, self.version, self.due = uuid.uuid4(), 0, now_ms() + 900_000

    def change(self, type="OrderCreated", status="created", reason=None):
        """An event an order."""
        self.version += 1
        return [{"type": type, "id": order, "ticketId": ticket, "version": self.version, "occurredAt": now_ms(), "userId": self.buyer,
                 "sellerId": self.show, "status": status, "expiresAt": self.due, "price": price, "currency": "USD", "title": "A seat",
                 "ticketVersion": 1, "reason": reason, "purchaseId": self.id, "purchaseSize": len(self.orders), "showId": self.show}
                for order, ticket, price in zip(self.orders, self.tickets, self.prices)]

    def cancelled(self):
        return self.change("OrderCancelled", "cancelled", "buyer")

    def payment(self, charge, place):
        return uuid.UUID(int=uuid.UUID(str(charge)).int | place)


# --- the rules ---

@pytest.fixture(scope="module")
def db():
    with database() as connection:
        yield connection


def tell_orders(db, *events):
    """One execution of the statement."""
    columns = [[e[name] for e in events] for name in ("id", "version", "ticketId", "userId", "status", "price", "currency")]
    text = WRITE
    for n in range(12, 0, -1):
        text = text.replace(f"${n}::", f"%(p{n})s::")
    expiries = [f"{e['expiresAt'] / 1000}" for e in events]
    text = text.replace("%(p8)s::timestamptz[]", "(select array_agg(to_timestamp(t) order by n) from unnest(%(p8)s::float8[])"
                                                 " with ordinality as x (t, n))")
    db.execute(text, {f"p{n}": column for n, column in enumerate(
        [*columns, expiries, ["trace"] * len(events), [e["purchaseId"] for e in events], [e["purchaseSize"] for e in events],
         [e["sellerId"] for e in events]], 1)})


def known(db, purchase):
    return row(db, purchase.id)


@pytest.mark.parametrize("seed", range(12))
def test_events_in_any_order_and_in_parts(db, seed):
    """At the end it is as if they had come at once; no attempt begins before all orders are known, or after the end."""
    dice = random.Random(seed)
    purchase = Purchase(uuid.uuid4())
    told = purchase.change() + purchase.change("OrderUpdated", "awaiting_payment")
    told += purchase.cancelled() if seed % 2 else []
    told += dice.choices(told, k=4)
    dice.shuffle(told)
    heard, ended = set(), False
    while told:
        batch = {e["ticketId"]: e for e in told[:dice.randint(1, 4)]}.values()  # a batch is cut where a key comes again
        told = [e for e in told if not any(e is b for b in batch)]
        tell_orders(db, *batch)
        heard |= {e["id"] for e in batch}
        ended = ended or any(e["status"] == "cancelled" for e in batch)
        verdict = attempt(db, purchase.id, user=uuid.uuid4())[0]
        assert verdict == ("missing" if len(heard) < 3 else "forbidden")
    after = known(db, purchase)
    assert (after["tickets"], after["prices"], after["amount"]) == (purchase.tickets, list(PRICES), sum(PRICES))
    assert (after["order_version"], after["order_status"]) == ((3, "cancelled") if ended else (2, "awaiting_payment"))
    assert attempt(db, purchase.id, user=purchase.buyer)[0] == ("ended" if ended else "started")
    assert (known(db, purchase)["state"], len(db.execute("select from payment_events where purchase_id = %s", (purchase.id,)).fetchall())) == (
        ("none", 0) if ended else ("started", 3))


def test_two_partitions_at_once(db):
    """What two replicas write at the same time is known to both of them."""
    purchase = Purchase(uuid.uuid4())
    first, second, third = purchase.change()
    with psycopg.connect(db.info.dsn) as beside, ThreadPoolExecutor() as pool:
        tell_orders(beside, first)
        other = pool.submit(tell_orders, db, second, third)
        with psycopg.connect(db.info.dsn, autocommit=True) as watcher:
            wait_until(lambda: watcher.execute("select 1 from pg_stat_activity where wait_event_type = 'Lock'").fetchone(), "it waits for the first")
        beside.commit()
        other.result()
    assert known(db, purchase)["tickets"] == purchase.tickets


@pytest.mark.parametrize("change", [{"userId": uuid.uuid4()}, {"currency": "EUR"}])
def test_an_order_of_another_buyer_is_no_part_of_it(db, change):
    for order in itertools.permutations(range(3)):
        purchase = Purchase(uuid.uuid4())
        events = purchase.change()
        events[2] |= change
        for place in order:
            tell_orders(db, events[place])
        assert attempt(db, purchase.id, user=purchase.buyer)[0] in ("missing", "forbidden")
        tell_orders(db, *purchase.cancelled())
        assert known(db, purchase)["order_status"] == "cancelled"


def told_of(db, purchase):
    """(payment id, order, ticket, amount) of the events of each version, in the order of places."""
    rows = db.execute("select version, type, status, id, order_id, ticket_id, amount from payment_events where purchase_id = %s"
                      " order by version, order_id", (purchase.id,)).fetchall()
    return [(v, list(group)) for v, group in itertools.groupby(rows, lambda r: r[:3])]


def test_each_order_has_its_payment_event(db):
    purchase = Purchase(uuid.uuid4())
    tell_orders(db, *purchase.change())
    assert attempt(db, purchase.id, user=purchase.buyer)[0] == "started"
    tell(db, purchase.id, "succeeded", 1)
    charge = known(db, purchase)
    assert str(charge["id"])[-1] == "0" and charge["amount"] == sum(PRICES)
    tell_orders(db, purchase.cancelled()[1])
    assert (known(db, purchase)["state"], known(db, purchase)["ask"]) == ("refunding", "refund")
    tell_orders(db, *purchase.change("OrderCancelled", "cancelled", "buyer"))
    tell(db, purchase.id, "refunded", 1)
    parts = [(purchase.payment(charge["id"], n), purchase.orders[n], purchase.tickets[n], PRICES[n]) for n in range(3)]
    assert [(v, [r[3:] for r in rows]) for v, rows in told_of(db, purchase)] == [
        ((1, "PaymentStarted", "started"), parts), ((2, "PaymentCreated", "succeeded"), parts), ((3, "PaymentRefunded", "refunded"), parts)]


@pytest.mark.parametrize("state, then", [("started", "started"), ("action", "abandoned"), ("succeeded", "refunding"), ("failed", "failed")])
def test_one_cancelled_order_ends_all(db, state, then):
    purchase = Purchase(uuid.uuid4())
    tell_orders(db, *purchase.change())
    attempt(db, purchase.id, user=purchase.buyer)
    db.execute("update charges set state = %s where order_id = %s", (state, purchase.id))
    *_, last = purchase.cancelled()
    tell_orders(db, last)
    assert known(db, purchase)["state"] == then
    before = known(db, purchase)
    tell_orders(db, last)
    assert known(db, purchase) == before
    tell(db, purchase.id, "succeeded", 1)
    if then != "abandoned":
        assert known(db, purchase)["state"] == "refunding"


@pytest.mark.parametrize("size", [None, 1])
def test_a_purchase_of_one_has_any_digit_at_its_end(db, size):
    order = uuid.UUID(int=uuid.uuid4().int | 0xf)
    [event] = Purchase(uuid.uuid4(), [700]).change()
    event |= {"id": order, "purchaseId": order if size else None, "purchaseSize": size}
    tell_orders(db, event)
    assert attempt(db, order, user=event["userId"])[0] == "started"
    assert (row(db, order)["tickets"], row(db, order)["amount"]) == (None, 700)
    assert db.execute("select id, order_id, purchase_id, amount from payment_events where order_id = %s", (order,)).fetchall() == [
        (row(db, order)["id"], order, order, 700)]
    assert [e[0] for e in events_of(db, order)] == ["PaymentStarted"]


@pytest.mark.parametrize("place", range(3))
def test_an_order_that_was_lost_ends_its_purchase(db, place):
    """One that orders forgot in a failover is cancelled without its buyer, its purchase and the size."""
    purchase = Purchase(uuid.uuid4())
    tell_orders(db, *purchase.change())
    attempt(db, purchase.id, user=purchase.buyer)
    tell(db, purchase.id, "succeeded", 1)
    tell_orders(db, purchase.cancelled()[place] | {"version": 100000, "userId": uuid.UUID(int=0), "purchaseId": None, "purchaseSize": None})
    after = known(db, purchase)
    assert (after["state"], after["amount"], after["tickets"]) == ("refunding", sum(PRICES), purchase.tickets)


# --- the service ---

@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(only=MARKET, SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16")


@pytest.fixture
def books(stack):
    books = Books(stack)
    yield books
    books.reset()


@pytest.fixture
def purchase(stack, buyer):
    """Three orders that payments knows."""
    purchase = Purchase(buyer.id)
    put(stack, *purchase.change())
    return purchase


def put(stack, *events):
    """Payments has read them."""
    stack.topic("orders").produce(*events)
    wait_read(stack, "payments", "orders")


def pay(buyer, purchase, card="pm_card_visa", key=None, **said):
    return buyer.post("/api/payments", json={**(said or {"purchaseId": str(purchase.id)}), "token": card},
                      headers={"Idempotency-Key": key} if key else {})


def paid(buyer, purchase, *args, **kwargs):
    answer = answered(lambda: pay(buyer, purchase, *args, **kwargs))
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(buyer, purchase, place=0):
    return buyer.get("/api/payments", params={"orderId": str(purchase.orders[place])}).json()


def becomes(buyer, purchase, status):
    return wait_until(lambda: [c for c in listed(buyer, purchase) if c["status"] == status], f"it is {status}")[0]


def money(books, purchase):
    return [(e["status"], e["captured"], e["refunded"], e["refunds"]) for e in books.of({"id": str(purchase.id)})]


def published(stack, purchase, count, read=list):
    """(version, type, attempt) of what the topic tells, the same of each order; each with its own id and amount.
    read: what a consumer makes of the topic's records."""
    seen = []
    for place, ticket in enumerate(purchase.tickets):
        events = read(stack.topic("payments").of(str(ticket), count))
        [[charge]] = stack.sql("payments", "select id from charges where order_id = %s", purchase.id)
        assert {(str(e["id"]), str(e["orderId"]), str(e["purchaseId"]), e["amount"]) for e in events} == {
            (str(purchase.payment(charge, place)), str(purchase.orders[place]), str(purchase.id), purchase.prices[place])}
        seen.append([(e["version"], e["type"], e["attempt"]) for e in events])
    assert all(one == seen[0] for one in seen), seen
    return seen[0]


@pytest.mark.parametrize("by", ["purchaseId", "orderId of the first", "orderId of the last"])
def test_three_at_once(stack, buyer, purchase, books, by):
    name, _, which = by.partition(" of the ")
    charge = paid(buyer, purchase, **{name: str(purchase.orders[-1 if which == "last" else 0])})
    assert charge == {"id": charge["id"], "orderId": str(purchase.id), "purchaseId": str(purchase.id),
                      "orderIds": [str(o) for o in purchase.orders], "status": "succeeded", "amount": 130.49, "currency": "USD",
                      "attempt": 1, "startedAt": charge["startedAt"], "changedAt": charge["changedAt"]}
    assert paid(buyer, purchase, **{name: str(purchase.orders[0])}) == charge, "the same request again"
    assert published(stack, purchase, 2) == [(1, "PaymentStarted", 1), (2, "PaymentCreated", 1)]
    assert money(books, purchase) == [("succeeded", sum(PRICES), 0, 0)]
    told = charge | {"card": {"brand": "visa", "last4": "4242"}}
    assert [listed(buyer, purchase, place) for place in range(3)] == [[told]] * 3
    assert buyer.get("/api/payments").json() == [told]
    refused(pay(buyer, purchase, "pm_card_mastercard"), 409, "is paid")


@pytest.fixture(scope="module")
def show(stack, seller):
    show = Venue(stack, seller)
    show.add("Stalls", rows=[20] * 10, price=2050)
    yield show
    show.check()


def test_places_of_a_show(stack, show, buyer, books):
    """Placed by orders, paid, and complete as a whole."""
    bought = show.buy(buyer, 3)
    wait_payable(stack, bought["id"])
    answer = answered(lambda: buyer.post("/api/payments", json={"purchaseId": bought["id"], "token": "pm_card_visa"}))
    assert (answer.status_code, answer.json()["amount"]) == (201, bought["total"])
    assert answer.json()["orderIds"] == [o["id"] for o in bought["orders"]]
    wait_until(lambda: buyer.get(f"/api/purchases/{bought['id']}").json()["status"] == "complete", "it is complete")
    wait_until(lambda: {s for s, in stack.sql("payments", "select order_status from charges where order_id = %s", bought["id"])} == {"complete"},
               "payments hears of it")
    assert [(e["status"], e["captured"]) for e in books.of(bought)] == [("succeeded", 6150)]
    refused(buyer.delete(f"/api/purchases/{bought['id']}"), 409)


def test_places_of_a_show_given_back_while_they_are_being_paid(stack, show, people, books):
    def given_back_in_time():
        payer = next(people)
        bought, ended = show.buy(payer, 3), "select 1 from charges where order_id = %s and order_status = 'cancelled'"
        wait_payable(stack, bought["id"])
        answer = books.answer_after(lambda: payer.post("/api/payments", json={"orderId": bought["orders"][1]["id"], "token": "pm_card_visa"}),
                                    lambda: payer.get(f"/api/purchases/{bought['id']}").json()["status"] == "awaiting:payment",
                                    lambda: payer.delete(f"/api/orders/{bought['orders'][2]['id']}").status_code == 204,
                                    lambda: stack.sql("payments", ended, bought["id"]))
        return answer is not None and (bought, answer)
    bought, answer = wait_until(given_back_in_time, "payments knows of the end before the answer")
    refused(answer, 409, "the money goes back")
    books.reset()
    wait_until(lambda: [(e["captured"], e["refunded"], e["refunds"]) for e in books.of(bought)] == [(6150, 6150, 1)], "it went back")


def test_one_of_the_two_ids(buyer):
    for said, field in (({}, "orderId"), ({"purchaseId": None}, "orderId"), ({"purchaseId": "x"}, "purchaseId"),
                        ({"purchaseId": missing_id(), "orderId": missing_id()}, "purchaseId")):
        answer = buyer.post("/api/payments", json={**said, "token": "pm_card_visa"})
        assert answer.status_code == 400
        assert [f for f, _ in errors(answer)] == [field]
    refused(pay(buyer, None, purchaseId=missing_id()), 404)


def test_an_order_that_comes_late_is_waited_for(stack, buyer, books):
    """Kafka may need a second between the answer to an order and its event; its id tells that it is new."""
    def known_in_time():
        made, purchase = now_ms(), Purchase(buyer.id)
        purchase.id = uuid.UUID(int=uuid.UUID(missing_id()).int & ~0xf)
        told = purchase.change()
        with ThreadPoolExecutor() as pool:
            paying = pool.submit(pay, buyer, purchase)
            wait_until(lambda: now_ms() > made + 1000, "a second has passed")
            waits = not paying.done()
            for event in told:
                stack.topic("orders").produce(event)
            wait_read(stack, "payments", "orders")
            known = now_ms()
            answer = paying.result()
        if known > made + 3000 or answer.status_code == 503:  # it is waited for for five seconds, and then for Stripe
            return None
        assert waits
        assert answer.status_code == 201, answer.text
        return purchase
    assert len(money(books, wait_until(known_in_time, "payments knows of it soon"))) == 1


def test_partly_known(stack, buyer, books):
    purchase = Purchase(buyer.id)
    first, second, third = purchase.change()
    for event in (third, first):
        put(stack, event)
        for said in ({"purchaseId": str(purchase.id)}, {"orderId": str(event["id"])}, {"orderId": str(second["id"])}):
            refused(pay(buyer, purchase, **said), 404, "No such order")
    assert money(books, purchase) == [] and listed(buyer, purchase) == []
    put(stack, second)
    assert paid(buyer, purchase)["amount"] == 130.49


def test_others_purchases(people, buyer, purchase):
    other = next(people)
    refused(pay(other, purchase, orderId=str(purchase.orders[1])), 403)
    assert listed(other, purchase, 1) == []


def test_all_events_again(stack, buyer, books):
    purchase = Purchase(buyer.id)
    created = purchase.change()
    put(stack, *created)
    again = [purchase.change("OrderUpdated", "awaiting_payment"), purchase.change("OrderCompleted", "complete")]
    paid(buyer, purchase)
    put(stack, *again[0], *again[1])
    published(stack, purchase, 2)

    def all_of_it():
        return (stack.sql("payments", "select md5(c::text) from charges c where order_id = %s", purchase.id),
                stack.sql("payments", "select count(*) from payment_events"))

    before = all_of_it()
    put(stack, *reversed(again[1]), *created, *again[0])
    assert all_of_it() == before


def test_a_cancellation_overtakes_the_creation_of_others(stack, buyer, books):
    purchase = Purchase(buyer.id)
    created, cancelled = purchase.change(), purchase.cancelled()
    put(stack, created[1], cancelled[1])
    put(stack, created[0], created[2])
    refused(pay(buyer, purchase), 409, "has ended")
    put(stack, cancelled[0], cancelled[2])
    refused(pay(buyer, purchase), 409, "has ended")
    assert money(books, purchase) == []


def test_one_order_is_cancelled_while_it_is_being_paid(stack, buyer, books):
    """All of it goes back, once."""
    def cancelled_in_time():
        purchase = Purchase(buyer.id)
        put(stack, *purchase.change())
        cancelled = purchase.cancelled()
        answer = books.answer_after(lambda: pay(buyer, purchase), lambda: listed(buyer, purchase), lambda: put(stack, cancelled[2]) is None)
        return answer is not None and (purchase, cancelled, answer)
    purchase, cancelled, answer = wait_until(cancelled_in_time, "payments knows of the end before the answer")
    refused(answer, 409, "the money goes back")
    books.reset()
    becomes(buyer, purchase, "refunded")
    put(stack, *cancelled)
    assert published(stack, purchase, 3) == [(1, "PaymentStarted", 1), (2, "PaymentCreated", 1), (3, "PaymentRefunded", 1)]
    assert money(books, purchase) == [("succeeded", sum(PRICES), sum(PRICES), 1)]


def test_cancelled_when_it_was_paid(stack, buyer, purchase, books):
    paid(buyer, purchase)
    for event in purchase.cancelled():
        put(stack, event)
    becomes(buyer, purchase, "refunded")
    assert published(stack, purchase, 3)[-1] == (3, "PaymentRefunded", 1)
    assert money(books, purchase) == [("succeeded", sum(PRICES), sum(PRICES), 1)]


def test_refunded_by_hand(stack, buyer, purchase, books):
    """At Stripe, the whole of it; a dispute is about the whole as well."""
    paid(buyer, purchase)
    [entry] = books.of({"id": str(purchase.id)})
    books.dispute(entry["id"])
    wait_until(lambda: stack.sql("payments", "select amount from disputes where stripe_id = %s", entry["id"]) == [(sum(PRICES),)],
               "payments knows of the dispute")
    books.dispute(entry["id"], "won")  # the money stays; until then nothing can be refunded
    books.post("/v1/refunds", payment_intent=entry["id"])
    assert becomes(buyer, purchase, "refunded")["reason"] == "refunded_outside"
    assert published(stack, purchase, 3)[-1] == (3, "PaymentRefunded", 1)


def test_found_by_what_stripe_was_told(stack, buyer, purchase, books):
    """After an answer that did not come, and a day later: no second charge is made."""
    books.settings(drop_after=1, webhook_url="http://127.0.0.1:1/", webhook_retry_ms=600000)
    with Replica(stack, "payments", STRIPE_TIMEOUT="500ms") as impatient:
        impatient.wait_ready()
        token = buyer.headers["Authorization"].removeprefix("Bearer ")
        refused(pay(User(impatient.url, token), purchase), 503, "Ask again")
    stack.sql("payments", "update charges set key_at = key_at - interval '1 day', ask_at = now() where order_id = %s", purchase.id)
    books.settings(drop_after=0)
    becomes(buyer, purchase, "succeeded")
    assert money(books, purchase) == [("succeeded", sum(PRICES), 0, 0)]


def test_killed_while_it_is_being_paid(stack, buyer, books):
    """Nobody else tells how it ended; and one of the orders was cancelled meanwhile, of another purchase."""
    def killed_in_time():
        purchase, other = Purchase(buyer.id), Purchase(buyer.id, (700, 800))
        put(stack, *purchase.change(), *other.change())
        books.settings(latency_ms=9000, webhook_delay_ms=600000)
        with ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(pay, buyer, p) for p in (purchase, other)]
            wait_until(lambda: any(t.done() for t in tries) or (listed(buyer, purchase) and listed(buyer, other)), "both are under way")
            stack.kill("payments")
        stack.topic("orders").produce(other.cancelled()[1])
        books.settings(latency_ms=0)
        stack.wait_ready("payments")
        return {status_of(t) for t in tries} == {502} and (purchase, other)
    purchase, other = wait_until(killed_in_time, "payments is killed before any answer")
    becomes(buyer, purchase, "succeeded")
    wait_until(lambda: listed(buyer, other)[0]["status"] in ("failed", "refunded"), "the other has ended")
    wait_published(stack, "payments")  # also what comes again, by who takes over from one that was killed
    assert published(stack, purchase, 2, first_of_each) == [(1, "PaymentStarted", 1), (2, "PaymentCreated", 1)]
    assert money(books, purchase) == [("succeeded", sum(PRICES), 0, 0)]
    assert sum(captured - refunded for _, captured, refunded, _ in money(books, other)) == 0


def test_two_instances_and_all_of_its_orders_at_once(stack, buyer, purchase, books):
    books.settings(latency_ms=300)
    with Replica(stack, "payments") as replica:
        replica.wait_ready()
        token = buyer.headers["Authorization"].removeprefix("Bearer ")
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n: pay(User((stack.url, replica.url)[n % 2], token), purchase,
                                                  orderId=str(purchase.orders[n % 3])), range(12)))
    assert [a.status_code for a in answers] == [201] * 12, {a.text for a in answers}
    assert len({a.text for a in answers}) == 1
    assert money(books, purchase) == [("succeeded", sum(PRICES), 0, 0)]


def test_a_key_with_another_body(stack, buyer, purchase, books):
    key, other = missing_id(), Purchase(buyer.id)
    put(stack, *other.change())
    first = paid(buyer, purchase, key=key)
    assert paid(buyer, purchase, key=key) == first
    assert paid(buyer, purchase, key=key, orderId=str(purchase.orders[2])) == first, "it says the same purchase"
    refused(pay(buyer, purchase, "pm_card_mastercard", key=key), 422, "another body")
    refused(pay(buyer, other, key=key), 422, "another body")
    assert money(books, other) == []


def test_declined_and_paid_by_another_card(stack, buyer, purchase, books):
    refused(pay(buyer, purchase, "pm_card_chargeDeclined"), 402, "Your bank declined")
    second = paid(buyer, purchase, orderId=str(purchase.orders[1]))
    assert (second["attempt"], second["amount"]) == (2, 130.49)
    assert published(stack, purchase, 4) == [(1, "PaymentStarted", 1), (2, "PaymentFailed", 1), (3, "PaymentStarted", 2), (4, "PaymentCreated", 2)]
    assert sum(captured for _, captured, _, _ in money(books, purchase)) == sum(PRICES)


def test_confirmed_with_the_bank(stack, buyer, purchase, books):
    answer = answered(lambda: pay(buyer, purchase, "pm_card_authenticationRequired"))
    assert (answer.status_code, answer.json()["status"]) == (202, "requires_action")
    [entry] = books.of({"id": str(purchase.id)})
    books.confirm(entry["id"])
    becomes(buyer, purchase, "succeeded")
    assert published(stack, purchase, 3) == [(1, "PaymentStarted", 1), (2, "PaymentStarted", 1), (3, "PaymentCreated", 1)]


def test_cancelled_instead_of_confirmed(stack, buyer, purchase, books):
    assert answered(lambda: pay(buyer, purchase, "pm_card_authenticationRequired")).status_code == 202
    put(stack, purchase.cancelled()[1])
    assert becomes(buyer, purchase, "failed")["reason"] == "order_ended"
    assert money(books, purchase) == [("canceled", 0, 0, 0)]
