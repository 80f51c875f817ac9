"""When a show goes on sale, in the browser, on the whole stack: sellers say it, pages count down to it and sell from then on."""
import contextlib
import datetime
import re
import urllib.parse
import zoneinfo

import pytest
import requests
from playwright.sync_api import expect

from people import Person
from support import Replica, wait_until
from test_shows import make_show, title
from webs import running, serve_show, show


def at(seconds):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


def told(seconds):
    """As services say it."""
    return f"{at(seconds):%Y-%m-%dT%H:%M:%S}.000Z"


def phase(opens, closes, **more):
    return {"name": "General sale", "opensAt": told(opens), "closesAt": told(closes), "perUser": 8, **more}


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
    set_phases(seller, show, phase(20, 3600, name="Fans only", perUser=3))
    buyer.go(show)
    expect(buyer.page.locator("#sale [data-opens]")).to_have_text(re.compile(r"^On sale in 0:[01]\d$"))
    expect(buyer.page.locator("#sale")).to_have_attribute("data-state", "open")
    buyer.sees("Fans only: at most 3 of this show a person.")
    expect(buyer.page.get_by_label("How many?").locator("option")).to_have_count(3)
    buyer.page.get_by_label("How many?").select_option("3")
    buyer.send("Get the best available")
    assert buyer.path.startswith("/purchases/")


def test_one_phase_follows_the_other(people, announced):
    """Under the hands of somebody who uses the form."""
    seller, show = announced
    buyer = people.user()
    set_phases(seller, show, phase(3, 20, name="Fans only", perUser=3), phase(20, 3600, name="For all", perUser=5))
    buyer.go(show)
    buyer.sees("Fans only: at most 3 of this show a person.")
    buyer.page.get_by_label("How many?").focus()
    buyer.sees("For all: at most 5 of this show a person.")
    expect(buyer.page.get_by_label("How many?").locator("option")).to_have_count(5)


def test_a_queue_from_joining_to_the_tickets(people, announced):
    """Two wait: one by a page that says by itself when it is his turn, one who loads it again."""
    seller, show = announced
    buyer, other = people.user(), people.user(java_script_enabled=False)
    set_phases(seller, show, phase(3600, 7200, queue=True))
    buyer.go(show)
    buyer.follow("To the queue")
    assert buyer.path == f"{show}/queue"
    for person in (buyer, other):
        wait_until(lambda: person.go(f"{show}/queue") and person.page.locator("#join").count(), "one can join")
        person.send("Join the queue")
        person.sees("Joined so far")
    set_phases(seller, show, phase(2, 7200, queue=True))
    expect(buyer.page.locator("#queue")).to_have_attribute("data-state", "turn")
    buyer.sees("It is your turn")
    buyer.send("Buy now")
    buyer.sees("It is your turn until")
    buyer.send("Get the best available")
    assert buyer.path.startswith("/purchases/")
    buyer.pay()
    buyer.sees("The tickets are yours.")
    wait_until(lambda: other.go(f"{show}/queue") and other.page.locator("#queue[data-state=turn]").count(), "it is the other one's turn")
    other.follow("Buy now")
    other.send("Get the best available")
    assert other.path.startswith("/purchases/")


def test_joining_a_queue_costs_work(people, announced, stack):
    """The browser does it before it joins; without a script the page says that it needs one."""
    seller, show = announced
    set_phases(seller, show, phase(3600, 7200, queue=True))
    with Replica(stack, "waiting", QUEUE_CHALLENGE="10") as asking, Replica(stack, "web", WAITING_API=asking.url) as web:
        asking.wait_ready(), web.wait_ready()
        wait_until(lambda: requests.get(f"{asking.url}/api{show}/queue/serving", timeout=30).status_code == 200, "one can join")
        buyer, plain = people.user(url=web.url), people.user(url=web.url, java_script_enabled=False)
        for person in (buyer, plain):
            person.go(f"{show}/queue")
            person.send("Join the queue")
        buyer.sees("Joined so far: 1")
        assert plain.page.locator("#queue").get_attribute("data-state") == "outside"
        plain.sees("Whoever joins this queue needs a proof of work.")
        plain.sees("needs a browser with JavaScript")


@contextlib.contextmanager
def queue_page(chromium, tmp_path, numbers, his):
    """(web, the show's path, the page of its queue). numbers: the public ones, his: of the person; both may be changed."""
    with running(tmp_path) as web:
        path = serve_show(web, show(phases=[phase(-60, 3600, queue=True)]))
        web.services.answers[f"GET /api{path}/queue"] = lambda _: (200, numbers | his)
        with contextlib.closing(Person(chromium, web.url).context) as context:
            context.add_cookies([{"name": "session", "value": web.tokens(1)[0], "url": web.url}])
            context.route("**/queue/serving", lambda route: route.fulfill(json=numbers))
            page = context.pages[0]
            page.goto(f"{path}/queue")
            yield web, path, page


def test_who_waits_is_told_how_many_are_before_him(chromium, tmp_path):
    """By the queue's public numbers, played here; the page is read again only when a tenth of those before him is gone, or it is his turn."""
    numbers = {"open": True, "people": 900, "serving": 99, "left": 40, "opensAt": told(-60), "closesAt": told(3600)}
    his = {"status": "waiting", "place": 500, "estimate": 20}
    with queue_page(chromium, tmp_path, numbers, his) as (web, path, page):
        queue, before = page.locator("#queue"), page.locator(".before")
        expect(queue).to_contain_text("Your place: 500")
        expect(before).to_have_text("400")
        numbers["serving"] = 119
        expect(before).to_have_text("380")
        assert len(web.services.asked("GET", f"/api{path}/queue")) == 1
        his["estimate"], numbers["serving"] = 90, 199
        expect(queue).to_contain_text("Your turn comes in about 2 min")
        his |= {"status": "turn", "until": told(600), "admission": "t0k3n", "estimate": None}
        numbers["serving"] = 500
        expect(queue).to_have_attribute("data-state", "turn")
        expect(queue).to_contain_text("9:5")


def test_whoever_is_on_the_waiting_list_hears_of_his_offer(chromium, tmp_path):
    numbers = {"open": True, "people": 900, "serving": 99, "left": 0, "soldOut": False, "offered": 0, "opensAt": told(-60), "closesAt": told(3600)}
    his = {"status": "waiting", "place": 500, "estimate": None}
    with queue_page(chromium, tmp_path, numbers, his) as (web, path, page):
        queue = page.locator("#queue")
        expect(queue).to_contain_text("Your place: 500")
        numbers["soldOut"] = True
        his |= {"status": "waitlist", "waitlist": 401}
        expect(queue).to_contain_text("You are number 401 on the waiting list")
        asked = len(web.services.asked("GET", f"/api{path}/queue"))
        with page.expect_response("**/queue/serving"):
            numbers["offered"] = 499
        assert len(web.services.asked("GET", f"/api{path}/queue")) == asked, "it was not for him"
        his |= {"status": "offered", "want": 1, "waitlist": None, "until": told(600), "admission": "t0k3n"}
        numbers["offered"] = 500
        expect(queue).to_have_attribute("data-state", "offered")

        def counts_down():
            """It says how long that is from now, to the second or two."""
            minutes, seconds = re.search(r"(\d+):(\d\d) left", queue.inner_text()).groups()
            left = datetime.datetime.fromisoformat(his["until"]) - at(0)
            return abs(left.total_seconds() - (int(minutes) * 60 + int(seconds))) < 3
        wait_until(counts_down, "the time that is left is right")


def test_cards_say_when_it_goes_on_sale(people, announced):
    seller, show = announced
    name = urllib.parse.quote(seller.api.get(f"/api{show}").json()["title"])
    for path in (f"/shows?q={name}", "/tickets"):  # the first page of all shows may be full of others
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
    [pit] = seller.api.get(f"/api{show}").json()["areas"]
    set_phases(seller, show, phase(3, 3600, areas=[pit["id"]]))

    def bought():
        other.go(show)
        if other.page.locator("#buy").count():
            other.send("Get the best available")
        return other.path.startswith("/purchases/")
    wait_until(bought, "the best of a phase that names all areas can be bought")


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
