"""The warehouse's views, on a history that is known: what each must answer was worked out by hand."""
import datetime
import subprocess
import uuid

import psycopg
import pytest
from psycopg.rows import dict_row

from sandbox import postgres
from support import ROOT

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
A, B, C = (f"00000000-0000-0000-0000-0000000000{n}" for n in ("aa", "bb", "cc"))  # people: C sells to A and B


def at(minutes, seconds=0):
    return NOON + datetime.timedelta(minutes=minutes, seconds=seconds)


def hour(n):
    return at(60 * n)


def ident(kind, n):
    return f"00000000-0000-0000-{kind:04d}-{n:012d}"


def ticket(n):
    return ident(1, n)


def order(n):
    return ident(2, n)


def show(n):
    return ident(4, n)


def area(n):
    return ident(5, n)


def charge(n):
    return ident(3, n)


class History:
    """Writes rows as the sinks do."""

    def __init__(self, connection):
        self.connection, self.offset = connection, 0

    def _row(self, table, **row):
        self.offset += 1
        row |= {"kafka_partition": 0, "kafka_offset": self.offset}
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.connection.execute(f"insert into {table} ({names}) values ({values})", row)

    def show(self, n, when):
        self._row("show_events", id=show(n), version=1, type="ShowAnnounced", occurred_at=when, user_id=C, title=f"Show {n}", venue="Hall",
                  city="Basel", starts_at=at(5000), time_zone="Europe/Zurich", currency="USD", status="announced", per_user=8)

    def ticket(self, n, version, when, status, price=1000, currency="USD", holder=None, title="A seat", **place):
        kind = {1: "TicketCreated"}.get(version, "TicketCancelled" if status == "cancelled" else "TicketUpdated")
        self._row("ticket_events", id=ticket(n), version=version, type=kind, occurred_at=when, user_id=C, title=title, price=price,
                  currency=currency, status=status, order_id=holder and order(holder), **place)

    def order(self, n, on, buyer, placed, *changes, price=1000, currency="USD", **purchase):
        """changes: (when, type, status, reason)"""
        for version, (when, kind, status, reason) in enumerate([(placed, "OrderCreated", "created", None), *changes], 1):
            self._row("order_events", id=order(n), version=version, type=kind, ticket_id=ticket(on), occurred_at=when, user_id=buyer,
                      seller_id=C, status=status, expires_at=placed + datetime.timedelta(minutes=15), price=price, currency=currency,
                      title="A seat", ticket_version=1, reason=reason, **purchase)

    def charge(self, n, of, buyer, *changes, amount=1000, currency="USD", reason=None):
        """changes: (when, type, status), each of a failed try with the number of the next"""
        attempt = 1
        for version, (when, kind, status) in enumerate(changes, 1):
            self._row("payment_events", id=charge(n), version=version, type=kind, ticket_id=ticket(1), order_id=order(of),
                      occurred_at=when, user_id=buyer, status=status, amount=amount, currency=currency, attempt=attempt, final=False,
                      stripe_id=None, reason=reason if kind == "PaymentFailed" else None)
            attempt += kind == "PaymentFailed"

    def audit(self, n, when, network, outcome, reason=None, user=None, kind="SignIn"):
        self._row("audit_events", id=ident(8, n), type=kind, occurred_at=when, outcome=outcome, reason=reason, user_id=user, network=network)

    def entry(self, n, when, door):
        self._row("entry_events", id=ident(4, n), version=1, type="TicketAdmitted", ticket_id=ticket(n), occurred_at=when, show_id=ident(5, 1),
                  order_id=order(n), seller_id=C, door=door)

    def deed(self, table, on, kind, when, who):
        self._row(table, id=on, version=1, type=kind, occurred_at=when, user_id=who, session_id=ident(8, 1), network="203.0.113.0/24")

    def demand(self, n, of, when, client="api", service="orders", of_area=None, **numbers):
        self._row("demand_counts", id=ident(6, n), type="DemandCounted", show_id=show(of), area_id=of_area and area(of_area), occurred_at=when,
                  client=client, service=service, process_id=ident(7, 1), **numbers)

    def area_sales(self, of, kind, minute, part, final=False, **numbers):
        counts = dict.fromkeys(("placed", "sold", "returned", "expired", "revenue"), 0) | numbers
        self._row("area_sales", area_id=area(kind), minute=minute, part=part, show_id=show(of), version=1, type="AreaCounted", occurred_at=minute,
                  currency="USD", final=final, **counts)

    def signal(self, of, attempt, when, due):
        self._row("expiration_events", order_id=order(of), attempt=attempt, occurred_at=when, type="OrderExpired",
                  ticket_id=ticket(2), expires_at=due)


def tell(history):
    """Order 1 is paid after 30 s; 2 expires; 3, on the same ticket, is paid after 90 s; 4, in yen and an hour later, after 60 s; 5 is
    cancelled by its buyer while he pays, so that his money goes back; 6 fails to be paid; 7 is open; 8 has been paid for, but was
    withdrawn, and the refund is still to come; 9 is a second try of 2's buyer, who thinks better of it."""
    for n in range(1, 8):
        history.ticket(n, 1, at(-5), "available", title=f"Seat {n}")
    history.ticket(1, 2, at(0), "reserved", holder=1, title="Seat 1")
    history.ticket(1, 3, at(1), "sold", holder=1, price=1200, title="Seat 1")
    paid = lambda when: [(when, "OrderUpdated", "awaiting_payment", None), (when, "OrderCompleted", "complete", None)]  # noqa: E731
    history.order(1, 1, A, at(0), *paid(at(0, 30)))
    history.charge(1, 1, A, (at(0, 29), "PaymentStarted", "started"), (at(0, 30), "PaymentCreated", "succeeded"))
    history.order(2, 2, A, at(1), (at(16, 2), "OrderCancelled", "cancelled", "expired"))
    history.signal(2, 1, at(16, 0.5), at(16))
    history.signal(2, 2, at(16, 1.5), at(16))
    history.order(9, 2, A, at(17), (at(18), "OrderCancelled", "cancelled", "buyer"))
    history.order(3, 2, B, at(29), *paid(at(30, 30)), price=2000)
    history.order(4, 3, B, at(60), *paid(at(61)), price=500, currency="JPY")
    history.order(5, 4, A, at(2), (at(3), "OrderUpdated", "awaiting_payment", None), (at(4), "OrderCancelled", "cancelled", "buyer"),
                  (at(4, 9), "OrderUpdated", "cancelled", "refunded"))
    history.charge(5, 5, A, (at(3), "PaymentStarted", "started"), (at(4, 1), "PaymentCreated", "succeeded"),
                   (at(4, 6), "PaymentRefunded", "refunded"))
    history.order(6, 5, A, at(5), (at(6), "OrderCancelled", "cancelled", "payment_failed"))
    history.deed("order_deeds", order(1), "OrderCreated", at(0), A)
    history.deed("payment_deeds", charge(1), "PaymentFailed", at(1), A)
    history.charge(6, 6, A, (at(5), "PaymentStarted", "started"), (at(6), "PaymentFailed", "failed"))
    history.order(7, 6, B, at(62))
    for n, (second, door) in enumerate([(0, "North"), (59, "North"), (59, "South"), (60, "North")], 1):
        history.entry(n, at(90, second), door)
    history.order(8, 7, B, at(63), (at(64), "OrderCancelled", "cancelled", "ticket_cancelled"))
    history.charge(8, 8, B, (at(63, 30), "PaymentStarted", "started"), (at(64, 5), "PaymentCreated", "succeeded"))


def tell_of_shows(history):
    """Show 1: of five places in two areas two are sold together, one is held, one was withdrawn. Three were held together and given up."""
    history.show(1, at(-9))
    for n, kind, price in ((1, 1, 4000), (2, 1, 4000), (3, 1, 4000), (4, 2, 2500), (5, 2, 2500)):
        history.ticket(n, 1, at(-8), "available", price=price, show_id=show(1), area_id=area(kind), area_name=f"Area {kind}")
    history.ticket(9, 1, at(-8), "available", title="Of no show")
    together = {"purchase_id": order(1), "purchase_size": 2, "show_id": show(1), "price": 4000}
    for n in (1, 2):
        history.order(n, n, A, at(0), (at(2), "OrderCompleted", "complete", None), **together)
        history.ticket(n, 2, at(2), "sold", price=4000, holder=n, show_id=show(1), area_id=area(1), area_name="Area 1")
    for n in (3, 4, 5):
        history.order(n, n, B, at(1), (at(16), "OrderCancelled", "cancelled", "expired"), purchase_id=order(3), purchase_size=3,
                      show_id=show(1), price=2500)
    history.order(6, 4, B, at(20), purchase_id=order(6), purchase_size=1, show_id=show(1), price=2500)
    history.ticket(4, 2, at(20), "reserved", price=2500, holder=6, show_id=show(1), area_id=area(2), area_name="Area 2")
    history.ticket(5, 2, at(21), "cancelled", price=2500, show_id=show(1), area_id=area(2), area_name="Area 2")
    history.order(7, 9, B, at(22))  # as orders were before there were purchases
    history.demand(1, 1, at(0, 1), "page", asked=3, asked_places=7, placed=1, placed_places=2, repeated=1, refused_taken=1, of_area=1)
    history.demand(2, 1, at(0, 59), asked=4, asked_places=9, failed=1, refused_sold_out=2, refused_other=1)
    history.demand(7, 1, at(1, 2), asked=3, refused_lapsed=1, refused_crowded=1, refused_fewer=1)
    history.demand(3, 1, at(0, 59), "page", "web", came=40)
    history.demand(4, 1, at(1), "none", "waiting", admitted=5, missed=2)
    history.demand(5, 1, at(1, 1), "none", gave_up_places=3, of_area=1)
    history.area_sales(1, 1, at(0), 3, True, placed=1)
    history.area_sales(1, 1, at(0), 5, True, placed=1)
    history.area_sales(1, 1, at(2), 3, True, sold=1, revenue=4000)
    history.area_sales(1, 1, at(2), 5, sold=1, revenue=4000)
    history.area_sales(1, 2, at(1), 3, True, placed=2)
    history.area_sales(1, 2, at(16), 3, True, returned=2, expired=2)
    history.area_sales(1, 2, at(20), 3, placed=1)
    history.demand(6, 2, at(0), "page", "web", came=1)


def tell_of_attacks(history):
    """B holds eleven tickets and pays for two, A holds ten and pays for as many as it takes; B has five declined cards, A four and some that were none; a
    network tries twenty passwords within an hour, another nineteen, and one as many over two hours."""
    fates = {**{why: ("OrderCancelled", "cancelled", why) for why in ("expired", "buyer")}, "paid": ("OrderCompleted", "complete", None)}
    held = [(B, [*["expired"] * 7, *["buyer"] * 3, *["paid"] * 2]), (A, [*["expired"] * 10, *["paid"] * 3]), (C, ["expired"] * 9)]
    n = 0
    for buyer, ends in held:
        for end in ends:
            n += 1
            history.ticket(n, 1, at(-5), "available")
            history.order(n, n, buyer, at(n), (at(n, 30), *fates[end]))
    declined = [(at(1, second), "PaymentFailed", "failed") for second in range(4)]
    history.charge(1, 1, B, *declined, (at(2), "PaymentCreated", "succeeded"), reason="card_declined")
    history.charge(2, 2, B, (at(3), "PaymentFailed", "failed"), reason="card_declined")
    history.charge(13, 13, A, *declined, reason="card_declined")
    history.charge(14, 14, A, (at(2), "PaymentFailed", "failed"), reason="order_ended")
    n = 0
    for network, count, begin in (("192.0.2.0/24", 20, at(0)), ("198.51.100.0/24", 19, at(0)), ("203.0.113.0/24", 20, at(30))):
        for turn in range(count):
            n += 1
            history.audit(n, begin + datetime.timedelta(minutes=2 * turn), network, "Refused", ("password", "no account")[turn % 2], (A, None)[turn % 2])
    for reason in ("too many", "no code"):  # nothing was tried by these
        history.audit(n := n + 1, at(1), "198.51.100.0/24", "Refused", reason, A)
    history.audit(n + 1, at(40), "192.0.2.0/24", "Done", None, B)
    history.audit(n + 2, at(40), "198.51.100.0/24", "Refused", "password", A, "PasswordChange")


@pytest.fixture(scope="module", params=[tell])
def warehouse(request):
    with postgres() as url, psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        for file in sorted((ROOT / "connect/warehouse").glob("*.sql")):
            subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", url, "-f", file], check=True)
        connection.execute("set timezone = 'Asia/Kathmandu'")  # 5:45 ahead: hours are UTC's all the same
        request.param(History(connection))
        yield connection


@pytest.fixture
def ask(warehouse):
    def ask(view, *columns, order=None):
        """Rows as tuples of these columns; ids and numbers as they were told."""
        rows = warehouse.execute(f"select {', '.join(columns)} from {view} order by {order or '1, 2'}").fetchall()
        return [tuple(str(v) if isinstance(v, uuid.UUID) else v for v in row.values()) for row in rows]
    return ask


def test_tickets_are_as_their_newest_events(ask):
    rows = ask("tickets", "id", "version", "status", "price", "order_id")
    assert rows[0] == (ticket(1), 3, "sold", 1200, order(1))
    assert rows[1:] == [(ticket(n), 1, "available", 1000, None) for n in range(2, 8)]


def test_orders_with_the_moments_of_their_lives(ask):
    rows = ask("orders", "id", "version", "status", "cancelled_for", "placed_at", "paid_at", "cancelled_at", "buyer_id")
    assert rows == [
        (order(1), 3, "complete", None, at(0), at(0, 30), None, A),
        (order(2), 2, "cancelled", "expired", at(1), None, at(16, 2), A),
        (order(3), 3, "complete", None, at(29), at(30, 30), None, B),
        (order(4), 3, "complete", None, at(60), at(61), None, B),
        (order(5), 4, "cancelled", "buyer", at(2), None, at(4), A),  # also after its refund was told
        (order(6), 2, "cancelled", "payment_failed", at(5), None, at(6), A),
        (order(7), 1, "created", None, at(62), None, None, B),
        (order(8), 2, "cancelled", "ticket_cancelled", at(63), None, at(64), B),
        (order(9), 2, "cancelled", "buyer", at(17), None, at(18), A)]


def test_payments(ask):
    rows = ask("payments", "id", "status", "order_id", "started_at", "succeeded_at", "refunded_at")
    assert rows == [
        (charge(1), "succeeded", order(1), at(0, 29), at(0, 30), None),
        (charge(5), "refunded", order(5), at(3), at(4, 1), at(4, 6)),
        (charge(6), "failed", order(6), at(5), None, None),
        (charge(8), "succeeded", order(8), at(63, 30), at(64, 5), None)]


def test_sales(ask):
    assert ask("sales_by_minute", "minute", "currency", "sold", "revenue") == [
        (at(0), "USD", 1, 1000), (at(30), "USD", 1, 2000), (at(61), "JPY", 1, 500)]
    assert ask("sales_by_hour", "hour", "currency", "sold", "revenue") == [(hour(0), "USD", 2, 3000), (hour(1), "JPY", 1, 500)]


def test_conversion(ask):
    assert ask("conversion", "hour", "placed", "paid", "cancelled", "expired", "open", "paid_rate") == [
        (hour(0), 6, 2, 4, 1, 0, pytest.approx(1 / 3)), (hour(1), 3, 1, 1, 0, 1, pytest.approx(1 / 3))]


def test_time_to_pay(ask):
    assert ask("time_to_pay", "hour", "paid", "mean_seconds", "p50_seconds", "p90_seconds", "p99_seconds", "most_seconds") == [
        (hour(0), 2, 60, 60, 84, pytest.approx(89.4), 90), (hour(1), 1, 60, 60, 60, 60, 60)]


def test_cancellations(ask):
    assert ask("cancellations", "hour", "reason", "cancelled", "rate") == [
        (hour(0), "buyer", 2, pytest.approx(1 / 3)), (hour(0), "expired", 1, pytest.approx(1 / 6)),
        (hour(0), "payment_failed", 1, pytest.approx(1 / 6)),
        (hour(1), "ticket_cancelled", 1, pytest.approx(1 / 3))]


def test_hot_tickets(ask):
    rows = ask("hot_tickets", "ticket_id", "title", "seller_id", "status", "orders", "buyers", "expired", "cancelled",
               "first_order_at", "last_order_at", order="orders desc, ticket_id")
    assert rows[0] == (ticket(2), "Seat 2", C, "available", 3, 2, 1, 2, at(1), at(29))
    assert rows[1] == (ticket(1), "Seat 1", C, "sold", 1, 1, 0, 0, at(0), at(0))
    assert [row[4] for row in rows] == [3, 1, 1, 1, 1, 1, 1]


def test_seller_revenue(ask):
    assert ask("seller_revenue", "seller_id", "currency", "sold", "revenue", "first_sale_at", "last_sale_at") == [
        (C, "JPY", 1, 500, at(61), at(61)), (C, "USD", 2, 3000, at(0, 30), at(30, 30))]


def test_refunds(ask):
    assert ask("refunds", "payment_id", "order_id", "amount", "cancelled_for", "refunded_at", "seconds") == [
        (charge(5), order(5), 1000, "buyer", at(4, 6), 5), (charge(8), order(8), 1000, "ticket_cancelled", None, None)]


def test_lateness_of_expirations(ask):
    assert ask("expirations", "order_id", "expires_at", "signalled_at", "signals", "cancelled_at", "signal_seconds", "cancel_seconds") == [
        (order(2), at(16), at(16, 0.5), 2, at(16, 2), 0.5, 2)]
    assert ask("expiration_lateness", "hour", "due", "cancelled", "signal_p50_seconds", "signal_most_seconds", "cancel_p99_seconds") == [
        (hour(0), 1, 1, 0.5, 0.5, 2)]


def test_entries_by_minute(ask):
    assert ask("entries_by_minute", "minute", "show_id", "door", "admitted", order="1, 3") == [
        (at(90), ident(5, 1), "North", 2), (at(90), ident(5, 1), "South", 1), (at(91), ident(5, 1), "North", 1)]


def test_audit_of_what_was_held_and_paid(ask):
    assert ask("audit", "occurred_at", "type", "outcome", "user_id", "session_id", "subject_id", "network") == [
        (at(0), "OrderCreated", "Done", A, ident(8, 1), order(1), "203.0.113.0/24"),
        (at(1), "PaymentFailed", "Refused", A, ident(8, 1), charge(1), "203.0.113.0/24")]


def test_freshness(ask):
    rows = {row[0]: row[1:] for row in ask("freshness", "topic", "events", "newest_at", order="1")}
    assert rows == {"users": (0, None), "tickets": (9, at(1)), "shows": (0, None), "orders": (22, at(64)), "payments": (9, at(64, 5)),
                    "audit": (0, None), "tickets-audit": (0, None), "orders-audit": (1, at(0)), "payments-audit": (1, at(1)), "entries": (4, at(91)),
                    "expirations": (2, at(16, 1.5)), "demand": (0, None), "sales-by-minute": (0, None), "show-sales": (0, None)}


of_shows = pytest.mark.parametrize("warehouse", [tell_of_shows], indirect=True, scope="module")


@of_shows
def test_how_a_show_sells(ask):
    assert ask("show_sales", "show_id", "area_name", "title", "city", "currency", "places", "available", "held", "sold", "revenue") == [
        (show(1), "Area 1", "Show 1", "Basel", "USD", 3, 1, 0, 2, 8000), (show(1), "Area 2", "Show 1", "Basel", "USD", 1, 0, 1, 0, 0)]


@of_shows
def test_how_a_show_sells_by_minute(ask):
    """Parts add up; of Area 2 one place is left, as one was withdrawn."""
    assert ask("show_sales_by_minute", "area_name", "minute", "placed", "sold", "returned", "expired", "revenue", "places_left", "final") == [
        ("Area 1", at(0), 2, 0, 0, 0, 0, 1, True), ("Area 1", at(2), 0, 2, 0, 0, 8000, 1, False),
        ("Area 2", at(1), 2, 0, 0, 0, 0, -1, True), ("Area 2", at(16), 0, 0, 2, 2, 0, 1, True), ("Area 2", at(20), 1, 0, 0, 0, 0, 0, False)]


@of_shows
def test_the_demand_for_a_show(ask):
    assert ask("demand_by_minute", "minute", "show_id", "came", "joined", "admitted", "missed", "asked", "asked_by_page", "asked_places", "placed",
               "placed_places", "repeated", "failed", "refused", "refused_taken", "refused_sold_out", "refused_other", "gave_up_places",
               "refused_lapsed", "refused_crowded", "refused_fewer") == [
        (at(0), show(1), 40, 0, 0, 0, 7, 3, 16, 1, 2, 1, 1, 4, 1, 2, 1, 0, 0, 0, 0), (at(0), show(2), 1, *[0] * 18),
        (at(1), show(1), 0, 0, 5, 2, 3, *[0] * 6, 3, 0, 0, 0, 3, 1, 1, 1)]
    assert ask("demand_by_area", "area_id", "asked", "asked_places", "placed_places", "too_late", "gave_up_places", "first_asked_at", "last_asked_at",
               order="show_id, area_id") == [(area(1), 3, 7, 2, 1, 3, at(0, 1), at(0, 1)), (None, 7, 9, 0, 2, 0, at(0, 59), at(1, 2)),
                                             (None, 0, 0, 0, 0, 0, None, None)]


@of_shows
def test_purchases(ask):
    assert ask("purchases", "id", "show_id", "buyer_id", "status", "tickets", "total", "placed_at", "paid_at", "cancelled_for") == [
        (order(1), show(1), A, "complete", 2, 8000, at(0), at(2), None), (order(3), show(1), B, "cancelled", 3, 7500, at(1), None, "expired"),
        (order(6), show(1), B, "created", 1, 2500, at(20), None, None), (order(7), None, B, "created", 1, 1000, at(22), None, None)]


@of_shows
def test_purchase_sizes(ask):
    assert ask("purchase_sizes", "show_id", "tickets", "placed", "paid", "expired", "cancelled", "paid_rate") == [
        (show(1), 1, 1, 0, 0, 0, 0), (show(1), 2, 1, 1, 0, 0, 1), (show(1), 3, 1, 0, 1, 1, 0)]


of_attacks = pytest.mark.parametrize("warehouse", [tell_of_attacks], indirect=True, scope="module")


@of_attacks
def test_hoarding(ask):
    """Ten that were let go, and less than one of five paid: 13 tickets with 3 paid are no hoard, and 9 let go are not."""
    assert ask("hoarding", "buyer_id", "held", "ran_out", "given_up", "paid") == [(B, 12, 7, 3, 2)]


@of_attacks
def test_card_testing(ask):
    """Five of a person and a day; an order that ended declines nobody's card."""
    assert ask("card_testing", "buyer_id", "declined", "purchases", "paid") == [(B, 5, 2, 1)]


@of_attacks
def test_password_guessing(ask):
    """Twenty from a network within an hour. What was refused as too many, or was only asked for its code, was no guess."""
    assert ask("password_guessing", "hour", "network", "wrong", "accounts", "no_account", "signed_in") == [
        (hour(0), "192.0.2.0/24", 20, 1, 10, [uuid.UUID(B)])]
