"""Attacks on what lasts: streams of pages, and connections, that one client opens until nobody else has any."""
import contextlib
import itertools
import socket
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support import DEADLINE, Replica, User, errors, wait_until

STREAM = {"headers": {"Accept": "text/event-stream"}, "stream": True}


@pytest.fixture(scope="module")
def web(stack):
    """Three streams for an address, two for a session."""
    with Replica(stack, "web", LIVE_STREAMS_PER_ADDRESS="3", LIVE_STREAMS_PER_SESSION="2") as replica:
        replica.wait_ready()
        wait_until(lambda: "data-since=\"\"" not in requests.get(replica.url, timeout=DEADLINE).text, "web has read the topics")
        yield replica


@pytest.fixture
def streams():
    with contextlib.ExitStack() as stack:
        yield stack


def open_one(streams, web, address, person=None):
    """Its status; it stays open. And how it can be closed."""
    asker = streams.enter_context(requests.Session())
    asker.trust_env = False
    headers = STREAM["headers"] | {"X-Forwarded-For": address}
    if person:
        headers["Cookie"] = "session=" + person.headers["Authorization"].removeprefix("Bearer ")
    answer = streams.enter_context(asker.get(f"{web.url}/live?since=", headers=headers, stream=True, timeout=DEADLINE))
    if answer.status_code == 200:
        answer.lines = answer.iter_lines()  # kept: with it the connection would end
        assert next(answer.lines), "it has begun"
    return answer


def codes(answers):
    return [answer.status_code for answer in answers]


def test_one_address_has_so_many(web, streams):
    opened = [open_one(streams, web, "203.0.113.1") for _ in range(4)]
    assert codes(opened) == [200, 200, 200, 429]
    assert int(opened[3].headers["Retry-After"]) > 0 and "from this address" in errors(opened[3])[0][1]
    assert open_one(streams, web, "203.0.113.2").status_code == 200, "others are told"
    opened[0].close()
    wait_until(lambda: open_one(streams, web, "203.0.113.1").status_code == 200, "who left makes room")


def test_an_address_of_ipv6_is_its_64(web, streams):
    assert codes(open_one(streams, web, f"2001:db8:1:1::{n}") for n in range(4)) == [200, 200, 200, 429]
    assert open_one(streams, web, "2001:db8:1:2::1").status_code == 200


def test_one_session_has_so_many_from_wherever(stack, web, streams):
    person, other = stack.users(2)
    opened = [open_one(streams, web, f"203.0.113.{10 + n}", person) for n in range(3)]
    assert codes(opened) == [200, 200, 429] and "This session" in errors(opened[2])[0][1]
    assert open_one(streams, web, "203.0.113.12", other).status_code == 200


def test_who_is_refused_is_not_counted(web, streams):
    before = web.metric("onsale_live_refused_total")
    opened = [open_one(streams, web, "203.0.113.20") for _ in range(8)]
    assert codes(opened) == [200] * 3 + [429] * 5 and web.metric("onsale_live_refused_total") == before + 5
    for answer in opened[:3]:
        answer.close()
    assert wait_until(lambda: codes([a := open_one(streams, web, "203.0.113.20")]) == [200] and a, "it is as if they had not been")


# --- the edge of ./onsale run ---

@pytest.fixture(scope="module")
def few(make_stack):
    return make_stack(EDGE_CONNECTIONS="20")


def test_connections_of_one_address(few, streams):
    edge, numbers = urllib.parse.urlsplit(few.url), itertools.count(2)

    def connects(address):
        with contextlib.suppress(ConnectionError):
            plain = streams.enter_context(socket.create_connection((edge.hostname, edge.port), DEADLINE, (address, 0)))
            plain.sendall(b"GET /api/tickets HTTP/1.1\r\nHost: onsale\r\n\r\n")
            return plain.recv(1) and plain
        return None

    def filled():
        """An address with all that it may have. The edge hangs up on whoever asks for nothing for ten seconds: what took that long begins anew."""
        address, began = f"127.0.1.{next(numbers)}", time.monotonic()
        opened = list(pool.map(connects, [address] * 20))
        more = connects(address)
        if time.monotonic() > began + 8:
            return None
        assert all(opened) and not more
        return address, opened
    with ThreadPoolExecutor(20) as pool:
        address, opened = wait_until(filled, "it has all of them at once")
    assert connects("127.0.0.3") and User(few.url).get("/api/tickets").status_code == 200, "others come in"
    opened.pop().close()
    wait_until(lambda: connects(address), "there is room again")
