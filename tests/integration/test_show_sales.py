"""streams/sales by area: what it says on `show-sales` adds up to what the orders' own database has, whatever happens to it meanwhile."""
import collections
import concurrent.futures
import random
import threading
import time
import uuid

import pytest

from support import Replica, wait_until
from tally import MINUTE, SOON_FINAL, SOON_VOID, event
from venue import Venue
from waits import answered

NAMES = ["placed", "sold", "returned", "expired", "revenue"]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(**SOON_VOID, **SOON_FINAL, HOLD_SECONDS="3", PAYMENT_GRACE_SECONDS="3", SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s")


def rows(stack, show):
    """Of a show: the newest of each area, minute and part, as committed. None is followed by an older one."""
    topic, newest = stack.topic("show-sales"), {}
    for row in map(topic.decode, topic.records(key=show)):
        key = row["areaId"], row["minute"], row["part"]
        assert key not in newest or (row["version"], row["final"]) > (newest[key]["version"], newest[key]["final"]), f"{newest[key]} is followed by {row}"
        newest[key] = row
    return newest


def added_up(stack, show):
    """{(area, minute): numbers}"""
    total = collections.defaultdict(collections.Counter)
    for (area, minute, _), row in rows(stack, show).items():
        total[str(area), minute.timestamp()].update({name: row[name] for name in NAMES})
    return {key: {name: numbers[name] for name in NAMES} for key, numbers in total.items()}


def in_database(stack, show):
    return {(str(area), minute.timestamp()): dict(zip(NAMES, numbers)) for area, minute, *numbers in stack.sql("orders", """
        select s.area_id, date_trunc('minute', e.occurred_at),
               count(*) filter (where e.type = 'OrderCreated'), count(*) filter (where e.type = 'OrderCompleted'),
               count(*) filter (where e.type = 'OrderCancelled'), count(*) filter (where e.type = 'OrderCancelled' and e.reason = 'expired'),
               coalesce(sum(e.price) filter (where e.type = 'OrderCompleted'), 0)::bigint
          from order_events e join seat_rows s on s.id = row_of(e.ticket_id)
         where e.show_id = %s and e.type <> 'OrderUpdated' group by 1, 2""", show)}


def sum_of(counted):
    total = collections.Counter()
    for numbers in counted.values():
        total.update(numbers)
    return total


def test_areas_agree_with_the_orders_own_database(stack):
    """People buy, pay for, give back and forget places of two areas, by their seats and by the best there are. Meanwhile sales is killed, and another one."""
    seller, *people = stack.users(13)
    venue, rng = Venue(stack, seller), random.Random(23)
    areas = [venue.add("Stalls", rows=[40, 40, 40]), venue.add("Floor", places=120)]
    seats = [venue.ticket("Stalls", "C", seat) for seat in range(1, 41)]

    def shop(who, seed):
        dice = random.Random(seed)
        for _ in range(5):
            wish = {"ticketIds": dice.sample(seats, 2)} if dice.random() < 0.3 else {
                "showId": venue.id, "areaId": dice.choice(areas), "quantity": dice.randint(1, 3)}
            bought = answered(lambda wish=wish: who.post("/api/purchases", json=wish))
            assert bought.status_code in (201, 409), bought.text
            if bought.status_code == 201 and dice.random() < 0.4:
                payment = {"purchaseId": bought.json()["id"], "token": "pm_card_visa"}
                wait_until(lambda payment=payment: who.post("/api/payments", json=payment).status_code not in (404, 503), "payments knows the purchase")
            elif bought.status_code == 201 and dice.random() < 0.5:
                who.delete(f"/api/purchases/{bought.json()['id']}")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        def begin():
            return [pool.submit(shop, who, rng.random()) for who in people]

        def finish(shopping):
            for one in shopping:
                one.result()

        def much():
            wait_until(lambda: not stack.sql("orders", "select 1 from orders where show_id = %s and status in ('created', 'awaiting_payment')", venue.id),
                       "all holds have ended")
            total = sum_of(in_database(stack, venue.id))
            return all(total[name] > 0 for name in NAMES)
        with Replica(stack, "sales") as second:
            second.wait_ready()
            shopping = begin()
            for victim in (stack, second):
                threading.Event().wait(2)
                victim.kill(*["sales"] * (victim is stack))
            finish(shopping)
        wait_until(lambda: much() or finish(begin()), "each has happened: on a slow machine nobody may have paid in time")
    wait_until(lambda: added_up(stack, venue.id) == in_database(stack, venue.id), "the database says the same of each area and minute", pause=0.5)
    total = sum_of(added_up(stack, venue.id))
    assert total["placed"] == total["sold"] + total["returned"]
    assert {str(row["areaId"]) for row in rows(stack, venue.id).values()} == set(areas)
    taken = sum(n for n, in stack.sql("orders", "select count(*) from orders where show_id = %s and status = 'complete'", venue.id))
    assert total["placed"] - total["returned"] == taken, "what is not free"


def test_what_is_remembered_goes_on_after_a_restart(stack):
    """A minute that began before sales was killed is counted on, and final in the end; tickets of no show are of no area."""
    show, area, now = uuid.uuid4(), uuid.uuid4().int >> 24 << 24, (time.time_ns() // 1_000_000 - 600_000) // MINUTE * MINUTE
    tickets = [str(uuid.UUID(int=area | n)) for n in range(30)]
    own = str(uuid.uuid4())

    def placed(ticket, n, of_show=True):
        return event(str(uuid.uuid4()), ticket, 1, "OrderCreated", now + n) | ({"showId": str(show)} if of_show else {})
    stack.topic("orders").produce(*(placed(t, n) for n, t in enumerate(tickets[:20])), placed(own, 1, False))

    def counted():
        return added_up(stack, str(show)).get((str(uuid.UUID(int=area)), now / 1000), {}).get("placed")
    wait_until(lambda: counted() == 20, "all are counted")
    stack.kill("sales")
    stack.topic("orders").produce(*(placed(t, n) for n, t in enumerate(tickets[20:])))
    wait_until(lambda: counted() == 30, "the others, too")
    wait_until(lambda: all(row["final"] for row in rows(stack, str(show)).values()), "the minute is final")
    assert added_up(stack, str(show)) == {(str(uuid.UUID(int=area)), now / 1000): dict(zip(NAMES, (30, 0, 0, 0, 0)))}
    assert own not in str(stack.topic("show-sales").events())
