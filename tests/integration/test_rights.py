"""Each process as a user of Kafka, with the rights that schemas/rights.json gives it: all of Onsale works with them, and what is another's it may neither
read nor write. The table says who may what; from it follows what each may not, and that is tried here by its password."""
import ctypes
import json
import pathlib
import re
import subprocess
import urllib.parse

import confluent_kafka
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType, ResourceType

import topics
from letters import Mailbox
from shows import add_area, announce, known, made, make_show, soon
from support import DEADLINE, FRUGAL, ROOT, wait_until

import kafka_users  # as the next one, of dev/
from state import State

RIGHTS = {user["name"]: user for user in json.loads(kafka_users.RIGHTS.read_text())["users"]}
TOPICS = [topic["name"] for part in json.loads((topics.AVRO / "topics.json").read_text()).values() for topic in part]
GROUPS = {name: group.replace("*", "x") for name, user in RIGHTS.items() for group in user.get("groups", [])[:1]}
NO_TOPIC, NO_GROUP = KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED
WORKS = 0x02060100  # the first librdkafka that logs in to Kafka 4 (common/kafka/kafka_login.c)


def may(user, *words):
    return {name for word in words for name in RIGHTS[user].get(word, [])}


def library(directory):
    """Debian 12's librdkafka is too old: its programs take the one that came with confluent-kafka."""
    if ctypes.CDLL("librdkafka.so.1").rd_kafka_version() >= WORKS:
        return {}
    [newer] = pathlib.Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka-*.so.1")
    (directory / "librdkafka.so.1").symlink_to(newer)
    return {"LD_LIBRARY_PATH": str(directory)}


@pytest.fixture(scope="module")
def guarded(make_stack, tmp_path_factory):
    """Its log says who asked for what, and what was refused."""
    options = f"{FRUGAL['KAFKA_OPTS']} -Donsale.authorizer=DEBUG"
    stack = make_stack("--users", "--lake", "--hold", "60", KAFKA_OPTS=options, **library(tmp_path_factory.mktemp("library")))
    topics.Cluster.known[stack.env["KAFKA_BROKERS"]] = topics.Cluster(stack.env["KAFKA_BROKERS"], login(stack, "onsale"))
    return stack


def login(stack, user):
    return {"bootstrap.servers": stack.env["KAFKA_BROKERS"], "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user,
            "sasl.password": kafka_users.password(State(stack.state), user), "ssl.ca.location": stack.env["KAFKA_CA"], "log_level": 0}


def decisions(stack, word):
    """Of the broker's authorizer: {(user, operation, kind of resource, its name)}"""
    found = re.findall(rf"Principal = User:(\S+) is {word} operation = (\S+) from \S+ = \S+ on resource = (\w+):LITERAL:(\S+)",
                       (stack.state / "log/kafka.log").read_text(), re.I)
    return {decision for decision in found if decision[0] in RIGHTS}


# --- everything works ---

def sell(seller, buyer):
    order = buyer.place(seller.list_ticket())
    payment = {"orderId": order["id"], "token": "pm_card_visa"}
    answer = wait_until(lambda: (a := buyer.post("/api/payments", json=payment)).status_code not in (404, 503) and (a,), "payments knows the order")[0]
    assert answer.status_code == 201, answer.text
    wait_until(lambda: buyer.get(f"/api/orders/{order['id']}").json()["status"] == "complete", "it is complete")
    return order


def sell_places(stack, seller, buyer):
    show = make_show(seller)
    area = add_area(seller, show)
    made(seller, show, area), known(seller, show, area)
    announce(seller, show)
    assert stack.user().get(f"/shows/{show['id']}").status_code == 200
    answer = wait_until(lambda: (a := buyer.post("/api/purchases", json={"showId": show["id"], "quantity": 2})).status_code != 404 and (a,),
                        "orders knows the show")[0]
    assert answer.status_code == 201, answer.text


def queue(seller, buyer):
    show = make_show(seller)
    area = add_area(seller, show)
    answer = seller.put(f"/api/shows/{show['id']}/phases", json={"phases": [
        {"name": "Sale", "opensAt": soon(1), "closesAt": soon(2), "perUser": 2, "queue": True, "codes": False}]})
    assert answer.status_code == 200, answer.text
    made(seller, show, area), known(seller, show, area)
    announce(seller, show)
    wait_until(lambda: buyer.post(f"/api/shows/{show['id']}/queue", json={}).status_code == 202, "the queue takes people")


def write_letter(stack, person, email):
    assert person.post("/api/users/signup", json={"email": email, "password": "correct horse"}).status_code == 201
    assert person.post("/api/users/password-reset", json={"email": email}).status_code == 202
    assert Mailbox(stack).letter(email)


@pytest.fixture(scope="module")
def sold(guarded):
    """Everything has been used once. How it went."""
    seller, buyer, other = guarded.users(3)
    open_order = other.place(seller.list_ticket())
    paid = sell(seller, buyer)
    sell_places(guarded, seller, buyer)
    queue(seller, buyer)
    write_letter(guarded, other, "somebody@example.com")
    wait_until(lambda: other.get(f"/api/orders/{open_order['id']}").json()["status"] == "cancelled", "nobody paid it in time")
    for topic in ("orders-state", "tickets-state", "shows-state", "sales-by-minute", "show-sales", "expirations", "waiting", "demand", "load", "watermarks"):
        wait_until(lambda topic=topic: guarded.topic(topic).records(), f"{topic} has a record")
    wait_until(lambda: guarded.sql("warehouse", "select 1 from order_events where id = %s and status = 'complete'", paid["id"]), "the warehouse knows")
    return guarded


def test_nobody_is_refused_what_he_needs(sold):
    assert decisions(sold, "Denied") == set()


@pytest.mark.parametrize("user", RIGHTS)
def test_nobody_has_a_right_that_he_does_not_use(sold, user):
    """But to read what he publishes, which a publisher does that takes over, and to write what did not happen here (Connect keeps no offsets of sinks)."""
    def used():
        return {(operation, kind, name) for who, operation, kind, name in decisions(sold, "Allowed") if who == user}

    def unused():
        wanted = {("READ", "Topic", name) for name in may(user, "reads")} | {("CREATE", "Topic", name) for name in may(user, "creates")}
        wanted |= {("WRITE", "Topic", name) for name in may(user, "publishes", "writes") - {
            "entries", "warehouse-dead-letters", "connect-offsets"}}
        left = wanted - used()
        for group in may(user, "groups"):
            if not any(kind == "Group" and re.fullmatch(group.replace("*", ".*"), name) for _, kind, name in used()):
                left.add(group)
        return left
    wait_until(lambda: not unused(), f"{user} uses all its rights")


# --- and nothing else does ---

@pytest.mark.parametrize("user", RIGHTS)
def test_writing_is_refused(guarded, user):
    producer, answers = Producer(login(guarded, user)), {}
    others = set(TOPICS) - may(user, "writes", "publishes")
    for topic in others:
        producer.produce(topic, b"forged", partition=0, on_delivery=lambda error, record: answers.update({record.topic(): error and error.code()}))
    assert producer.flush(DEADLINE) == 0
    assert answers == dict.fromkeys(others, NO_TOPIC)


@pytest.mark.parametrize("user", RIGHTS)
def test_reading_is_refused(guarded, user):
    """Of what he only writes he is told where it is, of the others not even that."""
    own = next(iter(may(user, "groups")), "none").replace("*", "stranger")
    consumer = Consumer(login(guarded, user) | {"group.id": own, "enable.auto.commit": False})
    try:
        written = may(user, "writes") - may(user, "reads")
        for topic in set(TOPICS) - may(user, "reads", "publishes", "writes"):
            assert consumer.list_topics(topic, timeout=DEADLINE).topics[topic].error.code() == NO_TOPIC, topic
        consumer.assign([TopicPartition(topic, 0, 0) for topic in written])
        refused = set()

        def all_refused():
            record = consumer.poll(0.1)
            if record is not None:
                assert record.error() is not None, f"{user} reads {record.topic()}"
                refused.update({record.topic()} if record.error().code() == NO_TOPIC else ())
            return refused == written
        wait_until(all_refused, f"{user} is refused the records of {written}")
    finally:
        consumer.close()


@pytest.mark.parametrize("user", RIGHTS)
def test_groups_of_others_are_closed(guarded, user):
    """Whoever got into one would take its partitions."""
    admin = AdminClient(login(guarded, user))
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition("users", 0, 0)]) for name, group in GROUPS.items() if name != user]
    for one in asked:
        [answer] = admin.alter_consumer_group_offsets([one]).values()
        with pytest.raises(KafkaException) as refused:
            answer.result(DEADLINE)
        assert refused.value.args[0].code() == NO_GROUP, one.group_id


@pytest.mark.parametrize("user", RIGHTS)
def test_nobody_rules_the_cluster(guarded, user):
    admin = AdminClient(login(guarded, user))
    right = AclBinding(ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation.ALL, AclPermissionType.ALLOW)
    answers = {**admin.create_topics([NewTopic("mine", 1)]), **admin.delete_topics(TOPICS), **admin.create_acls([right])}
    for what, answer in answers.items():
        with pytest.raises(KafkaException) as refused:
            answer.result(DEADLINE)
        assert refused.value.args[0].code() in (NO_TOPIC, KafkaError.CLUSTER_AUTHORIZATION_FAILED), what


@pytest.mark.parametrize("user", RIGHTS)
def test_transactions_of_others_are_closed(guarded, user):
    """Whoever opened one by their name would end theirs."""
    for name in {f"onsale-{owner}-{owner}" for owner in RIGHTS if may(owner, "transactions") and owner != user}:
        with pytest.raises(KafkaException) as refused:
            Producer(login(guarded, user) | {"transactional.id": name}).init_transactions(DEADLINE)
        assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.parametrize("changed", [{"sasl.password": "guessed"}, {"sasl.username": "nobody"}, {"security.protocol": "SSL"},
                                     {"security.protocol": "SASL_PLAINTEXT"}])
def test_strangers_are_not_let_in(guarded, changed):
    with pytest.raises(KafkaException):
        AdminClient(login(guarded, "web") | changed).list_topics(timeout=5)


def write(guarded, user, topic):
    """What becomes of a record by this user."""
    producer, answers = Producer(login(guarded, user)), []
    producer.produce(topic, b"forged", partition=0, on_delivery=lambda error, _: answers.append(error and error.code()))
    assert producer.flush(DEADLINE) == 0
    return answers


def test_a_right_too_many_is_taken_away(guarded, tmp_path_factory):
    """By the program that makes the rights; those of the table stay."""
    admin = AdminClient(login(guarded, "onsale"))
    right = AclBinding(ResourceType.TOPIC, "letters", ResourcePatternType.LITERAL, "User:expiration", "*", AclOperation.WRITE, AclPermissionType.ALLOW)
    for answer in admin.create_acls([right]).values():
        answer.result(DEADLINE)
    wait_until(lambda: write(guarded, "expiration", "letters") == [None], "expiration writes letters")
    settings = {name: guarded.env[name] for name in ("KAFKA_BROKERS", "KAFKA_USER", "KAFKA_PASSWORD", "KAFKA_TLS", "KAFKA_CA")}
    done = subprocess.run([ROOT / "build/release/rights", kafka_users.RIGHTS], env={**settings, **library(tmp_path_factory.mktemp("library"))}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
    assert done.returncode == 0 and "User:expiration has 3 rights, 1 others are taken away" in done.stdout, done.stdout
    assert done.stdout.count(", 0 others are taken away") == len(RIGHTS) - 1
    wait_until(lambda: write(guarded, "expiration", "letters") == [NO_TOPIC], "and no more")


def test_the_lake_is_in_files(guarded):
    """Filled by Connect's user; who reads it asks the catalogue where each table is described."""
    found = wait_until(lambda: guarded.sql("warehouse", "select metadata_location from iceberg_tables where metadata_location is not null"), "there is a table")
    lake = pathlib.Path(urllib.parse.urlsplit(guarded.env["LAKE_LOCATION"]).path)
    for where, in found:  # Hadoop has another way to write the same: file:/…
        file = urllib.parse.urlsplit(where)
        assert file.scheme == "file" and lake in pathlib.Path(file.path).parents and pathlib.Path(file.path).exists()


# --- the table ---

def test_the_table_is_whole():
    programs = {path.parent.name for kind in ("services", "streams") for path in ROOT.glob(f"{kind}/*/main.c")} - {"stripe-sandbox"}
    assert RIGHTS.keys() == programs | {"connect", "topics"}
    words = {"name", "why", "publishes", "writes", "reads", "creates", "groups", "resets", "transactions", "cluster"}
    assert all(user.keys() <= words and user["why"] for user in RIGHTS.values())
    assert may("topics", "creates") == set(TOPICS), "topics.json and rights.json differ"
    sinks = {json.loads(path.read_text())["topics"] for path in (ROOT / "connect/sinks").glob("*.json")}
    assert may("connect", "reads") == sinks | {"lake-control"}
    named = set().union(*(may(user, "publishes", "writes", "reads") for user in RIGHTS)) - may("connect", "creates")
    assert named == set(TOPICS), "each topic has somebody, and nobody has one that is not there"
    for topic in TOPICS:
        assert sum(topic in may(user, "publishes") for user in RIGHTS) <= 1, f"{topic} is one service's"
