"""Attacks with stolen cards, and on Stripe's fees: a card tester goes on with another order, and learns what banks say of each card."""
import pytest

from support import Replica, User, list_ticket, refused, wait_until

TESTED = ["pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedIncorrectCvc",
          "pm_card_chargeDeclinedExpiredCard", "pm_card_visa_chargeDeclinedStolenCard"]


def place_and_pay(stack, seller, person, card, at=None):
    """At that replica of payments, if one is given."""
    order, payer = person.place(list_ticket(stack, seller)), by(at, person) if at else person
    answer = wait_until(lambda: (a := payer.post("/api/payments", json={"orderId": order["id"], "token": card})).status_code != 404 and (a,),
                        "payments knows the order")[0]
    return order, answer


@pytest.fixture(scope="module")
def strict(stack):
    """payments that lets three payments of a person fail."""
    with Replica(stack, "payments", PAYMENT_FAILURES="3") as replica:
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


def test_paid_and_cancelled_in_a_loop(stack, seller, buyer, strict):
    """Each round costs Stripe's fee: so it counts as a payment that came to nothing."""
    def refund(db_order):
        stack.sql("payments", "update charges set state = 'refunded', reason = 'order_ended' where order_id = %s", db_order)
    for _ in range(3):
        order, answer = place_and_pay(stack, seller, buyer, "pm_card_visa", strict)
        assert answer.status_code == 201
        refund(order["id"])  # as it becomes when the order is ended before orders knows of the payment
    refused(place_and_pay(stack, seller, buyer, "pm_card_visa", strict)[1], 429)
