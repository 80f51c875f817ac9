"""A show from its making to its last seat, by every service as it is."""
import datetime
import uuid

from shows import bought
from support import refused, wait_until


def announced(seller, areas, **what):
    """A show that is for sale, and its areas' ids by name."""
    starts = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).isoformat(timespec="seconds").replace("+00:00", "Z")
    show = seller.post("/api/shows", json={"title": "Käse live", "venue": "Kaserne", "city": "Basel", "startsAt": starts,
                                           "timeZone": "Europe/Zurich"} | what)
    assert show.status_code == 201, show.text
    path = f"/api/shows/{show.json()['id']}"
    for area in areas:
        answer = seller.post(f"{path}/areas", json=area)
        assert answer.status_code == 202, answer.text
    wait_until(lambda: seller.post(f"{path}/announce").status_code == 200, "all places are made and known to orders")
    return seller.get(path).json()


def areas_of(show):
    return {area["name"]: area for area in show["areas"]}


def test_from_its_making_to_its_last_seat(stack, seller, people):
    show = announced(seller, [{"name": "Stalls", "price": 40.5, "rows": [{"name": "A", "from": 1, "to": 6}, {"name": "B", "from": 1, "to": 6}]},
                              {"name": "Floor", "price": 20, "places": 130}])
    path, buyer = f"/api/shows/{show['id']}", next(people)
    found = buyer.get("/api/shows?q=Käse&city=basel").json()
    assert show["id"] in [s["id"] for s in found]
    assert {name: (a["places"], a["free"]) for name, a in areas_of(show).items()} == {"Stalls": (12, 12), "Floor": (130, 130)}

    answer = bought(buyer, showId=show["id"], quantity=3, areaId=areas_of(show)["Stalls"]["id"])
    assert answer.status_code == 201, answer.text
    purchase = answer.json()
    assert (purchase["total"], purchase["seats"]) == (121.5, "Stalls, row A, seats 1–3")
    wait_until(lambda: areas_of(buyer.get(path).json())["Stalls"]["free"] == 9, "tickets knows of the holds")
    ticket = buyer.get(f"/api/tickets/{purchase['orders'][0]['ticket']['id']}").json()
    assert (ticket["status"], ticket["orderId"]) == ("reserved", purchase["orders"][0]["id"])

    def paid():
        answer = buyer.post("/api/payments", json={"purchaseId": purchase["id"], "token": "pm_card_visa"})
        return answer.status_code not in (404, 503) and [answer]
    [answer] = wait_until(paid, "payments knows the purchase")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["amount"], answer.json()["status"]) == (121.5, "succeeded")
    wait_until(lambda: buyer.get(f"/api/purchases/{purchase['id']}").json()["status"] == "complete", "it is complete")
    wait_until(lambda: buyer.get(f"/api/tickets/{purchase['orders'][2]['ticket']['id']}").json()["status"] == "sold", "it is sold")
    refused(buyer.delete(f"/api/purchases/{purchase['id']}"), 409, "complete")

    for n, quantity in enumerate([8] * 16 + [2]):
        answer = next(people).post("/api/purchases", json={"showId": show["id"], "quantity": quantity, "areaId": areas_of(show)["Floor"]["id"]})
        assert answer.status_code == 201, (n, answer.text)
    refused(buyer.post("/api/purchases", json={"showId": show["id"], "quantity": 1, "maxPrice": 20}), 409, "No place is left at this price", "sold_out")
    wait_until(lambda: areas_of(buyer.get(path).json())["Floor"]["free"] == 0, "tickets knows that it is sold out")


def test_a_payment_that_is_declined_for_good_gives_all_places_back(stack, seller, people):
    show = announced(seller, [{"name": "Box", "price": 9, "rows": [{"name": "A", "from": 11, "to": 14}]}], title=f"Show {uuid.uuid4()}")
    buyer, other = next(people), next(people)
    purchase = bought(buyer, showId=show["id"], quantity=4).json()
    assert purchase["seats"] == "Box, row A, seats 11–14"

    def ended():
        buyer.post("/api/payments", json={"purchaseId": purchase["id"], "token": "pm_card_chargeDeclined"},
                   headers={"Idempotency-Key": str(uuid.uuid4())})
        return buyer.get(f"/api/purchases/{purchase['id']}").json()["status"] == "cancelled"
    wait_until(ended, "the last card was declined")
    assert other.post("/api/purchases", json={"showId": show["id"], "quantity": 4}).json()["seats"] == purchase["seats"]
