"""Purchases of places together: which places, all or none, one life; route by route, with every failure."""
import asyncio
import collections
import itertools
import random
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from planning import settings_of_the_service
from rivals import all_at_once, begin_order
from support import ROOT, Replica, User, errors, list_ticket, missing_id, refused, wait_payable, wait_until
from venue import Venue
from waits import answered

SOME = str(uuid.UUID(int=1))


@pytest.fixture
def other(people):
    return next(people)


@pytest.fixture(scope="module")
def short(stack):
    """An instance of orders whose holds are short."""
    with Replica(stack, "orders", HOLD_SECONDS="1", PAYMENT_GRACE_SECONDS="2") as replica:
        yield replica.wait_ready()


def at(replica, user):
    return User(replica.url, user.headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def venue(stack, seller):
    venue = Venue(stack, seller, title="Käse live")
    yield venue
    venue.check()


@pytest.fixture
def hall(venue):
    """Two rows of six."""
    venue.add("Stalls", rows=[6, 6], price=2050)
    return venue


def places(purchase):
    return [tuple(o["ticket"]["title"].split(", ")[1:]) for o in purchase["orders"]]


def seats(purchase):
    """('A', 1) …"""
    return [(row.removeprefix("row "), int(seat.removeprefix("seat "))) for _, row, seat in places(purchase)]


# --- POST ---

def test_three_together(stack, hall, buyer):
    purchase = hall.buy(buyer, 3)
    assert seats(purchase) == [("A", 1), ("A", 2), ("A", 3)]
    first = purchase["orders"][0]
    assert purchase == {"id": first["id"], "status": "created", "expiresAt": first["expiresAt"], "userId": buyer.id, "total": 61.5,
                        "currency": "USD", "seats": "Stalls, row A, seats 1–3", "orders": purchase["orders"]}
    assert [o["id"][-1] for o in purchase["orders"]] == ["0", "1", "2"] and len({o["id"][:-1] for o in purchase["orders"]}) == 1
    assert {o["expiresAt"] for o in purchase["orders"]} == {purchase["expiresAt"]}
    for order in purchase["orders"]:
        assert buyer.get(f"/api/orders/{order['id']}").json() == order and order["showId"] == hall.id
        [event] = stack.topic("orders").of(order["ticket"]["id"], 1)
        assert (event["type"], event["purchaseId"], event["purchaseSize"], event["showId"], event["price"]) == (
            "OrderCreated", uuid.UUID(purchase["id"]), 3, uuid.UUID(hall.id), 2050)
        assert event.key == order["ticket"]["id"]
    assert buyer.get(f"/api/purchases/{purchase['id']}").json() == purchase
    assert buyer.get("/api/purchases").json() == [purchase]
    assert hall.free() == 9


@pytest.mark.parametrize("wanted, then", [
    ([4, 2], [("A", 5), ("A", 6)]),  # an exact fit
    ([3, 2], [("B", 1), ("B", 2)]),  # a single seat would stay behind in A
    ([2, 2], [("A", 3), ("A", 4)])])
def test_no_seat_is_left_alone(stack, hall, people, wanted, then):
    for quantity in wanted:
        purchase = hall.buy(next(people), quantity)
    assert seats(purchase) == then


def test_a_single_is_left_when_there_is_no_other_way(stack, venue, people):
    venue.add("Box", rows=[3])
    assert seats(venue.buy(next(people), 2)) == [("A", 1), ("A", 2)]
    assert venue.free() == 1


def test_the_best_rank_first(stack, venue, people):
    venue.add("Back", rows=[4], rank=7)
    venue.add("Front", rows=[4], rank=3)
    assert places(venue.buy(next(people), 4))[0][0] == "Front"
    assert places(venue.buy(next(people), 4))[0][0] == "Back"


def test_not_together(stack, hall, people):
    hall.buy(next(people), 5)
    refused(next(people).post("/api/purchases", json={"showId": hall.id, "quantity": 7}), 409, "not 7 places side by side any more; 7 are left", "not_together")
    purchase = hall.buy(next(people), 7, together=False)
    assert sorted(seats(purchase)) == [("A", 6)] + [("B", n) for n in range(1, 7)]
    assert purchase["seats"] == "Stalls, row B, seats 1–6; row A, seat 6"
    assert hall.free() == 0


def test_over_areas(stack, venue, people):
    venue.add("Stalls", rows=[2])
    venue.add("Balcony", rows=[2])
    assert venue.buy(next(people), 4, together=False)["seats"] == "Stalls, row A, seats 1–2. Balcony, row A, seats 1–2"


def test_standing(stack, venue, people):
    venue.add("Floor", places=70)
    got = [venue.buy(next(people), n) for n in [8] * 7 + [7, 7]]
    assert {p["seats"] for p in got} == {"Floor, 8 places", "Floor, 7 places"}
    assert venue.free() == 0
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 409, "Sold out", "sold_out")


def test_an_area_and_a_price(stack, venue, people):
    cheap, dear = venue.add("Dear", rows=[4], price=9000), venue.add("Cheap", rows=[4], price=1000)
    cheap, dear = dear, cheap
    assert places(venue.buy(next(people), 1))[0][0] == "Dear"
    assert places(venue.buy(next(people), 1, areaId=cheap))[0][0] == "Cheap"
    assert places(venue.buy(next(people), 1, maxPrice=10))[0][0] == "Cheap"
    assert places(venue.buy(next(people), 1, maxPrice=89.99))[0][0] == "Cheap"
    assert places(venue.buy(next(people), 1, maxPrice=90, areaId=dear))[0][0] == "Dear"
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 1, "maxPrice": 9.99}), 409, "No place is left at this price", "sold_out")


def test_accessible_places_are_for_those_who_ask(stack, venue, people):
    kept = venue.add("Wheelchairs", rows=[4], accessible=True)
    venue.add("Stalls", rows=[2])
    assert places(venue.buy(next(people), 2))[0][0] == "Stalls"
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 409, "Sold out", "sold_out")
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 1, "areaId": kept}), 409, "kept for people")
    for body in ({"ticketIds": [venue.ticket("Wheelchairs", "A", 1)]}, {"ticketId": venue.ticket("Wheelchairs", "A", 1)}):
        refused(next(people).post("/api/purchases" if "ticketIds" in body else "/api/orders", json=body), 409, "kept for people")
    chosen = next(people).post("/api/purchases", json={"ticketIds": [venue.ticket("Wheelchairs", "A", 4)], "accessible": True})
    assert chosen.status_code == 201
    assert places(venue.buy(next(people), 2, accessible=True))[0][0] == "Wheelchairs"
    assert places(venue.buy(next(people), 1, accessible=True, areaId=kept))[0][0] == "Wheelchairs"


def test_few_are_left(stack, venue, people):
    venue.add("Box", rows=[4])
    venue.buy(next(people), 2)
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 3}), 409, "Only 2 places are left", "too_few")
    venue.buy(next(people), 1)
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 3}), 409, "Only 1 place is left", "too_few")


def test_by_ids(stack, hall, seller, buyer, other):
    chosen = [hall.ticket("Stalls", "B", 4), hall.ticket("Stalls", "A", 2)]
    answer = buyer.post("/api/purchases", json={"ticketIds": chosen})
    assert answer.status_code == 201, answer.text
    purchase = answer.json()
    assert [o["ticket"]["id"] for o in purchase["orders"]] == chosen
    assert purchase["seats"] == "Stalls, row B, seat 4; row A, seat 2"
    refused(other.post("/api/purchases", json={"ticketIds": [hall.ticket("Stalls", "A", 1), chosen[1]]}), 409, "is reserved")
    assert hall.stack.sql("orders", "select count(*) from orders where user_id = %s", other.id) == [(0,)], "all or none"
    refused(seller.post("/api/purchases", json={"ticketIds": chosen}), 409, "your own")
    refused(buyer.post("/api/purchases", json={"ticketIds": [missing_id()]}), 404, "No such ticket")


def test_tickets_of_people_together(stack, seller, buyer, people):
    sellers = [seller, next(people)]
    tickets = [list_ticket(stack, s, price=n)["id"] for s, n in zip(sellers, (10, 20))]
    purchase = buyer.post("/api/purchases", json={"ticketIds": tickets}).json()
    assert (purchase["total"], purchase["currency"]) == (30, "USD") and "seats" not in purchase
    assert [o["ticket"]["id"] for o in purchase["orders"]] == tickets


def test_a_place_by_the_route_of_single_tickets(stack, hall, buyer, other, seller):
    """Its show has a say there, too; and who asks for the best places goes past it."""
    ticket = hall.ticket("Stalls", "A", 1)
    order = buyer.place({"id": ticket})
    assert order["ticket"]["id"] == ticket and buyer.get(f"/api/purchases/{order['id']}").json()["orders"] == [order]
    key = {"Idempotency-Key": str(uuid.uuid4())}
    again = [buyer.post("/api/orders", json={"ticketId": hall.ticket("Stalls", "A", 2)}, headers=key) for _ in range(2)]
    assert [a.status_code for a in again] == [201, 201] and again[0].json() == again[1].json()
    refused(other.post("/api/orders", json={"ticketId": ticket}), 409, "reserved")
    refused(seller.post("/api/orders", json={"ticketId": hall.ticket("Stalls", "A", 3)}), 409, "your own")
    assert seats(hall.buy(other, 4)) == [("A", n) for n in (3, 4, 5, 6)]
    [event] = stack.topic("orders").of(ticket, 1)
    assert (event["purchaseId"], event["purchaseSize"], event["showId"]) == (uuid.UUID(order["id"]), 1, uuid.UUID(hall.id))


def test_a_draft_is_not_sold(stack, seller, buyer):
    venue = Venue(stack, seller, status="draft")
    venue.add("Stalls", rows=[2])
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 404, "No such show")
    refused(buyer.post("/api/orders", json={"ticketId": venue.ticket("Stalls", "A", 1)}), 404, "No such ticket")
    refused(buyer.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", 1)]}), 404, "No such ticket")
    venue.tell("announced")
    venue.buy(buyer, 1)
    venue.tell("cancelled")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 404, "No such show")


@pytest.mark.parametrize("body, field, words", [
    ({}, "showId", "is required"),
    ({"quantity": 1}, "showId", "is required"),
    ({"showId": SOME}, "quantity", "is required"),
    ({"showId": "x", "quantity": 1}, "showId", "UUID"),
    ({"showId": SOME, "quantity": 1, "areaId": 7}, "areaId", "UUID"),
    *(({"showId": SOME, "quantity": n}, "quantity", "from 1 to 8") for n in (0, 9, 1.5, "2", True, -1)),
    ({"showId": SOME, "quantity": 1, "maxPrice": 0}, "maxPrice", "price"),
    ({"showId": SOME, "quantity": 1, "maxPrice": "9"}, "maxPrice", "price"),
    ({"showId": SOME, "quantity": 1, "together": 1}, "together", "true or false"),
    ({"showId": SOME, "quantity": 1, "accessible": "no"}, "accessible", "true or false"),
    ({"ticketIds": []}, "ticketIds", "1 to 8"),
    ({"ticketIds": "x"}, "ticketIds", "1 to 8"),
    ({"ticketIds": [str(uuid.UUID(int=n)) for n in range(9)]}, "ticketIds", "1 to 8"),
    ({"ticketIds": ["x"]}, "ticketIds", "UUID"),
    ({"ticketIds": [SOME] * 2}, "ticketIds", "twice"),
    ({"ticketIds": [SOME], "showId": SOME, "quantity": 1}, "ticketIds", "combined"),
    ({"ticketIds": [SOME], "areaId": SOME, "maxPrice": 5}, "ticketIds", "combined")])
def test_bad_bodies(buyer, body, field, words):
    answer = buyer.post("/api/purchases", json=body)
    assert answer.status_code == 400
    assert [message for about, message in errors(answer) if about == field and words in message], answer.text


def test_nobody_signed_in(stack, hall):
    nobody = User(stack.url)
    for method, path in [("POST", ""), ("GET", ""), ("GET", f"/{missing_id()}"), ("DELETE", f"/{missing_id()}")]:
        refused(nobody.request(method, f"/api/purchases{path}", json={}), 401)


def test_what_cannot_be_bought(stack, hall, seller, buyer):
    refused(buyer.post("/api/purchases", json={"showId": missing_id(), "quantity": 1}), 404, "No such show")
    refused(buyer.post("/api/purchases", json={"showId": hall.id, "quantity": 1, "areaId": missing_id()}), 404, "no such area")
    refused(seller.post("/api/purchases", json={"showId": hall.id, "quantity": 1}), 409, "This show is your own")


def test_how_many_of_a_show(stack, seller, buyer):
    """Paid or not, by whichever route; and what was given back may be bought again."""
    venue = Venue(stack, seller, per_user=4)
    venue.add("Stalls", rows=[20])
    first = venue.buy(buyer, 3)
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 409, "one person", "limit")
    venue.buy(buyer, 1)
    refused(buyer.post("/api/orders", json={"ticketId": venue.ticket("Stalls", "A", 20)}), 409, "one person", "limit")
    refused(buyer.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", 20)]}), 409, "one person", "limit")
    assert buyer.delete(f"/api/purchases/{first['id']}").status_code == 204
    venue.buy(buyer, 3)
    venue.check()


def test_what_is_paid_counts_as_well(stack, seller, buyer):
    """Or one account could buy the house."""
    venue = Venue(stack, seller, per_user=4)
    venue.add("Stalls", rows=[20])
    first = venue.buy(buyer, 3)
    wait_payable(stack, first["id"])
    assert answered(lambda: buyer.post("/api/payments", json={"purchaseId": first["id"], "token": "pm_card_visa"})).status_code == 201
    wait_until(lambda: buyer.get(f"/api/purchases/{first['id']}").json()["status"] == "complete", "it is paid")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 409, "one person", "limit")
    refused(buyer.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", n) for n in (19, 20)]}), 409, "one person", "limit")
    venue.buy(buyer, 1)
    venue.check()


def test_standing_together_is_in_one_area(stack, seller, people):
    """Two here and two there, at two prices, are not together."""
    venue = Venue(stack, seller)
    venue.add("Floor", places=2, price=2000)
    venue.add("Gallery", places=2, price=6000)
    wish = {"showId": venue.id, "quantity": 4}
    answer = next(people).post("/api/purchases", json=wish)
    refused(answer, 409, "4 places side by side", "not_together")
    assert answer.json()["left"] == venue.free() == 4
    venue.add("Balcony", places=63, price=1000)  # a block of 60 and one of 3
    venue.buy(next(people), 8, areaId=venue.areas["Balcony"])
    for _ in range(6):
        venue.buy(next(people), 8, areaId=venue.areas["Balcony"])
    assert {o["ticket"]["title"] for o in venue.buy(next(people), 4)["orders"]} == {"A show, Balcony"}  # of both blocks, perhaps
    venue.buy(next(people), 4, together=False)
    venue.check()


def test_accessible_places_where_there_are_none(stack, seller, buyer):
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[20])
    wish = {"showId": venue.id, "quantity": 1, "accessible": True}
    refused(buyer.post("/api/purchases", json=wish), 409, "no places there for people who need accessibility")
    venue.add("Boxes", rows=[2], accessible=True)
    refused(buyer.post("/api/purchases", json=wish | {"areaId": venue.areas["Stalls"]}), 409, "no places there")
    venue.buy(buyer, 1, accessible=True)
    ticket = venue.ticket("Boxes", "A", 2)
    refused(buyer.post("/api/purchases", json={"ticketIds": [ticket]}), 409, "accessibility")
    assert buyer.post("/api/purchases", json={"ticketIds": [ticket], "accessible": True}).status_code == 201


def test_a_show_that_took_place_is_not_sold(stack, seller, buyer):
    venue = Venue(stack, seller, starts_in=-13 * 3600)
    venue.add("Stalls", rows=[20])
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 409, "over", "over")
    refused(buyer.post("/api/orders", json={"ticketId": venue.ticket("Stalls", "A", 1)}), 409, "over", "over")
    last_night = Venue(stack, seller, starts_in=-11 * 3600)
    last_night.add("Stalls", rows=[20])
    last_night.buy(buyer, 1)


def test_at_most_that_price(stack, seller, people):
    """Below the cheapest place nobody gets one, whatever was refused before; above it he does."""
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[4], price=6000)
    venue.add("Balcony", rows=[4], price=2000)
    for price, status in ((19.99, 409), (0.5, 409), (19.99, 409), (20, 201), (59.99, 201), (60, 201), (19.99, 409)):
        answer = next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 2, "maxPrice": price})
        assert answer.status_code == status, (price, answer.text)
        if status == 409:
            refused(answer, 409, "No place is left at this price", "sold_out")
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 2, "maxPrice": 59.99}), 409, "at this price", "sold_out")
    venue.buy(next(people), 2)
    refused(next(people).post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 409, "Sold out", "sold_out")
    venue.check()


def test_a_cancellation_waits_for_nobody(stack, seller, buyer):
    """Neither for consumers, who take turns, nor for a row of seats that another transaction has."""
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[20, 20])
    first, second = venue.buy(buyer, 3), venue.buy(buyer, 3)
    with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as db:
        db.execute("select pg_advisory_xact_lock(hashtextextended('lock_purchases', 0))")
        assert buyer.delete(f"/api/purchases/{first['id']}").status_code == 204
    with psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as db:
        db.execute("select from seat_rows where show_id = %s for update", [venue.id])
        refused(buyer.delete(f"/api/purchases/{second['id']}"), 503)
    assert buyer.delete(f"/api/purchases/{second['id']}").status_code == 204
    venue.check()


def test_holds_of_a_buyer(stack, people, seller, buyer):
    venues = [Venue(stack, seller) for _ in range(2)]
    for venue in venues:
        venue.add("Stalls", rows=[20])
    venues[0].buy(buyer, 8)
    refused(buyer.post("/api/purchases", json={"showId": venues[1].id, "quantity": 3}), 409, "10 unpaid tickets")
    venues[1].buy(buyer, 2)
    refused(buyer.post("/api/orders", json={"ticketId": list_ticket(stack, seller)["id"]}), 409, "10 unpaid tickets")


def test_a_limit_holds_for_requests_at_once(stack, seller, people):
    """On two instances, with every way to ask."""
    venue = Venue(stack, seller, per_user=5)
    venue.add("Stalls", rows=[30, 30])
    buyers = [next(people) for _ in range(4)]
    bodies = [{"showId": venue.id, "quantity": n} for n in (1, 2, 3)] * 6
    wishes = [(b, body) for body in bodies for b in buyers]
    with Replica(stack, "orders") as second:
        second.wait_ready()
        with ThreadPoolExecutor(16) as pool:
            urls = itertools.cycle([stack.env["ORDERS_URL"], second.url])

            def buy(wish):
                user = User(next(urls), wish[0].headers["Authorization"].removeprefix("Bearer "))
                return answered(lambda: user.post("/api/purchases", json=wish[1])).status_code
            answers = list(pool.map(buy, wishes))
    assert set(answers) == {201, 409}
    for buyer in buyers:
        assert stack.sql("orders", "select count(*) from orders where user_id = %s and status <> 'cancelled'", buyer.id) == [(5,)]
    venue.check()


def test_a_show_of_few_and_other_tickets(stack, seller, buyer, other):
    """The limit is of places of that show alone."""
    venue = Venue(stack, seller, per_user=1)
    venue.add("Stalls", rows=[4])
    tickets = [venue.ticket("Stalls", "A", 1)] + [list_ticket(stack, other)["id"] for _ in range(3)]
    assert buyer.post("/api/purchases", json={"ticketIds": tickets}).status_code == 201
    refused(buyer.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", 2)]}), 409, "one person", "limit")


# --- several in one execution ---

class Batch:
    """place_purchase.sql as a batch of requests reaches it, in a transaction that is taken back."""

    def __init__(self, stack, venue):
        self.stack, self.venue = stack, venue
        self.statement = re.sub(r"\$(\d+)::", lambda m: f"%(p{m[1]})s::", (ROOT / "services/orders/sql/place_purchase.sql").read_text().replace("%", "%%"))

    def connect(self):
        database = conninfo_to_dict(self.stack.env["ORDERS_DATABASE_URL"])["dbname"]
        return psycopg.connect(make_conninfo(self.stack.env["ORDERS_POSTGRES_URL"], dbname=database), cursor_factory=psycopg.ClientCursor)

    def ask(self, connection, wishes):
        columns = list(zip(*[self.request(**wish) for wish in wishes]))
        return connection.execute(self.statement, {f"p{n}": list(values) for n, values in enumerate(columns, 1)}).fetchall()

    def titles(self, connection, wishes):
        """Of each wish what it got."""
        rows = self.ask(connection, wishes)
        return [[row[7] for row in rows if row[0] == n] for n in range(1, len(wishes) + 1)]

    def verdicts(self, *wishes):
        with self.connect() as connection:
            connection.execute("set track_functions = 'pl'")
            rows = self.ask(connection, wishes)
            self.calls = dict(connection.execute("select funcname, calls from pg_stat_xact_user_functions").fetchall())
            connection.rollback()
        return {row[0]: row[13] for row in rows}

    def request(self, tickets=None, quantity=1, together=True, area=None, accessible=False, max_price=2 ** 63 - 1):
        purchase = uuid.UUID(int=uuid.uuid4().int >> 4 << 4)
        return (purchase, uuid.uuid4(), None if tickets else uuid.UUID(self.venue.id), area, quantity, together, accessible, max_price,
                "{" + ",".join(tickets) + "}" if tickets else None, None, None, 900, 300, 10, None, None, 0, 0,
                uuid.uuid4(), "203.0.113.77", "203.0.113.0/24")


def test_two_in_a_batch_want_the_same_place(stack, hall):
    """By its id, and as the best there is: one gets it, and nobody else's request is harmed."""
    batch, first = Batch(stack, hall), hall.ticket("Stalls", "A", 1)
    assert batch.verdicts({"tickets": [first]}, {"tickets": [first]}, {"quantity": 6}) == {1: "placed", 2: "reserved", 3: "placed"}
    assert batch.verdicts({"quantity": 2}, {"tickets": [first]}, {"quantity": 4}) == {1: "placed", 2: "reserved", 3: "placed"}
    assert batch.verdicts({"tickets": [first]}, {"quantity": 5}, {"quantity": 6}) == {1: "placed", 2: "placed", 3: "placed"}


def verdicts_beside_a_rival(batch, ticket, *wishes):
    """He is not done yet, so nobody sees that he has the ticket; the index does. The batch waits for him."""
    waiting = "select 1 from pg_stat_activity where wait_event = 'transactionid' and query like '%%write_purchases%%'"
    with batch.connect() as rival, batch.connect() as observer, ThreadPoolExecutor(1) as pool:
        observer.autocommit = True
        begin_order(rival, ticket)
        asked = pool.submit(batch.verdicts, *wishes)
        try:
            wait_until(lambda: asked.done() or observer.execute(waiting).fetchall(), "the batch waits for him")
        finally:
            rival.commit()
        verdicts = asked.result()
        rival.execute("delete from orders where ticket_id = %s", [ticket])
        return verdicts


def test_a_rival_by_id_harms_one_request_alone(stack, hall):
    batch, ticket = Batch(stack, hall), hall.ticket("Stalls", "B", 3)
    assert verdicts_beside_a_rival(batch, ticket, {"quantity": 6}, {"tickets": [ticket]}, {"quantity": 2}) == {
        1: "placed", 2: "reserved", 3: "placed"}


def test_after_a_rival_nobody_who_holds_a_ticket_waits_for_another(stack, hall, seller):
    """Requests are then placed in the order in which they came, which is not that of their tickets: whoever has the second of two, and
    waits for the first, could wait for one who has the first and waits for the second."""
    tickets = sorted(list_ticket(stack, seller)["id"] for _ in range(3))
    wishes = [{"tickets": [tickets[n]]} for n in (0, 2, 1)]
    assert verdicts_beside_a_rival(Batch(stack, hall), tickets[0], *wishes, {"quantity": 2}) == {
        1: "reserved", 2: "placed", 3: "again", 4: "placed"}


def test_near_the_end_one_looks_for_all(stack, venue, people):
    """Everybody wants two together, and there are single seats everywhere."""
    venue.add("Stalls", rows=[2] * 60)
    stack.sql("orders", "update seat_rows set free = 1, longest = 1 where show_id = %s", venue.id)
    batch = Batch(stack, venue)
    assert set(batch.verdicts(*[{"quantity": 2}] * 50).values()) == {"none"}
    assert (batch.calls["claim_places"], batch.calls["places_left"], batch.calls["judge_purchases"]) == (1, 1, 1)
    stack.sql("orders", "update seat_rows set free = 3, longest = 2 where show_id = %s", venue.id)


NONE_ALIKE = """
create or replace function claim_alike(requests purchase_request[], judged text[], n int, inout claimed purchase_request[], out next int)
language plpgsql as $$ begin next := n; end $$"""


@pytest.mark.parametrize("seed", range(8))
def test_a_batch_gives_what_one_by_one_gives(stack, venue, seed):
    """Requests for several places of the same kind are decided over the same rows of seats, read once."""
    some = random.Random(seed)
    ranks = some.sample(range(4), 4)
    areas = [uuid.UUID(venue.add(name, rank=rank, price=price, accessible=accessible, rows=[some.randint(2, 12) for _ in range(13)]))
             for rank, name, price, accessible in zip(ranks, ("Stalls", "Circle", "Box"), (3000, 2000, 3000), (False, False, True))]
    areas.append(uuid.UUID(venue.add("Floor", places=30, price=1000, rank=ranks[3])))
    rows = [(some.getrandbits(12), row) for row, in stack.sql("orders", "select id from seat_rows where show_id = %s order by id", venue.id)]
    wishes, wish = [], None
    for _ in range(60):
        if wish is None or some.random() < 0.3:  # several alike follow one another
            area = some.choice([None, None, *areas])
            wish = {"area": area, "accessible": area == areas[2] or some.random() < 0.1, "max_price": some.choice([2 ** 63 - 1, 2000])}
        wishes.append(wish | {"quantity": some.choice([1, 2, 2, 3, 4, 6]), "together": some.random() < 0.8})
    batch = Batch(stack, venue)
    got, calls = [], []
    for at_once, alone in ((len(wishes), ""), (5, ""), (1, NONE_ALIKE)):
        with batch.connect() as connection:
            connection.execute("set track_functions = 'pl'")
            connection.execute(alone)
            for taken, row in rows:
                connection.execute("select set_free(%s, %s, false)", [row, taken])
            got.append([got for n in range(0, len(wishes), at_once) for got in batch.titles(connection, wishes[n:n + at_once])])
            calls += connection.execute("select calls from pg_stat_xact_user_functions where funcname = 'claim_places'").fetchone()
            connection.rollback()
    assert got[0] == got[2]
    assert got[1] == got[2]
    assert sum(titles != [None] for titles in got[0]) > 5
    assert calls[0] < calls[2]


def test_others_seats_are_not_read(stack, venue):
    """However many there are: the plan that a session keeps goes by keys."""
    venue.add("Stalls", rows=[2] * 200)
    stack.sql("orders", "analyze seat_rows")
    with Batch(stack, venue).connect() as connection:
        for setting in settings_of_the_service().items():
            connection.execute("select set_config(%s, %s, true)", setting)
        for _ in range(2):  # the first makes the plans of what is called
            Batch(stack, venue).ask(connection, [{"quantity": 2}] * 3)
        [(read,)] = connection.execute("select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'seat_rows'")
        connection.rollback()
    assert read < 60


# --- Idempotency-Key ---

def test_the_same_key_again(stack, hall, buyer, other):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    purchase = hall.buy(buyer, 3, headers=key)
    assert hall.buy(buyer, 3, headers=key) == purchase
    refused(buyer.post("/api/purchases", json={"showId": hall.id, "quantity": 2}, headers=key), 422, "another body")
    refused(buyer.post("/api/orders", json={"ticketId": hall.ticket("Stalls", "B", 1)}, headers=key), 422, "another body")
    assert hall.buy(other, 3, headers=key)["id"] != purchase["id"]
    buyer.delete(f"/api/purchases/{purchase['id']}")
    again = hall.buy(buyer, 3, headers=key)
    assert (again["id"], again["status"]) == (purchase["id"], "cancelled")
    with ThreadPoolExecutor(8) as pool:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        mine = [at_once.result()["id"] for at_once in [pool.submit(hall.buy, User(stack.url, buyer.headers["Authorization"][7:]), 2, key)
                                                       for _ in range(8)]]
    assert len(set(mine)) == 1


# --- GET, list ---

def test_get(stack, hall, buyer, other):
    purchase = hall.buy(buyer, 2)
    refused(other.get(f"/api/purchases/{purchase['id']}"), 403, "somebody else's")
    refused(buyer.get(f"/api/purchases/{missing_id()}"), 404, "No such purchase")
    refused(buyer.get(f"/api/purchases/{purchase['orders'][1]['id']}"), 404, "No such purchase")
    refused(buyer.get("/api/purchases/x"), 404)


def test_pages(stack, venue, buyer, seller):
    venue.add("Stalls", rows=[10])
    made = [venue.buy(buyer, 2), buyer.place(list_ticket(stack, seller)), venue.buy(buyer, 3), venue.buy(buyer, 1)]
    found, path = [], "/api/purchases?limit=2"
    while path:
        page = buyer.get(path)
        assert page.status_code == 200 and len(page.json()) <= 2
        found += [(p["id"], len(p["orders"])) for p in page.json()]
        path = page.links["next"]["url"] if "next" in page.links else None
    assert found == [(m["id"], len(m.get("orders", [0]))) for m in reversed(made)]


# --- the end of a purchase ---

def whole(stack, purchase, *types):
    """Each ticket's events, which are those of the whole purchase."""
    for order in purchase["orders"]:
        events = stack.topic("orders").of(order["ticket"]["id"], len(types))
        assert [(e["type"], e["version"]) for e in events if str(e["id"]) == order["id"]] == [(t, n) for n, t in enumerate(types, 1)]


@pytest.mark.parametrize("route, which", [("purchases", 0), ("orders", 0), ("orders", 2)])
def test_cancel(stack, hall, buyer, other, route, which):
    """By itself or by any of its orders; its places can be bought again at once."""
    purchase = hall.buy(buyer, 3)
    path = f"/api/{route}/{purchase['orders'][which]['id']}"
    refused(other.delete(path), 403)
    for _ in range(2):
        assert buyer.delete(path).status_code == 204
    assert hall.free() == 12
    whole(stack, purchase, "OrderCreated", "OrderCancelled")
    assert buyer.get(f"/api/purchases/{purchase['id']}").json()["status"] == "cancelled"
    assert seats(hall.buy(other, 3)) == seats(purchase)


def test_cancel_what_is_not_there(stack, buyer):
    refused(buyer.delete(f"/api/purchases/{missing_id()}"), 404, "No such purchase")


def test_expiry(stack, hall, buyer, other, short):
    """Each order has a timer; the first that rings ends all."""
    answer = at(short, buyer).post("/api/purchases", json={"showId": hall.id, "quantity": 4})
    assert answer.status_code == 201
    purchase = answer.json()
    wait_until(lambda: buyer.get(f"/api/purchases/{purchase['id']}").json()["status"] == "cancelled", "it expires")
    assert {o["status"] for o in buyer.get(f"/api/purchases/{purchase['id']}").json()["orders"]} == {"cancelled"}
    whole(stack, purchase, "OrderCreated", "OrderCancelled")
    assert hall.free() == 12
    assert seats(hall.buy(other, 4)) == seats(purchase)


def test_withdrawn(stack, hall, buyer):
    """A place that its seller withdraws is not sold again, and takes its purchase along."""
    purchase = hall.buy(buyer, 2)
    ticket = hall.tickets["Stalls", "A", 2]
    stack.topic("tickets").produce(hall.event(ticket, type="TicketCancelled", status="cancelled", version=2), key="id")
    wait_until(lambda: buyer.get(f"/api/purchases/{purchase['id']}").json()["status"] == "cancelled", "it ends")
    whole(stack, purchase, "OrderCreated", "OrderCancelled")
    bought = [s for _ in range(3) for s in seats(hall.buy(buyer, 2))]
    assert ("A", 2) not in bought and hall.free() == 12 - 1 - len(bought), "and no other place is lost"


def test_a_place_that_is_not_sold_any_more(stack, venue, buyer, other):
    """As after a refund or a lost order, when a request meets the copy that still says 'sold': the place is for sale again afterwards."""
    venue.add("Stalls", rows=[2])
    ticket = venue.tickets["Stalls", "A", 1]

    def tell(status, version):
        stack.topic("tickets").produce(venue.event(ticket, type="TicketUpdated", status=status, version=version), key="id")
        wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s and version = %s", ticket["id"], version), "orders knows")
    tell("sold", 2)
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 409, "Only 1 place", "too_few")
    assert venue.free() == 1
    tell("available", 3)
    assert venue.free() == 2
    tell("sold", 4)
    assert seats(venue.buy(other, 1)) == [("A", 2)] and venue.free() == 0
    own = venue.tickets["Stalls", "A", 2]["id"]
    stack.topic("tickets").produce(*(venue.event(venue.tickets["Stalls", "A", seat], type="TicketUpdated", status=status, version=version)
                                     for seat, status, version in ((2, "sold", 2), (2, "available", 3), (1, "reserved", 5))), key="id")
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s and version = 3", own)
               and stack.sql("orders", "select 1 from tickets where id = %s and version = 5", ticket["id"]), "orders knows")
    assert venue.free() == 1, "a place that an order has stays taken"
    assert seats(venue.buy(buyer, 1)) == [("A", 1)]


def test_replay(stack, hall, buyer):
    """What comes again about places changes nothing."""
    hall.buy(buyer, 2)
    version = stack.sql("orders", "select version, places from areas where id = %s", hall.areas["Stalls"])
    stack.topic("tickets").produce(*(hall.event(t) for t in hall.tickets.values()), key="id")
    mark = list_ticket(stack, buyer)
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s", mark["id"]), "orders has read on")
    assert hall.free() == 10
    assert stack.sql("orders", "select version, places from areas where id = %s", hall.areas["Stalls"]) == version


# --- many at once ---

def test_everything_at_once(stack, seller, people):
    """Two instances; purchases, single orders by id, cancellations of both: nothing deadlocks, nothing is sold twice, nothing is lost."""
    venue = Venue(stack, seller, per_user=100)
    venue.add("Stalls", rows=[12] * 12)
    venue.add("Floor", places=100)
    def deadlocks():
        return stack.sql("orders", "select deadlocks from pg_stat_database where datname = current_database()")[0][0]
    before, ids = deadlocks(), [t["id"] for t in venue.tickets.values()]
    counts = collections.Counter()

    def person(seed, token, urls):
        dice, me = random.Random(seed), [User(url, token) for url in urls]
        for _ in range(40):
            user = dice.choice(me)
            if dice.random() < 0.6:
                path, wish = "purchases", {"showId": venue.id, "quantity": dice.randint(1, 5), "together": dice.random() < 0.7}
            elif dice.random() < 0.5:
                path, wish = "purchases", {"ticketIds": dice.sample(ids, 3)}
            else:
                path, wish = "orders", {"ticketId": dice.choice(ids)}
            answer = answered(lambda: user.post(f"/api/{path}", json=wish))
            counts[answer.status_code] += 1
            if answer.status_code == 201 and dice.random() < 0.7:
                where = "purchases" if dice.random() < 0.5 else "orders"
                counts[answered(lambda: user.delete(f"/api/{where}/{answer.json()['id']}")).status_code] += 1

    tokens = stack.tokens(24)
    with Replica(stack, "orders") as second:
        second.wait_ready()
        with ThreadPoolExecutor(24) as pool:
            done = [pool.submit(person, n, token, [stack.env["ORDERS_URL"], second.url]) for n, token in enumerate(tokens)]
            for d in done:
                d.result()
    assert set(counts) <= {201, 204, 409} and counts[201] > 100 and counts[204] > 50, counts
    assert deadlocks() == before
    venue.check()
    held = stack.sql("orders", "select count(*) from orders where show_id = %s and status <> 'cancelled'", venue.id)[0][0]
    assert held <= len(ids)


def test_one_seat_too_few(stack, seller, people):
    """Everybody wants two together, and more come than there is room for: as many are sold as fit."""
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[20] * 5)
    tokens = stack.tokens(150)
    with Replica(stack, "orders") as second:
        second.wait_ready()
        statuses = asyncio.run(all_at_once([stack.env["ORDERS_URL"], second.url], tokens,
                                           [f'{{"showId":"{venue.id}","quantity":2}}'] * 150, path="/api/purchases"))
    assert statuses == {201: 50, 409: 100}
    assert venue.free() == 0
    venue.check()
