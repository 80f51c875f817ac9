"""The main story in Firefox: signing up, buying, a card that is declined, paying, the ticket's code; and what another page learns meanwhile."""
import uuid

import pytest

from firefox import Firefox
from people import PASSWORD
from support import User, wait_until


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    browser = Firefox(tmp_path_factory.mktemp("firefox"))
    yield browser
    browser.close()


def test_from_signing_up_to_the_ticket(firefox, stack, tokens):
    seller, title = User(stack.url, next(tokens)), f"A seat {uuid.uuid4().hex[:8]}"
    ticket = f"/tickets/{seller.list_ticket(title, '45.50')['id']}"
    buyer, other = firefox.person(stack.url), firefox.person(stack.url)
    other.go(ticket)
    buyer.go(ticket)
    buyer.sees(title)
    buyer.send("a", "Create an account")
    buyer.type(email=f"{uuid.uuid4().hex[:12]}@example.com", password=PASSWORD)
    assert buyer.evaluate("document.querySelector('.reveal').textContent") == "Show", "scripts run"
    buyer.send("button", "Create account")
    buyer.sees("Welcome to Onsale!")

    def ordered():
        buyer.send("button", "Buy this ticket")
        return buyer.path.startswith("/orders/")
    wait_until(ordered, "orders knows the ticket", pause=0.5)
    buyer.sees("left to pay")
    other.sees("On hold.")
    buyer.click("label", "Visa 0002")
    buyer.send("button", "Pay")
    buyer.sees("Your card was declined.")
    buyer.click("label", "Visa 4242")
    buyer.send("button", "Pay")
    buyer.sees("The ticket is yours.")
    other.sees("Somebody else has this ticket now.")
    buyer.send("a", "Show the ticket")
    buyer.sees("Show this at the door.")
