"""Pages that stay true: GET /live, on the real services."""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.parse
import uuid

import html5lib
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from support import DEADLINE, Replica, missing_id, wait_until
from webs import Browser


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(LIVE_ITEMS="1000")


@pytest.fixture(scope="module")
def seller(stack):
    return stack.user()


def parsed(html):
    return html5lib.parse(html, namespaceHTMLElements=False)


class Stream:
    """What a page's EventSource hears: (name, data, id) of each event."""

    def __init__(self, url, since="", token=None, last_id=None, **shown):
        query = "&".join(f"{name}={','.join(f'{i}.{v}' for i, v in items)}" for name, items in shown.items())
        self.url, self.path = urllib.parse.urlsplit(url), f"/live?{query}&since={since}"
        self.headers = {"Accept": "text/event-stream", **({"Cookie": f"session={token}"} if token else {}),
                        **({"Last-Event-ID": last_id} if last_id is not None else {})}
        self.events, self.over, self.last_id, self.in_order = [], threading.Event(), None, False
        self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        self.connection.connect()
        self.socket = self.connection.sock  # which the connection forgets when the answer is to be its last
        self.connection.request("GET", self.path, headers=self.headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = {}
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self.answer.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field:
                    event[field] = f"{event[field]}\n{value}" if field in event else value
                elif event:
                    self.last_id = event.get("id", self.last_id)
                    if "data" in event:
                        self.events.append((event.get("event"), event["data"]))
                    event = {}
            self.in_order = self.answer.chunk_left is None  # behind its last chunk
        self.over.set()

    def of(self, name):
        return [data for event, data in list(self.events) if event == name]

    def cards(self):
        """(state, version) of each card told."""
        return [(e.get("data-state"), int(e.get("data-version"))) for card in self.of("card") for e in parsed(card).iter("li")]

    def sheets(self):
        return [(e.get("data-state"), int(e.get("data-version"))) for s in self.of("sheet") for e in parsed(s).iter("article")]

    def orders(self):
        return [(o["id"], o["version"]) for o in map(json.loads, self.of("order"))]

    def begun(self):
        wait_until(lambda: self.last_id, "the stream says where it stands")
        return self

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.over.wait(DEADLINE)
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def since(url, path="/"):
    """Up to where a page just made knows what happened."""
    return re.search(r'data-since="([\d.]*)"', requests.get(url + path, timeout=DEADLINE).text).group(1)


def known_since(url):
    """The same, once web has read the topics."""
    return wait_until(lambda: since(url), "web has read the topics")


def token(user):
    return user.headers["Authorization"].removeprefix("Bearer ")


def short_lived(stack, user, seconds):
    """The same session, but over soon."""
    header, claims, _ = token(user).split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))) | {"exp": int(time.time()) + seconds}
    text = header + "." + base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    key = serialization.load_pem_private_key((stack.state / "keys/session.pem").read_bytes(), None)
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def change(seller, ticket, price):
    answer = seller.put(f"/api/tickets/{ticket['id']}", json={"title": ticket["title"], "price": price})
    assert answer.status_code == 200, answer.text
    return answer.json()["version"]


def test_a_card_follows_its_ticket_through_the_edge(stack, seller):
    ticket = seller.list_ticket(f"Row 1 {uuid.uuid4()}")
    other = seller.list_ticket("Another")
    buyer = stack.user()
    with Stream(stack.url, known_since(stack.url), cards=[(ticket["id"], 1)]) as stream:
        assert stream.status == 200 and stream.answer.headers["Content-Type"] == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        stream.begun()
        change(seller, other, 3)
        change(seller, ticket, 21)
        wait_until(lambda: stream.cards() == [("available", 2)], "the new price is told")
        assert "$21.00" in stream.of("card")[0] and ticket["title"] in stream.of("card")[0]
        order = buyer.place(ticket)
        wait_until(lambda: stream.cards()[1:] == [("reserved", 3)], "it is on hold")
        assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204
        wait_until(lambda: stream.cards()[2:] == [("available", 4)], "it is back")
        assert seller.delete(f"/api/tickets/{ticket['id']}").status_code == 204
        wait_until(lambda: stream.cards()[3:] == [("withdrawn", 5)], "it is gone")
        assert not stream.of("again") and int(stream.of("tick")[-1]) == pytest.approx(time.time() * 1000, abs=5000)


def test_a_sheet_is_its_readers_own(stack, seller):
    """Each sees of it what its page would say, with a form that works."""
    title = f"<script>alert(1)</script> & \"seat\" {uuid.uuid4()}"
    ticket = seller.list_ticket(title)
    buyer, other, start = stack.user(), stack.user(), known_since(stack.url)
    where = {"sheet": [(ticket["id"], 1)]}
    with Stream(stack.url, start, **where) as stranger, Stream(stack.url, start, token=token(buyer), **where) as held, \
            Stream(stack.url, start, token=token(other), **where) as late, Stream(stack.url, start, token=token(seller), **where) as own:
        everybody = [stranger, held, late, own]
        for stream in everybody:
            stream.begun()
        change(seller, ticket, 22)
        wait_until(lambda: all(s.sheets() == [("available", 2)] for s in everybody), "all see the new price")
        assert "Sign in to buy" in stranger.of("sheet")[0] and "This is your ticket" in own.of("sheet")[0]
        for stream in everybody:
            heading = next(parsed(stream.of("sheet")[0]).iter("h1"))
            assert "".join(heading.itertext()) == title and not list(parsed(stream.of("sheet")[0]).iter("script"))
        buyer.place(ticket)
        wait_until(lambda: all(len(s.sheets()) >= 2 for s in everybody), "all see it held")
        assert "Somebody is paying for it right now" in stranger.of("sheet")[1] and "Somebody is paying for it" in late.of("sheet")[1]
        assert "Somebody is paying for your ticket" in own.of("sheet")[1]
        # Its holder's page knows better at once, or is told to look when the order is known.
        wait_until(lambda: "You hold this ticket" in held.of("sheet")[1] or held.of("again"), "its holder is told")
        assert not late.of("again") and not stranger.of("again") and not own.of("again")


def test_the_form_of_a_told_sheet_works(stack, seller):
    ticket = seller.list_ticket(f"Told {uuid.uuid4()}")
    buyer = stack.user()
    browser = Browser(stack)
    browser.cookies.set("session", token(buyer))
    browser.go(f"/tickets/{ticket['id']}")
    cookies = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
    with Stream(stack.url, known_since(stack.url), token=cookies.removeprefix("session="), sheet=[(ticket["id"], 1)]) as stream:
        stream.begun()
        change(seller, ticket, 5)
        wait_until(stream.sheets, "the sheet is told")
        fresh = parsed(stream.of("sheet")[0])

    def bought():
        answer = browser.submit(fresh, f"/tickets/{ticket['id']}/buy")
        assert answer.status_code in (303, 409), answer.words
        return answer.status_code == 303
    wait_until(bought, "its form buys the ticket")


def test_an_order_is_told_to_its_buyer_alone(stack, seller):
    ticket = seller.list_ticket()
    buyer, thief = stack.user(), stack.user()
    order = buyer.place(ticket)
    shown, start = {"orders": [(order["id"], 1)], "cards": [(ticket["id"], 1)]}, known_since(stack.url)
    with Stream(stack.url, start, token=token(buyer), **shown) as own, Stream(stack.url, start, token=token(thief), **shown) as others, \
            Stream(stack.url, start, **shown) as nobodys, Stream(stack.url, start, token="x.y.z", **shown) as forged:
        everybody = [own, others, nobodys, forged]
        wait_until(lambda: all(("reserved", 2) in s.cards() for s in everybody), "all see the ticket held")
        assert buyer.delete(f"/api/orders/{order['id']}").status_code == 204
        wait_until(lambda: own.orders() == [(order["id"], 2)], "the buyer is told")
        wait_until(lambda: all(("available", 3) in s.cards() for s in everybody), "all see it back")
        for stream in (others, nobodys, forged):
            assert not stream.of("order") and order["id"] not in repr(stream.events)
    # Nor to who comes later, from memory.
    with Stream(stack.url, "", token=token(thief), **shown) as others, Stream(stack.url, "", token=token(buyer), **shown) as own:
        wait_until(lambda: own.orders() == [(order["id"], 2)], "its buyer is told from memory")
        wait_until(others.cards, "the ticket is told")
        assert not others.of("order")


def test_a_stream_ends_with_its_session(stack, seller):
    ticket, buyer = seller.list_ticket(), stack.user()
    order = buyer.place(ticket)
    shown = {"orders": [(order["id"], 0)]}
    with Stream(stack.env["WEB_URL"], "", token=short_lived(stack, buyer, 8), **shown) as short, \
            Stream(stack.env["WEB_URL"], "", token=token(buyer), **shown) as long:
        wait_until(lambda: short.orders() and long.orders(), "both are told")
        wait_until(short.over.is_set, "the session is over")
        assert short.in_order and not long.over.is_set()


def test_what_comes_with_it(stack, seller):
    """What a page misses between being made and its stream; that the memory's end is told; what is no question."""
    ticket = seller.list_ticket()
    start = known_since(stack.url)
    version = change(seller, ticket, 30)
    with Stream(stack.url, start, cards=[(ticket["id"], 1)]) as late, Stream(stack.url, start, cards=[(ticket["id"], version)]) as knows:
        wait_until(lambda: late.cards() == [("available", version)], "it is told what it missed")
        knows.begun()
        assert not knows.cards() and not knows.of("again")
    nothing = {"cards": [(missing_id(), 1)]}
    with Stream(stack.url, known_since(stack.url), **nothing) as stream, Stream(stack.url, "1.2.3", **nothing) as stale, \
            Stream(stack.url, "x" * 5000, **nothing) as odd, Stream(stack.url, "", **nothing) as unknown:
        for s in (stream, stale, odd, unknown):
            s.begun()
        assert (stream.of("again"), stale.of("again"), odd.of("again"), unknown.of("again")) == ([], ["yes"], ["yes"], ["yes"])
    for query in ("cards=1", "cards=x.1", f"cards={missing_id()}", f"cards={missing_id()}.1x", f"sheet={missing_id()}.1;",
                  "orders=" + "%2C".join(f"{missing_id()}.1" for _ in range(65)), f"cards={missing_id()}.99999999999"):
        assert requests.get(f"{stack.url}/live?{query}", timeout=DEADLINE).status_code == 400, query
    assert requests.head(f"{stack.url}/live", timeout=DEADLINE).status_code == 200


def test_new_tickets_are_counted(stack, seller):
    with Stream(stack.url, known_since(stack.url), listed=[("yes", 1)]) as stream, Stream(stack.url, known_since(stack.url)) as other:
        stream.begun(), other.begun()
        for _ in range(3):
            seller.list_ticket()
        wait_until(lambda: sum(map(int, stream.of("listed"))) == 3, "they are counted")
        assert not other.of("listed")


# --- faults ---

def reopened(url, stream, **shown):
    """As a browser does it: the same address, and the last id that it heard. Until somebody is there."""
    def again():
        with contextlib.suppress(OSError, http.client.HTTPException):
            opened = Stream(url, "", last_id=stream.last_id, **shown)
            if opened.status == 200:
                return opened
            opened.close()
    return wait_until(again, "somebody answers")


def test_nothing_is_missed_when_web_is_killed(stack, seller):
    """Neither what changed while it was away, nor what changed before it was read: and what did not change is not told."""
    tickets = [seller.list_ticket(f"Kept {n}") for n in range(4)]
    shown = {"cards": [(t["id"], 1) for t in tickets]}
    web = stack.env["WEB_URL"]
    with Stream(web, known_since(web), **shown) as stream:
        stream.begun()
        change(seller, tickets[0], 50)
        wait_until(lambda: stream.cards() == [("available", 2)], "it follows")
        stack.kill("web")
        change(seller, tickets[1], 51)
        assert stream.over.wait(DEADLINE)
        wait_until(lambda: stack.ready("web"), "web is back")
        change(seller, tickets[2], 52)
        with reopened(web, stream, **shown) as after:
            def told():
                return {e.get("data-ticket") for card in after.of("card") for e in parsed(card).iter("li")}
            wait_until(lambda: told() >= {tickets[1]["id"], tickets[2]["id"]}, "what it missed is told")
            change(seller, tickets[3], 53)
            wait_until(lambda: tickets[3]["id"] in told(), "and it goes on")
            assert not after.of("again")


def test_nothing_is_missed_when_the_broker_pauses(stack, seller):
    ticket, other = seller.list_ticket(), seller.list_ticket()
    shown = {"cards": [(ticket["id"], 1), (other["id"], 1)]}
    with Stream(stack.url, known_since(stack.url), **shown) as stream:
        stream.begun()
        pid = stack.kill("kafka", signal.SIGSTOP)
        try:
            version = change(seller, ticket, 60)
            with reopened(stack.url, stream, **shown) as second:
                second.begun()
                assert not second.cards()
                os.kill(pid, signal.SIGCONT)
                wait_until(lambda: stream.cards() == second.cards() == [("available", version)], "both are told")
        finally:
            os.kill(pid, signal.SIGCONT)


def test_another_instance_goes_on_where_one_ended(stack, seller):
    """SIGTERM ends the streams at once and in order; the browser comes back, to whoever there is."""
    ticket, other = seller.list_ticket(), seller.list_ticket()
    shown = {"cards": [(ticket["id"], 1), (other["id"], 1)]}
    with Replica(stack, "web") as first, Replica(stack, "web") as second:
        first.wait_ready(), second.wait_ready()
        with Stream(first.url, known_since(first.url), **shown) as stream:
            stream.begun()
            known_since(second.url)
            assert first.terminate() == 0
            assert stream.over.wait(DEADLINE) and stream.in_order and "were not finished in time" not in first.output()
            change(seller, ticket, 70)
            with reopened(second.url, stream, **shown) as after:
                wait_until(lambda: after.cards() == [("available", 2)], "the other instance tells it")
                assert not after.of("again")


def test_who_does_not_read_is_dropped_and_the_others_go_on(stack, seller):
    tickets = [seller.list_ticket("x" * 200) for _ in range(20)]
    shown = {"cards": [(t["id"], 1) for t in tickets]}
    with Replica(stack, "web") as web:
        web.wait_ready()
        start = known_since(web.url)
        with Stream(web.url, start, **shown) as reads, socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", web.http_port))
            deaf.sendall(f"GET {reads.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: web.metric("onsale_live_streams") == 2, "both are there")
            changes = 0
            while web.metric("onsale_http_streams_dropped_total") == 0:
                for ticket in tickets:
                    change(seller, ticket, changes + 1)
                changes += len(tickets)
                assert changes < 2000, "a client that does not read is still waited for"
            wait_until(lambda: web.metric("onsale_live_streams") == 1, "it is forgotten")
            wait_until(lambda: len(reads.cards()) == changes, "the other has heard everything")


def test_hundreds_of_streams_and_no_more_than_there_may_be(stack, seller):
    """And who leaves is forgotten without another word to them."""
    tickets = [seller.list_ticket() for _ in range(3)]
    shown = {"cards": [(t["id"], 1) for t in tickets]}
    with Replica(stack, "web", LIVE_STREAMS="500") as web:
        web.wait_ready()
        start = known_since(web.url)
        with concurrent.futures.ThreadPoolExecutor(20) as pool, contextlib.ExitStack() as streams:
            opened = list(pool.map(lambda _: streams.enter_context(Stream(web.url, start, **shown)), range(500)))
            assert {s.status for s in opened} == {200} and web.metric("onsale_live_streams") == 500
            assert Stream(web.url, start, **shown).status == 503
            change(seller, tickets[1], 80)
            wait_until(lambda: all(s.of("card") for s in opened), "all are told")
            for stream in opened[:100]:
                stream.close()
            wait_until(lambda: web.metric("onsale_live_streams") == 400, "who left is forgotten")
            assert Stream(web.url, start, **shown).status == 200


def test_without_kafka_who_asks_is_sent_away(stack):
    """Not at once: web may just have started. And its pages are shown all the same."""
    with Replica(stack, "web", KAFKA_BROKERS="127.0.0.1:1") as web:
        web.wait_ready()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(requests.get, f"{web.url}/live", timeout=30)
            wait_until(lambda: requests.get(web.url, timeout=DEADLINE).status_code == 200, "pages are shown")
            assert not asked.done() and web.terminate() == 0
            assert asked.result().status_code == 503 and asked.result().headers["Retry-After"]
