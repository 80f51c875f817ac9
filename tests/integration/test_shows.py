"""The contract of shows and areas, route by route: answers, failures, events, and what they do about orders and stock."""
import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from shows import (SHOW, add_area, announce, announced, area_of, known, made, make_show, place_id, seats, soon, stock)
from support import User, errors, missing_id, refused, wait_until
from waits import answered

MAP = [{"name": "A", "from": 1, "to": 4}, {"name": "B", "from": 11, "to": 13}]


@pytest.fixture(scope="module")
def other(people):
    return next(people)


@pytest.fixture(scope="module")
def anybody(stack):
    return User(stack.url)


def show_events(stack, show):
    return [tuple(e) for e in stack.sql("tickets", "select type, version, status, title from show_events where id = %s order by seq", show["id"])]


# --- POST /api/shows ---

def test_create(stack, seller):
    answer = seller.post("/api/shows", json={**SHOW, "title": "  Käse  ", "description": " a\nb "})
    assert answer.status_code == 201
    show = answer.json()
    assert show == {"id": show["id"], "title": "Käse", "venue": "Hall 1", "city": "Zürich", "startsAt": "2035-06-01T18:00:00.000Z",
                    "timeZone": "Europe/Zurich", "description": " a\nb ", "currency": "USD", "status": "draft", "perUser": 8,
                    "userId": seller.id, "version": 1}
    assert answer.headers["ETag"] == '"1"' and uuid.UUID(show["id"]).version == 7
    assert seller.get(f"/api/shows/{show['id']}").json() == {**show, "areas": []}
    assert show_events(stack, show) == [("ShowCreated", 1, "draft", "Käse")]


def sentence(field, message):
    """What is said of a field, or of something within it."""
    name = {None: "The body", "perUser": "The number of places a person", "startsAt": "The start", "timeZone": "Time zone"}.get(field) or field.capitalize()
    within = message.split()[0] not in ("must", "is")
    return f"{name}{':' if within else ''} {message}"


@pytest.mark.parametrize("field, value, message", [
    *[(name, value, f"must have 1 to {most} characters") for name, most in (("title", 120), ("venue", 120), ("city", 80))
      for value in ("", " ", "x" * (most + 1))],
    ("title", 5, "must be a string"), ("title", None, "is required"), ("city", None, "is required"), ("timeZone", None, "is required"),
    ("description", "x" * 4001, "must have at most 4000 characters"), ("organizer", "x" * 121, "must have at most 120 characters"),
    ("organizer", 1, "must be a string"),
    ("startsAt", "2020-01-01T00:00:00Z", "must be in the future"), ("startsAt", "2335-06-01T20:00:00Z", "must be within the next ten years"),
    *[("startsAt", at, "must be a date and time like 2027-06-01T20:00:00+02:00")
      for at in ("tomorrow", "", 5, "2035-02-30T20:00:00Z", "2035-06-01T24:00:00Z", "2035-06-01T20:00:00", "2035-06-01T20:00Z")],
    *[("timeZone", zone, "must be the name of a time zone, like Europe/Zurich")
      for zone in ("", "Europe/Nowhere", "europe/zurich", "posix/Europe/Zurich", "+02:00", "CEST", "'; drop table shows --")],
    *[("currency", code, "must be a currency with at most two decimals, by its code of ISO 4217, like USD")
      for code in ("", "usd", "XXX", "KWD", "USDD")],
    *[("perUser", n, "must be a whole number from 1 to 1000") for n in (0, 1001, 1.5, "8", True, 1e300)]])
def test_shows_refused(seller, field, value, message):
    answer = seller.post("/api/shows", json={**SHOW, field: value})
    assert answer.status_code == 400 and errors(answer) == [(field, sentence(field, message))]


@pytest.mark.parametrize("change", [
    {"title": "x" * 120}, {"venue": "🎫" * 120}, {"city": "x" * 80}, {"description": "🎫" * 4000}, {"description": ""}, {"timeZone": "UTC"},
    {"organizer": "🎫" * 120}, {"organizer": None}, {"currency": "JPY"}, {"currency": "EUR"}, {"perUser": 1}, {"perUser": 1000},
    {"startsAt": "2035-06-01t20:00:00.5z"}, {"description": None}])
def test_shows_taken(seller, change):
    make_show(seller, **change)


def test_all_errors_at_once(seller):
    answer = seller.post("/api/shows", json={})
    assert [field for field, _ in errors(answer)] == ["title", "venue", "city", "startsAt", "timeZone"]


def test_whoever_changes_shows_is_signed_in(anybody):
    any_id = missing_id()
    for method, path in (("POST", ""), ("PUT", f"/{any_id}"), ("DELETE", f"/{any_id}"), ("POST", f"/{any_id}/areas"), ("POST", f"/{any_id}/announce")):
        refused(anybody.request(method, "/api/shows" + path, data="not json"), 401)


def test_shows_by_key(stack, seller, other):
    key, body = {"Idempotency-Key": str(uuid.uuid4())}, {**SHOW, "title": "once"}
    first, again = (seller.post("/api/shows", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    refused(seller.post("/api/shows", json={**body, "title": "twice"}, headers=key), 422)
    assert other.post("/api/shows", json=body, headers=key).json()["id"] != first.json()["id"]
    assert show_events(stack, first.json()) == [("ShowCreated", 1, "draft", "once")]
    refused(seller.post("/api/shows", json=body, headers={"Idempotency-Key": "a b"}), 400)


def at_once(stack, who, path, **request):
    """The answers to 16 of the same request, each sent again while it is told to come again."""
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Authorization": who.headers["Authorization"]}
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda _: answered(lambda: User(stack.url).post(path, headers=headers, **request)), range(16)))


def test_keys_raced(stack, seller):
    answers = at_once(stack, seller, "/api/shows", json=SHOW)
    assert {a.status_code for a in answers} == {201} and len({a.json()["id"] for a in answers}) == 1
    show = answers[0].json()
    answers = at_once(stack, seller, f"/api/shows/{show['id']}/areas", json={"name": "a", "price": 1, "places": 2})
    assert {a.status_code for a in answers} == {202} and len({a.json()["id"] for a in answers}) == 1
    assert len(seller.get(f"/api/shows/{show['id']}").json()["areas"]) == 1


# --- PUT /api/shows/:id ---

def test_who_sells(stack, seller, anybody):
    show = make_show(seller, organizer="  Käse & Co  ")
    path = f"/api/shows/{show['id']}"
    assert show["organizer"] == "Käse & Co"
    assert seller.put(path, json=SHOW).json()["organizer"] == "Käse & Co", "what is not given stays"
    assert seller.put(path, json={**SHOW, "organizer": "Brot"}).json()["organizer"] == "Brot"
    assert "organizer" not in seller.put(path, json={**SHOW, "organizer": "  "}).json()
    assert [e["organizer"] for e in stack.topic("shows").of(show["id"], 4)] == ["Käse & Co", "Käse & Co", "Brot", None]
    shown, _ = announced(seller, organizer="Käse & Co")
    assert anybody.get(f"/api/shows/{shown['id']}").json()["organizer"] == "Käse & Co"
    assert [s["organizer"] for s in seller.get("/api/shows", params={"mine": "true"}).json() if s["id"] == shown["id"]] == ["Käse & Co"]


def test_update(stack, seller, other):
    show = make_show(seller, description="d", perUser=4)
    path, body = f"/api/shows/{show['id']}", {**SHOW, "title": "New"}
    answer = seller.put(path, json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200 and answer.headers["ETag"] == '"2"'
    assert answer.json() == {**show, "title": "New", "startsAt": "2035-06-01T18:00:00.000Z", "version": 2}, "what is not given stays"
    refused(seller.put(path, json=body, headers={"If-Match": '"1"'}), 412)
    refused(seller.put(path, json=body, headers={"If-Match": "x"}), 400)
    assert "description" not in seller.put(path, json={**body, "description": "", "currency": "EUR"}).json()
    refused(seller.put(path, json={**body, "timeZone": "Nowhere"}), 400)
    refused(seller.put(path, json={}), 400)
    refused(other.put(path, json=body), 404, "No such show")
    refused(seller.put(f"/api/shows/{missing_id()}", json=body), 404)
    assert [e[:2] for e in show_events(stack, show)] == [("ShowCreated", 1), ("ShowUpdated", 2), ("ShowUpdated", 3)]
    add_area(seller, show)
    refused(seller.put(path, json={**body, "currency": "JPY"}), 409)
    assert seller.put(path, json={**body, "currency": "EUR"}).status_code == 200
    assert seller.delete(path).status_code == 204
    refused(seller.put(path, json=body), 409, "cancelled")


def test_the_show_of_somebody_else(stack, seller, other):
    show, _ = announced(seller)
    path = f"/api/shows/{show['id']}"
    refused(other.put(path, json=SHOW), 403)
    refused(other.delete(path), 403)
    refused(other.post(path + "/announce"), 403)
    refused(other.post(path + "/areas", json={"name": "a", "price": 1, "places": 1}), 403)


def test_updates_raced(stack, seller):
    show = make_show(seller)
    headers = {"Authorization": seller.headers["Authorization"]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: answered(lambda: User(stack.url).put(f"/api/shows/{show['id']}", json={**SHOW, "title": str(n)}, headers=headers)),
                                range(8)))
    assert sorted(a.json()["version"] for a in answers) == list(range(2, 10))


# --- areas and their making ---

def tickets_of(stack, area):
    return stack.sql("tickets", "select id::text, version, user_id::text, title, price, currency, status, show_id::text, area_id::text, area_name,"
                                " row_name, seat, rank, accessible from tickets where area_id = %s order by id", area["id"])


def test_seats_are_made(stack, seller):
    show = make_show(seller, title="Show")
    first = add_area(seller, show, places=1)
    answer = seller.post(f"/api/shows/{show['id']}/areas", json={"name": " Stalls ", "price": "20.50", "rows": MAP, "accessible": True})
    assert answer.status_code == 202
    area = answer.json()
    assert area == {"id": area["id"], "name": "Stalls", "price": 20.5, "seated": True, "accessible": True, "rank": 1, "places": 7, "made": 0,
                    "known": 0, "free": 0}
    assert area["id"].endswith("000000") and first["rank"] == 0
    assert made(seller, show, area) | {"known": 0} == {**area, "made": 7, "free": 7}
    wanted = [(place_id(area, block, n), 1, seller.id, f"Show, Stalls, row {row['name']}, seat {row['from'] + n}", 2050, "USD", "available",
               show["id"], area["id"], "Stalls", row["name"], row["from"] + n, 1 << 18 | block, True)
              for block, row in enumerate(MAP) for n in range(row["to"] - row["from"] + 1)]
    assert tickets_of(stack, area) == wanted
    for ticket in wanted:
        [event] = stack.topic("tickets").of(ticket[0], 1)
        assert event == {"type": "TicketCreated", "occurredAt": event["occurredAt"], "orderId": None, "date": None, "venue": None, "city": None, **dict(zip(
            ("id", "version", "userId", "title", "price", "currency", "status", "showId", "areaId", "areaName", "rowName", "seat", "rank",
             "accessible"), [uuid.UUID(v) if n in (0, 2, 7, 8) else v for n, v in enumerate(ticket)], strict=True))}
        assert event.headers["traceparent"].split("-")[1] == answer.headers["traceparent"].split("-")[1]
    assert seats(seller, show, area) == [{"block": 0, "name": "A", "first": 1, "free": "1111"}, {"block": 1, "name": "B", "first": 11, "free": "111"}]


def test_standing_places_are_made(stack, seller):
    show = make_show(seller, title="x" * 120)
    area = add_area(seller, show, name="y" * 80, places=130, rank=8000)
    assert made(seller, show, area)["free"] == 130
    rows = tickets_of(stack, area)
    assert [r[0] for r in rows] == [place_id(area, n // 60, n % 60) for n in range(130)]
    assert {r[3:4] + r[9:12] for r in rows} == {("x" * 120 + ", " + "y" * 78, "y" * 80, None, None)}
    assert [r[12] for r in rows] == [8000 << 18 | n // 60 for n in range(130)]
    assert [len(row["free"]) for row in seats(seller, show, area)] == [60, 60, 10]


@pytest.mark.parametrize("change, field, message", [
    ({"name": ""}, "name", "must have 1 to 80 characters"), ({"name": "x" * 81}, "name", "must have 1 to 80 characters"),
    ({"price": 0}, "price", "must be a price from 0.50 to 99,999,999 with at most two decimals"),
    ({"price": 1000000}, "price", "must be a price from 0.50 to 999,999.99 with at most two decimals"),
    ({"price": None}, "price", "is required"),
    ({"places": 0}, "places", "must be a whole number from 1 to 1000000"), ({"places": 1000001}, "places", "must be a whole number from 1 to 1000000"),
    ({"places": None}, None, "must have either rows, for numbered seats, or places, for standing"),
    ({"rows": MAP}, None, "must have either rows, for numbered seats, or places, for standing"),
    ({"rank": -1}, "rank", "must be a whole number from 0 to 8000"), ({"rank": 8001}, "rank", "must be a whole number from 0 to 8000"),
    ({"accessible": "yes"}, "accessible", "must be true or false"),
    *[({"places": None, "rows": rows}, "rows", message) for rows, message in (
        ([], "must be a list of 1 to 4000 objects"), ("A", "must be a list of 1 to 4000 objects"), ([5], "number 1 must be an object"),
        ([*MAP, {"name": "C", "from": 1}], "to of number 3 is required"),
        ([{"name": "", "from": 1, "to": 2}], "name of number 1 must have 1 to 20 characters"),
        ([{"name": "A", "from": 1.5, "to": 2}], "from of number 1 must be a whole number from 0 to 999999"),
        ([{"name": "A", "from": 2, "to": 1}], "number 1 must not end before its first seat"),
        ([{"name": "A", "from": 1, "to": 61}], "number 1 has 61 seats, and a row has at most 60: split it"),
        ([{"name": "A", "from": 1, "to": 30}, {"name": "B", "from": 1, "to": 30}, {"name": "A", "from": 30, "to": 40}],
         "must not have seat 30 of row A twice"))]])
def test_areas_refused(seller, change, field, message):
    show = make_show(seller)
    answer = seller.post(f"/api/shows/{show['id']}/areas", json={"name": "a", "price": 1, "places": 1, **change})
    assert answer.status_code == 400 and errors(answer) == [(field, sentence(field, message))]
    assert seller.get(f"/api/shows/{show['id']}").json()["areas"] == []


def test_prices_are_of_the_shows_currency(seller):
    show = make_show(seller, currency="JPY")
    path = f"/api/shows/{show['id']}/areas"
    for price in (20.5, 49, "0.50"):
        refused(seller.post(path, json={"name": "a", "price": price, "places": 1}), 400, "Price must be a price from 50 to 99,999,999 without decimals")
    assert add_area(seller, show, price=1000000)["price"] == 1000000


def test_areas_of_other_shows(stack, seller, other):
    body = {"name": "a", "price": 1, "places": 1}
    refused(seller.post(f"/api/shows/{missing_id()}/areas", json=body), 404)
    show = make_show(seller)
    refused(other.post(f"/api/shows/{show['id']}/areas", json=body), 404)
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204
    refused(seller.post(f"/api/shows/{show['id']}/areas", json=body), 409, "cancelled")
    show, _ = announced(seller)
    refused(seller.post(f"/api/shows/{show['id']}/areas", json=body), 409, "announced")


def test_areas_by_key(stack, seller):
    show, key, body = make_show(seller), {"Idempotency-Key": str(uuid.uuid4())}, {"name": "a", "price": 1, "rows": MAP}
    path = f"/api/shows/{show['id']}/areas"
    first = seller.post(path, json=body, headers=key)
    area = made(seller, show, first.json())
    again = seller.post(path, json=body, headers=key)
    assert again.status_code == 202 and again.json() | {"known": 0} == area | {"known": 0}
    for change in ({"price": 2}, {"rows": MAP[:1]}, {"rank": 0}, {"accessible": True}):
        refused(seller.post(path, json={**body, **change}, headers=key), 422)
    refused(seller.post(f"/api/shows/{make_show(seller)['id']}/areas", json=body, headers=key), 422)
    known(seller, show, area)
    announce(seller, show)
    assert seller.post(path, json=body, headers=key).status_code == 202, "what was done once was done"


def test_a_show_has_a_limit_of_areas(stack, seller):
    show = make_show(seller)
    stack.sql("tickets", "update shows set area_count = 199 where id = %s", show["id"])
    assert add_area(seller, show)["rank"] == 199
    refused(seller.post(f"/api/shows/{show['id']}/areas", json={"name": "a", "price": 1, "places": 1}), 409, "200")


# --- announce ---

def test_announce(stack, seller, other, anybody):
    show = make_show(seller)
    path = f"/api/shows/{show['id']}"
    refused(seller.post(path + "/announce"), 409, "no places yet")
    areas = [add_area(seller, show, rows=MAP), add_area(seller, show, places=70)]
    for area in areas:
        made(seller, show, area)
        known(seller, show, area)
    stack.sql("tickets", "update areas set known = 0 where show_id = %s", show["id"])
    refused(seller.post(path + "/announce"), 409, "0 of its 77 places can be ordered")
    refused(other.post(path + "/announce"), 404)
    refused(anybody.get(path), 404)
    refused(other.get(path), 404)
    stack.topic("stock").produce(stock(areas[0], show, 7), stock(areas[1], show, 69), stock(areas[1], show, 60), key="id")
    wait_until(lambda: area_of(seller, show, areas[1])["known"] == 69, "69 are known")
    refused(seller.post(path + "/announce"), 409, "76 of its 77 places can be ordered")
    stack.topic("stock").produce(stock(areas[1], show, 70), key="id")
    known(seller, show, areas[1])
    answer = seller.post(path + "/announce", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 200 and answer.json() == {**show, "status": "announced", "version": 2}
    assert answer.headers["ETag"] == '"2"'
    assert seller.post(path + "/announce").json() == answer.json(), "again: the same"
    assert show_events(stack, show) == [("ShowCreated", 1, "draft", show["title"]), ("ShowAnnounced", 2, "announced", show["title"])]
    created, event = stack.topic("shows").of(show["id"], 2)
    assert event == {**created, "type": "ShowAnnounced", "version": 2, "status": "announced", "occurredAt": event["occurredAt"], "places": 77}
    assert {**created, "occurredAt": None} == {
        "type": "ShowCreated", "id": uuid.UUID(show["id"]), "version": 1, "occurredAt": None, "userId": uuid.UUID(seller.id), "title": show["title"],
        "venue": show["venue"], "city": show["city"], "startsAt": datetime.datetime.fromisoformat(show["startsAt"]), "timeZone": show["timeZone"],
        "description": None, "currency": "USD", "status": "draft", "perUser": 8, "phases": None, "organizer": None,
        "places": 0}
    seen = anybody.get(path)
    assert seen.status_code == 200 and [a["free"] for a in seen.json()["areas"]] == [7, 70]
    assert seen.headers["Cache-Control"] == "public, max-age=1"
    refused(seller.delete(path), 409, "announced")
    assert seller.put(path, json=SHOW).json()["status"] == "announced"


def test_announcing_what_is_not(seller):
    refused(seller.post(f"/api/shows/{missing_id()}/announce"), 404)
    show = make_show(seller)
    seller.delete(f"/api/shows/{show['id']}")
    refused(seller.post(f"/api/shows/{show['id']}/announce"), 409, "cancelled")
    refused(seller.post(f"/api/shows/{show['id']}/announce", headers={"Idempotency-Key": "a b"}), 400)


def test_announcing_before_all_is_made(stack, seller):
    show = make_show(seller)
    area = made(seller, show, add_area(seller, show))
    stack.sql("tickets", "update shows set place_count = 5 where id = %s", show["id"])
    refused(seller.post(f"/api/shows/{show['id']}/announce"), 409, "3 of its 5 places are made")
    stack.sql("tickets", "update shows set place_count = 3 where id = %s", show["id"])
    stack.sql("tickets", "update areas set known = 3 where id = %s", area["id"])
    stack.sql("tickets", "update shows set starts_at = now() - interval '1 second' where id = %s", show["id"])
    refused(seller.post(f"/api/shows/{show['id']}/announce"), 409, "begun")


# --- DELETE ---

def test_a_draft_is_ended(stack, seller, other, anybody):
    show = make_show(seller)
    path, area = f"/api/shows/{show['id']}", add_area(seller, show, places=4000)
    made(seller, show, area)
    refused(other.delete(path), 404)
    assert seller.delete(path).status_code == 204
    assert seller.delete(path).status_code == 204
    wait_until(lambda: {r[6] for r in tickets_of(stack, area)} == {"cancelled"}, "its tickets are withdrawn")
    wait_until(lambda: area_of(seller, show, area)["free"] == 0, "no place is free")
    [(counted, distinct)] = stack.sql("tickets", "select count(*), count(distinct id) from ticket_events where area_id = %s and"
                                                 " type = 'TicketCancelled'", area["id"])
    assert (counted, distinct) == (4000, 4000)
    assert [e[:3] for e in show_events(stack, show)] == [("ShowCreated", 1, "draft"), ("ShowCancelled", 2, "cancelled")]
    assert seller.get(path).json()["status"] == "cancelled"
    refused(anybody.get(path), 404)
    refused(seller.delete(f"/api/shows/{missing_id()}"), 404)


def test_nothing_is_made_of_what_has_ended(stack, seller):
    show = make_show(seller)
    area = add_area(seller, show, places=100_000)
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204
    wait_until(lambda: stack.sql("tickets", "select 1 from areas where id = %s and ended and blocks_made = blocks_withdrawn", area["id"]), "it is unmade")
    assert {r[6] for r in tickets_of(stack, area)} <= {"cancelled"}


# --- GET ---

def test_lists_by_date(stack, seller, anybody):
    word = uuid.uuid4().hex
    shows = [announced(seller, title=f"{word} {n}", startsAt=soon(days), city=city, venue=f"House of {word[::-1]}")[0]
             for n, (days, city) in enumerate([(40, "Bern"), (20, "Genève"), (30, "bern"), (20, "Bern")])]
    make_show(seller, title=word)  # a draft
    by_date = [s | {"fromPrice": 20, "free": 3, "places": 3} for s in sorted(shows, key=lambda s: (s["startsAt"], s["id"]))]
    assert anybody.get("/api/shows", params={"q": word}).json() == by_date
    assert anybody.get("/api/shows", params={"q": word[::-1].upper(), "city": " BERN "}).json() == [s for s in by_date if s["city"].lower() == "bern"]
    middle = {"q": word, "from": by_date[2]["startsAt"], "to": by_date[3]["startsAt"]}
    assert anybody.get("/api/shows", params=middle).json() == by_date[2:3]
    page, link = [], f"/api/shows?limit=1&q={word}&from=2020-01-01"
    while link:
        answer = anybody.get(link)
        page += answer.json()
        link = answer.links.get("next", {}).get("url")
    assert page == by_date
    assert anybody.get("/api/shows", params={"q": word, "cursor": missing_id()}).json() == []
    stack.sql("tickets", "update shows set starts_at = now() - interval '1 day' where id = %s", by_date[0]["id"])
    wait_until(lambda: anybody.get("/api/shows", params={"q": word}).json() == by_date[1:], "the list, kept for a second, has what is to come")
    yesterday = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(2)).strftime("%Y-%m-%d")
    assert len(anybody.get("/api/shows", params={"q": word, "from": yesterday}).json()) == 4


def test_a_day_is_one_at_the_place(seller, anybody):
    """1 June ends in Auckland before it begins in Honolulu, where it ends on 2 June of UTC."""
    word = uuid.uuid4().hex
    for at, zone in (("2035-05-31T13:00:00Z", "Pacific/Auckland"), ("2035-06-01T11:30:00Z", "Pacific/Auckland"), ("2035-06-01T12:30:00Z", "Pacific/Auckland"),
                     ("2035-06-01T09:30:00Z", "Pacific/Honolulu"), ("2035-06-01T10:30:00Z", "Pacific/Honolulu"), ("2035-06-02T09:30:00Z", "Pacific/Honolulu")):
        announced(seller, title=word, startsAt=at, timeZone=zone)

    def on(**days):
        return [s["startsAt"][5:16] for s in anybody.get("/api/shows", params={"q": word, **days}).json()]
    first, last = "2035-06-01", "2035-06-02"
    wait_until(lambda: len(on()) == 6, "all are listed")
    assert on(**{"from": first, "to": last}) == ["05-31T13:00", "06-01T10:30", "06-01T11:30", "06-02T09:30"]
    assert on(to=first) == ["06-01T09:30"] and on(**{"from": last}) == ["06-01T12:30"]
    assert on(**{"from": "2035-06-01T10:00:00Z", "to": "2035-06-01T12:00:00Z"}) == ["06-01T10:30", "06-01T11:30"], "moments are moments"


def test_lists_say_what_is_free_from_which_price(stack, seller, anybody):
    word = uuid.uuid4().hex
    show, [cheap, dear] = announced(seller, [{"price": 12.5, "places": 2}, {"price": 30, "places": 3}], title=word)

    def becomes(**counts):
        def listed():
            [row] = anybody.get("/api/shows", params={"q": word}).json()
            return {k: row.get(k) for k in counts} == counts
        wait_until(listed, f"the list says {counts}")
    becomes(fromPrice=12.5, free=5, places=5)
    taken = [place_id(cheap, 0, n) for n in range(2)]
    stack.topic("orders").produce(*[order_event(t, uuid.uuid4(), 1, "OrderCreated", "created") for t in taken])
    becomes(fromPrice=30, free=3, places=5)
    stack.topic("orders").produce(*[order_event(place_id(dear, 0, n), uuid.uuid4(), 1, "OrderCreated", "created") for n in range(3)])
    becomes(fromPrice=None, free=0, places=5)
    assert show["title"] == word


def test_a_sellers_own_shows(people, anybody):
    """Drafts too, those begun last first, a page after the other; and nobody else's."""
    seller, other = next(people), next(people)
    shows = [make_show(seller, title=f"Show {n}") for n in range(4)]
    make_show(other)
    assert seller.delete(f"/api/shows/{shows[1]['id']}").status_code == 204
    page, link = [], "/api/shows?mine=true&limit=2"
    while link:
        answer = seller.get(link)
        assert "Cache-Control" not in answer.headers or "public" not in answer.headers["Cache-Control"]
        page += answer.json()
        link = answer.links.get("next", {}).get("url")
    assert [(s["title"], s["status"], s["free"], s["places"]) for s in page] == [
        ("Show 3", "draft", 0, 0), ("Show 2", "draft", 0, 0), ("Show 0", "draft", 0, 0)], "a draft that was deleted is not in it"
    refused(anybody.get("/api/shows", params={"mine": "true"}), 401)
    refused(seller.get("/api/shows", params={"mine": "yes"}), 400)
    assert anybody.get("/api/shows", params={"mine": "false"}).status_code == 200


@pytest.mark.parametrize("name, value", [("limit", 0), ("limit", 101), ("cursor", "x"), ("q", "x" * 101), ("city", "x" * 101), ("from", "today"),
                                         ("to", ""), ("from", "2035-02-29"), ("to", "2035-01-01T00:00:00")])
def test_lists_refused(anybody, name, value):
    answer = anybody.get("/api/shows", params={name: value})
    assert answer.status_code == 400 and [field for field, _ in errors(answer)] == [name]


def test_what_is_not_there(stack, seller, anybody):
    show, [area] = announced(seller)
    refused(anybody.get(f"/api/shows/{missing_id()}"), 404)
    assert anybody.get("/api/shows/x").status_code == 404
    refused(anybody.get(f"/api/shows/{show['id']}/areas/{missing_id()}/seats"), 404, "No such area")
    refused(anybody.get(f"/api/shows/{missing_id()}/areas/{area['id']}/seats"), 404)


def test_seats_of_a_draft(seller, other, anybody):
    show = make_show(seller)
    area = made(seller, show, add_area(seller, show, rows=MAP))
    path = f"/api/shows/{show['id']}/areas/{area['id']}/seats"
    for who in (other, anybody):
        refused(who.get(path), 404)
    assert seller.get(path).headers["Cache-Control"] == "private, max-age=1"
    ticket = f"/api/tickets/{place_id(area, 0, 0)}"
    refused(anybody.get(ticket), 404)
    wait_until(lambda: seller.post(f"/api/shows/{show['id']}/announce").status_code == 200, "it is announced")
    assert anybody.get(ticket).status_code == 200


# --- places as tickets ---

def test_a_place_is_a_ticket(stack, seller, other, anybody):
    show, [seated, standing] = announced(seller, [{"rows": MAP}, {"places": 2}], title="Show")
    ticket = place_id(seated, 1, 2)
    path = f"/api/tickets/{ticket}"
    assert anybody.get(path).json() == {
        "id": ticket, "title": "Show, Stalls, row B, seat 13", "price": 20, "currency": "USD", "userId": seller.id, "status": "available",
        "version": 1, "showId": show["id"], "areaId": seated["id"], "area": "Stalls", "row": "B", "seat": 13}
    answer = anybody.get(f"/api/tickets/{place_id(standing, 0, 1)}").json()
    assert (answer["title"], answer["area"], "row" in answer, "seat" in answer) == ("Show, Stalls", "Stalls", False, False)
    body = {"title": "t", "price": 1}
    refused(seller.put(path, json=body), 409, "place of a show")
    refused(seller.delete(path), 409, "place of a show")
    refused(other.put(path, json=body), 403)
    refused(other.delete(path), 403)
    assert anybody.get(path).json()["version"] == 1


def test_lists_of_tickets_have_no_places(stack, seller, anybody):
    word = uuid.uuid4().hex
    announced(seller, [{"places": 30}], title=word)
    own = seller.list_ticket(word)
    assert anybody.get("/api/tickets", params={"q": word}).json() == [own]
    assert anybody.get("/api/tickets", params={"limit": 1}).json() == [own]
    assert seller.get("/api/tickets", params={"mine": "true", "q": word}).json() == [own]


def order_event(ticket, order, version, kind, status, **more):
    now = datetime.datetime.now(datetime.UTC)
    return {"type": kind, "id": order, "ticketId": uuid.UUID(ticket), "version": version, "occurredAt": now, "userId": uuid.uuid4(),
            "sellerId": uuid.uuid4(), "status": status, "expiresAt": now + datetime.timedelta(1), "price": 2000, "currency": "USD", "title": "t",
            "ticketVersion": 1, "reason": None, "purchaseId": None, "purchaseSize": None, "showId": None, **more}


def test_orders_change_the_map(stack, seller, anybody):
    show, [area] = announced(seller, [{"rows": MAP}])
    tickets = [place_id(area, 0, 1), place_id(area, 0, 2), place_id(area, 1, 0)]
    orders = [uuid.uuid4() for _ in tickets]

    def becomes(*free):
        wait_until(lambda: [row["free"] for row in seats(anybody, show, area)] == [*free], f"the map is {free}")
        assert sum(row.count("1") for row in free) == anybody.get(f"/api/shows/{show['id']}").json()["areas"][0]["free"]
    stack.topic("orders").produce(*[order_event(t, o, 1, "OrderCreated", "created") for t, o in zip(tickets, orders, strict=True)])
    becomes("1001", "011")
    stack.topic("orders").produce(order_event(tickets[0], orders[0], 2, "OrderCompleted", "complete"),
                                  order_event(tickets[1], orders[1], 2, "OrderCancelled", "cancelled", reason="expired"))
    becomes("1011", "011")
    stack.topic("orders").produce(order_event(tickets[2], orders[2], 2, "OrderCancelled", "cancelled", reason="buyer"),
                                  order_event(tickets[2], orders[2], 1, "OrderCreated", "created"))
    becomes("1011", "111")
    events = stack.topic("tickets").of(tickets[0], 3)
    assert [e["status"] for e in events] == ["available", "reserved", "sold"]
    same = ("showId", "areaId", "areaName", "rowName", "seat", "rank", "accessible")
    assert len({tuple(e[name] for name in same) for e in events}) == 1 and events[0]["seat"] == 2
