"""The pages of shows and purchases, by themselves: what services/web makes of whatever the services answer."""
import time
import urllib.parse
import uuid

import pytest

from webs import (SOME_ID, TITLE, Browser, area, event, new_id, order, purchase, refusal, serve_order, serve_purchase, serve_show, show,
                  text_of, ticket)

def ago(hours):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - hours * 3600))


def link_to(cursor):
    return {"Link": f'</api/x?cursor={cursor}&limit=20>; rel="next"'}


# --- lists ---

def test_home_has_shows_by_date_above_the_tickets(web):
    first, second, cursor = show(), show(title="Second", timeZone="America/New_York"), new_id()
    web.services.answers |= {"GET /api/shows": (200, [first, second], link_to(cursor)), "GET /api/tickets": (200, [ticket(title="Alone")])}
    answer = Browser(web).go("/")
    assert answer.status_code == 200 and answer.words.index("Second") < answer.words.index("Alone")
    cards = list(answer.page.find(".//section[@id='shows']").iter("li"))
    assert [c.find("a").get("href") for c in cards] == [f"/shows/{first['id']}", f"/shows/{second['id']}"]
    assert TITLE in text_of(cards[0]) and "House & Hall, Basel" in text_of(cards[0])
    assert [c.find(".//time").text for c in cards] == ["Tue 1 Jun 2027, 20:00", "Tue 1 Jun 2027, 14:00"]
    assert cards[0].find(".//time").attrib == {"class": "when", "datetime": "2027-06-01T18:00:00.000Z", "data-zone": "Europe/Zurich"}
    assert web.services.asked("GET", "/api/shows")[0]["path"] == "/api/shows?limit=20"
    links = [a.get("href") for a in answer.page.iter("a") if text_of(a) == "Later shows"]
    assert links == [f"/shows?cursor={cursor}"]


def test_a_zone_that_is_none_here_is_utc_and_says_so(web):
    web.services.answers |= {"GET /api/shows": (200, [show(timeZone="Mars/Base")]), "GET /api/tickets": (200, [])}
    assert "Tue 1 Jun 2027, 18:00 UTC" in Browser(web).go("/").words


def test_cards_say_when_a_show_goes_on_sale(web):
    sold = {"free": 5, "places": 5, "fromPrice": 20}
    web.services.answers |= {"GET /api/tickets": (200, []), "GET /api/shows": (200, [
        show(**sold, opensAt=ago(-51.2)), show(**sold, opensAt=ago(-1.1)), show(**sold, opensAt=ago(1)), show(**sold, saleOver=True)])}
    cards = [text_of(c) for c in Browser(web).go("/").page.find(".//section[@id='shows']").iter("li")]
    assert "On sale in 2 days 3 h" in cards[0] and "On sale in 1 h 6 min" in cards[1] and "On sale in" not in cards[2]
    assert "Sale over" in cards[3] and "Sale over" not in cards[2]


def test_a_search_finds_shows_too(web):
    web.services.answers |= {"GET /api/shows": (200, [show()], link_to(new_id())), "GET /api/tickets": (200, [])}
    answer = Browser(web).go("/?" + urllib.parse.urlencode({"q": "a&b"}))
    assert TITLE in answer.words and "No ticket on sale matches" in answer.words
    assert urllib.parse.parse_qs(web.services.asked("GET", "/api/shows")[0]["path"].partition("?")[2]) == {"limit": ["20"], "q": ["a&b"]}
    [later] = [a.get("href") for a in answer.page.iter("a") if text_of(a) == "Later shows"]
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(later).query)["q"] == ["a&b"]


def test_later_pages_of_tickets_have_no_shows(web):
    web.services.answers["GET /api/tickets"] = (200, [ticket()])
    assert Browser(web).go(f"/?cursor={new_id()}").status_code == 200 and not web.services.asked("GET", "/api/shows")


def test_home_without_shows(web):
    web.services.answers |= {"GET /api/shows": (200, []), "GET /api/tickets": (200, [ticket()])}
    assert "Shows" not in Browser(web).go("/").words
    web.services.answers["GET /api/shows"] = (503, refusal("not now"))
    answer = Browser(web).go("/")
    assert answer.status_code == 200 and "The list of shows can't be shown right now" in answer.words and TITLE in answer.words


def test_the_list_of_shows(web):
    cursor, following = new_id(), new_id()
    web.services.answers["GET /api/shows"] = (200, [show()], link_to(following))
    answer = Browser(web).go("/shows?" + urllib.parse.urlencode({"cursor": cursor, "q": "ü"}))
    asked = urllib.parse.parse_qs(web.services.seen[0]["path"].partition("?")[2])
    assert asked == {"limit": ["20"], "cursor": [cursor], "q": ["ü"]}
    assert answer.status_code == 200 and TITLE in answer.words
    link = urllib.parse.urlsplit(answer.page.find(".//a[@rel='next']").get("href"))
    assert link.path == "/shows" and urllib.parse.parse_qs(link.query) == {"cursor": [following], "q": ["ü"]}
    web.services.answers["GET /api/shows"] = (200, [])
    assert "No show is announced right now" in Browser(web).go("/shows").words
    web.services.away = {"shows"}
    answer = Browser(web).go("/shows")
    assert answer.status_code == 503 and "can't be shown right now" in answer.words


# --- a show ---

def test_a_show_for_a_stranger(web):
    path = serve_show(web, show(description="Two\nlines <b>", organizer="Käse & <Co>"),
                      [area(), area(name="Balcony", free=0), area(name="Ramp", accessible=True)])
    answer = Browser(web).go(path)
    assert answer.status_code == 200 and answer.page.find(".//h1").text == TITLE
    assert "Tue 1 Jun 2027, 20:00By the clocks at the venue House & HallBasel Käse & <Co>Sells these tickets, by this name Two lines <b>" in answer.words
    assert [text_of(e) for e in answer.page.find(".//ul[@class='areas']")] == [
        "Stalls <b>40 left · Pick your seats in Stalls <b> $20.50", "BalconySold out $20.50",
        "Ramp Accessible40 left · Pick your seats in Ramp $20.50"]
    [link] = [a for a in answer.page.iter("a") if text_of(a) == "Sign in to buy"]
    assert urllib.parse.parse_qs(link.get("href").partition("?")[2]) == {"next": [path]}
    assert not list(answer.page.find(".//main").iter("form"))


def test_shows_that_are_none(web):
    browser = Browser(web)
    assert browser.go("/shows/" + new_id()).status_code == 404 and browser.go("/shows/none").status_code == 404
    web.services.away = {"shows"}
    answer = browser.go("/shows/" + new_id())
    assert answer.status_code == 503 and "Shows can't be shown at the moment" in answer.words


@pytest.mark.parametrize("nonsense", [b"", b"{", b"[{}]", b'{"id":1}', b"<html>", b"null"])
def test_answers_that_are_none(web, nonsense):
    browser = Browser(web, True)
    for path in ("/shows", "/shows/" + new_id(), "/purchases/" + new_id()):
        web.services.answers = {f"GET /api{path}": (200, nonsense)}
        assert browser.go(path).status_code == 503, path
    s = show()
    for wrong in ({"startsAt": "soon"}, {"status": "new"}, {"areas": {}}, {"areas": [area(price="1")]}, {"currency": 7}):
        web.services.answers = {f"GET /api/shows/{s['id']}": (200, s | {"areas": []} | wrong)}
        assert browser.go(f"/shows/{s['id']}").status_code == 503, wrong


def test_what_a_show_says_to_whom(web):
    browser = Browser(web, True)
    assert "This is your show, on sale now" in browser.go(serve_show(web, show(browser.id), [area()])).words
    answer = browser.go(serve_show(web, show(), [area(free=0)]))
    assert "Nothing is free right now" in answer.words and "How many?" not in answer.words
    answer = browser.go(serve_show(web, show(status="cancelled"), [area()]))
    assert "This show is cancelled. Its tickets are no longer sold." in answer.words and "How many?" not in answer.words


def test_a_show_that_is_over(web):
    """Half a day after its start; until then it may go on."""
    browser, stalls = Browser(web, True), area()
    path = serve_show(web, show(startsAt=ago(hours=13)), [stalls, area()])
    answer = browser.go(path)
    assert "This show is over." in answer.words and "Pick your seats" not in answer.words and not list(answer.page.find(".//main").iter("form"))
    assert f"{path}/areas/{stalls['id']}" not in [a.get("href") for a in answer.page.iter("a")]
    web.services.answers[f"GET /api{path}/areas/{stalls['id']}/seats"] = (200, {"areaId": stalls["id"], "rows": []})
    assert browser.go(f"{path}/areas/{stalls['id']}").headers["Location"] == path
    assert "This show is over." in browser.go(serve_show(web, show(browser.id, startsAt=ago(hours=13)), [area()])).words
    assert "Get the best available" in browser.go(serve_show(web, show(startsAt=ago(hours=11)), [area()])).words


def test_the_best_available(web):
    browser, s, stalls = Browser(web, True), show(), area()
    path = serve_show(web, s, [stalls])
    answer = browser.go(path)
    assert browser.fields(answer.page, f"{path}/buy") | {"csrf": "", "key": ""} == {
        "csrf": "", "key": "", "quantity": "2", "area": "", "together": "yes"}
    assert [o.text for o in answer.page.iter("option")][-2:] == ["The best, wherever it is", "Stalls <b>, $20.50"]
    p = purchase(2)
    web.services.answers["POST /api/purchases"] = (201, p)
    for _ in range(2):
        assert browser.submit(answer.page, f"{path}/buy").headers["Location"] == f"/purchases/{p['id']}"
    first, second = web.services.asked("POST", "/api/purchases")
    assert first["body"] == {"showId": s["id"], "quantity": 2, "together": True, "accessible": False}
    assert uuid.UUID(first["headers"]["Idempotency-Key"]) == uuid.UUID(second["headers"]["Idempotency-Key"])
    single = purchase(1)
    web.services.answers["POST /api/purchases"] = (201, single)
    answer = browser.submit(answer.page, f"{path}/buy", quantity="1", area=stalls["id"], together=None, accessible="yes")
    assert answer.headers["Location"] == f"/orders/{single['id']}", "one is an order like any other"
    assert web.services.asked("POST", "/api/purchases")[-1]["body"] == {
        "showId": s["id"], "quantity": 1, "areaId": stalls["id"], "together": False, "accessible": True}


@pytest.mark.parametrize("status, body, code, words", [
    (400, refusal("Quantity must be a whole number from 1 to 8", "quantity"), 400, "Quantity must be a whole number from 1 to 8"),
    (400, refusal("Area id must be a UUID", "areaId"), 400, "Area id must be a UUID"),
    (403, refusal("join the queue first"), 403, "Join the queue first."),
    (404, refusal("No such show"), 404, "announced only a moment ago. Press again"),
    (409, refusal("Sold out"), 409, "Sold out."),
    (409, refusal("Only 2 places are left"), 409, "Only 2 places are left."),
    (409, refusal("There are not 3 places side by side any more; 9 are left"), 409, "There are not 3 places side by side any more; 9 are left."),
    (409, refusal("That would be more places of this show than one person can have"), 409, "than one person can have."),
    (409, refusal("These places are kept for people who need their accessibility"), 409, "kept for people who need"),
    (422, refusal("This Idempotency-Key came with another body before"), 422, "You have sent this before, with other choices"),
    (429, refusal("slow down"), 429, "Slow down."),
    (503, refusal("try again"), 503, "Buying doesn't work right now"),
    (201, {"id": 7}, 503, "Buying doesn't work right now"),
])
def test_every_refusal_keeps_what_was_chosen(web, status, body, code, words):
    browser, stalls = Browser(web, True), area()
    path = serve_show(web, show(), [area(name="First"), stalls])
    page = browser.go(path).page
    web.services.answers["POST /api/purchases"] = (status, body)
    answer = browser.submit(page, f"{path}/buy", quantity="3", area=stalls["id"], together=None, accessible="yes")
    assert answer.status_code == code and words in answer.words and TITLE in answer.words
    kept = browser.fields(answer.page, f"{path}/buy")
    assert (kept["quantity"], kept["area"], kept.get("together"), kept["accessible"]) == ("3", stalls["id"], None, "yes")
    assert kept["key"] != web.services.asked("POST", "/api/purchases")[0]["headers"]["Idempotency-Key"]
    assert answer.page.get("data-path") == path, "where it is read again"


def test_orders_are_away_when_buying(web):
    browser = Browser(web, True)
    path = serve_show(web, show(), [area()])
    page = browser.go(path).page
    web.services.away = {"purchases"}
    answer = browser.submit(page, f"{path}/buy", quantity="5")
    assert answer.status_code == 503 and "Nothing is lost" in answer.words and browser.fields(answer.page, f"{path}/buy")["quantity"] == "5"


def test_a_quantity_that_is_none_is_the_services_to_refuse(web):
    browser = Browser(web, True)
    path = serve_show(web, show(), [area()])
    page = browser.go(path).page
    web.services.answers["POST /api/purchases"] = (400, refusal("Quantity must be a whole number from 1 to 8", "quantity"))
    for typed in ("", "two", "1e1", "-1", "9" * 30):
        assert browser.submit(page, f"{path}/buy", quantity=typed).status_code == 400
        assert web.services.asked("POST", "/api/purchases")[-1]["body"]["quantity"] == typed


def test_buying_signed_out_leads_to_sign_in_and_back(web):
    path = serve_show(web, show(), [area()])
    answer = Browser(web).go(f"{path}/buy", "POST", data={"quantity": "2"})
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["next"] == [path]
    browser = Browser(web, True)
    page = browser.go(path).page
    web.services.answers["POST /api/purchases"] = (401, refusal("sign in first"))
    answer = browser.submit(page, f"{path}/buy")
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query) == {"first": ["again"], "next": [path]}


@pytest.mark.parametrize("path", [f"/shows/{SOME_ID}/buy", f"/shows/{SOME_ID}/areas", f"/shows/{SOME_ID}/announce", f"/purchases/{SOME_ID}/pay",
                                  f"/purchases/{SOME_ID}/cancel"])
def test_where_forms_are_sent_to(web, path):
    assert Browser(web).go(path).headers["Location"] == path.rpartition("/")[0]
    browser = Browser(web, True)
    assert browser.go(path, "POST", data={"quantity": "2", "csrf": "no"}).status_code == 403 and not web.services.seen


# --- a purchase ---

def test_a_purchase_until_it_is_paid(web):
    browser, p = Browser(web, True), purchase(2)
    path = serve_purchase(web, p, [event("OrderCreated", "created")])
    answer = browser.go(path)
    assert answer.status_code == 200 and answer.page.find(".//h1").text == "Stalls, row A, seats 1–2"
    assert answer.words.count(f"{TITLE}, Stalls, row A, seat") == 2 and "To pay $41.00" in answer.words and "Pay $41.00" in answer.words
    assert "You ordered the tickets; they are held for you" in answer.words
    part = answer.page.find(".//div[@id='order']")
    assert (part.get("data-order"), part.get("data-state"), part.get("data-version")) == (p["id"], "waiting", "1")
    assert answer.page.find(".//div[@class='countdown']").get("data-until") == p["expiresAt"]
    asked = {r["path"] for r in web.services.seen}
    assert asked == {f"/api/purchases/{p['id']}", f"/api/orders/{p['id']}/history", f"/api/payments?orderId={p['id']}"}

    web.services.answers["POST /api/payments"] = (402, refusal("your card has insufficient funds"))
    declined = browser.submit(answer.page, f"{path}/pay", token="pm_card_chargeDeclinedInsufficientFunds")
    assert declined.status_code == 402 and "Your card has insufficient funds. Nothing was charged, and the tickets are still held" in declined.words
    assert web.services.asked("POST", "/api/payments")[0]["body"] == {"purchaseId": p["id"], "token": "pm_card_chargeDeclinedInsufficientFunds"}
    web.services.answers["POST /api/payments"] = (201, {"id": new_id(), "status": "succeeded"})
    assert browser.submit(declined.page, f"{path}/pay").headers["Location"] == path
    paid = purchase(2, status="complete") | {"id": p["id"]}
    paid["orders"][0]["id"] = p["id"]
    serve_purchase(web, paid, [event("OrderCreated", "created"), event("OrderCompleted", "complete")])
    answer = browser.go(path)
    assert "The tickets are yours" in answer.words and "Paid: the tickets are yours" in answer.words and "Cancel" not in answer.words


def test_the_bank_wants_to_know_more(web):
    browser, p = Browser(web, True), purchase(3)
    path = serve_purchase(web, p)
    page = browser.go(path).page
    web.services.answers["POST /api/payments"] = (202, {"id": new_id(), "status": "requires_action"})
    assert browser.submit(page, f"{path}/pay").headers["Location"] == path
    serve_purchase(web, p, charges=[{"status": "requires_action", "nextAction": {"redirect_to_url": {"url": "https://bank.example/1"}}}])
    answer = browser.go(path)
    assert "Confirm that it's you" in answer.words and f"{path}/confirm" in [a.get("href") for a in answer.page.iter("a")]
    assert browser.go(f"{path}/confirm").headers["Location"] == "https://bank.example/1"
    o = order(ticket())
    path = serve_order(web, o)
    assert browser.submit(browser.go(path).page, f"{path}/pay").headers["Location"] == path, "nor does an order take 202 for an error"


@pytest.mark.parametrize("reason, words", [("buyer", "You cancelled this order"), ("expired", "The time to pay is over"),
                                           ("ticket_cancelled", "The seller withdrew one of the tickets"), ("payment_failed", "The payment failed")])
def test_how_a_purchase_ended(web, reason, words):
    path = serve_purchase(web, purchase(2, status="cancelled"), [event("OrderCancelled", "cancelled", reason=reason)])
    answer = Browser(web, True).go(path)
    assert words in answer.words and "You were not charged" in answer.words and "Pay " not in answer.words


def test_a_purchase_that_was_lost(web):
    browser, p, lost = Browser(web, True), purchase(2, status="cancelled"), [event("OrderCancelled", "cancelled", reason="lost")]
    words = browser.go(serve_purchase(web, p, lost)).words
    assert "We lost this order by a failure of ours. What you paid goes back to you in full." in words and "You cancelled" not in words
    words = browser.go(serve_purchase(web, p, lost, [{"status": "refunded"}])).words
    assert "What you paid was refunded in full." in words and "goes back to you" not in words and "after the order had ended" not in words


def test_cancelling_a_purchase(web):
    browser, p = Browser(web, True), purchase(2)
    path = serve_purchase(web, p)
    page = browser.go(path).page
    web.services.answers[f"DELETE /api{path}"] = (409, refusal("This purchase is complete: the tickets are yours"))
    answer = browser.submit(page, f"{path}/cancel")
    assert answer.status_code == 409 and "the tickets are yours." in answer.words
    web.services.answers[f"DELETE /api{path}"] = (204, None)
    assert browser.submit(page, f"{path}/cancel").headers["Location"] == path


def test_tickets_without_seats_are_counted(web):
    p = purchase(3)
    del p["seats"]
    assert Browser(web, True).go(serve_purchase(web, p)).page.find(".//h1").text == "3 tickets"


def test_a_purchase_of_somebody_else_and_signed_out(web):
    for code in (403, 404):
        i = new_id()
        web.services.answers[f"GET /api/purchases/{i}"] = (code, refusal("No"))
        assert Browser(web, True).go(f"/purchases/{i}").status_code == 404
    answer = Browser(web).go(f"/purchases/{SOME_ID}")
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["next"] == [f"/purchases/{SOME_ID}"]
    web.services.away = {"purchases", "orders"}
    assert Browser(web, True).go(f"/purchases/{SOME_ID}").status_code == 503


def test_one_page_for_each(web):
    """An order of several leads to their purchase, a purchase of one to its order."""
    browser, p, single = Browser(web, True), purchase(3), purchase(1)
    serve_purchase(web, p), serve_purchase(web, single)
    for o in p["orders"]:
        web.services.answers[f"GET /api/orders/{o['id']}"] = (200, o)
        assert browser.go(f"/orders/{o['id']}").headers["Location"] == f"/purchases/{p['id']}"
    assert browser.go(f"/purchases/{single['id']}").headers["Location"] == f"/orders/{single['id']}"
    web.services.answers[f"GET /api/orders/{single['id']}"] = (200, single["orders"][0])
    assert browser.go(f"/orders/{single['id']}").status_code == 200
    other = p["id"][:-1] + "5"  # of no purchase, which has three
    serve_order(web, order(ticket(), id=other))
    assert browser.go(f"/orders/{other}").status_code == 200


def test_the_list_of_purchases(web):
    browser, cursor = Browser(web, True), new_id()
    p, single = purchase(3), purchase(1, seats="Pit, 1 place", status="complete")
    web.services.answers["GET /api/purchases"] = (200, [p, single], link_to(cursor))
    answer = browser.go("/orders")
    rows = [e for e in answer.page.iter("li") if e.get("data-order")]
    assert [r.find("a").get("href") for r in rows] == [f"/purchases/{p['id']}", f"/orders/{single['id']}"]
    assert [r.get("data-order") for r in rows] == [p["id"], single["id"]] and [r.get("data-state") for r in rows] == ["waiting", "paid"]
    assert "and 2 more" in text_of(rows[0]) and "$61.50" in text_of(rows[0]) and "more" not in text_of(rows[1])
    assert answer.page.find(".//a[@rel='next']").get("href") == f"/orders?cursor={cursor}"
    assert not web.services.asked("GET", "/api/orders")


# --- making a show ---

TYPED = {"title": TITLE, "venue": "Hall", "city": "Basel", "starts": "2027-06-01T20:00", "zone": "Europe/Zurich", "description": "Two\r\nlines",
         "organizer": "Käse & Co", "currency": "CHF", "per_user": "4"}


def test_making_a_show(web):
    browser, s = Browser(web, True), show(status="draft")
    assert "/shows/new" in [a.get("href") for a in browser.go("/sell").page.iter("a")]
    page = browser.go("/shows/new").page
    assert browser.fields(page, "/shows/new")["currency"] == "USD" and browser.fields(page, "/shows/new")["per-user"] == "8"
    web.services.answers["POST /api/shows"] = (201, s)
    answer = browser.submit(page, "/shows/new", **TYPED)
    assert answer.headers["Location"] == f"/shows/{s['id']}?done=drafted"
    [sent] = web.services.asked("POST", "/api/shows")
    assert sent["body"] == {"title": TITLE, "venue": "Hall", "city": "Basel", "startsAt": "2027-06-01T18:00:00.000Z",
                            "timeZone": "Europe/Zurich", "description": "Two\r\nlines", "organizer": "Käse & Co", "currency": "CHF", "perUser": 4}
    assert uuid.UUID(sent["headers"]["Idempotency-Key"])


def test_a_show_that_is_refused_keeps_what_was_typed(web):
    browser = Browser(web, True)
    page = browser.go("/shows/new").page
    fields = ["title", "venue", "city", "startsAt", "timeZone", "description", "organizer", "currency", "perUser"]
    web.services.answers["POST /api/shows"] = (400, {"errors": [{"message": f"is wrong in {f}", "field": f} for f in fields]})
    answer = browser.submit(page, "/shows/new", **TYPED)
    assert answer.status_code == 400 and all(f"Is wrong in {f}" in answer.words for f in fields)
    kept = browser.fields(answer.page, "/shows/new")
    assert {k: kept[k.replace("_", "-")].replace("\r", "") for k in TYPED} == {k: v.replace("\r", "") for k, v in TYPED.items()}
    web.services.away = {"shows"}
    answer = browser.submit(page, "/shows/new", **TYPED)
    assert answer.status_code == 503 and "could not be saved" in answer.words


@pytest.mark.parametrize("typed, words", [
    ({"starts": ""}, "Must be a date and a time"), ({"starts": "tomorrow"}, "Must be a date and a time"),
    ({"starts": "2027-02-30T20:00"}, "Must be a date and a time"), ({"starts": "2027-06-01T25:00"}, "Must be a date and a time"),
    ({"zone": ""}, "Must be the name of a time zone"), ({"zone": "../../../etc/passwd"}, "Must be the name of a time zone"),
    ({"zone": "Europe/Zürich"}, "Must be the name of a time zone")])
def test_a_start_that_is_none(web, typed, words):
    browser = Browser(web, True)
    answer = browser.submit(browser.go("/shows/new").page, "/shows/new", **TYPED | typed)
    assert answer.status_code == 400 and words in answer.words and not web.services.asked("POST", "/api/shows")
    assert browser.fields(answer.page, "/shows/new")["title"] == TITLE


def test_who_makes_a_show_signs_in_first(web):
    assert Browser(web).go("/shows/new").headers["Location"].endswith("next=%2Fshows%2Fnew")
    browser = Browser(web, True)
    page = browser.go("/shows/new").page
    web.services.answers["POST /api/shows"] = (401, refusal("sign in first"))
    assert browser.submit(page, "/shows/new", **TYPED).headers["Location"].endswith("next=%2Fshows%2Fnew")


def draft(web, browser, *areas):
    return serve_show(web, show(browser.id, status="draft", currency="EUR"), areas)


def making(answer):
    return answer.page.find(".//section[@id='making']")


def test_a_draft_and_the_progress_of_its_making(web):
    browser = Browser(web, True)
    path = draft(web, browser)
    answer = browser.go(path)
    assert answer.status_code == 200 and "None yet" in answer.words and making(answer).get("data-state") == "empty"
    assert f"{path}/announce" not in [f.get("action") for f in answer.page.iter("form")]
    path = draft(web, browser, area(places=100000, made=60000, known=40000), area(name="Pit", seated=False, places=500, made=500, known=500))
    answer = browser.go(path)
    assert making(answer).get("data-state") == "making" and making(answer).get("data-refresh") == "live"
    assert "Getting your places ready: 40500 of 100500" in answer.words and "500 standing" in answer.words
    bar = answer.page.find(".//progress")
    assert (bar.get("max"), bar.get("value")) == ("100500", "40500") and "€20.50" in answer.words
    path = draft(web, browser, area())
    answer = browser.go(path)
    assert making(answer).get("data-state") == "ready" and "All 100 places are ready to sell" in answer.words


def test_adding_areas(web):
    browser = Browser(web, True)
    path = draft(web, browser)
    page = browser.go(path).page
    web.services.answers[f"POST /api{path}/areas"] = (202, area())
    answer = browser.submit(page, f"{path}/areas", name="Stalls", price="45.50", rows=" A 1-20\r\n\r\nBox 3\t7 \r\nC 0-9", accessible="yes")
    assert answer.headers["Location"] == f"{path}?done=area" and "The area is added" in browser.go(answer.headers["Location"]).words
    [sent] = web.services.asked("POST", f"/api{path}/areas")
    assert sent["body"] == {"name": "Stalls", "price": "45.50", "accessible": True, "rows": [
        {"name": "A", "from": 1, "to": 20}, {"name": "Box 3", "from": 7, "to": 7}, {"name": "C", "from": 0, "to": 9}]}
    assert uuid.UUID(sent["headers"]["Idempotency-Key"])
    browser.submit(page, f"{path}/areas", name="Pit", price="20", places="1500")
    assert web.services.asked("POST", f"/api{path}/areas")[1]["body"] == {"name": "Pit", "price": "20", "accessible": False, "places": 1500}


@pytest.mark.parametrize("rows, line", [("A", 1), ("A 1-20\nB", 2), ("1-20", 1), ("A 1-", 1), ("A x-3", 1), ("A 1-20\n\nB 1_3", 3), ("A 1-2-3", 1),
                                        ("A 1234567", 1), ("A -", 1)])
def test_rows_that_are_none(web, rows, line):
    browser = Browser(web, True)
    path = draft(web, browser, area())
    answer = browser.submit(browser.go(path).page, f"{path}/areas", name="Stalls", price="1", rows=rows)
    assert answer.status_code == 400 and f"Line {line} must be a row and its seats, like A 1-20" in answer.words
    kept = browser.fields(answer.page, f"{path}/areas")
    assert (kept["name"], kept["price"], kept["rows"]) == ("Stalls", "1", rows) and not web.services.asked("POST", f"/api{path}/areas")


def test_an_area_that_is_refused(web):
    browser = Browser(web, True)
    path = draft(web, browser, area())
    page = browser.go(path).page
    fields = ["name", "price", "rows", "places"]
    web.services.answers[f"POST /api{path}/areas"] = (400, {"errors": [{"message": f"is wrong in {f}", "field": f} for f in fields]})
    answer = browser.submit(page, f"{path}/areas", name="<b>", price="x", rows="A 1-80", places="many", accessible="yes")
    assert answer.status_code == 400 and all(f"Is wrong in {f}" in answer.words for f in fields)
    kept = browser.fields(answer.page, f"{path}/areas")
    assert [kept[k] for k in ("name", "price", "rows", "places", "accessible")] == ["<b>", "x", "A 1-80", "many", "yes"]
    web.services.answers[f"POST /api{path}/areas"] = (400, refusal("The body must have either rows, for numbered seats, or places, for standing"))
    assert "The body must have either rows" in browser.submit(page, f"{path}/areas", name="A", price="1").words
    web.services.answers[f"POST /api{path}/areas"] = (409, refusal("A show has at most 200 areas"))
    answer = browser.submit(page, f"{path}/areas", name="A", price="1", places="3")
    assert answer.status_code == 409 and "A show has at most 200 areas." in answer.words
    web.services.answers[f"POST /api{path}/areas"] = (503, refusal("no"))
    assert "Nothing was done" in browser.submit(page, f"{path}/areas", name="A", price="1", places="3").words


def test_announcing(web):
    browser = Browser(web, True)
    path = draft(web, browser, area(known=50))
    page = browser.go(path).page
    reason = "This show is not complete yet: 50 of its 100 places can be ordered"
    web.services.answers[f"POST /api{path}/announce"] = (409, refusal(reason))
    answer = browser.submit(page, f"{path}/announce")
    assert answer.status_code == 409 and f"{reason}." in answer.words and making(answer) is not None
    web.services.answers[f"POST /api{path}/announce"] = (200, show())
    assert browser.submit(page, f"{path}/announce").headers["Location"] == f"{path}?done=announced"
    web.services.answers[f"POST /api{path}/announce"] = (403, refusal("This show is somebody else's"))
    assert browser.submit(page, f"{path}/announce").status_code == 404
    web.services.away = {"shows"}
    assert browser.submit(page, f"{path}/announce").status_code == 503


def test_an_area_for_a_show_that_was_announced_meanwhile(web):
    browser = Browser(web, True)
    s = show(browser.id, status="draft")
    path = serve_show(web, s, [area()])
    page = browser.go(path).page
    serve_show(web, s | {"status": "announced"}, [area()])
    web.services.answers[f"POST /api{path}/areas"] = (409, refusal("This show has been announced: its areas stay as they are"))
    answer = browser.submit(page, f"{path}/areas", name="A", price="1", places="3")
    assert answer.status_code == 409 and "its areas stay as they are." in answer.words and "This is your show" in answer.words
