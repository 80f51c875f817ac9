"""The contract of orders, route by route: answers, failures, events."""
import asyncio
import collections
import datetime
import itertools
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from rivals import all_at_once, begin_order
from support import Replica, User, errors, list_ticket, missing_id, refused, stopped, wait_known, wait_published, wait_read, wait_until
from waits import answered

HOLD = datetime.timedelta(seconds=900)
TICK = datetime.timedelta(milliseconds=1)


def now():
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture
def other(people):
    return next(people)


@pytest.fixture(scope="module")
def replica(stack):
    """A second instance of orders, whose holds are short."""
    with Replica(stack, "orders", HOLD_SECONDS="1", PAYMENT_GRACE_SECONDS="2") as replica:
        yield replica.wait_ready()


def at(url, user):
    """The same person, at another instance."""
    return User(url, user.headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def ticket(stack, seller):
    return list_ticket(stack, seller, title="Käse & 🎫", price="20.50")


@pytest.fixture
def order(buyer, ticket):
    return buyer.place(ticket)


# --- POST ---

def test_place(stack, seller, buyer, ticket):
    before = now()
    answer = buyer.post("/api/orders", json={"ticketId": ticket["id"]})
    after = now()
    assert answer.status_code == 201
    order = answer.json()
    expires = datetime.datetime.fromisoformat(order["expiresAt"])
    assert order == {"id": order["id"], "status": "created", "expiresAt": order["expiresAt"], "userId": buyer.id, "version": 1,
                     "ticket": {"id": ticket["id"], "title": "Käse & 🎫", "price": 20.5, "currency": "USD", "version": 1}}
    assert uuid.UUID(order["id"]).version == 7
    assert before - TICK <= expires - HOLD <= after
    [event] = stack.topic("orders").of(ticket["id"], 1)
    occurred = event.pop("occurredAt")
    assert event == {"type": "OrderCreated", "id": uuid.UUID(order["id"]), "ticketId": uuid.UUID(ticket["id"]), "version": 1,
                     "userId": uuid.UUID(buyer.id), "sellerId": uuid.UUID(seller.id), "status": "created", "expiresAt": expires,
                     "price": 2050, "currency": "USD", "title": "Käse & 🎫", "ticketVersion": 1, "reason": None,
                     "purchaseId": uuid.UUID(order["id"]), "purchaseSize": 1, "showId": None}
    assert before - TICK <= occurred <= after
    assert event.headers["type"] == "OrderCreated" and int(event.headers["epoch"]) >= 1
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json().get("orderId") == order["id"], "the ticket is locked")


def test_trace_goes_from_request_to_event(stack, buyer, ticket):
    trace = uuid.uuid4().hex
    buyer.place(ticket, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    [event] = stack.topic("orders").of(ticket["id"], 1)
    assert event.headers["traceparent"].split("-")[1] == trace


@pytest.mark.parametrize("body", [{}, {"ticketId": None}, {"ticketId": 5}, {"ticketId": "x"}, {"ticketId": ""}, {"ticketId": []}])
def test_bodies_refused(buyer, body):
    answer = buyer.post("/api/orders", json=body)
    assert answer.status_code == 400
    assert [field for field, _ in errors(answer)] == ["ticketId"]


def test_session_comes_before_the_body(stack):
    for method, path in [("POST", ""), ("GET", ""), ("GET", f"/{missing_id()}"), ("GET", f"/{missing_id()}/history"),
                         ("DELETE", f"/{missing_id()}")]:
        refused(User(stack.url).request(method, f"/api/orders{path}", data="not json"), 401)


def test_unknown_ticket_is_waited_for(stack, buyer):
    begin = time.monotonic()
    refused(buyer.post("/api/orders", json={"ticketId": missing_id()}), 404, "No such ticket")
    assert time.monotonic() - begin >= 0.3


def test_ticket_that_comes_late_is_ordered(stack, buyer, seller):
    """Known to orders while the buyer's request waits: put into its copy by hand, as the tickets' event would."""
    looks = []  # whether it was found, of what was there in time

    def attempt():
        ticket_id, times = missing_id(), {}

        def arrive():
            with psycopg.connect(stack.env["ORDERS_DATABASE_URL"], autocommit=True) as db:
                never.wait(times["asked"] + 0.1 - time.monotonic())
                db.execute("insert into tickets values (%s, 1, %s, 'late', 2000, 'USD', 'available')", (ticket_id, seller.id))
                times["there"] = time.monotonic()
        never = threading.Event()
        buyer.get("/api/orders")
        times["asked"] = time.monotonic()
        thread = threading.Thread(target=arrive)
        thread.start()
        answer = buyer.post("/api/orders", json={"ticketId": ticket_id})
        thread.join()
        if times["there"] - times["asked"] < 0.25:
            looks.append(answer.status_code == 201)
        assert looks.count(False) < 5, "the ticket was there, and was not seen"  # a machine may stand still between a look and its answer
        return any(looks)
    wait_until(attempt, "a try on a machine that is not too busy")


def test_own_ticket(seller, ticket):
    refused(seller.post("/api/orders", json={"ticketId": ticket["id"]}), 409, "your own")


def test_reserved(stack, buyer, other, ticket, order):
    for user in (buyer, other):
        refused(user.post("/api/orders", json={"ticketId": ticket["id"]}), 409, "This ticket is reserved")
    assert len(stack.topic("orders").of(ticket["id"], 1)) == 1


def test_withdrawn(stack, seller, buyer, ticket):
    assert seller.delete(f"/api/tickets/{ticket['id']}").status_code == 204
    wait_known(stack, ticket["id"], version=2)
    refused(buyer.post("/api/orders", json={"ticketId": ticket["id"]}), 409, "withdrawn")


def test_price_is_that_of_the_order(stack, seller, buyer, ticket):
    edited = seller.put(f"/api/tickets/{ticket['id']}", json={"title": "now", "price": 30}).json()
    wait_known(stack, ticket["id"], version=2)
    order = buyer.place(ticket)
    assert order["ticket"] == {"id": ticket["id"], "title": "now", "price": 30, "currency": "USD", "version": 2}
    stack.topic("tickets").produce(ticket_event(edited, 3, title="later", price=9900), key="id")
    settle(stack)
    assert buyer.get(f"/api/orders/{order['id']}").json() == order


# --- Idempotency-Key ---

def test_idempotency_key(stack, seller, buyer, other, ticket):
    key, body, second = {"Idempotency-Key": missing_id()}, {"ticketId": ticket["id"]}, list_ticket(stack, seller)
    first = buyer.post("/api/orders", json=body, headers=key)
    again = buyer.post("/api/orders", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    refused(buyer.post("/api/orders", json={"ticketId": second["id"]}, headers=key), 422, "another body")
    refused(other.post("/api/orders", json=body, headers=key), 409, "reserved")
    refused(buyer.post("/api/orders", json=body, headers={"Idempotency-Key": missing_id()}), 409, "reserved")
    assert other.post("/api/orders", json={"ticketId": second["id"]}, headers=key).status_code == 201, "another's key"
    buyer.delete(f"/api/orders/{first.json()['id']}")
    again = buyer.post("/api/orders", json=body, headers=key)
    assert again.status_code == 201 and again.json() == {**first.json(), "status": "cancelled", "reason": "buyer", "version": 2}
    assert len(stack.topic("orders").of(ticket["id"], 2)) == 2, "one OrderCreated and the cancellation"


@pytest.mark.parametrize("key", ["", "x" * 256, "ü"])
def test_idempotency_key_malformed(buyer, ticket, key):
    refused(buyer.post("/api/orders", json={"ticketId": ticket["id"]}, headers={"Idempotency-Key": key.encode()}), 400)


def test_idempotency_key_raced_on_two_replicas(stack, replica, seller, buyer):
    for _ in range(5):
        key, body = {"Idempotency-Key": missing_id()}, {"ticketId": list_ticket(stack, seller)["id"]}

        def post(n):
            return answered(lambda: at((stack.url, replica.url)[n % 2], buyer).post("/api/orders", json=body, headers=key))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(post, range(16)))
        assert {a.status_code for a in answers} == {201}
        assert len({a.json()["id"] for a in answers}) == 1
        assert answered(lambda: buyer.delete(f"/api/orders/{answers[0].json()['id']}")).status_code == 204


def test_idempotency_key_outlives_kill(stack, seller, buyer):
    """Whatever the process had done when it was killed, the same key leads to one order."""
    for _ in range(3):
        ticket = list_ticket(stack, seller)
        key, body = {"Idempotency-Key": missing_id()}, {"ticketId": ticket["id"]}
        with ThreadPoolExecutor(8) as pool:
            tries = [pool.submit(at(stack.env["ORDERS_URL"], buyer).post, "/api/orders", json=body, headers=key) for _ in range(8)]
            next(iter(tries)).exception()
            stack.kill("orders")
            known = {t.result().json()["id"] for t in tries if t.exception() is None and t.result().status_code == 201}
        stack.wait_ready("orders")
        answer = buyer.post("/api/orders", json=body, headers=key)
        assert answer.status_code == 201 and known <= {answer.json()["id"]}
        told = {(e["id"], e["version"]) for e in stack.topic("orders").of(ticket["id"], 1)}  # who takes over from one that was killed may repeat it
        assert len(told) == 1
        buyer.delete(f"/api/orders/{answer.json()['id']}")


# --- rivals ---

def test_two_thousand_buyers_of_one_ticket(stack, seller):
    ticket = list_ticket(stack, seller)
    tokens = stack.tokens(2000)
    with Replica(stack, "orders") as second:
        second.wait_ready()
        statuses = asyncio.run(all_at_once([stack.env["ORDERS_URL"], second.url], tokens, [f'{{"ticketId":"{ticket["id"]}"}}'] * 2000))
    assert statuses == {201: 1, 409: 1999}
    [event] = stack.topic("orders").of(ticket["id"], 1)[:1]
    assert event["type"] == "OrderCreated"


def test_a_rival_who_is_not_done_yet(stack, seller, buyer):
    """Nobody sees that he has the ticket; the index does."""
    waiting = "select pid from pg_stat_activity where %s = any (pg_blocking_pids(pid))"

    def attempt():
        ticket = list_ticket(stack, seller)
        with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as rival, ThreadPoolExecutor(1) as pool:
            begin_order(rival, ticket["id"])
            asked = pool.submit(buyer.post, "/api/orders", json={"ticketId": ticket["id"]})
            try:
                wait_until(lambda: asked.done() or stack.sql("orders", waiting, rival.info.backend_pid), "the request waits for him")
            finally:
                rival.commit()
            answer = asked.result()
            rival.execute("delete from orders where ticket_id = %s", [ticket["id"]])
        return answer.status_code != 503 and (answer,)
    [answer] = wait_until(attempt, "he is done before the request is told to come again")
    refused(answer, 409, "reserved")


def held(user):
    return [o for o in user.get("/api/orders?limit=100").json() if o["status"] == "created"]


def test_limit_of_holds(stack, replica, seller, people):
    """Also for requests at once, on two instances."""
    tickets = [seller.list_ticket() for _ in range(30)]
    wait_known(stack, *(t["id"] for t in tickets))
    buyers = [next(people) for _ in range(3)]
    jobs = [(buyer, t) for t in tickets for buyer in buyers]
    bodies = [f'{{"ticketId":"{t["id"]}"}}' for _, t in jobs]
    tokens = [b.headers["Authorization"].removeprefix("Bearer ") for b, _ in jobs]
    with Replica(stack, "orders") as second:
        second.wait_ready()
        statuses = asyncio.run(all_at_once([stack.env["ORDERS_URL"], second.url], tokens, bodies))
    assert set(statuses) == {201, 409} and statuses[201] == 30, "3 buyers, 10 each"
    for buyer in buyers:
        mine = held(buyer)
        assert len(mine) == 10
        spare = list_ticket(stack, seller)
        refused(buyer.post("/api/orders", json={"ticketId": spare["id"]}), 409, "10 unpaid tickets")
        assert buyer.delete(f"/api/orders/{mine[3]['id']}").status_code == 204
        buyer.place(spare)
        refused(buyer.post("/api/orders", json={"ticketId": mine[3]["ticket"]["id"]}), 409, "10 unpaid tickets")


def test_rivals_on_two_instances_never_wait_in_a_circle(stack, seller, people):
    """Few buyers, many tickets, everybody wants all of them. Each instance sells half of the tickets, so that what they fight for is
    the buyers' slots, in any order."""
    def deadlocks():
        return stack.sql("orders", "select deadlocks from pg_stat_database where datname = current_database()")[0][0]
    before, tickets, buyers = deadlocks(), [seller.list_ticket() for _ in range(60)], [next(people) for _ in range(12)]
    wait_known(stack, *(t["id"] for t in tickets))
    halves = [[(b, t["id"]) for b in buyers for t in tickets[half::2]] for half in (0, 1)]
    for half in halves:
        random.Random(7).shuffle(half)
    wishes = [wish for pair in zip(*halves) for wish in pair]  # to one instance and the other in turns
    tokens = [b.headers["Authorization"].removeprefix("Bearer ") for b, _ in wishes]
    with Replica(stack, "orders") as second:
        second.wait_ready()
        for _ in range(5):
            statuses = asyncio.run(all_at_once([stack.env["ORDERS_URL"], second.url], tokens, [f'{{"ticketId":"{t}"}}' for _, t in wishes]))
            assert set(statuses) == {201, 409} and statuses[201] == 60
            for buyer in buyers:
                mine = held(buyer)
                assert len(mine) <= 10
                for order in mine:
                    assert answered(lambda: buyer.delete(f"/api/orders/{order['id']}")).status_code == 204
    assert deadlocks() == before
    wait_published(stack, "orders")
    orders, live, story = collections.Counter(), collections.Counter(), collections.defaultdict(list)
    ours = {uuid.UUID(t["id"]) for t in tickets}  # others tell the topic of failovers
    for event in stack.topic("orders").events():
        if event["ticketId"] not in ours:
            continue
        told = (event["type"], event["version"], event["id"])
        if told in story[event["ticketId"]]:
            continue  # as consumers do: a publisher that takes over may repeat the last ones
        story[event["ticketId"]].append(told)
        live[event["ticketId"]] += {"OrderCreated": 1, "OrderCancelled": -1}.get(event["type"], 0)
        orders[event["type"]] += 1
        assert live[event["ticketId"]] <= 1, f"a ticket has one live order at a time, as the topic tells it: {story[event['ticketId']]}"
    assert orders["OrderCreated"] >= 300


# --- GET ---

def test_get(buyer, order):
    for path in (f"/api/orders/{order['id']}", f"/API/Orders/{order['id'].upper()}/"):
        answer = buyer.get(path)
        assert (answer.status_code, answer.json()) == (200, order), path


@pytest.mark.parametrize("path", ["", "/history"])
def test_get_of_others(stack, buyer, other, order, path):
    refused(other.get(f"/api/orders/{order['id']}{path}"), 403)
    for missing in ("nonsense", "%00", missing_id()):
        refused(buyer.get(f"/api/orders/{missing}{path}"), 404)


def test_list_is_own_paged_and_newest_first(stack, seller, buyer, other):
    placed = [buyer.place(list_ticket(stack, seller)) for _ in range(5)]
    buyer.delete(f"/api/orders/{placed[2]['id']}")
    other.place(list_ticket(stack, seller))
    seen, path = [], "/api/orders?limit=2"
    while path:
        answer = buyer.get(path)
        assert answer.status_code == 200 and len(answer.json()) <= 2
        seen += answer.json()
        path = answer.links.get("next", {}).get("url")
    placed[2].update(status="cancelled", reason="buyer", version=2)
    assert seen == placed[::-1]
    assert buyer.get("/api/orders").json() == seen


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "cursor=x", "cursor="])
def test_list_malformed(buyer, query):
    answer = buyer.get(f"/api/orders?{query}")
    assert answer.status_code == 400
    [(field, _)] = errors(answer)
    assert field == query.split("=")[0]


# --- DELETE ---

def history(user, order):
    answer = user.get(f"/api/orders/{order['id']}/history")
    assert answer.status_code == 200, answer.text
    return [(e["version"], e["type"], e["status"], e.get("reason")) for e in answer.json()]


def test_cancel(stack, buyer, other, ticket, order):
    path = f"/api/orders/{order['id']}"
    refused(other.delete(path), 403)
    refused(buyer.delete(f"/api/orders/{missing_id()}"), 404)
    for _ in range(2):
        answer = buyer.delete(path)
        assert answer.status_code == 204 and not answer.content
    assert buyer.get(path).json() == {**order, "status": "cancelled", "reason": "buyer", "version": 2}
    assert history(buyer, order) == [(1, "OrderCreated", "created", None), (2, "OrderCancelled", "cancelled", "buyer")]
    following = other.place(ticket)
    events = stack.topic("orders").of(ticket["id"], 3)
    assert [(e["type"], str(e["id"]), e["version"], e["reason"]) for e in events] == [
        ("OrderCreated", order["id"], 1, None), ("OrderCancelled", order["id"], 2, "buyer"), ("OrderCreated", following["id"], 1, None)]
    assert [e["occurredAt"] <= f["occurredAt"] for e, f in itertools.pairwise(events)] == [True, True]
    assert buyer.delete(path).status_code == 204 and buyer.get(path).json()["version"] == 2, "the next buyer's hold is not touched"


def test_cancels_at_once_are_one(stack, buyer, order):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: answered(lambda: at(stack.url, buyer).delete(f"/api/orders/{order['id']}")).status_code, range(16)))
    assert answers == [204] * 16
    assert len(history(buyer, order)) == 2


def test_cancel_while_another_changes_it(stack, buyer, order):
    """It does not wait behind a lock, and still succeeds."""
    def attempt():
        with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as db, ThreadPoolExecutor(1) as pool:
            db.execute("select from orders where id = %s for update", (order["id"],))
            cancelling = pool.submit(buyer.delete, f"/api/orders/{order['id']}")
            assert buyer.get("/api/orders").status_code == 200
            early = cancelling.done()
            db.rollback()
            status = cancelling.result().status_code
        assert status == 503 or not early
        return status != 503 and (status,)
    assert wait_until(attempt, "the lock is gone before the request is told to come again") == (204,)


# --- reactions: to events produced here as their services will ---

def settle(stack):
    """Until orders has read its topics to their ends."""
    wait_read(stack, "orders", "tickets", "payments", "expirations")


def ticket_event(ticket, version, kind="TicketUpdated", status="available", **more):
    return {"type": kind, "id": ticket["id"], "version": version, "occurredAt": 1_700_000_000_000, "userId": ticket["userId"],
            "title": ticket["title"], "price": 2050, "currency": "USD", "status": status, "orderId": None, **more}


def payment_event(order, kind, version, charge, **more):
    status = {"PaymentStarted": "started", "PaymentCreated": "succeeded", "PaymentFailed": "failed", "PaymentRefunded": "refunded"}
    return {"type": kind, "id": charge, "ticketId": order["ticket"]["id"], "orderId": order["id"], "version": version,
            "occurredAt": 1_700_000_000_000, "userId": order["userId"], "status": status[kind], "amount": 2050, "currency": "USD",
            "attempt": 1, "final": False, "stripeId": None, "reason": None, **more}


def expiration_event(order, attempt=1):
    return {"type": "OrderExpired", "orderId": order["id"], "ticketId": order["ticket"]["id"], "occurredAt": 1_700_000_000_000,
            "expiresAt": 1_700_000_000_000, "attempt": attempt}


def shown(user, order):
    o = user.get(f"/api/orders/{order['id']}").json()
    assert ("reason" in o) == (o["status"] == "cancelled"), "why it ended is said when it has"
    rest = {k: v for k, v in o.items() if k != "reason"}
    assert {**rest, "status": 0, "version": 0} == {**order, "status": 0, "version": 0}, "nothing else ever changes"
    return o["status"], o["version"]


def now_ms():
    return int(now().timestamp() * 1000)


def pay(stack, order, *kinds, charge=None, first=1, **more):
    charge = charge or missing_id()
    stack.topic("payments").produce(*(payment_event(order, kind, n, charge, **more) for n, kind in enumerate(kinds, first)))
    settle(stack)
    return charge


def test_payment_completes(stack, seller, buyer, other, ticket, order):
    charge = pay(stack, order, "PaymentStarted")
    assert shown(buyer, order) == ("awaiting:payment", 2)
    pay(stack, order, "PaymentStarted", "PaymentCreated", charge=charge, first=2)
    assert shown(buyer, order) == ("complete", 3)
    assert history(buyer, order) == [(1, "OrderCreated", "created", None), (2, "OrderUpdated", "awaiting:payment", None),
                                     (3, "OrderCompleted", "complete", None)]
    refused(buyer.delete(f"/api/orders/{order['id']}"), 409, "complete")
    for user in (buyer, other):
        refused(user.post("/api/orders", json={"ticketId": ticket["id"]}), 409, "This ticket is sold")
    pay(stack, order, "PaymentRefunded", charge=charge, first=4)
    stack.topic("tickets").produce(ticket_event(ticket, 9, "TicketCancelled", "cancelled"), key="id")
    stack.topic("expirations").produce(expiration_event(order))
    settle(stack)
    assert shown(buyer, order) == ("complete", 3), "final"
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json()["status"] == "sold", "the ticket is sold")
    events = stack.topic("orders").of(ticket["id"], 3)
    assert [(e["type"], e["version"], e["status"], e["expiresAt"]) for e in events] == [
        ("OrderCreated", 1, "created", events[0]["expiresAt"]), ("OrderUpdated", 2, "awaiting_payment", events[0]["expiresAt"]),
        ("OrderCompleted", 3, "complete", events[0]["expiresAt"])]


def test_payment_that_was_never_seen_to_start_completes(stack, buyer, order):
    pay(stack, order, "PaymentCreated")
    assert shown(buyer, order) == ("complete", 2)


def test_failed_payment_lets_the_buyer_try_again(stack, buyer, order):
    charge = pay(stack, order, "PaymentStarted", "PaymentFailed")
    assert shown(buyer, order) == ("created", 3)
    pay(stack, order, "PaymentStarted", "PaymentFailed", charge=charge)
    assert shown(buyer, order) == ("created", 3), "these were known"
    pay(stack, order, "PaymentStarted", charge=missing_id(), first=3)
    assert shown(buyer, order) == ("created", 3), "an order has one charge"
    pay(stack, order, "PaymentStarted", "PaymentCreated", charge=charge, first=3)
    assert shown(buyer, order) == ("complete", 5)


def test_payment_failed_for_good_ends_the_order(stack, buyer, other, ticket, order):
    charge = pay(stack, order, "PaymentStarted")
    pay(stack, order, "PaymentFailed", charge=charge, first=2, final=True, reason="card_declined")
    assert shown(buyer, order) == ("cancelled", 3)
    assert history(buyer, order)[-1] == (3, "OrderCancelled", "cancelled", "payment_failed")
    other.place(ticket)


def test_buyer_may_cancel_while_paying(stack, buyer, other, ticket, order):
    charge = pay(stack, order, "PaymentStarted")
    assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204
    following = other.place(ticket)
    pay(stack, order, "PaymentCreated", charge=charge, first=2)
    assert shown(buyer, order) == ("cancelled", 3) and shown(other, following) == ("created", 1)
    for _ in range(2):
        pay(stack, order, "PaymentRefunded", charge=charge, first=3)
        assert history(buyer, order)[3:] == [(4, "OrderUpdated", "cancelled", "refunded")], "told, and once"
    assert shown(other, following) == ("created", 1)


def test_expiry_is_never_early(stack, buyer, order):
    stack.topic("expirations").produce(expiration_event(order))
    settle(stack)
    assert shown(buyer, order) == ("created", 1)


def signal_until(stack, order, user, status):
    def signalled():
        stack.topic("expirations").produce(expiration_event(order))
        settle(stack)
        return shown(user, order)[0] == status
    wait_until(signalled, f"the order is {status}", pause=0.1)


def test_expiry_when_due(stack, replica, buyer, other, ticket):
    order = at(replica.url, buyer).place(ticket)
    signal_until(stack, order, buyer, "cancelled")
    assert history(buyer, order) == [(1, "OrderCreated", "created", None), (2, "OrderCancelled", "cancelled", "expired")]
    created, cancelled = stack.topic("orders").of(ticket["id"], 2)
    assert created["expiresAt"] - created["occurredAt"] <= datetime.timedelta(seconds=1)
    assert cancelled["occurredAt"] >= created["expiresAt"]
    other.place(ticket)


def test_payment_under_way_has_its_grace(stack, replica, buyer, ticket):
    def paid_in_time():  # a slow machine may take longer for that than the order is held
        order = at(replica.url, buyer).place(ticket)
        pay(stack, order, "PaymentStarted")
        return shown(buyer, order)[0] == "awaiting:payment" and order
    order = wait_until(paid_in_time, "a payment begins while the order is held")
    signal_until(stack, order, buyer, "cancelled")

    def told():
        events = [e for e in stack.topic("orders").events() if str(e["id"]) == order["id"]]
        return len(events) == 3 and events
    created, updated, cancelled = wait_until(told, "three events of the order")
    assert (cancelled["reason"], cancelled["version"]) == ("expired", 3)
    assert cancelled["occurredAt"] >= created["expiresAt"] + datetime.timedelta(seconds=2)
    assert created["expiresAt"] == updated["expiresAt"] == cancelled["expiresAt"]


@pytest.fixture
def unhurried(stack):
    """As replica, with more time left of a hold."""
    with Replica(stack, "orders", HOLD_SECONDS="5", PAYMENT_GRACE_SECONDS="2") as replica:
        yield replica.wait_ready()


def test_time_in_line_is_not_the_buyers(stack, unhurried, buyer, ticket):
    """A payment that payments keeps in line keeps the order, and leaves its buyer the time that he had."""
    def in_line_in_time():
        order = at(unhurried.url, buyer).place(ticket)
        charge = pay(stack, order, "PaymentStarted", reason="waiting", occurredAt=now_ms())
        return shown(buyer, order)[0] == "awaiting:payment" and (order, charge)
    order, charge = wait_until(in_line_in_time, "a payment is in line while the order is held")
    wait_until(lambda: stack.sql("orders", "select 1 from orders where id = %s and grace_ends_at < now()", order["id"]), "its grace would be over")
    stack.topic("expirations").produce(expiration_event(order))
    settle(stack)
    assert shown(buyer, order) == ("awaiting:payment", 2)
    pay(stack, order, "PaymentStarted", "PaymentFailed", charge=charge, first=2, reason="card_declined", occurredAt=now_ms())
    told, before = stack.topic("orders").of(ticket["id"], 4)[:4], datetime.datetime.fromisoformat(order["expiresAt"])
    due = told[3]["expiresAt"]
    assert told[3]["version"] == 4 and due - before >= datetime.timedelta(seconds=2)
    assert [e["expiresAt"] for e in told] == [before, before, due, due]
    def ended():
        stack.topic("expirations").produce(expiration_event(order))
        settle(stack)
        return buyer.get(f"/api/orders/{order['id']}").json()["status"] == "cancelled"
    wait_until(ended, "it ends when that is over", pause=0.1)
    assert stack.topic("orders").of(ticket["id"], 5)[-1]["occurredAt"] >= due


def test_withdrawn_ticket_ends_its_order(stack, buyer, seller, order, ticket):
    trace = f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-01"
    stack.topic("tickets").produce(ticket_event(ticket, 5, "TicketCancelled", "cancelled"), key="id", headers=[("traceparent", trace)])
    settle(stack)
    assert history(buyer, order) == [(1, "OrderCreated", "created", None), (2, "OrderCancelled", "cancelled", "ticket_cancelled")]
    assert stack.topic("orders").of(ticket["id"], 2)[1].headers["traceparent"] == trace


def test_older_news_of_a_ticket_change_nothing(stack, seller, buyer, ticket):
    stack.topic("tickets").produce(ticket_event(ticket, 7, title="new"), ticket_event(ticket, 6, title="old"), key="id")
    settle(stack)
    assert buyer.place(ticket)["ticket"]["title"] == "new"


def everything(stack):
    return (stack.sql("orders", "select md5(string_agg(o::text, ' ' order by id)) from orders o"),
            stack.sql("orders", "select md5(string_agg(t::text, ' ' order by id)) from tickets t"),
            stack.sql("orders", "select count(*), max(seq) from order_events"), stack.topic("orders").ends())


def test_replay_changes_nothing(stack, seller, buyer):
    """Last, when all of the above has happened: every topic again from 0."""
    awaiting, failed = buyer.place(list_ticket(stack, seller)), buyer.place(list_ticket(stack, seller))
    pay(stack, awaiting, "PaymentStarted")
    pay(stack, failed, "PaymentStarted", "PaymentFailed")
    with stopped(stack, "expiration"):  # orders that others have left may come due
        wait_published(stack, "orders")
        wait_read(stack, "tickets", "orders")
        wait_published(stack, "tickets")  # what becomes of tickets by orders comes back to orders
        settle(stack)
        before = everything(stack)
        with stopped(stack, "orders"):
            stack.sql("orders", "update consumer_offsets set next_offset = 0")
        settle(stack)
        assert everything(stack) == before
