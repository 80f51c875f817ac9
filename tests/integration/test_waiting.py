"""The queues of shows: places that nobody can choose and everybody can recompute, turns, admissions, and replicas that die."""
import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import time
import uuid

import pytest
import requests

from background import Background
from queue_proof import verify_queue
from support import DEADLINE, ROOT, Replica, User, missing_id, refused, wait_until
from test_phases import at, phase
from venue import Venue
from waits import answered


class Watch(Background):
    """Asks all the time whose turn it is, each replica by itself: it must never fall, whatever happens to them."""

    def __init__(self, queue, *urls):
        super().__init__(len(urls))
        self.queue, self.urls, self.answers = queue, urls, [0] * len(urls)

    def go(self, n):
        before = 0
        while not self.stopping.wait(0.02):
            with contextlib.suppress(requests.ConnectionError):
                answer = requests.get(self.urls[n] + self.queue.path + "/serving", timeout=DEADLINE)
                if answer.status_code != 200:
                    continue
                serving = answer.json()["serving"]
                assert serving >= before, f"{self.urls[n]} says {serving}, after {before}"
                before, self.answers[n] = serving, self.answers[n] + 1


class Queue:
    """Of a show of the test's own. Who joins at url, or at the edge. Whoever is told to come again does: a process that stood still says 503 until it has
    read what came meanwhile, and while Kafka is slow."""

    def __init__(self, stack, seller, opens, closes=3600, seats=40, **more):
        self.stack = stack
        self.venue = Venue(stack, seller, phases=[phase(opens, closes, queue=True, **more)])
        self.venue.add("Stalls", rows=[seats])
        self.path = f"/api/shows/{self.venue.id}/queue"
        wait_until(lambda: requests.get(stack.url + self.path + "/serving", timeout=DEADLINE).status_code == 200, "one can join")

    def changed(self, *phases):
        """The show has these from now on."""
        self.venue.phases = json.dumps(phases)
        self.venue.tell("announced")

    def asked(self, who, url=None, **body):
        """The answer to somebody who wants to join."""
        return answered(lambda: who.post((url or "") + self.path, json=body))

    def told(self, who, words=""):
        """The answer to somebody who wants to know how he stands."""
        return answered(lambda: who.get(self.path + words))

    def join(self, who, url=None, **body):
        answer = self.asked(who, url, **body)
        assert answer.status_code == 202 and answer.json() == {"showId": self.venue.id, "userId": who.id}, answer.text

    def of(self, who, url=None):
        answer = wait_until(lambda: (a := who.get((url or "") + self.path)).status_code not in (404, 503) and (a,), "it is read that he joined")[0]
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store", answer.text
        return answer.json()

    def numbers(self, url=None):
        answer = answered(lambda: requests.get((url or self.stack.url) + self.path + "/serving", timeout=DEADLINE))
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "public, max-age=1", answer.text
        return answer.json()

    def open(self):
        return wait_until(lambda: (n := self.numbers())["open"] and n, "it opens")

    def turn(self, who):
        return wait_until(lambda: (p := self.of(who))["status"] == "turn" and p, "it is his turn")

    def places(self, people, url=None):
        return {who.id: self.of(who, url)["place"] for who in people}

    def events(self):
        topic = self.stack.topic("waiting")
        return [*map(topic.decode, topic.records(key=self.venue.id))]

    def buy(self, who, admission=None, **more):
        return who.post("/api/purchases", json={"showId": self.venue.id, "quantity": 1} | ({} if admission is None else {"admission": admission}) | more)


def test_what_is_told_of_an_order_that_is_over_frees_nothing(stack, seller, people):
    """As that its money went back: the place is somebody else's by then."""
    queue, (first, second) = Queue(stack, seller, opens=1, seats=5), [next(people) for _ in range(2)]
    queue.join(first), queue.join(second)
    bought = queue.buy(first, queue.turn(first)["admission"]).json()
    assert first.delete(f"/api/purchases/{bought['id']}").status_code == 204
    [ticket] = {order["ticket"]["id"] for order in queue.buy(second, queue.turn(second)["admission"]).json()["orders"]}
    orders = stack.topic("orders")
    [ended] = [e for e in orders.of(ticket, 3) if e["type"] == "OrderCancelled"]
    wait_until(lambda: queue.numbers()["left"] == 4, "the second one's is read")
    read = stack.metric("waiting", "onsale_waiting_records_total")
    orders.produce(ended | {"type": "OrderUpdated", "version": ended["version"] + 1}, headers={"type": "OrderUpdated"})
    wait_until(lambda: stack.metric("waiting", "onsale_waiting_records_total") > read + 3, "it is read, and what comes each second")
    assert queue.numbers()["left"] == 4


NO_TURN = 403, "queue_required"


def reason(answer):
    return answer.status_code, answer.json().get("reason")


# --- joining, and the opening ---

def test_who_announces_again_says_the_same(stack, seller):
    """It writes again what is not there after a second. With several seeds on their way it could choose the one it likes."""
    with contextlib.ExitStack() as closing:
        slow = closing.enter_context(Replica(stack, "waiting", RDKAFKA_LINGER_MS="3500"))
        slow.wait_ready()
        closing.callback(stack.wait_ready, "waiting")
        closing.callback(stack.supervisor, "start", "waiting")
        stack.supervisor("stop", "waiting")
        venue, topic = Venue(stack, seller, phases=[phase(3600, 7200, queue=True)]), stack.topic("waiting")
        venue.add("Stalls", rows=[5])

        def announced():
            events = map(topic.decode, topic.records(key=venue.id))
            return [event for event in events if event["type"] == "QueueAnnounced"]
        wait_until(lambda: len(announced()) > 1, "it is announced, and again")
        assert len({event["seedHash"] for event in announced()}) == 1


def test_from_joining_to_buying(stack, seller, people):
    queue, buyers = Queue(stack, seller, opens=3600, closes=7200), [next(people) for _ in range(8)]
    queue.venue.add("Boxes", rows=[5], accessible=True)
    for who in buyers:
        queue.join(who)
        queue.join(who)
    before = queue.of(buyers[0])
    assert (before["open"], before["status"], before["place"], before["estimate"]) == (False, "joined", None, None) and "admission" not in before
    assert reason(queue.buy(buyers[0])) == (409, "not_open")
    queue.changed(phase(1, 7200, queue=True))
    queue.open()
    assert sorted(queue.places(buyers).values()) == list(range(1, 9)), "each has one place"
    turn = queue.turn(buyers[0])
    assert turn["people"] == 8 and turn["estimate"] is None and turn["serving"] >= turn["place"] and turn["left"] > 0
    assert reason(queue.buy(buyers[0])) == NO_TURN
    assert queue.buy(buyers[0], turn["admission"]).status_code == 201
    assert queue.buy(buyers[0], turn["admission"]).status_code == 201, "as often as the limit lets him"
    ticket = queue.venue.ticket("Stalls", "A", 40)
    assert reason(buyers[0].post("/api/orders", json={"ticketId": ticket})) == NO_TURN
    assert buyers[0].post("/api/orders", json={"ticketId": ticket, "admission": turn["admission"]}).status_code == 201
    wait_until(lambda: queue.of(buyers[1])["left"] == 37, "what is left is known, without places that are kept for who needs their accessibility")


def test_an_admission_is_good_for_one(stack, seller, people):
    """Not for another person, not for another show, not when it is altered."""
    queue, other = (Queue(stack, seller, opens=-10) for _ in range(2))
    one, two = next(people), next(people)
    for who in (one, two):
        queue.join(who)
        other.join(who)
    mine, his, elsewhere = (q.turn(who)["admission"] for q, who in ((queue, one), (queue, two), (other, one)))
    changed = mine[:-1] + ("A" if mine[-1] != "A" else "B")
    for given in (None, his, elsewhere, changed, "", "x"):
        assert reason(queue.buy(one, given)) == NO_TURN
    refused(queue.buy(one, 5), 400)
    assert queue.buy(one, mine).status_code == 201


def admission(stack, show, user, until_s):
    """As the queue would write it."""
    key = bytes.fromhex((stack.state / "keys/waiting").read_text())
    signed = b"\1" + hashlib.sha256(key).digest()[:4] + uuid.UUID(show).bytes + uuid.UUID(user).bytes + struct.pack(">IQ", 1, int(until_s * 1000))
    return base64.urlsafe_b64encode(signed + hmac.new(key, signed, "sha256").digest()).decode().rstrip("=")


def test_an_admission_ends(stack, seller, buyer):
    queue = Queue(stack, seller, opens=-10)
    assert reason(queue.buy(buyer, admission(stack, queue.venue.id, buyer.id, time.time() - 0.001))) == NO_TURN
    assert queue.buy(buyer, admission(stack, queue.venue.id, buyer.id, time.time() + 60)).status_code == 201


def test_a_turn_and_a_code_where_both_are_asked_for(stack, seller, people):
    queue, who = Queue(stack, seller, opens=-10, codes=True), next(people)
    [code] = seller.post(f"/api/shows/{queue.venue.id}/codes", json={"count": 1}).json()["codes"]
    assert reason(answered(lambda: who.post(queue.path))) == (403, "code_required")
    assert reason(queue.asked(who, code="0" * 16)) == (403, "code_wrong")
    refused(queue.asked(who, code="short"), 400)
    refused(queue.told(who), 404, "not joined")
    assert queue.asked(who, code=code).status_code == 202
    assert reason(queue.asked(next(people), code=code)) == (409, "code_used")
    assert queue.buy(who, queue.turn(who)["admission"]).status_code == 201, "it is spent"
    queue.join(who)


def zero_bits(show, user, proof):
    digest = hashlib.sha256(bytes.fromhex(show["seedHash"]) + uuid.UUID(user.id).bytes + proof.encode()).digest()
    return 256 - int.from_bytes(digest).bit_length()


def test_joining_can_cost_work(stack, seller, people):
    """A proof is good for one person in one queue; who has joined needs none; and no code is spent without one."""
    queue, who, other = Queue(stack, seller, opens=3600, codes=True), next(people), next(people)
    [code] = seller.post(f"/api/shows/{queue.venue.id}/codes", json={"count": 1}).json()["codes"]
    assert queue.numbers()["challenge"] is None
    with Replica(stack, "waiting", QUEUE_CHALLENGE="8") as asking:
        asking.wait_ready()
        numbers = queue.numbers(asking.url)
        assert numbers["challenge"] == 8

        def join(user, proof=None):
            return queue.asked(user, asking.url, code=code, proof=proof)
        proofs = {user: [text for text in map(str, range(3000)) if zero_bits(numbers, user, text) >= 8] for user in (who, other)}
        weak = next(text for text in map(str, range(3000)) if zero_bits(numbers, who, text) == 7)
        foreign = next(text for text in proofs[other] if text not in proofs[who])
        assert [reason(join(who, proof)) for proof in (None, "", weak, foreign)] == [(403, "challenge_required")] * 4
        refused(join(who, "1" * 65), 400, "64")
        assert join(who, proofs[who][0]).status_code == 202
        assert join(who).status_code == 202, "he has joined"
        assert reason(join(other, foreign)) == (409, "code_used")
    with_another = Queue(stack, seller, opens=3600)
    with Replica(stack, "waiting", QUEUE_CHALLENGE="32") as asking:
        asking.wait_ready()
        assert reason(with_another.asked(who, asking.url, proof=proofs[who][0])) == (403, "challenge_required")


def test_who_comes_later_stands_behind(stack, seller, people):
    queue, early, late = Queue(stack, seller, opens=3), [next(people) for _ in range(3)], [next(people) for _ in range(3)]
    for who in early:
        queue.join(who)
    queue.open()
    drawn = queue.places(early)
    for who in late:
        queue.join(who)
    assert queue.places(late) == {who.id: 4 + n for n, who in enumerate(late)}, "in the order in which they came"
    assert queue.places(early) == drawn


def test_where_there_is_no_queue(stack, seller, buyer):
    path = f"/api/shows/{missing_id()}/queue"
    for ask, url in ((buyer.post, path), (buyer.get, path), (buyer.get, path + "/serving")):
        refused(answered(lambda ask=ask, url=url: ask(url)), 404, "no queue")
    assert buyer.get(path + "/nothing").status_code == 404
    assert User(stack.url).post(path).status_code == User(stack.url).get(path).status_code == 401
    queue = Queue(stack, seller, opens=3600)
    refused(queue.told(buyer), 404, "not joined")
    queue.venue.tell("cancelled")
    wait_until(lambda: buyer.post(queue.path).status_code == 404, "a show that is cancelled has none")


def test_a_phase_closes_and_the_next_has_a_queue_of_its_own(stack, seller, people):
    who = next(people)
    queue = Queue(stack, seller, opens=-10)
    queue.join(who)
    [first] = json.loads(queue.venue.phases)
    queue.changed(first | {"closesAt": at(2)}, phase(3000, 3600, queue=True))
    wait_until(lambda: "not joined" in who.get(queue.path).text, "the next round can be joined")
    refused(queue.told(who), 404, "not joined")
    queue.join(who)
    assert [r.summary()["people"] for r in verify_queue.replay(queue.events())] == [1, 1]


def test_the_next_phase_has_a_draw_of_its_own(stack, seller, people):
    """Also where it opens as this one closes: its queue can be joined while this one is open."""
    queue, joined = Queue(stack, seller, opens=-10), [next(people) for _ in range(6)]
    [first] = json.loads(queue.venue.phases)
    second = phase(0, 7200, queue=True) | {"opensAt": first["closesAt"]}
    queue.changed(first, second)
    coming = "?next=true"
    wait_until(lambda: requests.get(f"{stack.url}{queue.path}/serving?next=true", timeout=DEADLINE).status_code == 200, "the next one can be joined")
    for who in joined:
        assert answered(lambda who=who: who.post(queue.path + coming)).status_code == 202
    assert [(p["status"], p["place"]) for p in (queue.told(who, coming).json() for who in joined)] == [("joined", None)] * 6
    refused(queue.told(joined[0]), 404, "not joined")
    turn = at(2)
    queue.changed(first | {"closesAt": turn}, second | {"opensAt": turn})
    wait_until(lambda: (n := queue.numbers())["open"] and n["people"] == 6, "it opens")
    assert sorted(queue.places(joined).values()) == [1, 2, 3, 4, 5, 6]
    refused(queue.told(joined[0], coming), 404)
    one, two = verify_queue.replay(queue.events())
    assert one.faults == two.faults == [] and two.places == queue.places(joined) and not one.joined
    refused(queue.told(joined[0], "?next=yes"), 400)


# --- anybody can recompute it ---

def verified(stack, show, *users):
    return subprocess.run([sys.executable, ROOT / "tools/verify-queue.py", show, *users], text=True, capture_output=True, timeout=DEADLINE,
                          env={**os.environ, **{name: stack.env[name] for name in ("KAFKA_BROKERS", "SCHEMA_REGISTRY_URL")}})


def test_every_place_can_be_recomputed(stack, seller, people):
    queue, joined = Queue(stack, seller, opens=3600, closes=7200), [next(people) for _ in range(12)]
    promised = queue.numbers()
    for who in joined[:9]:
        queue.join(who)
    queue.changed(phase(1, 7200, queue=True))
    told = queue.open()
    for who in joined[9:]:
        queue.join(who)
    assert "seed" not in promised and told["seedHash"] == promised["seedHash"], "the hash was there before anybody joined"
    ran = verified(stack, queue.venue.id)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [summary, *lines] = ran.stdout.splitlines()
    assert {who: int(place) for who, place in (line.split() for line in lines)} == queue.places(joined)
    said = json.loads(summary)
    assert (said["seed"], said["seedHash"], said["people"], said["faults"]) == (told["seed"], told["seedHash"], 12, [])
    assert verified(stack, queue.venue.id, joined[0].id).stdout.splitlines()[1:] == [f"{joined[0].id} {queue.of(joined[0])['place']}"]
    assert verified(stack, missing_id()).returncode == 1


def event(kind, number=1, **more):
    return {"type": kind, "round": number, "occurredAt": 50, "showVersion": 1, "opensAt": 10, "closesAt": 100, "writer": "a", **more}


def test_a_topic_that_contradicts_itself_is_seen():
    seed, users = bytes(range(32)), [str(uuid.uuid4()) for _ in range(3)]
    seed_hash = hashlib.sha256(seed).hexdigest()
    announced = event("QueueAnnounced", seedHash=seed_hash)
    joined = [event("QueueJoined", userId=user) for user in users]
    opened, other = event("QueueOpened", seed=seed.hex()), event("QueueOpened", seed="00" * 32)
    serving = event("QueueServing", serving=2)

    def faults(*events):
        return [one.faults for one in verify_queue.replay(events)]
    assert faults(announced, *joined, opened, serving) == [[]]
    assert faults(announced, *joined, opened, opened, serving, serving, event("QueueServing", serving=1)) == [[]], "what comes again changes nothing"
    assert faults(announced, *joined, other) == [["a seed was published that is not of the hash"]]
    assert faults(announced, *joined, serving) == faults(announced, joined[0], opened, serving) == [["place 2 had its turn, which nobody had"]]
    assert faults(announced, event("QueueAnnounced", seedHash="00" * 32)) == [["the hash of the seed changed"]]
    assert faults(announced, event("QueueAnnounced", seedHash="00" * 32, writer="b")) == [[]], "two replicas at once: the first counts"
    assert faults(announced, event("QueueClosed", occurredAt=100), event("QueueAnnounced", 2, seedHash=seed_hash)) == [
        [], ["its seed is that of a round before"]]
    assert faults(*joined) == []
    coming = event("QueueAnnounced", 2, seedHash="11" * 32)
    early = [event("QueueJoined", 2, userId=users[1]), event("QueueOpened", 2, seed=seed.hex()), event("QueueServing", 2, serving=1)]
    assert [len(one.joined) for one in verify_queue.replay([announced, coming, *joined, opened, *early])] == [3], "before this one is open none can be joined"
    one, two = verify_queue.replay([announced, *joined, opened, coming, *early, event("QueueClosed", occurredAt=100)])
    assert (list(two.joined), two.places, two.serving, two.faults) == ([users[1]], {}, 0, []) and one.closed == 100
    [one] = verify_queue.replay([announced, *joined, event("QueueOpened", seed=seed.hex(), occurredAt=9), event("QueueClosed")])
    assert (one.seed, one.closed) == (None, None), "neither opens nor closes before its time"
    again = event("QueueAnnounced", showVersion=3, seedHash=seed_hash)
    [one] = verify_queue.replay([announced, *joined, opened, event("QueueClosed", showVersion=2), joined[0], again, serving])
    assert (one.faults, one.closed, one.serving, len(one.places)) == ([], None, 2, 3), "a round that was closed goes on by another version of the show"
    [one] = verify_queue.replay([announced, *joined, opened, event("QueueClosed", showVersion=3), again, again | {"showVersion": 4, "occurredAt": 3_600_050}])
    assert one.closed == 50, "not by the one that it was closed by, nor after an hour"
    closed = event("QueueClosed", showVersion=2)
    one, two = verify_queue.replay([announced, *joined, opened, closed, serving, event("QueueAnnounced", 2, seedHash="11" * 32), joined[0],
                                    event("QueueJoined", 2, userId=users[0])])
    assert (one.serving, one.closed, len(one.places)) == (0, 50, 3) and list(two.joined) == [users[0]] and not two.places


# --- replicas ---

def test_replicas_tell_the_same(stack, seller, people):
    with Replica(stack, "waiting") as other:
        other.wait_ready()
        queue, joined = Queue(stack, seller, opens=3), [next(people) for _ in range(6)]
        for n, who in enumerate(joined):
            queue.join(who, other.url if n % 2 else None)
        queue.open()
        wait_until(lambda: queue.numbers(other.url)["open"], "the other knows, too")
        assert queue.places(joined) == queue.places(joined, other.url)
        turn = wait_until(lambda: (p := queue.of(joined[0], other.url))["status"] == "turn" and p, "it is his turn")
        assert queue.buy(joined[0], turn["admission"]).status_code == 201


def test_whichever_replica_is_killed(stack, seller, people):
    """Whoever leads is killed before the opening, the other one takes over, and so on, while people join and come in: nobody who was
    answered 202 loses his place, no place changes, and the one whose turn it is never falls."""
    with contextlib.ExitStack() as closing:
        other = closing.enter_context(Replica(stack, "waiting"))
        pool = closing.enter_context(concurrent.futures.ThreadPoolExecutor())
        other.wait_ready()
        queue, early, late = Queue(stack, seller, opens=6), [next(people) for _ in range(10)], [next(people) for _ in range(10)]
        watch = closing.enter_context(Watch(queue, stack.url, other.url))

        def join(who):
            """At whoever is there."""
            def tried():
                for url in (None, other.url):
                    try:
                        if who.post((url or "") + queue.path).status_code == 202:
                            return True
                    except requests.ConnectionError:
                        pass
                return False
            wait_until(tried, "somebody takes him")
        attempts = [pool.submit(join, who) for who in early]
        stack.kill("waiting")
        for attempt in attempts:
            attempt.result()
        wait_until(lambda: queue.numbers(other.url)["open"], "the other opens it")
        drawn = wait_until(lambda: all((p := queue.places(early, other.url)).values()) and p, "all have places")
        served = queue.numbers(other.url)["serving"]
        stack.wait_ready("waiting")
        attempts = [pool.submit(join, who) for who in late]
        other.kill()
        for attempt in attempts:
            attempt.result()
        assert queue.numbers()["serving"] >= served
        assert queue.places(early) == drawn, "as the topic has them"
        assert sorted(queue.places(late).values()) == list(range(11, 21))
        wait_until(lambda: queue.numbers()["serving"] == 20, "everybody has had a turn")
        wait_until(lambda: stack.metric("waiting", "onsale_waiting_leads") >= 1, "who is left leads")
        events = queue.events()
        [one] = verify_queue.replay(events)
        assert one.faults == [] and one.places == drawn | queue.places(late) and one.serving == 20
        writers = [str(e["writer"]) for e in events if e["type"] != "QueueJoined"]
        assert len(set(writers)) >= 2, "both have led"
        assert all(watch.answers), "both have told whose turn it is"


def test_all_replicas_die_in_mid_sale(stack, seller, people):
    """What people have bought is known again, too: nobody waits for those who have, and nobody comes in for whom nothing is left."""
    queue, (one, two, three) = Queue(stack, seller, opens=-10, seats=2), [next(people) for _ in range(3)]
    queue.join(one)
    assert queue.buy(one, queue.turn(one)["admission"]).status_code == 201
    wait_until(lambda: queue.of(one)["left"] == 1, "what is left is known")
    stack.kill("waiting")
    stack.wait_ready("waiting")
    assert queue.places([one]) == {one.id: 1} and queue.numbers()["serving"] == 1
    assert stack.metric("waiting", "onsale_waiting_opening_seconds_count") == 0, "it opened before, and is not measured again"
    queue.join(two)
    assert queue.turn(two)["place"] == 2
    queue.join(three)
    assert (queue.of(three)["status"], queue.numbers()["serving"]) == ("waiting", 2)


def test_a_late_record_changes_nothing(stack, seller, people):
    """As of a replica that was away for a while."""
    queue, joined = Queue(stack, seller, opens=-10), [next(people) for _ in range(5)]
    for who in joined:
        queue.join(who)
    wait_until(lambda: queue.numbers()["serving"] == 5, "everybody has had a turn")
    serving = next(e for e in queue.events() if e["type"] == "QueueServing")
    void = stack.metric("waiting", "onsale_waiting_void_total")
    with Watch(queue, stack.url):
        stack.topic("waiting").produce(serving | {"serving": 1}, key="showId")
        wait_until(lambda: stack.metric("waiting", "onsale_waiting_void_total") > void, "the record is read, and void")
        assert queue.numbers()["serving"] == 5


def test_a_phase_that_comes_back_has_its_queue_again(stack, seller, people):
    queue, joined = Queue(stack, seller, opens=-10), [next(people) for _ in range(5)]
    for who in joined:
        queue.join(who)
    queue.open()
    places, phases, number = queue.places(joined), queue.venue.phases, queue.numbers()
    queue.venue.phases = None
    queue.venue.tell("announced")
    wait_until(lambda: joined[0].get(queue.path).status_code == 404, "the queue is closed")
    queue.venue.phases = phases
    queue.venue.tell("announced")
    wait_until(lambda: joined[0].get(queue.path).status_code == 200, "it goes on")
    now = queue.numbers()
    assert queue.places(joined) == places and now["serving"] >= number["serving"] and now["seed"] == number["seed"]
    assert queue.buy(joined[0], queue.turn(joined[0])["admission"]).status_code == 201
    [one] = verify_queue.replay(queue.events())
    assert (one.faults, one.closed, one.places) == ([], None, places)


def test_a_queue_that_is_cut_off_says_nothing(stack, seller, people):
    """What it knows may be old by then. It goes on when it has read what came meanwhile."""
    queue, joined = Queue(stack, seller, opens=-10), [next(people) for _ in range(3)]
    for who in joined:
        queue.join(who)
    queue.open()
    places, served = queue.places(joined), queue.numbers()["serving"]
    stack.supervisor("stop", "kafka")
    try:
        wait_until(lambda: not stack.ready("waiting"), "it notices")
        assert joined[0].get(queue.path).status_code == joined[0].post(queue.path).status_code == 503
        assert requests.get(stack.url + queue.path + "/serving", timeout=DEADLINE).status_code == 503
    finally:
        stack.supervisor("start", "kafka")
        stack.wait_kafka()
    stack.wait_ready("waiting")
    assert queue.places(joined) == places and queue.numbers()["serving"] >= served


@pytest.mark.parametrize("setting", ["WAITING_KEYS", "WAITING_SEED_KEYS"])
@pytest.mark.parametrize("keys", ["", "/tmp/there-is-none", __file__])
def test_without_keys_it_does_not_start(stack, setting, keys):
    with Replica(stack, "waiting", **{setting: keys}) as replica:
        assert replica.process.wait(DEADLINE) == 78
        assert setting in replica.output() or "hexadecimal" in replica.output() or "cannot be read" in replica.output()
