"""Buying in the shop: seats picked by keyboard, counts that change before one's eyes, what is held on every page. On the whole stack."""
import re
import uuid

import pytest
from playwright.sync_api import expect

from people import WIDE
from support import wait_until
from test_shows import make_show

SHIFTS = """() => new Promise((done) => {
    const shifts = [];
    new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value))).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => done(shifts.reduce((a, b) => a + b, 0)), 0));
})"""


@pytest.fixture
def show(people):
    """Of 20 seats and 4 standing places; its path, on sale, known to everybody."""
    seller = people.user()
    path = make_show(seller, f"A night {uuid.uuid4().hex[:8]}")
    for area in ({"name": "Stalls", "price": 45.5, "rows": [{"name": row, "from": 1, "to": 10} for row in "AB"]},
                 {"name": "Pit", "price": 20, "places": 4}):
        assert seller.api.post(f"/api{path}/areas", json=area).status_code == 202
    wait_until(lambda: seller.api.post(f"/api{path}/announce").status_code == 200, "all places are made")
    return path


def buys(person, show, **what):
    """By the API, once orders knows the show."""
    body = {"showId": show.rpartition("/")[2], "quantity": 2, **what}
    return wait_until(lambda: (a := person.api.post("/api/purchases", json=body)).status_code == 201 and a.json(), "it is bought")


def test_seats_picked_by_keyboard(people, show):
    buyer = people.user(viewport=WIDE)
    buyer.go(show)
    buyer.page.get_by_role("link", name="Pick your seats in Stalls").click()
    seats = buyer.page.get_by_role("checkbox")
    expect(seats).to_have_count(20)
    seats.nth(4).focus()
    buyer.page.keyboard.press("Space")
    buyer.page.keyboard.press("Tab")
    buyer.page.keyboard.press("Space")
    expect(buyer.page.locator(".picked")).to_have_text("2 seats: $91.00")

    def bought():
        with buyer.page.expect_navigation():
            buyer.page.get_by_role("button", name="Get these seats").press("Enter")
        return buyer.path.startswith("/purchases/")
    wait_until(bought, "orders knows the seats")
    buyer.sees("Stalls, row A, seats 5–6")
    purchase = buyer.path
    buyer.go("/")
    held = buyer.page.get_by_role("complementary", name="Your basket")
    expect(held).to_contain_text(re.compile(r"Tickets held for you: 1[45]:[0-5]\d left"))
    held.get_by_role("link").click()
    expect(buyer.page).to_have_url(buyer.url + purchase)
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.state("cancelled")
    buyer.go("/")
    expect(held).to_have_count(0)


def test_no_more_seats_than_one_can_have(people, show):
    buyer = people.user()
    buyer.go(show)
    buyer.page.get_by_role("link", name="Pick your seats in Stalls").click()
    for n in range(8):
        buyer.page.get_by_role("checkbox").nth(n).check()
    expect(buyer.page.get_by_role("checkbox").nth(8)).to_be_disabled()
    buyer.page.get_by_role("checkbox").nth(0).uncheck()
    expect(buyer.page.get_by_role("checkbox").nth(8)).to_be_enabled()
    buyer.page.get_by_label("Large").check()
    wide = buyer.page.locator(".seat-row .seat").first.bounding_box()["width"]
    buyer.page.get_by_label("Small").check()
    assert buyer.page.locator(".seat-row .seat").first.bounding_box()["width"] < wide


def test_seats_without_javascript(people, show):
    buyer = people.user(java_script_enabled=False)

    def bought():
        buyer.go(show)
        buyer.page.get_by_role("link", name="Pick your seats in Stalls").click()
        for n in (10, 11):
            buyer.page.get_by_role("checkbox").nth(n).check()
        buyer.send("Get these seats")
        return buyer.path.startswith("/purchases/")
    wait_until(bought, "orders knows the seats")
    buyer.sees("Stalls, row B, seats 1–2")
    buyer.go("/")
    expect(buyer.page.get_by_role("complementary", name="Your basket")).to_contain_text("15 min left")


def test_what_is_left_changes_before_ones_eyes(people, show):
    """And nothing else on the page moves."""
    third, buyer = people.stranger(), people.user()
    with third.page.expect_response(re.compile("/live")):
        third.go(show)
    left = third.page.locator(".areas .free")
    expect(left).to_have_text(["20 left", "4 left"])
    before = third.page.evaluate(SHIFTS)
    purchase = buys(buyer, show)
    expect(left).to_have_text(["18 left", "4 left"])
    pit = buys(people.user(), show, quantity=4, maxPrice=20)
    expect(left).to_have_text(["18 left", "Sold out"])
    assert buyer.api.delete(f"/api/purchases/{purchase['id']}").status_code == 204
    expect(left).to_have_text(["20 left", "Sold out"])
    assert third.page.evaluate(SHIFTS) == before and len(pit["orders"]) == 4


def test_a_password_can_be_looked_at(people):
    person = people.stranger()
    person.go("/signup")
    field = person.page.locator("[name=password]")
    field.fill("a sentence of mine")
    person.page.get_by_role("button", name="Show the password").click()
    expect(field).to_have_attribute("type", "text")
    person.page.get_by_role("button", name="Hide the password").click()
    expect(field).to_have_attribute("type", "password")
    person.sign_up()
    person.sees("Welcome to Onsale!")


def test_a_draft_is_edited_and_deleted(people):
    seller = people.user()
    name = f"A night {uuid.uuid4().hex[:8]}"
    path = make_show(seller, name)
    seller.follow("Edit")
    expect(seller.page.locator("[name=starts]")).to_have_value("2027-06-01T20:00")
    seller.type(title=f"{name}, late", starts="2027-06-01T22:00")
    seller.press("Save")
    seller.sees("Your changes are saved.")
    expect(seller.page.locator(".show-head time")).to_have_text(re.compile("10:00.PM"))
    seller.follow("Selling")
    expect(seller.page.locator(f"a[href='{path}']")).to_contain_text("Draft")
    seller.go(path)
    seller.press("Delete this draft")
    seller.press("Delete the draft")
    seller.sees("Your draft is deleted.")
    seller.sees("No shows yet.")
