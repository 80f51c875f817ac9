"""./onsale run where the stack runs already: it is started once, what is missing is started, and what takes a new start is said."""
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess

import psycopg
import pytest

from support import FRUGAL, ROOT, Stack, free_port, fresh_state, wait_until

pytestmark = pytest.mark.alone


class Command:
    """./onsale run, beside the test."""

    def __init__(self, stack, *words):
        self.process = subprocess.Popen([ROOT / "onsale", "run", *words], env=stack.environment, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def end(self):
        self.out, self.said = self.process.communicate()
        self.code = self.process.returncode
        return self


def run(stack, *words, **environment):
    return subprocess.run([ROOT / "onsale", "run", *words], env={**stack.environment, **environment}, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL)


def pids(stack):
    return {name: process["pid"] for name, process in stack.status().items()}


def states(stack):
    """Nothing where nothing runs."""
    return {process["name"]: process["state"] for process in json.loads(stack.onsale("status", "--json", check=False))}


def wait_all_ready(stack):
    """All of it runs; a process that stood still is "starting" for a moment."""
    assert set(states(stack).values()) <= {"ready", "starting"}
    wait_until(lambda: set(states(stack).values()) == {"ready"}, "all is ready")


def run_ready(stack, *words):
    """What is said by a command that finds all of it ready."""
    return wait_until(lambda: "but not all of it is up" not in (a := run(stack, *words)).stderr and [a], "all is ready")[0]


@pytest.fixture
def own():
    """A stack that is not started yet, gone after the test."""
    stack = Stack(fresh_state(), **FRUGAL)
    yield stack
    stack.onsale("reset", check=False)
    shutil.rmtree(stack.state, ignore_errors=True)


# --- it is up ---

def test_it_is_said_where_it_is(stack):
    before = pids(stack)
    answer = run_ready(stack, "--detach")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0] == stack.url and f"curl {stack.url}/api/tickets" in answer.stdout
    assert f"already up, at {stack.url}" in answer.stderr and "ninja" not in answer.stderr
    assert pids(stack) == before


def test_what_it_runs_with_may_be_asked_for_again(stack):
    port = stack.url.rsplit(":", 1)[1]
    assert run(stack, "--detach", "--port", port, "--hold", "900", SIGNIN_RATE="0", LOG_LEVEL="info").returncode == 0


@pytest.mark.parametrize("words, environment, says, types", [
    (["--port", "8080"], {}, "--port 8080 (it has {port})", "./onsale run --detach --port 8080"),
    (["--hold", "60"], {}, "HOLD_SECONDS=60 (it has 900)", "./onsale run --detach --hold 60"),
    (["--analytics", "--hold", "60"], {}, "HOLD_SECONDS=60 (it has 900)", "./onsale run --detach --hold 60 --analytics"),
    (["--lake"], {}, "--lake (its Connect has none)", "./onsale run --detach --lake"),
    ([], {"SIGNIN_RATE": "7"}, "SIGNIN_RATE=7 (it has 0)", " SIGNIN_RATE=7 "),
    ([], {"RDKAFKA_LINGER_MS": "9 9"}, "RDKAFKA_LINGER_MS='9 9' (it has none)", " RDKAFKA_LINGER_MS='9 9' "),
    ([], {"STRIPE_SECRET_KEY": "sk_test_hidden"}, "STRIPE_SECRET_KEY=... (it has another)", " STRIPE_SECRET_KEY=... "),
    ([], {"ONSALE_PRESET": "other"}, "ONSALE_PRESET=other (it runs another build)", " ONSALE_PRESET=other "),
])
def test_for_other_settings_it_is_said_what_to_type(stack, words, environment, says, types):
    """With all that it runs with, which would be lost otherwise."""
    before = pids(stack)
    answer = run(stack, "--detach", *words, **environment)
    assert answer.returncode == 1 and answer.stdout == ""
    assert says.format(port=stack.url.rsplit(":", 1)[1]) in answer.stderr
    command = answer.stderr.splitlines()[-1]
    assert command.startswith("  ./onsale stop && ") and types in command and " HASH_MEMORY=16 " in command
    assert "sk_test_hidden" not in answer.stderr
    assert pids(stack) == before


@pytest.mark.parametrize("words, types", [([], "run --detach says"), (["--analytics"], "run --detach --analytics starts")])
def test_in_the_foreground_it_is_said_what_to_type(stack, words, types):
    answer = run_ready(stack, *words)
    assert answer.returncode == 1 and answer.stdout == ""
    assert f"already up, at {stack.url}\n" in answer.stderr and f"./onsale {types}" in answer.stderr
    assert answer.stderr.splitlines()[-1].endswith(" ".join(["./onsale run", *words]))


# --- it is half up ---

def test_what_is_missing_is_started(stack):
    before = pids(stack)
    for name in ("tickets", "postgres-orders", "edge"):
        stack.supervisor("stop", name)
    answer = run(stack)
    assert answer.returncode == 1 and "already up" not in answer.stderr
    for name in ("tickets", "postgres-orders", "edge"):
        assert f"{name} (stopped)" in answer.stderr
    answer = run(stack, "--detach")
    assert answer.returncode == 0, answer.stderr
    assert "already up" not in answer.stderr and "tickets (stopped)" in answer.stderr
    assert answer.stdout.splitlines()[0] == stack.url
    wait_all_ready(stack)
    after = pids(stack)
    assert {name for name in before if before[name] != after[name]} == {"tickets", "postgres-orders", "edge"}
    with open(f"/proc/{after['tickets']}/environ") as file:
        assert "UNREADABLE_WAIT=1s" in file.read().split("\0"), "the settings that it had"


def test_what_cannot_start_is_said(stack):
    stack.supervisor("stop", "tickets")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stack.status()["tickets"]["admin_port"]))
        other.listen()
        answer = run(stack, "--detach")
        assert answer.returncode == 1 and answer.stdout == ""
        assert "onsale: tickets did not become ready" in answer.stderr and "Address already in use" in answer.stderr
    assert run(stack, "--detach").returncode == 0, "though supervisord was waiting for its next try"
    wait_all_ready(stack)


def test_a_setting_that_is_no_good_is_not_kept(stack):
    stack.supervisor("stop", "auth")
    answer = run(stack, "--detach", HASH_THREADS="0")
    assert answer.returncode == 1 and "HASH_THREADS: must be" in answer.stderr
    assert run(stack, "--detach").returncode == 0
    wait_all_ready(stack)


# --- it is being started ---

def test_of_two_starts_one_waits(own):
    """And then adds what it was asked for."""
    commands = [Command(own, "--detach"), Command(own, "--detach")]
    first, second = sorted((command.end() for command in commands), key=lambda command: "already up" in command.said)
    assert (first.code, second.code) == (0, 0), first.said + second.said
    assert "already up" not in first.said and "waiting for another onsale command" in second.said and "already up" in second.said
    assert first.out.splitlines()[0] == second.out.splitlines()[0] == own.read_env().url
    wait_all_ready(own)

    before = pids(own)
    answer = run(own, "--detach", "--analytics")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0] == own.url and "$WAREHOUSE_DATABASE_URL" in answer.stdout
    wait_all_ready(own)
    after = pids(own)
    assert after.keys() - before.keys() == {"connect"} and before.items() <= after.items()
    with psycopg.connect(own.read_env().env["WAREHOUSE_DATABASE_URL"]) as warehouse:
        assert warehouse.execute("select count(*) from sales_by_minute").fetchone() == (0,)
    assert run(own, "--detach").returncode == 0
    answer = run(own, "--detach", "--port", str(free_port()))
    assert answer.returncode == 1 and answer.stderr.splitlines()[-1].endswith(" --analytics")


def test_what_a_killed_start_left_is_completed(own):
    with open(ROOT / "build" / os.environ.get("ONSALE_PRESET", "release") / "onsale.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # so it waits before it starts ours
        command = Command(own, "--detach", "--hold", "7")
        wait_until(lambda: states(own).get("registry") == "ready", "half of it is up")
        os.killpg(command.process.pid, signal.SIGKILL)
        command.end()
    answer = run(own, "--detach", "--hold", "5")
    assert answer.returncode == 0, answer.stderr
    assert "auth (stopped)" in answer.stderr
    wait_all_ready(own)
    with open(f"/proc/{own.pid('orders')}/environ") as file:
        assert "HOLD_SECONDS=5" in file.read().split("\0")


def test_a_start_waits_for_the_end_of_another(own):
    foreground = Command(own)
    try:
        for line in foreground.process.stdout:
            if "Ctrl-C" in line:
                break
        answer = run(own, "--detach")
        assert answer.returncode == 0 and "Ctrl-C in the terminal where it was started" in answer.stdout
        foreground.process.send_signal(signal.SIGINT)
        assert any("stopping" in line for line in foreground.process.stderr)
        answer = run(own, "--detach")
        assert answer.returncode == 0 and answer.stdout.splitlines()[-1] == "./onsale stop ends it.", answer.stderr
        assert foreground.end().code == 0
        wait_all_ready(own)
    finally:
        foreground.process.kill()
        foreground.process.wait()
