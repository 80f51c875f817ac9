"""From each combination of what the three services can know of an order after a failover (its ticket, the order, its charge), all come to agree without a
person; and from each of a purchase of two, of whose tickets one is as its orders say. The rows of all of them are written into the databases, with the
events that led there, and everything then runs by itself."""
import collections
import itertools
import time
import uuid

import psycopg
import pytest

from sandbox import Books
from support import missing_id, wait_until
from test_tickets import order as event

EXPIRES = 60  # seconds until the orders end that nobody pays: enough to write all down
PRICE, TOKEN = 2000, "pm_card_visa"
NEEDS_CONFIRMATION = "pm_card_authenticationRequired"

# What tickets knows: the statuses that its ticket had, and the version up to which it has seen the order.
TICKETS = {"available": (["available"], 0), "reserved": (["available", "reserved"], 1), "sold": (["available", "reserved", "sold"], 3),
           "given back": (["available", "reserved", "available"], 3), "withdrawn": (["available", "cancelled"], 0)}
# What orders knows: the statuses that its order had. One that is missing was lost; its event is on the topic.
ORDERS = {"missing": [], "created": ["created"], "awaiting": ["created", "awaiting_payment"],
          "complete": ["created", "awaiting_payment", "complete"], "cancelled": ["created", "cancelled"]}
# What payments knows: what happened to its charge.
CHARGES = {"missing": [], "none": ["known"], "started": ["known", "attempt"], "action": ["known", "attempt", "requires_action"],
           "failed": ["known", "attempt", "declined"], "succeeded": ["known", "attempt", "succeeded"],
           "refunding": ["known", "attempt", "succeeded", "order cancelled"],
           "refunded": ["known", "attempt", "succeeded", "order cancelled", "refunded"]}

# How it ends. sold: the order is complete, and so on. free: it is not, and nobody's money is kept. either: paid just in time, or not. (So does what
# was paid for an order that lives, if its ticket was withdrawn: orders hears of one or the other first.)
# forgotten: complete, and of its payment nothing is known any more, which no event brings back (docs/decisions.md, Healing).
ENDS = """
             missing    none       started   action     failed     succeeded  refunding  refunded
missing      free       free       free      free       free       free       free       free
created      free       free       either    free       free       sold       free       free
awaiting     free       free       either    free       free       sold       free       free
complete     forgotten  forgotten  sold      sold       forgotten  sold       free       free
cancelled    free       free       free      free       free       free       free       free
"""
HEAD, *LINES = [line.split() for line in ENDS.strip().splitlines()]
TABLE = {(order, charge): end for order, *ends in LINES for charge, end in zip(HEAD, ends, strict=True)}
IN_TIME = {"sold": ("complete", {"succeeded"}), "free": ("cancelled", {"none", "failed", "refunded"}),
           "forgotten": ("complete", {"none", "failed"})}

# The other ticket of a purchase: as it is when nothing is lost.
RIGHT = {"missing": "available", "created": "reserved", "awaiting": "reserved", "complete": "sold", "cancelled": "given back"}

LATER = 100_000  # the version of what a promoted server says first (next_version)
# The order came to this end after it had lost the other one, which tickets has heard of.
AFTER_THE_LOSS = {("sold", "cancelled"), ("given back", "complete")}

# tickets: the states of its tickets, in the order of orders and ticket_ids. The id of a purchase is that of its first order. expires: when all is
# written down, and not known before.
Case = collections.namedtuple("Case", "ticket order charge tickets orders ticket_ids user seller payment expires")


def everything():
    for ticket, order, charge in itertools.product(TICKETS, ORDERS, CHARGES):
        for n, tickets in enumerate(((ticket,), (ticket, RIGHT[order]), (RIGHT[order], ticket))):
            if n < 2 or ticket != RIGHT[order]:
                orders = (missing_id(),) if n == 0 else in_places(missing_id())
                yield Case(ticket, order, charge, tickets, orders, tuple(missing_id() for _ in tickets), str(uuid.uuid4()), str(uuid.uuid4()),
                           in_places(missing_id())[0], None)


def in_places(id):
    """The ids of a purchase's two orders, and of their payments, differ in the last digit alone."""
    return id[:-1] + "0", id[:-1] + "1"


def write_ticket(db, c, place):
    statuses, seen = TICKETS[c.tickets[place]]
    order, ticket = c.orders[place], c.ticket_ids[place]
    holder = [order if status in ("reserved", "sold") else None for status in statuses]
    db.execute("insert into tickets (id, version, user_id, title, price, currency, status, order_id) values (%s, %s, %s, 'T', %s, 'USD', %s, %s)",
               (ticket, len(statuses), c.seller, PRICE, statuses[-1], holder[-1]))
    for version, status in enumerate(statuses, 1):
        kind = "TicketCreated" if version == 1 else "TicketCancelled" if status == "cancelled" else "TicketUpdated"
        db.execute("insert into ticket_events (type, id, version, user_id, title, price, currency, status, order_id)"
                   " values (%s, %s, %s, %s, 'T', %s, 'USD', %s, %s)",
                   (kind, ticket, version, c.seller, PRICE, status, holder[version - 1]))
    if seen:
        db.execute("insert into seen_orders values (%s, %s)", (order, seen))


def write_order(db, c, place):
    statuses, order = ORDERS[c.order], c.orders[place]
    if not statuses:
        return
    versions = list(range(1, len(statuses) + 1))
    if (c.ticket, c.order) in AFTER_THE_LOSS:
        versions[-1] = LATER
    status, reason = statuses[-1], "buyer" if statuses[-1] == "cancelled" else None
    what = {"id": order, "ticket_id": c.ticket_ids[place], "user_id": c.user, "seller_id": c.seller, "price": PRICE, "currency": "USD", "title": "T",
            "ticket_version": 1, "purchase_size": len(c.orders)}
    insert(db, "orders", what | {
        "version": versions[-1], "status": status, "reason": reason, "hold_slot": place if status in ("created", "awaiting_payment") else None,
        "payment_id": c.payment if len(statuses) > 1 and not reason else None,
        "payment_version": len(statuses) - 1 if len(statuses) > 1 and not reason else None},
        expires_at=c.expires, grace_ends_at=c.expires + 2)
    for version, passed in zip(versions, statuses, strict=True):
        kind = {"created": "OrderCreated", "awaiting_payment": "OrderUpdated", "complete": "OrderCompleted", "cancelled": "OrderCancelled"}[passed]
        insert(db, "order_events", what | {"type": kind, "version": version, "status": passed, "reason": reason if passed == "cancelled" else None,
                                           "purchase_id": c.orders[0]}, expires_at=c.expires)


def insert(db, table, values, **times):
    names = [*values, *times]
    places = ", ".join(["%s"] * len(values) + ["to_timestamp(%s)"] * len(times))
    db.execute(f"insert into {table} ({', '.join(names)}) values ({places})", [*values.values(), *times.values()])


def token_of(c):
    return NEEDS_CONFIRMATION if "requires_action" in CHARGES[c.charge] and c.order != "complete" else TOKEN


def intent_of(c, books):
    """What Stripe knows of it."""
    if not {"requires_action", "succeeded"} & set(CHARGES[c.charge]):
        return None
    intent = books.post("/v1/payment_intents", amount=PRICE * len(c.orders), currency="usd", confirm="true", payment_method=token_of(c),
                        **{"payment_method_types[0]": "card", "metadata[orderId]": c.orders[0], "metadata[chargeId]": c.payment,
                           "metadata[attempt]": 1})["id"]
    if "refunded" in CHARGES[c.charge]:
        books.post("/v1/refunds", payment_intent=intent)
    return intent


class Payments:
    """What happened to a charge, by the service's own functions."""

    def __init__(self, db, intents):
        self.db, self.intents = db, intents

    def write(self, c):
        steps, intent = CHARGES[c.charge], self.intents[c.orders[0]]
        for step in steps:
            if step == "known":
                self.told(c, 1, "created")
            elif step == "attempt":
                self.db.execute("select write_attempts(%s, %s, %s, %s, array[null], array[3], array[null])",
                                ([uuid.UUID(c.orders[0])], [uuid.UUID(c.payment)], [uuid.UUID(c.user)], [token_of(c)]))
                self.db.execute("update charges set sent_at = sent_at - interval '1 hour', ask_at = now() where order_id = %s",
                                (c.orders[0],))  # no search is late
            elif step == "order cancelled":
                self.told(c, 2, "cancelled")
            else:
                self.db.execute("select write_charges(%s, array[1], %s, array[%s::text], array[null], array['s'], array[null], array[null])",
                                ([uuid.UUID(c.orders[0])], [step], intent))

    def told(self, c, version, status):
        for order, ticket in zip(c.orders, c.ticket_ids):
            self.db.execute("""select write_purchases(array[%s::uuid], array[%s], array[%s::uuid], array[%s::uuid], array[%s], array[%s::int8],
                                                      array['USD'], array[to_timestamp(%s)], array[null], array[%s::uuid], array[%s])""",
                            (order, version, ticket, c.user, status, PRICE, c.expires, c.orders[0], len(c.orders)))


@pytest.fixture
def later_versions(stack):
    """What a service says from now on counts against all that was lost, as after a promotion (next_version)."""
    services = ("tickets", "orders", "payments")
    [[usual]] = stack.sql("orders", "select pg_get_functiondef('next_version'::regproc)")
    for service in services:
        stack.sql(service, f"create or replace function next_version(version int) returns int language sql as 'select greatest(version + 1, {LATER})'")
    yield
    for service in services:
        stack.sql(service, usual.replace("%", "%%"))


def test_whatever_was_lost_all_agree(stack, later_versions):
    books, cases = Books(stack), list(everything())
    intents = {c.orders[0]: intent_of(c, books) for c in cases}
    expires = time.time() + EXPIRES  # not before this, which takes long
    cases = [c._replace(expires=expires) for c in cases]
    with psycopg.connect(stack.env["PAYMENTS_DATABASE_URL"]) as db, db.pipeline():
        payments = Payments(db, intents)
        for c in cases:
            payments.write(c)
        with (psycopg.connect(stack.env["ORDERS_DATABASE_URL"]) as orders, orders.pipeline(),
              psycopg.connect(stack.env["TICKETS_DATABASE_URL"]) as tickets, tickets.pipeline()):
            for c in cases:
                for place in range(len(c.orders)):
                    write_order(orders, c, place)
                    write_ticket(tickets, c, place)
    stack.topic("orders").produce(*(
        event({"id": ticket, "userId": c.seller, "title": "T", "version": 1}, "created", 1, order, userId=c.user, expiresAt=int(c.expires * 1000),
              purchaseId=c.orders[0], purchaseSize=len(c.orders))
        for c in cases if c.order == "missing" for order, ticket in zip(c.orders, c.ticket_ids)))
    left = {}

    def settled():
        left.clear()
        left.update(wrong(stack, books, cases))
        return not left
    try:
        wait_until(settled, "all agree", pause=0.5)
    except AssertionError:
        raise AssertionError(f"{len(left)} of {len(cases)} do not agree:\n" + "\n".join(f"{describe(c)}: {why}" for c, why in left.items())) from None


def describe(c):
    return f"{' + '.join(c.tickets)} / {c.order} / {c.charge}"


def wrong(stack, books, cases):
    """{case: what is not as it shall be}"""
    ids, ticket_ids = [i for c in cases for i in c.orders], [i for c in cases for i in c.ticket_ids]
    tickets = {i: (s, o) for i, s, o in stack.sql("tickets", "select id::text, status, order_id::text from tickets where id = any (%s::uuid[])", ticket_ids)}
    orders = dict(stack.sql("orders", "select id::text, status from orders where id = any (%s::uuid[])", ids))
    charges = {i: (s, a) for i, s, a in stack.sql("payments", "select order_id::text, state, ask from charges where order_id = any (%s::uuid[])", ids)}
    kept = {m["orderId"]: captured - refunded for _, _, _, captured, refunded, _, _, m in books.all()}
    for c in cases:
        now = [tickets[i] for i in c.ticket_ids], [orders.get(i) for i in c.orders], charges.get(c.orders[0]), kept.get(c.orders[0], 0)
        if not any(fits(end, *now, c) for end in ends(c)):
            owned = [status + (" by it" if by in c.orders else "") for status, by in now[0]]
            yield c, f"{owned}, {now[1]}, {now[2]}, {now[3]} kept, not {' or '.join(ends(c))}"


def ends(c):
    end = TABLE[c.order, c.charge]
    open_still = end == "either" or (c.ticket == "withdrawn" and c.order in ("created", "awaiting") and end == "sold")
    return ["sold", "free"] if open_still else [end]


def fits(end, tickets, orders, charge, kept, c):
    order_ends, charge_ends = IN_TIME[end]
    state, ask = charge or ("none", None)
    sold = [(status, by) == ("sold", order) for (status, by), order in zip(tickets, c.orders)]
    return (all(status in ((order_ends, None) if end == "free" else (order_ends,)) for status in orders)
            and state in charge_ends and ask in (None, "find") and kept == (PRICE * len(c.orders) if end == "sold" else 0)
            and all(s == (end != "free") for s in sold) and all(s or by is None for s, (_, by) in zip(sold, tickets)))
