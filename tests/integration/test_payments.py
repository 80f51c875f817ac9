"""The contract of payments, route by route, against the stand-in for Stripe and its books."""
import datetime
import hashlib
import hmac
import json
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox import Books
from support import (ASKS_SOON, DEADLINE, Replica, User, errors, list_ticket, missing_id, refused, status_of, stopped, wait_payable, wait_published,
                     wait_read, wait_until)
from waits import answered

VISA = {"card": {"brand": "visa", "last4": "4242"}}  # of what is paid, in lists
STARTED = (1, "PaymentStarted", "started", 1, False, None)


@pytest.fixture
def books(stack):
    books = Books(stack)
    yield books
    books.reset()


@pytest.fixture
def order(stack, seller, buyer):
    return place(stack, seller, buyer)


def place(stack, seller, buyer, price="20.50"):
    """An order that payments knows."""
    order = buyer.place(list_ticket(stack, seller, price=price))
    wait_payable(stack, order["id"])
    return order


def pay(buyer, order, token="pm_card_visa", key=None):
    return buyer.post("/api/payments", json={"orderId": order["id"], "token": token},
                      headers={"Idempotency-Key": key} if key else {})


def paid(buyer, order, *args, **kwargs):
    answer = answered(lambda: pay(buyer, order, *args, **kwargs))
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(buyer, order):
    answer = buyer.get("/api/payments", params={"orderId": order["id"]})
    assert answer.status_code == 200
    return answer.json()


def becomes(buyer, order, status):
    wait_until(lambda: buyer.get(f"/api/orders/{order['id']}").json()["status"] == status, f"the order is {status}")


def charge_becomes(buyer, order, status):
    return wait_until(lambda: [c for c in listed(buyer, order) if c["status"] == status], f"the payment is {status}")[0]


def events(stack, order, count):
    return [(e["version"], e["type"], e["status"], e["attempt"], e["final"], e["reason"])
            for e in stack.topic("payments").of(order["ticket"]["id"], count)]


def money(books, order):
    return [(e["status"], e["captured"], e["refunded"], e["refunds"]) for e in books.of(order)]


def cancel(buyer, order):
    assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204


# --- POST ---

def test_pay(stack, buyer, order, books):
    charge = paid(buyer, order)
    assert charge == {"id": charge["id"], "orderId": order["id"], "purchaseId": order["id"], "orderIds": [order["id"]], "status": "succeeded",
                      "amount": 20.5, "currency": "USD", "attempt": 1, "startedAt": charge["startedAt"], "changedAt": charge["changedAt"]}
    assert uuid.UUID(charge["id"]).version == 7
    becomes(buyer, order, "complete")
    assert listed(buyer, order) == [charge | VISA]
    assert events(stack, order, 2) == [STARTED, (2, "PaymentCreated", "succeeded", 1, False, None)]
    started, created = stack.topic("payments").of(order["ticket"]["id"], 2)
    assert str(started["id"]) == str(created["id"]) == charge["id"] and str(created["orderId"]) == order["id"]
    assert (created["amount"], created["currency"], started["stripeId"]) == (2050, "USD", None)
    [entry] = books.of(order)
    assert (entry["id"], entry["captured"], entry["refunded"], entry["currency"]) == (created["stripeId"], 2050, 0, "usd")
    wait_until(lambda: buyer.get(f"/api/tickets/{order['ticket']['id']}").json()["status"] == "sold", "the ticket is sold")


def test_an_old_token_pays(buyer, order, books):
    assert paid(buyer, order, "tok_visa")["status"] == "succeeded"
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


def test_trace_goes_from_request_to_events(stack, buyer, order, books):
    books.settings(webhook_delay_ms=600000)  # which would tell the outcome in a trace of its own
    trace = uuid.uuid4().hex
    answer = buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"},
                        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.status_code == 201
    assert {e.headers["traceparent"].split("-")[1] for e in stack.topic("payments").of(order["ticket"]["id"], 2)} == {trace}


@pytest.mark.parametrize("change, field", [
    ({"orderId": None}, "orderId"), ({"orderId": "x"}, "orderId"), ({"token": None}, "token"), ({"token": 5}, "token"),
    ({"token": ""}, "token"), ({"token": "pm_"}, "token"), ({"token": "4242424242424242"}, "token"), ({"token": "pm_a b"}, "token"),
    ({"token": "tok_" + "x" * 252}, "token"), ({"token": "pm_\u0000x"}, None)])
def test_bodies_refused(buyer, change, field):
    answer = buyer.post("/api/payments", json={"orderId": missing_id(), "token": "pm_card_visa", **change})
    assert answer.status_code == 400
    assert [f for f, _ in errors(answer)] == [field]


def test_session_comes_first(stack):
    refused(User(stack.url).post("/api/payments", data="not json"), 401)
    refused(User(stack.url).get("/api/payments"), 401)


def test_unknown_order_is_waited_for(buyer):
    begin = time.monotonic()
    refused(pay(buyer, {"id": missing_id()}), 404, "No such order")
    assert time.monotonic() - begin >= 0.3


def test_others_orders(people, buyer, order):
    other = next(people)
    refused(pay(other, order), 403)
    assert listed(other, order) == listed(buyer, order) == []


def test_order_that_ended(stack, buyer, order, books):
    cancel(buyer, order)
    wait_until(lambda: stack.sql("payments", "select 1 from charges where order_id = %s and order_status = 'cancelled'", order["id"]),
               "payments knows")
    refused(pay(buyer, order), 409, "has ended")
    assert money(books, order) == []


def test_the_hold_ends_when_the_order_does(stack, order):
    [(expires,)] = stack.sql("payments", "select expires_at from charges where order_id = %s", order["id"])
    assert expires == datetime.datetime.fromisoformat(order["expiresAt"])


def test_hold_that_is_over(stack, buyer, order, books):
    stack.sql("payments", "update charges set expires_at = now() where order_id = %s", order["id"])
    refused(pay(buyer, order), 409, "has ended")
    assert money(books, order) == []


def test_a_currency_without_decimals(stack, seller, buyer, books):
    """By instances of tickets that sell for yen, also in what others show."""
    with Replica(stack, "tickets", CURRENCY="JPY") as tickets:
        tickets.wait_ready()
        at_it = User(tickets.url, seller.headers["Authorization"].removeprefix("Bearer "))
        for price in (0.5, 49, 1500.5, "1500.0"):
            refused(at_it.post("/api/tickets", json={"title": "yen", "price": price}), 400, "without decimals")
        ticket = at_it.list_ticket(price="1500")
        assert (ticket["price"], ticket["currency"]) == (1500, "JPY")
        assert at_it.list_ticket(price=50)["price"] == 50
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s", ticket["id"]), "orders knows the ticket")
    order = buyer.place(ticket)
    wait_payable(stack, order["id"])
    assert order["ticket"]["price"] == seller.get(f"/api/tickets/{ticket['id']}").json()["price"] == 1500
    charge = paid(buyer, order)
    assert (charge["amount"], charge["currency"]) == (1500, "JPY")
    [entry] = books.of(order)
    assert (entry["captured"], entry["currency"]) == (1500, "jpy")


# --- once ---

def test_repeated(buyer, order, books):
    first = paid(buyer, order)
    assert paid(buyer, order) == first, "the same request"
    refused(pay(buyer, order, "pm_card_mastercard"), 409, "is paid")
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


@pytest.mark.parametrize("key", [None, "the same"])
def test_double_submit(stack, buyer, order, books, key):
    """Also on two instances, and while Stripe takes its time: one charge, one answer."""
    books.settings(latency_ms=300)
    with Replica(stack, "payments") as replica:
        replica.wait_ready()
        token = buyer.headers["Authorization"].removeprefix("Bearer ")
        key = key and missing_id()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: pay(User((stack.url, replica.url)[n % 2], token), order, key=key), range(16)))
    assert [a.status_code for a in answers] == [201] * 16, {a.text for a in answers}
    assert len({a.text for a in answers}) == 1
    assert money(books, order) == [("succeeded", 2050, 0, 0)]
    assert len(events(stack, order, 2)) == 2


def test_two_cards_at_once(buyer, order, books):
    """The second waits for the first, and is not charged."""
    books.settings(latency_ms=200)
    cards = ("pm_card_visa", "pm_card_mastercard")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda card: pay(buyer, order, card), cards))
    assert sorted(a.status_code for a in answers) == [201, 409]
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


def test_idempotency_key(stack, seller, buyer, order, books):
    key, second = missing_id(), place(stack, seller, buyer)
    declined = pay(buyer, order, "pm_card_chargeDeclinedExpiredCard", key=key)
    refused(declined, 402, "Your bank declined")
    again = pay(buyer, order, "pm_card_chargeDeclinedExpiredCard", key=key)
    assert (again.status_code, again.text) == (declined.status_code, declined.text), "not another try"
    refused(pay(buyer, order, "pm_card_visa", key=key), 422, "another body")
    refused(pay(buyer, second, "pm_card_chargeDeclinedExpiredCard", key=key), 422, "another body")
    paid(buyer, order, key=missing_id())
    refused(pay(buyer, order, "pm_card_chargeDeclinedExpiredCard", key=key), 402, "Your bank declined")
    assert [captured for _, captured, _, _ in money(books, order)] == [0, 2050]
    assert money(books, second) == []


# --- declined ---

@pytest.mark.parametrize("card, reason, words", [
    ("pm_card_chargeDeclined", "generic_decline", "Your bank declined"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds", "Your bank declined"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "Your bank declined"),
    ("pm_card_visa_chargeDeclinedStolenCard", "stolen_card", "Your bank declined"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "went wrong"),
    ("pm_nobody_knows", "invalid_token", "cannot be charged")])
def test_declined_and_paid_by_another(stack, buyer, order, books, card, reason, words):
    refused(pay(buyer, order, card), 402, words)
    [charge] = listed(buyer, order)
    told = reason if reason in ("processing_error", "invalid_token") else "card_declined"
    assert (charge["status"], charge["reason"], charge["attempt"]) == ("failed", told, 1)
    second = paid(buyer, order)
    assert (second["id"], second["attempt"]) == (charge["id"], 2), "an order has one charge"
    becomes(buyer, order, "complete")
    assert events(stack, order, 4) == [STARTED, (2, "PaymentFailed", "failed", 1, False, reason),
                                       (3, "PaymentStarted", "started", 2, False, None), (4, "PaymentCreated", "succeeded", 2, False, None)]
    assert sum(captured for _, captured, _, _ in money(books, order)) == 2050


def test_the_last_try_ends_the_order(stack, buyer, order):
    for tries in (1, 2, 3):
        answer = pay(buyer, order, "pm_card_chargeDeclined")
        refused(answer, 402)
        assert ("this was the last try" in answer.text) == (tries == 3)
    becomes(buyer, order, "cancelled")
    assert buyer.get(f"/api/orders/{order['id']}/history").json()[-1]["reason"] == "payment_failed"
    refused(pay(buyer, order), 409)
    assert events(stack, order, 6)[-1] == (6, "PaymentFailed", "failed", 3, True, "generic_decline")


def test_one_attempt_where_one_is_allowed(stack, seller, buyer, order):
    with Replica(stack, "payments", PAYMENT_MAX_ATTEMPTS="1") as strict:
        strict.wait_ready()
        refused(pay(User(strict.url, buyer.headers["Authorization"].removeprefix("Bearer ")), order, "pm_card_chargeDeclined"), 402)
    becomes(buyer, order, "cancelled")


def test_the_card_of_the_attempt_that_paid(buyer, order, books):
    refused(pay(buyer, order, "pm_card_chargeDeclined"), 402)
    assert "card" not in listed(buyer, order)[0], "nothing was paid by it"
    action(buyer, order, "pm_card_threeDSecure2Required")
    books.settings(drop_after=1)  # only webhooks come through, which do not tell the card
    pay(buyer, order, "pm_card_amex")
    assert "card" not in charge_becomes(buyer, order, "succeeded"), "that of the attempt before paid nothing"
    books.settings(drop_after=0)
    wait_until(lambda: listed(buyer, order)[0].get("card") == {"brand": "amex", "last4": "8431"}, "Stripe is asked for the card")


# --- 3-D Secure ---

def action(buyer, order, card="pm_card_authenticationRequired"):
    answer = answered(lambda: pay(buyer, order, card))
    assert answer.status_code == 202, answer.text
    charge = answer.json()
    assert charge["status"] == "requires_action" and charge["clientSecret"] and charge["nextAction"]["type"]
    return charge


def test_confirmed(stack, buyer, order, books):
    charge = action(buyer, order)
    becomes(buyer, order, "awaiting:payment")
    assert listed(buyer, order) == [charge]
    assert action(buyer, order) == charge, "the same request again"
    [entry] = books.of(order)
    assert charge["clientSecret"].startswith(entry["id"])
    books.confirm(entry["id"])
    becomes(buyer, order, "complete")
    [confirmed] = listed(buyer, order)
    assert "clientSecret" not in confirmed and "card" not in charge
    assert confirmed["card"] == {"brand": "visa", "last4": "3184"}, "of the answer to the attempt: the webhook does not tell it"
    assert events(stack, order, 3) == [STARTED, (2, "PaymentStarted", "requires_action", 1, False, None),
                                       (3, "PaymentCreated", "succeeded", 1, False, None)]


def test_confirmed_without_a_webhook(stack, buyer, order, books):
    """It is looked after, too."""
    books.settings(webhook_delay_ms=600000)
    action(buyer, order)
    books.confirm(books.of(order)[0]["id"])
    becomes(buyer, order, "complete")


def test_not_confirmed(stack, buyer, order, books):
    """The intent that the buyer has the secret of is cancelled before another is made."""
    action(buyer, order)
    books.confirm(books.of(order)[0]["id"], "fail")
    charge = charge_becomes(buyer, order, "failed")
    assert charge["reason"] == "payment_intent_authentication_failure"
    paid(buyer, order)
    assert money(books, order) == [("canceled", 0, 0, 0), ("succeeded", 2050, 0, 0)]


def test_another_card_instead_of_confirming(stack, buyer, order, books):
    action(buyer, order)
    assert paid(buyer, order)["status"] == "succeeded"
    assert money(books, order) == [("canceled", 0, 0, 0), ("succeeded", 2050, 0, 0)]
    becomes(buyer, order, "complete")


def test_cancelled_instead_of_confirming(stack, buyer, order, books):
    action(buyer, order)
    cancel(buyer, order)
    assert charge_becomes(buyer, order, "failed")["reason"] == "order_ended"
    assert money(books, order) == [("canceled", 0, 0, 0)]


# --- the money back ---

def test_paid_for_an_order_that_is_cancelled_meanwhile(stack, seller, buyer, books):
    def cancelled_in_time():
        order = place(stack, seller, buyer)
        path, ended = f"/api/orders/{order['id']}", "select 1 from charges where order_id = %s and order_status = 'cancelled'"
        answer = books.answer_after(lambda: pay(buyer, order), lambda: buyer.get(path).json()["status"] == "awaiting:payment",
                                    lambda: buyer.delete(path).status_code == 204, lambda: stack.sql("payments", ended, order["id"]))
        return answer is not None and (order, answer)
    order, answer = wait_until(cancelled_in_time, "payments knows of the end before the answer")
    refused(answer, 409, "the money goes back")
    books.reset()
    charge_becomes(buyer, order, "refunded")
    assert events(stack, order, 3) == [STARTED, (2, "PaymentCreated", "succeeded", 1, False, None),
                                       (3, "PaymentRefunded", "refunded", 1, True, "order_ended")]
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]
    def told():
        last = buyer.get(f"/api/orders/{order['id']}/history").json()[-1]
        return (last["type"], last["status"], last.get("reason")) == ("OrderUpdated", "cancelled", "refunded")
    wait_until(told, "the order's history tells of it")
    assert buyer.get(f"/api/orders/{order['id']}").json()["status"] == "cancelled"


def test_cancelled_after_it_was_paid_but_before_orders_knew(stack, seller, buyer, books):
    order = place(stack, seller, buyer)
    stack.supervisor("stop", "orders")
    try:
        paid(buyer, order)
        stack.topic("orders").produce({
            "type": "OrderCancelled", "id": order["id"], "ticketId": order["ticket"]["id"], "version": 2, "occurredAt": 0,
            "userId": buyer.id, "sellerId": seller.id, "status": "cancelled", "expiresAt": 0, "price": 2050, "currency": "USD",
            "title": "A ticket", "ticketVersion": 1, "reason": "expired"})
        charge_becomes(buyer, order, "refunded")
    finally:
        stack.supervisor("start", "orders")
    stack.wait_ready("orders")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


def test_a_refund_is_made_once_whatever_happens(stack, buyer, order, books):
    """The answer to the refund is lost again and again."""
    action(buyer, order)
    intent = books.of(order)[0]["id"]
    books.settings(webhook_delay_ms=600000)
    stack.supervisor("stop", "payments")
    try:
        books.confirm(intent)
        cancel(buyer, order)
        books.settings(drop_after_next=6)
    finally:
        stack.supervisor("start", "payments")
    stack.wait_ready("payments")
    charge_becomes(buyer, order, "refunded")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


# --- trouble ---

@pytest.mark.parametrize("fault", ["error_before_next", "drop_before_next", "drop_after_next", "rate_limit_next"])
def test_stripe_stumbles(buyer, order, books, fault):
    books.settings(**{fault: 2})
    assert paid(buyer, order)["status"] == "succeeded"
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


def test_stripe_is_away(stack, buyer, order, books):
    """The buyer is told that it is not known; it goes on by itself."""
    books.settings(drop_after=1, webhook_delay_ms=600000)
    with Replica(stack, "payments", STRIPE_TIMEOUT="500ms") as impatient:
        impatient.wait_ready()
        answer = pay(User(impatient.url, buyer.headers["Authorization"].removeprefix("Bearer ")), order)
    refused(answer, 503, "Ask again")
    assert int(answer.headers["Retry-After"]) >= 1
    assert listed(buyer, order)[0]["status"] == "started"
    books.settings(drop_after=0)
    becomes(buyer, order, "complete")
    assert paid(buyer, order)["status"] == "succeeded"
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


def test_only_the_webhook_comes_through(buyer, order, books):
    books.settings(drop_after=1)
    assert paid(buyer, order)["status"] == "succeeded"


def test_killed_between_call_and_answer(stack, seller, buyer, books):
    """Nobody else tells how it ended."""
    def killed_in_time():
        orders = [place(stack, seller, buyer) for _ in range(5)]
        books.settings(latency_ms=9000, webhook_delay_ms=600000)
        before = stack.metric("payments", "onsale_stripe_requests_total")
        with ThreadPoolExecutor(5) as pool:
            tries = [pool.submit(pay, buyer, o) for o in orders]
            wait_until(lambda: any(t.done() for t in tries) or (stack.metric("payments", "onsale_stripe_requests_total") >= before + 5 and
                                                                all(listed(buyer, o) for o in orders)), "all are asked for")
            stack.kill("payments")
        books.settings(latency_ms=0)
        stack.wait_ready("payments")
        return {status_of(t) for t in tries} == {502} and orders
    for o in wait_until(killed_in_time, "payments is killed before any answer"):
        becomes(buyer, o, "complete")
        assert money(books, o) == [("succeeded", 2050, 0, 0)]


# --- the webhook ---

def signed(stack, body, at=None, secret=None):
    at = int(time.time()) if at is None else at
    secret = secret or stack.env["STRIPE_SANDBOX_WEBHOOK_SECRET"]
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return requests.post(stack.url + "/api/payments/webhook", data=body, timeout=DEADLINE,
                         headers={"Stripe-Signature": f"t={at},v1={mac}", "Content-Type": "application/json; charset=utf-8"})


def event(order, type, status, attempt=1, id=None, intent="pi_x", **more):
    intent = {"id": intent, "object": "payment_intent", "status": status, **more,
              "metadata": {"orderId": order["id"], "attempt": str(attempt)}}
    return json.dumps({"id": id or f"evt_{uuid.uuid4().hex}", "object": "event", "type": type, "data": {"object": intent}}).encode()


def test_webhook_signatures(stack, order):
    body = event(order, "payment_intent.succeeded", "succeeded")
    assert signed(stack, body).json() == {"received": True}

    def early():
        now = int(time.time())
        answer = signed(stack, body, at=now + 302)
        return int(time.time()) <= now + 1 and (answer,)  # on its way for longer it comes at the right time
    for answer in (signed(stack, body, secret="whsec_wrong"), signed(stack, body, at=int(time.time()) - 301),
                   wait_until(early, "a webhook comes by 301 seconds too early")[0],
                   requests.post(stack.url + "/api/payments/webhook", data=body, timeout=DEADLINE)):
        refused(answer, 400, "Stripe-Signature")


@pytest.mark.parametrize("body, status", [(b"", 400), (b"nonsense", 400), (b"[]", 400), (b"{}", 400), (b'{"id":""}', 400),
                                          (b'{"id":"evt_1","type":"customer.created","data":{"object":{}}}', 200),
                                          (b'{"id":"evt_2","type":"payment_intent.succeeded"}', 200)])
def test_webhook_bodies(stack, body, status):
    assert signed(stack, body).status_code == status


def failed(order, **more):
    return event(order, "payment_intent.payment_failed", "requires_payment_method", last_payment_error={"code": "card_declined"}, **more)


def test_webhooks_in_any_order(stack, buyer, order, books):
    """What comes late never undoes a success; what comes twice is taken once."""
    books.settings(webhook_delay_ms=600000)
    action(buyer, order)
    intent = books.of(order)[0]["id"]
    twice = event(order, "payment_intent.succeeded", "succeeded", intent=intent)
    for body in (event(order, "payment_intent.created", "requires_payment_method", intent=intent), twice, twice,
                 failed(order, intent=intent), event(order, "payment_intent.requires_action", "requires_action", intent=intent),
                 event(order, "payment_intent.canceled", "canceled", intent=intent)):
        assert signed(stack, body).status_code == 200
    assert listed(buyer, order)[0]["status"] == "succeeded"
    assert len(events(stack, order, 3)) == 3


def test_webhook_of_an_earlier_attempt(stack, buyer, order, books):
    refused(pay(buyer, order, "pm_card_chargeDeclined"), 402)
    action(buyer, order)
    assert signed(stack, failed(order, attempt=1)).status_code == 200
    assert listed(buyer, order)[0]["status"] == "requires_action"


def test_webhook_is_answered_soon(stack, order):
    def most_are():  # when the machine is not too busy
        times = []
        for _ in range(20):
            begin = time.monotonic()
            assert signed(stack, event(order, "payment_intent.succeeded", "succeeded", attempt=9)).status_code == 200
            times.append(time.monotonic() - begin)
        return sorted(times)[10] < 0.1
    wait_until(most_are, "most of twenty are answered in a tenth of a second")


# --- GET ---

def test_list(stack, seller, buyer, people):
    orders = [place(stack, seller, buyer) for _ in range(5)]
    for o in orders:
        paid(buyer, o)
    newest = [o["id"] for o in reversed(orders)]
    assert [c["orderId"] for c in buyer.get("/api/payments").json()] == newest
    page = buyer.get("/api/payments?limit=2")
    seen = [c["orderId"] for c in page.json()]
    while "next" in page.links:
        page = buyer.get(page.links["next"]["url"])
        seen += [c["orderId"] for c in page.json()]
    assert seen == newest
    assert [c["orderId"] for c in listed(buyer, orders[2])] == [orders[2]["id"]]
    assert next(people).get("/api/payments").json() == []
    refused(buyer.get("/api/payments?orderId=x"), 400)


# --- the end ---

def everything(stack):
    return [*stack.sql("payments", "select (c.*)::text from charges c order by order_id"),
            *stack.sql("payments", "select count(*), max(seq) from payment_events"), stack.topic("payments").ends()]


def test_replay_changes_nothing(stack, seller, buyer):
    """Last, when all of the above has happened: the orders' topic again from 0."""
    wait_until(lambda: stack.sql("payments", f"select count(*) from charges where {ASKS_SOON} and ask <> 'look'") == [(0,)],
               "nothing is due")
    with stopped(stack, "expiration"):  # orders that others have left may come due
        wait_published(stack, "payments")
        wait_read(stack, "orders", "expirations", "payments")
        wait_published(stack, "orders")
        wait_read(stack, "payments", "orders")
        wait_published(stack, "payments")
        with stopped(stack, "payments"):  # while nobody asks Stripe: the answer to a question on its way would change a charge
            stack.sql("payments", "update charges set ask_at = 'infinity' where ask = 'look'")
            before = everything(stack)
            stack.sql("payments", "update consumer_offsets set next_offset = 0")
        wait_read(stack, "payments", "orders")
        assert [pair for pair in zip(before, everything(stack), strict=True) if pair[0] != pair[1]] == []


def test_told_to_stop_while_paying(stack, seller, buyer, books):
    order = place(stack, seller, buyer)
    books.settings(latency_ms=1000)
    with Replica(stack, "payments") as replica:
        replica.wait_ready()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(pay, User(replica.url, buyer.headers["Authorization"].removeprefix("Bearer ")), order)
            wait_until(lambda: listed(buyer, order), "it is asked for")
            replica.signal(signal.SIGTERM)
            assert answer.result().status_code == 201, "what is in flight is finished"
            assert replica.process.wait(DEADLINE) == 0
