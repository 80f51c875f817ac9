"""What the integration tests stand on: a running stack, its APIs, its topics and its databases."""
import base64
import contextlib
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
import time
import uuid

import requests
import yaml
from confluent_kafka import KafkaException

import topics
from databases import ask
from topics import Topic
from waits import DEADLINE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "dev"))
from common import BUILD, tail  # noqa: E402
from state import State  # noqa: E402
from supervisor import Supervisor  # noqa: E402

GRACE = 30  # seconds that Kubernetes gives a process to end

plain = requests.Session()  # for what is asked often: it looks for no proxy, and keeps no connection that a process would wait for at its end
plain.trust_env, plain.headers["Connection"] = False, "close"


def read_yaml(path):
    """By the parser in C: the one in Python takes a second for openapi.yaml."""
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def yaml_documents(text):
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def yaml_of(documents):
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, width=10**6)


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
    wait_known(stack, ticket["id"])
    return ticket


def wait_known(stack, *ids, version=1):
    """Until orders has heard of these tickets what happened to them by tickets' own API."""
    known = "select count(*) from tickets where id = any (%s::uuid[]) and version >= %s"
    wait_until(lambda: stack.sql("orders", known, list(ids), version) == [(len(ids),)], "orders knows the tickets")


def wait_payable(stack, *ids):
    """Until payments knows these orders or purchases, each with all that belongs to it."""
    known = "select count(*) from charges where order_id = any (%s::uuid[]) and array_position(tickets, null) is null"
    wait_until(lambda: stack.sql("payments", known, list(ids)) == [(len(ids),)], "payments knows the orders")


def wait_read(stack, service, *names):
    """Until the service has read all that is on these topics by now."""
    def done():
        read = {(topic, partition): offset for topic, partition, offset in stack.sql(service, "select topic, partition, next_offset from consumer_offsets")}
        return all(read.get(place, 0) >= end for place, end in ends.items())
    ends = {(name, partition): end for name in names for partition, end in stack.topic(name).ends().items()}
    wait_until(done, f"{service} has read {', '.join(names)}")


def wait_published(stack, service):
    """Until Postgres was told that all that is committed by now is on the service's topic."""
    [[now]] = stack.sql(service, "select pg_logical_emit_message(true, 'test', '')::text")  # its commit is sure to be read
    wait_until(lambda: stack.sql(service, "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots "
                                          "where database = current_database()", now) == [(True,)], f"all of {service} is published")


def missing_id():
    """UUIDv7 as our own: its first 48 bits are the time, and tickets forgets orders of long ago."""
    bits = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    return str(uuid.UUID(int=bits & ~(0xf << 76) & ~(3 << 62) | 7 << 76 | 2 << 62))


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

    def leave(self):
        """Nobody asks it any more."""
        if self.env:
            topics.forget(self.env)

    def stop(self):
        self.leave()
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

    def wait_kafka(self, deadline=DEADLINE):
        def answers():
            try:
                return self.topic("tickets").ends()
            except KafkaException:
                return None
        wait_until(answers, "Kafka answers", deadline)

    def admin(self, service, path):
        return plain.get(self.env[f"{prefix(service)}_ADMIN_URL"] + path, timeout=DEADLINE)

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
        """All processes but these, and the databases of these, are stopped."""
        supervisor, stay = Supervisor(State(self.state)), {*names, *(f"postgres-{name}" for name in names)}
        supervisor.stop([name for name in supervisor.names() if name not in stay])

    def logs(self, service):
        """As ./onsale logs says them."""
        return "\n".join([*tail(self.state / f"log/{service}.log", 1000), ""])

    # --- people ---

    def tokens(self, n):
        """As ./onsale token makes them."""
        program = self.tree / BUILD.relative_to(ROOT) / "token"
        return subprocess.run([program, self.state / "keys/session.pem", str(n)], check=True, text=True, stdout=subprocess.PIPE).stdout.split()

    def user(self):
        return User(self.url, self.tokens(1)[0])

    def users(self, n):
        return [User(self.url, token) for token in self.tokens(n)]

    # --- data ---

    def sql(self, service, query, *args):
        """By the role that owns the database, where it is a service's."""
        urls = [self.env.get(f"{prefix(service)}_{role}DATABASE_URL") for role in ("OWNER_", "")]
        return ask(next(filter(None, urls)), query, args)

    def topic(self, name):
        return Topic(self.env, name)


@contextlib.contextmanager
def stopped(stack, name):
    """One of a stack's processes, which runs again afterwards."""
    stack.supervisor("stop", name)
    try:
        yield
    finally:
        stack.supervisor("start", name)
    stack.wait_ready(name)


def fresh_state():
    """A directory that the postgres user can reach (pytest's tmp_path is closed to others). ./onsale test looks at its end what runs there."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onsale-test.", dir=os.environ.get("ONSALE_TEST_STATES", "/tmp")))
    path.chmod(0o755)
    return path


# Few people buy and cancel here, and the same again and again: they do not wait.
PATIENT = {"LAPSE_WAIT": "0"}
# Half of a short life of Kafka goes into compiling it for a long one. What nobody will ever be able to read is put aside soon. A stack that nobody uses
# asks Kafka 75 times a second, and many stand by at once: watermarks, each partition's by itself, and who reads them; questions for news; heartbeats.
# A machine that is busy with tests may take seconds for what takes a millisecond: nobody gives up a database or an API that is slow.
FRUGAL = {"KAFKA_OPTS": "-XX:TieredStopAtLevel=1", "UNREADABLE_WAIT": "1s", "WATERMARK_INTERVAL": "20s",
          "RDKAFKA_FETCH_WAIT_MAX_MS": "3000", "RDKAFKA_HEARTBEAT_INTERVAL_MS": "2500", "STATEMENT_TIMEOUT": "60s", "API_TIMEOUT": "60s"}


# Of the processes, those by which something is sold and paid. The others would follow each event as well.
SERVERS = ("kafka", "registry", "postgres")
MARKET = (*SERVERS, "edge", "auth", "tickets", "orders", "payments", "stripe-sandbox", "expiration")


@contextlib.contextmanager
def stacks(tree=ROOT, ground=None, last=False, **settings):
    """make(VARIABLE=...) starts a stack of its own with these settings, too; all are gone at the end. Words are options of ./onsale run.
    only: the processes that its tests have use of; the others are stopped.
    tree: the checkout that it is made of. ground: what those without words stand on (kept_ground.py). last: nobody will after this."""
    started = []

    def make(*words, only=(), **environment):
        stands = ground is not None and not words
        stack = Stack(ground.take() if stands else fresh_state(), **{**PATIENT, **settings, **environment, **(ground.settings() if stands else {})})
        stack.tree, stack.stands = tree, stands
        started.append(stack)
        stack.start(*words)
        if only:
            stack.only(*only)
        return stack

    try:
        yield make
    finally:
        for stack in started:
            stack.leave()
            if not (stack.stands and stack.env and not last and ground.keep(stack.state)):
                stack.stop()
                shutil.rmtree(stack.state, ignore_errors=True)


@contextlib.contextmanager
def common_stack(ground=None, **settings):
    """What most tests share. Sign-in limits are off, and a password's hash costs a quarter of what it should."""
    with stacks(ground=ground, last=True, **FRUGAL) as make:
        yield make(SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16", **settings)


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


class Replica:
    """Another instance of a service, beside the supervised one: the same settings, ports and INSTANCE_ID of its own."""

    def __init__(self, stack, service, **environment):
        with open(f"/proc/{stack.pid(service)}/environ", "rb") as f:
            settings = dict(v.decode().split("=", 1) for v in f.read().split(b"\0") if b"=" in v)
        self.http_port, self.admin_port = free_port(), free_port()
        self.environment = {**settings, "HTTP_PORT": str(self.http_port), "ADMIN_PORT": str(self.admin_port),
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
            return plain.get(self.admin_url + "/readyz", timeout=DEADLINE)
        except requests.ConnectionError:
            return None

    def wait_ready(self, pause=None):
        def ready():
            assert self.process.poll() is None, f"exited with {self.process.returncode}: {self.output()[-2000:]}"
            answer = self.readyz()
            return answer is not None and answer.status_code == 200
        wait_until(ready, f"{self.binary} is ready", pause=pause)
        return self

    def metric(self, name):
        text = plain.get(self.admin_url + "/metrics", timeout=DEADLINE).text
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
