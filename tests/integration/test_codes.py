"""Codes for presales: who makes them, what is kept of them, and who can buy with one."""
import asyncio
import json
import uuid

import psycopg
import pytest

from rivals import all_at_once
from support import Replica, errors, list_ticket, missing_id, refused
from test_phases import phase
from venue import Venue

UNKNOWN = "0000-0000-0000-0000"


@pytest.fixture
def venue(stack, seller):
    """On sale to those with a code."""
    venue = Venue(stack, seller, phases=[phase(-3600, 3600, codes=True)])
    venue.add("Stalls", rows=[20, 20, 20])
    return venue


@pytest.fixture
def other(people):
    return next(people)


def make(seller, venue, count=1, uses=1, key=None):
    answer = seller.post(f"/api/shows/{venue.id}/codes", json={"count": count, "uses": uses}, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 201, answer.text
    return answer.json()["codes"]


def reason(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["reason"]


def buy(buyer, venue, code=None, **more):
    return buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1, **({"code": code} if code else {}), **more})


def spend(person, venue, code):
    return person.post(f"/api/shows/{venue.id}/codes/spend", json={"code": code})


def uses_of(stack, venue):
    return stack.sql("orders", "select used from codes where show_id = %s order by hash", venue.id)


# --- making them ---

def test_codes_are_told_once(stack, seller, venue):
    key = str(uuid.uuid4())
    codes = make(seller, venue, 3, 2, key)
    assert len(set(codes)) == 3 and make(seller, venue, 3, 2, key) == codes, "but to whoever asked"
    assert not set(make(seller, venue, 3, 2)) & set(codes), "without a key"
    refused(seller.post(f"/api/shows/{venue.id}/codes", json={"count": 4, "uses": 2}, headers={"Idempotency-Key": key}), 422)
    kept = json.dumps([[str(value) for value in row] for table in ("codes", "code_batches")
                       for row in stack.sql("orders", f"select * from {table} where show_id = %s", venue.id)])
    assert kept.count(venue.id) == 8 and key not in kept
    assert not any(code in kept or code.replace("-", "").lower() in kept.replace("-", "").lower() for code in codes), "what is kept says no code"


def test_whose_codes(stack, seller, other):
    draft = Venue(stack, seller, status="draft")
    make(seller, draft)
    refused(other.post(f"/api/shows/{draft.id}/codes", json={"count": 1}), 404)
    draft.tell("announced")
    refused(other.post(f"/api/shows/{draft.id}/codes", json={"count": 1}), 403)
    refused(seller.post(f"/api/shows/{missing_id()}/codes", json={"count": 1}), 404)
    draft.tell("cancelled")
    refused(seller.post(f"/api/shows/{draft.id}/codes", json={"count": 1}), 409)


@pytest.mark.parametrize("body, field", [({}, "count"), ({"count": 0}, "count"), ({"count": 1001}, "count"), ({"count": "1"}, "count"),
                                         ({"count": 1, "uses": 0}, "uses"), ({"count": 1, "uses": 100_001}, "uses")])
def test_malformed(seller, body, field):
    answer = seller.post(f"/api/shows/{missing_id()}/codes", json=body)
    assert answer.status_code == 400 and [f for f, _ in errors(answer)] == [field]


def test_a_show_has_so_many(stack, seller, venue):
    stack.sql("orders", """insert into code_batches (id, user_id, show_id, count, uses, salt)
                           select gen_random_uuid(), %s, %s, 99999, 1, gen_random_uuid()""", seller.id, venue.id)
    make(seller, venue)
    refused(seller.post(f"/api/shows/{venue.id}/codes", json={"count": 1}), 409, "100,000")


# --- buying with one ---

def test_who_buys_has_a_code(stack, seller, buyer, other, venue):
    """It is spent with the first purchase, and lets in for the whole sale."""
    [code] = make(seller, venue)
    ticket = venue.ticket("Stalls", "C", 20)
    assert reason(buy(buyer, venue), 403) == "code_required"
    assert reason(buyer.post("/api/purchases", json={"ticketIds": [ticket]}), 403) == "code_required"
    assert reason(buyer.post("/api/orders", json={"ticketId": ticket}), 403) == "code_required"
    assert reason(buy(buyer, venue, UNKNOWN), 403) == "code_wrong"
    refused(buy(buyer, venue, "a code"), 400, "letters")
    assert buy(buyer, venue, code.lower().replace("-", " ")).status_code == 201
    assert buy(buyer, venue).status_code == 201 and buy(buyer, venue, code).status_code == 201, "once is enough"
    assert buyer.post("/api/orders", json={"ticketId": ticket}).status_code == 201
    assert reason(buy(other, venue, code), 409) == "code_used"
    assert uses_of(stack, venue) == [(1,)]


@pytest.mark.parametrize("path, body", [("purchases", lambda ticket: {"ticketIds": [ticket]}), ("orders", lambda ticket: {"ticketId": ticket})])
def test_a_code_with_a_ticket(stack, seller, buyer, venue, path, body):
    elsewhere = Venue(stack, seller, phases=[phase(-3600, 3600, codes=True)])
    [code], [foreign] = make(seller, venue), make(seller, elsewhere)
    what = body(venue.ticket("Stalls", "C", 1))
    assert reason(buyer.post(f"/api/{path}", json={**what, "code": foreign}), 403) == "code_wrong"
    assert reason(buy(buyer, venue, foreign), 403) == "code_wrong"
    assert uses_of(stack, elsewhere) == [(0,)]
    answer = buyer.post(f"/api/{path}", json={**what, "code": code}, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert answer.status_code == 201, answer.text


def test_a_refusal_spends_none(stack, seller, buyer):
    """Of a show that is not on sale, and of more than a person can have."""
    venue = Venue(stack, seller, phases=[phase(3600, 7200, codes=True)])
    venue.add("Stalls", rows=[4])
    [code] = make(seller, venue)
    assert reason(buy(buyer, venue, code), 409) == "not_open"
    venue.phases = json.dumps([phase(-3600, 3600, codes=True, perUser=2)])
    venue.tell("announced")
    assert reason(buy(buyer, venue, code, quantity=3), 409) == "limit"
    euros = list_ticket(stack, seller)["id"]
    stack.sql("orders", "update tickets set currency = 'EUR' where id = %s", euros)
    refused(buyer.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", 1), euros], "code": code}), 409, "currenc")
    held = [buyer.place(list_ticket(stack, seller)) for _ in range(10)]
    refused(buy(buyer, venue, code), 409, "unpaid")
    assert uses_of(stack, venue) == [(0,)]
    assert buyer.delete(f"/api/orders/{held[0]['id']}").status_code == 204
    assert buy(buyer, venue, code).status_code == 201


def test_a_code_is_of_one_show(stack, seller, buyer, venue):
    """So tickets of two shows that ask for codes spend none."""
    elsewhere = Venue(stack, seller, phases=[phase(-3600, 3600, codes=True)])
    elsewhere.add("Stalls", rows=[4])
    [code], [other] = make(seller, venue), make(seller, elsewhere)
    both = {"ticketIds": [venue.ticket("Stalls", "A", 1), elsewhere.ticket("Stalls", "A", 1)]}
    assert reason(buyer.post("/api/purchases", json={**both, "code": code}), 403) == "code_required"
    assert uses_of(stack, venue) == uses_of(stack, elsewhere) == [(0,)]
    assert spend(buyer, elsewhere, other).status_code == 204
    assert buyer.post("/api/purchases", json={**both, "code": code}).status_code == 201


def test_a_purchase_with_a_code_comes_again(seller, buyer, venue):
    [code] = make(seller, venue)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"showId": venue.id, "quantity": 2, "code": code}
    first, again = (buyer.post("/api/purchases", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()


def test_a_code_is_spent_before(stack, seller, buyer, other, venue):
    """As whoever lets people into a queue does."""
    [code] = make(seller, venue)
    assert reason(spend(buyer, venue, UNKNOWN), 403) == "code_wrong"
    assert [spend(buyer, venue, code).status_code for _ in range(2)] == [204, 204]
    assert reason(spend(other, venue, code), 409) == "code_used"
    assert buy(buyer, venue).status_code == 201 and uses_of(stack, venue) == [(1,)]


# --- at once ---

@pytest.fixture(scope="module")
def rush(stack):
    """Sends purchases of one place to two instances of orders at one moment; answers how many had which status."""
    with Replica(stack, "orders") as second:
        second.wait_ready()
        yield lambda venue, tokens, codes: asyncio.run(all_at_once(
            [stack.env["ORDERS_URL"], second.url], tokens, [json.dumps({"showId": venue.id, "quantity": 1, "code": code}) for code in codes],
            path="/api/purchases"))


def test_a_code_is_used_by_as_many_as_it_can(stack, seller, venue, rush):
    [code] = make(seller, venue, uses=20)
    assert rush(venue, stack.tokens(50), [code] * 50) == {201: 20, 409: 30}
    assert uses_of(stack, venue) == stack.sql("orders", "select count(*) from code_uses where show_id = %s", venue.id) == [(20,)]
    venue.check()


def test_nobody_waits_for_a_code(stack, seller, buyer, other, venue):
    """Many have the same one: while it is being spent, others are served, and whoever wants it comes again."""
    [code], [another] = make(seller, venue, uses=5), make(seller, venue)
    with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as rival:
        rival.execute("select from codes where show_id = %s and uses = 5 for update", [venue.id])
        assert spend(other, venue, another).status_code == 204
        answer = spend(buyer, venue, code)
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "1", answer.text
    assert spend(buyer, venue, code).status_code == 204


def test_a_person_spends_one_code(stack, seller, buyer, venue, rush):
    """Who sends several at once spends one of them."""
    token = buyer.headers["Authorization"].removeprefix("Bearer ")
    assert rush(venue, [token] * 6, make(seller, venue, 6)) == {201: 6}
    assert sum(used for used, in uses_of(stack, venue)) == 1
