"""services/web by itself: what it makes of whatever the services answer that it asks."""
import pathlib
import re
import threading
import time
import urllib.parse
import uuid

import pytest

from support import DEADLINE, ROOT
from webs import SOME_ID, TITLE, Browser, event, new_id, order, places, refusal, running, serve_order, serve_ticket, signed_in, ticket


# --- what everybody sees ---

def test_home(web):
    held = ticket(status="reserved", orderId=new_id())
    cursor = new_id()
    web.services.answers["GET /api/tickets"] = (200, [ticket(), held], {"Link": f'</api/tickets?cursor={cursor}&limit=20>; rel="next"'})
    answer = Browser(web).go("/")
    assert answer.status_code == 200
    cards = [e for e in answer.page.iter("li") if e.get("data-ticket")]
    assert [c.get("data-state") for c in cards] == ["available", "reserved"]
    assert "".join(cards[0].find(".//span[@class='title']").itertext()) == TITLE
    assert cards[0].find(".//data").attrib == {"class": "price", "value": "1234.50", "data-currency": "USD"}
    assert cards[0].find(".//data").text == "$1,234.50" and cards[1].find("a").get("href") == f"/tickets/{held['id']}"
    assert answer.page.find(".//a[@rel='next']").get("href") == f"/?cursor={cursor}"
    [asked] = web.services.asked("GET", "/api/tickets")
    assert asked["path"] == "/api/tickets?limit=20"


def test_search(web):
    web.services.answers["GET /api/tickets"] = (200, [], {"Link": f'</api/tickets?cursor={new_id()}&limit=20&q=%41>; rel="next"'})
    words = 'a&b="ü" <x>/#'
    answer = Browser(web).go("/?" + urllib.parse.urlencode({"q": words, "cursor": (cursor := new_id())}))
    assert urllib.parse.parse_qs(web.services.seen[0]["path"].partition("?")[2]) == {"limit": ["20"], "q": [words], "cursor": [cursor]}
    assert answer.page.find(".//input[@name='q']").get("value") == words and "No ticket on sale matches" in answer.words
    web.services.answers["GET /api/tickets"] = (400, refusal("The search must have at most 100 characters", "q"))
    answer = Browser(web).go("/?q=" + "x" * 101 + "&cursor=no-cursor")
    assert answer.status_code == 400 and "The search must have at most 100 characters" in answer.words
    assert "cursor" not in web.services.seen[-1]["path"]


def test_a_search_as_long_as_may_be_arrives_whole(web):
    words, cursor = "𝔸" * 100, new_id()
    web.services.answers["GET /api/tickets"] = (200, [ticket()], {"Link": f'</api/tickets?cursor={cursor}&limit=20>; rel="next"'})
    answer = Browser(web).go("/?" + urllib.parse.urlencode({"q": words}))
    assert urllib.parse.parse_qs(web.services.seen[0]["path"].partition("?")[2]) == {"limit": ["20"], "q": [words]}
    following = urllib.parse.urlsplit(answer.page.find(".//a[@rel='next']").get("href"))
    assert urllib.parse.parse_qs(following.query) == {"cursor": [cursor], "q": [words]}


def test_headers_and_files(web):
    web.services.answers["GET /api/tickets"] = (200, [ticket() for _ in range(20)])
    browser = Browser(web)
    answer = browser.go("/")
    policy = dict(p.strip().split(" ", 1) for p in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'" and policy["form-action"] == "'self'"
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Encoding"] == "gzip" and "Strict-Transport-Security" not in answer.headers
    for element in answer.page.iter():
        path = element.get("href") if element.tag == "link" else element.get("src") if element.tag == "script" else None
        if path is None:
            continue
        file = browser.get(web.url + path)
        assert file.status_code == 200 and "immutable" in file.headers["Cache-Control"]
        assert (ROOT / "services/web/static" / re.sub(r"\.[0-9a-f]{12}", "", pathlib.Path(path).name)).read_bytes() == file.content
        plain = browser.get(web.url + path, headers={"Accept-Encoding": "identity"})
        assert plain.content == file.content and "Content-Encoding" not in plain.headers
        again = browser.get(web.url + path, headers={"If-None-Match": file.headers["ETag"]})
        assert again.status_code == 304 and not again.content
    assert browser.go("/static/app.css").status_code == 404
    assert browser.go("/nowhere/at/all").status_code == 404


def test_what_the_services_are_told(web):
    web.services.answers["GET /api/tickets"] = (200, [])
    browser = Browser(web, True)
    browser.cookies.set("other", "secret", domain="127.0.0.1", path="/")
    browser.go("/", headers={"X-Forwarded-For": "203.0.113.9", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    headers = web.services.seen[0]["headers"]
    assert headers["Authorization"] == f"Bearer {browser.cookies['session']}" and "Cookie" not in headers
    assert headers["X-Forwarded-For"] == "203.0.113.9" and headers["traceparent"].split("-")[1] == "a" * 32


# --- signing in and up ---

def test_sign_in_leads_back_to_where_one_was(web):
    browser = Browser(web)
    where = f"/orders?cursor={new_id()}"
    answer = browser.go(where)
    assert answer.status_code == 303 and not web.services.seen
    page = browser.go(answer.headers["Location"]).page
    web.services.answers["POST /api/users/signin"] = (400, refusal("Invalid credentials"))
    answer = browser.submit(page, "/signin", email="mara@example.com", password="hunter2<")
    assert answer.status_code == 400 and "E-mail or password is wrong" in answer.words and "hunter2" not in answer.text
    assert answer.page.find(".//input[@name='email']").get("value") == "mara@example.com"
    web.services.answers["POST /api/users/signin"] = (200, {"id": new_id(), "email": "x"}, signed_in(web))
    answer = browser.submit(answer.page, "/signin", password="right")
    assert (answer.status_code, answer.headers["Location"]) == (303, where)
    assert web.services.seen[-1]["body"] == {"email": "mara@example.com", "password": "right"}
    cookie = next(c for c in browser.cookies if c.name == "session")
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.expires > time.time() + 43000
    web.services.answers["GET /api/orders"] = (200, [])
    assert browser.go(where).status_code == 200


@pytest.mark.parametrize("where", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/\tx", ""])
def test_sign_in_leads_nowhere_else(web, where):
    browser = Browser(web)
    web.services.answers["POST /api/users/signin"] = (200, {"id": new_id(), "email": "x"}, signed_in(web))
    page = browser.go("/signin?" + urllib.parse.urlencode({"next": where})).page
    answer = browser.submit(page, "/signin", email="a@example.com", password="x", next=where)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_sign_up(web):
    browser = Browser(web)
    page = browser.go("/signup?next=%2Fsell").page
    web.services.answers["POST /api/users/signup"] = (400, {"errors": [
        {"message": "Email must be an e-mail", "field": "email"}, {"message": "Password must have 8 to 128 characters", "field": "password"}]})
    answer = browser.submit(page, "/signup", email="no", password="x")
    assert answer.status_code == 400 and "Email must be an e-mail" in answer.words and "Password must have 8 to 128 characters" in answer.words
    web.services.answers["POST /api/users/signup"] = (409, refusal("Email in use", "email"))
    answer = browser.submit(answer.page, "/signup", email="mara@example.com", password="x" * 9)
    assert answer.status_code == 409 and "There is an account with this e-mail already" in answer.words
    web.services.answers["POST /api/users/signup"] = (429, refusal("Too many attempts, try again later"))
    answer = browser.submit(answer.page, "/signup")
    assert answer.status_code == 429 and "Too many attempts" in answer.words
    web.services.answers["POST /api/users/signup"] = (201, {"id": new_id(), "email": "x"}, signed_in(web))
    assert browser.submit(answer.page, "/signup").headers["Location"] == "/sell?done=welcome"
    assert browser.go("/sell").status_code == 200


def test_sign_out(web):
    browser = Browser(web, True)
    answer = browser.submit(browser.go("/account").page, "/signout")
    assert answer.headers["Location"] == "/?done=out" and "session" not in browser.cookies
    [asked] = web.services.asked("POST", "/api/users/signout")
    assert asked["headers"]["Authorization"].startswith("Bearer "), "the session ends everywhere, and not in this browser alone"
    assert browser.go("/account").status_code == 303


def test_sign_out_everywhere(web):
    browser = Browser(web, True)
    answer = browser.submit(browser.go("/account").page, "/signout", everywhere="true")
    [asked] = web.services.asked("POST", "/api/users/signout")
    assert answer.headers["Location"] == "/?done=out" and asked["path"].endswith("?everywhere=true")


def test_a_session_that_a_service_refuses(web):
    """Signed in by the look of it, but not there: to sign in, and not in circles."""
    browser = Browser(web, True)
    web.services.answers["GET /api/orders"] = (401, refusal("Sign in first"))
    answer = browser.go("/orders")
    assert answer.status_code == 303 and places(answer).path == "/signin"
    answer = browser.go(answer.headers["Location"])
    assert answer.status_code == 200 and "Your session is over" in answer.words


# --- forms that are not ours ---

@pytest.mark.parametrize("change", [
    {"csrf": None}, {"csrf": ""}, {"csrf": "x" * 43}, {"cookie": None}, {"session": "another"}, {"Origin": "https://evil.example"},
    {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_forged_forms_are_refused(web, change):
    browser = Browser(web, True)
    path = "/tickets/" + new_id()
    fields = browser.fields(browser.go("/sell").page, "/sell")
    headers = {k: v for k, v in change.items() if k[0].isupper()}
    if "csrf" in change:
        fields = {k: v for k, v in (fields | {"csrf": change["csrf"]}).items() if v is not None}
    if "cookie" in change:
        browser.cookies.set("form", None)
    if "session" in change:
        browser.cookies.set("session", web.tokens(1)[0], domain="127.0.0.1", path="/")
    answer = browser.go(f"{path}/withdraw", "POST", data=fields, headers=headers)
    assert answer.status_code == 403 and not web.services.seen


def test_what_is_ours_is_taken(web):
    browser = Browser(web, True)
    path = "/tickets/" + new_id()
    web.services.answers[f"DELETE /api{path}"] = (204, None)
    fields = browser.fields(browser.go("/sell").page, "/sell")
    masks = {browser.fields(browser.go("/sell").page, "/sell")["csrf"] for _ in range(3)} | {fields["csrf"]}
    assert len(masks) == 4, "compression tells nothing about a token that is another each time"
    answer = browser.go(f"{path}/withdraw", "POST", data=fields, headers={"Origin": web.url, "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303, answer.words
    assert answer.headers["Location"] == f"{path}?done=withdrawn"


# --- buying ---

def test_a_ticket_for_a_stranger(web):
    path = serve_ticket(web, ticket())
    answer = Browser(web).go(path)
    link = next(a for a in answer.page.iter("a") if "Sign in to buy" in "".join(a.itertext()))
    assert urllib.parse.parse_qs(link.get("href").partition("?")[2]) == {"next": [path]}
    assert answer.page.find(".//h1").text == TITLE and not list(answer.page.find(".//main").iter("form"))
    assert Browser(web).go("/tickets/" + new_id()).status_code == 404
    assert Browser(web).go("/tickets/none").status_code == 404


def test_whose_a_ticket_is(web):
    browser, held = Browser(web, True), new_id()
    assert "This is your ticket, on sale" in browser.go(serve_ticket(web, ticket(browser.id))).words
    path = serve_ticket(web, ticket(status="reserved", orderId=held))
    assert "Somebody is paying for it right now" in browser.go(path).words
    web.services.answers[f"GET /api/orders/{held}"] = (200, {})
    assert "You hold this ticket" in browser.go(path).words


def test_buying_twice_is_once(web):
    browser = Browser(web, True)
    t = ticket()
    path, o = serve_ticket(web, t), order(t)
    page = browser.go(path).page
    web.services.answers["POST /api/orders"] = (201, o)
    for _ in range(2):
        assert browser.submit(page, f"{path}/buy").headers["Location"] == f"/orders/{o['id']}"
    first, second = web.services.asked("POST", "/api/orders")
    assert first["body"] == {"ticketId": t["id"], "maxPrice": t["price"]}, "no more than the page says"
    assert first["headers"]["Idempotency-Key"] == second["headers"]["Idempotency-Key"]
    assert browser.fields(browser.go(path).page, f"{path}/buy")["key"] != first["headers"]["Idempotency-Key"]


def test_somebody_was_faster(web):
    browser = Browser(web, True)
    t = ticket()
    path = serve_ticket(web, t)
    page = browser.go(path).page
    web.services.answers["POST /api/orders"] = (409, refusal("This ticket is reserved"))
    serve_ticket(web, t | {"status": "reserved", "orderId": new_id()})
    answer = browser.submit(page, f"{path}/buy")
    assert answer.status_code == 409 and "This ticket is reserved." in answer.words and "On hold" in answer.words
    web.services.answers["POST /api/orders"] = (404, refusal("No such ticket"))
    assert "Press again to buy it" in browser.submit(page, f"{path}/buy").words


@pytest.mark.parametrize("code, status", [(201, "succeeded"), (202, "requires_action")])
def test_a_payment_leads_back_to_its_order(web, code, status):
    """Paid, or to be confirmed there."""
    browser = Browser(web, True)
    path = serve_order(web, order(ticket()), [event("OrderCreated", "created")])
    web.services.answers["POST /api/payments"] = (code, {"id": new_id(), "status": status})
    answer = browser.submit(browser.go(path).page, f"{path}/pay", token="pm_card_visa")
    assert (answer.status_code, answer.headers["Location"]) == (303, path)


def test_an_order_until_it_is_paid(web):
    browser = Browser(web, True)
    o = order(ticket())
    path = serve_order(web, o, [event("OrderCreated", "created")])
    answer = browser.go(path)
    assert answer.status_code == 200 and "Test mode" in answer.words and TITLE in answer.words
    assert answer.page.find(".//div[@class='countdown']").get("data-until") == "2026-11-21T10:54:31.123Z"
    web.services.answers["POST /api/payments"] = (402, refusal("your card has insufficient funds"))
    declined = browser.submit(answer.page, f"{path}/pay", token="pm_card_chargeDeclinedInsufficientFunds")
    assert declined.status_code == 402 and "Your card was declined. Your card has insufficient funds." in declined.words
    assert web.services.asked("POST", "/api/payments")[0]["body"] == {"orderId": o["id"], "token": "pm_card_chargeDeclinedInsufficientFunds"}
    web.services.answers["POST /api/payments"] = (201, {"id": new_id(), "status": "succeeded"})
    assert browser.submit(declined.page, f"{path}/pay").headers["Location"] == path
    keys = [r["headers"]["Idempotency-Key"] for r in web.services.asked("POST", "/api/payments")]
    assert len(set(keys)) == 2, "another try is another payment"
    serve_order(web, o | {"status": "awaiting:payment"})
    assert "Your payment is under way" in browser.go(path).words
    serve_order(web, o, charges=[{"status": "started", "waiting": {"ahead": 34, "seconds": 700}}])
    assert "34 are before it, which takes about 12 min" in browser.go(path).words
    serve_order(web, o | {"status": "complete"}, [event("OrderCreated", "created"), event("OrderCompleted", "complete")])
    assert "The ticket is yours" in browser.go(path).words


def test_payments_may_not_know_an_order_yet(web):
    browser = Browser(web, True)
    path = serve_order(web, order(ticket()), [event("OrderCreated", "created")])
    page = browser.go(path).page

    def known_after_a_while(_):
        asked = len(web.services.asked("POST", "/api/payments"))
        return (404, refusal("No such order")) if asked < 4 else (201, {"id": new_id(), "status": "succeeded"})
    web.services.answers["POST /api/payments"] = known_after_a_while
    assert browser.submit(page, f"{path}/pay", token="pm_card_visa").headers["Location"] == path
    asked = web.services.asked("POST", "/api/payments")
    assert len(asked) == 4 and len({r["headers"]["Idempotency-Key"] for r in asked}) == 1, "one payment, however often it is asked for"
    web.services.answers["POST /api/payments"] = (404, refusal("No such order"))
    assert browser.submit(page, f"{path}/pay", token="pm_card_visa").status_code == 404, "but not for good"


@pytest.mark.parametrize("reason, words", [("buyer", "You cancelled this order"), ("expired", "The time to pay is over"),
                                           ("ticket_cancelled", "The seller withdrew"), ("payment_failed", "The payment failed")])
def test_how_an_order_ended(web, reason, words):
    o = order(ticket(), status="cancelled")
    path = serve_order(web, o, [event("OrderCreated", "created"), event("OrderCancelled", "cancelled", reason=reason)])
    answer = Browser(web, True).go(path)
    assert words in answer.words and "You were not charged" in answer.words and "Pay " not in answer.words
    serve_order(web, o, [event("OrderCancelled", "cancelled", reason=reason)], [{"status": "failed"}, {"status": "refunded"}])
    answer = Browser(web, True).go(path)
    assert "refunded in full" in answer.words and "not charged" not in answer.words


@pytest.mark.parametrize("status, words, absent", [("succeeded", "The ticket is yours", "refunded"),
                                                   ("refunded", "Your payment was refunded in full", "The ticket is yours")])
def test_a_paid_order_that_somebody_refunded_by_hand(web, status, words, absent):
    path = serve_order(web, order(ticket(), status="complete"), [event("OrderCompleted", "complete")], [{"status": status}])
    answer = Browser(web, True).go(path)
    assert words in answer.words and absent not in answer.words


def test_a_decline_that_orders_has_not_heard_of(web):
    browser, o = Browser(web, True), order(ticket())
    path = serve_order(web, o)
    page = browser.go(path).page
    web.services.answers["POST /api/payments"] = (402, refusal("Your card was declined."))
    serve_order(web, o | {"status": "awaiting:payment"})
    answer = browser.submit(page, f"{path}/pay")
    assert answer.status_code == 402 and "Your card was declined" in answer.words and "under way" not in answer.words
    assert answer.page.get("data-path") == path, "where it is read again"


@pytest.mark.parametrize("path", [f"/tickets/{SOME_ID}/buy", f"/tickets/{SOME_ID}/withdraw", f"/orders/{SOME_ID}/pay",
                                  f"/orders/{SOME_ID}/cancel", "/account/email", "/account/password", "/account/sessions", "/account/delete"])
def test_where_forms_are_sent_to_leads_to_their_page(web, path):
    assert Browser(web).go(path).headers["Location"] == path.rpartition("/")[0]


def test_cancelling(web):
    browser = Browser(web, True)
    o = order(ticket())
    path = serve_order(web, o)
    page = browser.go(path).page
    web.services.answers[f"DELETE /api{path}"] = (409, refusal("This order is complete"))
    answer = browser.submit(page, f"{path}/cancel")
    assert answer.status_code == 409 and "This order is complete" in answer.words
    web.services.answers[f"DELETE /api{path}"] = (204, None)
    assert browser.submit(page, f"{path}/cancel").headers["Location"] == path


def test_an_order_of_somebody_else(web):
    for code in (403, 404):
        i = new_id()
        web.services.answers[f"GET /api/orders/{i}"] = (code, refusal("No"))
        assert Browser(web, True).go(f"/orders/{i}").status_code == 404


def test_lists_of_ones_own(web):
    browser, cursor = Browser(web, True), new_id()
    link = {"Link": f'</api/x?cursor={cursor}&limit=20>; rel="next"'}
    web.services.answers["GET /api/orders"] = (200, [order(ticket()), order(ticket(), status="complete")], link)
    answer = browser.go("/orders")
    assert answer.words.count(TITLE) == 2 and "Paid" in answer.words
    assert answer.page.find(".//a[@rel='next']").get("href") == f"/orders?cursor={cursor}"
    web.services.answers["GET /api/tickets"] = (200, [ticket(browser.id, status="cancelled")], link)
    answer = browser.go(f"/tickets?cursor={cursor}")
    assert "Withdrawn" in answer.words and answer.page.find(".//a[@rel='next']").get("href") == f"/tickets?cursor={cursor}"
    assert web.services.seen[-1]["path"] == f"/api/tickets?mine=true&limit=20&cursor={cursor}"


# --- selling ---

def test_selling(web):
    browser = Browser(web, True)
    page = browser.go("/sell").page
    web.services.answers["POST /api/tickets"] = (400, {"errors": [{"message": "Title must have 1 to 200 characters", "field": "title"},
                                                                  {"message": "Price must be a price", "field": "price"}]})
    answer = browser.submit(page, "/sell", title=TITLE, price="<b>")
    assert answer.status_code == 400 and "Title must have 1 to 200 characters" in answer.words and "Price must be a price" in answer.words
    assert [answer.page.find(f".//input[@name='{n}']").get("value") for n in ("title", "price")] == [TITLE, "<b>"]
    t = ticket(browser.id)
    web.services.answers["POST /api/tickets"] = (201, t)
    sent = browser.submit(answer.page, "/sell", price="20.00")
    assert sent.headers["Location"] == f"/tickets/{t['id']}?done=listed"
    assert web.services.seen[-1]["body"] == {"title": TITLE, "price": "20.00"}
    assert uuid.UUID(web.services.seen[-1]["headers"]["Idempotency-Key"])
    serve_ticket(web, t)
    assert "Your ticket is on sale." in browser.go(sent.headers["Location"]).words


def test_editing(web):
    browser = Browser(web, True)
    t = ticket(browser.id)
    path = serve_ticket(web, t)
    answer = browser.go(f"{path}/edit")
    assert browser.fields(answer.page, f"{path}/edit") | {"csrf": ""} == {"csrf": "", "version": "3", "title": TITLE, "price": "1234.50",
                                                                                    "date": "", "venue": "", "city": ""}
    web.services.answers[f"PUT /api{path}"] = (412, refusal("The ticket has changed since the version in If-Match"))
    serve_ticket(web, t | {"version": 4, "title": "Other"})
    refused = browser.submit(answer.page, f"{path}/edit", price="99")
    assert web.services.asked("PUT", f"/api{path}")[0]["headers"]["If-Match"] == '"3"'
    assert refused.status_code == 412 and "changed meanwhile" in refused.words
    assert browser.fields(refused.page, f"{path}/edit") | {"csrf": ""} == {"csrf": "", "version": "4", "title": TITLE, "price": "99",
                                                                                     "date": "", "venue": "", "city": ""}
    web.services.answers[f"PUT /api{path}"] = (200, t)
    assert browser.submit(refused.page, f"{path}/edit").headers["Location"] == f"{path}?done=saved"
    assert browser.go(f"{serve_ticket(web, ticket())}/edit").status_code == 404
    sold = serve_ticket(web, ticket(browser.id, status="sold"))
    assert browser.go(f"{sold}/edit").headers["Location"] == sold


# --- when services are away ---

def test_pages_say_what_works_and_what_does_not(web):
    browser, t = Browser(web, True), ticket()
    web.services.answers |= {"GET /api/tickets": (200, [t]), "GET /api/users/currentuser": (200, {}), "GET /api/payments": (200, [])}
    path = serve_ticket(web, t)
    page = browser.go(path).page
    web.services.away = {"orders"}
    assert browser.go("/").status_code == 200
    answer = browser.go("/orders")
    assert answer.status_code == 503 and "Your purchases can't be shown right now" in answer.words
    answer = browser.go("/orders/" + new_id())
    assert answer.status_code == 503 and "Orders Doesn't answer" in answer.words and "Tickets on sale Works" in answer.words
    answer = browser.submit(page, f"{path}/buy")
    assert answer.status_code == 503 and "Buying doesn't work right now" in answer.words and TITLE in answer.words
    web.services.away = {"tickets"}
    answer = browser.go("/")
    assert answer.status_code == 503 and "can't be shown right now" in answer.words
    assert browser.go(path).status_code == 503
    answer = browser.submit(browser.go("/sell").page, "/sell", title="Kept", price="3")
    assert answer.status_code == 503 and answer.page.find(".//input[@name='title']").get("value") == "Kept"


def test_payments_are_away(web):
    browser, o = Browser(web, True), order(ticket())
    path = serve_order(web, o)
    page = browser.go(path).page
    web.services.away = {"payments"}
    assert "Payments can't be taken right now" in browser.go(path).words
    answer = browser.submit(page, f"{path}/pay")
    assert answer.status_code == 503 and "you are never charged twice" in answer.words


@pytest.mark.parametrize("nonsense", [b"", b"{", b"[{}]", b'{"id":1}', b"<html>", b'[{"id":"x","title":1}]', b"[" * 5000, b"null"])
def test_answers_that_are_none(web, nonsense):
    browser = Browser(web, True)
    for path in ("/", "/orders", "/tickets", "/orders/" + new_id(), "/tickets/" + new_id()):
        web.services.answers = {f"GET /api{path if path != '/' else '/tickets'}": (200, nonsense)}
        assert browser.go(path).status_code == 503, path


def test_a_service_that_takes_too_long(tmp_path):
    done = threading.Event()

    def slowly(_):
        done.wait(DEADLINE)
        return 200, []
    with running(tmp_path, API_TIMEOUT="500ms") as web:
        web.services.answers["GET /api/tickets"] = slowly
        try:
            assert Browser(web).go("/").status_code == 503
        finally:
            done.set()


def test_stripes_form(tmp_path):
    with running(tmp_path, STRIPE_PUBLISHABLE_KEY="pk_test_x", SECURE_COOKIES="true") as web:
        answer = Browser(web, True).go(serve_order(web, order(ticket())))
        assert "Test mode" not in answer.words and "https://js.stripe.com" in answer.headers["Content-Security-Policy"]
        form = next(f for f in answer.page.iter("form") if f.get("id") == "pay")
        assert (form.get("data-stripe-key"), form.get("data-amount"), form.get("data-currency")) == ("pk_test_x", "123450", "USD")
        assert answer.headers["Strict-Transport-Security"] and "Secure" in answer.headers["Set-Cookie"]
        assert "stripe" not in Browser(web).go("/signin").headers["Content-Security-Policy"]
