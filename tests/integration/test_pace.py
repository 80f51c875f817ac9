"""Payments at a pace: what is beyond it waits in line, and nothing is lost by it. The line in a database of its own; then a burst that is paid
by two replicas, while Stripe's stand-in refuses and one of them is killed."""
import itertools
import math
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import requests

from money import check_books
from sandbox import Books
from support import DEADLINE, ROOT, Replica, User, list_ticket, wait_until
from test_payment_returns import a_return, statement
from test_payment_rules import USER, charge, database, events, order_event, row, tell

LIMIT = 20_000  # thousandths of a request a second


@pytest.fixture
def empty():
    with database() as connection:
        yield connection


@pytest.fixture
def db(empty):
    """In one transaction, so that now() stays: nothing becomes due, or too old, while a test runs. Turns come by the clock."""
    with empty.transaction():
        yield empty


def begin(db, n=1):
    """Orders whose payments are in line, in this order."""
    orders = [charge(db, "none") for _ in range(n)]
    for order in orders:
        [(verdict,)] = db.execute("""select verdict from start_attempts(array[%s::uuid], array[%s::uuid], array[%s::uuid], array['pm_a'],
                                                                        array[null::text], array[3], array['trace'], array[true], array[0])""",
                                  (order, uuid.uuid4(), USER)).fetchall()
        assert verdict == "started"
    return orders


def passes(db, seconds, lane="payments"):
    db.execute("update paces set counted_at = counted_at - %s * interval '1 s', slowed_at = slowed_at - %s * interval '1 s',"
               " not_before = not_before - %s * interval '1 s' where lane = %s", (seconds, seconds, seconds, lane))


def still(db):
    """No turn has come yet; what passes while the test runs counts hardly."""
    db.execute("update paces set turns = 0, counted_at = clock_timestamp()")


def take(db, kind="payments", limit=LIMIT, extra=0):
    """What is asked now, and whether there may be more."""
    taken = statement(db, f"background/take_{kind}", [500], [limit], [extra], *[[False]] * (kind == "payments"))
    return [(t["order_id"], t["ask"]) for t in taken if t["ask"] != "wait"], any(t["ask"] == "wait" for t in taken)


def line(db, order):
    return db.execute("select l.ahead, l.seconds from charges c, line_of(c.ask, c.asked, c.place_in_line) l where order_id = %s", (order,)).fetchone()


def test_turns_come_at_the_pace(db):
    orders = begin(db, 30)
    asked = []
    for _ in range(200):
        still(db)
        passes(db, 0.1)
        asked += take(db)[0]
        if len(asked) == 30:
            break
    assert asked == [(order, "create") for order in orders], "in the order of the line, each once"
    passes(db, 3600)
    assert take(db) == ([], False)


def test_turns_are_not_saved_up(db):
    begin(db, 100)
    passes(db, 3600)
    asked, more = take(db)
    assert 1 <= len(asked) <= 3 and more
    still(db)
    passes(db, 0.05)
    asked, more = take(db, extra=3)
    assert asked == [] and more, "what was asked besides counts"


def test_without_a_limit_all_are_asked(db):
    orders = begin(db, 30)
    assert take(db, limit=0) == ([(order, "create") for order in orders], False)
    begin(db)
    passes(db, 1)
    assert take(db)[0], "there is nothing to make up for when there is one"


def test_two_replicas_share_the_pace(empty):
    begin(empty, 100)
    passes(empty, 3600)
    with psycopg.connect(empty.info.dsn) as beside, ThreadPoolExecutor() as pool:
        asked, _ = take(beside)
        other = pool.submit(take, empty)
        with psycopg.connect(empty.info.dsn, autocommit=True) as watcher:
            wait_until(lambda: watcher.execute("select 1 from pg_stat_activity where wait_event_type = 'Lock'").fetchone(), "it waits for the first")
        beside.commit()
        again, _ = other.result()
    assert not set(asked) & set(again)


@pytest.mark.parametrize("lane, other", [("payments", "looks"), ("looks", "payments")])
def test_neither_lane_waits_for_the_other(db, lane, other):
    payments, looks = begin(db, 20), [charge(db, "action", ask="look") for _ in range(20)]
    passes(db, 3600), passes(db, 3600, "others")
    take(db, lane)
    asked, _ = take(db, other)
    assert asked and {order for order, _ in asked} <= set(payments if other == "payments" else looks)


def test_what_ends_a_payment_goes_before_looks(db):
    """A card that its buyer does not want any more is cancelled at once, though many others are being confirmed."""
    looks = [charge(db, "action", ask="look") for _ in range(20)]
    db.execute("update charges set ask_at = now() - interval '1 hour'")
    ends = [charge(db, "abandoned", ask="cancel"), charge(db, "started", ask="find")]
    asked = []
    while not set(ends) <= set(asked):
        still(db)
        passes(db, 0.6, "others")
        asked += [order for order, _ in take(db, "looks", limit=2000)[0]]
        assert len(asked) <= 3
    passes(db, 3600, "others")
    assert take(db, "looks")[0][0][0] in looks


def test_others_have_what_payments_leave_over(db):
    looks, n = [charge(db, "action", ask="look") for _ in range(100)], 0
    for _ in range(10):
        passes(db, 3600)
        assert take(db) == ([], False)
        n += len(take(db, "looks", limit=2000)[0])
    assert 10 <= n <= 30
    assert len(looks) > n


def test_others_take_nothing_from_payments_that_wait(db):
    """Also when the pace is so low that a turn is saved up for longer than a worker waits between two looks."""
    begin(db, 100)
    for _ in range(100):
        charge(db, "action", ask="look")
    still(db)
    asked = 0
    for _ in range(60):
        passes(db, 0.05), passes(db, 0.05, "others")
        asked += len(take(db, limit=4000)[0])
        take(db, "looks", limit=2000)
    assert asked >= 11, "four a second, for three seconds"


@pytest.mark.parametrize("rate", [20, 100])
def test_all_together_keep_the_limit(db, rate):
    """In whichever second, also in the first after nothing was asked for long."""
    worker = (ROOT / "services/payments/charge_worker.c").read_text()
    payments, others = (rate * int(re.search(rf"{lane} = (\d+)", worker)[1]) for lane in ("OF_PAYMENTS", "OF_OTHERS"))
    kept = int(max(1, payments / 10_000)) * 1000 / payments  # seconds: more is not saved up, and there are whole turns alone
    begin(db, 2 * rate)
    for _ in range(rate):
        charge(db, "action", ask="look")
    passes(db, 3600)
    passes(db, 3600, "others")
    counted = "select extract(epoch from counted_at)::float from paces order by lane desc"  # payments, others
    asked, seconds, usable = len(take(db, "looks", others)[0]) + len(take(db, limit=payments)[0]), 0, 0
    while True:
        before = db.execute(counted).fetchall()
        passes(db, 0.05), passes(db, 0.05, "others")
        now = len(take(db, limit=payments)[0]) + len(take(db, "looks", others)[0])
        of_payments, of_others = (after - was + 0.05 for (after,), (was,) in zip(db.execute(counted), before, strict=True))
        seconds += of_others  # from the first that was asked to the last: others are the first and the last
        if seconds > 1:
            break
        usable += min(of_payments, kept)  # on a busy machine more passes by between two questions
        asked += now
    assert 0.8 * rate * usable <= asked <= rate


def test_returns_have_turns_like_looks(db):
    for _ in range(5):
        a_return(db)
    passes(db, 3600, "others")
    asked, more = take(db, "returns", limit=2000)
    assert [ask for _, ask in asked] == ["refund"] and more


def test_the_line_tells_how_long_it_is(db):
    orders = begin(db, 30)
    passes(db, 3600)
    taken, _ = take(db)
    assert line(db, taken[0][0]) is None
    ahead = [line(db, order)[0] for order in orders[len(taken):]]
    assert ahead == list(range(30 - len(taken)))
    assert line(db, orders[-1])[1] == -(-(30 - len(taken)) // 20)
    db.execute("select slow_down(60)")
    [(pause,)] = db.execute("select extract(epoch from not_before - now())::float from paces where lane = 'payments'").fetchall()
    assert pause >= 60 and line(db, orders[-1])[1] == math.ceil(pause + (30 - len(taken)) / 20), "Stripe wants a pause before"


def test_one_that_is_refused_for_long_is_the_oldest(db):
    [order] = begin(db)
    db.execute("update charges set changed_at = now() - interval '100 s' where order_id = %s", (order,))
    assert statement(db, "background/count_line", [0])[0]["oldest_s"] == 100
    passes(db, 3600)
    take(db)
    db.execute("update charges set key_at = now() - interval '90 s' where order_id = %s", (order,))
    tell(db, order, "limited", 1)
    assert statement(db, "background/count_line", [0])[0]["oldest_s"] == 90


def test_an_attempt_is_told_when_it_waits_and_when_not(db):
    [order] = begin(db)
    assert (row(db, order)["asked"], row(db, order)["key_at"]) == (0, None)
    passes(db, 3600)
    take(db)
    tell(db, order, "limited", 1)
    assert (row(db, order)["state"], row(db, order)["ask"], row(db, order)["asked"]) == ("started", "create", 0)
    passes(db, 3600)
    assert take(db)[0] == [(order, "create")], "with the same key"
    assert [(type, version, reason) for type, version, _, _, _, reason, _ in events(db, order)] == [
        ("PaymentStarted", 1, "waiting"), ("PaymentStarted", 2, None), ("PaymentStarted", 3, "waiting"), ("PaymentStarted", 4, None)]


def test_one_that_met_the_limit_is_next(db):
    first, *_ = begin(db, 5)
    one = LIMIT // 2  # of two that are taken at once either may be told first
    passes(db, 3600)
    assert take(db, limit=one)[0] == [(first, "create")]
    tell(db, first, "limited", 1)
    passes(db, 3600)
    assert take(db, limit=one)[0] == [(first, "create")]


def test_stripes_limit_slows_down_and_it_recovers(db):
    def share():
        return db.execute("select share from paces where lane = 'payments'").fetchone()[0]

    def counted():
        return db.execute("select extract(epoch from counted_at)::float from paces where lane = 'payments'").fetchone()[0]
    begin(db, 50)
    db.execute("select slow_down(0) from generate_series(1, 5)")
    assert share() == 0.75, "once a second, however many say so"
    for _ in range(30):
        passes(db, 2)
        db.execute("select slow_down(0)")
    assert share() == 0.05, "it never stops"
    still(db)
    passes(db, 10)
    before = counted()
    take(db)
    passed = counted() - before
    assert passed >= 10 and share() == pytest.approx(min(1, 0.05 + passed / 20))
    passes(db, 3600)
    take(db)
    assert share() == 1


def test_stripe_may_ask_for_a_pause(db):
    begin(db, 50)
    db.execute("select slow_down(600)")
    passes(db, 60)
    assert take(db) == ([], True)
    passes(db, 540)
    assert take(db)[0]


def test_who_cancels_in_line_is_not_charged(db):
    [order] = begin(db)
    order_event(db, order, 2, "cancelled")
    assert [(e[0], e[5]) for e in events(db, order)][-1] == ("PaymentFailed", "order_ended")
    assert (row(db, order)["state"], row(db, order)["final"]) == ("failed", True)
    passes(db, 3600)
    passes(db, 3600, "others")
    assert take(db) == take(db, "looks") == ([], False), "Stripe knows nothing of it"
    db.execute("update charges set ask_at = ask_at - interval '1 day'")
    assert take(db, "looks")[0] == [(order, "find")], "a restored backup may have forgotten that it was sent"
    tell(db, order, "absent", 1)
    assert (row(db, order)["state"], row(db, order)["ask"]) == ("failed", None)


@pytest.mark.parametrize("sent", ["sent_at", "key_at"])
def test_who_cancels_after_it_was_sent_is_looked_for(db, sent):
    """Also by a replica of the version before, which notes sent_at alone."""
    [order] = begin(db)
    db.execute(f"update charges set {sent} = now() where order_id = %s", (order,))
    order_event(db, order, 2, "cancelled")
    passes(db, 3600)
    [asked, *_] = statement(db, "background/take_payments", [500], [LIMIT], [0], [False])
    assert (row(db, order)["state"], asked["ask"]) == ("started", "find") and asked["sent_ago_ms"] < 3_600_000, "a search may be early"


def post(db, order, token):
    """(verdict, ahead)"""
    [answer] = statement(db, "start_attempt", [order], [uuid.uuid4()], [USER], [token], [None], [3], ["trace"], [None], [True], [0], [None], [0],
                         [0], [0], [None], [None], [False], [uuid.uuid4()], ["203.0.113.77"], ["203.0.113.0/24"])
    return answer["verdict"], answer["ahead"]


def test_another_payment_is_told_of_the_one_in_line(db):
    orders = begin(db, 3)
    db.execute("update paces set served = (select min(place_in_line) - 1 from charges) where lane = 'payments'")
    assert post(db, orders[2], "pm_b") == ("busy", 2)
    passes(db, 3600)
    assert take(db)[0][0] == (orders[0], "create")
    assert post(db, orders[0], "pm_b") == ("busy", None), "it is at Stripe"


def test_a_decline_after_the_line_is_not_the_end(db):
    """Orders adds the time in line, and tells of it in a moment."""
    [order] = begin(db)
    passes(db, 3600)
    take(db)
    db.execute("update charges set expires_at = now() where order_id = %s", (order,))
    tell(db, order, "declined", 1, "card_declined")
    assert post(db, order, "pm_b")[0] == "busy"
    db.execute("update charges set expires_at = now() + interval '1 minute' where order_id = %s", (order,))
    assert post(db, order, "pm_b")[0] == "started"
    passes(db, 3600)
    take(db)
    tell(db, order, "declined", 2, "card_declined")
    db.execute("update charges set expires_at = now(), changed_at = now() - interval '1 minute' where order_id = %s", (order,))
    assert post(db, order, "pm_c")[0] == "ended"


def test_one_that_met_the_limit_has_waited_since_it_was_sent(db):
    [order] = begin(db)
    passes(db, 3600)
    take(db)
    [(sent,)] = db.execute("update charges set sent_at = now() - interval '3 s' where order_id = %s returning sent_at", (order,)).fetchall()
    tell(db, order, "limited", 1)
    *_, (occurred,) = db.execute("select occurred_at from payment_events where order_id = %s order by seq", (order,)).fetchall()
    assert occurred == sent


def test_no_event_is_from_before_what_is_promised(db):
    """Readers of the topic are told that none is older than ten seconds when it is written (payments_logs)."""
    [order] = begin(db)
    passes(db, 3600)
    take(db)
    db.execute("update charges set sent_at = now() - interval '1 hour' where order_id = %s", (order,))
    [(before,)] = db.execute("select now() - interval '10 s'").fetchall()
    tell(db, order, "limited", 1)
    *_, (occurred,) = db.execute("select occurred_at from payment_events where order_id = %s order by seq", (order,)).fetchall()
    assert occurred >= before


# --- all of it ---

BUYERS, EACH, HOLD = 20, 10, 40


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(STRIPE_RATE="20", HOLD_SECONDS=str(HOLD), PAYMENT_GRACE_SECONDS="1", HASH_MEMORY="16")


def buy(stack, buyer, at, ticket):
    """What was answered to the payment."""
    order = buyer.place(ticket)
    pay = User(at, buyer.headers["Authorization"].removeprefix("Bearer "))
    payment = {"orderId": order["id"], "token": "pm_card_visa"}
    answer = wait_until(lambda: (a := pay.post("/api/payments", json=payment)).status_code not in (404, 503) and (a,), "payments knows the order")[0]
    assert answer.status_code in (201, 202), answer.text
    return answer.json()


def shown(stack, buyer, order):
    answer = requests.get(f"{stack.url}/orders/{order}", timeout=DEADLINE, cookies={"session": buyer.headers["Authorization"].removeprefix("Bearer ")})
    assert answer.status_code == 200
    return answer.text


def test_a_burst_is_paid_at_its_pace(stack):
    """Longer than the orders are held, and with grace: Stripe takes nothing at first, then 20 requests a second, and one of two replicas dies."""
    books, seller, *buyers = Books(stack), *stack.users(BUYERS + 1)
    tickets = [list_ticket(stack, seller, price="20.50") for _ in range(BUYERS * EACH)]
    books.settings(rate_limit=1)
    with Replica(stack, "payments") as replica, ThreadPoolExecutor(8) as pool:
        replica.wait_ready()
        where = itertools.cycle([stack.env["PAYMENTS_URL"], replica.url])
        answers = list(pool.map(buy, itertools.repeat(stack), buyers * EACH, where, tickets))
        waiting = [a for a in answers if "waiting" in a]
        assert len(waiting) > len(answers) / 2 and all(a["status"] == "started" and a["waiting"]["seconds"] >= 1 for a in waiting)
        last = len(answers) - 1
        assert "which takes about" in shown(stack, (buyers * EACH)[last], answers[last]["orderId"])
        again = requests.post(f"{replica.url}/api/payments", headers=(buyers * EACH)[last].headers, timeout=DEADLINE,
                              json={"orderId": answers[last]["orderId"], "token": "pm_card_mastercard"})
        assert again.status_code == 202 and again.json() | {"waiting": 0} == answers[last] | {"waiting": 0}, "the one in line, at once"
        wait_until(lambda: stack.metric("payments", "onsale_payments_waiting") > 100, "it is counted")
        wait_until(lambda: stack.sql("orders", "select count(*) from orders where expires_at + interval '2 s' < now()")[0][0] > 150,
                   "without more time most would have ended", deadline=HOLD + DEADLINE)
        assert stack.metric("payments", "onsale_stripe_limited_total") + replica.metric("onsale_stripe_limited_total") > 0
        books.reset()
        books.settings(requests_per_second=20)
        wait_until(lambda: stack.sql("orders", "select count(*) from orders where status = 'complete'")[0][0] > 40, "some are paid")
        replica.kill()
        wait_until(lambda: stack.sql("orders", "select count(*) from orders where status in ('created', 'awaiting_payment')")[0][0] == 0,
                   "all have ended", deadline=2 * DEADLINE)
    assert stack.sql("orders", "select status, count(*) from orders group by 1") == [("complete", len(tickets))]
    wait_until(lambda: stack.sql("tickets", "select count(*) from tickets where status = 'sold'")[0][0] == len(tickets), "all are sold")
    assert check_books(stack, books) == len(tickets)
    assert stack.sql("payments", "select count(*) from returns") == [(0,)]
    assert stack.metric("payments", "onsale_publisher_late_events_total") == 0, "those that met the limit are of a time before"
    books.reset()
