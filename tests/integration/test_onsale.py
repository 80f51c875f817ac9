"""The command ./onsale: what it prints, what it keeps, and that nothing is left of what it starts."""
import datetime
import glob
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import psycopg
import pytest
import requests

from support import DEADLINE, ROOT, Stack, User, errors, free_port, fresh_state, processes_of, wait_until
from test_onsale_again import run_ready

pytestmark = pytest.mark.alone

GROUND = {"postgres", "postgres-auth", "postgres-tickets", "kafka", "registry", "edge"}


def onsale(*words, root=ROOT, **environment):
    return subprocess.run([root / "onsale", *words], env={**os.environ, **environment}, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL)


@pytest.fixture
def state():
    directory = fresh_state()
    yield directory
    onsale("reset", ONSALE_STATE=str(directory))
    shutil.rmtree(directory, ignore_errors=True)


# --- words ---

@pytest.mark.parametrize("words", [[], ["nonsense"], ["run", "--nonsense"], ["status", "x"], ["token", "0"], ["test", "nonsense"],
                                   ["test", "nonsense:json"], ["test", "chaos", "--minutes", "0"], ["test", "lint", "--seed", "seed"],
                                   ["bench", "nonsense"], ["run", "--port", "99999"]])
def test_unknown_words_show_the_usage(words):
    answer = onsale(*words, ONSALE_STATE="/nonexistent/onsale")
    assert answer.returncode == 64
    assert "usage: ./onsale COMMAND" in answer.stderr and answer.stdout == ""
    assert not words or (answer.stderr.startswith("onsale: ") and words[-1].split(":")[0] in answer.stderr.splitlines()[0])


def test_parts_of_the_tests_end_with_their_closing_lines():
    answer = onsale("test", "integration:help_is_no_error", "fuzz:nonsense")
    assert answer.returncode == 1
    passed, failed = answer.stdout.splitlines()[-2:]
    assert passed.startswith("integration: 1 passed")
    assert failed.startswith("fuzz: FAILED: ")


def test_a_name_that_nothing_has_is_an_error():
    answer = onsale("test", "integration:help_is_no_error", "integration:nonsense_of_nobody")
    assert answer.returncode == 1 and "no test of this part is called nonsense_of_nobody" in answer.stdout


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGHUP])
def test_tests_that_are_ended_leave_no_stack(name):
    """By kill, or with their terminal; here two parts, of which one starts a stack."""
    command = subprocess.Popen([ROOT / "onsale", "test", "integration:test_status_knows_every_process", "lint:editorconfig"], text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        log = re.search(r"^onsale: test integration:\S+: what it says is in (\S+),", command.stderr.readline())[1]
        states = wait_until(lambda: re.search(r"^onsale: the stacks of these tests are in (\S+)$", pathlib.Path(log).read_text(), re.M), "it begins")[1]
        wait_until(lambda: glob.glob(f"{states}/*/log/kafka.log"), "a stack is being started")
        assert processes_of(states)
    finally:
        command.send_signal(name)
        command.communicate(timeout=DEADLINE)
    assert command.returncode == 128 + name
    assert not os.path.exists(states) and not processes_of(states)


def test_help_is_no_error():
    answer = onsale("help")
    assert answer.returncode == 0 and "usage: ./onsale COMMAND" in answer.stdout


def test_where_nothing_runs(state):
    def here(*words):
        return onsale(*words, ONSALE_STATE=str(state))
    assert here("stop").returncode == 0
    assert here("status").returncode == 1
    assert json.loads(here("status", "--json").stdout) == []
    answer = here("env")
    assert answer.returncode == 1 and "./onsale run" in answer.stderr
    assert os.listdir(state) == []


# --- a stack that is up ---

def test_status_knows_every_process(stack):
    def all_ready():
        status = stack.status()
        return all(process["state"] == "ready" for process in status.values()) and status
    status = wait_until(all_ready, "all is ready")
    assert GROUND | {"auth", "tickets"} <= status.keys()
    for process in status.values():
        assert process["memory"] > 1_000_000
        os.kill(process["pid"], 0)
    lines = wait_until(lambda: " starting " not in (said := stack.onsale("status")) and said.splitlines(), "all is ready")
    assert lines[0].split() == ["NAME", "PID", "STATE", "PORT", "MEMORY"]
    assert {line.split()[0] for line in lines[1:]} == status.keys()
    auth = next(line.split() for line in lines if line.startswith("auth"))
    assert auth[1:4] == [str(status["auth"]["pid"]), "ready", str(status["auth"]["port"])]


def test_env_says_where_everything_listens(stack):
    assert requests.get(stack.env["ONSALE_URL"] + "/api/tickets", timeout=DEADLINE).status_code == 200
    assert requests.get(stack.env["SCHEMA_REGISTRY_URL"] + "/subjects", timeout=DEADLINE).status_code == 200
    with socket.create_connection(stack.env["KAFKA_BROKERS"].rsplit(":", 1), DEADLINE):
        pass
    for service in ("auth", "tickets"):
        assert stack.admin(service, "/healthz").status_code == 200
        assert stack.sql(service, "select current_database()") == [(service,)]


def test_every_service_has_a_database_of_its_own(stack):
    """On a server of its own, where the others' passwords open nothing."""
    role, _ = stack.env["AUTH_DATABASE_URL"].split("@")
    _, tickets = stack.env["TICKETS_DATABASE_URL"].split("@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"{role}@{tickets}")
    assert "WEB_DATABASE_URL" not in stack.env, "it keeps nothing"


def test_a_second_run_says_that_one_is_up(stack):
    answer = run_ready(stack)
    assert answer.returncode == 1
    assert stack.url in answer.stderr and "already up" in answer.stderr
    stack.wait_ready("tickets")


def test_settings_reach_the_services_that_know_them(stack):
    """The shared stack was started with SIGNIN_RATE=0, and in whatever environment this test runs."""
    with open(f"/proc/{stack.pid('auth')}/environ") as f:
        auth = dict(v.split("=", 1) for v in f.read().split("\0") if v)
    with open(f"/proc/{stack.pid('tickets')}/environ") as f:
        tickets = dict(v.split("=", 1) for v in f.read().split("\0") if v)
    assert auth["SIGNIN_RATE"] == "0" and "SIGNIN_RATE" not in tickets
    assert auth["DATABASE_URL"] == stack.env["AUTH_DATABASE_URL"]
    assert auth["REPLICATION_DATABASE_URL"] == stack.env["AUTH_REPLICATION_DATABASE_URL"]


def test_env_is_for_a_shell_whatever_the_directory_is_called(stack):
    directory = stack.state.parent / f"{stack.state.name} linked"
    directory.symlink_to(stack.state)
    try:
        script = f'eval "$({shlex.quote(str(ROOT / "onsale"))} env)"; echo "$ONSALE_STATE"; echo "$ONSALE_URL"'
        said = subprocess.run(["bash", "-e"], input=script, env={**os.environ, "ONSALE_STATE": str(directory)}, text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        assert said.splitlines() == [str(directory), stack.url]
    finally:
        directory.unlink()


def test_a_reader_that_has_enough(stack):
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run([ROOT / "onsale", "status"], env=stack.environment, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert answer.stderr == "" and answer.returncode == 128 + signal.SIGPIPE


def test_tokens(stack):
    tokens = stack.onsale("token", "3").split()
    assert len(set(tokens)) == 3
    for token in tokens:
        user = User(stack.url, token)
        assert user.get("/api/users/currentuser").json()["currentUser"]["id"] == user.id


def test_logs(stack):
    trace = os.urandom(16).hex()
    with subprocess.Popen([ROOT / "onsale", "logs", "-f", "tickets"], env=stack.environment, stdout=subprocess.PIPE, text=True) as follow:
        try:
            assert follow.stdout.readline()  # the latest lines come first
            requests.get(stack.url + "/api/tickets", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, timeout=DEADLINE)
            assert any(trace in line for line in follow.stdout)
        finally:
            follow.terminate()
    assert json.loads(next(line for line in stack.onsale("logs", "tickets").splitlines() if trace in line))["route"] == "/api/tickets"
    everything = stack.onsale("logs")
    for name in GROUND | {"auth", "tickets"}:
        assert f"== {name} (" in everything
    assert onsale("logs", "nobody", ONSALE_STATE=str(stack.state)).returncode == 64


# --- dying and restarting ---

@pytest.mark.parametrize("name", ["auth", "tickets", "edge"])
def test_what_dies_is_started_again(stack, name):
    before = stack.kill(name)

    def back():
        process = stack.status()[name]
        return process["state"] == "ready" and process["pid"] != before
    wait_until(back, f"{name} is started again")
    wait_until(lambda: requests.get(stack.url + "/api/users/currentuser", timeout=DEADLINE).status_code == 200, "the edge serves auth")
    assert stack.user().list_ticket()["status"] == "available"


def test_what_keeps_dying_is_started_with_back_off(stack):
    script = stack.state / "run/tickets.sh"
    text = script.read_text()
    script.write_text("exit 1\n")
    try:
        stack.kill("tickets")
        wait_until(lambda: stack.status()["tickets"]["state"] == "backoff", "tickets is left alone for a while")
    finally:
        script.write_text(text)
    stack.wait_ready("tickets")


def test_restart_of_one_leaves_the_others(stack):
    before = stack.status()
    stack.onsale("restart", "tickets")
    after = stack.status()
    changed = {name for name in before if before[name]["pid"] != after[name]["pid"]}
    assert changed == {"tickets"}
    assert after["tickets"]["state"] == "ready" and after["tickets"]["port"] == before["tickets"]["port"]


def test_restart_of_nobody(stack):
    answer = onsale("restart", "nobody", ONSALE_STATE=str(stack.state))
    assert answer.returncode == 64 and "nobody" in answer.stderr


def test_a_setting_that_is_no_good_is_said_and_not_kept(stack):
    answer = onsale("restart", "tickets", ONSALE_STATE=str(stack.state), HTTP_THREADS="0")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].strip() == 'tickets: HTTP_THREADS: must be a number from 1 to 64, got "0"'
    stack.onsale("restart", "tickets")
    assert stack.ready("tickets")


# --- the edge ---

def assert_error(answer, status):
    assert answer.status_code == status, answer.text
    assert errors(answer)


def test_edge_errors_have_the_contracts_shape(stack):
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert_error(requests.request(method, stack.url + "/api/nowhere", timeout=DEADLINE), 404)
    assert_error(requests.post(stack.url + "/api/tickets", data=b"x" * 65537, timeout=DEADLINE), 413)
    assert_error(requests.post(stack.url + "/api/tickets", data=iter([b"x" * 65536, b"x" * 9]), timeout=DEADLINE), 413)


def test_edge_errors_of_a_service_that_is_down(stack):
    stack.supervisor("stop", "tickets")
    try:
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert_error(requests.request(method, stack.url + "/api/tickets", timeout=DEADLINE), 502)
    finally:
        stack.supervisor("start", "tickets")
        stack.wait_ready("tickets")


@pytest.mark.parametrize("path", ["/api/tickets/", "/API/Tickets", "/Api/TICKETS/?limit=1", "/api/tickets?limit=1"])
def test_edge_takes_any_letter_case_and_a_slash_at_the_end(stack, path):
    answer = requests.get(stack.url + path, timeout=DEADLINE)
    assert answer.status_code == 200 and isinstance(answer.json(), list), answer.text


def test_edge_keeps_method_and_body_in_other_letters(stack):
    answer = stack.user().post("/API/Tickets/", json={"title": "In Other Letters", "price": 20})
    assert answer.status_code == 201 and answer.json()["title"] == "In Other Letters"


def not_found(answer):
    """As programs are told, or people."""
    return answer.startswith(b"HTTP/1.1 404 ") and (b'{"errors":[' in answer or b"<h1>Not found</h1>" in answer)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/METRICS/", "/api/tickets/../metrics", "/api/tickets/%2e%2e/metrics",
                                  "/api/tickets/metrics", "/api/tickets/../../metrics", "/sandbox/ledger", "/sandbox/settings"])
def test_edge_hides_what_operators_see(stack, path):
    with socket.create_connection(("127.0.0.1", int(stack.url.rsplit(":", 1)[1])), DEADLINE) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert not_found(answer)


@pytest.mark.parametrize("path", [b"/API/Tickets%20HTTP/1.1%0d%0aX:%20y", b"/API/Tickets%2f%00", b"/API/../metrics", b"//API/Tickets",
                                  b"/API/Tickets/%ff", b"/api/Tickets/\xc3\x84", b"http://elsewhere.example/API/Tickets/x"])
def test_edge_passes_nothing_odd_on(stack, path):
    """What hides in a path in other letters becomes no header, no request of its own and no other host."""
    with socket.create_connection(("127.0.0.1", int(stack.url.rsplit(":", 1)[1])), DEADLINE) as s:
        s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert not_found(answer), answer
    assert stack.status()["edge"]["state"] == "ready"


# --- a life: run, Ctrl-C, run again, kill -9, reset ---

class Running:
    """./onsale run in the foreground, as a terminal has it: a process group of its own."""

    def __init__(self, state, *words, **environment):
        self.printed, self.stderr = [], state / "not-ours"  # a file there that reset leaves
        self.process = subprocess.Popen([ROOT / "onsale", "run", *words], text=True,
                                        env={**os.environ, "ONSALE_STATE": str(state), **environment}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.stderr.open("w"), start_new_session=True)

    def wait_up(self):
        """The URL it prints, once it says that Ctrl-C stops it."""
        for line in self.process.stdout:
            self.printed.append(line)
            if "Ctrl-C" in line:
                return self.printed[0].strip()
        raise AssertionError(f"run ended: {self.process.wait()} {self.printed}")

    def said(self):
        return self.stderr.read_text()

    def paste_what_to_try(self):
        script = "".join(line for line in self.printed if line.startswith("  "))
        assert script.count("curl") == 4
        subprocess.run(["bash"], input=script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def schema_ids(stack):
    registry = stack.env["SCHEMA_REGISTRY_URL"]
    return {subject: requests.get(f"{registry}/subjects/{subject}/versions/latest", timeout=DEADLINE).json()["id"]
            for subject in requests.get(f"{registry}/subjects", timeout=DEADLINE).json()}


def seconds_held(stack, ticket):
    """By an order placed now: at least so many, at most so many."""
    user, before = stack.user(), time.time()
    until = datetime.datetime.fromisoformat(user.place(ticket)["expiresAt"]).timestamp()
    return until - time.time(), until - before


def seats(url):
    return [t for t in requests.get(f"{url}/api/tickets", timeout=DEADLINE).json() if t["title"] == "A seat in row 1"]


def test_a_life(stack, state):
    """Beside the shared stack: data survives, ports stay, and nothing is left whatever ends it."""
    mine, port = Stack(state), free_port()
    # What another checkout's `env` left in the shell does not count.
    with Running(state, "--port", str(port), "--hold", "5", KAFKA_BROKERS="127.0.0.1:1",
                 DATABASE_URL="postgresql://nobody@127.0.0.1:1/no", STRIPE_SECRET_KEY="") as run:
        url = run.wait_up()
        assert url == f"http://127.0.0.1:{port}"
        assert "stands in for Stripe" in run.said()
        mine.read_env()
        ticket = mine.user().list_ticket("Kept")
        least, most = seconds_held(mine, ticket)
        assert least <= 5 <= most
        run.paste_what_to_try()
        assert len(seats(url)) == 1
        wait_until(lambda: requests.get(f"{url}/api/tickets/{ticket['id']}", timeout=DEADLINE).json()["status"] == "available",
                   "the hold ends by itself")
        schemas = schema_ids(mine)
        assert schemas
        ports = {name: p["port"] for name, p in mine.status().items()}
        assert not set(ports.values()) & {p["port"] for p in stack.status().values()} - {None}  # a stream has none
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(DEADLINE) == 0
    assert processes_of(state) == []

    with Running(state) as run:
        assert run.wait_up() == url
        assert "no work to do" in run.said()
        assert not any(word in run.said() for word in ("installing", "fetching", "making", "letting", "Building"))
        assert requests.get(f"{url}/api/tickets/{ticket['id']}", timeout=DEADLINE).json()["title"] == "Kept"
        assert {name: p["port"] for name, p in mine.status().items()} == ports
        assert schema_ids(mine) == schemas
        run.paste_what_to_try()  # though the account is there already
        assert len(seats(url)) == 2
        run.process.kill()
        run.process.wait()
        wait_until(lambda: processes_of(state) == [], "everything ended with the command")

    with Running(state, STRIPE_SECRET_KEY="sk_test_of_stripes_own", STRIPE_WEBHOOK_SECRETS="whsec_of_stripes_own") as run:
        run.wait_up()
        assert "stands in for Stripe" not in run.said() and "stripe-sandbox" not in mine.status()
        assert not any(name.startswith("STRIPE_SANDBOX") for name in mine.read_env().env)
        assert onsale("stop", ONSALE_STATE=str(state)).returncode == 0
        assert run.process.wait(DEADLINE) == 0
    assert processes_of(state) == []

    assert onsale("reset", ONSALE_STATE=str(state)).returncode == 0
    assert os.listdir(state) == ["not-ours"]


def test_interrupted_while_starting(state):
    with Running(state) as run:
        wait_until((state / "run/supervisor.sock").exists, "it is starting")
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.process.wait(DEADLINE) == 0
    assert processes_of(state) == []


def test_a_taken_port_is_said(stack, state):
    answer = onsale("run", "--port", stack.url.rsplit(":", 1)[1], ONSALE_STATE=str(state))
    assert answer.returncode == 1 and "cannot be used" in answer.stderr
    assert processes_of(state) == []


def test_no_two_processes_get_the_same_port(tmp_path):
    sys.path.insert(0, str(ROOT / "dev"))
    import state as module
    chosen, port = module.State(tmp_path), free_port()
    chosen.claim_block()
    chosen.ports = {"kafka": port, "registry": free_port()}
    remembered = chosen.ports["registry"]
    chosen.choose_port("edge", port)
    assert chosen.choose_port("kafka") not in (port, remembered)
    assert chosen.choose_port("registry") == remembered


def test_a_block_of_ports_is_of_one_stack_alone(tmp_path):
    """Also the ports of a process that is away for a moment; and it is the same again as long as nobody else took it."""
    import state as module
    one, other = module.State(tmp_path), module.State(tmp_path)
    one.claim_block()
    other.block = one.block
    other.claim_block()
    assert abs(other.block - one.block) >= module.BLOCK
    ports = {one.choose_port("kafka"), other.choose_port("kafka")}
    assert ports == {one.block + 1, other.block + 1}
    one.claim.close()
    again = module.State(tmp_path)
    again.block = one.block
    again.claim_block()
    assert again.block == one.block
    for state in (other, again):
        state.claim.close()


# --- on a machine where something is amiss ---

def test_a_broken_build_is_said_and_leaves_nothing(state, tmp_path):
    """In a second checkout, at a path with a space in it."""
    checkout = tmp_path / "second checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns("build", ".git", "corpus"))
    with open(checkout / "CMakeLists.txt", "a") as file:
        file.write('message(FATAL_ERROR "broken on purpose")\n')
    answer = onsale("run", root=checkout, ONSALE_STATE=str(state))
    assert answer.returncode == 1
    assert "broken on purpose" in answer.stderr and answer.stderr.splitlines()[-1].startswith("onsale: the build failed")
    assert processes_of(state) == []


def test_missing_packages_for_who_is_not_root(tmp_path):
    """By sudo; where it refuses: which they are, and the command for root."""
    checkout, stubs = tmp_path / "a checkout", tmp_path / "stubs"
    ensure = checkout / "dev/ensure-packages"
    shutil.copytree(ROOT / "dev", checkout / "dev")
    shutil.copy(ROOT / "onsale", checkout)
    packages = checkout / "dev/packages.txt"
    packages.write_text(packages.read_text().replace("[run]\n", "[run]\nno-such-package * *\n"))
    stubs.mkdir()

    def stub(name, does):
        (stubs / name).write_text(f"#!/bin/sh\n{does}\n")
        (stubs / name).chmod(0o755)

    path = f"{stubs}:{os.environ['PATH']}"
    stub("id", "echo 1000")
    stub("sudo", 'echo "asked for: $*"')
    answer = subprocess.run([ensure, "test"], env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True)
    assert answer.returncode == 0 and answer.stdout == f"asked for: {ensure} test\n"
    stub("sudo", "exit 1")
    answer = onsale("run", root=checkout, PATH=path)
    assert answer.returncode == 1
    assert "packages are missing: no-such-package" in answer.stderr
    assert shlex.split(answer.stderr.splitlines()[-1].split("as root run: ")[1]) == [str(ensure), "run"]


@pytest.mark.parametrize("text", ['ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.2 LTS"\n', "ID=debian\nVERSION_ID=11\n", "ID=debian\n", ""])
def test_another_system_is_told_what_is_needed(tmp_path, text):
    """By name, with versions, and nothing is installed."""
    release = tmp_path / "os-release"
    release.write_text(text)
    for what, tests in (("run", False), ("test", True)):
        answer = subprocess.run([ROOT / "dev/ensure-packages", what, release], env={**os.environ, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
        said = " ".join(answer.stderr.split())
        assert answer.returncode == 1 and answer.stdout == "" and "made for Debian 12 and 13" in said
        assert ("Ubuntu 24.04.2 LTS" if "ubuntu" in text else "another system") in said
        for needed in ("cmake 3.25 or 3.31,", "librdkafka-dev 2.0.2 or 2.8,", "libsodium-dev 1.0.18,", "openjdk-17-jre-headless 17,", "ca-certificates,"):
            assert needed in said
        assert ("chromium" in said) == tests


def test_the_listed_versions_are_installed():
    """Those of this machine's Debian (dev/packages.txt)."""
    column = {"12": 1, "13": 2}[platform.freedesktop_os_release()["VERSION_ID"]]
    rows = [line.split() for line in (ROOT / "dev/packages.txt").read_text().splitlines() if re.match("[a-z]", line)]
    versions = {row[0]: row[column] for row in rows if row[column] != "-"}
    said = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *versions], check=True, text=True, stdout=subprocess.PIPE).stdout
    installed = dict(line.split() for line in said.splitlines())
    assert {name: installed[name] for name, version in versions.items()
            if version != "*" and not re.match(rf"(\d+:)?{re.escape(version)}(?!\d)", installed[name])} == {}
