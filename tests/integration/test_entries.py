"""A ticket's code, and the door that it opens: for its buyer alone, once, and for as long as its sale stands."""
import base64
import concurrent.futures
import json
import subprocess
import sys
import uuid

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox import Books
from shows import announced, bought, place_id
from support import DEADLINE, ROOT, Replica, errors, list_ticket, missing_id, refused, wait_until
from test_model import payment
from test_tickets import order
from waits import answered


def pay(stack, buyer, **what):
    key, value = what.popitem()
    wait_until(lambda: stack.sql("payments", "select 1 from charges where order_id = %s", value), "payments knows the order")
    answer = answered(lambda: buyer.post("/api/payments", json={key: value, "token": "pm_card_visa"}))  # 503: what Stripe said is not known yet
    assert answer.status_code == 201, answer.text


def code_of(buyer, ticket):
    path = f"/api/tickets/{ticket['id']}/code"
    answer = wait_until(lambda: (a := buyer.get(path)).status_code == 200 and a, "the ticket is sold, and has a code")
    return answer.json()


def buy(stack, seller, buyer):
    """A ticket that a person listed, and its code."""
    ticket = list_ticket(stack, seller)
    pay(stack, buyer, orderId=buyer.place(ticket)["id"])
    return ticket, code_of(buyer, ticket)


def admit(who, ticket, code, door=None, **how):
    return who.post(f"/api/tickets/{ticket['id']}/admit", json={"code": code, **({"door": door} if door else {})}, **how)


def at_the_door(who, show, code, **body):
    return who.post(f"/api/shows/{show['id']}/admit", json={"code": code, **body})


def refused_for(answer, reason):
    assert answer.status_code == 409, answer.text
    assert set(answer.json()) <= {"errors", "reason", "admittedAt", "door"} and answer.json()["errors"][0]["message"]
    assert answer.json()["reason"] == reason
    return answer.json()


def raw(code):
    return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))


def text(code):
    return base64.urlsafe_b64encode(code).decode().rstrip("=")


def altered(code, at=10):
    data = bytearray(raw(code))
    data[at] ^= 1
    return text(bytes(data))


@pytest.fixture(scope="module")
def sold(stack, seller, people):
    """A show with a place that is sold: the show, the ticket, its buyer, the code."""
    buyer = next(people)
    show, [area] = announced(seller, [{"rows": [{"name": "A", "from": 12, "to": 14}]}])
    ticket = {"id": place_id(area, 0, 0)}
    answer = bought(buyer, ticketIds=[ticket["id"]])
    assert answer.status_code == 201, answer.text
    pay(stack, buyer, purchaseId=answer.json()["id"])
    return show, ticket, buyer, code_of(buyer, ticket)


# --- the code ---

def test_the_code_of_a_place(stack, sold):
    show, ticket, buyer, code = sold
    assert code["words"] == "Stalls, row A, seat 12" and code["ticketId"] == ticket["id"]
    assert code["show"] == {k: show[k] for k in ("id", "title", "venue", "city", "startsAt", "timeZone")}
    data = raw(code["code"])
    assert (data[0], data[7:23], data[23:39], data[39:55]) == (1, *(uuid.UUID(i).bytes for i in (ticket["id"], show["id"], code["orderId"])))
    assert data[56:-64].decode() == code["words"]
    assert len(code["code"]) < 200, "it fits into a QR code of modest size"
    assert buyer.get(f"/api/tickets/{ticket['id']}/code").json() == code, "it is the same each time"


def test_only_the_buyer_has_the_code(stack, seller, buyer, sold):
    path = f"/api/tickets/{sold[1]['id']}/code"
    assert requests.get(stack.url + path, timeout=DEADLINE).status_code == 401
    for who in (seller, buyer):
        refused(who.get(path), 403, "Only who bought this ticket")
    refused(buyer.get(f"/api/tickets/{missing_id()}/code"), 404, "No such ticket")
    refused(buyer.get(f"/api/tickets/{list_ticket(stack, seller)['id']}/code"), 409, "is not sold")


def test_the_buyer_stays_unknown_to_others(stack, seller, sold):
    _, ticket, buyer, _ = sold
    assert buyer.id not in seller.get(f"/api/tickets/{ticket['id']}").text
    assert all(buyer.id not in str(dict(event)) for event in stack.topic("tickets").events() if event.key == ticket["id"])


def verify(tmp_path, keys, code):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(keys))
    return subprocess.run([sys.executable, ROOT / "examples/verify-ticket.py", file, code], text=True, capture_output=True, timeout=DEADLINE)


def test_anybody_can_verify_it_off_line(stack, sold, tmp_path):
    show, ticket, _, code = sold
    answer = requests.get(stack.url + "/.well-known/onsale-ticket-keys.json", timeout=DEADLINE)
    assert answer.status_code == 200 and "max-age" in answer.headers["Cache-Control"]
    [key] = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}, "public parts alone"
    done = verify(tmp_path, answer.json(), code["code"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ticket": ticket["id"], "show": show["id"], "serial": code["orderId"], "words": code["words"]}
    for wrong, words in ((altered(code["code"]), "signature"), (altered(code["code"], 3), "unknown key"), (text(raw(code["code"])[:-3]), "form"), ("!", "")):
        done = verify(tmp_path, answer.json(), wrong)
        assert done.returncode == 1 and words in done.stderr, done.stderr


# --- the door ---

def test_a_ticket_admits_once(stack, seller, people, sold):
    show, ticket, buyer, code = sold
    answer = at_the_door(seller, show, f" {code['code']}\n", door="North")
    assert answer.status_code == 200, answer.text
    used = answer.json()
    assert (used["ticketId"], used["orderId"], used["showId"], used["words"], used["door"]) == (
        ticket["id"], code["orderId"], show["id"], "Stalls, row A, seat 12", "North")
    for again in (at_the_door(seller, show, code["code"], door="South"), admit(seller, ticket, code["code"])):
        body = refused_for(again, "used")
        assert (body["admittedAt"], body["door"]) == (used["admittedAt"], "North"), "when, and at which door"
    assert (code_of(buyer, ticket)["admittedAt"], code_of(buyer, ticket)["door"]) == (used["admittedAt"], "North")
    [event] = stack.topic("entries").of(ticket["id"], 1)
    assert {k: str(v) for k, v in event.items() if k != "occurredAt"} == {
        "type": "TicketAdmitted", "id": str(event["id"]), "ticketId": ticket["id"], "version": "1", "showId": show["id"], "orderId": code["orderId"],
        "sellerId": seller.id, "door": "North"}
    assert abs(event["occurredAt"].timestamp() - stack.sql("tickets", "select extract(epoch from admitted_at)::float8 from admissions where ticket_id = %s",
                                                          ticket["id"])[0][0]) < 0.01


def test_ten_doors_at_once(stack, seller, buyer):
    ticket, code = buy(stack, seller, buyer)
    with concurrent.futures.ThreadPoolExecutor(10) as doors:
        answers = list(doors.map(lambda n: answered(lambda: admit(seller, ticket, code["code"], f"Door {n}")), range(10)))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 9
    [door] = [a.json()["door"] for a in answers if a.status_code == 200]
    assert all(refused_for(a, "used")["door"] == door for a in answers if a.status_code == 409)
    assert len(stack.topic("entries").of(ticket["id"], 1)) == 1


def test_a_request_that_comes_again_is_answered_again(stack, seller, buyer):
    ticket, code = buy(stack, seller, buyer)
    answers = [admit(seller, ticket, code["code"], headers={"Idempotency-Key": "scan-1"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200] and answers[0].json() == answers[1].json()
    refused_for(admit(seller, ticket, code["code"], headers={"Idempotency-Key": "scan-2"}), "used")


def test_codes_that_admit_nobody(stack, seller, buyer, sold):
    ticket, code = buy(stack, seller, buyer)
    other_ticket, _ = buy(stack, seller, buyer)
    other_show, _ = announced(seller, [{}])
    data = raw(code["code"])
    stranger = Ed25519PrivateKey.generate()
    forged = data[:-64] + stranger.sign(data[:-64])
    for answer, reason in (
            (admit(seller, ticket, "a ticket, honestly"), "forged"),
            (admit(seller, ticket, code["code"][:-2]), "forged"),
            (admit(seller, ticket, altered(code["code"], 40)), "altered"),
            (admit(seller, ticket, altered(code["code"], -1)), "altered"),
            (admit(seller, ticket, text(forged)), "altered"),
            (admit(seller, ticket, altered(code["code"], 3)), "unknown_key"),
            (admit(seller, other_ticket, code["code"]), "other_ticket"),
            (at_the_door(seller, other_show, sold[3]["code"]), "other_show"),
            (at_the_door(seller, other_show, code["code"]), "other_show")):
        refused_for(answer, reason)
    assert admit(seller, ticket, code["code"]).status_code == 200, "nothing of that used it"


def test_only_the_seller_lets_in(stack, seller, buyer, sold):
    show, ticket, _, code = sold
    refused(at_the_door(buyer, show, code["code"]), 403, "Only the seller lets in")
    refused(admit(buyer, ticket, "x"), 403, "Only the seller lets in")
    refused(at_the_door(seller, {"id": missing_id()}, "x"), 404, "No such show")
    refused(admit(seller, {"id": missing_id()}, "x"), 404, "No such ticket")
    assert requests.post(f"{stack.url}/api/shows/{show['id']}/admit", json={"code": "x"}, timeout=DEADLINE).status_code == 401
    assert errors(at_the_door(seller, show, None)) == [("code", "Code is required")]
    assert [f for f, _ in errors(at_the_door(seller, show, "x", door="y" * 61))] == ["door"]


def test_a_refunded_ticket_is_refused(stack, seller, buyer):
    ticket, code = buy(stack, seller, buyer)
    used, used_code = buy(stack, seller, buyer)
    let_in = admit(seller, used, used_code["code"], headers={"Idempotency-Key": "before"})
    assert let_in.status_code == 200
    books = Books(stack)
    for order_id in (code["orderId"], used_code["orderId"]):
        books.post("/v1/refunds", payment_intent=books.of({"id": order_id})[0]["id"])
        wait_until(lambda: stack.sql("tickets", "select 1 from sales where order_id = %s and refunded", order_id), "tickets knows of the refund")
    refused_for(admit(seller, ticket, code["code"]), "refunded")
    again = admit(seller, used, used_code["code"], headers={"Idempotency-Key": "before"})
    assert (again.status_code, again.json()) == (200, let_in.json()), "a request that comes again is answered as before"
    refused_for(admit(seller, used, used_code["code"], headers={"Idempotency-Key": "after"}), "refunded")
    refused(buyer.get(f"/api/tickets/{ticket['id']}/code"), 409, "refunded")


def test_a_ticket_that_was_sold_again(stack, seller, buyer, people):
    """As after a failover that lost a sale: the first buyer's copy admits nobody, the second's does."""
    second = next(people)
    ticket, code = buy(stack, seller, buyer)
    stack.topic("orders").produce(order(ticket, "cancelled", 100, code["orderId"], reason="lost"))
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json()["status"] == "available", "it is on sale again")
    refused_for(admit(seller, ticket, code["code"]), "not_sold")
    stack.sql("orders", "update orders set status = 'cancelled', reason = 'lost', hold_slot = null where id = %s", code["orderId"])
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s and status = 'available'", ticket["id"]), "orders knows, too")
    pay(stack, second, orderId=second.place(ticket)["id"])
    new = code_of(second, ticket)
    wait_until(lambda: stack.sql("tickets", "select 1 from sales where order_id = %s and refunded", code["orderId"]), "he gets his money back")
    refused_for(admit(seller, ticket, code["code"]), "refunded")
    stack.sql("tickets", "update sales set refunded = false where order_id = %s", code["orderId"])  # as before tickets has heard of that
    refused_for(admit(seller, ticket, code["code"]), "sold_again")
    refused(buyer.get(f"/api/tickets/{ticket['id']}/code"), 403)
    assert admit(seller, ticket, new["code"]).status_code == 200


def test_a_refund_is_heard_of_in_any_order_and_again(stack, seller, buyer):
    """Before its payment, and when the topic is read again from its beginning."""
    ticket = list_ticket(stack, seller)
    bought = order(ticket, "complete", 2, userId=buyer.id)
    paid = payment({"id": bought["id"], "userId": buyer.id, "ticket": ticket}, "PaymentCreated", 2, str(uuid.uuid4()))
    back = paid | {"type": "PaymentRefunded", "status": "refunded", "version": 3}
    other = paid | {"orderId": missing_id()}
    stack.topic("payments").produce(back, paid, paid, back, paid, other)
    wait_until(lambda: stack.sql("tickets", "select 1 from sales where order_id = %s", other["orderId"]), "tickets has read them")
    assert stack.sql("tickets", "select buyer_id::text, refunded from sales where order_id in (%s, %s) order by refunded", other["orderId"], bought["id"]) == [
        (buyer.id, False), (buyer.id, True)]


# --- keys ---

def test_keys_rotate(stack, seller, buyer, tmp_path):
    """A code of the key before stays good for as long as that is published; then it is of an unknown key."""
    ticket, code = buy(stack, seller, buyer)
    old, new = str(stack.state / "keys/ticket.pem"), str(stack.state / "keys/ticket-new.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", new], check=True)
    path = f"/api/tickets/{ticket['id']}"
    with Replica(stack, "tickets", TICKET_KEYS=f"{new},{old}") as replica:
        replica.wait_ready()
        again = buyer.get(replica.url + path + "/code").json()["code"]
        keys = requests.get(replica.url + "/.well-known/onsale-ticket-keys.json", timeout=DEADLINE).json()
        assert len(keys["keys"]) == 2 and raw(again)[1:7] != raw(code["code"])[1:7]
        assert verify(tmp_path, keys, code["code"]).returncode == verify(tmp_path, keys, again).returncode == 0
        assert seller.post(replica.url + path + "/admit", json={"code": code["code"]}).status_code == 200
        assert replica.terminate() in (0, 75)
    with Replica(stack, "tickets", TICKET_KEYS=new) as replica:
        replica.wait_ready()
        refused_for(seller.post(replica.url + path + "/admit", json={"code": code["code"]}), "unknown_key")
        refused_for(seller.post(replica.url + path + "/admit", json={"code": again}), "used")


def test_keys_that_are_none(stack, tmp_path):
    rsa = stack.state / "keys/session.pem"
    for keys, words in ((str(rsa), "not an Ed25519 key"), (str(tmp_path / "none.pem"), "none.pem"), ("", "TICKET_KEYS")):
        with Replica(stack, "tickets", TICKET_KEYS=keys) as replica:
            assert replica.process.wait(DEADLINE) != 0
            assert words in replica.output()
