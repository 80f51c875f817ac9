"""Attacks with stolen cards, and on Stripe's fees: a card tester goes on with another order, and learns what banks say of each card."""
import pytest

from support import Replica, User, list_ticket, refused, wait_until

TESTED = ["pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedIncorrectCvc",
          "pm_card_chargeDeclinedExpiredCard", "pm_card_visa_chargeDeclinedStolenCard"]


def place_and_pay(stack, seller, person, card, at=None, address=None):
    """At that replica of payments, and from that address, if one is given."""
    order, payer = person.place(list_ticket(stack, seller)), by(at, person) if at else person
    if address:
        payer.headers["X-Forwarded-For"] = address
    answer = wait_until(lambda: (a := payer.post("/api/payments", json={"orderId": order["id"], "token": card})).status_code != 404 and (a,),
                        "payments knows the order")[0]
    return order, answer


@pytest.fixture(scope="module")
def strict(stack):
    """payments that lets three payments of a person fail."""
    with Replica(stack, "payments", PAYMENT_FAILURES="3") as replica:
        yield replica.wait_ready()


@pytest.fixture(scope="module")
def narrow(stack):
    """payments that lets three payments from an address be declined."""
    with Replica(stack, "payments", PAYMENT_FAILURES_PER_ADDRESS="3") as replica:
        yield replica.wait_ready()


def by(replica, person):
    return User(replica.url, person.headers["Authorization"].removeprefix("Bearer "))


def test_a_tester_learns_which_cards_are_live(stack, seller, people):
    """One answer for all, in the response and in the list."""
    seen = set()
    for card in TESTED:
        person = next(people)
        order, answer = place_and_pay(stack, seller, person, card)
        assert answer.status_code == 402
        [charge] = person.get(f"/api/payments?orderId={order['id']}").json()
        seen.add((answer.text, charge["reason"]))
    assert len(seen) == 1 and seen.pop()[1] == "card_declined"


def test_a_tester_goes_on_with_other_orders(stack, seller, buyer, strict):
    tester = by(strict, buyer)
    orders = [buyer.place(list_ticket(stack, seller)) for _ in range(4)]

    def pay(order, card):
        return wait_until(lambda: (a := tester.post("/api/payments", json={"orderId": order["id"], "token": card})).status_code != 404 and (a,),
                          "payments knows the order")[0]
    for order in orders[:3]:
        assert pay(order, "pm_card_chargeDeclined").status_code == 402
    answer = pay(orders[3], "pm_card_chargeDeclined")
    refused(answer, 429, "Too many payments failed")
    assert int(answer.headers["Retry-After"]) > 0
    assert stack.sql("payments", "select attempt from charges where order_id = %s", orders[3]["id"]) == [(0,)], "Stripe is not asked"
    refused(pay(orders[0], "pm_card_visa"), 429)


def test_others_pay_meanwhile(stack, seller, people, strict):
    _, answer = place_and_pay(stack, seller, next(people), "pm_card_visa", strict)
    assert answer.status_code == 201


@pytest.mark.parametrize(("addresses", "elsewhere"), [
    (["203.0.113.7"] * 3, "203.0.113.8"),
    (["2001:db8:9:1::1", "2001:db8:9:1::2", "2001:db8:9:1::3"], "2001:db8:9:2::1"),
    ([f"2001:db8:7:aa{n:02x}::1" for n in range(6)], "2001:db8:7:dd01::1"),
], ids=["one address", "a /64", "a /56"])
def test_a_tester_goes_on_with_other_people(stack, seller, people, narrow, addresses, elsewhere):
    """From where so many cards were declined nobody pays for a day, whoever he says that he is; from beside it people do."""
    for address in addresses:
        declined, answer = place_and_pay(stack, seller, next(people), "pm_card_chargeDeclined", narrow, address)
        assert answer.status_code == 402
    order, answer = place_and_pay(stack, seller, next(people), "pm_card_visa", narrow, addresses[-1])
    refused(answer, 429, "Too many payments from your network failed")
    assert int(answer.headers["Retry-After"]) > 0
    assert stack.sql("payments", "select attempt from charges where order_id = %s", order["id"]) == [(0,)], "Stripe is not asked"
    assert place_and_pay(stack, seller, next(people), "pm_card_visa", narrow, elsewhere)[1].status_code == 201
    stack.sql("payments", "update charges set id = first_id_of(now() - interval '25 hours') where order_id = %s", declined["id"])
    assert place_and_pay(stack, seller, next(people), "pm_card_visa", narrow, addresses[-1])[1].status_code == 201, "of yesterday"


def test_what_was_not_declined_counts_for_nothing(stack, seller, people, narrow):
    """Nobody confirmed it, or its order ended; or it succeeded."""
    for reason in ("canceled", "order_ended", "replaced"):
        order, answer = place_and_pay(stack, seller, next(people), "pm_card_chargeDeclined", narrow, "203.0.113.99")
        assert answer.status_code == 402
        stack.sql("payments", "update charges set reason = %s where order_id = %s", reason, order["id"])
    for _ in range(4):
        assert place_and_pay(stack, seller, next(people), "pm_card_visa", narrow, "203.0.113.99")[1].status_code == 201


def test_paid_and_cancelled_in_a_loop(stack, seller, buyer, strict):
    """Each round costs Stripe's fee: so it counts as a payment that came to nothing."""
    def refund(db_order):
        stack.sql("payments", "update charges set state = 'refunded', reason = 'order_ended' where order_id = %s", db_order)
    for _ in range(3):
        order, answer = place_and_pay(stack, seller, buyer, "pm_card_visa", strict)
        assert answer.status_code == 201
        refund(order["id"])  # as it becomes when the order is ended before orders knows of the payment
    refused(place_and_pay(stack, seller, buyer, "pm_card_visa", strict)[1], 429)
