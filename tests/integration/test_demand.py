"""The topic `demand`: what was asked of shows and what became of it, whoever asked, however it was refused, and whoever dies meanwhile."""
import collections
import concurrent.futures
import json
import random
import uuid

import pytest
import requests

from shows import announced
from support import DEADLINE, Replica, User, wait_until
from test_attacks_hoarder import at
from test_codes import UNKNOWN, make
from test_phases import phase
from test_waiting import Queue
from test_web_story import Through
from topics import topic_schema
from venue import Venue
from webs import Browser

FIELDS = topic_schema("demand")["fields"]
NUMBERS = [field["name"] for field in FIELDS if field["type"] == "int"]
REFUSED = [name for name in NUMBERS if name.startswith("refused")]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s", ADMIT_TIME="30s")


def records(stack, show):
    """Of a show; each once."""
    topic = stack.topic("demand")
    return list({event["id"]: event for event in map(topic.decode, topic.records(key=show))}.values())


def counted(stack, show, *names, **where):
    """What all processes together counted; `where`: of these records alone."""
    found = [e for e in records(stack, show) if all(e[field] == value for field, value in where.items())]
    return {name: n for name in names or NUMBERS if (n := sum(e[name] for e in found))}


def wait_counted(stack, show, expected, *names, **where):
    found = {}

    def agrees():
        found.update(now=counted(stack, show, *names, **where))
        return found["now"] == expected
    try:
        wait_until(agrees, f"{expected} is counted")
    except AssertionError as error:
        raise AssertionError(f"{error}: {found}") from None


def ask(who, venue, quantity=1, **wish):
    return who.post("/api/purchases", json={"showId": venue.id, "quantity": quantity} | wish)


def by_ids(who, *tickets, **wish):
    return who.post("/api/purchases", json={"ticketIds": list(tickets)} | wish)


def reason(answer):
    return answer.json().get("reason") if answer.status_code >= 400 else None


# --- refusals ---

def on_sale(stack, seller, *phases, rows=4, **what):
    venue = Venue(stack, seller, phases=list(phases) or None, **what)
    venue.add("Stalls", rows=[rows])
    return venue


def refusals(stack, seller, buyer, other):
    """Venue, what is asked of it, how many places that is, the reason of the API, and what counts it."""
    for phases, why, number in (
            ([phase(3600, 7200)], "not_open", "NotOpen"), ([phase(-3600, -1)], "over", "Over"),
            ([phase(-3600, 3600, queue=True)], "queue_required", "QueueRequired"), ([phase(-3600, 3600, perUser=1)], "limit", "Limit"),
            ([phase(-3600, 3600, codes=True)], "code_required", "CodeRequired")):
        venue = on_sale(stack, seller, *phases)
        yield venue, lambda v=venue: ask(buyer, v, 2), 2, why, number
        yield venue, lambda v=venue: by_ids(buyer, v.ticket("Stalls", "A", 1), v.ticket("Stalls", "A", 2)), 2, why, number
        if number != "Limit":
            yield venue, lambda v=venue: buyer.post("/api/orders", json={"ticketId": v.ticket("Stalls", "A", 4)}), 1, why, number
    coded = on_sale(stack, seller, phase(-3600, 3600, codes=True))
    yield coded, lambda: ask(buyer, coded, code=UNKNOWN), 1, "code_wrong", "CodeWrong"
    [code] = make(seller, coded)
    assert ask(other, coded, code=code).status_code == 201
    yield coded, lambda: ask(buyer, coded, code=code), 1, "code_used", "CodeUsed"
    yield coded, lambda: by_ids(buyer, coded.ticket("Stalls", "A", 4), code=code), 1, "code_used", "CodeUsed"
    some = Venue(stack, seller)
    stalls, balcony = some.add("Stalls", rows=[4]), some.add("Balcony", rows=[4])
    some.phases = json.dumps([phase(-3600, 3600, areas=[stalls])])
    some.tell("announced")
    yield some, lambda: ask(buyer, some), 1, "area_required", "AreaRequired"
    yield some, lambda: ask(buyer, some, areaId=balcony), 1, "not_sold", "NotSold"
    free = on_sale(stack, seller)
    yield free, lambda: ask(buyer, free, 5), 5, "too_few", "TooFew"
    yield free, lambda: by_ids(buyer, free.ticket("Stalls", "A", 1), maxPrice=1), 1, "price", "Price"
    yield free, lambda: ask(seller, free), 1, None, "Other"
    yield free, lambda: ask(buyer, free, accessible=True), 1, None, "Other"
    sold = on_sale(stack, seller)
    sold.buy(other, 4)
    yield sold, lambda: ask(buyer, sold), 1, "sold_out", "SoldOut"
    yield sold, lambda: by_ids(buyer, sold.ticket("Stalls", "A", 3)), 1, None, "Taken"
    alone = Venue(stack, seller)
    alone.add("Stalls", rows=[1, 1])
    yield alone, lambda: ask(buyer, alone, 2), 2, "not_together", "NotTogether"


def refusals_of_holders(stack, seller, strict, buyer, other):
    """As refusals: of somebody who let two purchases of a show end unpaid, and from a network that holds much."""
    hoarder = at(strict, buyer)
    again, free, from_here = (on_sale(stack, seller, rows=8) for _ in range(3))
    for _ in range(2):
        hoarder.delete(f"/api/purchases/{again.buy(hoarder, 1)['id']}")
    yield again, lambda: ask(hoarder, again), 1, "lapsed", "Lapsed"
    yield again, lambda: hoarder.post("/api/orders", json={"ticketId": again.ticket("Stalls", "A", 4)}), 1, "lapsed", "Lapsed"
    yield free, lambda: ask(hoarder, free, 6), 6, "fewer", "Fewer"
    yield from_here, lambda: ask(at(strict, other, "203.0.113.77"), from_here, 7), 7, "crowded", "Crowded"


def test_each_refusal_is_counted_by_its_reason(stack):
    seller, buyer, other, hoarder, late = stack.users(5)
    expected = collections.defaultdict(collections.Counter)
    with Replica(stack, "orders", LAPSE_WAIT="1m", HOLDS_PER_ADDRESS="6") as strict:
        strict.wait_ready()
        all_of_them = [*refusals(stack, seller, buyer, other), *refusals_of_holders(stack, seller, strict, hoarder, late)]
        for venue, asked, places, why, number in all_of_them:
            answer = asked()
            assert answer.status_code in (403, 409, 429) and reason(answer) == why, (number, answer.text)
            expected[venue.id].update({f"refused{number}": 1, "asked": 1, "askedPlaces": places})
        assert {name for numbers in expected.values() for name in numbers} == {"asked", "askedPlaces", *REFUSED}, "each was met"
        for show, numbers in expected.items():  # while it runs: at its end it tells what Kafka takes in time
            wait_counted(stack, show, {name: numbers[name] for name in REFUSED if name in numbers}, *REFUSED)
    for show, numbers in expected.items():
        all_told = counted(stack, show)  # with what others bought before
        assert all_told["asked"] - all_told.get("placed", 0) == numbers["asked"]
        assert all_told["askedPlaces"] - all_told.get("placedPlaces", 0) == numbers["askedPlaces"]


def test_what_no_show_was_asked_for_is_not_counted(stack):
    seller, buyer = stack.users(2)
    venue = on_sale(stack, seller)
    ticket = seller.list_ticket()
    buyer.place(ticket)
    made_up = str(uuid.uuid4())
    assert buyer.post("/api/purchases", json={"showId": made_up, "quantity": 1}).status_code == 404
    assert ask(buyer, venue, 0).status_code == 400
    assert requests.post(f"{stack.url}/api/purchases", json={"showId": venue.id, "quantity": 1}, timeout=DEADLINE).status_code == 401
    venue.buy(buyer, 1)
    wait_counted(stack, venue.id, {"asked": 1, "askedPlaces": 1, "placed": 1, "placedPlaces": 1}, "asked", "askedPlaces", "placed", "placedPlaces")
    assert made_up not in {r.key().decode() for r in stack.topic("demand").records()}
    assert ticket["id"] not in str(stack.topic("demand").events())


def test_a_request_that_comes_again_is_a_repetition(stack):
    seller, buyer = stack.users(2)
    venue, key = on_sale(stack, seller), {"Idempotency-Key": str(uuid.uuid4())}
    first = venue.buy(buyer, 2, headers=key)
    assert venue.buy(buyer, 2, headers=key) == first
    names = ["asked", "askedPlaces", "placed", "placedPlaces", "repeated"]
    wait_counted(stack, venue.id, {"asked": 2, "askedPlaces": 4, "placed": 1, "placedPlaces": 2, "repeated": 1}, *names)
    wait_counted(stack, venue.id, {"asked": 2, "askedPlaces": 4, "placed": 1, "placedPlaces": 2, "repeated": 1}, *names, areaId=None, client="api",
                 service="orders")
    wait_until(lambda: stack.metric("orders", "onsale_told_records_total") > 0, "what Kafka took is counted")


# --- who asks ---

def test_pages_and_programs_are_told_apart(stack):
    """And nobody outside can say that he is a page."""
    seller, buyer, other = stack.users(3)
    show, _ = announced(seller, [{"places": 5}])
    wait_until(lambda: stack.sql("orders", "select 1 from shows where id = %s and status = 'announced'", show["id"]), "orders knows the show")
    where = f"/shows/{show['id']}"
    stranger, browser, own = Browser(Through(stack)), Browser(Through(stack)), Browser(Through(stack))
    for who, user in ((browser, buyer), (own, seller)):
        who.cookies.set("session", user.headers["Authorization"].removeprefix("Bearer "), domain="127.0.0.1", path="/")
    assert all(who.go(where).status_code == 200 for who in (stranger, stranger, own))
    page = browser.go(where).page
    assert browser.submit(page, f"{where}/buy", quantity="2").status_code == 303
    assert stranger.go(f"/shows/{uuid.uuid4()}").status_code == 404
    answer = other.post("/api/purchases", json={"showId": show["id"], "quantity": 4}, headers={"X-Onsale-Page": "1"})
    assert reason(answer) == "too_few"
    wait_counted(stack, show["id"], {"came": 3, "asked": 1, "placed": 1, "placedPlaces": 2}, "came", "asked", "placed", "placedPlaces", client="page")
    wait_counted(stack, show["id"], {"asked": 1, "askedPlaces": 4, "refusedTooFew": 1}, client="api")
    assert {e["service"] for e in records(stack, show["id"]) if e["came"]} == {"web"}


def test_no_person_is_in_any_record(stack):
    seller, buyer = stack.users(2)
    venue = on_sale(stack, seller)
    venue.buy(buyer, 1)
    wait_counted(stack, venue.id, {"placed": 1}, "placed")
    assert [field["name"] for field in FIELDS if field["name"] not in NUMBERS] == [
        "type", "id", "showId", "areaId", "occurredAt", "client", "service", "processId"]
    said = str(stack.topic("demand").events())
    people = stack.sql("orders", "select distinct user_id from orders union select seller_id from orders")
    assert len(people) >= 2 and [person for person, in people if str(person) in said] == []


# --- queues ---

def test_a_queue_is_counted_as_its_topic_tells(stack):
    """Who joined, whose turn came, and who let it pass; by two replicas."""
    seller, *people = stack.users(7)
    with Replica(stack, "waiting") as second:
        second.wait_ready()
        queue = Queue(stack, seller, opens=3)
        for n, who in enumerate(people):
            for _ in range(2):  # the other replica may not have read it yet
                queue.join(who, second.url if n % 2 else None)
        queue.open()
        for who in people[:2]:
            assert queue.buy(who, queue.turn(who)["admission"]).status_code == 201
        wait_counted(stack, queue.venue.id, {"joined": 6, "admitted": 6, "missed": 4}, "joined", "admitted", "missed")
        told = queue.events()
    assert len({e["userId"] for e in told if e["type"] == "QueueJoined"}) == 6
    assert max(e["serving"] for e in told if e["type"] == "QueueServing") == 6
    wait_counted(stack, queue.venue.id, {"joined": 6}, "joined", client="api")
    wait_counted(stack, queue.venue.id, {"admitted": 6, "missed": 4}, "admitted", "missed", client="none")


# --- crowds and deaths ---

def in_database(stack, show):
    """What the database of orders has: by area, the orders there were and those that ended unpaid."""
    return {str(area): (placed, unpaid) for area, placed, unpaid in stack.sql("orders", """
        select s.area_id, count(*), count(*) filter (where o.reason in ('buyer', 'expired', 'payment_failed'))
          from orders o join seat_rows s on s.id = row_of(o.ticket_id) where o.show_id = %s group by 1""", show)}


def by_area(stack, show):
    found = {}
    for e in records(stack, show):
        if e["areaId"] is not None and e["placedPlaces"] + e["gaveUpPlaces"]:
            placed, unpaid = found.get(str(e["areaId"]), (0, 0))
            found[str(e["areaId"])] = (placed + e["placedPlaces"], unpaid + e["gaveUpPlaces"])
    return found


def test_a_crowd_is_counted_as_the_databases_tell(stack):
    """People choose, fight for, give back and forget places of two areas, by two replicas."""
    seller, *people = stack.users(25)
    venue, rng, urls = Venue(stack, seller), random.Random(22), []
    areas = [venue.add("Stalls", rows=[20, 20]), venue.add("Floor", places=60)]
    chosen = [venue.ticket("Stalls", "B", seat) for seat in range(1, 21)]

    def shop(who, seed):
        dice, answers = random.Random(seed), []
        for _ in range(6):
            quantity = dice.randint(1, 3)
            wish = {"ticketIds": dice.sample(chosen, quantity)} if dice.random() < 0.4 else {
                "showId": venue.id, "areaId": dice.choice(areas), "quantity": quantity}
            answer = who.post(dice.choice(urls) + "/api/purchases", json=wish)
            answers.append((quantity, answer.status_code))
            if answer.status_code == 201 and dice.random() < 0.4:
                who.delete(f"/api/purchases/{answer.json()['id']}")
        return answers

    short = {"HOLD_SECONDS": "2", "PAYMENT_GRACE_SECONDS": "2"}
    with Replica(stack, "orders", **short) as first, Replica(stack, "orders", **short) as second, concurrent.futures.ThreadPoolExecutor(8) as pool:
        urls += [replica.wait_ready().url for replica in (first, second)]
        answers = [a for shopping in [pool.submit(shop, who, rng.random()) for who in people] for a in shopping.result()]
        wait_until(lambda: not stack.sql("orders", "select 1 from orders where show_id = %s and status in ('created', 'awaiting_payment')", venue.id),
                   "all holds have ended")
        assert {status for _, status in answers} <= {201, 409, 503}
        placed = [places for places, status in answers if status == 201]
        wait_counted(stack, venue.id, {"asked": len(answers), "askedPlaces": sum(places for places, _ in answers), "placed": len(placed),
                                       "placedPlaces": sum(placed)}, "asked", "askedPlaces", "placed", "placedPlaces")
        wait_until(lambda: by_area(stack, venue.id) == in_database(stack, venue.id), "the database of orders says the same of each area")
        total = counted(stack, venue.id)
        failed = [status for _, status in answers].count(503)  # rivals held them up
        assert total.get("failed", 0) == failed and total["asked"] == total["placed"] + failed + sum(total.get(name, 0) for name in REFUSED)
        assert len({e["processId"] for e in records(stack, venue.id) if e["asked"]}) == 2
    history = [stack.topic("orders").decode(r) for r in stack.topic("orders").records()]
    created = [e for e in history if str(e["showId"]) == venue.id and e["type"] == "OrderCreated"]
    assert len(created) == total["placedPlaces"] and len({e["purchaseId"] for e in created}) == total["placed"]


def test_what_is_counted_while_kafka_is_away_comes_later(stack):
    """From the same process: a broker that comes back may end one for good reason, and what it has not told is gone then."""
    seller, buyer = stack.users(2)

    def comes():
        venue, pid = on_sale(stack, seller, phase(3600, 7200)), stack.pid("orders")
        stack.supervisor("stop", "kafka")
        try:
            for _ in range(10):
                assert reason(ask(buyer, venue)) == "not_open"
        finally:
            stack.supervisor("start", "kafka")
        stack.wait_kafka()

        def is_there():
            return counted(stack, venue.id) == {"asked": 10, "askedPlaces": 10, "refusedNotOpen": 10}
        wait_until(lambda: is_there() or stack.pid("orders") != pid, "the ten are counted")
        stack.wait_ready("orders")
        return is_there()
    wait_until(comes, "the ten are counted")
    assert stack.metric("orders", "onsale_untold_records_total") == 0


def test_a_killed_process_loses_its_last_second_alone(stack):
    """What was told stays told, and once; whoever comes after it goes on. Who ends in order loses nothing that Kafka takes in time."""
    seller, buyer = stack.users(2)
    token = buyer.headers["Authorization"].removeprefix("Bearer ")

    def refuse(replica, venue, times):
        at_it = User(replica.url, token)
        for _ in range(times):
            assert reason(ask(at_it, venue)) == "not_open"

    def told_by_both():
        venue = on_sale(stack, seller, phase(3600, 7200))
        with Replica(stack, "orders") as first:
            first.wait_ready()
            refuse(first, venue, 40)
            wait_counted(stack, venue.id, {"refusedNotOpen": 40}, "refusedNotOpen")
            refuse(first, venue, 5)
            first.kill()
        with Replica(stack, "orders") as second:
            second.wait_ready()
            refuse(second, venue, 20)
            assert second.terminate() == 0
            if any(words in second.output() for words in ("Kafka did not take the last", "did not stop within")):
                return None
        return wait_until(lambda: (n := counted(stack, venue.id, "refusedNotOpen").get("refusedNotOpen", 0)) >= 60 and n, "what was told is there")
    told = wait_until(told_by_both, "Kafka takes all in time")
    assert told <= 65, "all but what the first counted since it last spoke, and nothing twice"
