"""What the integration tests stand on: a running stack, its APIs, its topics and its databases."""
import base64
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

import fastavro
import psycopg
import requests
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "dev"))
from state import State  # noqa: E402
from supervisor import Supervisor  # noqa: E402

DEADLINE = float(os.environ.get("ONSALE_TEST_DEADLINE", "120"))  # most seconds anything awaited may take, on a machine with no time for us
GRACE = 30  # seconds that Kubernetes gives a process to end


def metric_tables():
    """The metrics of each module, as its NAME_metrics.h has them: {module: {name: help}}"""
    tables = {}
    for header in (path for top in ("common", "services", "streams") for path in ROOT.glob(f"{top}/**/*_metrics.h")):
        text = header.read_text()
        table = dict(re.findall(r'\bX\(M_\w+,\s*(?:COUNTER|GAUGE|HISTOGRAM),[\s\\]*"(onsale_\w+)",[\s\\]*"([^"]+)"\)', text))
        assert len(table) == text.count("X(M_"), f"{header}: a metric is a name that begins with onsale_, and a help"
        tables[header.name.removesuffix("_metrics.h")] = table
    return tables


def status_of(attempt):
    """Of a request made by a thread. No answer is as good as 502: HAProxy closes the connection when a service dies with a request that was not the
    connection's first."""
    try:
        return attempt.result().status_code
    except requests.ConnectionError:
        return 502


def wait_until(condition, what, deadline=DEADLINE, pause=0.02):
    """Asks condition() until it gives something true, and returns that."""
    end = time.monotonic() + deadline
    never = threading.Event()
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain: {what}"
        never.wait(pause)


def errors(answer, reason=None):
    """The contract's error shape: [(field, message)]; for some with a reason, and of those that are out of places with how many are left."""
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    more = {"reason"} if reason else set()
    more |= {"left"} if reason in ("sold_out", "too_few", "not_together") else set()
    assert set(body) == {"errors"} | more and body["errors"] and body.get("reason") == reason
    for error in body["errors"]:
        assert set(error) <= {"message", "field"} and error["message"]
    return [(e.get("field"), e["message"]) for e in body["errors"]]


def refused(answer, status, words="", reason=None):
    assert answer.status_code == status, answer.text
    assert words in errors(answer, reason)[0][1]


def list_ticket(stack, seller, **what):
    """A ticket that orders knows. (For a while after an instance was killed, nobody reads its partitions.)"""
    ticket = seller.list_ticket(**what)
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s", ticket["id"]), "orders knows the ticket")
    return ticket


def missing_id():
    """UUIDv7 as our own: its first 48 bits are the time, and tickets forgets orders of long ago."""
    bits = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    return str(uuid.UUID(int=bits & ~(0xf << 76) & ~(3 << 62) | 7 << 76 | 2 << 62))


AVRO = ROOT / "schemas/avro"
TOPICS = {topic["name"]: topic for topic in json.loads((AVRO / "topics.json").read_text())["topics"]}


def topic_schema(topic):
    return json.loads((AVRO / TOPICS[topic]["schema"]).read_text())


def prefix(service):
    """Of its variables in ./onsale env."""
    return service.upper().replace("-", "_")


class Stack:
    """A stack of its own, in a fresh state directory, started and stopped by ./onsale."""
    tree = ROOT  # whose ./onsale

    def __init__(self, state, **environment):
        self.state = state
        ours = {k: v for k, v in os.environ.items() if not k.startswith("STRIPE_")}  # no money moves here
        self.environment = {**ours, "ONSALE_STATE": str(state), **environment}
        self.env = {}

    def onsale(self, *words, check=True, **how):
        return subprocess.run([self.tree / "onsale", *words], cwd=self.tree, env=self.environment, check=check,
                              stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, **how).stdout

    def start(self, *words):
        """Whoever interrupts this waits until the command has stopped what it started."""
        command = subprocess.Popen([self.tree / "onsale", "run", "--detach", *words], cwd=self.tree, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            if command.wait() != 0:
                raise subprocess.CalledProcessError(command.returncode, command.args)
        except BaseException:
            command.terminate()
            command.wait()
            raise
        return self.read_env()

    def read_env(self):
        self.env = dict(line.split("=", 1) for line in self.onsale("env").splitlines() if "=" in line)
        return self

    def stop(self):
        self.onsale("stop", check=False, start_new_session=True)  # another Ctrl-C does not reach it

    @property
    def url(self):
        return self.env["ONSALE_URL"]

    # --- processes ---

    def runs(self):
        return bool(json.loads(self.onsale("status", "--json", check=False)))

    def status(self):
        return {p["name"]: p for p in json.loads(self.onsale("status", "--json"))}

    def info(self, name):
        return Supervisor(State(self.state)).info(name)

    def pid(self, name):
        return self.info(name)["pid"]

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        if not pid:  # to kill() 0 means the caller's own group
            raise ProcessLookupError(f"{name} does not run")
        os.kill(pid, sig)
        return pid

    def supervisor(self, action, name):
        """start or stop one process, and wait until it is so."""
        supervisor = Supervisor(State(self.state))
        if action == "stop":
            supervisor.stop([name])
        else:
            supervisor.start_again(name)

    def wait_kafka(self):
        def answers():
            try:
                return self.topic("tickets").ends()
            except KafkaException:
                return None
        wait_until(answers, "Kafka answers")

    def admin(self, service, path):
        return requests.get(self.env[f"{prefix(service)}_ADMIN_URL"] + path, timeout=DEADLINE)

    def ready(self, service):
        try:
            return self.admin(service, "/readyz").status_code == 200
        except requests.ConnectionError:
            return False

    def wait_ready(self, service):
        wait_until(lambda: self.ready(service), f"{service} is ready")

    def metric(self, service, name):
        """The sum of a metric over its labels; 0 when it is not there."""
        total = 0.0
        for line in self.admin(service, "/metrics").text.splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                total += float(line.rsplit(" ", 1)[1])
        return total

    def only(self, *names):
        """All processes but these are stopped."""
        supervisor = Supervisor(State(self.state))
        supervisor.stop([name for name in supervisor.names() if name not in names])

    def logs(self, service):
        return self.onsale("logs", service)

    # --- people ---

    def tokens(self, n):
        return self.onsale("token", str(n)).split()

    def user(self):
        return User(self.url, self.tokens(1)[0])

    def users(self, n):
        return [User(self.url, token) for token in self.tokens(n)]

    # --- data ---

    def sql(self, service, query, *args):
        with psycopg.connect(self.env[f"{prefix(service)}_DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query, args)
            return cursor.fetchall() if cursor.description else []

    def topic(self, name):
        return Topic(self.env, name)


def fresh_state():
    """A directory that the postgres user can reach (pytest's tmp_path is closed to others). ./onsale test looks at its end what runs there."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onsale-test.", dir=os.environ.get("ONSALE_TEST_STATES", "/tmp")))
    path.chmod(0o755)
    return path


# Tests start many stacks and leave several beside each other with nothing to do. What lets records gather at the broker asks it 50 times
# a second; and half of a short life of Kafka goes into compiling it for a long one. What nobody will ever be able to read is put aside soon.
FRUGAL = {"RDKAFKA_FETCH_MIN_BYTES": "1", "RDKAFKA_FETCH_WAIT_MAX_MS": "500", "KAFKA_OPTS": "-XX:TieredStopAtLevel=1",
          "UNREADABLE_WAIT": "1s"}
# Who starts reads topics to their ends first, and the broker tells an end when nothing has come for so long. For what lives shortly or starts often.
PROMPT = {"RDKAFKA_FETCH_WAIT_MAX_MS": "20"}


@contextlib.contextmanager
def stacks(tree=ROOT, **settings):
    """make(VARIABLE=...) starts a stack of its own with these settings, too; all are gone at the end. Words are options of ./onsale run.
    tree: the checkout that it is made of."""
    started = []

    def make(*words, **environment):
        stack = Stack(fresh_state(), **{**settings, **environment})
        stack.tree = tree
        started.append(stack)
        return stack.start(*words)

    try:
        yield make
    finally:
        for stack in started:
            stack.stop()
            shutil.rmtree(stack.state, ignore_errors=True)


@contextlib.contextmanager
def common_stack():
    """What most tests share. Sign-in limits are off, and a password's hash costs a quarter of what it should."""
    with stacks(**FRUGAL) as make:
        yield make(SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16")


# Of charges: Stripe is to be asked about it, and that soon. (Once more a day after it seemed to know nothing of one is not.)
ASKS_SOON = "ask is not null and not (ask = 'find' and ask_at > now() + interval '1 hour')"


class User(requests.Session):
    """Somebody signed in. A path given to it is the API's."""

    def __init__(self, url, token=None):
        super().__init__()
        self.base = url
        self.trust_env = False
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
            claims = token.split(".")[1]
            self.claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            self.id = self.claims["sub"]

    def request(self, method, path, **kwargs):
        kwargs.setdefault("timeout", DEADLINE)
        return super().request(method, self.base + path if path.startswith("/") else path, **kwargs)

    def list_ticket(self, title="A ticket", price=20, **kwargs):
        answer = self.post("/api/tickets", json={"title": title, "price": price}, **kwargs)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def place(self, ticket, **kwargs):
        """An order of this ticket."""
        answer = wait_until(lambda: (a := self.post("/api/orders", json={"ticketId": ticket["id"]}, **kwargs)).status_code != 404 and (a,),
                            "orders has heard of the ticket")[0]
        assert answer.status_code == 201, answer.text
        return answer.json()


class Event(dict):
    """A decoded record: its fields, and key, partition, offset, headers beside them."""

    def __init__(self, record, value):
        super().__init__(value)
        self.key = record.key().decode() if record.key() else None
        self.partition, self.offset = record.partition(), record.offset()
        self.headers = {k: v.decode() for k, v in record.headers() or []}
        self.timestamp = record.timestamp()[1]

    @property
    def position(self):
        lsn, ordinal = self.headers["position"].split("/")
        return int(lsn, 16), int(ordinal, 16)


# Events that requests may carry which a publisher leaves behind when it is killed. A broker that has no time for them for longer than the
# next publisher looks out for them (common/publisher/priv/published_tail.h) puts these on the topic a second time.
LATE = 50


def seen_by_consumers(events):
    """They pass over the versions of a key that they have seen."""
    seen, kept, repeated = {}, [], []
    for event in events:
        new = event["version"] > seen.get(event.key, 0)
        (kept if new else repeated).append(event)
        seen[event.key] = max(event["version"], seen.get(event.key, 0))
    assert len(repeated) <= LATE, f"there again: {[(e.key, e['version'], e.partition, e.offset) for e in repeated[:100]]}"
    return kept


class Topic:
    """One topic, read and written by a foreign client (confluent-kafka and fastavro, through the registry)."""

    schemas = {}

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
        assert value[0] == 0, "not the wire format"
        schema = self._schema(int.from_bytes(value[1:5], "big"))
        return Event(record, fastavro.schemaless_reader(io.BytesIO(value[5:]), schema))

    def _consumer(self, **properties):
        return Consumer({"bootstrap.servers": self.brokers, "group.id": f"test-{uuid.uuid4()}",
                         "enable.auto.commit": False, "auto.offset.reset": "earliest",
                         "fetch.wait.max.ms": 20, "enable.partition.eof": False} | properties)

    def ends(self):
        consumer = self._consumer()
        try:
            partitions = consumer.list_topics(self.name, timeout=10).topics[self.name].partitions
            return {p: consumer.get_watermark_offsets(TopicPartition(self.name, p), timeout=10)[1] for p in partitions}
        finally:
            consumer.close()

    def records(self, since=None):
        """Every record from `since` (what ends() gave) to the end of now."""
        ends = self.ends()
        since = since or {}
        wanted = {p: end for p, end in ends.items() if end > since.get(p, 0)}
        if not wanted:
            return []
        consumer, found = self._consumer(**{"enable.partition.eof": True}), []  # the last offset may be a transaction's end, no record
        try:
            consumer.assign([TopicPartition(self.name, p, since.get(p, 0)) for p in wanted])
            left = dict(wanted)
            deadline = time.monotonic() + DEADLINE
            while left:
                for record in consumer.consume(5000, timeout=0.5):
                    if record.error() is not None:
                        assert record.error().code() == KafkaError._PARTITION_EOF, record.error()
                        if record.offset() >= wanted[record.partition()]:
                            left.pop(record.partition(), None)
                        continue
                    if record.offset() < wanted[record.partition()]:
                        found.append(record)
                    if record.offset() + 1 >= wanted[record.partition()]:
                        left.pop(record.partition(), None)
                assert time.monotonic() < deadline, f"could not read {self.name}: {left}"
            return found
        finally:
            consumer.close()

    def events(self, since=None):
        return [self.decode(r) for r in self.records(since)]

    def of(self, key, count, since=None):
        """The events with this key, once there are `count` of them."""
        def enough():
            found = [e for e in self.events(since) if e.key == key]
            return found if len(found) >= count else None
        return wait_until(enough, f"{count} events of {key} on {self.name}")

    # --- writing ---

    def schema_id(self):
        """The id of our schema for this topic, registered if it is not yet."""
        body = json.dumps({"schema": json.dumps(topic_schema(self.name))}).encode()
        request = urllib.request.Request(f"{self.registry}/subjects/{self.name}-value/versions", body,
                                         {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return json.load(answer)["id"]

    def produce(self, *events, key="ticketId", headers=None):
        """Writes dicts as a service would: Avro by our schema, keyed. Returns when all are acknowledged."""
        schema, schema_id = fastavro.parse_schema(topic_schema(self.name)), self.schema_id()
        records = []
        for event in events:
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, event)
            records.append((str(event[key]), b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()))
        self.produce_raw(*records, headers=headers)

    def produce_raw(self, *records, partition=-1, headers=None):
        producer = Producer({"bootstrap.servers": self.brokers, "partitioner": "murmur2_random",
                             "enable.idempotence": True, "linger.ms": 0})
        failures = []
        for key, value in records:
            producer.produce(self.name, key=key, value=value, partition=partition, headers=headers,
                             on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(DEADLINE) == 0 and not failures, failures


class Replica:
    """Another instance of a service, beside the supervised one: the same settings, ports and INSTANCE_ID of its own."""

    def __init__(self, stack, service, **environment):
        with open(f"/proc/{stack.pid(service)}/environ", "rb") as f:
            settings = dict(v.decode().split("=", 1) for v in f.read().split(b"\0") if b"=" in v)
        self.http_port, self.admin_port = free_port(), free_port()
        self.environment = {**settings, **PROMPT, "HTTP_PORT": str(self.http_port), "ADMIN_PORT": str(self.admin_port),
                            "INSTANCE_ID": f"{service}-{self.http_port}", **environment}
        self.binary = os.readlink(f"/proc/{stack.pid(service)}/exe").removesuffix(" (deleted)")  # built anew since
        self.log = open(stack.state / f"{service}-{self.http_port}.log", "a+b")
        self.url, self.admin_url = f"http://127.0.0.1:{self.http_port}", f"http://127.0.0.1:{self.admin_port}"
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.binary], env=self.environment, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        return self

    def signal(self, sig):
        self.process.send_signal(sig)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self, deadline=DEADLINE):
        self.process.terminate()
        return self.process.wait(deadline)

    def readyz(self):
        try:
            return requests.get(self.admin_url + "/readyz", timeout=DEADLINE)
        except requests.ConnectionError:
            return None

    def wait_ready(self, pause=0.02):
        def ready():
            assert self.process.poll() is None, f"exited with {self.process.returncode}: {self.output()[-2000:]}"
            answer = self.readyz()
            return answer is not None and answer.status_code == 200
        wait_until(ready, f"{self.binary} is ready", pause=pause)
        return self

    def metric(self, name):
        text = requests.get(self.admin_url + "/metrics", timeout=DEADLINE).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name) and line[len(name)] in " {")

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            try:
                self.terminate()  # it leaves its group: a dead member's partitions wait until its session ends
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()


def partitions(instance, service):
    """How many an instance reads: a replica, or the supervised one of a stack."""
    name = "onsale_consumer_partitions"
    try:
        return instance.metric(name) if isinstance(instance, Replica) else instance.metric(service, name)
    except requests.ConnectionError:
        return 0  # it is being started


def resident_kib(pid, key="VmRSS"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB$", status, re.M)[1])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processes_of(state):
    """The pids of everything that runs on this state directory: it is named in its arguments or its environment."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            for file in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{file}", "rb") as f:
                    if f"{state}/".encode() in f.read():
                        found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass  # gone meanwhile
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
