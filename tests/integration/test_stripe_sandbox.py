"""The stand-in for Stripe, asked by Stripe's own library."""
import json
import re
import threading
import time
import uuid

import jsonschema
import pytest
import requests
import stripe

import stripe_mock
from sandbox import KEY, WEBHOOK_SECRET, Listener, Sandbox, at_once, postgres
from support import DEADLINE, wait_until

AT_ONCE = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "confirm": True}


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    with postgres() as url:
        sandbox = Sandbox(url, tmp_path_factory.mktemp("sandbox") / "log").start()
        try:
            yield sandbox
            sandbox.stop()
        finally:
            sandbox.kill()
            sandbox.log.close()


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "box" in request.fixturenames:
        request.getfixturevalue("box").reset()


@pytest.fixture
def listener(box):
    listener = Listener()
    box.settings(webhook_url=listener.url, webhook_secret=WEBHOOK_SECRET)
    yield listener
    box.reset()
    listener.stop()


def new_key():
    return f"key-{uuid.uuid4()}"


def pay(box, method="pm_card_visa", amount=2000, key=None, client=None, **params):
    options = {"idempotency_key": key} if key else {}
    return (client or box.client()).v1.payment_intents.create(
        {"amount": amount, "currency": "usd", "payment_method": method} | AT_ONCE | params, options)


def refuses(call, kind, **wanted):
    """The error that call() raises."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    for name, value in wanted.items():
        assert getattr(caught.value, name) == value, f"{name} of {caught.value.json_body}"
    return caught.value


# --- paying ---

CARDS = {"pm_card_visa": ("visa", "4242"), "pm_card_mastercard": ("mastercard", "4444"), "pm_card_amex": ("amex", "8431"),
         "pm_card_visa_debit": ("visa", "5556"), "pm_card_jcb": ("jcb", "0505")}


@pytest.mark.parametrize("method", CARDS)
def test_a_card_pays(box, method):
    paid = pay(box, method, 1234, metadata={"orderId": "7", "é \"": "<\\>"}, description="A seat")
    assert (paid.status, paid.amount, paid.amount_received, paid.currency) == ("succeeded", 1234, 1234, "usd")
    assert paid.metadata.to_dict() == {"orderId": "7", "é \"": "<\\>"} and paid.description == "A seat"
    assert paid.latest_charge.startswith("ch_") and paid.last_payment_error is None and paid.next_action is None
    assert box.client().v1.payment_intents.retrieve(paid.id).to_dict() == paid.to_dict()
    whole = box.client().v1.payment_intents.retrieve(paid.id, {"expand": ["payment_method"]})
    assert whole.payment_method.id == paid.payment_method and whole.to_dict() | {"payment_method": paid.payment_method} == paid.to_dict()
    assert (whole.payment_method.card.brand, whole.payment_method.card.last4) == CARDS[method]
    entry = box.entry(paid.id)
    assert (entry["amount"], entry["captured"], entry["refunded"], entry["refunds"]) == (1234, 1234, 0, 0)
    assert entry["metadata"] == {"orderId": "7", "é \"": "<\\>"} and entry["currency"] == "usd"
    assert box.sql("select captured, kept, metadata ->> 'orderId' from ledger where id = %s", paid.id) == [(1234, 1234, "7")]


DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
}


@pytest.mark.parametrize("method", DECLINES)
def test_a_card_is_declined_and_another_pays(box, method):
    code, decline_code = DECLINES[method]
    error = refuses(lambda: pay(box, method), stripe.CardError, http_status=402, code=code).error
    assert error.decline_code == decline_code and error.message and error.charge.startswith("ch_")
    intent = error.payment_intent
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert (intent.last_payment_error.code, intent.last_payment_error.decline_code) == (code, decline_code)
    assert intent.last_payment_error.payment_method.type == "card"
    assert box.entry(intent.id)["captured"] == 0
    client = box.client()
    refuses(lambda: client.v1.payment_intents.confirm(intent.id), stripe.InvalidRequestError,
            code="payment_intent_unexpected_state")
    refuses(lambda: client.v1.payment_intents.confirm(intent.id, {"payment_method": method}), stripe.CardError, code=code)
    again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (again.id, again.status, again.last_payment_error) == (intent.id, "succeeded", None)
    assert box.entry(intent.id)["captured"] == 2000


@pytest.mark.parametrize("token, code", [("tok_visa", None), ("tok_amex", None), ("tok_chargeDeclined", "card_declined"),
                                         ("tok_visa_chargeDeclined", "card_declined"),
                                         ("tok_chargeDeclinedExpiredCard", "expired_card")])
def test_tokens_stand_for_cards_too(box, token, code):
    def buy():
        return box.client().v1.payment_intents.create(
            {"amount": 500, "currency": "eur", "payment_method_data": {"type": "card", "card": {"token": token}}, **AT_ONCE})
    if code:
        refuses(buy, stripe.CardError, code=code)
    else:
        assert buy().status == "succeeded"


def test_step_by_step(box):
    client = box.client().v1.payment_intents
    empty = client.create({"amount": 300, "currency": "JPY", "metadata": {"a": "b"}})
    assert (empty.status, empty.currency, empty.payment_method) == ("requires_payment_method", "jpy", None)
    refuses(lambda: client.confirm(empty.id), stripe.InvalidRequestError, http_status=400, code="payment_intent_unexpected_state")
    filled = client.create({"amount": 300, "currency": "usd", "payment_method": "pm_card_visa"})
    assert filled.status == "requires_confirmation"
    paid = client.confirm(filled.id)
    assert paid.status == "succeeded" and paid.payment_method == filled.payment_method
    refuses(lambda: client.confirm(filled.id), stripe.InvalidRequestError, code="payment_intent_unexpected_state")
    refuses(lambda: client.cancel(filled.id), stripe.InvalidRequestError, code="payment_intent_unexpected_state")
    gone = client.cancel(empty.id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned") and gone.canceled_at
    refuses(lambda: client.cancel(empty.id), stripe.InvalidRequestError, code="payment_intent_unexpected_state")
    refuses(lambda: client.confirm(empty.id, {"payment_method": "pm_card_visa"}), stripe.InvalidRequestError,
            code="payment_intent_unexpected_state")
    assert box.entry(empty.id)["status"] == "canceled" and box.entry(filled.id)["captured"] == 300


WRONG = [
    ({"amount": None}, "amount", "parameter_missing"),
    ({"currency": None}, "currency", "parameter_missing"),
    ({"amount": "ten"}, "amount", "parameter_invalid_integer"),
    ({"amount": "10.5"}, "amount", "parameter_invalid_integer"),
    ({"amount": 0}, "amount", "parameter_invalid_integer"),
    ({"amount": -2000}, "amount", "parameter_invalid_integer"),
    ({"amount": 49}, "amount", "amount_too_small"),
    ({"amount": 100000000}, "amount", "amount_too_large"),
    ({"currency": "us"}, "currency", None),
    ({"currency": "xyz"}, "currency", None),
    ({"confirm": "yes"}, "confirm", None),
    ({"orderId": "7"}, "orderId", "parameter_unknown"),
    ({"return_url": "nowhere"}, "return_url", "url_invalid"),
    ({"automatic_payment_methods[allow_redirects]": "always"}, "return_url", None),
    ({"metadata[%s]" % ("k" * 41): "v"}, "metadata", None),
    ({"metadata[k]": "v" * 501}, "metadata", None),
]


@pytest.mark.parametrize("change, param, code", WRONG)
def test_wrong_parameters_are_named(box, change, param, code):
    good = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true",
            "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never",
            "metadata[tag]": new_key()}
    answer = box.post("/v1/payment_intents", **{k: v for k, v in (good | change).items() if v is not None})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("param"), error.get("code")) == (400, "invalid_request_error", param, code)
    assert error["message"] and box.of(good["metadata[tag]"]) == []


@pytest.mark.parametrize("method, status", [("pm_card_nobody", 404), ("tok_visa", 404), ("pm_", 404), ("visa", 404)])
def test_there_is_no_such_card(box, method, status):
    refuses(lambda: pay(box, method), stripe.InvalidRequestError, http_status=status, code="resource_missing", param="payment_method")


def test_there_is_no_such_thing(box):
    client = box.client().v1
    for call in (lambda: client.payment_intents.retrieve("pi_none"), lambda: client.payment_intents.confirm("pi_none"),
                 lambda: client.payment_intents.cancel("pi_none"), lambda: client.refunds.retrieve("re_none"),
                 lambda: client.refunds.create({"payment_intent": "pi_none"})):
        refuses(call, stripe.InvalidRequestError, http_status=404, code="resource_missing")


def test_a_key_of_ours_is_needed(box):
    refuses(lambda: pay(box, client=box.client(key="sk_test_other")), stripe.AuthenticationError, http_status=401)
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": f"Bearer {KEY[:-1]}"},
                    {"Authorization": "Basic !"}):
        answer = requests.get(f"{box.url}/v1/payment_intents/pi_none", headers=headers, timeout=DEADLINE)
        assert answer.status_code == 401 and answer.json()["error"]["type"] == "invalid_request_error"
    for auth in ((KEY, ""), (KEY, "x")):
        assert requests.get(f"{box.url}/v1/payment_intents/pi_none", auth=auth, timeout=DEADLINE).status_code == 404


# --- idempotency ---

def test_a_key_gets_its_first_answer_again(box):
    key, tag = new_key(), new_key()
    params = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true", "metadata[tag]": tag}
    first = box.post("/v1/payment_intents", key, **params)
    assert first.status_code == 200 and "Idempotent-Replayed" not in first.headers
    box.client().v1.refunds.create({"payment_intent": first.json()["id"]})
    again = box.post("/v1/payment_intents", key, **dict(reversed(params.items())))
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true" and again.headers["Idempotency-Key"] == key
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    assert len(box.of(tag)) == 1


def test_a_decline_is_an_answer_too(box):
    key, tag = new_key(), new_key()
    errors = [refuses(lambda: pay(box, "pm_card_visa_chargeDeclined", key=key, metadata={"tag": tag}), stripe.CardError)
              for _ in range(3)]
    assert len({e.http_body for e in errors}) == 1 and len(box.of(tag)) == 1


def test_what_was_never_begun_is_not_kept(box):
    key, tag = new_key(), new_key()
    refuses(lambda: pay(box, amount=1, key=key, metadata={"tag": tag}), stripe.InvalidRequestError, code="amount_too_small")
    assert pay(box, key=key, metadata={"tag": tag}).status == "succeeded"


def test_a_key_is_forgotten_after_a_day(box):
    key, tag = new_key(), new_key()
    first = pay(box, key=key, metadata={"tag": tag})
    box.forward(23 * 3600)
    assert pay(box, key=key, metadata={"tag": tag}).id == first.id
    box.forward(3601)
    second = pay(box, key=key, metadata={"tag": tag})
    assert second.id != first.id and len(box.of(tag)) == 2
    assert first.created - box.client().v1.payment_intents.retrieve(first.id).created >= 24 * 3600
    for wrong in ({}, {"seconds": "0"}, {"seconds": "soon"}, {"seconds": str(10 ** 9)}):
        assert requests.post(f"{box.url}/sandbox/clock", data=wrong, timeout=DEADLINE).status_code == 400


def test_a_key_is_for_one_request(box):
    key = new_key()
    paid = pay(box, key=key)
    client = box.client().v1
    for call in (lambda: pay(box, key=key, amount=2001), lambda: pay(box, "pm_card_amex", key=key),
                 lambda: client.refunds.create({"payment_intent": paid.id}, {"idempotency_key": key}),
                 lambda: client.payment_intents.cancel(paid.id, {}, {"idempotency_key": key})):
        refuses(call, stripe.IdempotencyError, http_status=400)
    assert box.entry(paid.id)["refunded"] == 0
    refuses(lambda: pay(box, key="k" * 256), stripe.InvalidRequestError, http_status=400)
    a, b = (client.payment_intents.create({"amount": 100, "currency": "usd"}).id for _ in range(2))
    key = new_key()
    client.payment_intents.cancel(a, {}, {"idempotency_key": key})
    refuses(lambda: client.payment_intents.cancel(b, {}, {"idempotency_key": key}), stripe.IdempotencyError, http_status=400)


def test_a_key_in_use_is_refused(box):
    box.settings(latency_ms=3000)
    key, tag = new_key(), new_key()
    answers = at_once(20, lambda n: box.post("/v1/payment_intents", key, amount=2000, currency="usd", confirm="true",
                                             payment_method="pm_card_visa", **{"metadata[tag]": tag}))
    replays = [a for a in answers if "Idempotent-Replayed" in a.headers]  # to who came when the first was done
    statuses = [a.status_code for a in answers if a not in replays]
    assert statuses.count(200) == 1 and statuses.count(409) == 19 - len(replays) > 0 and {a.status_code for a in replays} <= {200}
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"idempotency_key_in_use"}
    assert len(box.of(tag)) == 1
    box.settings(latency_ms=0)
    assert box.post("/v1/payment_intents", key, amount=2000, currency="usd", confirm="true", payment_method="pm_card_visa",
                    **{"metadata[tag]": tag}).headers["Idempotent-Replayed"] == "true"


def test_many_keys_and_many_times_each(box):
    keys, tag = [new_key() for _ in range(20)], new_key()

    def buy(n):
        while True:  # as a client does that meets itself
            answer = box.post("/v1/payment_intents", keys[n % 20], amount=2000, currency="usd", confirm="true",
                              payment_method="pm_card_visa", **{"metadata[tag]": tag, "metadata[n]": str(n % 20)})
            if answer.status_code != 409:
                return n % 20, answer.status_code, answer.json()["id"]
    answers = at_once(100, buy)
    assert {status for _, status, _ in answers} == {200} and len(set(answers)) == 20
    assert sorted(int(e["metadata"]["n"]) for e in box.of(tag)) == list(range(20))


# --- refunds ---

def test_never_more_is_refunded_than_was_captured(box):
    client = box.client().v1.refunds
    paid = pay(box, amount=1000)
    part = client.create({"payment_intent": paid.id, "amount": 400, "reason": "requested_by_customer", "metadata": {"a": "b"}})
    assert (part.status, part.amount, part.charge, part.currency) == ("succeeded", 400, paid.latest_charge, "usd")
    assert client.retrieve(part.id).to_dict() == part.to_dict()
    refuses(lambda: client.create({"payment_intent": paid.id, "amount": 601}), stripe.InvalidRequestError, param="amount")
    refuses(lambda: client.create({"payment_intent": paid.id, "amount": 0}), stripe.InvalidRequestError, param="amount")
    refuses(lambda: client.create({"payment_intent": paid.id, "reason": "whim"}), stripe.InvalidRequestError, param="reason")
    rest = client.create({"payment_intent": paid.id})
    assert rest.amount == 600
    refuses(lambda: client.create({"payment_intent": paid.id}), stripe.InvalidRequestError, code="charge_already_refunded")
    assert [r.id for r in client.list({"payment_intent": paid.id}).data] == [rest.id, part.id]
    assert (box.entry(paid.id)["refunded"], box.entry(paid.id)["refunds"]) == (1000, 2)
    declined = refuses(lambda: pay(box, "pm_card_chargeDeclined"), stripe.CardError).error.payment_intent
    refuses(lambda: client.create({"payment_intent": declined.id}), stripe.InvalidRequestError, http_status=400)
    refuses(lambda: client.create({}), stripe.InvalidRequestError, code="parameter_missing")


def test_rival_refunds(box):
    """On two connections to the database: what one has read is old when the other has written."""
    clients = [box.client().v1.refunds for _ in range(16)]
    for _ in range(10):
        paid = pay(box, amount=1000)
        results = at_once(16, lambda n: clients[n].create({"payment_intent": paid.id, "amount": 300}))
        done = [r for r in results if not isinstance(r, Exception)]
        assert len(done) == 3 and {type(r) for r in results if isinstance(r, Exception)} == {stripe.InvalidRequestError}, results
        assert box.entry(paid.id)["refunded"] == 900
        assert box.sql("select sum(amount), count(*) from refunds where payment_intent = %s", paid.id) == [(900, 3)]


def test_a_refund_of_one_key_happens_once(box):
    paid, key = pay(box, amount=1000), new_key()
    refunds = {box.client().v1.refunds.create({"payment_intent": paid.id, "amount": 500}, {"idempotency_key": key}).id
               for _ in range(3)}
    assert len(refunds) == 1 and box.entry(paid.id)["refunded"] == 500


def refund_counts(box, intent):
    entry = box.entry(intent.id)
    return entry["refunded"], entry["pending"], entry["refunds"], entry["refunds_failed"]


def test_a_refund_is_refused_for_want_of_balance(box):
    client, paid, key = box.client().v1.refunds, pay(box), new_key()
    box.settings(refund_refused_next=1)
    for _ in range(2):  # it is kept for its key, as it depends on more than the parameters
        refuses(lambda: client.create({"payment_intent": paid.id}, {"idempotency_key": key}), stripe.InvalidRequestError,
                code="balance_insufficient", http_status=400)
    assert refund_counts(box, paid) == (0, 0, 0, 0)
    assert client.create({"payment_intent": paid.id}).status == "succeeded"


def test_a_refund_ends_later(box, listener):
    client, paid = box.client().v1.refunds, pay(box)
    box.settings(refund_pending=1)
    first = client.create({"payment_intent": paid.id})
    assert first.status == "pending" and refund_counts(box, paid) == (2000, 2000, 1, 0)
    refuses(lambda: client.create({"payment_intent": paid.id}), stripe.InvalidRequestError, code="charge_already_refunded")
    assert box.settle(first.id, "failed").status_code == 200
    failed = client.retrieve(first.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert refund_counts(box, paid) == (0, 0, 0, 1)
    assert box.settle(first.id, "succeeded").status_code == 409, "a failed one stays so"
    second = client.create({"payment_intent": paid.id})
    assert box.settle(second.id, "succeeded").status_code == 200 and refund_counts(box, paid) == (2000, 0, 1, 1)
    assert [r.status for r in client.list({"payment_intent": paid.id}).data] == ["succeeded", "failed"]
    assert box.settle(second.id, "failed").status_code == 200, "the bank can send it back later"
    assert refund_counts(box, paid) == (0, 0, 0, 2)
    listener.wait_for(paid.id, 10)
    assert sorted(listener.types(paid.id)) == sorted(
        ["payment_intent.succeeded"] + 2 * ["charge.refunded"] + 3 * ["refund.updated"] + 2 * ["refund.failed", "charge.refund.updated"])
    assert box.settle("re_none", "failed").status_code == 404 and box.settle(second.id, "perhaps").status_code == 400


@pytest.mark.parametrize("outcome, disputed", [("won", False), ("lost", True)])
def test_disputes(box, listener, outcome, disputed):
    paid = pay(box)
    assert box.dispute(paid.id, outcome).status_code == 409, "there is none to close"
    assert box.dispute(paid.id).status_code == 200 and box.dispute(paid.id).status_code == 409
    assert box.entry(paid.id)["dispute"] == "needs_response"
    refuses(lambda: box.client().v1.refunds.create({"payment_intent": paid.id}), stripe.InvalidRequestError, code="charge_disputed")
    assert box.dispute(paid.id, outcome).status_code == 200
    _, created, closed = sorted(listener.wait_for(paid.id, 3), key=lambda e: e.type != "payment_intent.succeeded")
    told = {e.type: (e.data.object.status, e.data.object.amount, e.data.object.charge) for e in (created, closed)}
    assert told == {"charge.dispute.created": ("needs_response", 2000, paid.latest_charge),
                    "charge.dispute.closed": (outcome, 2000, paid.latest_charge)}
    if disputed:
        refuses(lambda: box.client().v1.refunds.create({"payment_intent": paid.id}), stripe.InvalidRequestError, code="charge_disputed")
    else:
        assert box.client().v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"


# --- search ---

def found(box, query):
    return [i.id for i in box.client().v1.payment_intents.search({"query": query}).data]


def test_search_by_metadata(box):
    tag = new_key()
    ids = [pay(box, metadata={"tag": tag, "n": str(n)}).id for n in range(3)]
    pay(box, metadata={"tag": new_key()})
    assert found(box, f"metadata['tag']:'{tag}'") == ids[::-1]
    assert found(box, "metadata['tag']:'none'") == []
    for wrong in ("status:'succeeded'", "metadata['tag']", "metadata['tag']:'a' AND metadata['n']:'1'", "'"):
        refuses(lambda: found(box, wrong), stripe.InvalidRequestError, param="query")
    box.settings(search_lag_ms=60000)
    assert found(box, f"metadata['tag']:'{tag}'") == [], "as Stripe: what is new is not found yet"
    box.forward(61)
    assert found(box, f"metadata['tag']:'{tag}'") == ids[::-1]


@pytest.mark.parametrize("query", ["", "?query=", "?query=%27"])
def test_a_search_for_nothing(box, query):
    answer = requests.get(f"{box.url}/v1/payment_intents/search{query}", auth=(KEY, ""), timeout=DEADLINE)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "query")


def test_a_search_may_show_old_states(box):
    tag, client = new_key(), box.client().v1.payment_intents

    def shown():
        [intent] = client.search({"query": f"metadata['tag']:'{tag}'"}).data
        return intent.status, intent.amount_received, intent.last_payment_error and intent.last_payment_error.decline_code
    box.settings(search_old=1)
    intent = client.create({"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "metadata": {"tag": tag}})
    assert shown() == ("requires_confirmation", 0, None), "it has no other"
    with pytest.raises(stripe.CardError):
        client.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    assert shown() == ("requires_confirmation", 0, None)
    client.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert shown() == ("requires_payment_method", 0, "generic_decline")
    box.client().v1.refunds.create({"payment_intent": intent.id})
    assert shown() == ("requires_payment_method", 0, "generic_decline"), "a refund is no state"
    box.settings(search_old=0)
    assert shown() == ("succeeded", 500, None)


def test_rivals_for_an_intent(box):
    client = box.client().v1.payment_intents
    for _ in range(10):
        intent = client.create({"amount": 500, "currency": "usd", "payment_method": "pm_card_visa"})
        results = at_once(8, lambda n: (client.confirm if n % 2 else client.cancel)(intent.id))
        done = [r.status for r in results if not isinstance(r, Exception)]
        assert len(done) == 1, results
        assert {getattr(r, "code", None) for r in results if isinstance(r, Exception)} == {"payment_intent_unexpected_state"}
        entry = box.entry(intent.id)
        assert entry["status"] == done[0] and entry["captured"] == (500 if done == ["succeeded"] else 0)


# --- 3-D Secure ---

def open_page(intent):
    """What a browser without scripts sees: {button: what its form sends}."""
    url = intent.next_action.redirect_to_url.url
    page = requests.get(url, timeout=DEADLINE)
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    forms = re.findall(r'<form method="post"><input type="hidden" name="(\w+)" value="(\w+)"><button>(.*?)</button>', page.text)
    return url, {button: {name: value} for name, value, button in forms}


@pytest.mark.parametrize("method", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])
@pytest.mark.parametrize("outcome", ["Complete authentication", "Fail authentication"])
def test_three_d_secure(box, listener, method, outcome):
    intent = pay(box, method, return_url="http://shop.example/back?order=7")
    assert intent.status == "requires_action" and intent.next_action.type == "redirect_to_url"
    assert box.entry(intent.id)["captured"] == 0
    url, forms = open_page(intent)
    answer = requests.post(url, data=forms[outcome], allow_redirects=False, timeout=DEADLINE)
    passed = outcome.startswith("Complete")
    assert answer.status_code == 303
    assert answer.headers["Location"] == (f"http://shop.example/back?order=7&payment_intent={intent.id}"
                                          f"&redirect_status={'succeeded' if passed else 'failed'}")
    after = box.client().v1.payment_intents.retrieve(intent.id)
    if passed:
        assert (after.status, after.amount_received, after.next_action) == ("succeeded", 2000, None)
    else:
        assert (after.status, after.amount_received) == ("requires_payment_method", 0)
        assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert requests.post(url, data=forms[outcome], timeout=DEADLINE).status_code == 400  # it is over
    assert open_page(intent)[1] == {}
    listener.wait_for(intent.id, 2)
    assert sorted(listener.types(intent.id)) == sorted(["payment_intent.requires_action",
                                                        f"payment_intent.{'succeeded' if passed else 'payment_failed'}"])
    assert box.entry(intent.id)["captured"] == (2000 if passed else 0)


@pytest.mark.parametrize("currency, shown", [("usd", "20.05 USD"), ("jpy", "2005 JPY"), ("kwd", "2.005 KWD")])
def test_the_page_says_how_much(box, currency, shown):
    intent = pay(box, "pm_card_authenticationRequired", 2005, currency=currency)
    assert f"Is this payment of {shown} yours?" in requests.get(intent.next_action.redirect_to_url.url, timeout=DEADLINE).text


def test_authenticated_and_declined_all_the_same(box):
    intent = pay(box, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    url, forms = open_page(intent)
    assert "Thank you" in requests.post(url, data=forms["Complete authentication"], timeout=DEADLINE).text  # no return_url
    after = box.client().v1.payment_intents.retrieve(intent.id)
    assert after.status == "requires_payment_method" and after.last_payment_error.decline_code == "insufficient_funds"


def test_nobody_is_there_to_authenticate(box):
    error = refuses(lambda: pay(box, "pm_card_authenticationRequired", error_on_requires_action=True), stripe.CardError,
                    code="authentication_required")
    assert error.error.payment_intent.status == "requires_payment_method"


def test_the_page_takes_only_its_forms(box):
    intent = pay(box, "pm_card_authenticationRequired")
    url, _ = open_page(intent)
    for body in ("", "outcome=perhaps", "outcome=%00", "outcome"):
        assert requests.post(url, data=body, timeout=DEADLINE).status_code == 400
    assert requests.get(f"{box.url}/sandbox/3ds/pi_none", timeout=DEADLINE).status_code == 404
    assert box.entry(intent.id)["status"] == "requires_action"
    assert box.client().v1.payment_intents.cancel(intent.id).status == "canceled"
    assert requests.post(url, data="outcome=complete", timeout=DEADLINE).status_code == 400
    assert box.entry(intent.id)["captured"] == 0


# --- webhooks ---

def test_each_change_is_told(box, listener):
    client, key = box.client().v1, new_key()
    paid = pay(box, key=key, metadata={"orderId": "7"})
    client.refunds.create({"payment_intent": paid.id, "amount": 500})
    declined = refuses(lambda: pay(box, "pm_card_chargeDeclined"), stripe.CardError).error.payment_intent
    client.payment_intents.cancel(declined.id)
    [succeeded, refunded] = sorted(listener.wait_for(paid.id, 2), key=lambda e: e.type, reverse=True)
    assert (succeeded.type, refunded.type) == ("payment_intent.succeeded", "charge.refunded")
    assert succeeded.data.object.to_dict() == paid.to_dict() and succeeded.request.idempotency_key == key
    charge = refunded.data.object
    assert (charge.id, charge.amount_refunded, charge.refunded) == (paid.latest_charge, 500, False)
    assert charge.metadata["orderId"] == "7"
    listener.wait_for(declined.id, 2)
    assert sorted(listener.types(declined.id)) == ["payment_intent.canceled", "payment_intent.payment_failed"]
    assert len({e.id for e in listener.events()}) == len(listener.events())


def test_a_wrong_secret_does_not_fit(box, listener):
    paid = pay(box)
    listener.wait_for(paid.id, 1)
    headers, body = listener.received[-1]
    for bad_body, secret in ((body + b" ", WEBHOOK_SECRET), (body, "whsec_other")):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(bad_body, headers["Stripe-Signature"], secret)


def test_a_webhook_is_tried_until_it_is_taken(box, listener):
    answers = iter([500, 404, 302])
    listener.answer = lambda body: next(answers, 200)
    box.settings(webhook_retry_ms=10)
    paid = pay(box)
    events = listener.wait_for(paid.id, 4)
    assert len({e.id for e in events}) == 1 and len(events) == 4
    wait_until(lambda: box.sql("select count(*) from events where copies > 0") == [(0,)], "it was taken")
    other = pay(box)
    listener.wait_for(other.id, 1)
    assert len(listener.events(paid.id)) == 4


def test_a_webhook_comes_twice_if_asked_for(box, listener):
    box.settings(webhook_duplicate=1)
    paid = pay(box)
    first, second = listener.wait_for(paid.id, 2)
    assert first.id == second.id and first.to_dict() == second.to_dict()


def test_webhooks_overtake_each_other_if_asked_for(box, listener):
    box.settings(webhook_shuffle_ms=3000)
    ids = [pay(box).id for _ in range(30)]
    wait_until(lambda: {e.data.object.id for e in listener.events()} >= set(ids), "all came")
    came = [e.data.object.id for e in listener.events()]
    assert came != sorted(came, key=ids.index)


def test_webhooks_come_late_if_asked_for(box, listener):
    box.settings(webhook_delay_ms=300)
    begun = time.monotonic()
    paid = pay(box)
    listener.wait_for(paid.id, 1)
    assert time.monotonic() - begun >= 0.3


# --- what goes wrong on purpose ---

KEPT = ("error_kept", "error_after")  # as Stripe keeps what began, also a 500


@pytest.mark.parametrize("fault, kind, acted", [
    ("drop_before", stripe.APIConnectionError, False), ("drop_after", stripe.APIConnectionError, True),
    ("error_before", stripe.APIError, False), ("error_kept", stripe.APIError, False), ("error_after", stripe.APIError, True),
    ("rate_limit", stripe.RateLimitError, False)])
def test_faults(box, fault, kind, acted):
    tag, key = new_key(), new_key()
    box.settings(**{f"{fault}_next": 1})
    refuses(lambda: pay(box, key=key, metadata={"tag": tag}), kind)
    assert len(box.of(tag)) == acted
    if fault in KEPT:
        error = refuses(lambda: pay(box, key=key, metadata={"tag": tag}), kind)
        assert error.headers["Idempotent-Replayed"] == "true"
        assert [e["captured"] for e in box.of(tag)] == [2000] * acted
    else:
        assert pay(box, key=key, metadata={"tag": tag}).status == "succeeded"
        assert [e["captured"] for e in box.of(tag)] == [2000]
    box.settings(**{fault: 1})
    for _ in range(3):
        refuses(lambda: pay(box), kind)
    box.settings(**{fault: 0})
    assert pay(box).status == "succeeded"


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_before"])
def test_stripes_own_retries_ride_over_a_fault(box, fault):
    tag = new_key()
    box.settings(**{f"{fault}_next": 1})
    assert pay(box, client=box.client(retries=2), metadata={"tag": tag}).status == "succeeded"
    assert len(box.of(tag)) == 1


@pytest.mark.parametrize("fault", KEPT)
def test_stripes_own_retries_do_not_get_past_what_is_kept(box, fault):
    tag = new_key()
    box.settings(**{f"{fault}_next": 1})
    refuses(lambda: pay(box, client=box.client(retries=2), metadata={"tag": tag}), stripe.APIError)
    assert len(box.of(tag)) == (fault == "error_after")


def test_a_refund_that_broke_is_kept_too(box):
    client, paid, key = box.client().v1.refunds, pay(box), new_key()
    box.settings(error_after_next=1)
    for _ in range(2):
        refuses(lambda: client.create({"payment_intent": paid.id}, {"idempotency_key": key}), stripe.APIError)
    assert (box.entry(paid.id)["refunded"], box.entry(paid.id)["refunds"]) == (2000, 1)
    refuses(lambda: client.create({"payment_intent": paid.id}), stripe.InvalidRequestError, code="charge_already_refunded")


def test_so_many_a_second(box):
    box.settings(requests_per_second=5)
    statuses = [type(r) for r in at_once(60, lambda n: pay(box))]
    assert statuses.count(stripe.RateLimitError) > 0 and set(statuses) == {stripe.PaymentIntent, stripe.RateLimitError}
    box.settings(requests_per_second=0)
    assert {type(r) for r in at_once(60, lambda n: pay(box))} == {stripe.PaymentIntent}


def test_latency(box):
    box.settings(latency_ms=500)

    def together():
        begun = time.monotonic()
        assert {type(r) for r in at_once(40, lambda n: pay(box))} == {stripe.PaymentIntent}
        took = time.monotonic() - begun
        assert took >= 0.49
        return took < 40 * 0.5
    wait_until(together, "forty wait at the same time")


def test_settings_are_checked(box):
    for wrong in ({"latency_ms": -1}, {"latency_ms": 60001}, {"drop_after": 1.1}, {"drop_after": "often"}, {"nothing": 1},
                  {"drop_after_next": -1}, {"webhook_url": 5}, []):
        answer = requests.post(f"{box.url}/sandbox/settings", json=wrong, timeout=DEADLINE)
        assert answer.status_code == 400 and answer.json()["errors"]
    assert requests.post(f"{box.url}/sandbox/settings", data="{", timeout=DEADLINE).status_code == 400
    assert box.settings(drop_after=0.25, latency_ms=7)["drop_after"] == 0.25
    assert requests.get(f"{box.url}/sandbox/settings", timeout=DEADLINE).json()["latency_ms"] == 7


# --- Stripe's own description ---

@pytest.fixture(scope="module")
def description():
    """Its schemas of objects, as JSON schemas; it comes with stripe-mock."""
    schemas = stripe_mock.description()["components"]["schemas"]

    def plain(schema, named=False):
        """OpenAPI's `nullable` as JSON schema has it; what is named are a schema's properties, not its words."""
        if isinstance(schema, list):
            return [plain(s) for s in schema]
        if not isinstance(schema, dict):
            return schema
        made = {k: plain(v, k == "properties") for k, v in schema.items() if named or k != "nullable"}
        return {"anyOf": [made, {"type": "null"}]} if not named and schema.get("nullable") is True else made
    return {"components": {"schemas": {name: plain(schema) for name, schema in schemas.items()}}}


def fits(description, kind, thing):
    errors = jsonschema.Draft7Validator({**description, "$ref": f"#/components/schemas/{kind}"}).iter_errors(thing)
    assert [f"{kind} {list(e.path)}: {e.message[:200]}" for e in errors] == []
    # The description is newer than the version that is spoken here, which had these two.
    assert set(thing) - set(description["components"]["schemas"][kind]["properties"]) <= {"invoice", "source"}


def test_answers_and_events_are_as_stripe_describes_them(box, description):
    paid = pay(box, metadata={"a": "b"}).to_dict()
    declined = box.post("/v1/payment_intents", amount=500, currency="usd", payment_method="pm_card_chargeDeclined", confirm="true").json()
    waiting = pay(box, "pm_card_authenticationRequired", return_url="http://shop.example/").to_dict()
    gone = box.client().v1.payment_intents.cancel(waiting["id"]).to_dict()
    for intent in (paid, declined["error"]["payment_intent"], waiting, gone):
        fits(description, "payment_intent", intent)
    fits(description, "error", declined)
    fits(description, "error", box.post("/v1/payment_intents", amount=1).json())
    fits(description, "refund", box.client().v1.refunds.create({"payment_intent": paid["id"]}).to_dict())
    box.settings(refund_pending=1)
    other = pay(box)
    box.settle(box.client().v1.refunds.create({"payment_intent": other.id}).id, "failed")
    fits(description, "refund", box.client().v1.refunds.list({"payment_intent": other.id}).data[0].to_dict())
    box.dispute(other.id)
    box.dispute(other.id, "lost")
    told = dict(box.sql("select type, body from events order by seq"))
    assert len(told) == 10
    for body in told.values():
        event = json.loads(body)
        fits(description, "event", event)
        fits(description, event["data"]["object"]["object"], event["data"]["object"])


# --- kill -9 ---

def buy_until_answered(box, key, tag, stop):
    """As a careful client: the same key until there is an answer."""
    while not stop.is_set():
        try:
            answer = box.post("/v1/payment_intents", key, amount=2000, currency="usd", confirm="true",
                              payment_method="pm_card_visa", **{"metadata[tag]": tag, "metadata[key]": key})
        except requests.RequestException:
            stop.wait(0.01)
            continue
        if answer.status_code == 200:
            return answer.json()["id"]
        if "Idempotent-Replayed" in answer.headers:
            return None  # a 500 that is kept: this key will never say more


def test_killed_at_any_moment_it_forgets_nothing(box, listener):
    box.settings(latency_ms=20, drop_after=0.1, error_before=0.1, error_after=0.1, webhook_retry_ms=10)
    tag, stop, bought = new_key(), threading.Event(), {}

    def client(n):
        while not stop.is_set():
            key = new_key()
            intent_id = buy_until_answered(box, key, tag, stop)
            if intent_id:
                bought[key] = intent_id
    threads = [threading.Thread(target=client, args=(n,), daemon=True) for n in range(16)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        enough = len(bought) + 40
        wait_until(lambda: len(bought) >= enough, "they buy")
        box.kill()
        box.start()
    stop.set()
    for thread in threads:
        thread.join(DEADLINE)
    settings = requests.get(f"{box.url}/sandbox/settings", timeout=DEADLINE).json()
    assert (settings["latency_ms"], settings["drop_after"]) == (20, 0.1)  # they outlive it
    entries = box.of(tag)
    by_key = {e["metadata"]["key"]: e["id"] for e in entries}
    assert len(by_key) == len(entries), "a key bought twice"
    assert bought.items() <= by_key.items()
    assert all(e["captured"] == 2000 for e in entries)
    told = lambda: {e.data.object.id for e in listener.events()}  # noqa: E731
    wait_until(lambda: told() >= set(by_key.values()), "each was told")
