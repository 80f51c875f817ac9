"""A statement is planned when its service starts, maybe over empty tables, and the plan is kept (PG_PLANNING). Here each is planned so, the tables
grow, and it does its work on a batch: no part of its plan may read much more rows than the batch has."""
import json
import uuid

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from planning import settings_of_the_service
from support import ROOT

BATCH, GROWN, A_ROW = 200, 5000, 12  # A_ROW: that a row of a batch may lead to
ID = "('018f0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
USER = "'018f0000-0000-7000-9000-000000000001'::uuid"
ORDERS = f"""
insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title, ticket_version, hold_slot)
select {ID}, 1, {ID}, ('018f0000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, {USER}, 'created', now() + interval '1 h', now() + interval '1 h',
       100, 'USD', 'Seat', 1, 1 from generate_series(1, {GROWN}) n"""
# Held from a network each, beside lapses of as many buyers; and tickets that nobody holds.
PLACED = f"""{ORDERS};
update orders set network = r.n << 16 from (select n::bigint, {ID} as id from generate_series(1, {GROWN}) n) r where orders.id = r.id;
insert into lapses select user_id, ticket_id, id from orders;
insert into tickets select overlay({ID}::text placing '8001' from 20)::uuid, 1, {USER}, 'Seat', 100, 'USD', 'available' from generate_series(1, {GROWN}) n"""
# Each of another seller, beside declines of as many cards, one of which each comes with, and tries of as many sellers.
CHARGES = f"""
insert into charges (order_id, order_version, order_status, ticket_id, user_id, amount, currency, expires_at, seller_id)
select {ID}, 1, 'created', {ID}, {USER}, 100, 'USD', now() + interval '1 h', {ID} from generate_series(1, {GROWN}) n;
insert into card_declines select {ID}, 1, 'print ' || n, 'pm_card_' || n from generate_series(1, {GROWN}) n;
insert into seller_tries select {ID}, date_bin('15 minutes', now(), 'epoch'), 0, 1, 1 from generate_series(1, {GROWN}) n"""


def each(kind, value):
    """An array of the batch's size. value: what each row has, by its number from 1."""
    return f"array[{', '.join(str(value(n)) for n in range(1, BATCH + 1))}]::{kind}[]"


def uuids(prefix):
    return each("uuid", lambda n: f"'{prefix}-{n:012x}'")


KNOWN, FREE, NEW, BUYERS = "018f0000-0000-7000-8000", "018f0000-0000-7000-8001", "ffff0000-0000-7000-8000", "018f0000-0000-7000-9000"
BUYER = each("uuid", lambda n: f"'{BUYERS}-000000000001'")
NULL = each("text", lambda n: "null")
ASKER = (uuids(KNOWN), each("text", lambda n: "'203.0.113.77'"), each("text", lambda n: "'203.0.113.0/24'"))
CASES = {  # (service, statement): what the tables grow by, and the arguments
    ("tickets", "on_order"): (f"insert into seen_orders select {ID}, 1 from generate_series(1, {GROWN}) n",
                              (uuids(NEW), uuids(NEW), BUYER, each("int", lambda n: 1), each("text", lambda n: "'created'"), NULL)),
    ("tickets", "on_show_sales"): (f"insert into show_sales select {ID}, '2030-01-01', {ID}, 0, 1, 1, 0, 0, 0 from generate_series(1, {GROWN}) n",
                                   (uuids(KNOWN), each("timestamptz", lambda n: "'2030-01-01'"), uuids(KNOWN), each("int", lambda n: 0),
                                    *[each("int", lambda n: 2)] * 4, each("bigint", lambda n: 0))),
    ("orders", "cancel_order"): (ORDERS, (uuids(KNOWN), uuids(BUYERS), NULL, *ASKER)),
    ("orders", "place_order"): (PLACED, (uuids(NEW), uuids(BUYERS), uuids(FREE), NULL, NULL, each("int", lambda n: 900), each("int", lambda n: 300),
                                         each("int", lambda n: 10), each("bigint", lambda n: "null"), each("int", lambda n: "null"),
                                         each("bigint", lambda n: n << 16), each("int", lambda n: 60),
                                         each("int", lambda n: 100), *ASKER)),
    ("payments", "start_attempt"): (CHARGES, (uuids(KNOWN), uuids(NEW), BUYER, each("text", lambda n: f"'pm_card_{n}'"), each("text", lambda n: f"'{n}'"),
                                              each("int", lambda n: 3), NULL, each("uuid", lambda n: "null"), each("bool", lambda n: "false"),
                                              each("int", lambda n: 0), each("bigint", lambda n: n << 16), each("int", lambda n: 50),
                                              each("int", lambda n: 10), each("int", lambda n: 100), NULL, NULL, each("bool", lambda n: "true"), *ASKER)),
}

KNOWN_EMPTY = {("tickets", "on_order")}  # vacuumed, too, so that it is planned for no row at all


@pytest.fixture
def database(stack):
    """Makes one with the tables of a service, and a session that plans as the service's do and tells the plans of all that it runs."""
    admin, made = stack.env["POSTGRES_URL"], []

    def make(service):
        name = f"grown_{uuid.uuid4().hex}"
        with psycopg.connect(admin, autocommit=True) as server:
            server.execute(f"create database {name}")
        connection = psycopg.connect(make_conninfo(admin, dbname=name), autocommit=True)
        made.append((name, connection))
        folder = ROOT / "services" / service
        connection.execute("set check_function_bodies = off")
        for file in [*sorted((folder / "migrations").glob("*.sql")), *sorted((ROOT / "common/publisher/functions").glob("*.sql")),
                     *sorted((folder / "functions").glob("*.sql"))]:
            connection.execute(file.read_text())
        for setting, value in settings_of_the_service().items():
            connection.execute("select set_config(%s, %s, false)", (setting, value))
        connection.execute("load 'auto_explain'")
        for setting, value in {"log_min_duration": "0", "log_analyze": "on", "log_timing": "off", "log_nested_statements": "on", "log_format": "json",
                               "log_level": "notice"}.items():
            connection.execute(f"set auto_explain.{setting} = '{value}'")
        return connection
    yield make
    for name, connection in made:
        connection.close()
        with psycopg.connect(admin, autocommit=True) as server:
            server.execute(f"drop database {name} with (force)")


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@pytest.mark.parametrize("service, statement", CASES)
def test_it_reads_what_it_is_asked_for(database, service, statement):
    growth, arguments = CASES[service, statement]
    session, plans = database(service), []
    session.execute(f"prepare s as {(ROOT / 'services' / service / 'sql' / f'{statement}.sql').read_text()}")
    if (service, statement) in KNOWN_EMPTY:
        session.execute("vacuum analyze")
    with session.transaction(force_rollback=True):
        session.execute(f"execute s({', '.join(arguments)})")  # over empty tables
    session.execute(growth)
    session.add_notice_handler(lambda notice: plans.append(notice.message_primary))
    session.execute(f"execute s({', '.join(arguments)})")
    found = [node for text in plans if "plan:" in text for node in nodes(json.loads(text.partition("plan:")[2])["Plan"])]
    assert max(node["Actual Rows"] * node["Actual Loops"] for node in found) >= BATCH, "it had nothing to do"
    read = {(node["Node Type"], node.get("Alias") or node.get("CTE Name")): (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
             + node.get("Rows Removed by Join Filter", 0)) * node["Actual Loops"] for node in found}
    assert {node: rows for node, rows in read.items() if rows > A_ROW * BATCH} == {}
