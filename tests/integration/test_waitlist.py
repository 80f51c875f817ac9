"""When nothing is left: the queue goes on as a waiting list, and what comes back is offered in order, to each once, and never more than there is."""
import pytest

from support import Replica, refused, wait_until
from test_waiting import NO_TURN, Queue, reason, verify_queue, verified

USED, TOO_MANY = (409, "admission_used"), (409, "admission_exceeded")


class Waitlist(Queue):
    """Of a show whose places one person holds, who has said how many he wants, as all others do."""

    def __init__(self, stack, seller, holder, seats, url=None):
        super().__init__(stack, seller, opens=-10, seats=seats)
        self.holder, self.admission = holder, None
        wait_until(lambda: self.numbers()["left"] == seats, "all places are known to the queue")
        self.join(holder, want=seats)
        self.held = self.taken(holder, seats, url)
        wait_until(lambda: self.numbers()["soldOut"], "it says that nothing is left")

    def taken(self, who, quantity, url=None):
        """What he buys by his turn, or by what he is offered."""
        self.admission = self.admitted(who)["admission"]
        answer = who.post((url or "") + "/api/purchases",
                          json={"showId": self.venue.id, "quantity": quantity, "together": False, "admission": self.admission})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def admitted(self, who):
        return wait_until(lambda: (p := self.of(who))["status"] in ("turn", "offered") and p, "he may buy")

    def listed(self, *people):
        """Joined by some, who want so many: [(who, want)…]."""
        for who, want in people:
            self.join(who, want=want)
            wait_until(lambda who=who: self.of(who)["status"] == "waitlist", "he is on the list")

    def give_back(self, who, purchase):
        assert who.delete(f"/api/purchases/{purchase}").status_code == 204

    def offers(self):
        """(user, places) as the topic has them, of those that count."""
        events = self.events()
        [one] = verify_queue.replay(events)
        assert one.faults == [] and all(e["occurredAt"].timestamp() * 1000 >= one.sold_out for e in events if e["type"] == "QueueOffered")
        given = {}
        for e in events:
            if e["type"] == "QueueOffered":
                given.setdefault(str(e["userId"]), e["want"])
        assert set(given) == set(one.offers)
        return [(user, given[user]) for user in one.offers]


def test_what_comes_back_is_offered_to_the_first(stack, seller, people):
    """Not to whoever asks."""
    holder, one, two, stranger = (next(people) for _ in range(4))
    queue = Waitlist(stack, seller, holder, seats=1)
    queue.listed((one, 1), (two, 1))
    first, second = queue.of(one), queue.of(two)
    assert [(p["waitlist"], p["want"], p["estimate"], "admission" in p) for p in (first, second)] == [(1, 1, None, False), (2, 1, None, False)]
    his = queue.admission
    assert queue.of(holder)["status"] == "taken" and "admission" not in queue.of(holder)
    assert queue.buy(holder, his, together=False).json()["id"] == queue.held, "the same again: the same purchase"
    assert reason(queue.buy(holder, his, together=True)) == USED
    queue.give_back(holder, queue.held)
    offered = wait_until(lambda: (p := queue.of(one))["status"] == "offered" and p, "it is offered to the first")
    assert offered["until"] > offered["now"] and offered["want"] == 1 and offered["waitlist"] is None
    wait_until(lambda: queue.of(two)["left"] == 1, "a place is free")
    assert reason(queue.buy(two)) == reason(queue.buy(stranger)) == reason(queue.buy(two, offered["admission"])) == NO_TURN
    assert reason(queue.buy(holder, his, together=True)) == USED, "who gave it up does not take it again"
    wait_until(lambda: (queue.of(two)["status"], queue.of(two)["waitlist"]) == ("waitlist", 1), "now he is the first")
    assert reason(queue.buy(one, offered["admission"], quantity=2)) == TOO_MANY
    bought = queue.taken(one, 1)
    wait_until(lambda: queue.of(one)["status"] == "taken", "he has it")
    assert "admission" not in queue.of(one) and queue.offers() == [(one.id, 1)]
    queue.give_back(one, bought)
    queue.taken(two, 1)
    assert queue.offers() == [(one.id, 1), (two.id, 1)]
    assert verified(stack, queue.venue.id).returncode == 0
    queue.venue.check()


def test_what_is_not_paid_for_is_offered(stack, seller, people):
    holder, one = next(people), next(people)
    with Replica(stack, "orders", HOLD_SECONDS="30") as orders:
        orders.wait_ready()
        queue = Waitlist(stack, seller, holder, seats=2, url=orders.url)
        queue.join(one, want=2)
        queue.taken(one, 2)
    queue.venue.check()


def test_to_the_first_for_whom_it_is_enough(stack, seller, people):
    holder, a, b, c, d = (next(people) for _ in range(5))
    queue = Waitlist(stack, seller, holder, seats=3)
    queue.listed((a, 2), (b, 2))
    queue.give_back(holder, queue.held)  # place by place, in any order
    wait_until(lambda: queue.of(a)["status"] == "offered" and queue.numbers()["left"] == 3, "all of it is there")
    queue.join(c, want=1)
    wait_until(lambda: queue.of(c)["status"] == "offered", "what is over is offered to the third")
    assert queue.offers() == [(a.id, 2), (c.id, 1)] and queue.of(b)["status"] == "waitlist"
    queue.taken(a, 1)
    queue.join(d, want=1)
    queue.taken(d, 1)
    assert queue.offers() == [(a.id, 2), (c.id, 1), (d.id, 1)], "he took one of his two: the other goes on"
    queue.taken(c, 1)
    wait_until(lambda: queue.numbers()["left"] == 0, "nothing is left")
    refused(b.post(queue.path, json={"want": 9}), 400)
    queue.join(b, want=1)
    assert (queue.of(b)["want"], queue.of(b)["waitlist"]) == (1, 1)
    queue.venue.check()


def test_whoever_leads_offers_nothing_twice(stack, seller, people):
    """Another replica takes over with an offer outstanding, and one more place comes back."""
    holder, other_holder, one, two, three = (next(people) for _ in range(5))
    with Replica(stack, "waiting") as other:
        other.wait_ready()
        queue = Queue(stack, seller, opens=-10, seats=2)
        held = []
        for who in (holder, other_holder):
            queue.join(who, want=1)
            held.append(queue.buy(who, queue.turn(who)["admission"]).json()["id"])
        wait_until(lambda: queue.numbers(other.url)["soldOut"], "nothing is left")
        for who in (one, two, three):
            queue.join(who, want=1)
        assert holder.delete(f"/api/purchases/{held[0]}").status_code == 204
        before = wait_until(lambda: (p := queue.of(one, other.url))["status"] == "offered" and p, "it is offered to the first")
        stack.kill("waiting")
        assert other_holder.delete(f"/api/purchases/{held[1]}").status_code == 204
        wait_until(lambda: queue.of(two, other.url)["status"] == "offered", "the other replica offers what comes back now")
        stack.wait_ready("waiting")
        for url in (None, other.url):
            assert queue.of(one, url)["until"] == before["until"] and queue.of(three, url)["status"] == "waitlist"
    assert Waitlist.offers(queue) == [(one.id, 1), (two.id, 1)]
    assert queue.buy(one, before["admission"]).status_code == queue.buy(two, queue.of(two)["admission"]).status_code == 201
    void = stack.metric("waiting", "onsale_waiting_void_total")
    late = next(e for e in queue.events() if e["type"] == "QueueOffered")
    stack.topic("waiting").produce(late | {"userId": three.id}, key="showId")
    wait_until(lambda: stack.metric("waiting", "onsale_waiting_void_total") > void, "a late record is void")
    assert queue.of(three)["status"] == "waitlist"
    queue.venue.check()


@pytest.fixture(scope="module")
def hasty(make_stack):
    return make_stack(OFFER_TIME="1s")


def test_what_is_not_taken_goes_to_the_next(hasty):
    seller, holder, one, two = hasty.users(4)
    queue = Waitlist(hasty, seller, holder, seats=1)
    queue.listed((one, 1), (two, 1))
    queue.give_back(holder, queue.held)
    over = wait_until(lambda: (p := queue.of(one))["status"] == "lapsed" and p, "he did not take it")
    assert "admission" not in over
    wait_until(lambda: queue.of(two)["status"] == "lapsed", "nor did the next")
    assert queue.offers() == [(one.id, 1), (two.id, 1)]
    wait_until(lambda: hasty.metric("waiting", "onsale_waiting_offers_lapsed") == 2, "it is measured")
    offered = {}  # one that is not read back within a second is written again, and that is void
    for event in queue.events():
        if event["type"] == "QueueOffered":
            offered.setdefault(str(event["userId"]), event)
    assert offered[two.id]["occurredAt"] > offered[one.id]["until"], "one after the other"
