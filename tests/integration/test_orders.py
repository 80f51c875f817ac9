"""The contract of orders, route by route: answers, failures, events."""
import datetime
import uuid

import pytest

from support import errors, wait_until

HOLD = datetime.timedelta(seconds=900)


def refused(answer, status, words=""):
    assert answer.status_code == status, answer.text
    assert words in errors(answer)[0][1]


@pytest.fixture(scope="module")
def seller(stack):
    return stack.user()


@pytest.fixture(scope="module")
def buyer(stack):
    return stack.user()


@pytest.fixture(scope="module")
def other(stack):
    return stack.user()


def place(user, ticket, **kwargs):
    answer = user.post("/api/orders", json={"ticketId": ticket["id"]}, **kwargs)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def ticket(seller):
    return seller.list_ticket(title="Käse & 🎫", price="20.50")


@pytest.fixture
def order(buyer, ticket):
    order = place(buyer, ticket)
    yield order
    buyer.delete(f"/api/orders/{order['id']}")


# --- POST ---

def test_place(stack, seller, buyer, ticket):
    before = datetime.datetime.now(datetime.timezone.utc)
    answer = buyer.post("/api/orders", json={"ticketId": ticket["id"]})
    after = datetime.datetime.now(datetime.timezone.utc)
    assert answer.status_code == 201
    order = answer.json()
    expires = datetime.datetime.fromisoformat(order["expiresAt"])
    assert order == {"id": order["id"], "status": "created", "expiresAt": order["expiresAt"], "userId": buyer.id, "version": 1,
                     "ticket": {"id": ticket["id"], "title": "Käse & 🎫", "price": 20.5, "currency": "USD", "version": 1}}
    assert uuid.UUID(order["id"]).version == 7
    assert before - datetime.timedelta(milliseconds=1) <= expires - HOLD <= after
    [event] = stack.topic("orders").of(ticket["id"], 1)
    occurred = event.pop("occurredAt")
    assert event == {"type": "OrderCreated", "id": uuid.UUID(order["id"]), "ticketId": uuid.UUID(ticket["id"]), "version": 1,
                     "userId": uuid.UUID(buyer.id), "sellerId": uuid.UUID(seller.id), "status": "created", "expiresAt": expires,
                     "price": 2050, "currency": "USD", "title": "Käse & 🎫", "ticketVersion": 1, "reason": None}
    assert before - datetime.timedelta(milliseconds=1) <= occurred <= after
    assert event.headers["type"] == "OrderCreated" and int(event.headers["epoch"]) >= 1
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json().get("orderId") == order["id"], "the ticket is locked")
    assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204


def test_get(buyer, order):
    for path in (f"/api/orders/{order['id']}", f"/API/Orders/{order['id'].upper()}/"):
        answer = buyer.get(path)
        assert (answer.status_code, answer.json()) == (200, order), path
