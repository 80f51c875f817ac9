"""Attacks by strangers: what they can see, what they can take before others, and what a machine gives away."""
import uuid

import pytest

from accounts import PASSWORD, credentials, visitor
from support import Replica, User, list_ticket, wait_until


# --- whose order it is ---

def order_seen(person, ticket):
    return person.get(f"/api/tickets/{ticket['id']}").json().get("orderId")


@pytest.mark.parametrize("paid", [False, True])
def test_anybody_sees_which_order_holds_a_ticket(stack, people, seller, buyer, paid):
    """An order's id is on its buyer's receipts and in his mails: who sees it beside a ticket knows who sits there."""
    ticket = list_ticket(stack, seller)
    order = buyer.place(ticket)
    if paid:
        wait_until(lambda: buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"}).status_code == 201, "it is paid")
    status = "sold" if paid else "reserved"
    stranger, other = User(stack.url), next(people)
    wait_until(lambda: stranger.get(f"/api/tickets/{ticket['id']}").json()["status"] == status, "tickets knows of it")
    assert order_seen(buyer, ticket) == order_seen(seller, ticket) == order["id"]
    assert order_seen(stranger, ticket) is None and order_seen(other, ticket) is None
    [(holder,)] = stack.sql("tickets", "select buyer_id::text from tickets where id = %s", ticket["id"])
    assert holder == buyer.id


def test_a_ticket_that_is_free_again_is_nobodys(stack, seller, buyer):
    ticket = list_ticket(stack, seller)
    order = buyer.place(ticket)
    wait_until(lambda: order_seen(buyer, ticket) == order["id"], "he holds it")
    assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json()["status"] == "available", "it is free")
    assert stack.sql("tickets", "select order_id, buyer_id from tickets where id = %s", ticket["id"]) == [(None, None)]


def test_bought_before_buyers_were_known(stack, seller, buyer):
    """Tickets that were sold before the column was there."""
    ticket = list_ticket(stack, seller)
    order = buyer.place(ticket)
    wait_until(lambda: buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"}).status_code == 201, "it is paid")
    wait_until(lambda: stack.sql("tickets", "select 1 from sales join tickets t using (order_id) where t.id = %s and t.status = 'sold'", ticket["id"]),
               "tickets knows of the sale")
    stack.sql("tickets", "update tickets set buyer_id = null where id = %s", ticket["id"])
    assert order_seen(buyer, ticket) == order["id"] and order_seen(User(stack.url), ticket) is None


# --- idempotency keys ---

def test_a_stranger_takes_the_key_of_my_sign_up(stack):
    """A client that counts its keys, or a key that was seen: whoever sends it first must not keep another from signing up with it."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    stranger, me = visitor(stack.url, "127.0.0.66"), visitor(stack.url, "127.0.0.67")
    assert stranger.post("/api/users/signup", json=credentials(), headers=key).status_code == 201
    mine = credentials()
    first, again = (me.post("/api/users/signup", json=mine, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201) and first.json() == again.json()
    assert me.post("/api/users/signup", json=credentials(), headers=key).status_code == 422, "to one address it is one sign-up, as before"
    kept = stack.sql("auth", "select signup_key from users where email = %s", mine["email"])[0][0]
    assert "127.0.0.67" not in kept and key["Idempotency-Key"] not in kept


@pytest.mark.parametrize("path, body", [
    ("/api/tickets", {"title": "A ticket", "price": 20}),
    ("/api/shows", {"title": "A show", "venue": "Here", "city": "Basel", "startsAt": "2035-06-01T20:00:00+02:00", "timeZone": "Europe/Zurich"})])
def test_a_stranger_takes_the_key_of_what_i_list(stack, people, path, body):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = [next(people).post(path, json=body, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201) and first.json()["id"] != second.json()["id"]


def test_a_stranger_takes_the_key_of_my_order(stack, people, seller):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    for person, ticket in [(next(people), list_ticket(stack, seller)) for _ in range(2)]:
        assert person.place(ticket, headers=key)["ticket"]["id"] == ticket["id"]


# --- what a machine gives away ---

def test_a_crash_leaves_keys_on_the_disk(stack):
    with Replica(stack, "auth") as replica:
        del replica.environment["CORE_DUMPS"]
        replica.kill()
        replica.start().wait_ready()
        with open(f"/proc/{replica.process.pid}/limits") as limits:
            assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]


def test_secrets_are_seen_in_the_environment(stack, tmp_path):
    with Replica(stack, "auth") as replica:
        file = tmp_path / "database-url"
        file.write_text(replica.environment.pop("DATABASE_URL") + "\n")
        replica.environment["DATABASE_URL_FILE"] = str(file)
        replica.kill()
        replica.start().wait_ready()
        with open(f"/proc/{replica.process.pid}/environ") as environment:
            assert file.read_text().strip() not in environment.read()
        answer = User(replica.url).post("/api/users/signup", json=credentials(password=PASSWORD))
        assert answer.status_code == 201, "it has its database"
