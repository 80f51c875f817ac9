"""What people do on Onsale from signing up to an order's end, several browsers side by side, on the whole stack."""
import re
import uuid

import pytest
from playwright.sync_api import expect

from people import PASSWORD
from support import Replica, wait_until


def seat():
    return f"A seat {uuid.uuid4().hex[:8]}"


def test_sold_before_everybodys_eyes(people):
    """A sells, B buys and pays, a third sees it go on hold and vanish, on its own page and among the others."""
    seller, buyer, third, fourth = people.stranger(), people.stranger(), people.user(), people.stranger()
    title = seat()
    seller.go("/sell")
    seller.sees("Sign in first; then you are back where you were.")
    seller.follow("Create an account")
    seller.sign_up()
    expect(seller.page).to_have_url(f"{seller.url}/sell?done=welcome")
    ticket = seller.sell(title)
    seller.state("available")

    third.go(ticket)
    third.state("available")
    fourth.go("/")
    card = fourth.page.locator(f"li:has(a[href='{ticket}'])")
    expect(card).to_have_attribute("data-state", "available")
    buyer.go("/")
    buyer.page.get_by_role("searchbox").fill(title)
    buyer.press("Search")
    buyer.page.get_by_role("link", name=title).click()
    buyer.sees("$45.50")
    buyer.press("Sign in to buy")
    buyer.follow("Create an account")
    buyer.sign_up()
    expect(buyer.page).to_have_url(f"{buyer.url}{ticket}?done=welcome")
    order = buyer.buy(ticket)
    buyer.state("waiting")
    buyer.sees("Waiting for payment")

    third.state("reserved")
    third.sees("On hold.")
    expect(card).to_have_attribute("data-state", "reserved")
    expect(card).to_contain_text("On hold")
    seller.state("reserved")
    seller.sees("Somebody is paying for your ticket")
    buyer.pay()
    buyer.state("paid")
    buyer.sees("The ticket is yours.")
    buyer.sees("Paid: the ticket is yours")
    third.state("sold")
    third.sees("Somebody else has this ticket now.")
    seller.state("sold")
    seller.sees("You sold this ticket.")
    expect(card).to_have_count(0)
    third.go(f"/?q={title}")
    third.sees("No ticket on sale matches.")
    buyer.go("/orders")
    expect(buyer.page.locator(f"a[href='{order}']")).to_contain_text("Paid")


def test_the_countdown_runs(people):
    seller, buyer = people.user(), people.user()
    buyer.buy(seller.sell(seat()))
    until = buyer.page.locator(".countdown .until")
    expect(until).to_have_text(re.compile(r"^1[45]:[0-5]\d left to pay$"))
    first = until.inner_text()
    expect(until).not_to_have_text(first)
    assert until.inner_text() < first
    assert 0 < buyer.page.locator(".countdown progress").evaluate("bar => bar.value") < 1


def test_an_order_expires_on_the_page(people, stack, tokens):
    """Beside the others' hold of 15 minutes, another instance of orders that holds for seconds, and pages that ask it."""
    with Replica(stack, "orders", HOLD_SECONDS="5") as orders, Replica(stack, "web", ORDERS_API=orders.url) as web:
        orders.wait_ready(), web.wait_ready()
        seller, third = people.user(), people.user()
        buyer = people.user(web.url)
        ticket = seller.sell(seat())
        order = buyer.buy(ticket)
        buyer.state("expired")
        buyer.sees("You were not charged.")
        expect(buyer.page.get_by_role("button", name="Pay")).to_have_count(0)
        third.go(ticket)
        third.state("available")
        buyer.go("/orders")
        expect(buyer.page.locator(f"a[href='{order}']")).to_contain_text("Expired")


def test_on_hold_and_back_on_sale(people):
    seller, buyer, third = people.user(), people.user(), people.user()
    ticket = seller.sell(seat())
    buyer.buy(ticket)
    third.go(ticket)
    third.state("reserved")
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.state("cancelled")
    buyer.sees("You cancelled this order.")
    third.state("available")
    third.buy(ticket)
    third.state("waiting")


def test_declined_then_paid(people):
    seller, buyer = people.user(), people.user()
    order = buyer.buy(seller.sell(seat()))
    buyer.pay("Visa 0002")
    buyer.sees("Your card was declined.")
    buyer.sees("the ticket is still held for you")
    buyer.state("waiting")
    assert buyer.path == order, "loading it again is no second try"
    buyer.pay("Mastercard 4444")
    buyer.state("paid")
    assert [charge["status"] for charge in buyer.charges(order)] == ["succeeded"]


def test_declined_for_good(people):
    seller, buyer = people.user(), people.user()
    ticket = seller.sell(seat())
    buyer.buy(ticket)
    for _ in range(3):
        buyer.pay("Visa 9995")
    buyer.state("failed")
    buyer.sees("The payment failed.")
    buyer.press("See the ticket")
    buyer.state("available")


def test_withdrawn_and_edited(people):
    seller, third = people.user(), people.user()
    title = seat()
    ticket = seller.sell(title)
    third.go(ticket)
    seller.follow("Edit")
    seller.type(price="nothing")
    seller.press("Save")
    seller.sees("Price must be a price")
    expect(seller.page.locator("[name=price]")).to_have_value("nothing")
    expect(seller.page.locator("[name=price]")).to_be_focused()
    seller.type(title=f"{title}, row 7", price="50")
    seller.press("Save")
    seller.sees("Your changes are saved.")
    third.sees("row 7")
    third.sees("$50.00")
    seller.follow("Withdraw")
    seller.press("Withdraw this ticket")
    seller.sees("Your ticket is withdrawn.")
    third.state("withdrawn")
    third.sees("The seller took this ticket off sale.")
    seller.go("/tickets")
    expect(seller.page.locator(f"a[href='{ticket}']")).to_contain_text("Withdrawn")


def test_a_session_ends_and_one_is_back_where_one_was(people):
    person = people.stranger()
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    person.sees(person.email)
    person.context.clear_cookies(name="session")
    person.context.add_cookies([{"name": "session", "value": "over", "url": person.url}])
    person.go("/orders")
    person.sees("Your session is over. Sign in again, and you are back where you were.")
    person.type(email=person.email, password="something else")
    person.press("Sign in")
    person.sees("E-mail or password is wrong.")
    expect(person.page.locator("[name=email]")).to_have_value(person.email)
    person.sign_in()
    expect(person.page).to_have_url(f"{person.url}/orders")
    person.sees("You have not bought anything yet.")


@pytest.mark.parametrize("scripts", [True, False])
def test_another_device_is_signed_out(people, scripts):
    person, other = people.stranger(java_script_enabled=scripts), people.stranger()
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    other.email = person.email
    other.go("/signin?next=%2Faccount")
    other.sign_in()
    other.sees(person.email)
    person.go("/account")
    rows = person.page.locator(".sessions li")
    expect(rows).to_have_count(2)
    expect(person.page.locator(".sessions li[aria-current]")).to_contain_text("Here")
    rows.first.get_by_role("button").click()
    person.sees("That device is signed out.")
    expect(rows).to_have_count(1)
    wait_until(lambda: other.go("/account") and "Your session is over." in other.page.locator("main").inner_text(), "the other is signed out")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_account_is_deleted(people, scripts):
    person = people.stranger(java_script_enabled=scripts)
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    person.type(delete_current="something else")
    person.press("Delete it for good")
    person.sees("Current password is wrong")
    person.type(delete_current=PASSWORD)
    person.press("Delete it for good")
    person.sees("Your account is deleted.")
    person.go("/signin")
    person.sign_in()
    person.sees("E-mail or password is wrong.")


def test_without_javascript(people):
    seller, buyer = people.stranger(java_script_enabled=False), people.user(java_script_enabled=False)
    seller.go("/sell")
    seller.follow("Create an account")
    seller.sign_up()
    ticket = seller.sell(seat(), "12")
    seller.follow("Edit")
    seller.type(price="45.50")
    seller.press("Save")
    order = buyer.buy(ticket)
    buyer.sees("Held for you until")
    buyer.pay("Visa 0002")
    buyer.sees("Your card was declined.")
    buyer.pay()

    def paid():
        if "Your payment is under way." in buyer.page.locator("main").inner_text():
            buyer.send("Look again")
        return "The ticket is yours." in buyer.page.locator("main").inner_text()
    wait_until(paid, "it is paid")
    assert buyer.path == order
    wait_until(lambda: seller.go(ticket) and "You sold this ticket." in seller.page.locator("main").inner_text(), "it is sold")
    other = seller.sell(seat())
    buyer.buy(other)
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.sees("You cancelled this order.")
    seller.go("/account")
    seller.press("Sign out")
    seller.sees("You are signed out.")


def test_in_german(people):
    """From signing up to the ticket, with what scripts say."""
    seller, buyer = people.user(), people.stranger(locale="de-DE")
    title = seat()
    ticket = seller.sell(title)
    buyer.go(ticket)
    assert buyer.page.locator("html").get_attribute("lang") == "de"
    buyer.sees("45,50\xa0$")
    buyer.press("Zum Kaufen anmelden")
    buyer.follow("Legen Sie ein Konto an")
    buyer.email = f"{uuid.uuid4().hex[:12]}@example.com"
    buyer.type(email=buyer.email, password="kurz")
    expect(buyer.page.locator(".reveal")).to_have_accessible_name("Passwort: Zeigen")
    buyer.send("Konto anlegen")
    buyer.sees("Passwort muss 8 bis 128 Zeichen haben")
    buyer.type(password="ein langes Passwort")
    buyer.send("Konto anlegen")
    buyer.sees("Willkommen bei Onsale!")

    def ordered():
        buyer.send("Dieses Ticket kaufen")
        return buyer.path.startswith("/orders/")
    wait_until(ordered, "orders knows the ticket")
    buyer.sees("Wartet auf Zahlung")
    expect(buyer.page.locator(".until")).to_have_text(re.compile(r"noch 1[45]:[0-5]\d zum Zahlen"))
    buyer.page.get_by_label("Visa 0002").check()
    buyer.send("Zahlen")
    buyer.sees("Ihre Karte wurde abgelehnt.")
    buyer.page.get_by_label("Visa 4242").check()
    buyer.send("Zahlen")
    buyer.sees("Das Ticket gehört Ihnen.")
    buyer.sees("Bezahlt: Das Ticket gehört Ihnen")
    buyer.go("/?q=nichts")
    buyer.sees("Kein Ticket passt.")
    seller.sees("You sold this ticket.")
