"""Topics as a foreign client reads and writes them (confluent-kafka and fastavro, through the registry)."""
import collections
import functools
import io
import json
import pathlib
import threading
import time
import urllib.request
import uuid

import fastavro
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from waits import DEADLINE, wait_until

AVRO = pathlib.Path(__file__).resolve().parents[2] / "schemas/avro"
TOPICS = {topic["name"]: topic for topic in json.loads((AVRO / "topics.json").read_text())["topics"]}
PATIENCE, ONE_TRY = 40, 10  # seconds until brokers have answered, and that one has for it


def topic_schema(topic):
    return json.loads((AVRO / TOPICS[topic]["schema"]).read_text())


@functools.cache
def parsed_schema(topic):
    return fastavro.parse_schema(topic_schema(topic))


class Event(dict):
    """A decoded record: its fields (of a tombstone none), and key, partition, offset, headers beside them."""

    def __init__(self, record, value):
        super().__init__(value or {})
        self.tombstone = value is None
        self.key = record.key().decode() if record.key() else None
        self.partition, self.offset = record.partition(), record.offset()
        self.headers = {k: v.decode() for k, v in record.headers() or []}
        self.timestamp = record.timestamp()[1]

    @property
    def position(self):
        lsn, ordinal = self.headers["position"].split("/")
        return int(lsn, 16), int(ordinal, 16)


# Events that requests may carry which a publisher leaves behind when it is killed. A broker that has no time for them for longer than the
# next publisher looks out for them (common/publisher/priv/published_tail.h) puts these on the topic a second time. Of ten deaths that happens
# once at most; a publisher that does not look puts about ninety there again after each.
LATE = 50


def seen_by_consumers(events, deaths=1):
    """They pass over the versions of a key that they have seen."""
    seen, kept, repeated = {}, [], []
    for event in events:
        new = event["version"] > seen.get(event.key, 0)
        (kept if new else repeated).append(event)
        seen[event.key] = max(event["version"], seen.get(event.key, 0))
    again = [(e.key, e["version"], e.partition, e.offset) for e in repeated]
    assert len(again) <= LATE * max(1, deaths // 10), f"{len(again)} are there again: {again[:100]}"
    return kept


class Kept:
    """Of a topic: its records, in the order in which they were read, and how far they go in each partition. Most tests ask for those of a key, and
    ask again until there are enough."""

    def __init__(self):
        self.records, self.by_key, self.read = [], collections.defaultdict(list), {}

    def take(self, records):
        self.records += records
        for record in records:
            self.by_key[record.key()].append(record)


class Cluster:
    """What reads and writes the topics of some brokers: the same clients, whoever asks, from any thread. Tests ask again and again, so what was
    read is kept."""

    known = {}

    @classmethod
    def of(cls, brokers):
        if brokers not in cls.known:
            cls.known[brokers] = cls(brokers)
        return cls.known[brokers]

    def __init__(self, brokers, login=None):
        """login: more of a client's settings, where Kafka wants to know who one is."""
        self.settings = {"bootstrap.servers": brokers, "log_level": 0, "reconnect.backoff.max.ms": 500, **(login or {})}
        self.admin, self.consumer, self.producer = AdminClient(self.settings), self._new_consumer(), None
        self.kept = collections.defaultdict(Kept)  # by the topic's id
        self.lock = threading.Lock()  # of what is kept, and of the consumer

    def _new_consumer(self):
        return Consumer(self.settings | {
            "group.id": f"test-{uuid.uuid4()}", "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20,
            "enable.partition.eof": True})  # the last offset may be a transaction's end, no record

    def ends(self, topic):
        return self._ends(topic)[1]

    def _ends(self, topic):
        """The topic's id, and its ends as those see them who wait for transactions."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._ask_ends(topic)
            except KafkaException:  # a partition's leader may be changing, or what this client took for the controller is away
                if time.monotonic() > deadline:
                    raise
                self.admin = AdminClient(self.settings)
                time.sleep(0.05)

    def _ask_ends(self, topic):
        described = self.admin.describe_topics(TopicCollection([topic]), request_timeout=ONE_TRY)[topic].result()
        latest = {TopicPartition(topic, p.id): OffsetSpec.latest() for p in described.partitions}
        asked = self.admin.list_offsets(latest, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ONE_TRY)
        return str(described.topic_id), {place.partition: future.result().offset for place, future in asked.items()}

    def records(self, topic, since, key=None):
        """Every record from `since` (what ends() gave) to the end of now. key: those with this key alone."""
        topic_id, ends = self._ends(topic)
        with self.lock:
            kept = self.kept[topic_id]
            new = {p: end for p, end in ends.items() if end > kept.read.get(p, 0)}
            if new:
                kept.take(self._read(topic, kept.read, new))
                kept.read.update(new)
            found = kept.records if key is None else kept.by_key.get(key, [])
            return [r for r in found if since.get(r.partition(), 0) <= r.offset() < ends.get(r.partition(), 0)]

    def _read(self, topic, begin, ends):
        """A consumer may say nothing any more when its broker was away: after a while another one asks."""
        deadline = time.monotonic() + DEADLINE
        while True:
            found, left, trouble = self._try_to_read(topic, begin, ends)
            if not left:
                return found
            assert time.monotonic() < deadline, f"could not read {topic}: {left}; {trouble}"
            self.consumer.close()
            self.consumer = self._new_consumer()

    def _try_to_read(self, topic, begin, ends):
        self.consumer.assign([TopicPartition(topic, p, begin.get(p, 0)) for p in ends])
        try:
            left, found, trouble, heard = dict(ends), [], None, time.monotonic()
            while left and time.monotonic() < heard + PATIENCE:
                record = self.consumer.poll(0.5)
                if record is None:
                    continue
                error = record.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    trouble = error  # also of a broker that was away since the last time
                    continue
                partition, read_to, heard = record.partition(), record.offset(), time.monotonic()
                if error is None and partition in left and read_to < left[partition]:
                    found.append(record)
                    read_to += 1
                if read_to >= left.get(partition, read_to):
                    left.pop(partition, None)
            return found, left, trouble
        finally:
            self.consumer.unassign()

    def write(self, topic, records, **how):
        """Returns when all are acknowledged."""
        producer, failures = self.producer or self._new_producer(), []
        for key, value in records:
            producer.produce(topic, key=key, value=value, on_delivery=lambda error, _: error and failures.append(error), **how)
        left = producer.flush(DEADLINE)
        if left or failures:
            self.producer = None
        assert left == 0 and not failures, failures

    def _new_producer(self):
        self.producer = Producer(self.settings | {"partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 0})
        return self.producer


class Ear:
    """Hears a topic from `since` on, for as long as a test takes, and while brokers are away. A consumer of librdkafka may then say nothing any more
    (its issue 5153): after a while of silence in which there is more, another one goes on where it was."""

    def __init__(self, topic, since):
        self.topic, self.places, self.heard = topic, dict(since), time.monotonic()
        self.consumer = self._new_consumer()

    def _new_consumer(self):
        consumer = Consumer({"bootstrap.servers": self.topic.brokers, "group.id": f"test-{uuid.uuid4()}", "enable.auto.commit": False,
                             "fetch.wait.max.ms": 20, "log_level": 0, "reconnect.backoff.max.ms": 500})
        consumer.assign([TopicPartition(self.topic.name, p, offset) for p, offset in self.places.items()])
        return consumer

    def hear(self, most, timeout):
        records = [r for r in self.consumer.consume(most, timeout=timeout) if r.error() is None]  # an error: its brokers are away
        self.places.update((r.partition(), r.offset() + 1) for r in records)
        now = time.monotonic()
        if records:
            self.heard = now
        elif now > self.heard + PATIENCE:
            self.heard = now
            if self._is_behind():
                self.close()
                self.consumer = self._new_consumer()
        return records

    def _is_behind(self):
        try:
            return any(end > self.places[p] for p, end in self.topic.ends().items())
        except KafkaException:
            return False  # they are away for as long

    def close(self):
        self.consumer.close()


class Topic:
    schemas, ids = {}, {}  # by registry and number, and by registry and topic

    def __init__(self, env, name):
        self.name, self.registry = name, env["SCHEMA_REGISTRY_URL"]
        self.brokers = env["KAFKA_BROKERS"]

    def _schema(self, schema_id):
        key = self.registry, schema_id
        if key not in self.schemas:
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{schema_id}", timeout=DEADLINE) as answer:
                self.schemas[key] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        return self.schemas[key]

    def decode(self, record):
        value = record.value()
        if value is None:
            return Event(record, None)
        assert value[0] == 0, "not the wire format"
        schema = self._schema(int.from_bytes(value[1:5], "big"))
        return Event(record, fastavro.schemaless_reader(io.BytesIO(value[5:]), schema))

    def ends(self):
        return Cluster.of(self.brokers).ends(self.name)

    def records(self, since=None, key=None):
        """Every record from `since` (what ends() gave) to the end of now. key: those with this key alone."""
        return Cluster.of(self.brokers).records(self.name, since or {}, key and key.encode())

    def events(self, since=None):
        return [self.decode(r) for r in self.records(since)]

    def of(self, key, count, since=None):
        """The events with this key, once there are `count` of them."""
        def enough():
            found = self.records(since, key)
            return found if len(found) >= count else None
        return [self.decode(r) for r in wait_until(enough, f"{count} events of {key} on {self.name}")]

    # --- writing ---

    def schema_id(self):
        """The id of our schema for this topic, registered if it is not yet."""
        key = self.registry, self.name
        if key not in self.ids:
            body = json.dumps({"schema": json.dumps(topic_schema(self.name))}).encode()
            request = urllib.request.Request(f"{self.registry}/subjects/{self.name}-value/versions", body,
                                             {"Content-Type": "application/vnd.schemaregistry.v1+json"})
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                self.ids[key] = json.load(answer)["id"]
        return self.ids[key]

    def encode(self, event):
        out = io.BytesIO(b"\0" + self.schema_id().to_bytes(4, "big"))
        out.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(out, parsed_schema(self.name), event)
        return out.getvalue()

    def produce(self, *events, key="ticketId", headers=None):
        """Writes dicts as a service would: Avro by our schema, keyed. Returns when all are acknowledged."""
        self.produce_raw(*((str(event[key]), self.encode(event)) for event in events), headers=headers)

    def produce_raw(self, *records, partition=-1, headers=None):
        Cluster.of(self.brokers).write(self.name, records, partition=partition, headers=headers)


def forget(env):
    """What was known of a stack that is gone: its ports may be another one's."""
    cluster = Cluster.known.pop(env["KAFKA_BROKERS"], None)
    if cluster:
        cluster.consumer.close()
    for known in (Topic.schemas, Topic.ids):
        for key in [key for key in known if key[0] == env["SCHEMA_REGISTRY_URL"]]:
            known.pop(key, None)
