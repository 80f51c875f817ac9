"""A publisher of two logs: one slot, and what a newer version of a service with one log more has to see to."""
import random

import pytest

from event_log import Log, Writers
from support import Topic, wait_until

# Each change is an event of both logs from now on: as a migration and a new version of a service bring it about.
SECOND = """
create table more_events (like ticket_events including all);
create or replace function change(ns int[], trace text default null) returns void language sql as $$
    with locked as (select n from tickets where n = any(ns) order by n for update),
    changed as (update tickets t set version = version + 1 from locked l where t.n = l.n returning t.*),
    first as (
        insert into ticket_events (type, id, version, occurred_at, user_id, title, price, currency, status, traceparent)
        select 'TicketUpdated', id, version, clock_timestamp(), id, 'Seat ' || n, 100, 'EUR', 'available', trace from changed
        returning *)
    insert into more_events (type, id, version, occurred_at, user_id, title, price, currency, status, traceparent)
    select type, id, version, occurred_at, user_id, title, price, currency, status, traceparent from first
$$;
"""


class TwoLogs(Log):
    def __init__(self, stack, directory):
        super().__init__(stack, directory)
        self.more = Topic(stack.env, f"{self.name}_more")
        self.create_topic(self.more)

    def close(self):
        super().close()
        self.kafka.delete_topics([self.more.name])[self.more.name].result(30)

    def upgrade(self):
        self.sql(SECOND)

    def old_driver(self):
        return self.driver()

    def new_driver(self, **options):
        return self.driver(more=("more_events", self.more.name), **options)

    def check_both(self, deaths=1):
        """Both topics have their logs, and no two events have the same position. deaths: of publishers."""
        first, second = self.check(deaths=deaths), self.check(table="more_events", topic=self.more, deaths=deaths)
        assert {e.headers["epoch"] for e in first + second} == {str(self.epoch())}, "no epoch was given up"
        positions = [e.position for e in first + second if e.position[0] > 0]
        assert len(set(positions)) == len(positions)
        return first, second


@pytest.fixture
def logs(stack, tmp_path):
    logs = TwoLogs(stack, tmp_path)
    yield logs
    logs.close()


def test_a_transaction_of_two_logs_has_one_order(logs):
    logs.upgrade()
    logs.new_driver().ready()
    logs.change(1, 2, 3)
    first, second = logs.check_both()
    assert len({e.position[0] for e in first + second}) == 1, "one transaction"
    assert sorted(e.position[1] for e in first + second) == [1, 2, 3, 4, 5, 6]


def test_killed_under_load(logs):
    logs.upgrade()
    rng = random.Random(1)
    with Writers(logs) as writers:
        for _ in range(30):
            driver = logs.new_driver()
            if rng.random() < 0.8:
                driver.ready()
            writers.stopping.wait(rng.random() * 0.6)  # a moment of any kind: before it publishes, while it does
            driver.kill()
    logs.new_driver().ready()
    first, second = logs.check_both(deaths=30)
    assert len(first) == len(second) > 1000


def test_a_log_joins_under_load(logs):
    """Its rows are written while the old version publishes, while the table is added, and while whoever adds it is killed."""
    rng = random.Random(2)
    old = logs.old_driver().ready()
    with Writers(logs) as writers:
        logs.published(100)
        logs.upgrade()
        wait_until(lambda: len(logs.rows("more_events")) > 100, "rows that nobody publishes")
        old.kill()
        for _ in range(10):  # the first of them may die before they have added it
            driver = logs.new_driver().ready()
            writers.stopping.wait(rng.random() * 1.2)
            driver.kill()
    logs.new_driver().ready()
    first, second = logs.check_both(deaths=11)
    assert len(second) < len(first)


def test_old_replicas_beside_new_ones_lose_nothing(logs):
    """One that does not know the second log lets go of the slot when a row of it comes, until one takes it that does."""
    first = logs.old_driver().ready()
    with Writers(logs):
        logs.published(50)
        logs.upgrade()
        new = logs.new_driver().ready()
        first.kill()
        new.says("more_events joins")
        old = logs.old_driver().ready()
        for turn in range(3):
            before = sum(logs.more.ends().values())
            wait_until(lambda before=before: sum(logs.more.ends().values()) > before, "it flows")
            new.kill()
            wait_until(lambda turn=turn: old.text().count("publishing ticket_events,") > turn, "the old one has the slot")
            old.says("a newer version of this service has to publish")
            new = logs.new_driver().ready()
            new.says("publishing ticket_events, more_events")
    logs.check_both()


def test_events_of_both_are_deleted_after_the_retention(logs):
    logs.upgrade()
    driver = logs.new_driver(retention_ms=1000).ready()
    logs.sql("select change(array(select generate_series(1, 40))) from generate_series(1, 300)")
    wait_until(lambda: not logs.rows() and not logs.rows("more_events"), "all are deleted")
    assert (sum(logs.topic.ends().values()), sum(logs.more.ends().values())) == (12000, 12000), "and all were published"
    assert driver.metric("onsale_events_expired_total") == 24000
