"""Attacks on what is for sale: tickets that are held for nothing, by one person, by many accounts, from one network."""
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import Replica, User, list_ticket, refused, wait_until
from venue import Venue
from webs import Browser

MANY = 200  # the hoarder's accounts
MINUTES = 10
PLACES = 10_000
AT_ONCE = 8  # of a purchase


@pytest.fixture(scope="module")
def strict(stack):
    """orders as it is by default."""
    with Replica(stack, "orders", LAPSE_WAIT="1m") as replica:
        yield replica.wait_ready()


@pytest.fixture(scope="module")
def narrow(stack):
    """orders that lets four tickets be held from an address."""
    with Replica(stack, "orders", LAPSE_WAIT="1m", HOLDS_PER_ADDRESS="4") as replica:
        yield replica.wait_ready()


@pytest.fixture
def asker(strict, people):
    return at(strict, next(people))


def at(replica, person, address=None):
    """The same person there, from that address."""
    other = User(replica.url, person.headers["Authorization"].removeprefix("Bearer "))
    if address:
        other.headers["X-Forwarded-For"] = address
    return other


def ask(person, ticket, **more):
    return person.post("/api/orders", json={"ticketId": ticket["id"]}, **more)


def give_back(person, order):
    assert person.delete(f"/api/orders/{order['id']}").status_code == 204


def lapse(person, ticket):
    give_back(person, person.place(ticket))


def pass_time(stack, minutes):
    """All that has lapsed did so much earlier, and what is held ends so much sooner."""
    stack.sql("orders", "update lapses set ended_at = ended_at - %s * interval '1 minute'", minutes)
    stack.sql("orders", "update orders set expires_at = expires_at - %s * interval '1 minute' where hold_slot is not null", minutes)


def waits(answer, seconds, words):
    refused(answer, 429, words, "lapsed")
    assert seconds - 30 < int(answer.headers["Retry-After"]) <= seconds


# --- many accounts ---

def test_a_hoarder_with_many_accounts(stack, seller, strict):
    """He holds as much as he can with each, gives it back and holds again, and tries all the others, minute after minute."""
    venue = Venue(stack, seller, title="All of it", per_user=AT_ONCE)
    venue.add("Floor", places=PLACES)
    accounts, held, most = [at(strict, person, "203.0.113.7") for person in stack.users(MANY)], {}, 0

    def take(account):
        answer = account.post("/api/purchases", json={"showId": venue.id, "quantity": AT_ONCE})
        assert answer.status_code in (201, 409, 429), answer.text
        return (account, answer.json()["id"]) if answer.status_code == 201 else None

    def go_round(account):
        if account in held:
            assert account.delete(f"/api/purchases/{held[account]}").status_code == 204
        return take(account)

    with ThreadPoolExecutor(16) as pool:
        for _ in range(MINUTES):
            held = dict(filter(None, pool.map(go_round, accounts)))
            [[off_sale]] = stack.sql("orders", "select count(*) from orders where show_id = %s and status <> 'cancelled'", venue.id)
            most = max(most, off_sale)
            pass_time(stack, 1)
        assert 0 < most <= PLACES * 2 // 100, f"{most} of {PLACES} tickets were off sale"
        list(pool.map(lambda account: account.delete(f"/api/purchases/{held[account]}"), held))
    venue.check()


def test_others_buy_meanwhile(stack, seller, narrow, people):
    ticket = list_ticket(stack, seller)
    for _ in range(4):
        at(narrow, next(people), "203.0.113.8").place(list_ticket(stack, seller))
    answer = ask(at(narrow, next(people), "203.0.113.8"), ticket)
    refused(answer, 429, "from your network", "crowded")
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(at(narrow, next(people), "203.0.113.9"), ticket).status_code == 201


@pytest.mark.parametrize("near, most", [("2001:db8:5:500::{n}", 4), ("2001:db8:6:6{n:02x}::1", 8), ("2001:db8:7:{n:02x}07::1", 16)])
def test_networks_of_ipv6(stack, seller, narrow, people, near, most):
    """Each of a /64, a /56, a /48 is from an address of its own."""
    taken = [ask(at(narrow, next(people), near.format(n=n)), list_ticket(stack, seller)).status_code for n in range(1, most + 2)]
    assert taken == [201] * most + [429]
    assert ask(at(narrow, next(people), "2001:db8:8::1"), list_ticket(stack, seller)).status_code == 201, "another /48"


def test_what_is_paid_or_given_back_makes_room(stack, seller, narrow, people):
    here = [at(narrow, next(people), "203.0.113.10") for _ in range(4)]
    orders = [person.place(list_ticket(stack, seller)) for person in here]
    ticket = list_ticket(stack, seller)
    refused(ask(here[0], ticket), 429, "from your network", "crowded")
    give_back(here[1], orders[1])
    assert ask(here[0], ticket).status_code == 201
    stack.sql("orders", "update orders set hold_slot = null, status = 'complete' where id = %s", orders[2]["id"])
    assert ask(here[1], list_ticket(stack, seller)).status_code == 201
    assert stack.sql("orders", "select network from orders where id = %s", orders[1]["id"]) == [(None,)], "of what is over it is not kept from where"


def test_a_purchase_counts_by_its_tickets(stack, seller, narrow, people):
    venue = Venue(stack, seller)
    venue.add("Floor", places=20)
    refused(at(narrow, next(people), "203.0.113.11").post("/api/purchases", json={"showId": venue.id, "quantity": 5}), 429, "network", "crowded")
    venue.buy(at(narrow, next(people), "203.0.113.11"), 3)
    refused(at(narrow, next(people), "203.0.113.11").post("/api/purchases", json={"showId": venue.id, "quantity": 2}), 429, "network", "crowded")
    venue.buy(at(narrow, next(people), "203.0.113.11"), 1)


def test_addresses_of_no_client(stack, seller, narrow, people):
    """A proxy that is not trusted would otherwise be the one client that there is."""
    for address in ("10.1.2.3", "192.168.1.1", "fd00::1", "100.64.0.1"):
        for _ in range(5):
            assert ask(at(narrow, next(people), address), list_ticket(stack, seller)).status_code == 201


# --- one person ---

def test_he_waits_longer_each_time(stack, seller, asker, strict, people):
    ticket, other = list_ticket(stack, seller), list_ticket(stack, seller)
    lapse(asker, ticket)
    lapse(asker, ticket)  # the first costs nothing
    waits(ask(asker, ticket), 60, "You let 2 holds of these tickets lapse; try again in a minute")
    give_back(asker, asker.place(other))
    assert ask(at(strict, next(people)), ticket).status_code == 201, "others do not wait"
    stack.sql("orders", "update orders set status = 'cancelled', reason = 'buyer', hold_slot = null where ticket_id = %s and status <> 'cancelled'",
              ticket["id"])
    pass_time(stack, 1)
    lapse(asker, ticket)
    waits(ask(asker, ticket), 120, "You let 3 holds of these tickets lapse; try again in 2 minutes")
    pass_time(stack, 2)
    lapse(asker, ticket)
    waits(ask(asker, ticket), 240, "in 4 minutes")


def test_at_most_an_hour_and_forgotten_after_a_day(stack, seller, asker):
    ticket = list_ticket(stack, seller)
    stack.sql("orders", "insert into lapses select %s, %s, gen_random_uuid() from generate_series(1, 2000)", asker.id, ticket["id"])
    waits(ask(asker, ticket), 3600, "in 60 minutes")
    pass_time(stack, 24 * 60)
    count = "select count(*) from lapses"
    [[before]] = stack.sql("orders", count)
    lapse(asker, ticket)
    assert stack.sql("orders", count) < [(before,)], "what is older goes when something comes"
    lapse(asker, ticket)


def test_a_show_is_one_thing(stack, seller, asker):
    """Its other places are no way around; nor are they by their ids."""
    venue = Venue(stack, seller)
    venue.add("Stalls", rows=[6])
    for quantity in (2, 3):
        give_back(asker, venue.buy(asker, quantity)["orders"][0])
    waits(asker.post("/api/purchases", json={"showId": venue.id, "quantity": 1}), 60, "2 holds of these tickets")
    waits(asker.post("/api/purchases", json={"ticketIds": [venue.ticket("Stalls", "A", 6)]}), 60, "2 holds")
    waits(ask(asker, {"id": venue.ticket("Stalls", "A", 6)}), 60, "2 holds")
    assert asker.post("/api/purchases", json={"ticketIds": [list_ticket(stack, seller)["id"]]}).status_code == 201


def test_he_may_hold_fewer_at_once(stack, seller, asker):
    """Of the ten that all may: half, when he let two lapse and has paid nothing; and more again by what he pays."""
    for _ in range(2):
        lapse(asker, list_ticket(stack, seller))
    orders = [asker.place(list_ticket(stack, seller)) for _ in range(5)]
    one_more = list_ticket(stack, seller)
    refused(ask(asker, one_more), 409, "5 unpaid tickets are the most", "fewer")
    several = {"ticketIds": [list_ticket(stack, seller)["id"], list_ticket(stack, seller)["id"]]}
    refused(asker.post("/api/purchases", json=several), 409, "5 unpaid tickets are the most", "fewer")
    stack.sql("orders", "update orders set hold_slot = null, status = 'complete' where id = %s", orders[0]["id"])  # half of four: 6.7
    assert asker.post("/api/purchases", json=several).status_code == 201
    assert ask(asker, one_more).status_code == 201
    refused(ask(asker, list_ticket(stack, seller)), 409, "7 unpaid tickets are the most", "fewer")


def test_requests_of_one_moment(stack, seller, asker):
    for _ in range(2):
        lapse(asker, list_ticket(stack, seller))
    tickets = [list_ticket(stack, seller) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(lambda ticket: ask(asker, ticket).status_code, tickets))
    assert sorted(codes) == [201] * 5 + [409] * 5


def test_whoever_waits_gets_what_he_has(stack, seller, asker):
    """The same request again is answered as it was."""
    ticket = list_ticket(stack, seller)
    lapse(asker, ticket)
    key = {"Idempotency-Key": "the-second"}
    order = asker.place(ticket, headers=key)
    give_back(asker, order)
    waits(ask(asker, ticket), 60, "2 holds")
    again = ask(asker, ticket, headers=key)
    assert again.status_code == 201 and again.json()["id"] == order["id"]


# --- what counts ---

def lapses(stack, person):
    return stack.sql("orders", "select about::text, purchase_id::text from lapses where user_id = %s", person.id)


def test_what_expires_counts(stack, seller, people):
    person, ticket = next(people), list_ticket(stack, seller)
    with Replica(stack, "orders", HOLD_SECONDS="1") as replica:
        order = at(replica.wait_ready(), person).place(ticket)
    wait_until(lambda: lapses(stack, person) == [(ticket["id"], order["id"])], "the hold has lapsed")


def test_what_is_declined_for_good_counts(stack, seller, people):
    person, ticket = next(people), list_ticket(stack, seller)
    order = person.place(ticket)
    for _ in range(3):
        wait_until(lambda: person.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_chargeDeclined"}).status_code == 402,
                   "it is declined")
    wait_until(lambda: lapses(stack, person) == [(ticket["id"], order["id"])], "the hold has lapsed")


def test_what_the_seller_withdraws_does_not(stack, seller, people):
    person, ticket = next(people), list_ticket(stack, seller)
    order = person.place(ticket)
    stack.topic("tickets").produce({"type": "TicketCancelled", "id": ticket["id"], "version": 50, "occurredAt": 0, "userId": seller.id, "title": "A ticket",
                                    "price": 2000, "currency": "USD", "status": "cancelled", "orderId": None}, key="id")
    wait_until(lambda: person.get(f"/api/orders/{order['id']}").json()["status"] == "cancelled", "the order has ended")
    assert lapses(stack, person) == []


def test_a_page_says_it(stack, seller, strict, asker):
    ticket = list_ticket(stack, seller)
    for _ in range(2):
        lapse(asker, ticket)
    stack.topic("tickets").of(ticket["id"], 5)  # of which the last says that it is for sale again
    with Replica(stack, "web", ORDERS_API=strict.url) as web:
        browser = Browser(types.SimpleNamespace(url=web.wait_ready().url, session="session"), asker.headers["Authorization"].removeprefix("Bearer "))
        for language, words in (("en", "You let 2 holds of these tickets lapse; try again in a minute."),
                                ("de", "Sie haben 2 Mal solche Tickets reserviert und nicht bezahlt; versuchen Sie es in einer Minute wieder.")):
            browser.headers["Accept-Language"] = language
            stack.sql("orders", "update lapses set ended_at = now() where user_id = %s", asker.id)
            answer = browser.submit(browser.go(f"/tickets/{ticket['id']}").page, f"/tickets/{ticket['id']}/buy")
            assert words in answer.words
