"""The life of a charge, every state on every input: what services/payments/functions make of it, in a database of
its own. What is expected is written down here once more, in other words."""
import contextlib
import itertools
import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sandbox import postgres
from support import ROOT, wait_until

STATES = ("none", "started", "action", "abandoned", "failed", "succeeded", "refunding", "refunded")
INPUTS = ("succeeded", "requires_action", "processing", "declined", "canceled", "absent", "replayed", "limited", "refunded", "replaced", "order_cancelled",
          "unsent")
SHOWN = {"action": "requires_action", "abandoned": "requires_action", "refunding": "succeeded"}


def expected(state, ended, given):
    """(next state, event, what is asked then), or None when nothing changes."""
    unpaid = state in ("started", "action", "abandoned", "failed")
    if given == "succeeded" and unpaid:
        return ("refunding", "PaymentCreated", "refund") if ended else ("succeeded", "PaymentCreated", None)
    if given == "canceled" and state in ("started", "action", "abandoned"):
        return "failed", "PaymentFailed", None
    if given in ("declined", "absent") and state == "started":
        return "failed", "PaymentFailed", "find" if given == "absent" else None
    if state == "started" and given == "unsent" and ended:
        return "failed", "PaymentFailed", "find"
    if state == "started" and given == "replayed":
        return "started", None, "find"
    if state == "started" and given == "limited":
        return "started", "PaymentStarted", "create"
    if state == "action" and (given == "declined" or (given == "replaced" and not ended) or (given == "order_cancelled" and ended)):
        return "abandoned", None, "cancel"
    if state == "started" and given == "requires_action":
        return ("abandoned", "PaymentStarted", "cancel") if ended else ("action", "PaymentStarted", "look")
    if state == "started" and given == "processing":
        return "started", None, "look"
    if state == "succeeded" and ended and given == "order_cancelled":
        return "refunding", None, "refund"
    if given == "refunded" and (state == "refunding" or (state == "succeeded" and not ended)):
        return "refunded", "PaymentRefunded", None
    return None


@contextlib.contextmanager
def database(service="payments"):
    """One of a service, empty."""
    with postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set check_function_bodies = off")  # they come in any order
        for folder in (f"services/{service}/migrations", "common/publisher/functions", f"services/{service}/functions"):
            for file in sorted((ROOT / folder).glob("*.sql")):
                connection.execute(file.read_text())
        connection.prepare_threshold = None
        yield connection


@pytest.fixture(scope="module")
def db():
    with database() as connection:
        yield connection


def charge(db, state, order_status="awaiting_payment", attempt=1, most=3, ask=None, token="pm_a", expires="1 hour"):
    """A charge in this state, made by hand."""
    order = uuid.uuid4()
    db.execute("""insert into charges (order_id, order_version, order_status, ticket_id, user_id, amount, currency, expires_at, id,
                                       version, state, attempt, max_attempts, token, ask, ask_at)
                  values (%(order)s, 1, %(order_status)s, %(order)s, %(user)s, 2000, 'USD', now() + %(expires)s::interval, %(id)s, %(version)s,
                          %(state)s, %(attempt)s, %(most)s, %(token)s, %(ask)s, case when %(ask)s::text is not null then now() end)""",
               {"order": order, "order_status": order_status, "user": USER, "id": None if state == "none" else uuid.uuid4(),
                "version": 0 if state == "none" else 5, "state": state, "attempt": 0 if state == "none" else attempt, "most": most,
                "token": None if state == "none" else token, "ask": ask, "expires": expires})
    return order


USER = uuid.uuid4()


def tell(db, order, given, attempt=None, reason=None):
    return db.execute("""select state from write_charges(array[%s::uuid], array[%s::int], array[%s], array['pi_1'], array[%s::text],
                                                         array['secret'], array['{}'], array['trace'])""",
                      (order, attempt, given, reason)).fetchall()


def row(db, order):
    cursor = db.execute("select * from charges where order_id = %s", (order,))
    return dict(zip((c.name for c in cursor.description), cursor.fetchone()))


def events(db, order):
    return db.execute("select type, version, status, attempt, final, reason, traceparent from payment_events where order_id = %s"
                      " order by seq", (order,)).fetchall()


@pytest.mark.parametrize("state, ended, given", list(itertools.product(STATES, (False, True), INPUTS)))
def test_every_state_on_every_input(db, state, ended, given):
    order = charge(db, state, "cancelled" if ended else "awaiting_payment", ask="refund")
    before = row(db, order)
    wanted = expected(state, ended, given)
    [(now,)] = tell(db, order, given, reason="card_declined" if given == "declined" else None)
    after = row(db, order)
    assert now == after["state"]
    if wanted is None:
        assert (after, events(db, order)) == (before, [])
        return
    next_state, event, ask = wanted
    assert (after["state"], after["ask"], after["asked"]) == (next_state, ask, 0)
    assert after["version"] == before["version"] + (event is not None)
    assert after["stripe_id"] == "pi_1"
    assert (after["client_secret"], after["next_action"]) == (("secret", "{}") if next_state == "action" else (None, None))
    assert after["final"] == (next_state == "refunded" or (next_state == "failed" and ended))
    if event is None:
        assert events(db, order) == []
    else:
        failed = {"declined": "card_declined", "absent": "order_ended" if ended else "canceled", "unsent": "order_ended"}.get(given, "canceled")
        refunded = "refunded_outside" if state == "succeeded" else before["reason"]
        reason = {"failed": failed, "refunded": refunded, "started": "waiting"}.get(next_state)
        assert events(db, order) == [(event, 6, SHOWN.get(next_state, next_state), 1, after["final"], reason, "trace")]


def test_the_table_has_no_line_that_was_not_tried(db):
    lines = set(db.execute("select state, ended, input from charge_rules").fetchall())
    assert lines == {(s, e, i) for s, e, i in itertools.product(STATES, (False, True), INPUTS) if expected(s, e, i)}


@pytest.mark.parametrize("given", INPUTS)
def test_what_is_said_of_another_attempt_changes_nothing(db, given):
    for state in STATES:
        order = charge(db, state, attempt=2)
        before = row(db, order)
        tell(db, order, given, attempt=1)
        assert (row(db, order), events(db, order)) == (before, [])


@pytest.mark.parametrize("attempt, most, order_status, final", [(1, 3, "awaiting_payment", False), (3, 3, "awaiting_payment", True),
                                                                (1, 1, "created", True), (1, 3, "cancelled", True)])
def test_a_failure_is_final_when_no_try_is_left(db, attempt, most, order_status, final):
    order = charge(db, "started", order_status, attempt, most)
    tell(db, order, "declined", reason="expired_card")
    assert [e[4] for e in events(db, order)] == [final] and row(db, order)["final"] == final


@pytest.mark.parametrize("first, reason", [("replaced", "replaced"), ("declined", "authentication")])
def test_why_an_abandoned_one_failed(db, first, reason):
    order = charge(db, "action")
    tell(db, order, first, reason="authentication")
    tell(db, order, "canceled")
    assert events(db, order)[-1][5] == reason


def test_inputs_at_once_are_taken_one_after_the_other(db):
    order = charge(db, "started")
    db.execute("""select write_charges(array_fill(%s::uuid, array[3]), array[1, 1, 1], array['requires_action', 'succeeded', 'declined'],
                                       array['pi_1', 'pi_1', 'pi_1'], array[null, null, 'x'], array['s', null, null],
                                       array['{}', null, null], array[null, null, null])""", (order,))
    assert [e[:3] for e in events(db, order)] == [("PaymentStarted", 6, "requires_action"), ("PaymentCreated", 7, "succeeded")]
    assert row(db, order)["state"] == "succeeded"


def test_the_card_comes_with_the_answer(db):
    """Before a webhook or after it, which does not tell it; of the intent and the attempt that the charge is of."""
    def answer(order, stripe_id, last4, attempt=1):
        db.execute("""select write_charges(array[%s::uuid], array[%s::int], array['succeeded'], array[%s], array[null], array[null], array[null],
                                           array[null], array['visa'], array[%s])""", (order, attempt, stripe_id, last4))
        return row(db, order)["card_last4"]

    first, after = charge(db, "started"), charge(db, "started")
    assert answer(first, "pi_1", "0001") == "0001" and answer(first, "pi_1", "0002") == "0001"
    tell(db, after, "succeeded", attempt=1)
    assert row(db, after)["card_last4"] is None
    assert answer(after, "pi_2", "0002") is None and answer(after, "pi_1", "0003", attempt=2) is None
    assert answer(after, "pi_1", "0004") == "0004"
    assert [e[0] for e in events(db, after)] == ["PaymentCreated"], "that is no change for others"


@pytest.mark.parametrize("brand", ["visa", None])
def test_who_knows_of_a_payment_by_a_webhook_alone_looks_once(db, brand):
    order = charge(db, "started")

    def webhook(stripe_id="pi_1"):
        db.execute("""select write_webhooks(array[%s], array[%s::uuid], array[1], array['succeeded'], array[%s], array[null], array[null],
                                            array[null], array[null])""", (f"evt_{uuid.uuid4()}", order, stripe_id))

    def answer(brand):
        db.execute("""select write_charges(array[%s::uuid], array[1], array['succeeded'], array['pi_1'], array[null], array[null], array[null],
                                           array[null], array[%s], array[%s])""", (order, brand, brand and "4242"))
    webhook()
    asked = row(db, order)
    assert (asked["state"], asked["ask"], asked["card_brand"]) == ("succeeded", "look", None) and asked["ask_at"] is not None
    webhook("pi_2")
    assert row(db, order)["ask"] == "look", "of another intent: nothing of this charge"
    answer(brand)
    assert [row(db, order)[name] for name in ("state", "ask", "ask_at", "card_brand")] == ["succeeded", None, None, brand]
    if brand:
        webhook()
        assert row(db, order)["ask"] is None, "it is known now"
    assert [e[0] for e in events(db, order)] == ["PaymentCreated"]


@pytest.mark.parametrize("seed", range(20))
def test_any_history(db, seed):
    """Whatever comes in whatever order: paid at most once, given back at most once and only if the order ended, no gap in versions."""
    dice = random.Random(seed)
    order, ended = charge(db, "started"), False
    for _ in range(40):
        if dice.random() < 0.05 and not ended:
            ended = True
            db.execute("update charges set order_status = 'cancelled' where order_id = %s", (order,))
            tell(db, order, "order_cancelled")
        tell(db, order, dice.choice([i for i in INPUTS if i != "order_cancelled"]), reason="x")
    history = events(db, order)
    types = [e[0] for e in history]
    assert [e[1] for e in history] == list(range(6, 6 + len(history)))
    assert types.count("PaymentCreated") <= 1 and types.count("PaymentRefunded") <= 1
    if "PaymentRefunded" in types:
        assert types.index("PaymentCreated") < types.index("PaymentRefunded")
    if "PaymentCreated" in types:
        assert "PaymentFailed" not in types[types.index("PaymentCreated"):]
    last = row(db, order)
    assert (last["state"] == "refunding") == (last["ask"] == "refund")
    if ended:
        assert last["state"] not in ("action", "succeeded")


# --- trying to pay ---

def attempt(db, order, token="pm_a", key=None, user=USER):
    [(verdict, state, number)] = db.execute(
        """select verdict, state, attempt from write_attempts(array[%s::uuid], array[%s::uuid], array[%s::uuid], array[%s], array[%s::text],
                                                             array[3], array['trace'])""",
        (order, uuid.uuid4(), user, token, key)).fetchall()
    return verdict, state, number


@pytest.mark.parametrize("state, same, other", [
    ("none", "started", "started"), ("started", "repeated", "busy"), ("action", "repeated", "busy"), ("abandoned", "busy", "busy"),
    ("failed", "started", "started"), ("succeeded", "repeated", "paid"),
    ("refunding", "repeated", "paid")])
def test_verdicts_while_the_order_lives(db, state, same, other):
    assert attempt(db, charge(db, state), "pm_a")[0] == same
    order = charge(db, state)
    assert attempt(db, order, "pm_b")[0] == other
    if state == "action":
        assert (row(db, order)["state"], row(db, order)["ask"]) == ("abandoned", "cancel"), "it makes room"
    started = events(db, order)
    assert [e[:4] for e in started] == ([("PaymentStarted", row(db, order)["version"], "started", row(db, order)["attempt"])]
                                        if other == "started" else [])


@pytest.mark.parametrize("order_status, expires, verdict", [("cancelled", "1 hour", "ended"), ("created", "0", "ended"),
                                                            ("complete", "1 hour", "paid")])
def test_verdicts_of_orders_that_are_over(db, order_status, expires, verdict):
    for state in ("none", "failed"):
        assert attempt(db, charge(db, state, order_status, expires=expires))[0] == verdict


def test_other_verdicts(db):
    order = charge(db, "none")
    assert attempt(db, uuid.uuid4())[0] == "missing"
    assert attempt(db, order, user=uuid.uuid4())[0] == "forbidden"
    assert attempt(db, order, "pm_a", "key") == ("started", "started", 1)
    assert attempt(db, order, "pm_a", "key") == ("repeated", "started", 1)
    assert attempt(db, order, "pm_b", "key")[0] == "other body"
    assert attempt(db, charge(db, "none"), "pm_a", "key")[0] == "other body"
    tell(db, order, "declined", reason="expired_card")
    assert attempt(db, order, "pm_b", "key 2") == ("started", "started", 2)
    assert attempt(db, order, "pm_a", "key") == ("repeated", "failed", 1), "the answer of that time"
    tell(db, order, "declined")
    assert attempt(db, order)[0] == "started"
    tell(db, order, "declined")
    assert attempt(db, order)[0] == "limit"


def test_a_key_starts_one_attempt_of_several_orders_at_once(db):
    """In one execution, and in two beside each other."""
    orders, user = [charge(db, "none") for _ in range(3)], uuid.uuid4()
    db.execute("update charges set user_id = %s where order_id = any(%s)", (user, orders))
    verdicts = db.execute("""select verdict from write_attempts(%s::uuid[], array[gen_random_uuid(), gen_random_uuid()], array[%s, %s]::uuid[],
                                                               array['pm_a', 'pm_a'], array['twice', 'twice'], array[3, 3], array['', ''])""",
                          (orders[:2], user, user)).fetchall()
    assert verdicts == [("started",), ("busy",)]
    assert attempt(db, orders[1], "pm_a", "twice", user)[0] == "other body"

    with psycopg.connect(db.info.dsn) as beside, ThreadPoolExecutor() as pool:
        assert attempt(beside, orders[1], "pm_a", "beside", user)[0] == "started"
        other = pool.submit(attempt, db, orders[2], "pm_a", "beside", user)
        with psycopg.connect(db.info.dsn, autocommit=True) as watcher:
            wait_until(lambda: watcher.execute("select 1 from pg_stat_activity where wait_event_type = 'Lock'").fetchone(), "it waits for the first")
        beside.commit()
        assert other.result()[0] == "busy"


def test_of_many_in_one_batch_one_starts(db):
    order = charge(db, "none")
    verdicts = db.execute("""select verdict from write_attempts(array_fill(%s::uuid, array[4]), %s::uuid[], array_fill(%s::uuid, array[4]),
                                                                array['pm_a', 'pm_a', 'pm_b', 'pm_a'], array[null, null, null, 'another'],
                                                                array[3, 3, 3, 3], array[null, null, null, null]::text[])""",
                          (order, [uuid.uuid4() for _ in range(4)], USER)).fetchall()
    assert [v for v, in verdicts] == ["started", "repeated", "busy", "busy"]
    assert len(events(db, order)) == 1


def test_an_order_that_comes_while_attempts_at_it_are_judged():
    """They have locked nothing, so neither may start: both would, and Stripe would be asked twice."""
    with database() as db, psycopg.connect(db.info.dsn, autocommit=True) as gate, ThreadPoolExecutor() as pool:
        db.execute("""create or replace function tried_sellers(sellers uuid[], most int) returns uuid[] language plpgsql volatile as $$
                      begin perform pg_advisory_xact_lock_shared(1); return sellers; end $$""")
        gate.execute("select pg_advisory_lock(1)")

        def attempt_aside(token):
            with psycopg.connect(db.info.dsn, autocommit=True) as connection:
                return attempt(connection, order, token)[0]
        order = uuid.uuid4()
        judged = [pool.submit(attempt_aside, token) for token in ("pm_a", "pm_b")]
        wait_until(lambda: db.execute("select count(*) from pg_locks where locktype = 'advisory' and not granted").fetchone() == (2,), "they are judged")
        order_event(db, order, 1, "created")
        gate.execute("select pg_advisory_unlock(1)")
        assert [verdict.result() for verdict in judged] == ["missing"] * 2
        assert [attempt(db, order, token)[0] for token in ("pm_a", "pm_b")] == ["started", "busy"]


# --- orders ---

def order_event(db, order, version, status):
    db.execute("""select write_orders(array[%s::uuid], array[%s], array[%s::uuid], array[%s::uuid], array[%s], array[2000::bigint],
                                      array['USD'], array[now() + interval '1 hour'], array['trace'])""", (order, version, order, USER, status))


def test_an_order_that_is_cancelled(db):
    for state, then in [("none", "none"), ("started", "started"), ("action", "abandoned"), ("abandoned", "abandoned"),
                        ("failed", "failed"), ("succeeded", "refunding")]:
        order = charge(db, state)
        order_event(db, order, 2, "cancelled")
        assert row(db, order)["state"] == then
        order_event(db, order, 1, "created")
        assert row(db, order)["order_status"] == "cancelled", "older news"
        before = row(db, order)
        order_event(db, order, 2, "cancelled")
        assert row(db, order) == before
