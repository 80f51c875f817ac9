"""Three brokers, each record on two of them at least, while buyers order and cancel: leaders move, brokers die, stand still, are restarted one
after the other, or can write no more. Nothing is lost, repeated or out of order."""
import asyncio
import contextlib
import random
import resource
import signal
import threading

import pytest
from confluent_kafka import ElectionType, KafkaException
from confluent_kafka.admin import AdminClient

import crowd
from support import DEADLINE, wait_known, wait_until

BROKERS = ("kafka", "kafka-2", "kafka-3")
BUYERS, TICKETS = 40, 120
STANDSTILL = 12  # seconds that the fault lasts: longer than a consumer's session and the brokers' own


@pytest.fixture(scope="module")
def sale(make_stack):
    return make_stack("--brokers", "3")


@pytest.fixture(scope="module")
def kafka(sale):
    return AdminClient({"bootstrap.servers": sale.env["KAFKA_BROKERS"]})


def partitions(kafka):
    """By topic and number."""
    def found():
        with contextlib.suppress(KafkaException):  # the broker that is asked may be away
            return kafka.list_topics(timeout=10).topics.values()
    return {(topic.topic, p.id): p for topic in wait_until(found, "a broker answers") for p in topic.partitions.values()}


def in_sync(kafka):
    """All replicas of all partitions."""
    return all(len(p.replicas) == len(p.isrs) == 3 for p in partitions(kafka).values())


def leaders(kafka):
    return {place: p.leader for place, p in partitions(kafka).items()}


# --- what is done to them ---

def one_is_killed(sale, kafka):
    sale.kill("kafka-2")


def two_stand_still(sale, kafka):
    """No record counts meanwhile, and no leader can be chosen."""
    for name in BROKERS[1:]:
        sale.kill(name, signal.SIGSTOP)
    try:
        threading.Event().wait(STANDSTILL)
    finally:
        for name in BROKERS[1:]:
            sale.kill(name, signal.SIGCONT)


def one_after_the_other(sale, kafka):
    """As an upgrade does it."""
    for name in BROKERS:
        sale.supervisor("stop", name)
        sale.supervisor("start", name)
        wait_until(lambda: in_sync(kafka), f"{name} has caught up", pause=0.2)


def leaders_move(sale, kafka):
    """Away from one that is restarted, and back to it."""
    preferred = leaders(kafka)
    sale.supervisor("stop", "kafka-2")
    wait_until(lambda: leaders(kafka) != preferred, "others lead", pause=0.2)
    sale.supervisor("start", "kafka-2")
    wait_until(lambda: in_sync(kafka), "it has caught up", pause=0.2)
    kafka.elect_leaders(ElectionType.PREFERRED, None).result(DEADLINE)
    wait_until(lambda: 2 in leaders(kafka).values(), "it leads again", pause=0.2)


def one_can_write_no_more(sale, kafka):
    """As on a full disk: a limit on the size of its files. It gives up, and is started again without the limit."""
    pid = sale.pid("kafka-3")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, 1))
    wait_until(lambda: sale.pid("kafka-3") not in (0, pid), "the broker gave up and is started again")


# --- the crowd ---

async def answer(asked):
    """503: orders has ended, as a broker that comes back may make it do for good reason."""
    try:
        return await asked
    except (OSError, EOFError):
        return 503, None


async def shop(number, sale, token, tickets, over, placed):
    choose, buyer = random.Random(number), crowd.Buyer(sale.env["ORDERS_URL"], token)
    while not over.is_set():
        status, order = await answer(buyer.order(choose.choice(tickets)))
        assert status in (201, 409, 503), (status, order)
        if status == 201:
            placed.add(order["id"])
            await asyncio.sleep(0.2)
            assert (await answer(buyer.cancel(order["id"])))[0] in (204, 503)
        else:
            await asyncio.sleep(0.1)
    buyer.close()


@pytest.mark.parametrize("nemesis", [one_is_killed, one_after_the_other, leaders_move, two_stand_still, one_can_write_no_more])
def test_nothing_is_lost_or_out_of_order(sale, kafka, nemesis):
    seller, tokens = sale.user(), sale.tokens(BUYERS)
    tickets = [seller.list_ticket(title=f"Seat {n}")["id"] for n in range(TICKETS)]
    wait_until(lambda: in_sync(kafka), "all replicas are in sync", pause=0.2)
    wait_known(sale, *tickets)
    over, placed, failure = threading.Event(), set(), []

    def act():
        try:
            wait_until(lambda: len(placed) > BUYERS, "the sale is under way")
            nemesis(sale, kafka)
            before = len(placed)
            wait_until(lambda: len(placed) > before + BUYERS, "it goes on")
        except BaseException as reason:
            failure.append(reason)
        finally:
            over.set()

    async def rush():
        await asyncio.gather(*(shop(n, sale, token, tickets, over, placed) for n, token in enumerate(tokens)))
    actor = threading.Thread(target=act, daemon=True)
    actor.start()
    asyncio.run(rush())
    actor.join()
    if failure:
        raise failure[0]
    wait_until(lambda: in_sync(kafka), "all replicas are in sync again", pause=0.2)
    story = crowd.await_agreement(sale, read=crowd.first_of_each)
    assert placed <= story.orders.keys(), "what was answered is there"
