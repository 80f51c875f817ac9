"""The pages on the real services, through the edge, without scripts: what people do, from signing up to an order's end."""
import urllib.parse
import uuid

import pytest

from support import wait_until
from webs import Browser


class Through:
    """The edge of a stack, for a Browser."""

    def __init__(self, stack):
        self.url = stack.url


@pytest.fixture
def person(stack):
    """Somebody new, signed up by the form and led on to `after`."""
    def make(after="/"):
        browser = Browser(Through(stack))
        email = f"{uuid.uuid4().hex}@example.com"
        page = browser.go("/signup?" + urllib.parse.urlencode({"next": after})).page
        answer = browser.submit(page, "/signup", email=email, password="correct horse")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{after}?done=welcome"), answer.text
        browser.email = email
        return browser
    return make


def follow(browser, answer):
    assert answer.status_code == 303, answer.words
    where = answer.headers["Location"]
    return where, browser.go(where)


def sell(browser, title):
    """Path and page of a ticket just listed."""
    page = browser.go("/sell").page
    return follow(browser, browser.submit(page, "/sell", title=title, price="45.50"))


def buy(browser, where):
    """Path and page of the order, and the page that it was bought from. Orders may hear of a new ticket a moment later."""
    def bought():
        page = browser.go(where).page
        answer = browser.submit(page, f"{where}/buy")
        assert answer.status_code == 303 or "Press again" in answer.words, answer.words
        return answer.status_code == 303 and (*follow(browser, answer), page)
    return wait_until(bought, "it can be bought")


def test_from_signing_up_to_cancelling(person):
    seller, buyer = person("/sell"), person()
    title = f"<b>Seat</b> {uuid.uuid4().hex}"
    where, answer = sell(seller, title)
    where = where.partition("?")[0]
    assert "Your ticket is on sale" in answer.words and title in answer.words

    found = buyer.go("/?" + urllib.parse.urlencode({"q": title}))
    assert [a.get("href") for a in found.page.iter("a") if a.get("href") == where] == [where]

    order, answer, page = buy(buyer, where)
    assert "Waiting for payment" in answer.words and "$45.50" in answer.words
    assert follow(buyer, buyer.submit(page, f"{where}/buy"))[0] == order, "pressed twice, or back and again"
    assert seller.go(order).status_code == 404

    wait_until(lambda: "Somebody is paying for your ticket" in seller.go(where).words, "the seller sees it held")
    wait_until(lambda: "You hold this ticket" in buyer.go(where).words, "the buyer holds it")
    third = person()
    assert "Somebody is paying for it right now" in third.go(where).words
    assert title in buyer.go("/orders").words and title in seller.go("/tickets").words

    where_to, answer = follow(buyer, buyer.submit(buyer.go(order).page, f"{order}/cancel"))
    assert where_to == order and "You cancelled this order" in answer.words
    wait_until(lambda: "Buy this ticket" in third.go(where).words, "it is on sale again")

    page = seller.go(f"{where}/edit").page
    _, answer = follow(seller, seller.submit(page, f"{where}/edit", price="50"))
    assert "Your changes are saved" in answer.words and "$50.00" in answer.words
    answer = seller.submit(page, f"{where}/edit", price="51")
    assert answer.status_code == 412 and "changed meanwhile" in answer.words
    _, answer = follow(seller, seller.submit(page, f"{where}/withdraw"))
    assert "Your ticket is withdrawn" in answer.words
    assert "Withdrawn" in third.go(where).words


def test_paying(person):
    seller, buyer = person(), person()
    where = sell(seller, "A seat to be paid")[0].partition("?")[0]
    order, _, _ = buy(buyer, where)
    page = wait_until(lambda: "Test mode" in (p := buyer.go(order)).words and p, "it can be paid").page
    def known():  # in a list, for an answer that refuses is false
        answer = buyer.submit(page, f"{order}/pay", token="pm_card_chargeDeclined")
        return answer.status_code != 404 and [answer]
    [answer] = wait_until(known, "payments knows the order")
    assert answer.status_code == 402 and "Your card was declined" in answer.words and "still held for you" in answer.words
    for _ in range(2):  # pressed twice: the same payment
        assert follow(buyer, buyer.submit(answer.page, f"{order}/pay", token="pm_card_visa"))[0] == order
    wait_until(lambda: "The ticket is yours" in buyer.go(order).words, "it is paid")
    assert "Paid: the ticket is yours" in buyer.go(order).words and "Cancel" not in buyer.go(order).words
    wait_until(lambda: "Show this at the door" in buyer.go(where).words, "the buyer has it")
    assert "You sold this ticket" in seller.go(where).words and "Sold." in person().go(where).words


def test_who_comes_second(person):
    seller, first, second = person(), person(), person()
    where = sell(seller, "One seat")[0].partition("?")[0]
    page = second.go(where).page
    buy(first, where)
    answer = second.submit(page, f"{where}/buy")
    assert answer.status_code == 409 and "One seat" in answer.words


def test_refusals_keep_what_was_typed(person):
    browser = person()
    answer = browser.submit(browser.go("/sell").page, "/sell", title="x" * 201, price="0.1")
    assert answer.status_code == 400
    assert "Title must have 1 to 200 characters" in answer.words and "Price must be a price" in answer.words
    assert answer.page.find(".//input[@name='title']").get("value") == "x" * 201


def test_an_account(person, stack):
    browser = person()
    email = f"{uuid.uuid4().hex}@example.com"
    answer = browser.submit(browser.go("/account").page, "/account/email", email=email, email_current="wrong horse")
    assert answer.status_code == 400 and "Current password is wrong" in answer.words
    _, answer = follow(browser, browser.submit(answer.page, "/account/email", email_current="correct horse"))
    assert "Your e-mail is changed" in answer.words and email in answer.words
    _, answer = follow(browser, browser.submit(answer.page, "/account/password", password="another horse", password_current="correct horse"))
    follow(browser, browser.submit(answer.page, "/signout"))
    where = browser.go("/tickets").headers["Location"]
    answer = browser.submit(browser.go(where).page, "/signin", email=email, password="correct horse")
    assert answer.status_code == 400 and "E-mail or password is wrong" in answer.words
    where, answer = follow(browser, browser.submit(answer.page, "/signin", email=email, password="another horse"))
    assert where == "/tickets" and "You sell no tickets yet" in answer.words


def test_orders_away(person, stack):
    browser = person()
    where = sell(person(), "While orders is away")[0].partition("?")[0]
    stack.supervisor("stop", "orders")
    try:
        page = browser.go(where)
        assert page.status_code == 200 and browser.go("/").status_code == 200
        answer = browser.submit(page.page, f"{where}/buy")
        assert answer.status_code == 503 and "Buying doesn't work right now" in answer.words
        answer = browser.go("/orders/" + str(uuid.uuid4()))
        assert answer.status_code == 503 and "Orders Doesn't answer" in answer.words and "Accounts Works" in answer.words
    finally:
        stack.supervisor("start", "orders")
        stack.wait_ready("orders")
