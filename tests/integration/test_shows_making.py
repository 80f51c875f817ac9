"""The making of areas: whatever is killed meanwhile, exactly the planned tickets come to be, each with one TicketCreated."""
import collections

import pytest

from shows import add_area, area_of, made, make_show, place_id, seats
from support import SERVERS, Replica, User, wait_until
from topics import LATE

PLACES = 15_000  # which takes long enough to be killed at: each is an event, and is read back
ROWS = [{"name": f"{n}", "from": 1, "to": 1 + n % 60} for n in range(480)]


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(only=(*SERVERS, "edge", "auth", "tickets", "orders"), SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16")


def planned(area, rows=None):
    """The ids of an area's tickets."""
    sizes = [row["to"] - row["from"] + 1 for row in rows] if rows else [min(60, area["places"] - at) for at in range(0, area["places"], 60)]
    return [place_id(area, block, n) for block, size in enumerate(sizes) for n in range(size)]


def check(stack, seller, show, area, since, rows=None):
    """In the database, on the map and on the topic, from `since` on, there is what was planned, each once."""
    ids, topic = planned(area, rows), stack.topic("tickets")
    assert [t for t, in stack.sql("tickets", "select id::text from tickets where area_id = %s order by id", area["id"])] == ids
    assert stack.sql("tickets", "select count(*), count(distinct id), min(type), max(type), max(version) from ticket_events where area_id = %s",
                     area["id"]) == [(len(ids), len(ids), "TicketCreated", "TicketCreated", 1)]
    assert sum(row["free"].count("1") for row in seats(seller, show, area)) == len(ids) == area_of(seller, show, area)["free"]

    def on_the_topic():
        return collections.Counter(r.key().decode() for r in topic.records(since) if r.key().decode().startswith(area["id"][:30]))
    wait_until(lambda: sum(topic.ends().values()) - sum(since.values()) >= len(ids), "as much is on the topic", pause=0.1)
    found = wait_until(lambda: len(counted := on_the_topic()) == len(ids) and counted, "all of it is on the topic", pause=0.5)
    assert sorted(found) == ids
    assert len([n for n in found.values() if n > 1]) <= LATE, "a publisher that was killed may have said a few again"


@pytest.mark.parametrize("rows", [None, ROWS])
def test_kill_9_while_an_area_is_made(stack, seller, rows):
    show, since = make_show(seller), stack.topic("tickets").ends()
    area = add_area(seller, show, **({"rows": rows} if rows else {"places": PLACES}))
    for part in (16, 8, 4):
        wait_until(lambda part=part: area_of(seller, show, area)["made"] > area["places"] // part, f"1/{part} of it is made", pause=0)
        stack.kill("tickets")
        stack.wait_ready("tickets")
    made(seller, show, area)
    check(stack, seller, show, area, since, rows)


def test_two_replicas_share_the_making(stack, seller):
    with Replica(stack, "tickets") as replica:
        replica.wait_ready()
        show, since = make_show(seller), stack.topic("tickets").ends()

        def blocks_made():
            return stack.metric("tickets", "onsale_tickets_blocks_made_total"), replica.metric("onsale_tickets_blocks_made_total")

        def shares():
            return [b - a for a, b in zip(before, blocks_made(), strict=True)]
        before = blocks_made()
        areas = []

        def both_made():
            """One that stands still has no share of the first."""
            new = [add_area(seller, show, places=PLACES) for _ in range(3)]
            for area in new:
                made(seller, show, area)
            areas.extend(new)
            return min(shares()) > 0
        wait_until(both_made, "both have a share")
        blocks = len(areas) * PLACES / 60
        wait_until(lambda: sum(shares()) >= blocks, "all blocks are counted: each is, once it is there")
        assert sum(shares()) == blocks, shares()
    for area in areas:
        check(stack, seller, show, area, since)


def test_a_small_area_does_not_wait_for_a_large_one(stack, seller):
    show = make_show(seller)
    large = add_area(seller, show, places=60_000)
    small = add_area(seller, show, places=10)
    made(seller, show, small)
    before = "select count(*) from ticket_events where area_id = %s and seq < (select max(seq) from ticket_events where area_id = %s)"
    assert stack.sql("tickets", before, large["id"], small["id"])[0][0] < 60_000
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204


def test_another_replica_goes_on(stack, seller):
    """One that nobody woke."""
    show, since = make_show(seller), stack.topic("tickets").ends()
    with Replica(stack, "tickets") as replica:
        replica.wait_ready()
        area = add_area(User(replica.url, seller.headers["Authorization"].split()[1]), show, places=PLACES)
        wait_until(lambda: area_of(seller, show, area)["made"] > 0, "it is begun", pause=0)
        replica.kill()
        made(seller, show, area)
    check(stack, seller, show, area, since)


def test_withdrawal_goes_on_after_kill_9(stack, seller):
    show = make_show(seller)
    area = made(seller, show, add_area(seller, show, places=PLACES))
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204

    def left():
        return stack.sql("tickets", "select count(*) from tickets where area_id = %s and status = 'available'", area["id"])[0][0]
    wait_until(lambda: left() < PLACES, "it is begun", pause=0)
    stack.kill("tickets")
    stack.wait_ready("tickets")
    wait_until(lambda: left() == 0, "all is withdrawn")
    assert stack.sql("tickets", "select count(*), count(distinct id), max(version) from ticket_events where area_id = %s and type = 'TicketCancelled'",
                     area["id"]) == [(PLACES, PLACES, 2)]
    wait_until(lambda: area_of(seller, show, area)["free"] == 0, "no place is free")
