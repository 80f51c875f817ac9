"""The contract of tickets, route by route: answers, failures, events, and what it does about orders."""
import datetime
import time
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from support import ROOT, User, errors, missing_id, wait_until
from waits import answered

PRICE_ERROR = "Price must be a price from 0.50 to 999,999.99 with at most two decimals"


@pytest.fixture(scope="module")
def other(stack):
    return stack.user()


# --- POST ---

def test_create(stack, seller):
    answer = seller.post("/api/tickets", json={"title": "  Käse & 🎫  ", "price": "20.50"})
    assert answer.status_code == 201
    ticket = answer.json()
    assert ticket == {"id": ticket["id"], "title": "Käse & 🎫", "price": 20.5, "currency": "USD", "userId": seller.id,
                      "status": "available", "version": 1}
    assert uuid.UUID(ticket["id"]).version == 7
    assert answer.headers["ETag"] == '"1"'
    [event] = stack.topic("tickets").of(ticket["id"], 1)
    occurred = event.pop("occurredAt")
    assert event == {"type": "TicketCreated", "id": uuid.UUID(ticket["id"]), "version": 1, "title": "Käse & 🎫",
                     "price": 2050, "currency": "USD", "userId": uuid.UUID(seller.id), "status": "available", "orderId": None,
                     **dict.fromkeys(("showId", "areaId", "areaName", "rowName", "seat", "rank", "accessible", "date", "venue", "city"))}
    assert abs(occurred.timestamp() * 1000 - event.timestamp) < 60_000
    assert event.headers["type"] == "TicketCreated" and int(event.headers["epoch"]) >= 1
    assert event.position > (0, 0)


def test_trace_goes_from_request_to_event(stack, seller):
    trace = uuid.uuid4().hex
    answer = seller.post("/api/tickets", json={"title": "t", "price": 1},
                         headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.headers["traceparent"].split("-")[1] == trace
    [event] = stack.topic("tickets").of(answer.json()["id"], 1)
    assert event.headers["traceparent"].split("-")[1] == trace


@pytest.mark.parametrize("price, minor", [
    (0.5, 50), ("0.50", 50), (20, 2000), ("20", 2000), ("20.5", 2050), (999999.99, 99999999), ("999999.99", 99999999),
    (1e2, 10000), (19.99, 1999), (0.57, 57), (1.005e3, 100500)])
def test_prices_taken(stack, seller, price, minor):
    ticket = seller.list_ticket(price=price)
    assert round(ticket["price"] * 100) == minor and ticket["price"] == minor / 100
    [[kept]] = stack.sql("tickets", "select price from tickets where id = %s", ticket["id"])
    assert kept == minor


@pytest.mark.parametrize("price", [
    0, 0.49, -1, 0.505, 20.001, 1000000, 1e300, "", " ", "20,00", "20.", ".5", "1e2", "0x10", "-5", "+5", "20.001", "１２", "NaN",
    "9" * 400, True, False, [], {}, [20]])
def test_prices_refused(seller, price):
    answer = seller.post("/api/tickets", json={"title": "t", "price": price})
    assert answer.status_code == 400
    assert errors(answer) == [("price", PRICE_ERROR)]


@pytest.mark.parametrize("title", ["x", "x" * 200, "🎫" * 200, " " * 50 + "y" + "\u3000" * 500, "a\nb", "<script>", "'; drop table tickets --"])
def test_titles_taken(seller, title):
    assert seller.list_ticket(title=title)["title"] == title.strip()


@pytest.mark.parametrize("title", ["", "   ", "\u00a0\u2003", "x" * 201, "🎫" * 201])
def test_titles_of_wrong_length(seller, title):
    answer = seller.post("/api/tickets", json={"title": title, "price": 1})
    assert answer.status_code == 400
    assert errors(answer) == [("title", "Title must have 1 to 200 characters")]


def test_all_errors_at_once(seller):
    for body, fields in [({}, ["title", "price"]), ({"title": 5, "price": "x"}, ["title", "price"]),
                         ({"title": None, "price": None}, ["title", "price"]), ({"title": "ok"}, ["price"])]:
        answer = seller.post("/api/tickets", json=body)
        assert answer.status_code == 400
        assert [field for field, _ in errors(answer)] == fields


def test_session_comes_before_the_body(stack):
    answer = User(stack.url).post("/api/tickets", data="not json")
    assert answer.status_code == 401
    errors(answer)


def test_idempotency_key(stack, seller, other):
    key, body = {"Idempotency-Key": str(uuid.uuid4())}, {"title": "once", "price": 7}
    first = seller.post("/api/tickets", json=body, headers=key)
    again = seller.post("/api/tickets", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    changed = seller.post("/api/tickets", json={"title": "twice", "price": 7}, headers=key)
    assert changed.status_code == 422
    errors(changed)
    somebody_else = other.post("/api/tickets", json=body, headers=key)
    assert somebody_else.status_code == 201 and somebody_else.json()["id"] != first.json()["id"]
    edited = seller.put(f"/api/tickets/{first.json()['id']}", json={"title": "edited", "price": 8})
    assert edited.status_code == 200
    assert seller.post("/api/tickets", json=body, headers=key).status_code == 201, "compared with the body of that time"
    assert len(stack.topic("tickets").of(first.json()["id"], 2)) == 2, "one TicketCreated and the edit"


def test_idempotency_key_raced(stack, seller):
    token = seller.headers["Authorization"]
    for _ in range(5):
        key = {"Idempotency-Key": str(uuid.uuid4()), "Authorization": token}

        def post(_):
            return answered(lambda: User(stack.url).post("/api/tickets", json={"title": "raced", "price": 7}, headers=key))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(post, range(16)))
        assert {a.status_code for a in answers} == {201}
        assert len({a.json()["id"] for a in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ü"])
def test_idempotency_key_malformed(seller, key):
    answer = seller.post("/api/tickets", json={"title": "t", "price": 1}, headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 400
    errors(answer)


# --- when and where a ticket is for ---

def day(days):
    return (datetime.date.today() + datetime.timedelta(days)).isoformat()


def test_when_and_where(stack, seller):
    where = {"date": day(30), "venue": "House & Hall", "city": "Bern"}
    ticket = seller.post("/api/tickets", json={"title": "t", "price": 1, **where, "venue": " House & Hall "}).json()
    path = f"/api/tickets/{ticket['id']}"
    assert {k: ticket[k] for k in where} == where and seller.get(path).json() == ticket
    edited = seller.put(path, json={"title": "t", "price": 1, "date": day(31), "city": ""}).json()
    assert edited["date"] == day(31) and not {"venue", "city"} & set(edited), "what is not given is taken away"
    seller.put(path, json={"title": "t", "price": 1, **where})
    stack.topic("orders").produce(order(ticket, "created", 1))
    events = stack.topic("tickets").of(ticket["id"], 4)
    assert [(e["date"], e["venue"], e["city"]) for e in events] == [tuple(where.values()), (day(31), None, None), *[tuple(where.values())] * 2]
    assert [e["status"] for e in events][-1] == "reserved", "an order changes nothing of it"


@pytest.mark.parametrize("wrong, field, words", [
    ({"date": "2027-02-30"}, "date", "must be a date like 2027-06-01"), ({"date": "soon"}, "date", "must be a date like 2027-06-01"),
    ({"date": "2031-06-01T20:00:00Z"}, "date", "must be a date like 2027-06-01"), ({"date": 5}, "date", "must be a string"),
    ({"date": ""}, "date", "must be a date like 2027-06-01"),
    ({"date": "2020-01-01"}, "date", "must be today or later"), ({"date": "2100-01-01"}, "date", "must be within the next ten years"),
    ({"venue": "x" * 121}, "venue", "must have at most 120 characters"), ({"city": "x" * 81}, "city", "must have at most 80 characters")])
def test_when_and_where_refused(seller, wrong, field, words):
    answer = seller.post("/api/tickets", json={"title": "t", "price": 1} | wrong)
    assert answer.status_code == 400 and errors(answer) == [(field, f"{field.capitalize()} {words}")]


def test_a_key_is_of_when_and_where_too(seller):
    key, body = {"Idempotency-Key": str(uuid.uuid4())}, {"title": "once", "price": 7, "city": "Bern"}
    first = seller.post("/api/tickets", json=body, headers=key)
    assert seller.post("/api/tickets", json=body, headers=key).json() == first.json()
    assert seller.post("/api/tickets", json=body | {"city": "Basel"}, headers=key).status_code == 422


def test_list_by_date_and_place(stack, seller, other):
    """By date, those without one last; by city and days, page by page; what is over is in no list but the seller's own."""
    mark, town = uuid.uuid4().hex, f"Town {uuid.uuid4().hex}"
    days = [40, 20, None, 30, 20, None]
    listed = [seller.post("/api/tickets", json={"title": f"{mark} {n}", "price": 1, "city": town, "venue": f"Hall {mark[:16]} {n}"}
                          | ({"date": day(d)} if d else {})).json()["id"] for n, d in enumerate(days)]
    over = seller.post("/api/tickets", json={"title": f"{mark} over", "price": 1, "city": town, "date": day(1)}).json()["id"]
    stack.sql("tickets", "update tickets set date = current_date - 2 where id = %s", over)
    order_of = [listed[n] for n in (1, 4, 3, 0, 2, 5)]

    def found(**query):
        path = "/api/tickets?" + urllib.parse.urlencode({"limit": 2} | query)
        return [t["id"] for page in pages(User(stack.url), path) for t in page]
    assert found(city=town.upper()) == order_of == found(q=mark, sort="date") == found(q=f"hall {mark[:16]}", sort="date")
    assert found(q=mark) == found(q=f"Hall {mark[:16]}") == found(q=mark, sort="newest") == listed[::-1]
    assert found(city=town, q=f"{mark} 3") == [listed[3]]
    assert {"from": found(city=town, **{"from": day(30)}), "to": found(city=town, to=day(30)), "both": found(city=town, **{"from": day(30)}, to=day(31))} == {
        "from": [listed[3], listed[0]], "to": [listed[1], listed[4]], "both": [listed[3]]}
    assert found(q=mark, **{"from": day(-9)}, to=day(41)) == order_of[:4], "and nothing that is over"
    assert found(city="Nowhere " + mark) == []
    assert over in [t["id"] for t in seller.get(f"/api/tickets?mine=true&q={mark}").json()]
    everything = [t for page in pages(User(stack.url), "/api/tickets?limit=100&sort=date") for t in page]
    dates = [t.get("date", "none") for t in everything]
    assert dates == sorted(dates) and len({t["id"] for t in everything}) == len(everything) and over not in {t["id"] for t in everything}
    assert over not in {t["id"] for page in pages(User(stack.url), "/api/tickets?limit=100") for t in page}


# --- GET one ---

def test_get(stack, seller):
    ticket = seller.list_ticket()
    for path in (f"/api/tickets/{ticket['id']}", f"/API/Tickets/{ticket['id'].upper()}/"):
        answer = User(stack.url).get(path)
        assert (answer.status_code, answer.json()) == (200, ticket), path


@pytest.mark.parametrize("path", ["nonsense", "0", "%00", "01930000-0000-7000-8000-000000000000", "01930000-0000-7000-8000-000000000000x"])
def test_get_missing(stack, path):
    answer = User(stack.url).get(f"/api/tickets/{path}")
    assert answer.status_code == 404
    errors(answer)


def test_method_not_allowed(stack, seller):
    answer = seller.patch("/api/tickets")
    assert answer.status_code == 405 and set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    errors(answer)


# --- PUT ---

def test_update(stack, seller):
    ticket = seller.list_ticket()
    answer = seller.put(f"/api/tickets/{ticket['id']}", json={"title": "better", "price": 30})
    assert answer.status_code == 200
    assert answer.json() == {**ticket, "title": "better", "price": 30, "version": 2}
    created, updated = stack.topic("tickets").of(ticket["id"], 2)
    assert (created["version"], updated["version"]) == (1, 2)
    assert (updated["type"], updated["title"], updated["price"]) == ("TicketUpdated", "better", 3000)
    assert created.partition == updated.partition and created.position < updated.position


def test_if_match(seller):
    path = f"/api/tickets/{seller.list_ticket()['id']}"
    body = {"title": "t", "price": 1}
    for tag, status in [('"2"', 412), ('"1"', 200), ('"1"', 412), ("2", 200), ("*", 200), ("x", 400), ('""', 400)]:
        answer = seller.put(path, json=body, headers={"If-Match": tag})
        assert answer.status_code == status, tag
        if status != 200:
            errors(answer)


def test_racing_edits_each_count(stack, seller):
    ticket = seller.list_ticket()
    token = seller.headers["Authorization"]

    def edit(n):
        return answered(lambda: User(stack.url).put(f"/api/tickets/{ticket['id']}", json={"title": f"t{n}", "price": 1},
                                                    headers={"Authorization": token})).json()["version"]
    with ThreadPoolExecutor(40) as pool:
        versions = sorted(pool.map(edit, range(40)))
    assert versions == list(range(2, 42))
    assert [e["version"] for e in stack.topic("tickets").of(ticket["id"], 41)] == list(range(1, 42))


def test_racing_edits_of_one_version_have_one_winner(stack, seller):
    ticket = seller.list_ticket()
    headers = {"Authorization": seller.headers["Authorization"], "If-Match": '"1"'}

    def edit(n):
        return answered(lambda: User(stack.url).put(f"/api/tickets/{ticket['id']}", json={"title": f"t{n}", "price": 1}, headers=headers)).status_code
    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(edit, range(16))) == [200] + [412] * 15


def test_edits_by_strangers_hold_up_nobody(stack, seller, other):
    """Many come in one batch; that of the seller is done, wherever it stands."""
    ticket = seller.list_ticket()["id"]
    with psycopg.connect(stack.env["TICKETS_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("prepare edit as\n" + (ROOT / "services/tickets/sql/update_ticket.sql").read_text())
        rows = connection.execute(f"execute edit (array_fill('{ticket}'::uuid, array[4]),"
                                  f" array['{other.id}', '{seller.id}', '{seller.id}', '{seller.id}']::uuid[],"
                                  " array['a', 'b', 'c', 'd'], array[100, 200, 300, 400], array[null, 1, 1, null]::int[],"
                                  " array_fill('t'::text, array[4]), array_fill(null::text, array[4]), array_fill(null::text, array[4]),"
                                  " array_fill(null::text, array[4]), array_fill(null::uuid, array[4]), array_fill('203.0.113.77'::text, array[4]),"
                                  " array_fill('203.0.113.0/24'::text, array[4]))").fetchall()
    assert [(row[0], row[-1]) for row in rows] == [(1, "forbidden"), (2, "done"), (3, "changed"), (4, "again")]
    assert [e["title"] for e in stack.topic("tickets").of(ticket, 2)] == ["A ticket", "b"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_order_of_checks(stack, seller, other, method):
    ticket, body = seller.list_ticket(), {"title": "t", "price": 1}
    for user, path, payload, status in [
            (User(stack.url), ticket["id"], body, 401), (User(stack.url), missing_id(), {}, 401),
            (other, ticket["id"], body, 403), (seller, missing_id(), body, 404)]:
        answer = user.request(method, f"/api/tickets/{path}", json=payload)
        assert answer.status_code == status
        errors(answer)
    if method == "PUT":
        for user, path in [(other, ticket["id"]), (seller, missing_id())]:
            assert user.put(f"/api/tickets/{path}", json={}).status_code == 400, "the body's 400 comes before 403 and 404"


# --- DELETE ---

def test_delete(stack, seller):
    ticket = seller.list_ticket()
    path = f"/api/tickets/{ticket['id']}"
    assert seller.delete(path).status_code == 204
    assert seller.get(path).json() == {**ticket, "status": "cancelled", "version": 2}
    assert seller.delete(path).status_code == 204, "again: nothing to do"
    assert seller.put(path, json={"title": "t", "price": 1}).status_code == 409
    events = stack.topic("tickets").of(ticket["id"], 2)
    assert [(e["type"], e["status"]) for e in events] == [("TicketCreated", "available"), ("TicketCancelled", "cancelled")]


# --- the list ---

def pages(user, path):
    while path:
        answer = user.get(path)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        path = answer.links.get("next", {}).get("url")


def test_list_is_paged_newest_first_and_steady(stack, other):
    mark = uuid.uuid4().hex
    listed = [other.list_ticket(title=f"{mark} {n}")["id"] for n in range(25)]
    seen = []
    for page in pages(User(stack.url), f"/api/tickets?limit=10&q={mark}"):
        assert 0 < len(page) <= 10
        seen += [t["id"] for t in page]
        other.list_ticket(title=f"{mark} added meanwhile")
    assert seen == listed[::-1]
    everything = [t["id"] for page in pages(User(stack.url), "/api/tickets?limit=100") for t in page]
    assert everything == sorted(everything, reverse=True) and len(set(everything)) == len(everything)
    assert set(listed) <= set(everything)


def test_a_search_as_long_as_may_be_goes_on(stack, other):
    """100 letters of four bytes each are 1,200 characters of a URL."""
    mark = "".join(chr(0x1D400 + byte) for byte in uuid.uuid4().bytes).ljust(100, "𝔸")
    listed = [other.list_ticket(title=mark)["id"] for _ in range(3)]
    seen = [t["id"] for page in pages(User(stack.url), "/api/tickets?" + urllib.parse.urlencode({"limit": 1, "q": mark})) for t in page]
    assert seen == listed[::-1]


@pytest.mark.parametrize("mine", [False, True])
def test_list_is_steady_while_tickets_go(other, mine):
    """The ticket that the cursor names, one already seen and one not yet seen are withdrawn between two pages."""
    mark = uuid.uuid4().hex
    listed = [other.list_ticket(title=f"{mark} {n}")["id"] for n in range(12)][::-1]
    first = other.get(f"/api/tickets?limit=5&q={mark}" + "&mine=true" * mine)
    assert [t["id"] for t in first.json()] == listed[:5]
    for ticket in (listed[2], listed[4], listed[7]):
        assert other.delete(f"/api/tickets/{ticket}").status_code == 204
    rest = [t["id"] for page in pages(other, first.links["next"]["url"]) for t in page]
    assert rest == [t for t in listed[5:] if mine or t != listed[7]], "none twice, none left out, nothing that is gone from sale"


def test_list_shows_what_is_unreserved(stack, seller):
    mark = uuid.uuid4().hex
    ticket, withdrawn = seller.list_ticket(title=mark), seller.list_ticket(title=mark)
    seller.delete(f"/api/tickets/{withdrawn['id']}")
    assert User(stack.url).get(f"/api/tickets?q={mark}").json() == [ticket]
    mine = seller.get(f"/api/tickets?mine=true&q={mark}").json()
    assert [(t["id"], t["status"]) for t in mine] == [(withdrawn["id"], "cancelled"), (ticket["id"], "available")]


def test_search(stack, seller):
    mark = uuid.uuid4().hex[:12]
    for title in (f"{mark} 100% Ärzte_Live", f"{mark} 1000 Punk"):
        seller.list_ticket(title=title)

    def found(q):
        return len(User(stack.url).get("/api/tickets", params={"q": q}).json())
    assert found(mark) == 2 and found(mark.upper()) == 2 and found(mark[3:9]) == 2
    assert found(f"{mark} 100%") == 1, "% is itself"
    assert found(f"{mark} 100_") == 0, "_ is itself"
    assert found("ärzte_live") >= 1, "any case, any script"
    assert found(f"{mark} nothing") == 0
    assert found("PU") >= 1, "two characters are fewer than a trigram"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "mine=x", "mine=", "mine=1", "cursor=x", "cursor=",
                                   "q=" + "x" * 101, "q=%00", "q=%ff",
                                   "city=" + "x" * 101, "city=%ff", "from=", "from=2027-02-30", "to=2027-06-01T20:00:00Z", "sort=price", "sort="])
def test_list_malformed(stack, query):
    answer = User(stack.url).get(f"/api/tickets?{query}")
    assert answer.status_code == 400
    [(field, _)] = errors(answer)
    assert field == query.split("=")[0]


def test_mine_needs_a_session(stack):
    answer = User(stack.url).get("/api/tickets?mine=true")
    assert answer.status_code == 401
    errors(answer)


# --- reactions to orders: produced here as the orders service will ---

def order(ticket, status, version, order_id=None, **more):
    kind = {"created": "OrderCreated", "awaiting_payment": "OrderUpdated", "complete": "OrderCompleted", "cancelled": "OrderCancelled"}
    return {"type": kind[status], "id": order_id or missing_id(), "ticketId": ticket["id"], "version": version,
            "occurredAt": 1_700_000_000_000, "userId": str(uuid.uuid4()), "sellerId": ticket["userId"], "status": status,
            "expiresAt": 4_102_444_800_000, "price": 2000, "currency": "USD", "title": ticket["title"],
            "ticketVersion": ticket["version"], "reason": None, **more}


def shown(user, ticket):
    t = user.get(f"/api/tickets/{ticket['id']}").json()
    return t["status"], t.get("orderId"), t["version"]


def wait_shown(user, ticket, *expected):
    wait_until(lambda: shown(user, ticket) == expected, f"ticket shows as {expected}, not {shown(user, ticket)}")


def settle(stack, seller):
    """Until everything on orders so far is applied: a marker ticket a partition would do, lag says it exactly."""
    wait_until(lambda: sum(stack.topic("orders").ends().values()) == sum(
        n for _, n in stack.sql("tickets", "select partition, next_offset from consumer_offsets where topic = 'orders'")),
        "tickets has read orders to its end")


def test_lock_unlock_and_sale(stack, seller, other):
    orders, ticket = stack.topic("orders"), seller.list_ticket()
    path = f"/api/tickets/{ticket['id']}"
    first = order(ticket, "created", 1)
    orders.produce(first)
    wait_shown(seller, ticket, "reserved", first["id"], 2)
    for answer in (seller.put(path, json={"title": "t", "price": 1}), seller.delete(path)):
        assert answer.status_code == 409
        errors(answer)
    assert ticket["id"] not in [t["id"] for t in other.get("/api/tickets?limit=100").json()]
    orders.produce(order(ticket, "cancelled", 2, first["id"], reason="expired"))
    wait_shown(seller, ticket, "available", None, 3)
    second = order(ticket, "created", 1)
    orders.produce(second)
    wait_shown(seller, ticket, "reserved", second["id"], 4)
    orders.produce(order(ticket, "cancelled", 3, first["id"], reason="expired"))
    settle(stack, seller)
    assert shown(seller, ticket) == ("reserved", second["id"], 4), "only the order that holds it releases it"
    orders.produce(order(ticket, "awaiting_payment", 2, second["id"]), order(ticket, "complete", 3, second["id"]))
    wait_shown(seller, ticket, "sold", second["id"], 5)
    assert seller.put(path, json={"title": "t", "price": 1}).status_code == 409
    events = stack.topic("tickets").of(ticket["id"], 5)
    assert [(e["type"], e["version"], e["status"], e["orderId"] and str(e["orderId"])) for e in events] == [
        ("TicketCreated", 1, "available", None), ("TicketUpdated", 2, "reserved", first["id"]),
        ("TicketUpdated", 3, "available", None), ("TicketUpdated", 4, "reserved", second["id"]),
        ("TicketUpdated", 5, "sold", second["id"])]


def test_order_on_a_withdrawn_ticket_hears_of_it_again(stack, seller):
    ticket = seller.list_ticket()
    seller.delete(f"/api/tickets/{ticket['id']}")
    stack.topic("orders").produce(order(ticket, "created", 1))
    events = stack.topic("tickets").of(ticket["id"], 3)
    assert [(e["type"], e["version"]) for e in events] == [("TicketCreated", 1), ("TicketCancelled", 2), ("TicketCancelled", 3)]
    assert shown(seller, ticket) == ("cancelled", None, 3)


def test_repeated_events_change_nothing(stack, seller):
    orders, ticket = stack.topic("orders"), seller.list_ticket()
    first, second = order(ticket, "created", 1), order(ticket, "created", 1)
    story = [first, order(ticket, "cancelled", 2, first["id"]), second, order(ticket, "cancelled", 2, second["id"])]
    orders.produce(*story)
    wait_shown(seller, ticket, "available", None, 5)
    orders.produce(*story, *story[::-1], *story)
    settle(stack, seller)
    assert shown(seller, ticket) == ("available", None, 5)
    assert len(stack.topic("tickets").of(ticket["id"], 5)) == 5


def test_trace_goes_from_order_to_ticket(stack, seller):
    ticket, trace = seller.list_ticket(), f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-01"
    stack.topic("orders").produce(order(ticket, "created", 1), headers=[("traceparent", trace)])
    assert stack.topic("tickets").of(ticket["id"], 2)[1].headers["traceparent"] == trace


def id_of_days_ago(days):
    ms = int((time.time() - days * 86400) * 1000)
    return uuid.UUID(int=ms << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1)


def test_orders_of_long_ago_are_forgotten(stack, seller):
    orders, ticket = stack.topic("orders"), seller.list_ticket()
    old, young = sorted(id_of_days_ago(91) for _ in range(40)), [id_of_days_ago(89), *(id_of_days_ago(0) for _ in range(20))]
    stack.sql("tickets", "insert into seen_orders select unnest(%s), 2", old + young)

    def read():
        """How many records tickets has read, orders of other tests among them; and which of these it knows by then."""
        [(records, known)] = stack.sql("tickets", """select (select sum(next_offset)::int from consumer_offsets where topic = 'orders'),
                                                            array(select order_id from seen_orders where order_id = any(%s))""", old + young)
        return records, set(known)

    def comes_again(order_id, to=ticket):
        """How many records were read, how many of these were forgotten, and which are known."""
        records, known = read()
        orders.produce(order(to, "created", 1, str(order_id)))
        settle(stack, seller)
        more, still = read()
        return more - records, len(known - still), still
    came, forgotten, known = comes_again(old[-1])
    assert shown(seller, ticket) == ("available", None, 1), "known as long as it is kept"
    assert known >= {old[-1], *young} and forgotten == 2 * came, "two for each that comes"
    first = min(known)
    came, forgotten, known = comes_again(first, seller.list_ticket())
    assert first in known or came > 1, "not forgotten while it is being looked at"
    orders.produce(*(order(ticket, "created", 1, str(order_id)) for order_id in young[1:]))
    settle(stack, seller)
    assert read()[1] == set(young)
    assert shown(seller, ticket) == ("available", None, 1)
