"""Pages that nobody loads again, and that are true all the same. What a page asks for meanwhile is looked at: its stream is enough."""
import re
import signal
import time
import uuid

import pytest
from playwright.sync_api import expect

from support import wait_until


def seat():
    return f"A seat {uuid.uuid4().hex[:8]}"


@pytest.fixture
def listed(people):
    """A ticket and its seller."""
    seller = people.user()
    answer = seller.api.post("/api/tickets", json={"title": seat(), "price": 45.5})
    return seller.api, answer.json()


def watched(person):
    """What its page asks for from now on, but for its icon."""
    asked = []

    def note(request):
        path = request.url.removeprefix(person.url).partition("?")[0]
        if not path.startswith("/static/"):
            asked.append(path)
    person.page.on("request", note)
    return asked


def follows(person, path):
    """On that page, with its stream."""
    with person.page.expect_response(re.compile("/live")):
        person.go(path)
    return watched(person)


def card(person, ticket):
    return person.page.locator(f"li[data-ticket='{ticket['id']}']")


def test_a_card_on_the_home_page(people, listed):
    """On hold, back, another price, and gone; the link that had the focus keeps it."""
    seller, ticket = listed
    buyer, third = people.user(), people.stranger()
    asked = follows(third, "/")
    card(third, ticket).locator("a").focus()
    order = buyer.api.place(ticket)
    expect(card(third, ticket).locator(".badge")).to_have_text("On hold")
    expect(card(third, ticket).locator("a")).to_be_focused()
    assert buyer.api.delete(f"/api/orders/{order['id']}").status_code == 204
    expect(card(third, ticket).locator(".badge")).to_have_text("On sale")
    wait_until(lambda: seller.put(f"/api/tickets/{ticket['id']}", json={"title": ticket["title"], "price": 1250}).status_code == 200,
               "its price is changed")
    expect(card(third, ticket).locator(".price")).to_have_text("$1,250.00")
    third.page.get_by_role("searchbox").focus()
    assert seller.delete(f"/api/tickets/{ticket['id']}").status_code == 204
    expect(card(third, ticket).locator(".badge")).to_have_text("Withdrawn")
    expect(card(third, ticket)).to_have_count(0)
    assert asked == []


def test_new_tickets_are_offered(people, listed):
    seller, _ = listed
    third = people.stranger()
    asked = follows(third, "/")
    seller.post("/api/tickets", json={"title": seat(), "price": 1})
    expect(third.page.locator("#fresh a")).to_have_text(re.compile(r"^Show \d+ new tickets?$"))
    assert asked == []


def test_a_ticket_before_ones_eyes(people, listed):
    """And it can be bought by the button that came with it."""
    _, ticket = listed
    buyer, third = people.user(), people.user()
    asked = follows(third, f"/tickets/{ticket['id']}")
    order = buyer.api.place(ticket)
    third.sees("Somebody is paying for it right now")
    expect(third.page.locator("#announce")).to_have_text("On hold")
    assert buyer.api.delete(f"/api/orders/{order['id']}").status_code == 204
    third.sees("On sale")
    assert asked == []
    third.send("Buy this ticket")
    third.sees("Waiting for payment")


def test_an_order_before_its_buyers_eyes(people, listed):
    """Which reads its page again for each thing that happens; the list of orders does, too."""
    _, ticket = listed
    buyer = people.user()
    order = buyer.api.place(ticket)
    asked = follows(buyer, f"/orders/{order['id']}")
    second = buyer.context.new_page()
    with second.expect_response(re.compile("/live")):
        second.goto("/orders")
    assert buyer.api.delete(f"/api/orders/{order['id']}").status_code == 204
    buyer.sees("You cancelled this order.")
    expect(second.locator(f"[data-order='{order['id']}'] .badge")).to_have_text("Cancelled")
    assert set(asked) == {f"/orders/{order['id']}"}


def test_an_answer_that_never_comes(people, listed):
    """As from a network that is gone: the page asks again."""
    _, ticket = listed
    buyer, held = people.user(), []
    order = buyer.api.place(ticket)
    follows(buyer, f"/orders/{order['id']}")
    buyer.page.route(f"**/orders/{order['id']}", lambda route: route.continue_() if held else held.append(route))
    assert buyer.api.delete(f"/api/orders/{order['id']}").status_code == 204
    buyer.sees("You cancelled this order.")
    assert len(held) == 1


def test_a_change_that_cannot_be_read_yet(people, listed):
    """It is told of by the database's log, which is written a moment before others see the change: the page reads until it is there."""
    _, ticket = listed
    buyer, stale = people.user(), []
    order = buyer.api.place(ticket)
    path = f"/orders/{order['id']}"
    before = buyer.context.request.get(buyer.url + path).text()

    def answer(route):
        if stale:
            route.continue_()
        else:
            stale.append(path)
            route.fulfill(body=before, content_type="text/html; charset=utf-8")
    follows(buyer, path)
    buyer.page.route(f"**{path}", answer)
    assert buyer.api.delete(f"/api{path}").status_code == 204
    buyer.sees("You cancelled this order.")
    assert stale == [path]


DEAF = """{
    let first = true;
    window.EventSource = class extends EventSource {
        deaf = first;
        constructor(url) { super(url); first = false; }
        addEventListener(...what) { if (!this.deaf) super.addEventListener(...what); }
    };
}"""


def test_a_stream_that_has_gone_silent(people, listed):
    """As from a network that is gone without a word, or when a machine has slept: the page opens another."""
    _, ticket = listed
    buyer = people.user()
    order = buyer.api.place(ticket)
    buyer.page.add_init_script(DEAF)
    buyer.page.clock.install()
    asked = follows(buyer, f"/orders/{order['id']}")
    assert buyer.api.delete(f"/api/orders/{order['id']}").status_code == 204
    buyer.page.clock.fast_forward(40_000)
    assert "/live" not in asked, "so long it may be silent"
    buyer.page.clock.fast_forward(10_000)
    buyer.sees("You cancelled this order.")
    assert "/live" in asked


def test_a_page_whose_web_is_killed(people, stack, listed):
    """It comes back by itself, and is told what happened meanwhile."""
    seller, ticket = listed
    third = people.stranger()
    follows(third, f"/tickets/{ticket['id']}")
    stack.kill("web", signal.SIGKILL)
    wait_until(lambda: seller.put(f"/api/tickets/{ticket['id']}", json={"title": ticket["title"], "price": 77}).status_code == 200,
               "its price is changed")
    third.sees("$77.00")
    wait_until(lambda: stack.ready("web"), "web is back")
    people.user().api.place(ticket)
    third.sees("Somebody is paying for it right now")


def test_the_countdown_goes_by_the_servers_clock(people, listed):
    """However wrong the browser's own is."""
    _, ticket = listed
    buyer = people.user()
    order = buyer.api.place(ticket)
    buyer.page.clock.install(time=time.time() + 3600)
    follows(buyer, f"/orders/{order['id']}")
    until = buyer.page.locator(".countdown .until")
    expect(until).to_have_text(re.compile(r"^1[45]:\d\d left to pay$"))
