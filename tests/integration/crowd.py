"""Thousands of buyers at once, each with a connection of their own; and what must be true when they are gone."""
import asyncio
import collections
import contextlib
import json
import resource
import urllib.parse

import requests

from support import wait_until


def make_room(connections):
    """For that many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < connections + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(connections + 200, hard), hard))


class Buyer:
    """Asks one service over one connection; opens it again when it was cut."""

    def __init__(self, url, token):
        self.at = urllib.parse.urlsplit(url)
        self.token = token
        self.reader = self.writer = None

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection(self.at.hostname, self.at.port)

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def request(self, method, path, body=None, **headers):
        """(status, the answer's JSON); OSError or EOFError when the connection is cut."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.at.netloc}", f"Authorization: Bearer {self.token}",
                 "Content-Type: application/json", f"Content-Length: {len(data)}",
                 *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        try:
            if self.writer is None:
                await self.connect()
            self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            length = next((int(line.split(":")[1]) for line in head if line.startswith("content-length:")), 0)
            text = await self.reader.readexactly(length)
        except (OSError, EOFError):
            self.close()
            raise
        return int(head[0].split()[1]), json.loads(text) if text else None

    def order(self, ticket, **headers):
        return self.request("POST", "/api/orders", {"ticketId": ticket}, **headers)

    def cancel(self, order):
        return self.request("DELETE", f"/api/orders/{order}")


# --- afterwards ---

COPIES = 1000  # records that came again: more than that was not a publisher's death


def first_of_each(events, count=COPIES):
    """As consumers see them: a version of something that they know is passed over. Publishers repeat when they were paused past the take-over
    or when a broker was starved (docs/decisions.md); an order that changes by that is wrong."""
    known, kept = collections.Counter(), []
    for event in events:
        if event["version"] > known[event["id"]]:
            known[event["id"]] = event["version"]
            kept.append(event)
    assert len(events) - len(kept) <= count, f"{len(events) - len(kept)} of {len(events)} records are there again"
    return kept


TIMELINE = 100_000  # a server that was promoted goes on from a multiple of this (next_version.sql)


def follows(version, before, promotions=0):
    """Whether it is the version that comes next."""
    return version == before + 1 or (version > before and version in range(TIMELINE, (promotions + 1) * TIMELINE, TIMELINE))


class Story:
    """What the topic of orders tells, read offline: raises when a ticket ever had two live orders, an order ended twice, ended
    early, or skipped a version."""

    def __init__(self, events, promotions=0):
        self.promotions = promotions
        self.holder = {}  # ticket -> its live order
        self.orders = {}  # order -> its last event
        for event in events:
            self._tell(event)

    def _tell(self, event):
        ticket, order, before = str(event["ticketId"]), str(event["id"]), self.orders.get(str(event["id"]))
        assert follows(event["version"], before["version"] if before else 0, self.promotions), \
            f"order {order}: version {event['version']} comes after {before and before['version']}, at {event.partition}@{event.offset}"
        assert event.key == ticket
        if before is None:
            assert event["type"] == "OrderCreated"
            assert ticket not in self.holder, f"ticket {ticket}: {order} while {self.holder.get(ticket)} is live"
            self.holder[ticket] = order
        elif before["status"] == "cancelled":
            assert (event["type"], event["status"], event["reason"]) == ("OrderUpdated", "cancelled", "refunded"), f"order {order} goes on"
            self.orders[order] = event
            return
        else:
            assert self.holder.get(ticket) == order, f"order {order} changes, but does not hold its ticket"
            assert event["expiresAt"] == before["expiresAt"] or (event["type"] == "OrderUpdated" and event["expiresAt"] > before["expiresAt"]), \
                f"order {order}: expiresAt moves on only, and while it is being paid"
        if event["status"] == "cancelled":
            assert event["reason"] != "expired" or event["occurredAt"] >= event["expiresAt"], f"order {order} expired early"
            del self.holder[ticket]
        self.orders[order] = event

    def ended(self, reason):
        return {order for order, event in self.orders.items() if event["status"] == "cancelled" and event["reason"] == reason}


def await_agreement(stack, read=list, promotions=0):
    """Until tickets, orders and expiration say the same of every ticket; then reads the story and holds it against them.
    read: what a consumer makes of the topic's records. promotions: how many standbys took over."""
    def of_orders():
        return dict(stack.sql("orders", "select ticket_id::text, id::text from orders where status <> 'cancelled'"))

    def of_tickets():
        return dict(stack.sql("tickets", "select id::text, order_id::text from tickets where order_id is not null"))

    def timers():
        """None: expiration starts again."""
        with contextlib.suppress(requests.ConnectionError):
            return stack.metric("expiration", "onsale_expiration_timers")

    def pending():
        return stack.sql("orders", "select count(*)::int from orders where status in ('created', 'awaiting_payment')")[0][0]

    wait_until(lambda: of_tickets() == of_orders(), "tickets shows what orders holds")
    wait_until(lambda: timers() == pending(), "a timer for each unpaid order")

    rows = collections.Counter(dict(stack.sql("orders", "select status, count(*)::int from orders group by 1")))

    def told():
        story = Story(read(stack.topic("orders").events()), promotions)
        return story if collections.Counter(event["status"] for event in story.orders.values()) == rows else None
    story = wait_until(told, "the topic tells of every order")
    assert story.holder == of_orders()
    return story
