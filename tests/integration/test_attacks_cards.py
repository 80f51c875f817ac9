"""Attacks with stolen cards, and on Stripe's fees: a card tester goes on with another order, with other people, at a seller's, and learns
what banks say of each card."""
import re

import pytest

from sandbox import Books
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


@pytest.fixture(scope="module")
def by_card(stack):
    """payments that lets a card be declined three times. What other tests declined is forgotten."""
    stack.sql("payments", "delete from card_declines")
    with Replica(stack, "payments", PAYMENT_FAILURES_PER_CARD="3") as replica:
        yield replica.wait_ready()


@pytest.fixture(scope="module")
def by_seller(stack):
    """payments that lets four payments for a seller's tickets be declined, and ten of a person."""
    with Replica(stack, "payments", PAYMENT_FAILURES_PER_SELLER="4", PAYMENT_FAILURES="10") as replica:
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


def attempts_at_stripe(stack, order):
    return stack.sql("stripe-sandbox", "select metadata ->> 'attempt', payment_method from ledger where metadata ->> 'orderId' = %s order by created",
                     order["id"])


def test_one_card_on_many_accounts(stack, seller, people, by_card):
    """From no network in particular. It looks as if its bank was asked; but Stripe is not, also if the card comes as another payment method."""
    words = set()
    for _ in range(3):
        order, answer = place_and_pay(stack, seller, next(people), "pm_card_chargeDeclinedLostCard", by_card)
        assert answer.status_code == 402 and len(attempts_at_stripe(stack, order)) == 1
        words.add(answer.text)
    wait_until(lambda: by_card.metric("onsale_payments_refused_cards") == 1, "payments knows the card")
    for _ in range(30):
        order, answer = place_and_pay(stack, seller, next(people), "pm_card_chargeDeclinedLostCard", by_card)
        assert answer.status_code == 402 and attempts_at_stripe(stack, order) == []
        words.add(answer.text)
    assert len(words) == 1
    last = next(people)
    order, answer = place_and_pay(stack, seller, last, "pm_card_chargeDeclinedExpiredCard", by_card)
    assert answer.status_code == 402, "another card"
    tester = by(by_card, last)
    answer = tester.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa_chargeDeclinedLostCard"})
    assert answer.status_code == 402
    assert by_card.metric("onsale_stripe_cards_refused_total") == 31, "30 by what they paid with, one by a look at the card"
    [charge] = last.get(f"/api/payments?orderId={order['id']}").json()
    assert (charge["attempt"], charge["reason"]) == (2, "card_declined"), "it was a try of his"
    assert tester.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"}).status_code == 201, "a card that is not refused"
    assert attempts_at_stripe(stack, order) == [("1", "pm_card_chargeDeclinedExpiredCard"), ("3", "pm_card_visa")]
    stack.sql("payments", "update card_declines set at = at - interval '25 hours'")
    order, answer = place_and_pay(stack, seller, next(people), "pm_card_chargeDeclinedLostCard", by_card)
    assert answer.status_code == 402 and len(attempts_at_stripe(stack, order)) == 1, "of yesterday"


def test_who_was_not_declined_costs_no_other_request(stack, seller, people, by_card):
    """Though a card is refused: the buyer is new, and nothing was declined near him."""
    stack.sql("payments", """insert into card_declines select gen_random_uuid(), 1, 'print of the test', 'pm_of_the_test' from generate_series(1, 3)""")
    wait_until(lambda: by_card.metric("onsale_payments_refused_cards") > 0, "a card is refused")
    stack.sql("payments", "update charges set ask_at = 'infinity' where ask = 'look'")  # what others left: any replica may look at it
    before = by_card.metric("onsale_stripe_requests_total")
    assert place_and_pay(stack, seller, next(people), "pm_card_visa", by_card, "198.51.100.200")[1].status_code == 201
    assert by_card.metric("onsale_stripe_requests_total") == before + 1


def test_a_sellers_tickets_by_many_accounts(stack, people, by_seller):
    """Each may fail twice there from then on, not ten times. Nobody's good card is kept from paying, and elsewhere nothing changes."""
    seller, other, tester = next(people), next(people), next(people)
    for _ in range(4):
        assert place_and_pay(stack, seller, next(people), "pm_card_chargeDeclined", by_seller)[1].status_code == 402
    for _ in range(2):
        assert place_and_pay(stack, seller, tester, "pm_card_chargeDeclined", by_seller)[1].status_code == 402
    order, answer = place_and_pay(stack, seller, tester, "pm_card_chargeDeclined", by_seller)
    refused(answer, 429, "Too many payments failed")
    assert attempts_at_stripe(stack, order) == []
    assert place_and_pay(stack, other, tester, "pm_card_chargeDeclined", by_seller)[1].status_code == 402, "at another seller's"
    for _ in range(7):  # of these tickets
        assert place_and_pay(stack, seller, next(people), "pm_card_visa", by_seller)[1].status_code == 201
    assert place_and_pay(stack, seller, tester, "pm_card_chargeDeclined", by_seller)[1].status_code == 402, "more are paid: an on-sale, and nobody's tries"


def test_a_sellers_tickets_from_one_network(stack, people, by_seller):
    """A fifth of the fifty that may be declined from there otherwise."""
    seller, elsewhere = next(people), next(people)
    for _ in range(10):
        assert place_and_pay(stack, seller, next(people), "pm_card_chargeDeclined", by_seller, "198.51.100.9")[1].status_code == 402
    refused(place_and_pay(stack, seller, next(people), "pm_card_chargeDeclined", by_seller, "198.51.100.9")[1], 429, "your network")
    assert place_and_pay(stack, elsewhere, next(people), "pm_card_visa", by_seller, "198.51.100.9")[1].status_code == 201
    assert place_and_pay(stack, seller, next(people), "pm_card_visa", by_seller, "198.51.100.10")[1].status_code == 201


def test_declined_after_it_was_confirmed(stack, people, by_card):
    """A decline that a webhook tells, or a later look, counts as one that is the answer does."""
    seller, person = next(people), next(people)
    before = by_card.metric("onsale_payments_declined")
    order, answer = place_and_pay(stack, seller, person, "pm_card_threeDSecureRequiredChargeDeclined", by_card)
    assert answer.status_code == 202
    books = Books(stack)
    books.confirm(books.of(order)[0]["id"])
    wait_until(lambda: stack.sql("payments", "select state from charges where order_id = %s", order["id"]) == [("failed",)], "it has failed")
    assert stack.sql("payments", "select token from card_declines where order_id = %s", order["id"]) == [("pm_card_threeDSecureRequiredChargeDeclined",)]
    assert stack.sql("payments", "select sum(declined), sum(paid) from seller_tries where seller_id = %s", seller.id) == [(1, 0)]
    wait_until(lambda: by_card.metric("onsale_payments_declined") > before, "the metric counts it")


def told(stack, order):
    """What Stripe was told of who pays, and what payments keeps of that."""
    [(metadata,)] = stack.sql("stripe-sandbox", "select metadata from ledger where metadata ->> 'orderId' = %s", order["id"])
    [kept] = stack.sql("payments", "select told_address, told_email from charges where order_id = %s", order["id"])
    return {key: metadata[key] for key in ("userId", "ip_address", "email")}, kept


@pytest.mark.parametrize("settings", [{}, {"STRIPE_RATE": "1000"}], ids=["at once", "in line"])
def test_stripe_is_told_who_pays(stack, seller, people, settings):
    """And nothing is kept of that but what was here before."""
    person = next(people)
    with Replica(stack, "payments", **settings) as replica:
        order, answer = place_and_pay(stack, seller, person, "pm_card_visa", replica.wait_ready(), "198.51.100.77")
        assert answer.status_code == 201 or (settings and answer.status_code == 202), "who is in line may be told so"
        wait_until(lambda: [charge["status"] for charge in person.get(f"/api/payments?orderId={order['id']}").json()] == ["succeeded"], "it is paid")
    assert told(stack, order) == ({"userId": person.id, "ip_address": "198.51.100.77", "email": person.claims["email"]}, (None, None))


def test_stripe_is_told_the_same_again(stack, seller, people):
    """All answers are lost, and the charge is due: it is asked for of what is kept until then. With other words Stripe would refuse the key."""
    books, person = Books(stack), next(people)
    books.settings(drop_after=1, webhook_delay_ms=600000)
    try:
        with Replica(stack, "payments", STRIPE_TIMEOUT="500ms") as impatient:
            order, answer = place_and_pay(stack, seller, person, "pm_card_visa", impatient.wait_ready(), "198.51.100.78")
            assert answer.status_code == 503
            assert told(stack, order)[1] == ("198.51.100.78", person.claims["email"]), "as long as it is not known"
            books.settings(drop_after=0)
            [charge] = wait_until(lambda: [c for c in person.get(f"/api/payments?orderId={order['id']}").json() if c["status"] == "succeeded"], "it is paid")
            log = "".join(path.read_text() for path in stack.state.rglob("payments*.log"))  # of whichever replica asked again
    finally:
        books.reset()
    assert not re.search(f"create for charge {charge['id']}.*: refused", log)
    assert told(stack, order) == ({"userId": person.id, "ip_address": "198.51.100.78", "email": person.claims["email"]}, (None, None))


def test_paid_and_cancelled_in_a_loop(stack, seller, buyer, strict):
    """Each round costs Stripe's fee: so it counts as a payment that came to nothing."""
    def refund(db_order):
        stack.sql("payments", "update charges set state = 'refunded', reason = 'order_ended' where order_id = %s", db_order)
    for _ in range(3):
        order, answer = place_and_pay(stack, seller, buyer, "pm_card_visa", strict)
        assert answer.status_code == 201
        refund(order["id"])  # as it becomes when the order is ended before orders knows of the payment
    refused(place_and_pay(stack, seller, buyer, "pm_card_visa", strict)[1], 429)
