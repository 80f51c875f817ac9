"""What orders makes of payments that wait in line: that time is not the buyer's, however late and how many at once its events come. In a
database of its own."""
import datetime
import uuid

import pytest

from test_payment_returns import statement
from test_payment_rules import database

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def db():
    with database("orders") as connection:
        yield connection


def order(db):
    """One that is held for 15 minutes from noon, and 5 more while it is being paid."""
    [(id,)] = db.execute("""insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                                                ticket_version, hold_slot)
                            values (gen_random_uuid(), 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'created', %s, %s, 2000, 'USD', 'A ticket',
                                    1, 1) returning id""", (minute(15), minute(20))).fetchall()
    return id


def minute(n):
    return NOON + datetime.timedelta(minutes=n)


def tell(db, order, payment, *events):
    """Events (version, what, at which minute), all at once."""
    status = {"fails": "created", "is paid": "complete"}
    n = len(events)
    statement(db, "on_payment", [order] * n, [payment] * n, [version for version, _, _ in events],
              [status.get(what, "awaiting_payment") for _, what, _ in events], [uuid.uuid4()] * n, [uuid.uuid4()] * n, ["trace"] * n,
              [what == "waits" for _, what, _ in events], [minute(at) for _, _, at in events], service="orders")


def held(db, order):
    """(status, minutes until it expires, until its grace ends, what waits since)"""
    status, *times = db.execute("select status, expires_at, grace_ends_at, payment_waits_since from orders where id = %s", (order,)).fetchone()
    return status, *[None if time is None else (time - NOON).total_seconds() / 60 for time in times]


def told(db, order):
    return [(type, (expires - NOON).total_seconds() / 60) for type, expires in
            db.execute("select type, expires_at from order_events where id = %s order by seq", (order,)).fetchall()]


WAITED = [(1, "waits", 1), (2, "is sent", 11), (3, "fails", 12)]


@pytest.mark.parametrize("batches", [[WAITED], [[event] for event in WAITED], [WAITED[:2], WAITED[2:]], [WAITED[:1], WAITED]], ids=str)
def test_the_time_in_line_is_added(db, batches):
    ticket, payment = order(db), uuid.uuid4()
    for batch in batches:
        tell(db, ticket, payment, *batch)
    assert held(db, ticket) == ("created", 25, 30, None)
    assert told(db, ticket)[-1] == ("OrderUpdated", 25)


def test_it_waits_from_the_first_event_on(db):
    ticket, payment = order(db), uuid.uuid4()
    tell(db, ticket, payment, (1, "waits", 1))
    tell(db, ticket, payment, (2, "waits", 3))
    assert held(db, ticket) == ("awaiting_payment", 15, 20, 1)
    tell(db, ticket, payment, (3, "is sent", 5), (4, "waits", 5))
    assert held(db, ticket) == ("awaiting_payment", 19, 24, 5)


@pytest.mark.parametrize("at_once", [False, True])
def test_short_waits_keep_it_as_well(db, at_once):
    """Of one at the head of the line while Stripe refuses each request. They are told to nobody."""
    ticket, payment = order(db), uuid.uuid4()
    events = [event for n in range(0, 60, 2) for event in ((n + 1, "waits", n / 100), (n + 2, "is sent", (n + 1) / 100))]
    for batch in [events] if at_once else [[event] for event in events]:
        tell(db, ticket, payment, *batch)
    status, expires, grace, since = held(db, ticket)
    assert (status, round(grace, 2), since) == ("awaiting_payment", 20.3, None)
    assert at_once or (expires, len(told(db, ticket))) == (15, 1)


def test_another_charge_follows_one_that_was_lost(db):
    ticket, lost, next_one = order(db), uuid.uuid4(), uuid.uuid4()
    tell(db, ticket, lost, (1, "waits", 1))
    tell(db, ticket, next_one, (1, "waits", 2))
    assert held(db, ticket)[3] == 1, "an older one is none"
    tell(db, ticket, next_one, (1001, "waits", 3), (1002, "is sent", 4), (1003, "is paid", 5))
    assert held(db, ticket)[0] == "complete"
    assert db.execute("select payment_id from orders where id = %s", (ticket,)).fetchone() == (next_one,)


def test_another_charge_is_none_while_nothing_waits(db):
    ticket = order(db)
    tell(db, ticket, uuid.uuid4(), (1, "waits", 1), (2, "is sent", 2))
    tell(db, ticket, uuid.uuid4(), (1001, "is paid", 3))
    assert held(db, ticket)[0] == "awaiting_payment"
