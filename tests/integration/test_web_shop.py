"""The shop's pages by themselves: searching shows, picking seats, what is held, selling; what services/web makes of what services answer."""
import re
import time
import urllib.parse
import uuid

import pytest

from webs import SOME_ID, TITLE, Browser, area, new_id, order, purchase, refusal, serve_order, serve_purchase, serve_show, serve_ticket, show, text_of, ticket

SVG = "{http://www.w3.org/2000/svg}"


def query_of(request):
    return urllib.parse.parse_qs(request["path"].partition("?")[2])


# --- finding shows ---

def test_cards_say_from_which_price_and_how_much_is_left(web):
    rows = [show(fromPrice=20.5, free=500, places=1000), show(fromPrice=20.5, free=7, places=1000), show(fromPrice=20.5, free=45, places=1000),
            show(free=0, places=1000), show()]
    web.services.answers |= {"GET /api/shows": (200, rows), "GET /api/tickets": (200, [])}
    cards = [text_of(e) for e in Browser(web).go("/").page.find(".//section[@id='shows']").iter("li")]
    assert [re.sub(".*Basel ?", "", c) for c in cards] == ["From $20.50", "From $20.507 left", "From $20.50Few left", "Sold out", ""]


def test_a_cover_is_the_same_each_time_and_not_everybodys(web):
    one, other = show(id="0190aaaa-0000-7000-8000-000000000001"), show(id="0190aaaa-0000-7000-8000-000000000002")
    web.services.answers |= {"GET /api/shows": (200, [one, other, one]), "GET /api/tickets": (200, [])}
    covers = [[p.get("d") for p in e.iter(f"{SVG}path")] for e in Browser(web).go("/").page.iter(f"{SVG}svg") if "cover" in e.get("class")]
    assert covers[0] == covers[2] != covers[1]


PICTURE = {"sizes": [{"url": f"/api/shows/{SOME_ID}/pictures/{'0' * 64}-{w}.webp", "width": w, "height": w // 2} for w in (320, 640, 1280)]}


def test_a_picture_in_place_of_the_cover(web):
    """With its size, so that nothing moves when it comes; in lists only when it is near."""
    one, small = show(picture=PICTURE), show(picture={"sizes": PICTURE["sizes"][:1]})
    elsewhere = show(picture={"sizes": [{"url": "https://elsewhere.example/a.webp", "width": 640, "height": 320}]})
    web.services.answers |= {"GET /api/shows": (200, [one, small, elsewhere, show()]), "GET /api/tickets": (200, [])}
    page = Browser(web).go("/").page
    pictures = [(e.get("src"), e.get("width"), e.get("height"), e.get("loading"), e.get("alt")) for e in page.iter("img")]
    urls = [s["url"] for s in PICTURE["sizes"]]
    assert pictures == [(urls[1], "640", "320", "lazy", ""), (urls[0], "320", "160", "lazy", "")]
    assert len([e for e in page.iter(f"{SVG}svg") if "cover" in e.get("class")]) == 2
    [picture] = Browser(web).go(serve_show(web, one, [area()])).page.iter("img")
    assert (picture.get("src"), picture.get("width"), picture.get("loading")) == (urls[2], "1280", None)


@pytest.mark.parametrize("query, words", [
    ("picture=small", "Must have at least 320 by 180 pixels."), ("picture=nothing", None), ("done=picture", "Your picture is in place.")])
def test_what_became_of_a_picture(web, query, words):
    seller = Browser(web, token=True)
    answer = seller.go(serve_show(web, show(seller=seller.id)) + "/edit?" + query)
    [form] = [f for f in answer.page.iter("form") if f.get("enctype") == "multipart/form-data"]
    assert form.get("action").startswith("/api/shows/") and form.get("action").endswith("/picture-form") and form.get("method") == "post"
    assert (words or "Another picture") in answer.words or words is None
    wrong = [text_of(e) for e in answer.page.iter() if e.get("id") == "picture-error"]
    assert wrong == ([words] if query == "picture=small" else [])


def test_a_search_by_city_and_days(web):
    """Days are whole: the last one counts. Of people's own tickets it is the same, which then come by date."""
    web.services.answers |= {"GET /api/shows": (200, [show()], {"Link": f'</api/shows?cursor={(later := new_id())}&limit=20>; rel="next"'}),
                             "GET /api/tickets": (200, [ticket()], {"Link": f'</api/tickets?cursor={(more := new_id())}&limit=20>; rel="next"'})}
    asked = {"q": "a&b", "city": "Zürich", "from": "2031-05-01", "to": "2031-05-31"}
    answer = Browser(web).go("/?" + urllib.parse.urlencode(asked))
    assert answer.status_code == 200 and "Tickets from people that match" in answer.words and "Newest first" not in answer.words
    for path in ("/api/shows", "/api/tickets"):
        assert query_of(web.services.asked("GET", path)[0]) == {"limit": ["20"], "q": ["a&b"], "city": ["Zürich"], "from": ["2031-05-01"],
                                                                "to": ["2031-06-01"]}
    assert {e.get("name"): e.get("value") for e in answer.page.find(".//form[@role='search']").iter("input")} == asked
    [link] = [a.get("href") for a in answer.page.iter("a") if text_of(a) == "Later shows"]
    assert urllib.parse.parse_qs(link.partition("?")[2]) == {k: [v] for k, v in (asked | {"cursor": later}).items()}
    Browser(web).go(link)
    assert query_of(web.services.seen[-1])["cursor"] == [later] and query_of(web.services.seen[-1])["city"] == ["Zürich"]
    Browser(web).go(answer.page.find(".//section[@id='list']//a[@rel='next']").get("href"))
    asked = query_of(web.services.seen[-1])
    assert asked["cursor"] == [more] and asked["city"] == ["Zürich"] and asked["to"] == ["2031-06-01"]


def test_tickets_from_people_by_date(web):
    """With when and where they are for, as much as their sellers gave."""
    listed = [ticket(date="2031-05-03", venue="House & Hall", city="Bern"), ticket(date="2031-05-04"), ticket(city="Bern"), ticket()]
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, listed, {"Link": f'</api/tickets?cursor={new_id()}>; rel="next"'})}
    answer = Browser(web).go("/")
    assert [text_of(e) for e in answer.page.iter("span") if "when-where" in e.get("class", "")] == [
        "Sat 3 May 2031 · House & Hall, Bern", "Sun 4 May 2031", "Bern"]
    assert [e.get("datetime") for e in answer.page.find(".//ul[@id='tickets']").iter("time")] == ["2031-05-03", "2031-05-04"]
    [link] = [a.get("href") for a in answer.page.iter("a") if text_of(a) == "By date"]
    answer = Browser(web).go(link)
    assert query_of(web.services.asked("GET", "/api/tickets")[-1]) == {"limit": ["20"], "sort": ["date"]}
    assert query_of(web.services.asked("GET", "/api/shows")[-1]) == {"limit": ["20"]}
    assert "sort=date" in answer.page.find(".//a[@rel='next']").get("href")
    assert [a.get("href") for a in answer.page.iter("a") if text_of(a) == "Newest first"] == ["/"]


def test_when_and_where_are_sold_and_edited(web):
    browser = Browser(web, token=True)
    mine = ticket(browser.id, date="2031-05-03", venue="House & Hall", city="Bern")
    path = serve_ticket(web, mine)
    web.services.answers |= {"POST /api/tickets": (201, mine), f"PUT /api{path}": (200, mine)}
    browser.submit(browser.go("/sell").page, "/sell", title="A seat", price="45", date="2031-05-03", venue="House & Hall")
    assert web.services.asked("POST", "/api/tickets")[-1]["body"] == {"title": "A seat", "price": "45", "date": "2031-05-03",
                                                                     "venue": "House & Hall"}
    assert "Sat 3 May 2031 · House & Hall, Bern" in browser.go(path).words
    browser.submit(browser.go(f"{path}/edit").page, f"{path}/edit", city="")
    assert web.services.asked("PUT", f"/api{path}")[-1]["body"] == {"title": mine["title"], "price": "1234.50", "date": "2031-05-03",
                                                                   "venue": "House & Hall"}
    web.services.answers["POST /api/tickets"] = (400, {"errors": [{"message": "Date must be today or later", "field": "date"}]})
    answer = browser.submit(browser.go("/sell").page, "/sell", title="A seat", price="45", date="2020-05-03")
    assert "Date must be today or later" in answer.words and browser.fields(answer.page, "/sell")["date"] == "2020-05-03"


def test_empty_fields_and_days_that_have_begun_ask_for_nothing(web):
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, [])}
    answer = Browser(web).go("/?q=&city=&from=2020-01-01&to=")
    assert query_of(web.services.asked("GET", "/api/shows")[0]) == {"limit": ["20"]} and "No show matches" in answer.words
    web.services.answers["GET /api/shows"] = (400, refusal("to must be a date", "to"))
    answer = Browser(web).go("/?to=never")
    assert answer.status_code == 400 and "To must be a date" in answer.words


def test_a_search_is_there_after_signing_in(web):
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, [])}
    browser, search = Browser(web), "/?q=a%26b+c&city=Z%C3%BCrich&from=&to=2031-05-31"
    page = browser.go(search).page
    for name in ("Sign in", "Create an account", "Sign in"):
        link = [a.get("href") for a in page.iter("a") if text_of(a) == name][-1]
        page = browser.go(link).page
    cookie = {"Set-Cookie": f"session={web.tokens(1)[0]}; Path=/; HttpOnly; Max-Age=43200"}
    web.services.answers |= {"POST /api/users/signin": (200, {"id": new_id(), "email": "x"}, cookie)}
    assert browser.submit(page, "/signin", email="a@example.com", password="long enough").headers["Location"] == search


# --- picking seats ---

def serve_seats(web, s, a, rows):
    web.services.answers[f"GET /api/shows/{s['id']}/areas/{a['id']}/seats"] = (200, {"areaId": a["id"], "rows": rows})
    return f"{serve_show(web, s, [a, area()])}/areas/{a['id']}"


def area_id(block=0, place=0):
    return f"01900000-0000-7000-8000-aaaaaa{block * 64 + place:06x}"


def seat_rows():
    return [{"block": 0, "name": "A", "first": 11, "free": "101"}, {"block": 1, "name": "B <1>", "first": 1, "free": "11"}]


def test_the_seats_of_an_area(web):
    browser = Browser(web, True)
    path = serve_seats(web, show(), area(id=area_id(), name="Stalls"), seat_rows())
    answer = browser.go(path)
    assert answer.status_code == 200 and answer.page.find(".//h1").text == "Stalls" and "$20.50 a seat · 40 left" in answer.words
    seats = {e.get("aria-label"): e.get("value") for e in answer.page.iter("input") if e.get("name") == "ticket"}
    assert seats == {"Row A, seat 11": area_id(), "Row A, seat 13": area_id(0, 2), "Row B <1>, seat 1": area_id(1), "Row B <1>, seat 2": area_id(1, 1)}
    page = browser.go(path.rpartition("/areas/")[0]).page
    assert path in [a.get("href") for a in page.iter("a")] and len([s for s in page.iter(f"{SVG}svg") if s.get("role") == "group"]) == 1


def test_buying_picked_seats(web):
    browser, p = Browser(web, True), purchase()
    path = serve_seats(web, show(), area(id=area_id()), seat_rows())
    page = browser.go(path).page
    web.services.answers["POST /api/purchases"] = (201, p)
    answer = browser.submit(page, path, ticket=[area_id(), area_id(0, 2)])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/purchases/{p['id']}")
    [sent] = web.services.asked("POST", "/api/purchases")
    assert sent["body"] == {"ticketIds": [area_id(), area_id(0, 2)]} and uuid.UUID(sent["headers"]["Idempotency-Key"])
    web.services.answers["POST /api/purchases"] = (409, refusal("One of these tickets is reserved"))
    answer = browser.submit(page, path, ticket=[area_id(), area_id(1)])
    assert answer.status_code == 409 and "Somebody was faster: one of these seats is taken now." in answer.words
    assert [e.get("value") for e in answer.page.iter("input") if e.get("type") == "checkbox" and e.get("checked") is not None] == []
    web.services.answers["POST /api/purchases"] = (409, refusal("That would be more places of this show than one person can have"))
    assert "more places of this show than one person can have." in browser.submit(page, path, ticket=area_id()).words


@pytest.mark.parametrize("count, words", [(0, "Pick at least one seat."), (9, "Pick at most 8 seats at a time.")])
def test_too_few_seats_or_too_many(web, count, words):
    browser = Browser(web, True)
    path = serve_seats(web, show(), area(id=area_id()), seat_rows())
    answer = browser.submit(browser.go(path).page, path, ticket=[area_id(0, i) for i in range(count)])
    assert answer.status_code == 400 and words in answer.words and not web.services.asked("POST", "/api/purchases")


def test_accessible_seats_by_hand(web):
    browser = Browser(web, True)
    path = serve_seats(web, show(), area(id=area_id(), accessible=True), seat_rows())
    answer = browser.go(path)
    assert "I need, or come with somebody who needs, an accessible place" in answer.words
    web.services.answers["POST /api/purchases"] = (409, refusal("These places are kept for people who need their accessibility"))
    answer = browser.submit(answer.page, path, ticket=area_id(), accessible="yes")
    assert web.services.asked("POST", "/api/purchases")[-1]["body"] == {"ticketIds": [area_id()], "accessible": True}
    kept = [e.get("name") for e in answer.page.iter("input") if e.get("type") == "checkbox" and e.get("checked") is not None]
    assert kept == ["ticket", "accessible"]
    browser.submit(answer.page, path, ticket=area_id(), accessible=None)
    assert web.services.asked("POST", "/api/purchases")[-1]["body"] == {"ticketIds": [area_id()]}
    other = serve_seats(web, show(), area(id=area_id()), seat_rows())
    assert "accessible place" not in browser.go(other).words


def test_one_seat_alone(web):
    browser = Browser(web, True)
    assert "Pick 1 seat." in browser.go(serve_seats(web, show(perUser=1), area(id=area_id()), seat_rows())).words
    assert "Pick up to 4 seats." in browser.go(serve_seats(web, show(perUser=4), area(id=area_id()), seat_rows())).words


def test_who_may_not_pick(web):
    path = serve_seats(web, show(), area(id=area_id()), seat_rows())
    stranger = Browser(web)
    answer = stranger.submit(stranger.go(path).page, path, ticket=area_id())
    assert answer.status_code == 303 and answer.headers["Location"].endswith(f"next={urllib.parse.quote(path, safe='')}")
    standing = serve_seats(web, show(), area(id=area_id(), seated=False), [{"block": 0, "free": "11"}])
    assert Browser(web).go(standing).headers["Location"] == standing.rpartition("/areas/")[0]
    assert Browser(web).go(f"/shows/{new_id()}/areas/{new_id()}").status_code == 404
    web.services.away = {"shows"}
    assert Browser(web).go(path).status_code == 503


def test_a_large_area_comes_in_parts(web):
    browser = Browser(web, True)
    rows = [{"block": b, "name": str(b), "first": 1, "free": "1" * 60} for b in range(60)]
    path = serve_seats(web, show(), area(id=area_id()), rows)
    seen, link = [], path
    while link:
        page = browser.go(link).page
        seen += [e.get("value") for e in page.iter("input") if e.get("name") == "ticket"]
        link = next((a.get("href") for a in page.iter("a") if text_of(a) == "Rows further back"), None)
    assert len(seen) == len(set(seen)) == 3600
    [back] = [a.get("href") for a in page.iter("a") if text_of(a) == "Rows nearer the stage"]
    assert back == f"{path}?row=25"
    [action] = [f.get("action") for f in page.iter("form") if f.get("id") == "pick"]
    assert action == f"{path}?row=50"
    web.services.answers["POST /api/purchases"] = (409, refusal("One of these tickets is sold"))
    again = browser.submit(page, action, ticket=area_id(50)).page
    assert area_id(50) in [e.get("value") for e in again.iter("input")], "the same rows"


# --- what is held ---

def soon(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


def holds(page):
    return [a for e in page.iter("aside") if e.get("class") == "held" for a in e.iter("a")]


def basket(page):
    return next(iter(holds(page)), None)


def test_what_is_held_is_on_every_page_until_it_ends(web):
    browser = Browser(web, True)
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, [])}
    p = purchase(expiresAt=soon(600))
    for o in p["orders"]:
        o["expiresAt"] = p["expiresAt"]
    path = serve_purchase(web, p)
    assert basket(browser.go(path).page) is None, "its own page says it itself"
    held = basket(browser.go("/").page)
    assert held.get("href") == path and re.search(r"Tickets held for you: \d+ min left", text_of(held))
    assert held.find(".//span[@data-until]").get("data-until") == p["expiresAt"]
    serve_purchase(web, p | {"status": "complete", "orders": [o | {"status": "complete"} for o in p["orders"]]})
    browser.go(path)
    assert basket(browser.go("/").page) is None


def test_several_holds_are_told_each(web):
    browser = Browser(web, True)
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, [])}
    late, early = order(ticket(title="Käse | <Brot>; 100 %"), expiresAt=soon(900)), order(ticket(title="🎫" * 40), expiresAt=soon(100))
    for o in (late, early):
        browser.go(serve_order(web, o))
    told = [(a.get("href"), text_of(a)) for a in holds(browser.go("/").page)]
    assert [path for path, _ in told] == [f"/orders/{early['id']}", f"/orders/{late['id']}"], "what ends first is first"
    assert re.fullmatch(r"Tickets held for you: 2 min left · 🎫{15} Pay now", told[0][1])
    assert re.fullmatch(r"Tickets held for you: 1[45] min left · Käse \| <Brot>; 100 % Pay now", told[1][1])
    assert [a.get("href") for a in holds(browser.go(f"/orders/{early['id']}").page)] == [f"/orders/{late['id']}"]
    browser.go(serve_order(web, late | {"status": "cancelled", "reason": "buyer"}))
    assert [a.get("href") for a in holds(browser.go("/").page)] == [f"/orders/{early['id']}"]
    for _ in range(12):
        browser.go(serve_order(web, order(ticket(title="ü" * 200), expiresAt=soon(600))))
    assert len(holds(browser.go("/").page)) == 8 and len(browser.cookies["held"]) < 2500


def test_what_is_held_elsewhere_is_told_once_the_list_was_seen(web):
    """Another browser of the same person; and what ended there is told no more."""
    browser = Browser(web, True)
    held, two, paid = (purchase(size, expiresAt=soon(600)) for size in (1, 2, 1))
    for o in [*held["orders"], *two["orders"], *paid["orders"]]:
        o["expiresAt"] = soon(600)
    paid["orders"][0]["status"] = "complete"
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, []), "GET /api/purchases": (200, [held, two, paid])}
    assert basket(browser.go("/").page) is None
    browser.go("/orders")
    assert sorted(a.get("href") for a in holds(browser.go("/").page)) == sorted([f"/orders/{held['id']}", f"/purchases/{two['id']}"])
    browser.go(serve_purchase(web, two))
    web.services.answers["GET /api/purchases"] = (200, [two])
    browser.go("/orders")
    [left] = holds(browser.go("/").page)
    assert left.get("href") == f"/purchases/{two['id']}" and TITLE in text_of(left)
    web.services.answers["GET /api/purchases"] = (200, [])
    browser.go("/orders")
    assert basket(browser.go("/").page) is None


def test_who_signs_out_holds_nothing_for_the_next(web):
    browser, o = Browser(web, True), order(ticket(), expiresAt=soon(600))
    browser.go(serve_order(web, o))
    page = browser.go("/account").page
    assert basket(page) is not None
    browser.submit(page, "/signout")
    assert "held" not in browser.cookies


@pytest.mark.parametrize("value", ["", ".", "/orders/x.9999999999", f"/orders/{SOME_ID}", f"/orders/{SOME_ID}.1", f"//evil.example/{SOME_ID}.9999999999",
                                   f"/orders/{SOME_ID}.x", "|||", f"x|/orders/{SOME_ID}.1.t|"])
def test_nonsense_is_not_held(web, value):
    browser = Browser(web, True)
    browser.cookies.set("held", value, domain="127.0.0.1", path="/")
    assert basket(browser.go("/account").page) is None


def test_lists_say_why_an_order_ended(web):
    reasons = {"expired": "Expired", "buyer": "Cancelled", "payment_failed": "Payment failed", "ticket_cancelled": "Withdrawn by the seller"}
    p = [purchase(size=1, status="cancelled") for _ in reasons]
    for one, reason in zip(p, reasons):
        one["orders"][0]["reason"] = reason
    web.services.answers["GET /api/purchases"] = (200, p)
    page = Browser(web, True).go("/orders").page
    assert [text_of(e) for e in page.iter("span") if e.get("class", "").startswith("badge")] == list(reasons.values())


def test_a_purchase_is_headed_by_its_show(web):
    browser, s = Browser(web, True), show(title="The Night")
    p = purchase()
    for i, o in enumerate(p["orders"]):
        o |= {"showId": s["id"]}
        o["ticket"]["title"] = f"The Night, Stalls, row A, seat {i + 1}"
    serve_show(web, s, [])
    answer = browser.go(serve_purchase(web, p))
    assert answer.page.find(".//h1").text == "The Night" and "Tue 1 Jun 2027, 20:00House & Hall, Basel Stalls, row A, seats 1–2" in answer.words
    assert [text_of(e) for e in answer.page.find(".//ul[@class='areas']")] == ["Stalls, row A, seat 1 $20.50", "Stalls, row A, seat 2 $20.50"]


# --- selling ---

def test_what_one_sells(web):
    browser = Browser(web, True)
    web.services.answers |= {
        "GET /api/shows": (200, [show(status="draft", free=0, places=0), show(title="Open", free=88, places=100), show(status="cancelled", free=0, places=9)]),
        "GET /api/tickets": (200, [ticket()])}
    answer = browser.go("/tickets")
    shows = [text_of(e) for e in answer.page.find(".//section[@id='own-shows']").iter("li")]
    assert len(shows) == 2 and "Draft" in shows[0] and "On sale 12 of 100" in shows[1] and TITLE in answer.words
    assert query_of(web.services.asked("GET", "/api/shows")[0]) == {"mine": ["true"], "limit": ["20"]}
    web.services.answers["GET /api/shows"] = (200, [show(title="Past", startsAt="2020-06-01T18:00:00.000Z", free=1, places=2)])
    [past] = [text_of(e) for e in browser.go("/tickets").page.find(".//section[@id='own-shows']").iter("li")]
    assert "Over 1 of 2" in past and "On sale" not in past
    web.services.answers["GET /api/shows"] = (200, [show(status="cancelled")], {"Link": f'</api/shows?cursor={(later := new_id())}&limit=20>; rel="next"'})
    assert f"/tickets?shows={later}" in [a.get("href") for a in browser.go("/tickets").page.iter("a")], "also where none is on this page"
    web.services.answers["GET /api/shows"] = (503, refusal("no"))
    assert "Your shows can't be shown right now" in browser.go("/tickets").words
    web.services.answers["GET /api/shows"] = (401, refusal("no"))
    assert browser.go("/tickets").status_code == 303


def test_editing_a_show(web):
    browser = Browser(web, True)
    s = show(browser.id, status="draft", description="Old <b>", version=4)
    path = serve_show(web, s, [])
    answer = browser.go(f"{path}/edit")
    fields = browser.fields(answer.page, f"{path}/edit")
    assert (fields["title"], fields["starts"], fields["zone"], fields["version"]) == (TITLE, "2027-06-01T20:00", "Europe/Zurich", "4")
    web.services.answers[f"PUT /api{path}"] = (200, s)
    assert browser.submit(answer.page, f"{path}/edit", title="New", description="").headers["Location"] == f"{path}?done=saved"
    [sent] = web.services.asked("PUT", f"/api{path}")
    assert sent["headers"]["If-Match"] == '"4"'
    assert sent["body"] == {"title": "New", "venue": "House & Hall", "city": "Basel", "startsAt": "2027-06-01T18:00:00.000Z",
                            "timeZone": "Europe/Zurich", "description": "", "organizer": "", "currency": "USD", "perUser": 8}
    web.services.answers[f"PUT /api{path}"] = (412, refusal("changed"))
    answer = browser.submit(answer.page, f"{path}/edit", title="New")
    assert answer.status_code == 412 and "The show has changed meanwhile" in answer.words
    assert browser.fields(answer.page, f"{path}/edit")["title"] == "New"
    assert browser.submit(answer.page, f"{path}/edit", starts="never").status_code == 400
    assert Browser(web, True).go(f"{path}/edit").status_code == 404


def test_deleting_a_draft(web):
    browser = Browser(web, True)
    path = serve_show(web, show(browser.id, status="draft"), [])
    page = browser.go(path).page
    web.services.answers[f"DELETE /api{path}"] = (204, None)
    assert browser.submit(page, f"{path}/discard").headers["Location"] == "/tickets?done=discarded"
    web.services.answers[f"DELETE /api{path}"] = (409, refusal("This show has been announced"))
    assert "This show has been announced." in browser.submit(page, f"{path}/discard").words


# --- the rest ---

def test_pages_of_text_and_the_icon(web):
    browser = Browser(web)
    for path, words in {"/help": "How long are my tickets held?", "/terms": "When you buy", "/privacy": "What we keep"}.items():
        answer = browser.go(path)
        assert answer.status_code == 200 and words in answer.words
        assert {"/help", "/terms", "/privacy"} <= {a.get("href") for a in answer.page.find(".//footer").iter("a")}
    for path in ("/favicon.svg", "/favicon.ico"):
        assert browser.get(web.url + path).headers["Content-Type"] == "image/svg+xml"
    manifest = next(e.get("href") for e in answer.page.iter("link") if e.get("rel") == "manifest")
    assert browser.get(web.url + manifest).json()["name"] == "Onsale"


def test_a_new_account_is_welcomed(web):
    browser = Browser(web)
    browser.cookies.set("held", f"/orders/{SOME_ID}.9999999999", domain="127.0.0.1", path="/")
    cookie = {"Set-Cookie": f"session={web.tokens(1)[0]}; Path=/; HttpOnly; Max-Age=43200"}
    web.services.answers |= {"POST /api/users/signup": (201, {"id": new_id(), "email": "x"}, cookie)}
    answer = browser.submit(browser.go("/signup?next=%2Fsell").page, "/signup", email="a@example.com", password="long enough")
    assert answer.headers["Location"] == "/sell?done=welcome" and "Welcome to Onsale!" in browser.go(answer.headers["Location"]).words
    assert "held" not in browser.cookies, "of whoever was signed in before"


# --- the door ---

def open_door(web):
    """Its seller, the path of its page, and that of the service which lets in."""
    browser = Browser(web, True)
    path = serve_show(web, show(browser.id))
    return browser, f"{path}/door", f"/api{path}/admit"


def answer_of(answer):
    return next(text_of(e) for e in answer.page.iter("section") if e.get("id") == "answer")


@pytest.mark.parametrize("unknown", [(503, {}), (429, {"errors": [{"message": "Too many"}]}), (200, b"<html>")])
def test_an_outcome_at_the_door_that_is_not_known_keeps_its_key(web, unknown):
    browser, path, admit = open_door(web)
    web.services.answers[f"POST {admit}"] = unknown
    answer = browser.submit(browser.go(path).page, path, code="a code", door="North")
    assert answer.status_code in (429, 503) and "No answer" in answer_of(answer)
    web.services.answers[f"POST {admit}"] = (200, {"words": "Row A"})
    answer = browser.submit(answer.page, path, code="a code", door="North")
    assert "Let in" in answer_of(answer)
    browser.submit(answer.page, path, code="another", door="North")
    first, again, next_one = (r["headers"]["Idempotency-Key"] for r in web.services.asked("POST", admit))
    assert first == again != next_one


@pytest.mark.parametrize("language, words", [("en", "at the door “Gate <1>”."), ("de", "an der Tür „Gate <1>“.")])
def test_where_it_came_in_is_quoted_as_the_language_does(web, language, words):
    browser, path, admit = open_door(web)
    browser.headers["Accept-Language"] = language
    web.services.answers[f"POST {admit}"] = (409, refusal("Used") | {"reason": "used", "admittedAt": "2026-11-21T10:54:31.123Z", "door": "Gate <1>"})
    assert answer_of(browser.submit(browser.go(path).page, path, code="a code")).endswith(words)


def test_nobody_is_let_in_unless_the_page_can_say_so(web):
    browser, path, admit = open_door(web)
    page = browser.go(path).page
    web.services.away = {"shows"}
    assert browser.submit(page, path, code="a code").status_code == 503
    web.services.away = set()
    web.services.answers[f"GET {admit.removesuffix('/admit')}"] = (404, {})
    assert browser.submit(page, path, code="a code").status_code == 404
    assert web.services.asked("POST", admit) == []


def test_the_name_of_a_door(web):
    browser, path, admit = open_door(web)
    web.services.answers[f"POST {admit}"] = (400, {"errors": [{"field": "door", "message": "Door must have 1 to 60 characters"}]})
    answer = browser.submit(browser.go(path).page, path, code="a code", door=" ")
    assert answer_of(answer) == "Not checked Door must have 1 to 60 characters.", "once"
    browser.submit(answer.page, path, code="a code", door=" North ")
    assert [r["body"] for r in web.services.asked("POST", admit)] == [{"code": "a code"}, {"code": "a code", "door": "North"}]


# --- receipts ---

@pytest.mark.parametrize("away", ["payments", "tickets"])
def test_a_receipt_while_a_service_is_away(web, away):
    browser, p = Browser(web, True), purchase(status="complete")
    paid = {"id": new_id(), "orderId": p["id"], "status": "succeeded", "changedAt": "2026-11-21T10:40:00.000Z"}
    receipt = serve_purchase(web, p, charges=[paid]) + "/receipt"
    serve_ticket(web, ticket() | {"id": p["orders"][0]["ticket"]["id"]})
    assert browser.go(receipt).status_code == 200
    web.services.away = {away}
    answer = browser.go(receipt)
    assert answer.status_code == 503 and "Receipts can't be shown at the moment" in answer.words


def test_a_receipt_says_who_sold_and_by_which_card(web):
    browser, s, p = Browser(web, True), show(organizer="Käse & <Co>"), purchase(status="complete")
    paid = {"id": new_id(), "orderId": p["id"], "status": "succeeded", "changedAt": "2026-11-21T10:40:00.000Z"}
    for o in p["orders"]:
        o["showId"] = s["id"]
    serve_show(web, s, [area()])
    sold = serve_ticket(web, ticket() | {"id": p["orders"][0]["ticket"]["id"], "showId": s["id"]})
    receipt = serve_purchase(web, p, charges=[paid]) + "/receipt"
    words = browser.go(receipt).words
    assert "SellerKäse & <Co>Account " in words and "Total, paid by card" in words
    serve_purchase(web, p, charges=[paid | {"card": {"brand": "amex", "last4": "8431"}}])
    assert "Total, paid with American Express ending in 8431" in browser.go(receipt).words
    serve_purchase(web, p, charges=[paid | {"status": "refunded", "card": {"brand": "news_of_2030", "last4": "0001"}}])
    assert "Refunded in full to card ending in 0001" in browser.go(receipt).words
    serve_show(web, s | {"organizer": None}, [area()])
    assert "SellerAccount " in browser.go(receipt).words
    assert "It is a place of a show, which says who sells it." in Browser(web).go(sold).words
    assert "gives no name" in Browser(web).go(serve_ticket(web, ticket())).words
