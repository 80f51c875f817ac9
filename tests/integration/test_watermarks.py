"""Watermarks: what the publisher promises on the topic `watermarks` holds, whatever happens to it. No event that occurred before a promise's
time comes behind its offset, except one that is there already."""
import itertools
import random

import pytest

import promises
from event_log import KEYS, Log, Writers
from promises import milliseconds
from support import FRUGAL, wait_until


@pytest.fixture
def log(stack, tmp_path):
    log = Log(stack, tmp_path)
    yield log
    log.close()


def told_of(log):
    """The promises about the log's topic."""
    topic = log.stack.topic("watermarks")
    told = [topic.decode(r) for r in topic.records() if r.key().startswith(f"{log.name}/".encode())]  # many more are of others
    assert all(e["topic"] == log.name and e.key == e["source"] == f"{log.name}/{e['partition']}" and e.partition == e["partition"] for e in told)
    assert {e.headers["type"] for e in told} <= {"WatermarkReached"} and all(set(e.headers) == {"type"} for e in told)
    assert {e["epoch"] for e in told} <= {log.epoch()}
    return told


def times(log):
    return [milliseconds(e["occurredAt"]) for e in told_of(log)]


def now(log):
    return milliseconds(log.sql("select clock_timestamp()")[0][0])


def broken(log):
    return promises.broken(told_of(log), log.topic.events())


def wait_promised(log, at, partitions=12):
    """All partitions are complete up to a time."""
    def all_there():
        return {e["partition"] for e in told_of(log) if milliseconds(e["occurredAt"]) >= at} == set(range(partitions))
    wait_until(all_there, "every partition is promised to be complete", pause=0.2)


def test_idle_partitions_are_complete_too(log):
    driver = log.driver().ready()
    wait_promised(log, now(log))
    wait_promised(log, now(log))
    assert {e["offset"] for e in told_of(log)} == {0}
    log.change(1)
    wait_promised(log, now(log))
    ends = log.topic.ends()
    last = {e["partition"]: e["offset"] for e in told_of(log)}
    assert last == ends and sum(ends.values()) == 1
    assert driver.metric("onsale_publisher_late_events_total") == 0


def test_they_come_once_a_second(log):
    driver = log.driver().ready()
    wait_promised(log, now(log))
    since = now(log)

    def second_by_second():  # on a machine that has no time some come later
        looks = sorted({at for at in times(log) if at >= since})
        return sum(after - before < 2000 for before, after in itertools.pairwise(looks)) >= 4
    wait_until(second_by_second, "some come a second after the one before", pause=0.5)
    wait_until(lambda: driver.metric("onsale_publisher_watermark_age_seconds") < 10, "what was told last is of now")


def test_they_come_as_often_as_is_set(stack):
    """A look comes an interval after the one before, which is told before the next."""
    topic, interval = stack.topic("watermarks"), int(FRUGAL["WATERMARK_INTERVAL"].removesuffix("s")) * 1000

    def of_one():
        told = [*map(topic.decode, topic.records(key="users/0"))]
        last = [e for e in told if e["epoch"] == told[-1]["epoch"]]
        return len(last) > 2 and last
    told = wait_until(of_one, "three promises of one process", pause=0.5)
    assert told[-1].timestamp - told[0].timestamp >= (len(told) - 2) * interval - 500, "the clocks of the machine may differ"


def test_nothing_is_promised_before_kafka_has_it(log):
    """While an event is on its way to Kafka, which takes four seconds here."""
    log.driver(RDKAFKA_LINGER_MS="4000").ready()
    wait_promised(log, now(log))
    log.change(1)
    wait_promised(log, now(log))
    assert broken(log) == [] and sum(log.topic.ends().values()) == 1


def test_a_long_transaction_holds_them_up(log):
    """Its events have the time at which it began."""
    log.driver().ready()
    with log.connect() as slow, slow.transaction():
        [(began,)] = slow.execute("select now()").fetchall()
        wait_until(lambda: any(at <= milliseconds(began) for at in times(log)), "they are told")
        log.change(*range(1, 10))
        wait_until(lambda: sum(log.topic.ends().values()) == 9, "others go on")
        for _ in range(3):
            looked = now(log)
            wait_until(lambda: now(log) > looked + 1100, "a look's time has passed")
        assert max(times(log)) <= milliseconds(began)
        slow.execute("insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status)"
                     " select 'TicketUpdated', id, version + 1, now(), id, 'Late', 1, 'EUR', 'sold' from tickets")
    wait_promised(log, now(log))
    assert broken(log) == [] and sum(log.topic.ends().values()) == 9 + KEYS


class LongWriters(Writers):
    """Some of whose transactions take a while, with events of their beginning."""

    def go(self, _):
        rng = random.Random()
        with self.log.connect() as connection:
            while not self.stopping.is_set():
                with connection.transaction():
                    connection.execute("select 1")
                    if rng.random() < 0.3:
                        self.stopping.wait(rng.random() * 1.5)
                    connection.execute("with c as (update tickets set version = version + 1 where n = %s returning *)"
                                       " insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status)"
                                       " select 'TicketUpdated', id, version, now(), id, 'Seat', 1, 'EUR', 'sold' from c",
                                       [rng.randint(1, KEYS)])


def test_no_event_before_one_ever_comes_after_it(log):
    """Under kill -9, and with others that take over. Events are on their way to Kafka for a while."""
    rng, slowly = random.Random(3), {"RDKAFKA_LINGER_MS": "50"}
    with LongWriters(log, count=8, pause=0) as writers:
        active = log.driver(**slowly).ready()
        for _ in range(12):
            standby = log.driver(**slowly).ready()
            writers.stopping.wait(1 + 3 * rng.random())
            active.kill()
            active = standby
        wait_promised(log, now(log))
        assert active.metric("onsale_publisher_late_events_total") == 0
    assert broken(log) == []
    assert len(set(times(log))) >= 10, "there was something to be held against"


def test_the_services_tell_of_all_their_topics(stack):
    topics = {"users": 6, "tickets": 12, "orders": 12, "payments": 12, "shows": 6, "stock": 6, "entries": 12, "letters": 6, "audit": 6}
    wanted = {(topic, p) for topic, n in topics.items() for p in range(n)}
    wait_until(lambda: {(e["topic"], e["partition"]) for e in stack.topic("watermarks").events()} >= wanted, "each is told of", pause=0.2)
    for service in ("auth", "tickets", "orders", "payments"):
        assert stack.metric(service, "onsale_publisher_late_events_total") == 0
