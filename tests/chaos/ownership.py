"""The history of who owns each ticket, for tests/chaos/check: what was asked and answered about orders, and, of those orders whose answer
was lost or that ended by themselves, what the database knows, with the widest time in which it can have happened."""
import collections
import json

from history import OK, REFUSED, UNKNOWN, now_us

CLOCKS = 50_000  # microseconds: a database rounds times to milliseconds, and its clock is read elsewhere
TAKEN = ("This ticket is reserved", "This ticket is sold")


def message(entry):
    answer = entry["answer"]
    return answer["errors"][0]["message"] if isinstance(answer, dict) and "errors" in answer else ""


def line(ticket, do, order, start, end, number=0, sure=True):
    return json.dumps({"ticket": ticket, "do": do, "order": order, "start": start, "end": end, "sure": sure, "line": number})


def operations(history, rows):
    """JSON lines. rows: of orders, (id, ticket, user, status, reason, the purchase's key, expires at, purchase)."""
    last, asked = now_us(), history.of("order")
    starts = Starts(history)
    for row in rows:
        yield from of_order(starts, row, last)
    for e in asked:
        if e["outcome"] == REFUSED and message(e) in TAKEN:
            yield line(e["ticket"], "taken", "", e["start"], e["end"], e["line"])
    for e in history.of("cancel"):
        for order, ticket in e["all"]:
            if e["outcome"] == OK:
                yield line(ticket, "cancel", order, e["start"], e["end"], e["line"])
            elif e["outcome"] == UNKNOWN:
                yield line(ticket, "cancel", order, e["start"], last, e["line"], sure=False)
            elif e["status"] == 409:
                yield line(ticket, "kept", order, e["start"], e["end"], e["line"])


class Starts:
    """When what can have changed an order was first asked for."""

    def __init__(self, history):
        self.asked = collections.defaultdict(list)
        for e in history.of("order"):
            self.asked[e["user"], e["ticket"], e.get("Idempotency-Key")].append(e)
        for e in history.of("buy"):
            self.asked[e["user"], e["Idempotency-Key"]].append(e)
            self.asked[e["user"], f"admission {e['show']}"].append(e)  # by a turn for so many: orders keeps a key of its own for it
        self.first = {}
        for e in history.of("pay", "cancel", "withdraw"):
            if e["do"] == "pay" or e["outcome"] != REFUSED:  # a payment may succeed after a request about it was refused
                for what in [e["ticket"]] if e["do"] == "withdraw" else [order for order, _ in e["all"]]:
                    self.first[e["do"], what] = min(e["start"], self.first.get((e["do"], what), e["start"]))

    def placing(self, order, ticket, user, key, purchase):
        """The requests that can have placed it, and those that said so."""
        same = self.asked[user, ticket, key] + self.asked[user, key] + self.asked[user, (key or "").rpartition(" ")[0]]
        answered = [e for e in same if e["outcome"] == OK and e["answer"]["id"] == purchase]
        begun = same if key or not answered else answered
        assert begun, f"nobody asked for order {order} of ticket {ticket}"
        return begun, answered

    def of(self, do, what, said):
        assert (do, what) in self.first, f"{said}, and nobody asked for that"
        return self.first[do, what]


def of_order(starts, row, last):
    order, ticket, user, status, reason, key, expires_at, purchase = row
    begun, answered = starts.placing(order, ticket, user, key, purchase)
    first = min(answered, key=lambda e: e["end"], default=None)
    yield line(ticket, "got", order, min(e["start"] for e in begun), first["end"] if first else last, (first or begun[0])["line"])

    said = f"order {order} of ticket {ticket} is {status} ({reason})"
    if status == "complete":
        yield line(ticket, "complete", order, starts.of("pay", order, said), last)
    elif reason == "expired":
        yield line(ticket, "end", order, expires_at - CLOCKS, last)
    elif reason == "ticket_cancelled":
        yield line(ticket, "end", order, starts.of("withdraw", ticket, said), last)
    elif reason == "payment_failed":
        yield line(ticket, "end", order, starts.of("pay", order, said), last)
    elif reason == "buyer":
        starts.of("cancel", order, said)
