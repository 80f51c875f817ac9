"""The lake: each record of each topic of events is a row of a table of Apache Iceberg, once, whatever happens to Connect; and what pyiceberg and DuckDB
read there is what the warehouse has. It is in S3 here; in files, as `./onsale run --lake` has it, in test_rights.py."""
import datetime
import json
import os
import signal
import subprocess
import sys
import time
import uuid

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from buckets import BUCKET, bucket
from shopping import Shopping
from shows import announced, bought
from support import ASKS_SOON, DEADLINE, ROOT, wait_until
from tally import SOON_FINAL
from test_entries import admit, buy
from warehouse import ERASABLE, KEYS, TABLES, connect, loaded, snake, tell_with_a_new_field

sys.path.append(str(ROOT / "dev"))
import fetch


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return tmp_path_factory.mktemp("s3")


@pytest.fixture(scope="module")
def stack(make_stack, objects):
    with bucket(objects) as where:
        yield make_stack("--lake", HOLD_SECONDS="60", PAYMENT_GRACE_SECONDS="3", SIGNUP_RATE="0", HASH_MEMORY="16", **SOON_FINAL, **where)


@pytest.fixture
def location(objects):
    return objects / "objects" / BUCKET / "lake"


@pytest.fixture(scope="module")
def ask(stack):
    """Rows of the warehouse."""
    with psycopg.connect(stack.env["WAREHOUSE_DATABASE_URL"], autocommit=True) as connection:
        yield lambda query, *args: connection.execute(query, args).fetchall()


def answers(stack, *questions):
    """Rows of the lake, as examples/lake.py says them, of each question."""
    done = subprocess.run([fetch.analysts_python(), "examples/lake.py", *questions], cwd=ROOT, env={**stack.environment, **stack.env}, capture_output=True,
                          text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-4000:]
    rows = [[]]
    for line in done.stdout.splitlines():
        if line:
            rows[-1].append(json.loads(line))
        else:
            rows.append([])
    return rows


def lake(stack, question):
    [rows] = answers(stack, question)
    return rows


def said(value):
    """As both write it."""
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return None if value is None else str(value)


def places(stack, topic):
    """Where in Kafka each record is."""
    return sorted((record.partition(), record.offset()) for record in stack.topic(topic).records())


def all_places(stack):
    """{topic: where each row of its table was}"""
    made = {table for table, in table_names(stack)}
    asked = " union all ".join(f"select '{topic}' as topic, kafka_partition, kafka_offset from {table}" for topic, table in TABLES.items() if table in made)
    found = {topic: [] for topic in TABLES}
    for row in lake(stack, asked) if asked else ():
        found[row["topic"]].append((row["kafka_partition"], row["kafka_offset"]))
    return {topic: sorted(rows) for topic, rows in found.items()}


def table_names(stack):
    with psycopg.connect(stack.env["WAREHOUSE_DATABASE_URL"]) as connection:
        return connection.execute("select table_name from iceberg_tables where metadata_location is not null").fetchall()


@pytest.fixture(autouse=True)
def what_connect_said(request, stack):
    """Where a test has failed."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        print(stack.logs("connect"))


def ticket_event(**said):
    return {"type": "TicketCreated", "id": str(uuid.uuid4()), "version": 1, "occurredAt": int(time.time() * 1000), "userId": str(uuid.uuid4()),
            "title": "A seat", "price": 20, "currency": "USD", "status": "available", "orderId": None} | said


@pytest.fixture(scope="module")
def shopped(stack):
    """Something of everything has happened. Meanwhile Connect was killed."""
    Shopping(stack, 1).go()
    seller, buyer = stack.user(), stack.user()
    show, _ = announced(seller)
    answer = bought(buyer, showId=show["id"], quantity=2)
    assert answer.status_code == 201, answer.text
    payment = {"purchaseId": answer.json()["id"], "token": "pm_card_visa"}
    wait_until(lambda: buyer.post("/api/payments", json=payment).status_code == 201, "payments knows the purchase")
    assert stack.user().post("/api/purchases", json={"showId": show["id"], "quantity": 2}).status_code == 409
    stack.kill("connect")
    ticket, code = buy(stack, seller, buyer)
    assert admit(seller, ticket, code["code"], "North").status_code == 200
    wait_until(lambda: not (stack.sql("orders", "select 1 from orders where status in ('created', 'awaiting_payment')")
                            + stack.sql("payments", f"select 1 from charges where {ASKS_SOON}")), "everything has come to its end")
    return stack


def test_each_record_is_a_row_once(shopped):
    """Exactly as many, at the same places, though Connect was killed: files that it had written, and not said so, count for nothing."""
    wait_until(lambda: all_places(shopped) == {topic: places(shopped, topic) for topic in TABLES}, "each record is in the lake", pause=1)
    assert all(places(shopped, topic) for topic in TABLES)


def test_rows_are_those_of_the_warehouse(shopped, ask):
    """The newest of each identity."""
    questions = [f"select * from {table} qualify row_number() over (partition by {', '.join(map(snake, KEYS[topic]))} order by kafka_offset desc) = 1"
                 for topic, table in TABLES.items()]

    def differ():
        found = dict(zip(TABLES, answers(shopped, *questions), strict=True))
        ours = {topic: {tuple(said(row[snake(name)]) for name in KEYS[topic]): {name: said(value) for name, value in row.items()} for row in rows}
                for topic, rows in found.items()}
        theirs = {topic: {tuple(map(said, key)): {name: said(value) for name, value in row.items()} for key, row in loaded(ask, topic).items()}
                  for topic in TABLES}
        assert not [topic for topic, rows in found.items() if rows and ERASABLE.get(topic, set()) & rows[0].keys()]
        return [topic for topic in TABLES if not ours[topic] or ours[topic] != theirs[topic]]
    wait_until(lambda: differ() == [], "the lake and the warehouse are the same", pause=1)


def test_files_are_by_day(shopped, location):
    days = {str(row["day"]) for row in lake(shopped, "select distinct occurred_at::date as day from order_events")}
    assert days and {path.name for path in (location / "onsale/order_events/data").iterdir()} == {f"occurred_at_day={day}" for day in days}


def test_a_field_that_a_schema_gets_becomes_a_column(shopped):
    event = tell_with_a_new_field(shopped)
    old = event | {"id": str(uuid.uuid4())}
    shopped.topic("tickets").produce(old, key="id")  # by a writer that is not updated yet
    both = {event["id"]: "K", old["id"]: None}

    def there():
        rows = lake(shopped, f"select * from ticket_events where id in {tuple(both)}")
        return {row["id"]: row.get("seat_row") for row in rows} == both
    wait_until(there, "both are in the lake", pause=1)


def test_small_files_are_put_together(shopped, location):
    """Those of a day that is over; and what no table names is deleted when it is old."""
    day = datetime.datetime.now(datetime.UTC).replace(hour=12, minute=0, second=0, microsecond=0) - datetime.timedelta(days=5)
    events = [ticket_event(occurredAt=int(day.timestamp() * 1000) + n, price=n) for n in range(3)]
    asked = f"select id, price from ticket_events where id in {tuple(event['id'] for event in events)} order by price"
    for n, event in enumerate(events, 1):
        shopped.topic("tickets").produce(event, key="id")
        wait_until(lambda: len(lake(shopped, asked)) == n, "it is in the lake, in a file of its own", pause=1)
    files = location / f"onsale/ticket_events/data/occurred_at_day={day.date()}"
    assert len(list(files.glob("*.parquet"))) == 3
    unnamed, old = files / "unnamed.parquet", time.time() - 30 * 86400
    unnamed.touch()
    os.utime(unnamed, (old, old))
    done = subprocess.run([fetch.analysts_python(), "connect/lake/tidy"], cwd=ROOT, env={**shopped.environment, **shopped.env}, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert "ticket_events'): 1 days put together, 1 files deleted" in done.stdout, done
    assert len(list(files.glob("*.parquet"))) == 4, "the old ones are of the snapshots of before"
    assert lake(shopped, asked) == [{"id": event["id"], "price": event["price"]} for event in events]


def test_a_worker_that_stood_still_goes_on(shopped):
    """For longer than the warehouse's sinks are waited for."""
    kafka = AdminClient({"bootstrap.servers": shopped.env["KAFKA_BROKERS"]})

    def members(group):
        return len(kafka.describe_consumer_groups([group])[group].result(DEADLINE).members)
    wait_until(lambda: all_places(shopped)["tickets"] == places(shopped, "tickets"), "what was before is in the lake", pause=1)
    events = [ticket_event() for _ in range(100)]
    for event in events:  # it is to be at some of them when it stops
        shopped.topic("tickets").produce(event, key="id")
    pid = shopped.kill("connect", signal.SIGSTOP)
    try:
        wait_until(lambda: members("connect-warehouse-tickets") == 0, "the warehouse's sink is given up")
        assert members("connect-lake-tickets") == members("connect-lake-tickets-coord") == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    asked = f"select count(*) as n, count(distinct id) as ids from ticket_events where id in {tuple(event['id'] for event in events)}"
    wait_until(lambda: lake(shopped, asked) == [{"n": 100, "ids": 100}], "all are in the lake, once", pause=1)


def test_its_connectors_run(shopped):
    """None of them has failed and was started again."""
    lakes = [name for name in connect(shopped, "GET", "/connectors") if name.startswith("lake-")]

    def run():
        states = {name: [task["state"] for task in connect(shopped, "GET", f"/connectors/{name}/status")["tasks"]] for name in lakes}
        assert not [name for name, tasks in states.items() if "FAILED" in tasks], states
        return states == {f"lake-{topic}": ["RUNNING"] for topic in TABLES}
    wait_until(run, "the worker that stood still runs them all again", pause=0.5)


def test_the_notebook_tells_the_sale(shopped, ask, tmp_path):
    """In six pictures, with the numbers that the warehouse has."""
    [(show, asked, refused)] = ask("select show_id::text, sum(asked)::int, sum(refused)::int from demand_by_minute group by 1 order by sum(asked) desc limit 1")
    [(sold, earned)] = ask("select sum(sold)::int, sum(revenue)::bigint from show_sales where show_id = %s", show)
    done = subprocess.run([fetch.analysts_python(), "-m", "nbconvert", "--to", "notebook", "--execute", "--output-dir", tmp_path, "examples/on-sale.ipynb"],
                          cwd=ROOT, env={**shopped.environment, **shopped.env, "SHOW_ID": show, "IPYTHONDIR": str(tmp_path)}, capture_output=True, text=True,
                          timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = [output for cell in json.loads((tmp_path / "on-sale.ipynb").read_text())["cells"] for output in cell.get("outputs", ())]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == 6
    [numbers] = [json.loads("".join(output["text"]))[0] for output in outputs if output["output_type"] == "stream" and output["name"] == "stdout"]
    assert numbers == numbers | {"asked": asked, "refused": refused, "places_sold": sold, "earned": earned} and refused > 0 and sold > 0
