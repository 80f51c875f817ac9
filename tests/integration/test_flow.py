"""What people do here, from beginning to end, over HTTP alone."""
import datetime
import uuid

import pytest

from support import MARKET, User, wait_until


@pytest.fixture(scope="module")
def quick(make_stack):
    """Holds of a few seconds."""
    return make_stack(only=MARKET, HOLD_SECONDS="8", SIGNUP_RATE="0", SIGNIN_RATE="0")


def sign_up(stack):
    user = User(stack.url)
    answer = user.post("/api/users/signup", json={"email": f"{uuid.uuid4().hex}@example.org", "password": "correct horse"})
    assert answer.status_code == 201, answer.text
    assert user.get("/api/users/currentuser").json()["currentUser"]["id"] == answer.json()["id"]
    return user


def shown(user, ticket):
    return user.get(f"/api/tickets/{ticket['id']}").json()


def edit(user, ticket):
    return user.put(f"/api/tickets/{ticket['id']}", json={"title": "Another", "price": 30}).status_code


def over(order):
    """Its time to pay."""
    return datetime.datetime.now(datetime.UTC) >= datetime.datetime.fromisoformat(order["expiresAt"])


def test_bought_too_slowly(quick):
    """Listed, ordered, locked for others, not to be edited; the time to pay passes; on sale again."""
    seller, buyer, other = sign_up(quick), sign_up(quick), sign_up(quick)

    def seen_in_time():  # a slow machine may take longer for that than the order is held
        ticket = seller.list_ticket(title="Row 1, seat 1", price="20.00")
        order = buyer.place(ticket)
        assert order["status"] == "created" and order["ticket"]["price"] == 20
        wait_until(lambda: shown(other, ticket)["status"] == "reserved" or over(order), "the ticket shows as reserved")
        seen = [shown(who, ticket).get("orderId") for who in (buyer, seller, other)]
        listed = [t["id"] for t in other.get("/api/tickets?limit=100").json()]
        answers = [other.post("/api/orders", json={"ticketId": ticket["id"]}).status_code, edit(seller, ticket)]
        if over(order):
            return None
        assert seen == [order["id"], order["id"], None]
        assert ticket["id"] not in listed
        assert answers == [409, 409]
        return ticket, order
    ticket, order = wait_until(seen_in_time, "all is asked while the order is held")
    wait_until(lambda: shown(other, ticket)["status"] == "available", "the ticket is on sale again")
    assert buyer.get(f"/api/orders/{order['id']}").json()["status"] == "cancelled"
    history = buyer.get(f"/api/orders/{order['id']}/history").json()
    assert [(e["type"], e.get("reason")) for e in history] == [("OrderCreated", None), ("OrderCancelled", "expired")]
    assert history[1]["occurredAt"] >= order["expiresAt"], "not a moment early"
    assert edit(seller, ticket) == 200
    assert other.place(ticket)["status"] == "created"


def test_the_end_of_an_order_before_leaves_the_next_one_alone(quick):
    """The first buyer cancels; the second holds the ticket while the first one's time runs out, until his own does."""
    seller, first, second = sign_up(quick), sign_up(quick), sign_up(quick)
    ticket = seller.list_ticket()
    before = first.place(ticket)
    assert first.delete(f"/api/orders/{before['id']}").status_code == 204
    after = second.place(ticket)
    assert after["expiresAt"] > before["expiresAt"]
    owners = [str(event["orderId"]) if event["orderId"] else None for event in quick.topic("tickets").of(ticket["id"], 5)]
    wait_until(lambda: shown(second, ticket)["status"] == "available", "his time is over too")
    assert owners == [None, before["id"], None, after["id"], None]
    [_, cancelled] = second.get(f"/api/orders/{after['id']}/history").json()
    assert cancelled["reason"] == "expired" and cancelled["occurredAt"] >= after["expiresAt"]
