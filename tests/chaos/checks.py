"""What must be true when all is healed and quiet, by rules: of the databases, the topics (read as committed), the warehouse, the ledger of Stripe's
stand-in, and of everything that was answered. A check raises AssertionError and names the order, ticket or payment that is wrong."""
import collections
import subprocess

import requests

import crowd
import money
import ownership
import promises
import queue_proof
import state_tables
from history import OK, REFUSED
from hosting import PER_USER
from support import ASKS_SOON, DEADLINE, wait_until

QUIET = 3 * DEADLINE  # until nothing hangs: a refund that was refused several times is asked for again after minutes
PROMOTIONS = 1  # of each service's Postgres, at most
TOPICS = {"tickets": "ticket_events", "orders": "order_events", "payments": "payment_events"}  # and the log in the database of that name


def first_of_each(events):
    """A standby that took over says all of its log again, and what was killed or paused meanwhile some of it."""
    return crowd.first_of_each(events, crowd.COPIES + len(events) // 2)


class Checks:
    def __init__(self, stack, history, books, checker, rows, say):
        self.stack, self.history, self.books, self.checker, self.rows, self.say = stack, history, books, checker, rows, say
        self.events = {}

    def run(self):
        self.wait_quiet()
        self.say("nothing hangs")
        crowd.await_agreement(self.stack, first_of_each, PROMOTIONS)  # rules 1, 3, 5: the story of the topic, and all agree on it
        self.say("all agree")
        self.topics_are_the_logs()
        self.promises_are_kept()
        found, aside = self.rows.agree()
        self.say(f"the warehouse has {found:,} rows" + (f"; {aside} records had been put aside" if aside else ""))
        self.money_adds_up()
        self.nothing_answered_is_lost()
        self.edits_follow_their_versions()
        self.purchases_are_whole()
        self.places_are_kept()
        self.phases_are_kept()
        self.queues_are_fair()
        self.queues_know_what_is_left()
        self.shows_agree()
        self.states_are_the_truth()
        return self.linearizable()

    def wait_quiet(self):
        try:
            wait_until(self.is_quiet, "nothing hangs", QUIET, pause=0.5)
        except AssertionError as timeout:
            orders = self.stack.sql("payments", f"select order_id::text, state, ask, asked, reason from charges where {ASKS_SOON} limit 3")
            orders += self.stack.sql("orders", "select id::text, status from orders where status in ('created', 'awaiting_payment') limit 3")
            raise AssertionError(f"{timeout}: {money.hanging(self.stack)}, {orders}, not read: {self.unread()}") from None
        letters = {name: self.stack.sql(name, "select topic, partition, \"offset\", reason from dead_letters limit 3")
                   for name in ("tickets", "orders", "payments")}
        assert not any(letters.values()), f"dead letters: {letters}"

    def is_quiet(self):
        """Each log is on its topic, everybody has read that, and nothing more comes of it."""
        if money.hanging(self.stack):
            return False
        logs = self.lengths()
        return self.are_told(logs) and not self.unread() and not money.hanging(self.stack) and self.lengths() == logs

    def lengths(self):
        return {topic: self.stack.sql(topic, f"select count(*) from {log}")[0][0] for topic, log in TOPICS.items()}

    def are_told(self, logs):
        self.events = {topic: first_of_each(self.stack.topic(topic).events()) for topic in logs}
        return all(len(self.events[topic]) >= count for topic, count in logs.items())

    def unread(self):
        """(service, topic) with records behind the service's position: whoever was paused or misled by a clock may come to it late."""
        found = []
        for service in TOPICS:
            positions = collections.defaultdict(dict)
            for topic, partition, offset in self.stack.sql(service, "select topic, partition, next_offset from consumer_offsets"):
                positions[topic][partition] = offset
            found += [(service, topic) for topic, read in positions.items() if self.stack.topic(topic).records(read)]
        return found

    # --- rule 2: each log reached its topic, gapless and in order ---

    def topics_are_the_logs(self):
        for topic, log in TOPICS.items():
            rows = self.stack.sql(topic, f"select id::text, version, type, status from {log} order by seq")
            told = {(str(e["id"]), e["version"]): (e["type"], e["status"]) for e in self.events[topic]}
            for number, version, *what in rows:
                assert told.get((number, version)) == tuple(what), f"{topic}: {number} {version} is {told.get((number, version))}, not {what}"
            assert len(told) == len(rows), f"{topic}: {(told.keys() - {(r[0], r[1]) for r in rows}).pop()} is of no log"
            last = {}
            for event in self.events[topic]:
                number = str(event["id"])
                before = last.get(number, 0)
                assert crowd.follows(event["version"], before, PROMOTIONS), f"{topic}: {number} goes from {before} to {event['version']}"
                last[number] = event["version"]
            keys = "id" if topic == "tickets" else "ticketId"
            for event in self.events[topic]:
                assert event.key == str(event[keys]), f"{topic}: {event['id']} has the key {event.key}"

    def promises_are_kept(self):
        """No event came behind the offset of a promise and is of a time before it, whoever gave the promise."""
        told = collections.defaultdict(list)
        for promise in self.stack.topic("watermarks").events():
            told[promise["topic"]].append(promise)
        for topic in TOPICS:
            assert told[topic], f"nothing is promised of {topic}"
            broken = promises.broken(told[topic], self.stack.topic(topic).events())
            assert broken == [], f"{topic}: {len(broken)} events came after what was promised: {broken[:3]}"

    # --- rule 4 ---

    def money_adds_up(self):
        assert money.check_books(self.stack, self.books) > 0, "nothing was bought: this says nothing"
        money.check_events(self.stack, self.events["payments"], PROMOTIONS)
        tries = collections.Counter((m["orderId"], m["attempt"]) for *_, m in self.books.all())
        for (order, attempt), count in tries.items():
            assert count == 1, f"order {order}, attempt {attempt}: {count} payment intents"
        sums = {
            "the ledger": sum(captured - refunded for _, _, _, captured, refunded, *_ in self.books.all()),
            "charges": self.sum("payments", "select sum(amount) from charges where state = 'succeeded'"),
            "orders": self.sum("orders", "select sum(price) from orders where status = 'complete'"),
            "the topic of orders": sum(e["price"] for e in self.events["orders"] if e["type"] == "OrderCompleted"),
            "the topic of payments": sum({"PaymentCreated": 1, "PaymentRefunded": -1}.get(e["type"], 0) * e["amount"]
                                         for e in self.events["payments"]),
            **self.rows.sums(),
        }
        assert len(set(sums.values())) == 1, f"money does not add up: {sums}"

    def sum(self, service, query):
        return int(self.stack.sql(service, query)[0][0] or 0)

    # --- nothing that was answered is lost ---

    def nothing_answered_is_lost(self):
        orders = {i: (u, t, s) for i, u, t, s in self.stack.sql("orders", "select id::text, user_id::text, ticket_id::text, status from orders")}
        for e in self.history.of("order"):
            if e["outcome"] == OK:
                found = orders.get(e["answer"]["id"])
                assert found and found[:2] == (e["user"], e["ticket"]), f"order {e['answer']['id']}, line {e['line']}, is {found}"
                assert e["answer"]["userId"] == e["user"]
        for e in self.history.of("buy"):
            if e["outcome"] == OK:
                bought = e["answer"]["orders"]
                assert len(bought) == e["quantity"], f"order {e['answer']['id']}, line {e['line']}, has {len(bought)} of {e['quantity']} places"
                for order in bought:
                    found = orders.get(order["id"])
                    assert found and found[:2] == (e["user"], order["ticket"]["id"]), f"order {order['id']}, line {e['line']}, is {found}"
        for e in self.history.of("cancel", "look"):
            assert e["status"] not in (403, 404), f"order {e['order']}, line {e['line']}: {e['status']}"
            for order, _ in e["all"] if e["do"] == "cancel" and e["outcome"] == OK else ():
                assert orders[order][2] == "cancelled", f"order {order}, cancelled on line {e['line']}, is {orders[order][2]}"
        self.tickets_are_there()
        self.payments_are_there(orders)

    def tickets_are_there(self):
        log = {(i, v): (t, p) for i, v, t, p in self.stack.sql("tickets", "select id::text, version, title, price from ticket_events")}
        for e in self.history.of("list", "edit"):
            if e["outcome"] == OK:
                a = e["answer"]
                found = log.get((a["id"], a["version"]))
                assert found == (a["title"], round(a["price"] * 100)), f"ticket {a['id']} {a['version']}, line {e['line']}, is {found}"
        states = dict(self.stack.sql("tickets", "select id::text, status from tickets"))
        for e in self.history.of("withdraw"):
            if e["outcome"] == OK:  # sold: it was paid for before orders had heard of that
                assert states.get(e["ticket"]) in ("cancelled", "sold"), f"ticket {e['ticket']}, withdrawn on line {e['line']}, is on sale"

    def payments_are_there(self, orders):
        states = dict(self.stack.sql("payments", "select o.order_id::text, c.state from charges c, orders_of(c) o"))
        for e in self.history.of("pay"):
            if e["outcome"] == OK and e["answer"]["status"] == "succeeded":
                expected = "succeeded" if orders[e["order"]][2] == "complete" else "refunded"
                assert states[e["order"]] == expected, f"order {e['order']}, paid on line {e['line']}: its charge is {states[e['order']]}"

    def edits_follow_their_versions(self):
        """Of those with the same If-Match one at most is done, and it makes the next version."""
        done = collections.Counter()
        for e in self.history.of("edit"):
            if e["outcome"] == OK:
                version = int(e["If-Match"].strip('"'))
                became = e["answer"]["version"]
                assert crowd.follows(became, version, PROMOTIONS), f"ticket {e['ticket']}, line {e['line']}: {version} became {became}"
                done[e["ticket"], version] += 1
        for (ticket, version), count in done.items():
            assert count == 1, f"ticket {ticket}: {count} edits of version {version}"

    # --- rules 7 and 8 ---

    def purchases_are_whole(self):
        torn = self.stack.sql("orders", """
            select min(id::text), count(*), min(purchase_size), count(distinct (status, version, reason))
              from orders group by purchase_of(id, purchase_size)
            having count(*) <> min(purchase_size) or count(distinct (status, version, reason)) > 1 limit 3""")
        assert torn == [], f"order {torn[0][0]}: its purchase is torn: {torn}"
        over = self.stack.sql("orders", "select user_id, count(*) from orders where show_id is not null and status <> 'cancelled'"
                                        " group by show_id, user_id having count(*) > %s limit 3", PER_USER)
        assert over == [], f"more of a show than one person can have: {over}"

    def places_are_kept(self):
        """A place that nobody has can be bought, as orders sees it and as pages show it."""
        lost = self.stack.sql("orders", """
            select t.id from tickets t join seat_rows r on r.id = row_of(t.id)
             where t.show_id is not null and (r.free >> place_of(t.id)) & 1 = 0
               and not exists (select from orders o where o.ticket_id = t.id and o.status <> 'cancelled') limit 3""")
        assert lost == [], f"ticket {lost[0]} is free, and cannot be bought"
        wrong = self.stack.sql("tickets", """
            select t.id, t.status from tickets t join seat_rows r on r.id = row_of_place(t.id)
             where t.show_id is not null and ((r.free >> (place_number(t.id) & 63)) & 1 = 1) <> (t.status = 'available') limit 3""")
        assert wrong == [], f"ticket {wrong[0]} is not what the map of seats says"

    def phases_are_kept(self):
        """Nothing is sold outside of a phase, and to nobody without a code where one is asked for; no code is used too often."""
        wrong = self.stack.sql("orders", """
            select e.id, e.occurred_at from order_events e join shows w on w.id = e.show_id
             where e.type = 'OrderCreated'
               and not exists (select from jsonb_array_elements(w.phases) p
                                where e.occurred_at >= (p ->> 'opensAt')::timestamptz and e.occurred_at < (p ->> 'closesAt')::timestamptz
                                  and (not (p ->> 'codes')::boolean
                                       or exists (select from code_uses u where u.show_id = w.id and u.user_id = e.user_id))) limit 3""")
        assert wrong == [], f"order {wrong[0][0]} was placed in no phase, or without a code: {wrong}"
        wrong = self.stack.sql("orders", """
            select c.used, c.uses, count(u.hash) from codes c left join code_uses u on u.hash = c.hash
             group by c.hash having c.used > c.uses or c.used <> count(u.hash)""")
        assert wrong == [], f"codes used, of so many uses, by so many people: {wrong}"

    # --- rule 9 ---

    def queues_are_fair(self):
        told = sum(self.queue_is_fair(show) for show in sorted({e["show"] for e in self.history.of("join", "place")}))
        assert told > 0, "nobody was told his place: this says nothing"

    def queue_is_fair(self, show):
        """Whoever was told that he has joined has one place, the same in each answer and by the topic. Whose turn it is never falls, at any of
        those that are asked. Nobody has bought before his turn, or without an offer what came back. Returns how often somebody was told
        his place."""
        joins = [e for e in self.history.of("join") if e["show"] == show and e["outcome"] == OK]
        places = [e for e in self.history.of("place") if e["show"] == show and e["outcome"] == OK]
        rounds = queue_proof.rounds(self.stack, show)
        assert len(rounds) == 1 or (not joins and not places), f"the queue of show {show} has {len(rounds)} rounds"
        for queue in rounds:
            assert queue.faults == [], f"the queue of show {show}: {queue.faults}"
            for e in joins:
                assert e["user"] in queue.joined, f"user {e['user']}, who joined on line {e['line']}, has lost his place"
            told = collections.defaultdict(list)
            for e in places:
                place = e["answer"]["place"]
                assert place is None or place == queue.places[e["user"]], f"user {e['user']}, line {e['line']}: place {place} is {queue.places[e['user']]}"
                told[e["at"]].append(e)
            for answers in told.values():
                self.serving_never_falls(answers)
            self.nobody_is_early(show, queue)
        return len(places)

    def nobody_is_early(self, show, queue):
        bought = self.stack.sql("orders", """
            select e.user_id::text, min(e.id::text) from order_events e join shows w on w.id = e.show_id
             where e.type = 'OrderCreated' and e.show_id = %s
               and exists (select from jsonb_array_elements(w.phases) p
                            where (p ->> 'queue')::boolean and e.occurred_at >= (p ->> 'opensAt')::timestamptz
                              and e.occurred_at < (p ->> 'closesAt')::timestamptz)
             group by e.user_id""", show)
        for user, order in bought:
            assert queue.places.get(user, queue.serving + 1) <= queue.serving or user in queue.offers, f"order {order}: it was not the turn of {user}"

    @staticmethod
    def serving_never_falls(answers):
        """From an answer to those that were asked for after it, at the same address."""
        ended, highest = sorted(answers, key=lambda e: e["end"]), 0
        for e in sorted(answers, key=lambda e: e["start"]):
            while ended[0]["end"] < e["start"]:
                highest = max(highest, ended.pop(0)["answer"]["serving"])
            assert e["answer"]["serving"] >= highest, f"place {highest} had its turn, and on line {e['line']} it is {e['answer']['serving']}"

    def queues_know_what_is_left(self):
        """What a queue believes to be taken and is not would never be sold to those who wait; what it believes to be free, offered in vain."""
        free = dict(self.stack.sql("orders", "select show_id::text, sum(bit_count(free::bit(64)))::int from seat_rows where not accessible group by 1"))
        shows = sorted({e["show"] for e in self.history.of("place") if e["outcome"] == OK})

        def wrong():
            left = {show: requests.get(f"{self.stack.url}/api/shows/{show}/queue/serving", timeout=DEADLINE).json()["left"] for show in shows}
            return {show: (n, free[show]) for show, n in left.items() if n != free[show]}
        try:
            wait_until(lambda: not wrong(), "queues know what is left", pause=0.5)
        except AssertionError as timeout:
            raise AssertionError(f"{timeout}: {wrong()} (told, free)") from None

    def shows_agree(self):
        """Whichever version of tickets said it, to whichever version of orders."""
        shows = "select id::text, version, status, per_user from shows order by id"
        told = self.stack.sql("tickets", shows)
        wait_until(lambda: self.stack.sql("orders", shows) == told, "orders has heard of each change of a show")
        edits = collections.Counter(e["show"] for e in self.history.of("edit show") if e["outcome"] == OK)
        for show, version, *_ in told:
            assert version > edits[show], f"show {show} was edited {edits[show]} times, and is of version {version}"

    def states_are_the_truth(self):
        """What somebody has who starts to read today: of each ticket, order and show its newest state."""
        for name in state_tables.SERVICES:
            wait_until(lambda name=name: state_tables.agrees(self.stack, name), f"{name}-state is what the database has", DEADLINE, pause=0.5)

    # --- rule 1, as a history ---

    def linearizable(self):
        """What the checker says; the lines of an illegal history are in the failure."""
        rows = self.stack.sql("orders", """
            select o.id::text, o.ticket_id::text, o.user_id::text, o.status, o.reason, p.idempotency_key,
                   (extract(epoch from o.expires_at) * 1000000)::bigint, p.id::text
              from orders o join orders p on p.id = purchase_of(o.id, o.purchase_size)""")
        path = self.history.file.name.replace("history", "ownership")
        with open(path, "w") as file:
            file.writelines(line + "\n" for line in ownership.operations(self.history, rows))
        with open(path) as file:
            done = subprocess.run([self.checker], stdin=file, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, f"who owns the ticket is not linearizable; {done.stdout}"
        return done.stdout.strip().replace("\n", ", ")

    def counts(self):
        requests = self.history.requests()
        return collections.Counter(f"{e['do']} {e['outcome'] if e['outcome'] != REFUSED else e['status']}" for e in requests)
