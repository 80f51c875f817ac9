"""Money that Stripe keeps although it should not: charges that nobody answered for, for a day and longer, refunds that fail, and what people
do by hand at Stripe. At the end the books agree: an order is paid once or not at all."""

import pytest

from sandbox import Books
from support import MARKET, missing_id, refused, stopped, wait_until
from test_payments import VISA, action, becomes, cancel, charge_becomes, events, listed, money, paid, pay, place
from waits import answered

DAY = 24 * 3600
PAID = [(1, "PaymentStarted", "started", 1, False, None), (2, "PaymentCreated", "succeeded", 1, False, None)]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(only=MARKET, SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16", STRIPE_TIMEOUT="2s")


@pytest.fixture
def books(stack):
    books = Books(stack)
    yield books
    books.reset()


@pytest.fixture
def order(stack, seller, buyer):
    return place(stack, seller, buyer)


def no_webhooks(books):
    books.settings(webhook_url="http://127.0.0.1:1/", webhook_retry_ms=600000)


def row(stack, order, *columns):
    return stack.sql("payments", f"select {', '.join(columns)} from charges where order_id = %s", order["id"])[0]


def state(stack, order):
    return row(stack, order, "state")[0]


def a_day_later(stack, books, order):
    """At Stripe, and in this order's row."""
    books.forward(DAY + 1)
    times = ("key_at", "sent_at", "started_at", "changed_at")
    stack.sql("payments", f"update charges set {', '.join(f'{t} = {t} - make_interval(secs => %s)' for t in times)},"
                          " ask_at = case when ask is not null then now() end where order_id = %s", *[DAY + 1] * len(times), order["id"])


def soon(stack, order, *states):
    """What is to be asked about it is asked now; if states are given, while it is in one of them."""
    stack.sql("payments", "update charges set ask_at = now() where ask is not null and order_id = %s and (%s or state = any (%s))",
              order["id"], not states, list(states))
    stack.sql("payments", "update returns set ask_at = now() where ask is not null and order_id = %s", order["id"])


def an_hour_later(stack, order):
    """A search finds by then what was made before."""
    stack.sql("payments", "update charges set sent_at = sent_at - interval '61 minutes' where order_id = %s", order["id"])


def returned(stack, order):
    return stack.sql("payments", "select state, tries, reason from returns where order_id = %s", order["id"])


def returned_as(stack, order, state):
    def is_so():
        soon(stack, order)
        return any(r[0] == state for r in returned(stack, order))
    wait_until(is_so, f"it is {state}")
    return returned(stack, order)


def knows_the_end(stack, order):
    wait_until(lambda: row(stack, order, "order_status") == ("cancelled",), "payments knows that the order has ended")


# --- charges that nobody answered for ---

def test_after_a_day_of_silence_it_is_charged_once(stack, buyer, order, books):
    """Stripe has forgotten the key by then, and would charge again."""
    no_webhooks(books)
    books.settings(drop_after=1)
    refused(pay(buyer, order), 503)
    with stopped(stack, "payments"):
        books.settings(drop_after=0)
        a_day_later(stack, books, order)
    charge_becomes(buyer, order, "succeeded")
    assert money(books, order) == [("succeeded", 2050, 0, 0)]
    becomes(buyer, order, "complete")


def test_what_was_charged_twice_goes_back_once(stack, buyer, order, books):
    """By a version that used keys for longer than Stripe keeps them."""
    charge = paid(buyer, order)
    becomes(buyer, order, "complete")
    metadata = {"metadata[orderId]": order["id"], "metadata[chargeId]": charge["id"], "metadata[attempt]": "1"}
    books.post("/v1/payment_intents", amount=2050, currency="usd", confirm="true", payment_method="pm_card_visa", **metadata)
    wait_until(lambda: money(books, order) == [("succeeded", 2050, 0, 0), ("succeeded", 2050, 2050, 1)], "the second goes back")
    returned_as(stack, order, "done")
    assert listed(buyer, order) == [charge | VISA] and events(stack, order, 2) == PAID


def test_a_day_later_every_match_is_found(stack, buyer, order, books):
    no_webhooks(books)
    books.settings(drop_after=1)
    refused(pay(buyer, order), 503)
    [charge] = listed(buyer, order)
    metadata = {"metadata[orderId]": order["id"], "metadata[chargeId]": charge["id"], "metadata[attempt]": "1"}
    with stopped(stack, "payments"):
        books.settings(drop_after=0)
        for card in ("pm_card_visa", "pm_card_authenticationRequired"):
            books.post("/v1/payment_intents", amount=2050, currency="usd", confirm="true", payment_method=card, **metadata)
        a_day_later(stack, books, order)
    charge_becomes(buyer, order, "succeeded")
    wait_until(lambda: sorted((e["status"], e["captured"] - e["refunded"]) for e in books.of(order)) ==
               [("canceled", 0), ("succeeded", 0), ("succeeded", 2050)], "one is kept")
    becomes(buyer, order, "complete")


def test_nothing_is_charged_for_an_order_that_ended(stack, buyer, order, books):
    books.settings(drop_before=1)
    refused(pay(buyer, order), 503)
    cancel(buyer, order)
    knows_the_end(stack, order)
    with stopped(stack, "payments"):  # what was asked for while the order lived has come to its end
        books.settings(drop_before=0)
    asked = row(stack, order, "asked")[0]
    wait_until(lambda: soon(stack, order) or row(stack, order, "asked")[0] > asked + 3, "it was looked for")
    assert state(stack, order) == "started" and books.of(order) == [], "a search may not find it yet"
    an_hour_later(stack, order)
    soon(stack, order)
    assert charge_becomes(buyer, order, "failed")["reason"] == "order_ended"
    assert events(stack, order, 2)[-1] == (2, "PaymentFailed", "failed", 1, True, "order_ended")
    assert books.of(order) == []


def test_charged_for_an_order_that_ended_and_found_later(stack, buyer, order, books):
    no_webhooks(books)
    books.settings(drop_after=1, search_lag_ms=3600000)
    refused(pay(buyer, order), 503)
    cancel(buyer, order)
    knows_the_end(stack, order)
    with stopped(stack, "payments"):  # what was asked for while the order lived has come to its end
        books.settings(drop_after=0)
    for _ in range(2):
        asked = row(stack, order, "asked")[0]
        soon(stack, order)
        wait_until(lambda: row(stack, order, "asked")[0] > asked, "it was looked for")
    assert state(stack, order) == "started"
    books.forward(3601)
    soon(stack, order)
    charge_becomes(buyer, order, "refunded")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


@pytest.mark.parametrize("fault, ends, books_say", [("error_after", "succeeded", [("succeeded", 2050, 0, 0)]), ("error_kept", "failed", [])])
def test_a_500_that_stripe_repeats(stack, buyer, order, books, fault, ends, books_say):
    """Its key says nothing any more: the charge is looked for, and that key is not used again."""
    no_webhooks(books)
    books.settings(**{f"{fault}_next": 1})
    if fault == "error_after":
        paid(buyer, order)
    else:
        refused(pay(buyer, order), 503)
        wait_until(lambda: row(stack, order, "state", "ask") == ("started", "find"), "it is looked for")
        an_hour_later(stack, order)
        wait_until(lambda: soon(stack, order, "started") or state(stack, order) == ends, ends)
        assert row(stack, order, "ask") == ("find",), "once more, a day later"
    assert money(books, order) == books_say
    if ends == "failed":
        paid(buyer, order)
        assert money(books, order) == [("succeeded", 2050, 0, 0)]
    becomes(buyer, order, "complete")


def declined_and_paid_later(charge, order, books):
    """At Stripe: a card that is declined, then one that is not."""
    metadata = {"metadata[orderId]": order["id"], "metadata[chargeId]": charge["id"], "metadata[attempt]": "1"}
    made = books.post("/v1/payment_intents", amount=2050, currency="usd", payment_method="pm_card_authenticationRequired", confirm="true",
                      **metadata)
    books.confirm(made["id"], "fail")
    books.post(f"/v1/payment_intents/{made['id']}/confirm", payment_method="pm_card_visa")


def test_a_search_that_shows_old_states(stack, buyer, order, books):
    """What it finds is read by its id: the card was declined once, and another has paid since."""
    no_webhooks(books)
    books.settings(drop_before=1, search_old=1)
    refused(pay(buyer, order), 503)
    [charge] = listed(buyer, order)
    with stopped(stack, "payments"):
        books.settings(drop_before=0)
        declined_and_paid_later(charge, order, books)
        a_day_later(stack, books, order)
    charge_becomes(buyer, order, "succeeded")
    assert events(stack, order, 2) == PAID
    assert money(books, order) == [("succeeded", 2050, 0, 0)]


def test_a_search_that_is_late_by_hours(stack, buyer, order, books):
    """It is looked for once more, a day later, and goes back."""
    no_webhooks(books)
    books.settings(drop_after=1, search_lag_ms=3600000)
    refused(pay(buyer, order), 503)
    cancel(buyer, order)
    knows_the_end(stack, order)
    with stopped(stack, "payments"):
        books.settings(drop_after=0)
    an_hour_later(stack, order)
    soon(stack, order)
    charge_becomes(buyer, order, "failed")
    books.forward(3601)
    soon(stack, order)
    charge_becomes(buyer, order, "refunded")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


# --- refunds that do not go well ---

def owed(stack, buyer, order, books):
    """Paid, and its order has ended."""
    no_webhooks(books)
    action(buyer, order)
    stack.sql("payments", "update charges set ask_at = 'infinity' where order_id = %s", order["id"])  # nor is it looked at before its order ends
    [entry] = books.of(order)
    books.confirm(entry["id"])
    cancel(buyer, order)
    knows_the_end(stack, order)
    wait_until(lambda: returned(stack, order), "the money has to go back")
    books.settings(webhook_url="")  # as the environment has it
    return entry["id"]


def last_is_refunded(stack, order, count=4):
    assert events(stack, order, count)[-1][1:] == ("PaymentRefunded", "refunded", 1, True, "order_ended")


def test_a_refund_that_is_pending_is_not_made(stack, buyer, order, books):
    books.settings(refund_pending=1)
    intent = owed(stack, buyer, order, books)
    returned_as(stack, order, "pending")
    [(refund, status)] = books.refunds(intent)
    assert status == "pending" and state(stack, order) == "refunding" and listed(buyer, order)[0]["status"] == "succeeded"
    assert stack.sql("payments", "select 1 from payment_events where type = 'PaymentRefunded' and order_id = %s", order["id"]) == []
    books.settle(refund, "succeeded")
    charge_becomes(buyer, order, "refunded")
    assert books.refunds(intent) == [(refund, "succeeded")]
    last_is_refunded(stack, order)


def test_a_refund_that_fails_is_made_again(stack, buyer, order, books):
    books.settings(refund_pending=1)
    intent = owed(stack, buyer, order, books)
    returned_as(stack, order, "pending")
    [(first, _)] = books.refunds(intent)
    books.settings(refund_pending=0)
    books.settle(first, "failed")
    charge_becomes(buyer, order, "refunded")
    assert [status for _, status in books.refunds(intent)] == ["failed", "succeeded"]
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


def test_a_refund_that_fails_is_known_without_a_webhook(stack, buyer, order, books):
    books.settings(refund_pending=1)
    intent = owed(stack, buyer, order, books)
    no_webhooks(books)
    returned_as(stack, order, "pending")
    books.settings(refund_pending=0)
    books.settle(books.refunds(intent)[0][0], "failed")
    returned_as(stack, order, "done")
    assert [status for _, status in books.refunds(intent)] == ["failed", "succeeded"]


def test_a_refund_that_is_refused_is_asked_for_again(stack, buyer, order, books):
    """Stripe repeats the refusal for the same key, also when there is money again."""
    books.settings(refund_refused=1)
    intent = owed(stack, buyer, order, books)
    wait_until(lambda: soon(stack, order) or returned(stack, order)[0][1] >= 3, "it was tried three times")
    assert returned(stack, order)[0][2] == "balance_insufficient" and state(stack, order) == "refunding"
    books.settings(refund_refused=0)
    returned_as(stack, order, "done")
    charge_becomes(buyer, order, "refunded")
    assert [status for _, status in books.refunds(intent)] == ["succeeded"]


def refused_once(stack, buyer, order, books):
    """It has to go back, and is not asked for before due()."""
    books.settings(refund_refused=1)
    intent = owed(stack, buyer, order, books)
    wait_until(lambda: returned(stack, order)[0][1] >= 2, "it was refused")
    stack.sql("payments", "update returns set ask_at = 'infinity' where order_id = %s", order["id"])
    no_webhooks(books)
    books.settings(refund_refused=0)
    return intent


def due(stack, order):
    stack.sql("payments", "update returns set ask_at = now(), asked = 0 where order_id = %s", order["id"])
    wait_until(lambda: stack.sql("payments", "select 1 from returns where asked > 0 and order_id = %s", order["id"]), "it is asked for")


@pytest.mark.parametrize("fault, refunds", [("error_after", 1), ("error_kept", 0)])
def test_a_refund_whose_answer_is_a_500_for_ever(stack, buyer, order, books, fault, refunds):
    """Its key says nothing any more: which refunds there are is asked."""
    intent = refused_once(stack, buyer, order, books)
    books.settings(**{f"{fault}_next": 1})
    due(stack, order)
    wait_until(lambda: stack.sql("stripe-sandbox", "select 1 from idempotency_keys where status = 500 and key like %s", f"refund-%{intent}"),
               "Stripe will say 500 for ever")
    assert len(books.refunds(intent)) == refunds
    returned_as(stack, order, "done")
    charge_becomes(buyer, order, "refunded")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


def test_a_refund_that_the_bank_sends_back(stack, buyer, order, books):
    """Days after it was made. What was published stays; the money goes again."""
    intent = owed(stack, buyer, order, books)
    charge_becomes(buyer, order, "refunded")
    count = len(stack.sql("payments", "select 1 from payment_events where order_id = %s", order["id"]))
    books.settle(books.refunds(intent)[0][0], "failed")
    wait_until(lambda: [s for _, s in books.refunds(intent)] == ["failed", "succeeded"], "it is made again")
    returned_as(stack, order, "done")
    assert len(stack.sql("payments", "select 1 from payment_events where order_id = %s", order["id"])) == count
    assert listed(buyer, order)[0]["status"] == "refunded"


def test_a_refund_is_found_after_a_day_of_silence(stack, buyer, order, books):
    """Its key is forgotten; it is made once all the same."""
    intent = refused_once(stack, buyer, order, books)
    books.settings(drop_after=1)
    due(stack, order)
    wait_until(lambda: books.refunds(intent), "Stripe has refunded it, and nobody knows")
    with stopped(stack, "payments"):
        books.settings(drop_after=0)
        a_day_later(stack, books, order)
        stack.sql("payments", "update returns set key_at = key_at - interval '1 day', ask_at = now() where order_id = %s", order["id"])
    charge_becomes(buyer, order, "refunded")
    assert money(books, order) == [("succeeded", 2050, 2050, 1)]


def test_the_oldest_open_refund_is_on_record(stack, buyer, order, books):
    books.settings(refund_pending=1)
    intent = owed(stack, buyer, order, books)
    returned_as(stack, order, "pending")
    stack.sql("payments", "update returns set opened_at = opened_at - interval '3 hours' where order_id = %s", order["id"])
    oldest = "onsale_payments_oldest_open_refund_seconds"
    wait_until(lambda: 3 * 3600 <= stack.metric("payments", oldest) < 4 * 3600, "it counts")
    books.settle(books.refunds(intent)[0][0], "succeeded")
    charge_becomes(buyer, order, "refunded")
    wait_until(lambda: stack.metric("payments", oldest) < 3600, "it is made")
    assert stack.metric("payments", "onsale_payments_refunds_stuck") == 0


# --- what people do at Stripe ---

def sold(buyer, order):
    wait_until(lambda: buyer.get(f"/api/tickets/{order['ticket']['id']}").json()["status"] == "sold", "the ticket is sold")


def test_a_refund_by_hand(stack, buyer, order, books):
    """Whoever makes it decides about the ticket: the order stays complete, as it is final."""
    charge = paid(buyer, order)
    sold(buyer, order)
    intent = books.of(order)[0]["id"]
    books.post("/v1/refunds", payment_intent=intent, amount=1000)
    wait_until(lambda: [r[0] for r in returned(stack, order)] == ["foreign"] and
               stack.sql("payments", "select 1 from returns where ask is null and order_id = %s", order["id"]), "the part is known")
    assert listed(buyer, order) == [charge | VISA], "a part changes nothing"
    books.post("/v1/refunds", payment_intent=intent)
    assert charge_becomes(buyer, order, "refunded")["reason"] == "refunded_outside"
    assert events(stack, order, 3) == [*PAID, (3, "PaymentRefunded", "refunded", 1, True, "refunded_outside")]
    assert money(books, order) == [("succeeded", 2050, 2050, 2)], "none of ours came on top"
    refused(pay(buyer, order), 409, "was refunded")
    refused(pay(buyer, order, "pm_card_mastercard"), 409, "is paid")
    assert buyer.get(f"/api/orders/{order['id']}").json()["status"] == "complete"
    sold(buyer, order)


def test_a_refund_by_hand_of_what_has_to_go_back(stack, buyer, order, books):
    books.settings(refund_refused=1)
    intent = owed(stack, buyer, order, books)
    wait_until(lambda: soon(stack, order) or returned(stack, order)[0][1] >= 2, "it was refused")
    with stopped(stack, "payments"):  # it must not be tried again in between
        stack.sql("payments", "update returns set state = 'stuck', ask = null, ask_at = null where order_id = %s", order["id"])
        books.settings(refund_refused=0)
    books.post("/v1/refunds", payment_intent=intent)
    charge_becomes(buyer, order, "refunded")
    assert returned(stack, order)[0][0] == "done" and money(books, order) == [("succeeded", 2050, 2050, 1)]


def test_a_dispute(stack, buyer, order, books):
    """Its outcome is known in months: the ticket stays sold, and somebody is told."""
    paid(buyer, order)
    sold(buyer, order)
    intent = books.of(order)[0]["id"]
    books.dispute(intent)
    wait_until(lambda: stack.metric("payments", "onsale_payments_open_disputes") == 1, "it counts")
    assert stack.sql("payments", "select status, closed, amount, currency, reason from disputes where stripe_id = %s", intent) == [
        ("needs_response", False, 2050, "usd", "fraudulent")]
    books.dispute(intent, "lost")
    wait_until(lambda: stack.metric("payments", "onsale_payments_open_disputes") == 0, "it is over")
    assert stack.sql("payments", "select status, closed from disputes where stripe_id = %s", intent) == [("lost", True)]
    assert listed(buyer, order)[0]["status"] == "succeeded"
    sold(buyer, order)


# --- the last try ---

def test_another_card_on_the_last_try(stack, buyer, order, books):
    for key in (missing_id(), missing_id()):
        refused(answered(lambda: pay(buyer, order, "pm_card_chargeDeclined", key)), 402)
    action(buyer, order)
    refused(pay(buyer, order, "pm_card_visa"), 409, "No further try")
    assert listed(buyer, order)[0]["status"] == "requires_action"
    books.confirm(books.of(order)[-1]["id"])
    becomes(buyer, order, "complete")
