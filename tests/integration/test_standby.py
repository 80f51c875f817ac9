"""A standby takes over: nothing of what the topic says is lost with the old primary, if the standby is synchronous. Two real servers
(standby.py), of Debian's version and of a newer one."""
import contextlib
import functools
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from event_log import Log
from standby import Pair
import support
from support import ROOT, Replica, User
from test_tickets import order

VERSIONS = pytest.mark.parametrize("newer", [False, True], ids=["debian", "newer"])
PUBLISHER = "onsale-publisher"
wait_until = functools.partial(support.wait_until, pause=0.02)  # some of what is awaited here does not last: a request is refused, then sent again


@pytest.fixture(scope="module")
def stack(make_stack):
    """Not the common one: a service of it is put on other servers."""
    return make_stack()


@pytest.fixture
def pairs(stack, tmp_path):
    """make(newer, synchronous) gives an event log on a primary, which has a standby."""
    made = []

    def make(newer=False, synchronous=True):
        pair = Pair(newer, synchronous)
        made.append(pair)
        log = Log(stack, tmp_path, server=pair.url)
        made.append(log)
        log.pair = pair
        return log

    yield make
    for one in reversed(made):
        one.close()


def change_later(log, n):
    """As a request: its commit waits for the standby, and nobody answers meanwhile."""
    connection = log.connect()

    def run():
        with contextlib.suppress(psycopg.OperationalError):  # the primary may be killed meanwhile
            connection.execute("select change(array[%s])", [n])
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def change_unsynced(log, n):
    """As consumers do it."""
    with log.connect() as connection:
        connection.execute("set synchronous_commit = off")
        connection.execute("select change(array[%s])", [n])


def on_topic(log):
    return sum(log.topic.ends().values())


def sent_to_publisher(log):
    """Until the WAL sender has given the publisher all that is on the primary's disk by now."""
    [[now]] = log.pair.primary.sql("select pg_current_wal_flush_lsn()::text")
    wait_until(lambda: log.pair.primary.sql("select sent_lsn >= %s::pg_lsn from pg_stat_replication where application_name = %s",
                                            now, f"{PUBLISHER}-stream") == [(True,)], "the publisher was sent all")


def streams(log):
    """A publisher is ready before it has written down that the log is published, which waits for the standby as well."""
    wait_until(lambda: log.pair.primary.sql("select state from pg_stat_replication where application_name = %s", f"{PUBLISHER}-stream")
               == [("streaming",)], "the publisher follows the log")


def commit_what_the_standby_lacks(log):
    """One change that a request waits for, and one of a consumer."""
    streams(log)
    log.pair.part()
    change_later(log, 1)
    wait_until(log.pair.primary.waiting, "a request waits for the standby")
    change_unsynced(log, 2)
    wait_until(lambda: log.pair.primary.sql("select pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()") == [(True,)], "it is on disk")
    sent_to_publisher(log)


def said(topic, since=None):
    """{(key, version): what was said of it}"""
    all = {}
    for event in topic.events(since):
        all.setdefault((event.key, event["version"]), set()).add(tuple(sorted((k, str(v)) for k, v in event.items())))
    return all


@VERSIONS
def test_promoted_without_what_was_not_answered(pairs, newer):
    log = pairs(newer)
    driver = log.driver().ready()
    log.change(1, 2, 3)
    log.published(3)
    epoch = log.epoch()
    commit_what_the_standby_lacks(log)
    log.pair.promote()
    wait_until(lambda: log.epoch() > epoch, "a new epoch")
    log.change(1)  # another version 2 than the lost one
    driver.ready()
    log.check(epoch=log.epoch())
    rows = {(str(id), version) for id, version in log.sql("select id, version from ticket_events")}
    assert said(log.topic).keys() == rows, "no event on the topic that the database does not have"
    assert all(len(texts) == 1 for texts in said(log.topic).values()), "none is said in two ways"


@VERSIONS
def test_events_wait_for_a_standby_that_is_away(pairs, newer):
    log = pairs(newer)
    driver = log.driver().ready()
    log.change(1, 2, 3)
    log.published(3)
    commit_what_the_standby_lacks(log)
    wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "its marker waits")
    assert on_topic(log) == 3
    if not newer:
        driver.says("which does not answer")
        assert driver.metric("onsale_publisher_standby_wait_seconds") >= 4
    log.pair.join()
    log.published(5)
    log.check()
    if not newer:
        driver.says("answers again")
        assert driver.metric("onsale_publisher_standby_wait_seconds") == 0


def test_the_setting_is_followed(pairs):
    log = pairs(synchronous=False)
    driver = log.driver().ready()
    log.pair.part()
    log.change(1)
    log.published(1)
    log.pair.join()
    log.pair.synchronous(True)
    driver.says("events wait for the synchronous standby")
    commit_what_the_standby_lacks(log)
    wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "its marker waits")
    assert on_topic(log) == 1
    log.pair.synchronous(False)  # as an operator who would rather go on without
    driver.says("there is no synchronous standby")
    log.published(3)
    log.check()


def test_whoever_takes_over_looks_at_the_setting(pairs):
    """It has stood by since there was none."""
    log = pairs(synchronous=False)
    active, other = log.driver().ready(), log.driver().ready()
    other.says("standing by")
    streams(log)
    log.pair.synchronous(True)
    log.pair.part()
    active.kill()
    change_unsynced(log, 1)
    other.says("publishing ticket_events")
    wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "its marker waits")
    assert on_topic(log) == 0
    log.pair.join()
    log.published(1)


def test_a_cancelled_wait_does_not_count(pairs):
    log = pairs()
    driver = log.driver().ready()
    commit_what_the_standby_lacks(log)
    wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "its marker waits")
    for _ in range(3):
        log.pair.primary.sql("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        wait_until(lambda: log.pair.primary.waiting() == [PUBLISHER], "the next marker waits")
    driver.says("was cancelled")
    assert on_topic(log) == 0
    log.pair.join()
    log.published(2)
    log.check()


def test_killed_publishers_leave_one_session_at_most(pairs):
    log = pairs()
    driver = log.driver().ready()
    commit_what_the_standby_lacks(log)
    for _ in range(5):
        wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "its marker waits")
        driver.kill()
        driver = log.driver().ready()
        driver.says("publishing ticket_events")
    wait_until(lambda: log.pair.primary.waiting().count(PUBLISHER) == 1, "one marker waits")
    log.pair.join()
    log.published(2)
    log.check()


def test_it_stops_while_the_standby_is_away(pairs):
    log = pairs()
    driver = log.driver().ready()
    commit_what_the_standby_lacks(log)
    assert driver.kill(signal.SIGTERM) == 0
    assert on_topic(log) == 0
    log.pair.join()
    log.driver().ready()
    log.published(2)
    log.check()


def test_a_new_epoch_waits_for_the_standby(pairs):
    """What its snapshot shows may be what the standby lacks."""
    log = pairs()
    log.pair.part()
    change_unsynced(log, 1)
    log.driver()
    wait_until(lambda: PUBLISHER in log.pair.primary.waiting(), "it waits")
    assert on_topic(log) == 0
    log.pair.join()
    log.published(1)
    log.check()


@VERSIONS
def test_an_asynchronous_standby_loses_what_it_did_not_get(pairs, newer):
    """Nothing else: what it has is published again, and consumers see each event of it once."""
    log = pairs(newer, synchronous=False)
    driver = log.driver().ready()
    log.change(1, 2, 3)
    log.published(3)
    log.pair.primary.caught_up(log.pair.standby)
    log.pair.part()
    log.change(1)
    log.published(4)
    epoch = log.epoch()
    log.pair.promote()
    wait_until(lambda: log.epoch() > epoch, "a new epoch")
    driver.ready()
    log.change(2)
    log.check(epoch=log.epoch())
    assert said(log.topic).keys() - {(str(id), version) for id, version in log.sql("select id, version from ticket_events")} == {
        (str(id), 2) for [id] in log.sql("select id from tickets where n = 1")}, "the topic is ahead by what was lost"
    log.sql((ROOT / "common/publisher/functions/next_version.sql").read_text())
    assert log.sql("select next_version(2), next_version(100000)") == [(100000, 100001)], "beyond what was lost"
    log.pair.rejoin()
    log.pair.primary.caught_up(log.pair.standby)
    log.change(3)
    log.check(epoch=log.epoch())


# --- a service ---

@pytest.fixture
def sides(stack):
    """Tickets on a primary and, in time, on its standby, in place of the stack's."""
    pair = Pair()
    old, new = (Replica(stack, "tickets", DATABASE_URL=server.url.replace("/postgres", "/tickets"), REPLICATION_DATABASE_URL="", STATEMENT_TIMEOUT="300ms")
                for server in pair.servers)
    stack.supervisor("stop", "tickets")
    try:
        pair.primary.sql("create database tickets")
        subprocess.run([old.binary, "migrate"], env=old.environment, check=True, stdout=subprocess.DEVNULL)
        with old:
            yield pair, old.wait_ready(), new
    finally:
        pair.close()
        stack.supervisor("start", "tickets")


def listed(seller, title):
    """A statement has 300 ms there, which a busy machine may not have: it is asked again, by the same key."""
    key = {"Idempotency-Key": title}
    return wait_until(lambda: (answer := seller.post("/api/tickets", json={"title": title, "price": 1}, headers=key)).status_code == 201 and answer.json(),
                      "the ticket is listed")


def tickets_of(server, *columns):
    return server.sql(f"select {', '.join(columns)} from tickets order by id", database="tickets")


def read_to_the_end(stack, server):
    wait_until(lambda: server.sql("select coalesce(sum(next_offset), 0) from consumer_offsets where topic = 'orders'", database="tickets")
               == [(sum(stack.topic("orders").ends().values()),)], "orders is read to its end")


def test_both_sides_of_a_partition(stack, sides):
    """The old primary goes on alone: consumers commit there, requests wait there. What it says is nothing."""
    pair, old, new = sides
    seller, topic = User(old.url, stack.tokens(1)[0]), stack.topic("tickets")
    since = topic.ends()
    tickets = [listed(seller, str(n)) for n in range(20)]
    wait_until(lambda: len(topic.records(since)) == 20, "all are on the topic")
    pair.part()
    later = int((time.time() + 3600) * 1000)
    stack.topic("orders").produce(*(order(ticket, "created", 1, expiresAt=later) for ticket in tickets))
    wait_until(lambda: tickets_of(pair.primary, "status") == [("reserved",)] * 20, "the old primary's consumer has reserved them")

    sessions = "select count(*) from pg_stat_activity where application_name = 'onsale-tickets-write' and wait_event = 'SyncRep'"
    for _turn in range(6):  # requests wait, then are refused, and leave no more than two sessions behind
        answer = seller.post("/api/tickets", json={"title": "lost", "price": 1})
        assert answer.status_code in (503, 504)
        assert pair.primary.sql(sessions) <= [(2,)]
    wait_until(lambda: seller.post("/api/tickets", json={"title": "lost", "price": 1}).status_code == 503, "it is refused at once")
    wait_until(lambda: PUBLISHER in pair.primary.waiting(), "a marker waits")
    assert len(topic.records(since)) == 20, "nothing of it is said"

    pair.promote(kill=False)
    with new:
        new.wait_ready()
        old.kill()
        read_to_the_end(stack, pair.primary)
        assert tickets_of(pair.primary, "title", "status") == [(str(n), "reserved") for n in range(20)]
        rows = {(str(id), version) for id, version in pair.primary.sql("select id, version from ticket_events", database="tickets")}
        wait_until(lambda: said(topic, since).keys() >= rows, "it is all on the topic")
        assert said(topic, since).keys() == rows and all(len(texts) == 1 for texts in said(topic, since).values()), "and none of what was lost"
        pair.rejoin()
        pair.primary.set("synchronous_standby_names", "other")
        assert listed(User(new.url, stack.tokens(1)[0]), "after")
        assert wait_until(lambda: pair.standby.sql("select 1 from tickets where title = 'after'", database="tickets"), "the old one has it")


def test_requests_go_on_when_the_standby_is_back(stack, sides):
    pair, old, _ = sides
    seller, before = User(old.url, stack.tokens(1)[0]), sum(stack.topic("tickets").ends().values())
    pair.part()
    wait_until(lambda: seller.post("/api/tickets", json={"title": "once", "price": 1}, headers={"Idempotency-Key": "once"}).status_code == 503,
               "it is refused at once")
    pair.join()
    ticket = listed(seller, "once")
    old.wait_ready()
    assert tickets_of(pair.primary, "id::text") == [(ticket["id"],)], "once"
    wait_until(lambda: sum(stack.topic("tickets").ends().values()) == before + 1, "it is on the topic")
