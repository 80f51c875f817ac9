"""When a show goes on sale, in the browser, on the whole stack: sellers say it, pages count down to it and sell from then on."""
import datetime
import re
import zoneinfo

import pytest
from playwright.sync_api import expect

from support import wait_until
from test_shows import make_show, title


def at(seconds):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


def phase(opens, closes, **more):
    return {"name": "General sale", "opensAt": at(opens).isoformat(), "closesAt": at(closes).isoformat(), "perUser": 8, **more}


def set_phases(seller, show, *phases):
    answer = seller.api.put(f"/api{show}/phases", json={"phases": phases})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def announced(people):
    """A seller and the path of his show, which goes on sale in 51 hours."""
    seller = people.user()
    show = make_show(seller, title())
    assert seller.api.post(f"/api{show}/areas", json={"name": "Pit", "price": 20, "places": 40}).status_code == 202
    set_phases(seller, show, phase(51 * 3600 + 1800, 60 * 3600))
    wait_until(lambda: seller.api.post(f"/api{show}/announce").status_code == 200, "all places are made")
    return seller, show


def test_it_goes_on_sale_before_ones_eyes(people, announced):
    seller, show = announced
    buyer = people.user()
    buyer.go(show)
    buyer.sees("Not on sale yet")
    expect(buyer.page.locator("#sale [data-opens]")).to_have_text("On sale in 2 days 3 h")
    expect(buyer.page.locator("#buy")).to_have_count(0)
    set_phases(seller, show, phase(8, 3600, name="Fans only", perUser=3))
    buyer.go(show)
    expect(buyer.page.locator("#sale [data-opens]")).to_have_text(re.compile(r"^On sale in 0:0\d$"))
    expect(buyer.page.locator("#sale")).to_have_attribute("data-state", "open")
    buyer.sees("Fans only: at most 3 of this show a person.")
    expect(buyer.page.get_by_label("How many?").locator("option")).to_have_count(3)
    buyer.page.get_by_label("How many?").select_option("3")
    buyer.send("Get the best available")
    assert buyer.path.startswith("/purchases/")


def test_cards_say_when_it_goes_on_sale(people, announced):
    seller, show = announced
    for path in ("/shows", "/tickets"):
        seller.go(path)
        expect(seller.page.locator(f"a[href='{show}']")).to_contain_text("On sale in 2 days 3 h")
    seller.go(show)
    seller.sees("This is your show, on sale from")


def test_when_it_is_sold_without_javascript(people):
    """By the seller's form, in the venue's time; the page says it with a date."""
    seller, other = people.user(java_script_enabled=False), people.user(java_script_enabled=False)
    show = make_show(seller, title())
    seller.type(name="Pit", price="20", places="40")
    seller.send("Add the area")
    seller.follow("Sell it later, or in phases")
    there = zoneinfo.ZoneInfo("Europe/Zurich")
    opens, closes = (at(days * 86400).astimezone(there).replace(hour=10, minute=0) for days in (3, 4))
    seller.type(name="Presale", opens=f"{closes:%Y-%m-%dT%H:%M}", closes=f"{opens:%Y-%m-%dT%H:%M}", per_user="2")
    seller.send("Add the phase")
    seller.sees("number 1 must not close before it opens")
    expect(seller.page.locator("[name=name]")).to_have_value("Presale")
    seller.type(opens=f"{opens:%Y-%m-%dT%H:%M}", closes=f"{closes:%Y-%m-%dT%H:%M}")
    seller.page.get_by_label("Pit").check()
    seller.send("Add the phase")
    seller.sees("Your changes are saved.")
    seller.sees("At most 2 a person, only Pit")
    seller.type(name="Late sale", opens=f"{closes:%Y-%m-%dT%H:%M}", closes=f"{closes:%Y-%m-%dT}23:00")
    seller.send("Add the phase")
    expect(seller.page.locator(".phases li")).to_have_count(2)
    seller.page.locator(".phases li", has_text="Late sale").get_by_role("button").click()
    expect(seller.page.locator(".phases li")).to_have_count(1)

    def announced():
        seller.go(show)
        seller.send("Announce the show")
        return "Your show is announced" in seller.page.locator("main").inner_text()
    wait_until(announced, "it is announced, once all is made")
    other.go(show)
    other.sees("Not on sale yet")
    expect(other.page.locator("#sale time")).to_have_text(f"{opens:%a} {opens.day} {opens:%b %Y}, 10:00")
    expect(other.page.locator("#buy")).to_have_count(0)
    other.sees("Presale")


def test_a_presale_by_codes(people, announced):
    seller, show = announced
    set_phases(seller, show, phase(3, 3600, codes=True))
    seller.go(f"{show}/phases")
    seller.type(count="2")
    seller.send("Make codes")
    seller.sees("2 codes")
    code, another = seller.page.locator(".codes").inner_text().split()
    with seller.page.expect_navigation():
        seller.page.reload()
    assert seller.page.locator(".codes").inner_text().split() == [code, another], "the same once more"
    buyer = people.user()
    buyer.go(show)
    expect(buyer.page.locator("#sale")).to_have_attribute("data-state", "open")
    buyer.send("Get the best available")
    buyer.sees("Whoever buys here now needs a code.")
    buyer.type(code="a code")
    buyer.send("Get the best available")
    buyer.sees("Code must have 16 letters and digits, like 7K2M-Q4ZD-0V9X-H3TB")
    buyer.type(code=f" {code.lower()}")
    buyer.send("Get the best available")
    assert buyer.path.startswith("/purchases/")
    late = people.user()
    late.go(show)
    late.type(code=code)
    late.send("Get the best available")
    late.sees("This code has been used as often as it can be.")
    late.type(code=another)
    late.send("Get the best available")
    assert late.path.startswith("/purchases/")
