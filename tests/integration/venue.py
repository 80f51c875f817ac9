"""Shows and their places as the topics tell of them, written by the test itself: what orders sells from."""
import json
import time
import uuid

from waits import answered, wait_until


def now_ms():
    return time.time_ns() // 1_000_000


class Venue:
    """A show with areas. Rows of seats have places 0 and up, numbered from 1; standing places come in blocks of 60."""

    def __init__(self, stack, seller, title="A show", per_user=8, status="announced", phases=None, starts_in=86_400):
        self.stack, self.seller, self.title, self.per_user = stack, seller, title, per_user
        self.starts_at = now_ms() + starts_in * 1000
        self.phases = phases and json.dumps(phases)
        self.id, self.version, self.areas, self.tickets = str(uuid.uuid4()), 0, {}, {}
        self.tell(status)

    def tell(self, status):
        self.version += 1
        kind = {"draft": "ShowCreated", "announced": "ShowAnnounced", "cancelled": "ShowCancelled"}[status]
        self.stack.topic("shows").produce(
            {"type": kind, "id": self.id, "version": self.version, "occurredAt": now_ms(), "userId": self.seller.id, "title": self.title,
             "venue": "A house", "city": "Basel", "startsAt": self.starts_at, "timeZone": "Europe/Zurich", "description": None,
             "currency": "USD", "status": status, "perUser": self.per_user, "phases": self.phases}, key="id")
        wait_until(lambda: self.stack.sql("orders", "select 1 from shows where id = %s and version = %s", self.id, self.version),
                   "orders knows the show")

    def event(self, ticket, **more):
        return {"type": "TicketCreated", "version": 1, "occurredAt": now_ms(), "userId": self.seller.id, "currency": "USD",
                "status": "available", "orderId": None, "showId": self.id} | ticket | more

    def add(self, name, rows=(), places=0, price=2000, accessible=False, rank=None):
        """rows: how many seats each has. Answers the area's id; its tickets are in self.tickets, by (row, seat)."""
        area = uuid.uuid4().int >> 24 << 24
        rank = len(self.areas) if rank is None else rank
        blocks = [(chr(65 + i), n) for i, n in enumerate(rows)] + [(None, min(60, places - at)) for at in range(0, places, 60)]
        events = []
        for block, (row, n) in enumerate(blocks):
            for place in range(n):
                seat = place + 1 if row else None
                words = f"{self.title}, {name}" + (f", row {row}, seat {seat}" if row else "")
                ticket = {"id": str(uuid.UUID(int=area | block << 6 | place)), "title": words, "price": price,
                          "areaId": str(uuid.UUID(int=area)), "areaName": name, "rowName": row, "seat": seat, "rank": rank << 18 | block,
                          "accessible": accessible}
                self.tickets[name, row or block, place + 1] = ticket
                events.append(self.event(ticket))
        self.stack.topic("tickets").produce(*events, key="id")
        self.areas[name] = str(uuid.UUID(int=area))
        wait_until(lambda: self.stack.sql("orders", "select places from areas where id = %s", self.areas[name]) == [(len(events),)],
                   "orders knows the places")
        return self.areas[name]

    def ticket(self, area, row, seat):
        return self.tickets[area, row, seat]["id"]

    def buy(self, buyer, quantity, headers=None, **wish):
        answer = answered(lambda: buyer.post("/api/purchases", json={"showId": self.id, "quantity": quantity} | wish, headers=headers))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def free(self):
        """How many places orders believes are free."""
        [[n]] = self.stack.sql("orders", "select coalesce(sum(bit_count(free::bit(64))), 0)::int from seat_rows where show_id = %s", self.id)
        return n

    def check(self):
        """Rules 7 and 8: no place twice, each purchase has all or none, nobody more than the limit; no place is lost."""
        sql = self.stack.sql
        assert sql("orders", """select ticket_id from orders where show_id = %s and status <> 'cancelled'
                                 group by ticket_id having count(*) > 1""", self.id) == []
        assert sql("orders", """select purchase_of(id, purchase_size) from orders where show_id = %s group by 1
                                having count(*) <> min(purchase_size) or count(distinct (status, version)) > 1""", self.id) == []
        assert sql("orders", """select user_id from orders where show_id = %s and status <> 'cancelled'
                                 group by user_id having count(*) > %s""", self.id, self.per_user) == []
        assert sql("orders", """select t.id from tickets t join seat_rows r on r.id = row_of(t.id)
                                 where t.show_id = %s and r.free >> place_of(t.id) & 1 = 0 and t.status <> 'cancelled'
                                   and not exists (select from orders o where o.ticket_id = t.id and o.status <> 'cancelled')""",
                   self.id) == [], "a place that is free is for sale"
        assert sql("orders", "select id from seat_rows where show_id = %s and longest <> longest_run(free)", self.id) == []
