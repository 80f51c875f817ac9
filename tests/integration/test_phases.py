"""The phases of shows: who may set them and when, what the topic tells of them, and what orders sells by them."""
import datetime
import json
import uuid

import pytest

from shows import SHOW, add_area, announced, known, made, make_show
from support import errors, missing_id, refused, wait_until
from venue import Venue


@pytest.fixture(scope="module")
def other(people):
    return next(people)


def at(seconds):
    """So many seconds from now."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def phase(opens, closes, **more):
    return {"name": "Sale", "opensAt": at(opens), "closesAt": at(closes), "perUser": 8, "queue": False, "codes": False, **more}


def put(who, show, *phases, **headers):
    return who.put(f"/api/shows/{show['id']}/phases", json={"phases": phases}, headers=headers)


# --- PUT /api/shows/:id/phases ---

def test_phases_are_set(stack, seller, other):
    show = make_show(seller)
    area = made(seller, show, add_area(seller, show))
    first, second = phase(3600, 7200, name="  Presale ", areas=[area["id"]], perUser=2), phase(7200, 9000)
    answer = put(seller, show, first, second, **{"If-Match": '"1"'})
    assert answer.status_code == 200 and answer.headers["ETag"] == '"2"'
    kept = [{**first, "name": "Presale"}, second]
    assert answer.json() == {**show, "version": 2, "phases": kept, "now": answer.json()["now"]}
    seen = seller.get(f"/api/shows/{show['id']}").json()
    assert seen["phases"] == kept and datetime.datetime.fromisoformat(seen["now"]) >= datetime.datetime.fromisoformat(answer.json()["now"])
    event = stack.topic("shows").of(show["id"], 2)[1]
    assert event["type"] == "ShowUpdated" and json.loads(event["phases"]) == kept
    assert seller.put(f"/api/shows/{show['id']}", json=SHOW).json()["phases"] == kept, "an edit leaves them"
    refused(put(seller, show, second, **{"If-Match": '"1"'}), 412)
    refused(put(seller, show, second, **{"If-Match": "x"}), 400)
    assert "phases" not in put(seller, show).json(), "a draft need not have any"
    refused(put(other, show, second), 404)
    refused(put(seller, {"id": missing_id()}, second), 404)
    refused(put(seller, show, phase(1, 2, areas=[missing_id()])), 400, "an area that the show does not have")
    seller.delete(f"/api/shows/{show['id']}")
    refused(put(seller, show, second), 409, "cancelled")


@pytest.mark.parametrize("phases, message", [
    (5, "must be a list of 1 to 20 objects"), ([5], "number 1 must be an object"),
    ([{}], "name of number 1 is required"),
    ([phase(10, 20, name="")], "name of number 1 must have 1 to 80 characters"),
    ([phase(10, 20, opensAt="soon")], "opensAt of number 1 must be a date and time like 2027-06-01T20:00:00+02:00"),
    *[([phase(10, 20, opensAt=f"{year}-06-01T20:00:00Z")], "opensAt of number 1 must be within ten years of today") for year in ("0000", "9999")],
    ([phase(10, 20, perUser=0)], "perUser of number 1 must be a whole number from 1 to 1000"),
    ([phase(10, 20, areas=[])], "areas of number 1 must be a list of 1 to 200 areas"),
    ([phase(10, 20, areas=["x"])], "areas of number 1 must be a list of UUIDs"),
    ([phase(10, 20, queue=1)], "queue of number 1 must be true or false"),
    ([phase(20, 10)], "number 1 must not close before it opens"),
    ([phase(10, 20), phase(15, 30)], "number 2 must not open before the one before it closes")])
def test_phases_refused(seller, phases, message):
    answer = seller.put(f"/api/shows/{missing_id()}/phases", json={"phases": phases})
    [(field, said)] = errors(answer)
    assert (answer.status_code, field) == (400, "phases") and said.endswith(message)


def test_phases_of_an_announced_show(seller, other):
    """What has opened stays, but for the end of what is open; what has not may change."""
    show = make_show(seller, title=f"Phased {uuid.uuid4()}")
    made(seller, show, add_area(seller, show))
    past, present, later = phase(-7200, -3600), phase(-3600, 3600), phase(3600, 7200)
    assert put(seller, show, past, present, later).status_code == 200
    wait_until(lambda: seller.post(f"/api/shows/{show['id']}/announce").status_code == 200, "it is announced")
    [listed] = other.get("/api/shows", params={"q": show["title"]}).json()
    assert listed["version"] == 3 and not {"phases", "now", "opensAt", "saleOver"} & set(listed), "they may be long"
    refused(put(other, show, present), 403)
    refused(put(seller, show), 409, "must keep a phase")
    refused(put(seller, show, present, later), 409, "stay as they are")
    refused(put(seller, show, past, {**present, "perUser": 1}, later), 409, "stay as they are")
    refused(put(seller, show, past, {**present, "closesAt": at(-1)}, later), 409, "another time to come")
    refused(put(seller, show, {**past, "closesAt": at(-5000)}, present, later), 409, "stay as they are")
    refused(put(seller, show, phase(-9000, -8000), past, present, later), 409, "must open in the future")
    assert put(seller, show, past, {**present, "closesAt": at(1800)}, phase(1900, 2000, name="New")).status_code == 200


@pytest.mark.parametrize("phases, said", [
    ([(-3600, -60), (3600, 7200), (7200, 9000)], "opensAt"), ([(-3600, 3600), (3600, 7200)], None), ([(-7200, -3600), (-60, -30)], "saleOver")])
def test_lists_say_when_it_goes_on_sale(seller, phases, said):
    show = make_show(seller)
    phases = [phase(*times) for times in phases]
    assert put(seller, show, *phases).status_code == 200
    [listed] = [s for s in seller.get("/api/shows", params={"mine": "true"}).json() if s["id"] == show["id"]]
    told = {"opensAt": phases[1]["opensAt"], "saleOver": True}
    assert {key: listed[key] for key in told if key in listed} == ({said: told[said]} if said else {})


def test_a_show_is_announced_for_a_sale_to_come(seller):
    show = make_show(seller)
    area = add_area(seller, show)
    made(seller, show, area)
    known(seller, show, area)
    assert put(seller, show, phase(-7200, -3600), phase(-3600, -60)).status_code == 200
    refused(seller.post(f"/api/shows/{show['id']}/announce"), 409, "are over")
    assert put(seller, show, phase(-7200, 3600)).status_code == 200
    assert seller.post(f"/api/shows/{show['id']}/announce").status_code == 200


def test_a_show_announced_without_phases_sells(seller):
    show, _ = announced(seller)
    refused(put(seller, show, phase(10, 20)), 409, "on sale already")


# --- what orders sells ---

DAY = 86_400  # from when the tests were listed: that may be an hour ago


@pytest.mark.parametrize("phases, status, reason, message", [
    ([phase(DAY, 2 * DAY)], 409, "not_open", "not on sale yet"),
    ([phase(-DAY, -1)], 409, "over", "The sale of this is over"),
    ([phase(-DAY, -1), phase(DAY, 2 * DAY)], 409, "not_open", "not on sale yet"),
    ([phase(-DAY, DAY, queue=True)], 403, "queue_required", "queue"),
    ([phase(-DAY, DAY, perUser=1)], 409, "limit", "one person")])
def test_no_phase_lets_him_buy(stack, seller, buyer, phases, status, reason, message):
    """By whichever route."""
    venue = Venue(stack, seller, phases=phases)
    venue.add("Stalls", rows=[4])
    if phases[0]["perUser"] == 1:
        venue.buy(buyer, 1)
    ticket = venue.ticket("Stalls", "A", 4)
    for path, body in (("purchases", {"showId": venue.id, "quantity": 1}), ("purchases", {"ticketIds": [ticket]}), ("orders", {"ticketId": ticket})):
        refused(buyer.post(f"/api/{path}", json=body), status, message, reason)


def test_a_phase_of_some_areas(stack, seller, buyer):
    venue = Venue(stack, seller)
    stalls, balcony = venue.add("Stalls", rows=[4]), venue.add("Balcony", rows=[4])
    venue.phases = json.dumps([phase(-3600, 3600, areas=[stalls]), phase(3600, 7200)])
    venue.tell("announced")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 409, "choose one", "area_required")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1, "areaId": balcony}), 409, "not on sale yet", "not_open")
    refused(buyer.post("/api/orders", json={"ticketId": venue.ticket("Balcony", "A", 1)}), 409, "not on sale yet", "not_open")
    venue.buy(buyer, 2, areaId=stalls)
    assert buyer.post("/api/orders", json={"ticketId": venue.ticket("Stalls", "A", 4)}).status_code == 201
    venue.phases = json.dumps([phase(-3600, 3600, areas=[stalls])])
    venue.tell("announced")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1, "areaId": balcony}), 409, "No phase", "not_sold")
    refused(buyer.post("/api/orders", json={"ticketId": venue.ticket("Balcony", "A", 1)}), 409, "No phase", "not_sold")
    venue.phases = json.dumps([phase(-3600, 3600, areas=[stalls, balcony])])
    venue.tell("announced")
    venue.buy(buyer, 2)


def test_a_limit_is_of_the_whole_show(stack, seller, buyer):
    """What was bought in the phase before counts in the next one."""
    venue = Venue(stack, seller, per_user=1, phases=[phase(-3600, 3600, perUser=2)])
    venue.add("Stalls", rows=[8])
    venue.buy(buyer, 2)
    venue.phases = json.dumps([phase(-3600, -1, perUser=2), phase(-1, 3600, perUser=3)])
    venue.tell("announced")
    refused(buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 409, "one person", "limit")
    venue.buy(buyer, 1)


def test_a_phase_opens_and_closes_by_itself(stack, seller, buyer):
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[8])
    opens = at(2)
    venue.phases = json.dumps([phase(0, 3600, opensAt=opens)])
    venue.tell("announced")

    def ask():
        return buyer.post("/api/purchases", json={"showId": venue.id, "quantity": 1})
    bought = wait_until(lambda: (a := ask()).status_code == 201 and a.json(), "the phase opens")
    [(in_time,)] = stack.sql("orders", "select occurred_at >= %s::timestamptz from order_events where id = %s and version = 1", opens, bought["id"])
    assert in_time, "not a moment before"
    venue.phases = json.dumps([phase(0, 1, opensAt=opens)])
    venue.tell("announced")
    wait_until(lambda: "over" in (a := ask()).text and a.status_code == 409, "the phase closes")
