"""streams/sales from outside: what it says on `sales-by-minute` about what is on `orders`, whatever happens to it meanwhile."""
import concurrent.futures
import signal
import threading
import time
import uuid

import pytest
import requests
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from shopping import Shopping
import support
from support import Replica, wait_until
from tally import MINUTE, NAMES, SOON_FINAL, SOON_VOID, Crowd, Market, Tally, event, expected

NOON = (time.time_ns() // 1_000_000 - 3_600_000) // MINUTE * MINUTE  # an hour ago or so


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(**SOON_VOID, **SOON_FINAL, HOLD_SECONDS="3", PAYMENT_GRACE_SECONDS="3", SIGNAL_AGAIN="1s", SIGNAL_AGAIN_MOST="2s")


@pytest.fixture(autouse=True)
def all_well(stack):
    stack.wait_ready("sales")
    yield
    stack.wait_ready("sales")


@pytest.fixture
def tally(stack):
    with Tally(stack) as tally:
        yield tally


def partitions(instance):
    return support.partitions(instance, "sales")


# --- what is counted ---

def test_a_history_that_is_known(stack, tally):
    """Placed and left to expire, placed again and cancelled in the same minute, then sold; by hand."""
    seat, first, second, third = (uuid.uuid4() for _ in range(4))
    stack.topic("orders").produce(
        event(first, seat, 1, "OrderCreated", NOON + 1_000),
        event(first, seat, 2, "OrderCancelled", NOON + 15 * MINUTE + 20, reason="expired"),
        event(second, seat, 1, "OrderCreated", NOON + 15 * MINUTE + 5_000),
        event(second, seat, 2, "OrderCancelled", NOON + 15 * MINUTE + 59_999, reason="buyer"),
        event(third, seat, 1, "OrderCreated", NOON + 16 * MINUTE, price=2500),
        event(third, seat, 2, "OrderUpdated", NOON + 16 * MINUTE + 1, price=2500),
        event(third, seat, 3, "OrderCompleted", NOON + 18 * MINUTE, price=2500))

    def row(minute, version, at, now, total):
        names = ("placed", "sold", "cancelled", "expired", "revenue")
        return {"type": "SalesCounted", "ticketId": str(seat), "version": version, "occurredAt": NOON + at, "minute": NOON + minute * MINUTE,
                "currency": "EUR", **dict(zip(names, now)), **dict(zip((f"total{n.capitalize()}" for n in names), total))}
    tally.wait_for({(r["ticketId"], r["minute"]): r for r in (
        row(0, 1, 1_000, (1, 0, 0, 0, 0), (1, 0, 0, 0, 0)),
        row(15, 4, 15 * MINUTE + 59_999, (1, 0, 2, 1, 0), (2, 0, 2, 1, 0)),
        row(16, 5, 16 * MINUTE, (1, 0, 0, 0, 0), (3, 0, 2, 1, 0)),
        row(18, 6, 18 * MINUTE, (0, 1, 0, 0, 2500), (3, 1, 2, 1, 2500)))})


def test_what_comes_late_corrects_its_minute_and_those_after_it(stack, tally):
    seat, first, second = (uuid.uuid4() for _ in range(3))
    early = [event(first, seat, 1, "OrderCreated", NOON), event(first, seat, 2, "OrderCancelled", NOON + MINUTE, reason="buyer")]
    later = [event(second, seat, 1, "OrderCreated", NOON + 2 * MINUTE), event(second, seat, 2, "OrderCompleted", NOON + 3 * MINUTE)]
    late = stack.metric("sales", "onsale_sales_late_total")
    topic = stack.topic("orders")
    topic.produce(*later)
    tally.wait_for(expected(later))
    topic.produce(early[1])
    tally.wait_for(expected(later + early[1:]))
    topic.produce(early[0])
    tally.wait_for(expected(later + early))
    assert stack.metric("sales", "onsale_sales_late_total") >= late + 2  # another ticket of the partition may be ahead of these
    before = tally.records[str(seat)]
    topic.produce(*early, *later)
    sentinel = event(uuid.uuid4(), uuid.uuid4(), 1, "OrderCreated", NOON)
    topic.produce(sentinel)
    tally.wait_for(expected(later + early + [sentinel]))
    assert tally.records[str(seat)] == before, "what is told again changes nothing"


def test_what_is_not_an_event_is_passed_over(stack, tally):
    before = stack.metric("sales", "onsale_sales_refused_total")
    market = Market(stack, 20)
    prefix = b"\0" + market.id.to_bytes(4, "big")
    for partition in range(12):
        stack.topic("orders").produce_raw(("k", b""), ("k", b"\0\0"), ("k", b"{}"), (None, b"\0\x7f\xff\xff\xff\x02"), ("k", None),
                                          ("k", prefix + b"\x80" * 40), partition=partition)
    odd = event(uuid.uuid4(), uuid.uuid4(), 1, "OrderCreated", NOON)
    stack.topic("orders").produce(odd, {**odd, "version": 2, "currency": "USD"}, {**odd, "version": 3, "occurredAt": -1},
                                  {**odd, "version": -1}, {**odd, "version": 4, "currency": "Taler"})
    told = market.happen(200) + market.rest()
    market.tell(told)
    market.flush()
    tally.wait_for(expected([*market.events, odd]))
    wait_until(lambda: stack.metric("sales", "onsale_sales_refused_total") == before + 72 + 4, "each is counted")
    assert "is passed over" in stack.logs("sales")


# --- what is final ---

def test_a_row_is_final_once_its_minute_is(stack, tally):
    """Of a minute that was, at once; of the present one, not before it is over. Also when sales is killed meanwhile."""
    seat, now = uuid.uuid4(), time.time_ns() // 1_000_000
    past = event(uuid.uuid4(), seat, 1, "OrderCreated", NOON)
    present = event(uuid.uuid4(), seat, 1, "OrderCreated", now)
    stack.topic("orders").produce(past, present)
    keys = [(str(seat), one["occurredAt"] // MINUTE * MINUTE) for one in (past, present)]

    def said(key):
        tally.read()
        assert not tally.final.get(keys[1]) or time.time_ns() // 1_000_000 >= keys[1][1] + MINUTE, "the minute is not over"
        return tally.final.get(key)
    wait_until(lambda: said(keys[0]), "the row of the past is final", pause=0)
    stack.kill("sales")
    wait_until(lambda: said(keys[1]), "the row of the present is final when its minute is over", pause=0)
    rows = expected([past, present])
    assert {key: tally.rows[key] for key in keys} == rows


def test_what_is_told_of_a_final_minute_all_the_same_corrects_it(stack, tally):
    """By a topic's other writers: no service tells so late."""
    seat, first, second = (uuid.uuid4() for _ in range(3))
    told = [event(first, seat, 1, "OrderCreated", NOON), event(first, seat, 2, "OrderCancelled", NOON + 1, reason="buyer")]
    late = event(second, seat, 1, "OrderCreated", NOON + 2)
    key = str(seat), NOON // MINUTE * MINUTE
    stack.topic("orders").produce(*told)

    def final(version):
        tally.read()
        return tally.final.get(key) and tally.rows[key]["version"] == version
    wait_until(lambda: final(2), "its row is final", pause=0)
    stack.topic("orders").produce(late)
    wait_until(lambda: final(3), "and again, with one more", pause=0)


# --- whatever happens to it ---

def test_kill_9_while_events_flow(stack, tally):
    market = Market(stack)
    with Crowd(market):
        for _ in range(3):
            threading.Event().wait(1)
            stack.wait_ready("sales")
            stack.kill("sales")
    tally.wait_for(expected(market.events))


def test_partitions_move_under_load(stack, tally):
    market = Market(stack)
    with Crowd(market), Replica(stack, "sales") as second:
        second.wait_ready()
        with Replica(stack, "sales") as third:
            third.wait_ready()
            wait_until(lambda: [partitions(i) for i in (stack, second, third)] == [4, 4, 4], "each has a third")
            tally.read()
            stack.kill("sales")
            stack.wait_ready("sales")
            third.kill()
            wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
            third.start()
            third.wait_ready()
            assert third.terminate() == 0
        wait_until(lambda: partitions(stack) == partitions(second) == 6, "each has a half")
        tally.read()
        assert second.terminate() == 0
    tally.wait_for(expected(market.events))


def test_paused_until_others_took_over(stack, tally):
    """Both the one that is known by its INSTANCE_ID and a stranger."""
    market = Market(stack)
    with Crowd(market), Replica(stack, "sales") as second, Replica(stack, "sales", INSTANCE_ID="") as third:
        def back():
            for instance in (second, third):
                if instance.process.poll() is not None:  # one whose transaction was taken from it ends
                    instance.start()
            return [partitions(i) for i in (stack, second, third)] == [4, 4, 4]

        for instance in (second, third):
            wait_until(back, "each has a third")
            instance.signal(signal.SIGSTOP)
            wait_until(lambda: partitions(stack) == 6, "the others have its partitions")
            tally.read()
            instance.signal(signal.SIGCONT)
        wait_until(back, "each has a third")
    tally.wait_for(expected(market.events))


def test_the_broker_restarts(stack, tally):
    market = Market(stack)
    with Crowd(market):
        threading.Event().wait(1)
        stack.kill("kafka")
        threading.Event().wait(2)
        stack.wait_kafka()
    tally.wait_for(expected(market.events))


def test_ready_only_when_all_is_counted_again(stack, tally):
    market = Market(stack, 5000)
    market.tell(market.happen(20_000) + market.rest())
    market.flush()
    rows = expected(market.events)
    tally.wait_for(rows)
    stack.supervisor("stop", "sales")
    market.tell(market.happen(2000) + market.rest())
    market.flush()
    said = set()
    stack.supervisor("start", "sales")
    def ready():
        try:
            answer = stack.admin("sales", "/readyz")
        except requests.ConnectionError:
            return False
        if answer.status_code == 503:
            said.add(answer.json()["waiting"][0]["reason"])
        return answer.status_code == 200
    wait_until(ready, "it is ready", pause=0)
    assert stack.metric("sales", "onsale_sales_rebuild_records") == 0
    assert stack.metric("sales", "onsale_sales_tickets") >= 4500
    tally.wait_for(expected(market.events))


# --- what is pulled away under it ---

def set_position(stack, offset):
    """Of its consumer group, while nobody is in it."""
    admin = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"]})
    places = [TopicPartition("orders", p, offset) for p in range(12)]
    wanted = [ConsumerGroupTopicPartitions("onsale-sales", places)]
    wait_until(lambda: _altered(admin, wanted), "the group is empty and its position set")


def _altered(admin, wanted):
    [(_, future)] = admin.alter_consumer_group_offsets(wanted).items()
    try:
        return all(p.error is None for p in future.result().topic_partitions)
    except Exception:
        return False


def test_orders_read_again_from_the_beginning_change_nothing(stack, tally):
    market = Market(stack)
    market.tell(market.happen(500))
    market.flush()
    stack.supervisor("stop", "sales")
    set_position(stack, 0)
    tally.final_again = True
    market.tell(market.rest())
    market.flush()
    stack.supervisor("start", "sales")
    stack.wait_ready("sales")
    ends = sum(stack.topic("orders").ends().values())
    wait_until(lambda: stack.metric("sales", "onsale_sales_records_total") >= ends, "all is read again")
    tally.wait_for(expected(market.events))


def test_a_transaction_that_does_not_end_is_not_waited_for(stack, tally):
    """Kafka says nothing of the group's positions while one may change them; and what this one has put aside is not what counts when it ends."""
    market = Market(stack)
    market.tell(market.happen(300) + market.rest())
    market.flush()
    tally.wait_for(expected(market.events))
    stack.supervisor("stop", "sales")
    settings = {"bootstrap.servers": stack.env["KAFKA_BROKERS"], "transactional.id": str(uuid.uuid4()), "transaction.timeout.ms": 600_000}
    stranger, ends = Producer(settings), stack.topic("orders").ends()
    stranger.init_transactions(30)
    stranger.begin_transaction()
    with Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"], "group.id": "onsale-sales"}) as nobody:
        places = [TopicPartition("orders", p, end + 1000) for p, end in ends.items()]
        stranger.send_offsets_to_transaction(places, nobody.consumer_group_metadata(), 30)
    stack.supervisor("start", "sales")
    stack.wait_ready("sales")
    assert "a transaction open that must have ended" in stack.logs("sales")
    stranger.commit_transaction(30)
    market.tell(market.happen(300) + market.rest())
    market.flush()
    stack.kill("sales")
    stack.wait_ready("sales")
    tally.wait_for(expected(market.events))
    assert stack.metric("sales", "onsale_consumer_offset_resets_total") == 0, "it went on where it was"


def test_a_changelog_that_is_lost_is_made_again(stack):
    market = Market(stack)
    market.tell(market.happen(300) + market.rest())
    market.flush()
    lost = "does not have what was counted"
    with Tally(stack, again=True) as tally:
        stack.supervisor("stop", "sales")
        before = stack.logs("sales").count(lost)
        admin = AdminClient({"bootstrap.servers": stack.env["KAFKA_BROKERS"]})
        admin.delete_topics(["sales-changelog"])["sales-changelog"].result(30)
        anew = NewTopic("sales-changelog", 12, 1, config={"cleanup.policy": "compact"})
        wait_until(lambda: admin.create_topics([anew])["sales-changelog"].exception(30) is None, "it is made anew, with nothing in it")
        stack.supervisor("start", "sales")
        wait_until(lambda: stack.ready("sales"), "it is ready")
        assert stack.logs("sales").count(lost) > before
        wanted = expected(market.events)

        def told():
            tally.read()
            return all(tally.rows.get(key) == row for key, row in wanted.items())
        wait_until(told, "all is told again", pause=0)


# --- what the services' own databases answer ---

BY_THE_DATABASE = """
    with counted as (
        select ticket_id, date_trunc('minute', occurred_at, 'UTC') as minute, currency, max(date_trunc('milliseconds', occurred_at)) as newest,
               count(*) filter (where type = 'OrderCreated') as placed, count(*) filter (where type = 'OrderCompleted') as sold,
               count(*) filter (where type = 'OrderCancelled') as cancelled,
               count(*) filter (where type = 'OrderCancelled' and reason = 'expired') as expired,
               coalesce(sum(price) filter (where type = 'OrderCompleted'), 0) as revenue
          from order_events where type <> 'OrderUpdated' group by 1, 2, 3)
    select ticket_id::text, minute, newest, currency, placed, sold, cancelled, expired, revenue, sum(placed) over life, sum(sold) over life,
           sum(cancelled) over life, sum(expired) over life, sum(revenue) over life
      from counted window life as (partition by ticket_id order by minute)"""


def by_the_database(stack):
    def ms(moment):
        return round(moment.timestamp() * 1000)
    rows = {}
    for ticket, minute, newest, currency, *numbers in stack.sql("orders", BY_THE_DATABASE):
        now, total = [int(n) for n in numbers[:5]], [int(n) for n in numbers[5:]]
        rows[ticket, ms(minute)] = {
            "type": "SalesCounted", "ticketId": ticket, "version": sum(total[:3]), "occurredAt": ms(newest), "minute": ms(minute),
            "currency": currency, **dict(zip(NAMES, now)), **dict(zip((f"total{n.capitalize()}" for n in NAMES), total))}
    return rows


def test_it_agrees_with_the_orders_own_database(stack, tally):
    """Much happens, and it is killed meanwhile."""
    with Replica(stack, "sales") as second, concurrent.futures.ThreadPoolExecutor(1) as pool:
        second.wait_ready()
        shopping = pool.submit(Shopping(stack, 3).go)
        for victim in (stack, second):
            threading.Event().wait(2)
            victim.kill(*["sales"] * (victim is stack))
            tally.read()
        shopping.result()

    def much():
        wait_until(lambda: not stack.sql("orders", "select 1 from orders where status in ('created', 'awaiting_payment')"), "all orders are over")
        rows = by_the_database(stack)
        expired, sold, cancelled = (sum(row[what] for row in rows.values()) for what in ("expired", "sold", "cancelled"))
        return expired and sold > 5 and cancelled > 5 and rows
    rows = wait_until(lambda: much() or Shopping(stack, 3).go(), "much has happened: on a slow machine more orders expire, and fewer are paid")
    tally.wait_for(rows)
