"""Attacks on what somebody pays: a price that rises between the look and the click."""
import re

import pytest

from support import ROOT, list_ticket, wait_until


def rise(stack, seller, ticket, price, title="A ticket"):
    """The seller asks for more, and orders knows it."""
    answer = seller.put(f"/api/tickets/{ticket['id']}", json={"title": title, "price": price})
    assert answer.status_code == 200
    version = answer.json()["version"]
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s and version = %s", ticket["id"], version), "orders knows the price")
    return version


def refused_for(answer, reason, words, *tickets):
    assert answer.status_code == 409 and set(answer.json()) == {"errors", "reason", "tickets"}
    assert answer.json()["reason"] == reason and words in answer.json()["errors"][0]["message"]
    assert answer.json()["tickets"] == list(tickets)


def now(ticket, price, version):
    return {"id": ticket["id"], "price": price, "currency": "USD", "version": version}


def test_the_price_rises_before_the_click(stack, seller, buyer):
    ticket = list_ticket(stack, seller, price=20)
    version = rise(stack, seller, ticket, 900)
    refused_for(buyer.post("/api/orders", json={"ticketId": ticket["id"], "maxPrice": 20}), "price", "higher now", now(ticket, 900, version))
    refused_for(buyer.post("/api/orders", json={"ticketId": ticket["id"], "maxPrice": 899.99}), "price", "higher now", now(ticket, 900, version))
    refused_for(buyer.post("/api/orders", json={"ticketId": ticket["id"], "version": 1}), "changed", "has changed", now(ticket, 900, version))
    refused_for(buyer.post("/api/purchases", json={"ticketIds": [ticket["id"]], "maxPrice": 20}), "price", "higher now", now(ticket, 900, version))
    assert stack.sql("orders", "select 1 from orders where ticket_id = %s", ticket["id"]) == []
    assert buyer.place({"id": ticket["id"]})["ticket"]["price"] == 900, "who says nothing buys at any price, as ever"


@pytest.mark.parametrize("said", [{"maxPrice": 20.5}, {"maxPrice": 21}, {"version": 1}, {"version": 1, "maxPrice": 20.5},
                                  {"version": None, "maxPrice": None}], ids=str)
def test_it_costs_what_the_buyer_saw(stack, seller, buyer, said):
    ticket = list_ticket(stack, seller, price=20.5)
    answer = buyer.post("/api/orders", json={"ticketId": ticket["id"], **said})
    assert answer.status_code == 201 and answer.json()["ticket"]["version"] == 1


def test_a_version_that_has_not_come_here_is_waited_for(stack, seller, buyer):
    """Whoever orders at once by what the seller's service has just said."""
    ticket = list_ticket(stack, seller, price=20)
    said = seller.put(f"/api/tickets/{ticket['id']}", json={"title": "A ticket", "price": 30}).json()["version"]
    answer = wait_until(lambda: (a := buyer.post("/api/orders", json={"ticketId": ticket["id"], "version": said})).status_code == 201 and a,
                        "orders has heard of it")
    assert answer.json()["ticket"]["price"] == 30
    other = list_ticket(stack, seller, price=20)
    refused_for(buyer.post("/api/orders", json={"ticketId": other["id"], "version": 7}), "changed", "has changed", now(other, 20, 1))


def test_several_tickets_and_one_is_dearer(stack, seller, buyer):
    cheap, dear = (list_ticket(stack, seller, price=price) for price in (10, 50))
    both = sorted([now(cheap, 10, 1), now(dear, 50, 1)], key=lambda t: t["id"])
    refused_for(buyer.post("/api/purchases", json={"ticketIds": [cheap["id"], dear["id"]], "maxPrice": 49}), "price", "higher now", *both)
    assert buyer.post("/api/purchases", json={"ticketIds": [cheap["id"], dear["id"]], "maxPrice": 50}).status_code == 201


@pytest.mark.parametrize("said, field", [({"maxPrice": 0}, "maxPrice"), ({"maxPrice": -1}, "maxPrice"), ({"maxPrice": "x"}, "maxPrice"),
                                         ({"maxPrice": 1e12}, "maxPrice"), ({"version": 0}, "version"), ({"version": 1.5}, "version"),
                                         ({"version": "1"}, "version"), ({"version": 2 ** 31}, "version")], ids=str)
def test_malformed(buyer, said, field):
    answer = buyer.post("/api/orders", json={"ticketId": "018f0000-0000-7000-8000-000000000001", **said})
    assert answer.status_code == 400 and [e["field"] for e in answer.json()["errors"]] == [field]


def test_every_currency_has_its_thousandths(stack):
    """The function of the database knows the currencies that common/base/currency.c knows."""
    source = (ROOT / "common/base/currency.c").read_text()
    for name, factor in (("without", 1000), ("thousandths", 1), ("hundredths", 10)):
        codes = re.findall(r'"([A-Z]{3})"', re.search(rf"{name}\[\]\[4\] = \{{(.*?)\}};", source, re.S)[1])
        assert len(codes) > 5
        assert stack.sql("orders", "select distinct thousandths(1, c) from unnest(%s::text[]) as c", codes) == [(factor,)]
