"""How declines are counted, by payments' own functions on a database of their own: once each, and no longer than they have to be."""
import uuid

import pytest

from support import ROOT
from test_payment_returns import statement
from test_payment_rules import charge, database

SELLER = uuid.uuid4()


@pytest.fixture(scope="module")
def one():
    with database() as connection:
        yield connection


@pytest.fixture
def db(one):
    one.execute("truncate charges, card_declines, seller_tries")
    return one


def sold(db, state="started"):
    order = charge(db, state)
    db.execute("update charges set seller_id = %s, token = 'pm_a' where order_id = %s", (SELLER, order))
    return order


def answers(db, *said, fingerprint="print"):
    """What Stripe says of charges, in one statement."""
    none = [None] * len(said)
    db.execute("select write_charges(%s, %s, %s, %s, %s, %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])",
               ([order for order, _ in said], [1] * len(said), [word for _, word in said], [f"pi_{order}" for order, _ in said],
                ["card_declined"] * len(said), none, none, none, none, none, [fingerprint] * len(said)))


def counted(db):
    return db.execute("select coalesce(sum(paid), 0), coalesce(sum(declined), 0) from seller_tries where seller_id = %s", (SELLER,)).fetchone()


def declined(db):
    return [order for order, in db.execute("select order_id from card_declines where (attempt, fingerprint, token) = (1, 'print', 'pm_a')")]


def test_a_decline_counts_once(db):
    """However often it is told: by the answer, a webhook and a look."""
    first, second = sold(db), sold(db)
    for _ in range(3):
        answers(db, (first, "declined"), (first, "declined"), (second, "declined"))
    assert sorted(declined(db)) == sorted([first, second]) and counted(db) == (0, 2)


def test_one_that_was_to_be_confirmed_counts_once(db):
    """It fails in two steps: what its buyer has the secret of is cancelled first."""
    order = sold(db, "action")
    answers(db, (order, "declined"))
    answers(db, (order, "canceled"))
    assert declined(db) == [order] and counted(db) == (0, 1)


def test_what_is_no_decline_does_not_count(db):
    paid, ended, confirming = sold(db), sold(db), sold(db)
    answers(db, (paid, "succeeded"), (ended, "canceled"), (confirming, "requires_action"))
    answers(db, (paid, "succeeded"))
    assert declined(db) == [] and counted(db) == (1, 0)


def test_a_card_is_not_told_of_by_all(db):
    order = sold(db)
    answers(db, (order, "declined"), fingerprint=None)
    assert db.execute("select 1 from card_declines").fetchall() == [] and counted(db) == (0, 1)


def test_which_cards_are_refused(db):
    db.execute("insert into card_declines (order_id, attempt, fingerprint, token, at) select gen_random_uuid(), 1, print, method, now() - ago::interval"
               " from (values ('a', 'pm_1', '1 h'), ('a', 'pm_2', '23 h'), ('a', 'pm_3', '25 h'),"
               "              ('b', 'pm_4', '1 h'), ('b', 'pm_4', '25 h')) v (print, method, ago)")
    known = ["pm_1", "pm_2", "pm_3", "pm_4", "pm_5"]

    def refused(most):
        return ([row["fingerprint"] for row in statement(db, "background/get_refused_cards", [most])],
                sorted(db.execute("select refused_methods(%s, %s)", (known, most)).fetchone()[0]))
    assert refused(2) == (["a"], ["pm_1", "pm_2", "pm_3"])
    assert refused(3) == ([], [])
    assert refused(0) == ([], []), "any number"


def test_whose_tickets_cards_are_tried_at(db):
    def tried(most, *rows):
        db.execute("delete from seller_tries")
        for part, (ago, paid, failed) in enumerate(rows):
            db.execute("insert into seller_tries values (%s, now() - %s::interval, %s, %s, %s)", (SELLER, ago, part, paid, failed))
        return db.execute("select tried_sellers(array[%s, gen_random_uuid()], %s)", (SELLER, most)).fetchone()[0] == [SELLER]
    assert tried(10, ("1 min", 4, 5), ("50 min", 5, 5))
    assert not tried(10, ("1 min", 4, 5), ("61 min", 0, 50)), "that was earlier"
    assert not tried(10, ("1 min", 4, 5), ("50 min", 6, 5)), "as many were paid: it is an on-sale"
    assert not tried(11, ("1 min", 4, 5), ("50 min", 5, 5))
    assert not tried(0, ("1 min", 0, 500)), "any number"


def test_it_is_forgotten(db):
    db.execute("insert into card_declines (order_id, attempt, fingerprint, at) select gen_random_uuid(), 1, ago, now() - ago::interval"
               " from unnest(array['23 h', '25 h', '26 h']) ago")
    db.execute("insert into seller_tries select %s, now() - ago::interval, 0, 1, 1 from unnest(array['1 h', '4 h']) ago", (SELLER,))
    db.execute((ROOT / "services/payments/sql/background/forget_declines.sql").read_text().replace("$1", "%(most)s"), {"most": [20000]})
    assert db.execute("select fingerprint from card_declines").fetchall() == [("23 h",)] and counted(db) == (1, 1)
