"""How people use pages: twice, backwards, without a mouse, without a network, without motion."""
import uuid

from playwright.sync_api import expect

from people import DESK
from support import wait_until


def seat():
    return f"A seat {uuid.uuid4().hex[:8]}"


def heard(stack, ticket):
    """Orders has heard of a ticket, so that the first press buys it."""
    known = "select 1 from tickets where id = %s"
    wait_until(lambda: stack.sql("orders", known, ticket.rsplit("/", 1)[1]), f"orders knows {ticket}")


# --- once ---

def test_pressed_twice_is_bought_once(people, stack):
    seller, buyer = people.user(), people.user()
    ticket = seller.sell(seat())
    order = buyer.buy(ticket)
    assert len(buyer.orders()) == 1
    buyer.page.go_back()
    expect(buyer.page.locator("#ticket")).to_be_visible()
    button = buyer.page.get_by_role("button", name="Buy this ticket")
    if button.count():  # as it was left; read again, it is the holder's
        button.dblclick()
        expect(buyer.page).to_have_url(buyer.url + order)
    else:
        buyer.sees("You hold this ticket.")
        buyer.press("Go on to payment")
    other = seller.sell(seat())
    buyer.go(other)
    heard(stack, other)
    buyer.page.get_by_role("button", name="Buy this ticket").dblclick()
    buyer.state("waiting")
    assert len(buyer.orders()) == 2


def test_pressed_twice_is_paid_once(people, stack):
    seller, buyer = people.user(), people.user()
    order = buyer.buy(seller.sell(seat()))
    pay = buyer.page.locator("#pay button")
    pay.dblclick()
    buyer.state("paid")
    buyer.page.go_back()
    buyer.go(order)
    buyer.state("paid")
    assert [charge["status"] for charge in buyer.charges(order)] == ["succeeded"]
    captured = stack.sql("stripe-sandbox", "select captured from ledger where metadata ->> 'orderId' = %s", order.rsplit("/", 1)[1])
    assert captured == [(4550,)]


def test_a_form_kept_from_before_pays_nothing(people):
    """Two tabs of the same order: what is paid in one is not paid again in the other."""
    seller, buyer = people.user(), people.user()
    order = buyer.buy(seller.sell(seat()))
    old = buyer.context.new_page()
    old.route("**/orders/*", lambda route: route.continue_() if route.request.is_navigation_request() else route.abort())
    old.goto(order)
    buyer.pay()
    buyer.state("paid")
    old.locator("#pay button").click()
    expect(old.locator("main")).to_contain_text("The ticket is yours.")
    assert [charge["status"] for charge in buyer.charges(order)] == ["succeeded"]


# --- without a mouse ---

OUTLINED = """() => {
    if (document.activeElement === document.body) return true; // nothing has it
    for (let element = document.activeElement, n = 0; element && n < 2; element = element.parentElement, n++) {
        const style = getComputedStyle(element), box = element.getBoundingClientRect();
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 4 && box.height > 4 && box.bottom > 0)
            return true;
    }
    return false;
}"""


def tab_to(person, text, most=40):
    """Goes on by Tab until it stands on something of this name; wherever it comes by, one sees where one is."""
    passed = []
    for _ in range(most):
        person.page.keyboard.press("Tab")
        name = person.page.evaluate("""() => { const e = document.activeElement;
            const labels = [...(e.labels ?? [])].map((label) => label.innerText);
            return e === document.body ? "" : [e.innerText, e.getAttribute("aria-label"), ...labels].join(" ") }""")
        assert person.page.evaluate(OUTLINED), f"nobody sees that {name!r} has the focus"
        if text in " ".join(name.split()):
            return
        passed.append(name)
    raise AssertionError(f"Tab does not lead to {text}, only to {passed}")


def enter(person):
    """Presses Enter on what leads to another page."""
    with person.page.expect_navigation():
        person.page.keyboard.press("Enter")


def test_bought_by_keyboard(people):
    seller, buyer = people.user(), people.user(viewport=DESK)
    title = seat()
    seller.sell(title)
    buyer.go("/")
    tab_to(buyer, "Skip to the content")
    buyer.page.keyboard.press("Enter")
    tab_to(buyer, "Show, artist or venue")
    buyer.page.keyboard.type(title)
    enter(buyer)
    buyer.sees("Tickets from people that match")
    tab_to(buyer, title)
    enter(buyer)
    for _ in range(5):  # orders may hear of it a moment later
        tab_to(buyer, "Buy this ticket")
        enter(buyer)
        if buyer.path.startswith("/orders/"):
            break
    buyer.state("waiting")
    tab_to(buyer, "Visa 4242")
    buyer.page.keyboard.press("ArrowDown")
    expect(buyer.page.get_by_label("Mastercard 4444")).to_be_checked()
    tab_to(buyer, "Pay $")
    buyer.page.keyboard.press("Enter")
    buyer.state("paid")


def test_cancelled_by_keyboard(people):
    seller, buyer = people.user(), people.user()
    buyer.buy(seller.sell(seat()))
    tab_to(buyer, "Cancel this order")
    buyer.page.keyboard.press("Enter")
    tab_to(buyer, "Cancel the order")
    buyer.page.keyboard.press("Enter")
    buyer.state("cancelled")


# --- without a network, without motion ---

def test_offline(people):
    person = people.user()
    person.go("/")
    banner = person.page.locator("#offline")
    expect(banner).to_be_hidden()
    person.context.set_offline(True)
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("You are offline.")
    person.context.set_offline(False)
    expect(banner).to_be_hidden()


MOVING = """() => document.getAnimations().length + [...document.querySelectorAll("*")].filter((e) => {
    const style = getComputedStyle(e);
    return style.animationName !== "none" || style.transitionDuration.split(", ").some((d) => parseFloat(d) > 0);
}).length"""


def test_motion_is_the_readers_choice(people):
    for motion, moves in (("reduce", False), ("no-preference", True)):
        person = people.user(reduced_motion=motion)
        person.go("/")
        assert (person.page.evaluate(MOVING) > 0) == moves
