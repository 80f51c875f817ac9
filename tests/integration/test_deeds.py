"""What is done to tickets, shows, orders and payments by requests is on the topics …-audit: by whom, in which session, and from where. No public
topic has any of that."""
import concurrent.futures
import contextlib

import pytest
import requests

from accounts import From, account
from shows import add_area, announced, known, made, make_show, soon
from support import Replica, User, list_ticket, wait_until
from test_entries import admit, code_of, pay
from test_orders import expiration_event
from topics import seen_by_consumers

BUYERS_ADDRESS, SELLERS_ADDRESS = "127.77.3.4", "127.78.5.6"


def person(stack, address):
    """Somebody with a real session, who asks from there."""
    someone = account(stack.url)
    token = someone.cookies["session"]
    someone = User(stack.url, token)
    someone.mount("http://", From(address))
    return someone


@pytest.fixture
def seller(stack):
    return person(stack, SELLERS_ADDRESS)


@pytest.fixture
def buyer(stack):
    return person(stack, BUYERS_ADDRESS)


def deeds(stack, topic, who, count):
    """What this person did, as soon as there is as much of it. Keys are in no order among each other."""
    def found():
        mine = [e for e in stack.topic(topic).events() if str(e["userId"]) == who.id]
        return mine if len(mine) >= count else None
    return sorted(wait_until(found, f"{count} deeds on {topic}", pause=0.2), key=lambda e: (e["occurredAt"], e["version"]))


def types(events):
    return [e["type"] for e in events]


def from_where(events):
    return {(str(e["sessionId"]), e["address"], e["network"]) for e in events}


def test_the_life_of_a_ticket(stack, seller, buyer):
    ticket = list_ticket(stack, seller)
    assert seller.put(f"/api/tickets/{ticket['id']}", json={"title": "Another", "price": 21}).status_code == 200
    withdrawn = seller.list_ticket()
    assert seller.delete(f"/api/tickets/{withdrawn['id']}").status_code in (200, 204)
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s and version = 2", ticket["id"]), "orders knows the price")
    order = buyer.place(ticket)
    pay(stack, buyer, orderId=order["id"])
    assert admit(seller, ticket, code_of(buyer, ticket)["code"]).status_code == 200

    sold = deeds(stack, "tickets-audit", seller, 5)
    assert types(sold) == ["TicketCreated", "TicketUpdated", "TicketCreated", "TicketCancelled", "TicketAdmitted"]
    assert from_where(sold) == {(seller.claims["sid"], SELLERS_ADDRESS, "127.78.5.0/24")}
    assert [(str(e["id"]), e["version"]) for e in sold[:2]] == [(ticket["id"], 1), (ticket["id"], 2)]
    held = deeds(stack, "orders-audit", buyer, 1)
    assert types(held) == ["OrderCreated"] and str(held[0]["id"]) == order["id"], "that it was completed was nobody's request"
    paid = deeds(stack, "payments-audit", buyer, 2)
    assert types(paid) == ["PaymentStarted", "PaymentCreated"]
    assert from_where(held + paid) == {(buyer.claims["sid"], BUYERS_ADDRESS, "127.77.3.0/24")}
    events = [e for e in stack.topic("orders").events() if str(e["id"]) == order["id"]]
    assert [e["occurredAt"] for e in events if e["version"] == 1] == [held[0]["occurredAt"]], "it leads to what was done"


def test_what_its_buyer_gives_up_and_what_runs_out(stack, seller, buyer):
    given_up, held = (buyer.place(list_ticket(stack, seller)) for _ in range(2))
    assert buyer.delete(f"/api/orders/{given_up['id']}").status_code == 204
    stack.sql("orders", "update orders set expires_at = now() - interval '1 s', grace_ends_at = now() - interval '1 s' where id = %s", held["id"])
    stack.topic("expirations").produce(expiration_event(held))
    assert stack.topic("orders").of(held["ticket"]["id"], 2)[1]["reason"] == "expired"
    mine = deeds(stack, "orders-audit", buyer, 3)
    assert sorted((e["type"], str(e["id"])) for e in mine) == sorted([
        ("OrderCreated", given_up["id"]), ("OrderCreated", held["id"]), ("OrderCancelled", given_up["id"])])


def test_the_life_of_a_show(stack, seller, buyer):
    draft = make_show(seller)
    assert seller.delete(f"/api/shows/{draft['id']}").status_code == 204
    show = make_show(seller)
    area = add_area(seller, show)
    made(seller, show, area)
    known(seller, show, area)
    body = {"title": "Again", "venue": "Hall 1", "city": "Zürich", "startsAt": soon(), "timeZone": "Europe/Zurich"}
    assert seller.put(f"/api/shows/{show['id']}", json=body).status_code == 200
    assert seller.post(f"/api/shows/{show['id']}/announce").status_code == 200
    mine = deeds(stack, "tickets-audit", seller, 5)
    assert types(mine) == ["ShowCreated", "ShowCancelled", "ShowCreated", "ShowUpdated", "ShowAnnounced"], "its places are made by nobody's request"
    assert from_where(mine) == {(seller.claims["sid"], SELLERS_ADDRESS, "127.78.5.0/24")}


def test_a_purchase_of_three_is_three_deeds(stack, seller, buyer):
    show, _ = announced(seller)
    answer = wait_until(lambda: (a := buyer.post("/api/purchases", json={"showId": show["id"], "quantity": 3})).status_code == 201 and a, "it is for sale")
    orders = [order["id"] for order in answer.json()["orders"]]
    pay(stack, buyer, purchaseId=answer.json()["id"])
    held = deeds(stack, "orders-audit", buyer, 3)
    assert sorted(str(e["id"]) for e in held) == sorted(orders) and set(types(held)) == {"OrderCreated"}
    paid = deeds(stack, "payments-audit", buyer, 6)
    assert sorted(types(paid)) == ["PaymentCreated"] * 3 + ["PaymentStarted"] * 3
    assert from_where(held + paid) == {(buyer.claims["sid"], BUYERS_ADDRESS, "127.77.3.0/24")}


def test_a_declined_payment(stack, seller, buyer):
    order = buyer.place(list_ticket(stack, seller))
    wait_until(lambda: stack.sql("payments", "select 1 from charges where order_id = %s", order["id"]), "payments knows the order")
    buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_chargeDeclined"})
    assert types(deeds(stack, "payments-audit", buyer, 2)) == ["PaymentStarted", "PaymentFailed"]


@pytest.mark.parametrize("said, network", [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48")])
def test_behind_an_edge(stack, seller, said, network):
    buyer = account(stack.url)
    with Replica(stack, "orders", TRUSTED_PROXIES="127.0.0.1") as orders:
        orders.wait_ready()
        asking = User(orders.url, buyer.cookies["session"])
        asking.place(list_ticket(stack, seller), headers={"X-Forwarded-For": said})
    [held] = deeds(stack, "orders-audit", asking, 1)
    assert (held["address"], held["network"]) == (said, network)


def test_no_other_topic_tells_from_where(stack, seller, buyer):
    ticket = list_ticket(stack, seller)
    pay(stack, buyer, orderId=buyer.place(ticket)["id"])
    deeds(stack, "payments-audit", buyer, 2)
    for topic in ("tickets", "orders", "payments", "shows", "entries"):
        told = b"".join(record.value() or b"" for record in stack.topic(topic).records())
        for address in (BUYERS_ADDRESS, SELLERS_ADDRESS):
            assert address.encode() not in told, topic


def test_none_is_lost_or_told_twice_where_orders_is_killed(make_stack):
    """What is published when a publisher dies goes on behind what each of the two topics has."""
    mine = make_stack(HOLD_SECONDS="900")
    seller, *buyers = mine.users(9)
    tickets = [list_ticket(mine, seller) for _ in range(8 * 12)]

    def answered(status, what, ask):
        def answer():
            with contextlib.suppress(requests.ConnectionError):  # it was killed with the answer on its way
                return (a := ask()).status_code == status and (a,)
        return wait_until(answer, what)[0]

    def buy(n):
        for ticket in tickets[n::8]:
            body, key = {"ticketId": ticket["id"]}, {"Idempotency-Key": ticket["id"]}
            placed = answered(201, "placed", lambda: buyers[n].post("/api/orders", json=body, headers=key)).json()
            answered(204, "given up", lambda: buyers[n].delete(f"/api/orders/{placed['id']}"))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(buy, n) for n in range(8)]
        for _ in range(3):
            told = mine.topic("orders-audit").ends()
            wait_until(lambda: sum(mine.topic("orders-audit").ends().values()) >= sum(told.values()) + 20 or all(r.done() for r in running), "more is told")
            mine.kill("orders")
            mine.wait_ready("orders")
        for r in running:
            r.result()
    asked = mine.sql("orders", "select id::text, version from order_events where address is not null")
    assert len(asked) == 2 * len(tickets)

    def told():
        return [(e.key, e["version"]) for e in seen_by_consumers(mine.topic("orders-audit").events(), deaths=3)]
    wait_until(lambda: len(told()) >= len(asked), "all are told of")
    assert sorted(told()) == sorted(map(tuple, asked))
