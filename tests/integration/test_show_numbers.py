"""What a seller sees of a show: the API's numbers, the page's and its files', equal to the database of orders, whoever dies meanwhile."""
import csv
import datetime
import io
import uuid

import pytest

from shows import announced
from support import DEADLINE, wait_until
from test_show_sales import in_database
from test_web_story import Through
from webs import Browser, text_of


def sales(seller, show, **query):
    answer = seller.get(f"/api/shows/{show['id']}/sales", params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_minute(told):
    """{(area, minute): numbers}, in the currency's minor units."""
    return {(step["areaId"], step["begins"]): (step["placed"], step["sold"], step["returned"], round(100 * step["revenue"])) for step in told["steps"]}


def expected(stack, show):
    """The same, of the database of orders."""
    return {(area, datetime.datetime.fromtimestamp(minute, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")):
            tuple(numbers[name] for name in ("placed", "sold", "returned", "revenue")) for (area, minute), numbers in in_database(stack, show["id"]).items()}


@pytest.fixture(scope="module")
def sold(stack):
    """A show of two areas: of one, 3 places are paid, 2 held and 1 given back; of the other, 2 are held. And its seller."""
    seller, *people = stack.users(5)
    show, areas = announced(seller, [{"name": "Stalls, \"left\"", "rows": [{"name": "A", "from": 1, "to": 20}], "price": 20},
                                     {"name": "Floor", "places": 30, "price": "7.50"}])

    def buy(who, area, quantity):
        wish = {"showId": show["id"], "areaId": area["id"], "quantity": quantity}
        answer = wait_until(lambda: (a := who.post("/api/purchases", json=wish)).status_code != 404 and a, "orders knows the show")
        assert answer.status_code == 201, answer.text
        return answer.json()
    paid = buy(people[0], areas[0], 3)
    payment = {"purchaseId": paid["id"], "token": "pm_card_visa"}
    wait_until(lambda: people[0].post("/api/payments", json=payment).status_code not in (404, 409, 503), "it is paid")
    buy(people[1], areas[0], 2)
    assert people[2].delete(f"/api/purchases/{buy(people[2], areas[0], 1)['id']}").status_code == 204
    buy(people[3], areas[1], 2)
    wait_until(lambda: sum(n[1] for n in expected(stack, show).values()) == 3, "the purchase is complete")
    wait_until(lambda: by_minute(sales(seller, show, per="minute", byArea="true")) == expected(stack, show), "tickets says what the database of orders does")
    return seller, show, areas


def browser_of(stack, user):
    browser = Browser(Through(stack))
    browser.cookies.set("session", user.headers["Authorization"].removeprefix("Bearer "), domain="127.0.0.1", path="/")
    return browser


def test_the_numbers_are_those_of_the_database(stack, sold):
    seller, show, areas = sold
    told = sales(seller, show)
    assert told["per"] == "minute" and told["currency"] == "USD"
    assert [(a["id"], a["places"], a["sold"], a["held"], a["free"], a["revenue"]) for a in told["areas"]] == [
        (areas[0]["id"], 20, 3, 2, 15, 60), (areas[1]["id"], 30, 0, 2, 28, 0)]
    [[taken]] = stack.sql("orders", "select count(*) from orders where show_id = %s and status <> 'cancelled'", show["id"])
    assert sum(a["sold"] + a["held"] for a in told["areas"]) == taken
    total = [sum(numbers[i] for numbers in expected(stack, show).values()) for i in range(4)]
    for per in ("minute", "hour", "day"):
        steps = sales(seller, show, per=per)["steps"]
        assert [sum(s[n] for s in steps) for n in ("placed", "sold", "returned")] == total[:3] and sum(s["revenue"] for s in steps) * 100 == total[3]
        assert all("areaId" not in s for s in steps)


def test_a_killed_process_counts_nothing_twice(stack, sold):
    """Neither tickets, which keeps the rows, nor sales, which says them again."""
    seller, show, _ = sold
    before = sales(seller, show, byArea="true", per="minute")
    for name in ("tickets", "sales"):
        stack.kill(name)
        stack.wait_ready(name)
    [buyer] = stack.users(1)
    assert buyer.post("/api/purchases", json={"showId": show["id"], "quantity": 1}).status_code == 201
    wait_until(lambda: by_minute(sales(seller, show, per="minute", byArea="true")) == expected(stack, show), "the numbers go on")
    after = sales(seller, show, byArea="true", per="minute")
    assert sum(a["held"] for a in after["areas"]) == sum(a["held"] for a in before["areas"]) + 1


def test_the_page_and_its_files_have_the_same_numbers(stack, sold):
    seller, show, areas = sold
    told, browser = sales(seller, show), browser_of(stack, seller)
    answer = browser.go(f"/sell/shows/{show['id']}")
    assert answer.status_code == 200
    figures = {text_of(d.find("dt")): text_of(d.find("dd")) for d in answer.page.find(".//dl[@id='figures']")}
    number = {name: sum(a[name] for a in told["areas"]) for name in ("places", "sold", "held", "free", "revenue")}
    assert figures == {"Sold": f"{number['sold']} of {number['places']}", "Held": str(number["held"]), "Free": str(number["free"]),
                       "Revenue": f"${number['revenue']:.2f}"}
    rows = [[text_of(cell) for cell in row] for row in answer.page.find(".//table").find("tbody")]
    assert [row[1:4] for row in rows] == [[str(s["placed"]), str(s["sold"]), str(s["returned"])] for s in told["steps"]]
    assert rows[-1][5:] == [str(number["sold"]), str(number["held"]), str(number["free"])], "what is so now"
    assert [text_of(li) for li in answer.page.find(".//ul[@id='by-area']")] == [
        f"{a['name']}{a['sold']} sold, {a['held']} held, {a['free']} free ${a['revenue']:.2f}" for a in told["areas"]]

    def file(link):
        response = browser.get(stack.url + link, timeout=DEADLINE)
        assert response.headers["Content-Type"].startswith("text/csv") and "attachment" in response.headers["Content-Disposition"]
        return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    links = [a.get("href") for a in answer.page.iter("a") if ".csv" in a.get("href")]
    assert {(row["area_id"], row["begins"]): (*(int(row[n]) for n in ("ordered", "paid", "returned")), round(100 * float(row["revenue"])))
            for row in file(links[0])} == expected(stack, show)
    assert [(r["area"], int(r["places"]), int(r["sold"]), int(r["held"]), int(r["free"]), float(r["revenue"]), r["currency"]) for r in file(links[1])] == [
        (a["name"], a["places"], a["sold"], a["held"], a["free"], a["revenue"], "USD") for a in told["areas"]]
    assert {row["area"] for row in file(links[0])} == {area["name"] for area in areas}


def test_the_seller_finds_it_and_nobody_else_may_see_it(stack, sold):
    seller, show, _ = sold
    [other] = stack.users(1)
    path = f"/sell/shows/{show['id']}"
    for page in (f"/shows/{show['id']}", "/tickets"):
        assert path in [a.get("href") for a in browser_of(stack, seller).go(page).page.iter("a")]
    assert path not in [a.get("href") for a in browser_of(stack, other).go(f"/shows/{show['id']}").page.iter("a")]
    for what in ("", "/times.csv", "/areas.csv"):
        answer = browser_of(stack, other).go(path + what)
        assert answer.status_code == 403 and "Only the seller of a show sees its sales" in answer.words
        assert Browser(Through(stack)).go(path + what).headers["Location"].startswith("/signin")
        assert browser_of(stack, seller).go(f"/sell/shows/{uuid.uuid4()}{what}").status_code == 404
    assert other.get(f"/api/shows/{show['id']}/sales").status_code == 403
    assert seller.get(f"/api/shows/{uuid.uuid4()}/sales").status_code == 404


def test_a_draft_is_nobodys_but_its_sellers(stack):
    seller, other = stack.users(2)
    draft = seller.post("/api/shows", json={"title": "x", "venue": "y", "city": "z", "startsAt": "2035-06-01T20:00:00Z", "timeZone": "Europe/Zurich"}).json()
    assert other.get(f"/api/shows/{draft['id']}/sales").status_code == 404
    told = sales(seller, draft)
    assert (told["areas"], told["steps"]) == ([], [])
    assert "Nothing was ordered yet" in browser_of(stack, seller).go(f"/sell/shows/{draft['id']}").words


@pytest.mark.parametrize("query, field", [("per=week", "per"), ("byArea=maybe", "byArea"), ("limit=0", "limit"), ("limit=101", "limit")])
def test_what_is_malformed_is_refused(stack, sold, query, field):
    seller, show, _ = sold
    answer = seller.get(f"/api/shows/{show['id']}/sales?{query}")
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == field


def test_days_and_hours_are_those_of_the_venue(stack):
    """Steps over the end of summer time in Zurich, by the rows that tickets keeps; as long as they need to be where none is given."""
    seller, = stack.users(1)
    show = seller.post("/api/shows", json={"title": "x", "venue": "y", "city": "z", "startsAt": "2035-06-01T20:00:00Z", "timeZone": "Europe/Zurich"}).json()
    area = str(uuid.UUID(int=uuid.uuid4().int >> 24 << 24))

    def row(minute, part=0, version=1, **numbers):
        numbers = {"placed": 0, "sold": 0, "returned": 0, "expired": 0, "revenue": 0} | numbers
        ms = stack.sql("tickets", "select (extract(epoch from %s::timestamptz) * 1000)::bigint", minute)[0][0]
        return {"type": "AreaCounted", "showId": show["id"], "areaId": area, "version": version, "occurredAt": ms, "minute": ms, "part": part,
                "currency": "USD", "final": False, **numbers}

    def steps(**query):
        return [(s["begins"], s["placed"], s["sold"], s["revenue"]) for s in sales(seller, show, **query)["steps"]]
    topic = stack.topic("show-sales")
    topic.produce(row("2026-10-24T22:00Z", placed=1), row("2026-10-25T22:59Z", version=2, placed=2), row("2026-10-25T22:59Z", placed=1),
                  row("2026-10-25T22:59Z", part=7, placed=4, sold=1, revenue=250), row("2026-10-25T23:00Z", version=9, placed=9), key="showId")
    wait_until(lambda: sum(s[1] for s in steps()) == 16, "tickets has read them")
    assert steps() == steps(per="hour") == [("2026-10-24T22:00:00.000Z", 1, 0, 0), ("2026-10-25T22:00:00.000Z", 6, 1, 2.5),
                                            ("2026-10-25T23:00:00.000Z", 9, 0, 0)]
    assert steps(per="day") == [("2026-10-24T22:00:00.000Z", 7, 1, 2.5), ("2026-10-25T23:00:00.000Z", 9, 0, 0)], "a day of 25 hours"
    assert steps(per="minute") == [("2026-10-25T22:59:00.000Z", 6, 1, 2.5), ("2026-10-25T23:00:00.000Z", 9, 0, 0)], "the last 100 minutes"
    assert sales(seller, show, limit=10)["per"] == "day" and steps(per="hour", limit=1) == [("2026-10-25T23:00:00.000Z", 9, 0, 0)]
    topic.produce(row("2026-10-25T23:00Z", version=12, placed=12), key="showId")
    wait_until(lambda: steps(per="hour", limit=1) == [("2026-10-25T23:00:00.000Z", 12, 0, 0)], "a later version takes its place")
