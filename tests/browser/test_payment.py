"""Paying where the bank wants to know who pays: by the sandbox's page, and by Stripe's script, which a stand-in plays here: Stripe's own
comes from its servers only, so what is tested is what we ask of it (elements, createPaymentMethod, handleNextAction) and what may load."""
import re
import uuid

import pytest
from playwright.sync_api import expect

from sandbox import Books
from support import Replica, wait_until

STAND_IN = """
window.asked = [];
window.Stripe = (key) => ({
    elements: (options) => {
        asked.push(["elements", key, options.mode, options.amount, options.currency]);
        return {
            create: (kind) => ({ mount: (place) => { document.querySelector(place).textContent = `a form for a ${kind}`; } }),
            submit: async () => (window.refuse ? { error: { message: window.refuse } } : {}),
        };
    },
    createPaymentMethod: async ({ params }) => {
        if (window.picky && params) return { error: { code: "email_invalid", message: "Your email is invalid." } };
        sessionStorage.told = params?.billing_details.email;
        return { paymentMethod: { id: window.card ?? "pm_card_authenticationRequired" } };
    },
    handleNextAction: async ({ clientSecret }) => {
        asked.push(["confirm", clientSecret]);
        return window.bank ? await window.bank(clientSecret) : { paymentIntent: { status: "succeeded" } };
    },
});
"""


@pytest.fixture
def to_pay(people):
    """Somebody on the page of an order to be paid."""
    def make(url=None, **context):
        seller, buyer = people.user(), people.user(url, **context)
        buyer.order = buyer.buy(seller.sell(f"A seat {uuid.uuid4().hex[:8]}"))
        return buyer
    return make


@pytest.fixture
def books(stack):
    return Books(stack)


def ask_the_bank(buyer, answer):
    """In the bank's window, which stays: closing one that is about to show another page may hang Chromium for good."""
    buyer.sees("Confirm that it's you")
    with buyer.context.expect_page() as opened:
        buyer.press("Confirm with your bank")
    bank = opened.value
    expect(bank).to_have_url(re.compile("/sandbox/3ds/"))
    expect(bank.get_by_role("link", name="Back to the shop")).to_have_attribute("href", "/orders")
    with bank.expect_navigation():
        bank.get_by_role("button", name=answer).click()


@pytest.mark.parametrize("script", [True, False])
def test_confirmed_with_the_bank(to_pay, script):
    buyer = to_pay(java_script_enabled=script)
    buyer.pay("Visa 3184")
    ask_the_bank(buyer, "Complete authentication")
    if script:
        buyer.state("paid")
    else:
        wait_until(lambda: buyer.go(buyer.order) and "The ticket is yours." in buyer.page.locator("main").inner_text(), "it is paid")
    assert [charge["status"] for charge in buyer.charges(buyer.order)] == ["succeeded"]


def test_not_confirmed_then_paid_by_another_card(to_pay):
    buyer = to_pay()
    buyer.pay("Visa 3184")
    ask_the_bank(buyer, "Fail authentication")
    buyer.state("waiting")
    buyer.sees("The bank did not let the payment through.")
    buyer.pay("Visa 4242")
    buyer.state("paid")


def test_cancelled_instead_of_confirming(to_pay):
    buyer = to_pay()
    buyer.pay("Visa 3184")
    buyer.sees("Confirm that it's you")
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.state("cancelled")
    buyer.sees("You were not charged.")


@pytest.fixture
def by_stripe(stack, to_pay, people):
    """As to_pay, where pages have a publishable key."""
    with Replica(stack, "web", STRIPE_PUBLISHABLE_KEY="pk_test_made_up") as web:
        web.wait_ready()

        def make(script=STAND_IN):
            buyer = to_pay(web.url)
            buyer.page.unroute_all()
            buyer.context.route("https://js.stripe.com/**", lambda route: route.fulfill(content_type="text/javascript", body=script)
                                if script else route.abort())
            buyer.go(buyer.order)
            return buyer
        yield make


def test_stripes_script(by_stripe, books):
    buyer = by_stripe()
    expect(buyer.page.locator("#payment-element")).to_have_text("a form for a payment")
    assert buyer.page.evaluate("asked") == [["elements", "pk_test_made_up", "payment", 4550, "usd"]]
    buyer.page.evaluate("document.getElementById('payment-element').textContent = 'half a card number'")
    with buyer.page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
        buyer.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    buyer.page.evaluate("new Promise(requestAnimationFrame)")
    expect(buyer.page.locator("#payment-element")).to_have_text("half a card number")
    buyer.page.evaluate("window.refuse = 'Your card number is incomplete.'")
    buyer.press("Pay $")
    expect(buyer.page.locator("#payment-error")).to_have_text("Your card number is incomplete.")
    assert buyer.charges(buyer.order) == []
    buyer.page.evaluate("window.refuse = ''")
    buyer.send("Pay $")
    buyer.sees("Confirm that it's you")
    assert "@" in buyer.email and buyer.page.evaluate("sessionStorage.told") == buyer.email
    [entry] = books.of({"id": buyer.order.rsplit("/", 1)[1]})
    buyer.page.evaluate("() => { window.bank = async () => ({ error: { message: 'The bank is closed.' } }) }")
    buyer.press("Confirm with your bank")
    expect(buyer.page.locator("#confirm-error")).to_have_text("The bank is closed.")
    buyer.context.expose_function("atTheBank", lambda: books.confirm(entry["id"]))
    buyer.page.evaluate("() => { window.bank = async () => { await atTheBank(); return {} } }")
    buyer.press("Confirm with your bank")
    buyer.state("paid")
    assert entry["status"] == "requires_action" and len(books.of({"id": buyer.order.rsplit("/", 1)[1]})) == 1


def test_an_address_that_stripe_takes_for_none(by_stripe):
    """There is no field to mend it in: the payment goes on without."""
    buyer = by_stripe()
    buyer.page.evaluate("window.picky = true")
    buyer.send("Pay $")
    buyer.sees("Confirm that it's you")
    assert buyer.page.evaluate("sessionStorage.told") == "undefined"


def test_stripe_may_load_where_one_pays_and_nowhere_else(by_stripe):
    buyer = by_stripe()
    for path, may in ((buyer.order, True), ("/", False), ("/orders", False), ("/account", False), ("/sell", False)):
        policy = buyer.go(path).headers["content-security-policy"]
        assert ("stripe.com" in policy) == may, path
        assert (buyer.page.locator("script[src*='stripe.com']").count() == 1) == may
    buyer.go("/")
    loaded = "() => new Promise((done) => { const s = document.createElement('script'); s.src = 'https://js.stripe.com/v3/';"
    assert buyer.page.evaluate(loaded + "s.onload = () => done(true); s.onerror = () => done(false); document.head.append(s) })") is False
    assert any("Content Security Policy" in message for message in buyer.trouble)
    buyer.trouble.clear()


def test_stripe_is_away(by_stripe):
    buyer = by_stripe(script=None)
    expect(buyer.page.locator("#payment-error")).to_contain_text("Stripe can't be reached. Nothing was charged")
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.state("cancelled")
