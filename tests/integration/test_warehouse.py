"""The warehouse: every event of every topic is a row, exactly once, whatever happens to Connect; and what its views tell is what the
services' own databases tell."""
import collections
import io
import os
import pathlib
import re
import subprocess
import sys
import uuid

import fastavro
import psycopg
import pytest
import requests

from accounts import PASSWORD, account
from shopping import Shopping
from shows import announced, bought
from support import ASKS_SOON, DEADLINE, ROOT, wait_until
from tally import SOON_FINAL
from topics import topic_schema
from test_entries import admit, buy
from warehouse import ERASABLE, TABLES, connect, loaded, reached, read_again, snake, tell_with_a_new_field, told

sys.path.append(str(ROOT / "dev"))
import clients
import fetch


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack("--analytics", HOLD_SECONDS="60", PAYMENT_GRACE_SECONDS="3", SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s",
                      SIGNUP_RATE="0", HASH_MEMORY="16", **SOON_FINAL)


@pytest.fixture(scope="module")
def ask(stack):
    """Rows of the warehouse."""
    with psycopg.connect(stack.env["WAREHOUSE_DATABASE_URL"], autocommit=True) as connection:
        yield lambda query, *args: connection.execute(query, args).fetchall()


def apply(stack):
    """What connect/apply says: {what: state}"""
    said = subprocess.run([ROOT / "connect/apply"], env={**stack.environment, **stack.env}, check=True, stdout=subprocess.PIPE, text=True)
    return dict(line.split(": ", 1) for line in said.stdout.splitlines())


def settled(stack):
    return not (stack.sql("orders", "select 1 from orders where status in ('created', 'awaiting_payment')")
                + stack.sql("payments", f"select 1 from charges where {ASKS_SOON}"))


def bad_records(stack):
    """Records that cannot become rows, of every kind: (value, what the reason says)."""
    expirations, tickets = stack.topic("expirations").schema_id(), stack.topic("tickets").schema_id()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(topic_schema("expirations")), {
        "type": "OrderExpired", "orderId": str(uuid.UUID(int=1)), "ticketId": str(uuid.UUID(int=2)), "occurredAt": 1, "expiresAt": 1, "attempt": 1})
    return [(b"no Avro at all", "artifactId"), (b"\0\0\0\x27\x0fabc", "9999"), (b"\0" + tickets.to_bytes(4, "big") + b"\2", "EOF"),
            (b"", "out of bounds"), (None, "Map"), (b"\0" + expirations.to_bytes(4, "big") + out.getvalue(), "Field does not exist: id")]


# --- the events ---

def wait_loaded(stack, ask, topic):
    def newest(rows):
        return len(rows), sum(row["kafka_offset"] for row in rows.values())
    wait_until(lambda: loaded(ask, topic) and newest(told(stack, topic)) == newest(loaded(ask, topic)), f"{topic} is in the warehouse", pause=0.5)


@pytest.fixture(scope="module")
def shopped(stack, ask):
    """Much has happened, and is in the warehouse. Meanwhile Connect was killed, and records came that are none."""
    requests.post(stack.env["STRIPE_SANDBOX_URL"] + "/sandbox/settings", json={"latency_ms": 600}, timeout=DEADLINE)
    Shopping(stack, 4).go()
    seller = stack.user()
    show, _ = announced(seller, [{"places": 5}, {}])
    buyer = stack.user()
    for quantity in (3, 2):
        answer = bought(buyer, showId=show["id"], quantity=quantity)
        assert answer.status_code == 201, answer.text
    payment = {"purchaseId": answer.json()["id"], "token": "pm_card_visa"}
    wait_until(lambda: buyer.post("/api/payments", json=payment).status_code == 201, "payments knows the purchase")
    ticket, code = buy(stack, seller, stack.user())
    assert admit(seller, ticket, code["code"], "North").status_code == 200
    stack.topic("tickets").produce_raw(*((str(uuid.uuid4()), value) for value, _ in bad_records(stack)))
    gone = account(stack.url)
    assert gone.post("/api/users/me/delete", json={"currentPassword": PASSWORD}).status_code == 204
    stack.kill("connect")
    Shopping(stack, 4).go()
    wait_until(lambda: settled(stack), "everything has come to its end")
    for topic in TABLES:
        wait_loaded(stack, ask, topic)
    return stack


@pytest.mark.parametrize("topic", TABLES)
def test_every_event_is_a_row(shopped, ask, topic):
    wait_until(lambda: (rows := told(shopped, topic)) and loaded(ask, topic) == rows, f"each record of {topic} is a row", pause=0.5)  # rows become final


def test_bad_records_are_put_aside_and_counted(shopped, ask):
    bad = bad_records(shopped)
    wait_until(lambda: len(ask("select 1 from dead_letters")) == len(bad), "all of them are there")
    found = ask("select value, reason, kafka_topic, connector from dead_letters")
    for value, reason in bad:
        rows = [row[2:] for row in found if row[0] == value and reason in row[1]]
        assert rows == [("tickets", "warehouse-tickets")], (value, reason, found)
    assert len(shopped.topic("warehouse-dead-letters").records()) >= len(bad)


# --- the views, against the services' own databases ---

def own_orders(stack, columns, rest=""):
    """From orders and the moments in its log; topics carry milliseconds."""
    return stack.sql("orders", f"""
        select {columns} from (
            select o.*, date_trunc('milliseconds', p.occurred_at) as placed_at, date_trunc('milliseconds', c.occurred_at) as paid_at,
                   date_trunc('milliseconds', x.occurred_at) as cancelled_at, date_trunc('hour', p.occurred_at) as hour
              from orders o
              join order_events p on p.id = o.id and p.type = 'OrderCreated'
              left join order_events c on c.id = o.id and c.type = 'OrderCompleted'
              left join order_events x on x.id = o.id and x.type = 'OrderCancelled') o {rest}""")


def same(ours, theirs):
    assert ours and sorted(map(repr, ours)) == sorted(map(repr, theirs))


def test_orders_agree(shopped, ask):
    same(ask("select id, version, ticket_id, buyer_id, seller_id, status, cancelled_for, price, currency, title, expires_at, placed_at,"
             " paid_at, cancelled_at from orders"),
         own_orders(shopped, "id, version, ticket_id, user_id, seller_id, status, reason, price, currency, title, expires_at, placed_at,"
                             " paid_at, cancelled_at"))
    assert {"buyer", "expired", "payment_failed", None} == {reason for reason, in ask("select distinct cancelled_for from orders")}


def test_tickets_agree(shopped, ask):
    same(ask("select id, version, seller_id, title, price, currency, status, order_id from tickets"),
         shopped.sql("tickets", "select id, version, user_id, title, price, currency, status, order_id from tickets"))


def test_payments_and_refunds_agree(shopped, ask):
    same(ask("select min(id::text)::uuid, version, min(order_id::text)::uuid, buyer_id, status, sum(amount)::bigint, currency, attempt, final, stripe_id"
             " from payments group by purchase_id, version, buyer_id, status, currency, attempt, final, stripe_id"),
         shopped.sql("payments", "select id, version, order_id, user_id, charge_status(state), amount, currency, attempt, final,"
                                 " stripe_id from charges where id is not null"))
    same(ask("select payment_id, amount from refunds where refunded_at is not null"),
         shopped.sql("payments", "select id, amount from charges where state = 'refunded'"))
    assert ask("select 1 from refunds where refunded_at is null or seconds < 0") == []


def test_users_agree(shopped, ask):
    same(ask("select id, version from users"), shopped.sql("auth", "select id, version from users"))


def test_sales_agree(shopped, ask):
    for view, unit in (("sales_by_minute", "minute"), ("sales_by_hour", "hour")):
        same(ask(f"select {unit}, currency, sold, revenue from {view}"),
             own_orders(shopped, f"date_trunc('{unit}', paid_at), currency, count(*), sum(price)::bigint",
                        "where status = 'complete' group by 1, 2"))
    same(ask("select seller_id, currency, sold, revenue, first_sale_at, last_sale_at from seller_revenue"),
         own_orders(shopped, "seller_id, currency, count(*), sum(price)::bigint, min(paid_at), max(paid_at)",
                    "where status = 'complete' group by 1, 2"))


def test_what_the_stream_counted_agrees(shopped, ask):
    """With the views."""
    same(ask("select minute, currency, sum(sold), sum(revenue)::bigint from ticket_sales where sold > 0 group by 1, 2"),
         ask("select minute, currency, sold, revenue from sales_by_minute"))
    same(ask("select distinct on (ticket_id) ticket_id, total_placed, total_expired, total_cancelled from ticket_sales"
             " order by ticket_id, minute desc"), ask("select ticket_id, orders, expired, cancelled from hot_tickets"))
    same(ask("select date_trunc('hour', minute, 'UTC'), sum(placed) from ticket_sales where placed > 0 group by 1"),
         ask("select hour, placed from conversion"))


def test_rates_agree(shopped, ask):
    same(ask("select hour, placed, paid, cancelled, expired, open, round(paid_rate::numeric, 9) from conversion"),
         own_orders(shopped, "hour, count(*), count(*) filter (where status = 'complete'), count(*) filter (where status = 'cancelled'),"
                    " count(*) filter (where reason = 'expired'), 0::bigint, round(avg((status = 'complete')::int), 9)", "group by 1"))
    same(ask("select hour, reason, cancelled, round((cancelled / rate)::numeric) from cancellations"),
         own_orders(shopped, "hour, reason, count(*), (select round(count(*)) from order_events p where p.type = 'OrderCreated'"
                    " and date_trunc('hour', p.occurred_at) = hour)::numeric", "where reason is not null group by 1, 2"))
    same(ask("select hour, paid, round(mean_seconds::numeric, 6), round(p50_seconds::numeric, 6), round(most_seconds::numeric, 6) from time_to_pay"),
         own_orders(shopped, "hour, count(*), round(avg(extract(epoch from paid_at - placed_at)), 6), round((percentile_cont(0.5) within"
                    " group (order by extract(epoch from paid_at - placed_at)::float8))::numeric, 6), round(max(extract(epoch from paid_at"
                    " - placed_at)), 6)", "where paid_at is not null group by 1"))


def test_hot_tickets_agree(shopped, ask):
    same(ask("select ticket_id, orders, buyers, expired, cancelled, first_order_at, last_order_at from hot_tickets"),
         own_orders(shopped, "ticket_id, count(*), count(distinct user_id), count(*) filter (where reason = 'expired'),"
                    " count(*) filter (where status = 'cancelled'), min(placed_at), max(placed_at)", "group by 1"))
    assert ask("select orders from hot_tickets limit 1") >= [(3,)]


def test_purchases_agree(shopped, ask):
    same(ask("select id, show_id, buyer_id, status, tickets, total from purchases"),
         shopped.sql("orders", """select purchase_of(id, purchase_size), show_id, user_id, min(status), count(*), sum(price)::bigint
                                   from orders group by 1, 2, 3"""))


def test_sales_of_shows_agree(shopped, ask):
    same(ask("select area_id, places, available, held, sold, revenue from show_sales"),
         shopped.sql("tickets", "select area_id, count(*), count(*) filter (where status = 'available'), count(*) filter (where status ="
                                " 'reserved'), count(*) filter (where status = 'sold'), coalesce(sum(price) filter (where status = 'sold'), 0)::bigint"
                                " from tickets where show_id is not null and status <> 'cancelled' group by 1"))


def test_the_demand_agrees(shopped, ask):
    """With what was placed, and with what ended unpaid, which is told a second later."""
    wait_until(lambda: sorted(ask("select show_id, sum(placed)::bigint, sum(placed_places)::bigint, sum(gave_up_places)::bigint from demand_by_minute"
                                  " group by 1 having sum(placed) > 0"))
               == sorted(shopped.sql("orders", "select show_id, count(distinct purchase_of(id, purchase_size)), count(*),"
                                               " count(*) filter (where reason in ('buyer', 'expired', 'payment_failed')) from orders"
                                               " where show_id is not null group by 1")) != [], "both say the same", pause=0.5)


def test_sales_of_areas_agree(shopped, ask):
    """With the orders' own log, minute by minute, and in the end with what tickets has for sale."""
    same(ask("select show_id, area_id, minute, placed, sold, returned, expired, revenue from show_sales_by_minute"),
         shopped.sql("orders", """
             select e.show_id, s.area_id, date_trunc('minute', e.occurred_at), count(*) filter (where e.type = 'OrderCreated'),
                    count(*) filter (where e.type = 'OrderCompleted'), count(*) filter (where e.type = 'OrderCancelled'),
                    count(*) filter (where e.type = 'OrderCancelled' and e.reason = 'expired'),
                    coalesce(sum(e.price) filter (where e.type = 'OrderCompleted'), 0)::bigint
               from order_events e join seat_rows s on s.id = row_of(e.ticket_id)
              where e.show_id is not null and e.type <> 'OrderUpdated' group by 1, 2, 3"""))
    left = dict(ask("select distinct on (area_id) area_id, places_left::bigint from show_sales_by_minute order by area_id, minute desc"))
    available = dict(shopped.sql("tickets", "select area_id, count(*) filter (where status = 'available') from tickets where area_id is not null group by 1"))
    assert left and left == {area: available[area] for area in left}


def test_lateness_of_expirations_agrees(shopped, ask):
    same(ask("select order_id, expires_at, cancelled_at from expirations where cancelled_at is not null"),
         own_orders(shopped, "id, expires_at, cancelled_at", "where reason = 'expired'"))
    assert ask("select 1 from expirations where signal_seconds < 0 or cancel_seconds < 0") == []
    assert ask("select sum(due), sum(cancelled) from expiration_lateness") == ask("select count(*), count(cancelled_at) from expirations")


# --- applying, and what goes on ---

def wait_told(ask, rows, query, *args):
    """By a view, once all that it tells of is in the warehouse."""
    found = []

    def agrees():
        found[:] = ask(query, *args)
        return found == rows
    try:
        wait_until(agrees, f"{query} gives {rows}", pause=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}, not {found}") from None


def test_who_hoards_and_who_tries_cards(shopped, ask):
    seller, hoarder, tester, honest = shopped.users(4)

    def pay(order, person, card):
        return wait_until(lambda: (a := person.post("/api/payments", json={"orderId": order["id"], "token": card})).status_code != 404 and (a,),
                          "payments knows the order")[0].status_code
    for person, given_up, paid in ((hoarder, 10, 0), (honest, 10, 3)):
        for n in range(given_up + paid):
            order = person.place(seller.list_ticket())
            if n < paid:
                assert pay(order, person, "pm_card_visa") == 201
            else:
                assert person.delete(f"/api/orders/{order['id']}").status_code == 204
    for _ in range(3):
        order = tester.place(seller.list_ticket())
        assert [pay(order, tester, card) for card in ("pm_card_chargeDeclined", "pm_card_visa_chargeDeclined")] == [402] * 2
    assert pay(order, tester, "pm_card_visa") == 201
    ours = [person.id for person in (hoarder, tester, honest)]
    wait_told(ask, [(10, 0, 10, 0)], "select held, ran_out, given_up, paid from hoarding where buyer_id = any (%s::uuid[])", ours)
    wait_told(ask, [(6, 3, 1)], "select declined, purchases, paid from card_testing where buyer_id = any (%s::uuid[])", ours)
    wait_told(ask, [(6, 1, 4)], "select declined, buyers, paid from card_testing_sellers where seller_id = %s", seller.id)


def test_columns_tell_what_their_fields_mean(shopped, ask):
    for topic, table in TABLES.items():
        comments = dict(ask("select attname, col_description(attrelid, attnum) from pg_attribute where attrelid = %s::regclass and attnum > 0", table))
        for field in topic_schema(topic)["fields"]:
            assert field["name"] in ERASABLE.get(topic, ()) or comments[snake(field["name"])] == field["doc"]


def test_applying_again_changes_nothing(shopped):
    states = apply(shopped)
    assert states.pop("all") == f"{len(TABLES) + 1} connectors run"
    assert {state for what, state in states.items()} == {"unchanged"} and len(states) == 4 + len(TABLES) + 1


def test_applying_puts_back_what_was_changed(shopped):
    config = connect(shopped, "GET", "/connectors/warehouse-orders/config")
    connect(shopped, "PUT", "/connectors/warehouse-orders/config", json=config | {"batch.size": "7"})
    connect(shopped, "DELETE", "/connectors/warehouse-users")
    states = apply(shopped)
    assert states["sinks/orders.json"] == "changed: batch.size" and states["sinks/users.json"] == "created"
    assert connect(shopped, "GET", "/connectors/warehouse-orders/config") == config


def test_read_again_from_the_beginning_each_event_meets_its_own_row(shopped, ask):
    wait_loaded(shopped, ask, "orders")
    before = set(ask("select * from order_events"))
    read_again(shopped, "orders")

    def read():
        tasks = connect(shopped, "GET", "/connectors/warehouse-orders/status")["tasks"]
        assert "FAILED" not in [task["state"] for task in tasks], tasks
        found, ends = reached(shopped, "orders"), shopped.topic("orders").ends()
        return {p: found.get(p, 0) for p in ends} == ends
    wait_until(read, "the topic was read again")
    wait_loaded(shopped, ask, "orders")  # orders that were not paid expire meanwhile: rows come, but only as many as there are events
    assert before and before <= set(ask("select * from order_events"))


def test_a_field_that_a_schema_gets_becomes_a_column(shopped, ask):
    """As CONTRIBUTING.md tells to change an event."""
    event = tell_with_a_new_field(shopped)
    wait_until(lambda: ask("select 1 from ticket_events where id = %s", event["id"]), "the event is in the warehouse")
    old = event | {"id": str(uuid.uuid4())}
    shopped.topic("tickets").produce(old, key="id")  # by a writer that is not updated yet
    wait_until(lambda: ask("select 1 from ticket_events where id = %s", old["id"]), "and so is one without it")
    assert dict(ask("select id::text, seat_row from ticket_events where id = any (%s)", [event["id"], old["id"]])) == {event["id"]: "K", old["id"]: None}


# --- what analysts begin with ---

def run_example(stack, *command):
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(command, cwd=ROOT, env={**stack.environment, **stack.env, "PATH": path}, check=True, text=True,
                          stdout=subprocess.PIPE, timeout=DEADLINE).stdout


def test_example_of_kcat(shopped):
    lines = run_example(shopped, "examples/tap.sh", "-o", "beginning", "-e").splitlines()
    assert len(lines) == len(told(shopped, "orders"))
    assert all(re.fullmatch(r"\d{13} epoch=\d+,position=[0-9a-f/]+,type=Order[A-Z][a-z]+\S* [0-9a-f-]{36}", line) for line in lines), lines[0]


def test_example_of_sql(shopped, ask):
    said = run_example(shopped, "psql", "-X", shopped.env["WAREHOUSE_DATABASE_URL"], "-f", "examples/sales.sql", "-v", "ON_ERROR_STOP=1")
    assert "Everybody's" in said and "OrderCreated" in said
    for sold, in ask("select sold from sales_by_hour"):
        assert re.search(rf"\| USD +\| +{sold} \|", said)


def test_example_of_python(shopped, ask, tmp_path):
    said = run_example(shopped, "python3", "examples/sales.py", str(tmp_path / "sales.png"))
    sums = {line.split()[0]: int(line.split()[-1]) for line in said.splitlines()[2:]}
    assert sums == {str(seller): revenue for seller, revenue in ask("select seller_id, revenue from seller_revenue")}
    assert (tmp_path / "sales.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "sales.png").stat().st_size > 5000


def test_example_of_java(shopped, tmp_path):
    """By the promises on the topic `watermarks` each minute is said when it is over, and has all that happened."""
    libraries = [*(fetch.jars() / "kafka").glob("*.jar"), *(fetch.plugins() / "converter").glob("*.jar")]
    clients.compile_java([ROOT / "examples/Minutes.java"], libraries, tmp_path)
    happened = {(str(e["id"]), e["version"]): (e["occurredAt"].strftime("%Y-%m-%dT%H:%M:00Z"), e["type"]) for e in shopped.topic("orders").events()}
    wanted, counts = collections.Counter(happened.values()), collections.Counter()

    def said(example):
        minute, _, types = example.stdout.readline().partition(" ")
        counts.update({(minute, type): int(n) for type, n in re.findall(r"(\w+)=(\d+)", types)})
        return counts == wanted
    with subprocess.Popen(["java", "-cp", ":".join(map(str, [tmp_path / "classes", *libraries])), "Minutes"], env=shopped.environment | shopped.env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as example:
        try:
            wait_until(lambda: said(example), "each minute is said as it was", pause=0)
        finally:
            example.kill()


def test_examples_are_short():
    programs = [file for file in (ROOT / "examples").rglob("*") if file.suffix in (".py", ".mjs", ".go", ".java", ".sh", ".sql", ".c")]
    assert len(programs) >= 9
    assert [file for file in programs if len(file.read_text().splitlines()) > 40] == []
