"""What is asked of Stripe and when, and the life of money that has to go back: what services/payments/sql and functions make of it, in a
database of its own."""
import re
import uuid

import pytest

from support import ROOT
from test_payment_rules import attempt, charge, database, events, row

OPEN = ("refund", "pending", "stuck")


@pytest.fixture(scope="module")
def db():
    with database() as connection:
        yield connection


def intent():
    return f"pi_{uuid.uuid4().hex}"


def tell(db, *items):
    """(order, attempt, input, intent, reason), in one statement."""
    orders, attempts, inputs, intents, reasons = zip(*items)
    none = [None] * len(items)
    db.execute("select write_charges(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])",
               (list(orders), list(attempts), list(inputs), list(intents), list(reasons), none, none, none))


def statement(db, name, *parameters, service="payments"):
    text = (ROOT / f"services/{service}/sql/{name}.sql").read_text().replace("%", "%%")
    for n in range(len(parameters), 0, -1):
        text = text.replace(f"${n}", f"%(p{n})s")
    cursor = db.execute(text, {f"p{n + 1}": value for n, value in enumerate(parameters)})
    names = [c.name for c in cursor.description]
    return [dict(zip(names, values)) for values in cursor.fetchall()]


def taken(db, what, key, value):
    """What the sweep makes of one row; all others wait."""
    db.execute(f"update {what} set ask_at = 'infinity' where ask is not null and {key} <> %s", (value,))
    db.execute(f"update {what} set ask_at = now() where ask is not null and {key} = %s", (value,))
    kinds = ("payments", "looks") if what == "charges" else ("returns",)
    return [due for kind in kinds for due in take(db, kind)]


def take(db, kind, most=100):
    """Without a limit."""
    return statement(db, f"background/take_{kind}", [most], [0], [0], *[[False]] * (kind == "payments"))


def returned(db, intent):
    cursor = db.execute("select * from returns where stripe_id = %s", (intent,))
    rows = cursor.fetchall()
    return dict(zip((c.name for c in cursor.description), rows[0])) if rows else None


def a_return(db, state="refund", wanted=True, tries=1, order_status="cancelled", **columns):
    order, pi = charge(db, "refunding" if wanted else "succeeded", order_status if wanted else "complete"), intent()
    db.execute("update charges set stripe_id = %s where order_id = %s", (pi, order))
    ask = {"cancel": "cancel", "refund": "refund", "pending": "refunds"}.get(state)
    db.execute("""insert into returns (stripe_id, order_id, wanted, state, tries, ask, ask_at)
                  values (%s, %s, %s, %s, %s, %s::text, case when %s::text is not null then now() end)""",
               (pi, order, wanted, state, tries, ask, ask))
    for name, value in columns.items():
        db.execute(f"update returns set {name} = {value} where stripe_id = %s", (pi,))
    return order, pi


# --- more than one intent ---

@pytest.mark.parametrize("state", ["started", "action", "failed", "succeeded", "refunding", "refunded"])
def test_the_success_of_another_intent_goes_back(db, state):
    ended = state in ("refunding", "refunded")
    order, own, other = charge(db, state, "cancelled" if ended else "awaiting_payment"), intent(), intent()
    db.execute("update charges set stripe_id = %s where order_id = %s", (own, order))
    before = row(db, order)
    for _ in range(2):
        tell(db, (order, 1, "succeeded", other, None))
    assert row(db, order) == before and events(db, order) == []
    assert (returned(db, other)["state"], returned(db, other)["ask"], returned(db, other)["wanted"]) == ("refund", "refund", True)
    tell(db, (order, 1, "refunded", other, None))
    assert returned(db, other)["state"] == "done" and row(db, order) == before


@pytest.mark.parametrize("told", [1, 3])
def test_the_success_of_another_attempt_goes_back(db, told):
    """Of an earlier one; of a later one, which a restored backup has forgotten."""
    order, other = charge(db, "started", attempt=2), intent()
    before = row(db, order)
    tell(db, (order, told, "succeeded", other, None))
    assert row(db, order) == before and returned(db, other)["state"] == "refund"


def test_of_several_that_are_found_one_counts(db):
    order, own, paid, waiting = charge(db, "started"), intent(), intent(), intent()
    tell(db, (order, 1, "succeeded", own, None), (order, 1, "succeeded", paid, None), (order, 1, "requires_action", waiting, None),
         (order, 1, "declined", intent(), "card_declined"), (order, 1, "canceled", intent(), None))
    assert (row(db, order)["state"], row(db, order)["stripe_id"]) == ("succeeded", own)
    assert [e[0] for e in events(db, order)] == ["PaymentCreated"]
    assert db.execute("select stripe_id, state from returns where order_id = %s order by state", (order,)).fetchall() == [
        (waiting, "cancel"), (paid, "refund")]
    tell(db, (order, 1, "succeeded", waiting, None))
    assert (returned(db, waiting)["state"], returned(db, waiting)["ask"]) == ("refund", "refund"), "it could not be cancelled any more"


def test_another_intent_that_is_cancelled_fails_nothing(db):
    order, own, waiting = charge(db, "action"), intent(), intent()
    db.execute("update charges set stripe_id = %s where order_id = %s", (own, order))
    tell(db, (order, 1, "requires_action", waiting, None))
    tell(db, (order, 1, "canceled", waiting, None))
    assert returned(db, waiting)["state"] == "done" and row(db, order)["state"] == "action"


@pytest.mark.parametrize("given", ["requires_action", "processing"])
def test_what_waits_of_an_earlier_attempt_is_cancelled(db, given):
    order, other = charge(db, "started", attempt=2), intent()
    before = row(db, order)
    tell(db, (order, 1, given, other, None))
    assert (returned(db, other)["state"], returned(db, other)["ask"]) == ("cancel", "cancel") and row(db, order) == before


# --- the life of a return ---

LIFE = {  # (wanted, state, input): (next, asked then)
    (True, "cancel", "canceled"): ("done", None), (True, "cancel", "succeeded"): ("refund", "refund"),
    (True, "refund", "refunded"): ("done", None), (True, "refund", "refund_pending"): ("pending", "refunds"),
    (True, "refund", "refund_failed"): ("refund", "refund"),
    (True, "pending", "refunded"): ("done", None), (True, "pending", "refund_pending"): ("pending", "refunds"),
    (True, "pending", "refund_failed"): ("refund", "refund"),
    (True, "stuck", "refunded"): ("done", None), (True, "stuck", "refund_pending"): ("pending", "refunds"),
    (True, "stuck", "refund_failed"): ("stuck", None),
    (True, "done", "refund_failed"): ("refund", "refund"),  # the bank sent it back
    (False, "foreign", "refunded"): ("done", None), (False, "foreign", "refund_pending"): ("foreign", "refunds"),
    (False, "foreign", "refund_failed"): ("foreign", None),  # none, or a part
    (False, "done", "refund_failed"): ("stuck", None), (False, "stuck", "refunded"): ("done", None),
}


@pytest.mark.parametrize("wanted, state, given", LIFE)
def test_the_life_of_a_return(db, wanted, state, given):
    order, pi = a_return(db, state, wanted, tries=3)
    if state == "cancel":  # only others than the charge's own are cancelled so
        db.execute("update charges set stripe_id = %s where order_id = %s", (intent(), order))
    tell(db, (order, 1, given, pi, "expired_or_canceled_card" if given == "refund_failed" else None))
    now = returned(db, pi)
    assert (now["state"], now["ask"]) == LIFE[wanted, state, given]
    assert now["tries"] == 3 + (given == "refund_failed" and now["state"] == "refund"), "another try has another key"
    assert (now["ended_at"] is not None) == (now["state"] == "done")
    assert (now["reason"] == "expired_or_canceled_card") == (given == "refund_failed")
    charge_state = "refunded" if given == "refunded" and state != "cancel" else "refunding" if wanted else "succeeded"
    assert row(db, order)["state"] == charge_state
    assert [e[0] for e in events(db, order)] == ["PaymentRefunded"] * (charge_state == "refunded")


def test_a_refund_is_told_of_once(db):
    order, pi = a_return(db)
    verdicts = [db.execute("""select verdict from write_charges(array[%s::uuid], array[1], array['refunded'], array[%s], array[null], array[null],
                                                                array[null], array[null])""", (order, pi)).fetchone() for _ in range(2)]
    assert verdicts == [("refunded",), ("unchanged",)]


def test_a_refund_is_tried_often_and_not_for_ever(db):
    order, pi = a_return(db)
    pauses = []
    for _ in range(19):
        tell(db, (order, 1, "refund_failed", pi, "balance_insufficient"))
        assert returned(db, pi)["state"] == "refund"
        pauses += db.execute("select extract(epoch from ask_at - now())::float8 from returns where stripe_id = %s", (pi,)).fetchone()
    assert pauses[0] < 5 and max(pauses) < 6 * 3600 * 1.25 and sum(pauses) > 2 * 86400
    tell(db, (order, 1, "refund_failed", pi, "balance_insufficient"))
    stuck = returned(db, pi)
    assert (stuck["state"], stuck["tries"], stuck["ask"], stuck["reason"]) == ("stuck", 20, None, "balance_insufficient")
    assert row(db, order)["state"] == "refunding"
    db.execute("update returns set state = 'refund', tries = tries + 1, ask = 'refund', ask_at = now() where stripe_id = %s", (pi,))
    for n in range(21, 41):
        assert (returned(db, pi)["state"], returned(db, pi)["tries"]) == ("refund", n), "a person grants as many again"
        tell(db, (order, 1, "refund_failed", pi, "balance_insufficient"))
    assert (returned(db, pi)["state"], returned(db, pi)["tries"]) == ("stuck", 40)


def documented(n, pi):
    """The n-th statement of docs/failures.md, about this one."""
    text = (ROOT / "docs/failures.md").read_text().split("### Refunds that do not go through", 1)[1].split("\n### ", 1)[0]
    statements = re.findall(r"(?m)^    [^;]+;", text)
    assert len(statements) == 3
    return statements[n].replace("pi_…", pi)


def test_what_an_operator_types(db):
    order, pi = a_return(db, "stuck", tries=20, reason="'balance_insufficient'")
    assert [r[1:5] for r in db.execute(documented(0, pi)).fetchall() if r[0] == order] == [(pi, "stuck", 20, "balance_insufficient")]
    db.execute(documented(1, pi))
    [due] = taken(db, "returns", "stripe_id", pi)
    assert (due["ask"], due["tries"]) == ("refund", 21), "Stripe may know the keys of the tries before"
    db.execute(documented(2, pi))
    assert returned(db, pi)["state"] == "done" and row(db, order)["state"] == "refunded"


# --- what is asked, and when ---

@pytest.mark.parametrize("order_status, change, asked", [
    ("awaiting_payment", "", "create"), ("awaiting_payment", "key_at = now() - interval '22 hours 59 minutes'", "create"),
    ("awaiting_payment", "key_at = now() - interval '23 hours 1 minute'", "find"),
    ("awaiting_payment", "key_at = null, started_at = now() - interval '2 days'", "find"),
    ("awaiting_payment", "expires_at = now() - interval '61 minutes'", "find"),
    ("awaiting_payment", "asked = 2", "find"), ("awaiting_payment", "asked = 3", "create"), ("cancelled", "", "find")])
def test_a_charge_is_asked_for_while_its_order_and_its_key_live(db, order_status, change, asked):
    order = charge(db, "started", order_status, ask="create")
    db.execute("update charges set asked = 1, started_at = now(), key_at = now(), sent_at = now() - interval '10 minutes' where order_id = %s",
               (order,))
    if change:
        db.execute(f"update charges set {change} where order_id = %s", (order,))
    [due] = taken(db, "charges", "order_id", order)
    assert due["ask"] == asked and 600000 <= due["sent_ago_ms"] < 660000
    [due] = taken(db, "charges", "order_id", order)
    assert (due["sent_ago_ms"] < 60000) == (asked == "create")


def test_what_has_to_go_back_is_asked_about_as_a_return(db):
    order, pi = charge(db, "refunding", "cancelled", ask="refund"), intent()
    db.execute("update charges set stripe_id = %s where order_id = %s", (pi, order))
    [due] = taken(db, "charges", "order_id", order)
    assert due["ask"] == "return", "a row each, so that it is known whether there may be more"
    assert (row(db, order)["ask"], row(db, order)["ask_at"]) == (None, None), "it is not due again, however long the refund takes"
    opened = returned(db, pi)
    assert (opened["state"], opened["ask"], opened["wanted"]) == ("refund", "refund", True)
    [due] = taken(db, "returns", "stripe_id", pi)
    assert (due["ask"], due["stripe_id"], due["tries"], due["amount"], due["attempt"]) == ("refund", pi, 1, 2000, 1)
    assert taken(db, "charges", "order_id", order) == [] and returned(db, pi)["asked"] == 1, "once is enough"


def test_many_that_have_to_go_back_are_taken_some_at_a_time(db):
    orders = [charge(db, "refunding", "cancelled", ask="refund") for _ in range(5)]
    db.execute("update charges set ask_at = 'infinity' where ask is not null")
    db.execute("update charges set stripe_id = 'pi_' || order_id, ask_at = now() where order_id = any (%s)", (orders,))
    assert [len(take(db, "looks", 2)) for _ in range(4)] == [2, 2, 1, 0]
    assert db.execute("select count(*) from returns where order_id = any (%s)", (orders,)).fetchone() == (5,)


# --- what a search cannot say yet ---

def test_a_key_that_repeats_an_error_is_not_used_again(db):
    """Each use would count as the last, and "there is none" counts only some time after that."""
    order = charge(db, "started", ask="create")
    db.execute("update charges set asked = 1, started_at = now(), key_at = now(), sent_at = now() - interval '10 minutes' where order_id = %s",
               (order,))
    tell(db, (order, 1, "replayed", None, None))
    for _ in range(3):
        [due] = taken(db, "charges", "order_id", order)
        assert due["ask"] == "find" and due["sent_ago_ms"] >= 600000
    tell(db, (order, 1, "absent", None, None))
    assert row(db, order)["state"] == "failed" and attempt(db, order, "pm_b")[0] == "started"


def absent(db, order_status="cancelled"):
    order = charge(db, "started", order_status, ask="find")
    tell(db, (order, 1, "absent", None, None))
    return order


@pytest.mark.parametrize("order_status", ["cancelled", "awaiting_payment"])
@pytest.mark.parametrize("given", ["absent", "declined", "canceled"])
def test_what_was_absent_is_looked_for_once_more(db, order_status, given):
    order = absent(db, order_status)
    before = row(db, order)
    [[hours]] = db.execute("select extract(epoch from ask_at - now()) / 3600 from charges where order_id = %s", (order,)).fetchall()
    assert 23 < hours <= 24
    [due] = taken(db, "charges", "order_id", order)
    assert due["ask"] == "find" and row(db, order)["ask"] == "find", "until it is answered"
    tell(db, (order, None, "order_cancelled", None, None))
    assert row(db, order)["ask"] == "find"
    tell(db, (order, 1, given, intent() if given != "absent" else None, None))
    assert row(db, order) == before | {"ask": None, "ask_at": None, "asked": 1}
    assert [e[0] for e in events(db, order)] == ["PaymentFailed"]


def test_what_shows_up_a_day_later_goes_back(db):
    order, pi = absent(db), intent()
    tell(db, (order, 1, "succeeded", pi, None))
    assert (row(db, order)["state"], row(db, order)["ask"], row(db, order)["stripe_id"]) == ("refunding", "refund", pi)


def test_what_shows_up_a_day_later_and_waits_is_cancelled(db):
    order, pi = absent(db), intent()
    tell(db, (order, 1, "requires_action", pi, None))
    assert (row(db, order)["state"], row(db, order)["ask"]) == ("failed", None)
    assert (returned(db, pi)["state"], returned(db, pi)["ask"]) == ("cancel", "cancel")
    tell(db, (order, 1, "succeeded", pi, None))
    assert (returned(db, pi)["state"], row(db, order)["state"]) == ("refund", "failed"), "it was quicker"


@pytest.mark.parametrize("change, asked", [({}, "refund"), ({"asked": "1"}, "refunds"), ({"asked": "2"}, "refund"),
                                           ({"key_at": "now() - interval '23 hours 1 minute'"}, "refunds")])
def test_a_refund_is_asked_for_while_its_key_lives(db, change, asked):
    _, pi = a_return(db, **change)
    [due] = taken(db, "returns", "stripe_id", pi)
    assert due["ask"] == asked and returned(db, pi)["asked"] == int(change.get("asked", 0)) + 1


def test_a_failed_try_gets_a_key_of_its_own_time(db):
    order, pi = a_return(db, key_at="now() - interval '2 days'")
    tell(db, (order, 1, "refund_failed", pi, None))
    [due] = taken(db, "returns", "stripe_id", pi)
    assert (due["ask"], due["tries"]) == ("refund", 2)


# --- what Stripe tells ---

def news(db, order, pi, id=None):
    statement(db, "take_refund_news", [id or f"evt_{uuid.uuid4().hex}"], [order], [pi])


@pytest.mark.parametrize("state, asked", [("pending", True), ("done", True), ("stuck", True), ("foreign", True), ("refund", False)])
def test_news_of_a_refund_make_it_look(db, state, asked):
    _, pi = a_return(db, state, state != "foreign", ask_at="ask_at + interval '1 hour'" if state in ("pending", "refund") else "ask_at")
    news(db, None, pi, id := f"evt_{uuid.uuid4().hex}")
    assert (returned(db, pi)["ask"] == "refunds" and returned(db, pi)["ask_at"] is not None) == asked
    db.execute("update returns set ask = null, ask_at = null where stripe_id = %s", (pi,))
    news(db, None, pi, id)
    assert returned(db, pi)["ask"] is None, "each event once"


def test_news_of_somebody_elses_refund(db):
    order, pi = charge(db, "succeeded", "complete"), intent()
    news(db, None, pi)
    assert returned(db, pi) is None, "whose it is, is not known"
    news(db, order, pi)
    assert (returned(db, pi)["state"], returned(db, pi)["wanted"], returned(db, pi)["ask"]) == ("foreign", False, "refunds")
    news(db, uuid.uuid4(), other := intent())
    assert returned(db, other) is None


def test_a_refund_by_hand_is_no_refund_of_ours_until_it_has_to_be(db):
    """It was partial; then the order ends."""
    order, pi = charge(db, "succeeded"), intent()
    db.execute("update charges set stripe_id = %s where order_id = %s", (pi, order))
    news(db, order, pi)
    tell(db, (order, 1, "refund_failed", pi, None))
    assert (returned(db, pi)["state"], returned(db, pi)["ask"]) == ("foreign", None) and row(db, order)["state"] == "succeeded"
    db.execute("update charges set order_status = 'cancelled' where order_id = %s", (order,))
    tell(db, (order, None, "order_cancelled", None, None))
    assert [due["ask"] for due in taken(db, "charges", "order_id", order)] == ["return"]
    assert (returned(db, pi)["state"], returned(db, pi)["wanted"], returned(db, pi)["ask"]) == ("refund", True, "refund")


def test_disputes(db):
    def take(id, status, closed, pi="pi_d"):
        statement(db, "take_dispute", [id], [pi], [status], [closed], [2000], ["usd"], ["fraudulent"])
        return db.execute("select status, closed from disputes where id = %s", (id,)).fetchone()
    db.execute("update charges set stripe_id = 'pi_d' where order_id = %s", (charge(db, "succeeded", "complete"),))

    def count():
        return statement(db, "background/count_returns", [0])[0]["disputes"]
    before = count()
    assert take("du_1", "needs_response", False) == ("needs_response", False) and count() == before + 1
    assert take("du_1", "lost", True) == ("lost", True) and count() == before
    assert take("du_1", "under_review", False) == ("lost", True), "what comes late"
    assert take("du_2", "needs_response", False, "pi_of_another_shop") is None and count() == before
    _, other = a_return(db)
    assert take("du_3", "lost", True, other) == ("lost", True), "of another intent than the charge's"


def test_the_oldest_open_refund_is_counted(db):
    db.execute("delete from returns")
    db.execute("delete from charges where state = 'refunding'")
    assert statement(db, "background/count_returns", [0])[0] | {"disputes": 0} == {
        "oldest_s": 0, "stuck": 0, "disputes": 0, "oldest_due_s": 0, "oldest_pending_s": 0}
    for hours, state in enumerate(OPEN, 1):
        a_return(db, state, opened_at=f"now() - interval '{hours} hours'")
    a_return(db, "foreign", wanted=False, opened_at="now() - interval '9 hours'")
    db.execute("update charges set changed_at = now() - interval '9 hours' where order_id = %s", (a_return(db, "pending")[0],))

    def counts():
        found = statement(db, "background/count_returns", [0])[0]
        return found["oldest_s"] // 3600, found["oldest_due_s"] // 3600, found["oldest_pending_s"] // 3600, found["stuck"]
    assert counts() == (3, 1, 2, 1)
    db.execute("update charges set changed_at = now() - interval '7 hours' where order_id = %s",
               (charge(db, "refunding", "cancelled", ask="refund"),))
    assert counts() == (7, 7, 2, 1), "nobody has opened a return for it"


# --- the last try ---

def test_another_card_on_the_last_try_is_refused_and_ends_nothing(db):
    order = charge(db, "action", attempt=3, most=3)
    before = row(db, order)
    assert attempt(db, order, "pm_b")[0] == "limit"
    assert attempt(db, order, "pm_a")[0] == "repeated"
    assert row(db, order) == before and events(db, order) == [], "it can be confirmed still"
    order = charge(db, "action", attempt=2, most=3)
    assert attempt(db, order, "pm_b")[0] == "busy" and row(db, order)["state"] == "abandoned"
