#!/usr/bin/env python3
"""The minute itself. People join the queue of a show; it opens; they come in by lot, buy three places together each through the API, a fifth of
them gives theirs up again, the others pay. All of it through the edge, with everything running, on the cores that the people use, too.

Before: PEOPLE (100,000) sessions, a show of SEATS (100,000) in rows of 60, everybody in the queue. From the opening on RATE (2,500) people a second
come in. A fifth of them gives up after GIVE_UP (3) seconds; who finds nothing asks again every second, and keeps what comes back. They pay PAY (20)
seconds after their purchase. A person asks for his turn when it is
his, as a page that is told does; pages themselves are measured by `live` and `home`. A few try to buy by somebody else's admission, or more than
their limit. Stripe's stand-in answers at once; with STRIPE_RATE in the environment payments wait in line.

Then what must hold: no place is sold twice, no purchase is torn, nobody has more than the limit, nobody has bought without a turn, and all that
was held is paid. Every place is recomputed from the topic by tools/verify-queue.py. Writes bench/RESULTS.md and bench/onsale.svg; with
RESULTS=DIRECTORY there. With SHARES=0 the kernel alone says who gets the processors. With KILLS=1 each process of ours is killed once while people
buy and pay: what must hold does, and the times say little.
"""
import bisect
import collections
import contextlib
import datetime
import json
import math
import os
import pathlib
import subprocess
import time

import harness
import picture
import shares
from background import Background
from common import BUILD, ROOT, Failed, say
from cpu import cpu_seconds, print_cpu
from ground import ROWS_AN_AREA, settle
from queue_proof import verify_queue
from rounds import Bench
from shows import add_area, announce, area_of, make_show
from stack import build
from support import resident_kib, wait_until

PEOPLE = int(os.environ.get("PEOPLE", "100000"))
SEATS = int(os.environ.get("SEATS", "100000"))
RATE = int(os.environ.get("RATE", "2500"))
GIVE_UP, PAY = float(os.environ.get("GIVE_UP", "3")), float(os.environ.get("PAY", "20"))
CONNECTIONS, QUANTITY, WARM = 2048, 3, 8  # so many that hardly anybody waits for one; WARM: seconds from when the opening is set
DEADLINE = 600
KILLS = bool(int(os.environ.get("KILLS", "0")))
KILL_PAUSE = 1.5  # seconds
KILLED = ("waiting", "orders", "tickets", "payments", "expiration", "sales", "web", "auth", "stripe-sandbox", "edge")
STRIPE_RATE = os.environ.get("STRIPE_RATE", "0")
RESULTS = pathlib.Path(os.environ.get("RESULTS", ROOT / "bench"))
IN_A_ROW = 60
SHOW = "show_id = '{}'"
OVERSOLD = "select ticket_id from orders where {show} and status <> 'cancelled' group by 1 having count(*) > 1"
TORN = """select purchase_of(id, purchase_size) from orders where {show} group by 1
          having count(*) <> min(purchase_size) or count(distinct (status, version)) > 1"""
OVER = "select user_id from orders where {show} and status <> 'cancelled' group by 1 having count(*) > " + str(QUANTITY)
TOGETHER = """select coalesce(avg(one_row::int), 0)::float from (
              select min(row_of(ticket_id)::text) = max(row_of(ticket_id)::text) and max(place_of(ticket_id)) - min(place_of(ticket_id)) = count(*) - 1 one_row
                from orders where {show} and status <> 'cancelled' group by purchase_of(id, purchase_size)) p"""
SINGLES = """select count(*) from seat_rows, generate_series(0, 59) p
              where {show} and (free >> p) & 1 = 1 and (p = 0 or (free >> (p - 1)) & 1 = 0) and (p = 59 or (free >> (p + 1)) & 1 = 0)"""


def at(seconds):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat()


class Sale:
    def __init__(self, stack, share):
        self.stack, self.seller, self.url, self.share = stack, stack.user(), stack.env["ONSALE_URL"], share
        say(f"{PEOPLE:,} sessions")
        self.bench = Bench(stack, "orders", PEOPLE)
        self.show, self.seats = self.make()
        self.found = {}  # figures by name

    # --- before ---

    def make(self):
        """A show in draft gets its areas and its phase, and is announced when orders knows all of it."""
        say(f"a show of {SEATS:,} seats")
        show, left = make_show(self.seller, perUser=QUANTITY), -(-SEATS // IN_A_ROW)
        for number in range(1, -(-left // ROWS_AN_AREA) + 1):
            rows = [{"name": str(n), "from": 1, "to": IN_A_ROW} for n in range(1, min(left, ROWS_AN_AREA) + 1)]
            area = add_area(self.seller, show, name=f"Block {number}", rows=rows)
            wait_until(lambda area=area: area_of(self.seller, show, area)["known"] == area["places"], "orders knows the area", 180, pause=0.2)
            left -= len(rows)
        self.set_opening(show["id"], 6 * 3600)
        announce(self.seller, show)
        for service in ("tickets", "orders"):  # what has rows; plans for tables that are known to be empty are no good when they have grown
            self.stack.sql(service, "vacuum analyze tickets, seat_rows, areas, shows")
        wait_until(lambda: self.numbers(show["id"]) is not None, "its queue can be joined")
        settle(self.stack)
        return show["id"], -(-SEATS // IN_A_ROW) * IN_A_ROW

    def set_opening(self, show, seconds):
        phases = [{"name": "Sale", "opensAt": at(seconds), "closesAt": at(seconds + 86400), "perUser": QUANTITY, "queue": True, "codes": False}]
        answer = self.seller.put(f"/api/shows/{show}/phases", json={"phases": phases})
        if answer.status_code != 200:
            raise Failed(f"the phase cannot be set: {answer.text}")
        return datetime.datetime.fromisoformat(phases[0]["opensAt"]).timestamp()

    def numbers(self, show):
        answer = self.seller.get(f"/api/shows/{show}/queue/serving")
        return answer.json() if answer.status_code == 200 else None

    def crowd(self, how, *more):
        port = self.url.rsplit(":", 1)[1]
        return [str(word) for word in (BUILD / "bench/crowd", how, port, self.show, self.bench.tokens, CONNECTIONS, *more)]

    def join(self):
        done = subprocess.run(self.crowd("join"), stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed("nobody could join")
        run = json.loads(done.stdout)
        people = wait_until(lambda: (n := self.numbers(self.show)) and n["people"] == run["joined"] and n["people"], "all have joined", 60)
        if run["refused"] or people != PEOPLE:
            raise Failed(f"{people} of {PEOPLE} have joined: {run}")
        self.found["joins a second"] = people / run["seconds"]
        wait_until(lambda: self.stack.metric("waiting", "onsale_waiting_people") == people, "it is measured, as each second")
        self.found["bytes a person"] = self.stack.metric("waiting", "onsale_waiting_people_bytes") / people
        self.told_joins = (f"{people:,} people joined in {run['seconds']:.1f} s: {people / run['seconds']:,.0f} a second,"
                           f" p50 {run['p50_us'] / 1000:.1f} ms, p99 {run['p99_us'] / 1000:.1f} ms, {run['repeated']} repeated")
        print(self.told_joins, flush=True)

    # --- the minute ---

    def sell(self):
        log = self.bench.file("answers", "")
        command = self.crowd("buy", self.stack.env["KAFKA_BROKERS"], log, GIVE_UP, PAY, self.seats, DEADLINE)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as people:
            try:
                if people.stdout.readline() != "ready\n":
                    raise Failed("the people are not ready")
                self.opens = self.set_opening(self.show, WARM)
                time.sleep(max(0, self.opens - time.time()))
                before, begin = cpu_seconds(self.stack), time.monotonic()
                wait_until(lambda: (n := self.numbers(self.show)) and n["open"], "it opens", pause=0.05)
                self.found["opening, s"] = self.stack.metric("waiting", "onsale_waiting_opening_seconds_sum")
                with Memory(self.stack) as memory, Killer(self.stack) if KILLS else contextlib.nullcontext():
                    said = people.stdout.readline()
                    people.wait()
                self.most = memory.most
            finally:
                people.kill()
        if not KILLS:
            print_cpu(before, cpu_seconds(self.stack), time.monotonic() - begin, self.seats, "a seat")
        self.answers = [line.split(" ") for line in log.read_text().splitlines()]
        if people.returncode != 0:
            raise Failed(f"the sale came to no end: {said}")
        print(f"the people: {said}", end="", flush=True)

    def await_paid(self):
        """Seconds from the opening until the last is paid for, as orders has it, and sold, as tickets has it."""
        held = "select count(*) from orders where {show} and status <> 'complete' and status <> 'cancelled'"
        wait_until(lambda: self.number(held) == 0, "all that was held is paid", 900, pause=0.2)
        [[last]] = self.stack.sql("orders", "select extract(epoch from max(occurred_at))::float8 from order_events where type = 'OrderCompleted'")
        paid = self.number("select count(*) from orders where {show} and status = 'complete'")
        wait_until(lambda: self.stack.sql("tickets", f"select count(*) from tickets where {SHOW.format(self.show)} and status = 'sold'")[0][0] == paid,
                   "all that is paid is sold", 120, pause=0.2)
        self.found |= {"all paid, s": (last or self.opens) - self.opens, "paid": paid}

    # --- what must hold ---

    def rows(self, query):
        return self.stack.sql("orders", query.format(show=SHOW.format(self.show)))

    def count(self, query):
        return len(self.rows(query))

    def number(self, query):
        return self.rows(query)[0][0]

    def queue(self):
        """As the topic proves it, and the turns: (up to which place, when)."""
        topic = self.stack.topic("waiting")
        events = [topic.decode(record) for record in topic.records() if record.key() == self.show.encode()]
        [queue] = verify_queue.replay(events)
        if queue.faults:
            raise Failed(f"the queue's topic contradicts itself: {queue.faults}")
        return queue, sorted((e["serving"], verify_queue.plain(e["occurredAt"])) for e in events if e["type"] == "QueueServing")

    def too_early(self, queue, turns):
        """How many have bought before their turn, or without one, by the clock of this machine in milliseconds."""
        served = [serving for serving, _ in turns]

        def turn_of(user):
            if user in queue.offers and queue.places[user] > queue.serving:
                return queue.offers[user]
            n = bisect.bisect_left(served, queue.places.get(user, queue.serving + 1))
            return turns[n][1] if n < len(turns) else math.inf
        bought = self.stack.sql("orders", "select user_id::text, extract(epoch from min(occurred_at)) * 1000 from order_events"
                                          f" where type = 'OrderCreated' and {SHOW.format(self.show)} group by 1")
        return sum(at_ms < turn_of(user) for user, at_ms in bought)

    def check(self):
        queue, all_turns = self.queue()
        turns = [(int(line[6]), line[7], line[5], int(line[4])) for line in self.of("turn") if line[3] == "200" and line[7]]
        self.found |= {
            "oversold": self.count(OVERSOLD), "torn": self.count(TORN), "over the limit": self.count(OVER),
            "unadmitted": self.too_early(queue, all_turns),
            "other places than the topic's": sum(place != queue.places[user] or place != along for place, _, user, along in turns),
            "tau": tau([(place, until) for place, until, *_ in sorted(turns)]),
            "together": self.number(TOGETHER), "single seats": self.number(SINGLES) / self.seats,
            "cheats let in": sum(line[3] == "201" for line in self.of("cheat", "again")), "cheats": len(self.of("cheat", "again")),
        }

    def of(self, *steps):
        return [line for line in self.answers if line[0] in steps]

    def times(self):
        """When all was held, for the first time and for good; how long purchases took."""
        held, full = 0, []
        for line in sorted(self.of("buy", "back"), key=lambda line: int(line[1])):
            held += {("buy", "201"): QUANTITY, ("back", "204"): -QUANTITY}.get((line[0], line[3]), 0)
            if held + QUANTITY > self.seats and line[0] == "buy" and line[3] == "201":
                full.append(int(line[1]) / 1e6 - self.opens)
        took = [int(line[2]) / 1000 for line in self.of("buy") if line[3] == "201"]
        refused = collections.Counter(line[3] for line in self.of("buy") if line[3] != "201")
        paid = [int(line[2]) / 1000 for line in self.of("pay") if line[3] in ("201", "202")]
        self.found |= {"all held first, s": full[0] if full else None, "all held, s": full[-1] if full else None, "purchases": len(took),
                       "purchase p50, ms": harness.percentile(took, 0.5), "purchase p99, ms": harness.percentile(took, 0.99),
                       "payment p50, ms": harness.percentile(paid, 0.5), "payment p99, ms": harness.percentile(paid, 0.99),
                       "given up": sum(line[3] == "204" for line in self.of("back")), "refused": dict(refused)}


def tau(pairs):
    """Kendall's, of pairs in the order of their first values; pairs with the same second value say nothing. 1: none is out of order."""
    out_of_order, ties, seconds = 0, 0, [second for _, second in pairs]
    rank = {value: n for n, value in enumerate(sorted(set(seconds)), 1)}
    tree, seen = [0] * (len(rank) + 1), collections.Counter()

    for n, second in enumerate(seconds):
        r, before = rank[second], 0
        ties += seen[r]
        seen[r] += 1
        at_most = r
        while at_most > 0:
            before += tree[at_most]
            at_most -= at_most & -at_most
        out_of_order += n - before
        while r < len(tree):
            tree[r] += 1
            r += r & -r
    compared = len(pairs) * (len(pairs) - 1) // 2 - ties
    return 1 - 2 * out_of_order / compared if compared else 1.0


class Memory(Background):
    """The most that each process has had, by a look each second. Postgres' servers are many, and share most of it."""

    def __init__(self, stack):
        super().__init__()
        self.pids = {name: p["pid"] for name, p in stack.status().items() if p["pid"] and not name.startswith("postgres")}
        self.most = {}

    def go(self, _):
        while not self.stopping.wait(1):
            for name, pid in self.pids.items():
                with contextlib.suppress(OSError, TypeError):  # it is gone
                    self.most[name] = max(self.most.get(name, 0), resident_kib(pid) / 1024)


class Killer(Background):
    """Each of ours once, by kill -9; the supervisor starts it again."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack

    def go(self, _):
        for name in KILLED:
            if self.stopping.wait(KILL_PAUSE):
                return
            self.stack.kill(name)


# --- what is said ---

# What, the figure's name, how it is written, the goal, and whether it is reached.
GOALS = [
    ("people who joined, a second", "joins a second", "{:,.0f}", "≥ 30,000", lambda v: v >= 30000),
    ("memory of `waiting` a person", "bytes a person", "{:.0f} bytes", "≤ 64", lambda v: v <= 64),
    ("from the opening to every place", "opening, s", "{:.2f} s", "≤ 1 s", lambda v: v <= 1),
    ("all seats held for the first time", "all held first, s", "{:.1f} s", "", None),
    ("all seats held, with a fifth given up and sold again", "all held, s", "{:.1f} s", "≤ 20 s", lambda v: v <= 20),
    ("all paid", "all paid, s", "{:.1f} s", "≤ 60 s", lambda v: v <= 60),
    ("a purchase, p50", "purchase p50, ms", "{:.1f} ms", "", None),
    ("a purchase, p99", "purchase p99, ms", "{:.1f} ms", "≤ 50 ms", lambda v: v <= 50),
    ("the answer to a payment, p50", "payment p50, ms", "{:.1f} ms", "", None),
    ("the answer to a payment, p99", "payment p99, ms", "{:.1f} ms", "", None),
    *((f"{what}", what, "{}", "0", lambda v: v == 0)
      for what in ("oversold", "torn", "over the limit", "unadmitted", "other places than the topic's", "cheats let in")),
    ("Kendall's tau of admission and place", "tau", "{:.4f}", "1", lambda v: v == 1),
    ("single seats left", "single seats", "{:.2%}", "≤ 0.5 %", lambda v: v <= 0.005),
    ("purchases that sit together", "together", "{:.2%}", "≥ 99 %", lambda v: v >= 0.99),
]


def table(found):
    lines = ["| what | measured | goal |", "|---|---|---|"]
    for what, name, form, goal, reached in GOALS:
        value = found[name]
        missed = reached is not None and (value is None or not reached(value))
        lines.append(f"| {what} | {'–' if value is None else form.format(value)}{' (missed)' if missed else ''} | {goal} |")
    return "\n".join(lines)


def results(sale):
    memory = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sale.most.items(), key=lambda item: -item[1]))
    found = sale.found
    return f"""# The minute of an on-sale

`./onsale bench onsale`, {datetime.date.today()}; the people run on the same cores: {sale.bench.settings()}.

{PEOPLE:,} people wait for {sale.seats:,} seats; {RATE:,} of them come in a second, buy {QUANTITY} together each, a fifth gives up after
{GIVE_UP:g} s, and the others pay {PAY:g} s after their purchase. STRIPE_RATE is {STRIPE_RATE}; 0: Stripe's stand-in takes what comes.
{sale.share}.
{f"Each of {', '.join(KILLED)} was killed once meanwhile." if KILLS else ""}

{table(found)}

{sale.told_joins}. {found['purchases']:,} purchases, {found['given up']:,} of them given up; {found['paid']:,} seats are paid for. Other answers to purchases:
{found['refused'] or 'none'}. {found['cheats']:,} tried to buy by another's admission, or more than their limit.

Memory at most, MiB: {memory}.

![the minute](onsale.svg)
"""


def main():
    build(["crowd"])
    with harness.stack(ADMIT_RATE=str(RATE), STRIPE_RATE=STRIPE_RATE) as stack, shares.given(stack, wanted=not KILLS) as share:
        sale = Sale(stack, share)
        sale.join()
        sale.sell()
        sale.times()
        sale.await_paid()
        sale.check()
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "RESULTS.md").write_text(text := results(sale))
        (RESULTS / "onsale.svg").write_text(picture.draw(sale.answers, sale.opens, sale.seats))
    print(text)
    return all(reached is None or (sale.found[name] is not None and reached(sale.found[name])) for _, name, _, _, reached in GOALS)


if __name__ == "__main__":
    harness.run(main)
