"""What judges tests/chaos is right itself: a history of ownership that cannot be is found, and cut down to what makes it so; one that can be is not.
And who is taken out of a stack stays out."""
import json
import re
import subprocess
import sys
import types
import xmlrpc.client

import pytest

from support import ROOT

sys.path += [str(ROOT / "dev"), str(ROOT / "tests/chaos")]
import gotools
import ownership
from history import History
from supervisor import Supervisor

T = "ticket"


@pytest.fixture(scope="module")
def check():
    program = gotools.checker()

    def ask(*operations):
        lines = [json.dumps({"ticket": T, "order": "", "sure": True, "line": 0} | dict(zip(("do", "start", "end", "order", "sure"), operation)))
                 for operation in operations]
        done = subprocess.run([program], input="\n".join(lines), stdout=subprocess.PIPE, text=True)
        said = done.stdout.splitlines()
        assert done.returncode == (said[0] != "ok 1")
        return said[0], [json.loads(line)["do"] for line in said[1:]]
    return ask


@pytest.mark.parametrize("history", [
    [("got", 0, 1, "a"), ("cancel", 2, 3, "a"), ("got", 4, 5, "b")],
    [("got", 0, 9, "a"), ("got", 0, 9, "b"), ("cancel", 8, 9, "a")],  # both at once, and one ends before the other begins
    [("got", 0, 1, "a"), ("end", 5, 99, "a"), ("taken", 2, 3), ("got", 6, 7, "b")],
    [("got", 0, 99, "a"), ("taken", 1, 2)],  # whose answer was lost
    [("got", 0, 1, "a"), ("cancel", 2, 99, "a", False), ("got", 3, 4, "b")],  # lost, too
    [("got", 0, 1, "a"), ("cancel", 2, 99, "a", False), ("complete", 3, 99, "a"), ("kept", 4, 5, "a")],
    [("got", 0, 1, "a"), ("end", 1, 99, "a"), ("cancel", 2, 3, "a")],  # of one that has ended
])
def test_what_can_be(check, history):
    assert check(*history) == ("ok 1", [])


@pytest.mark.parametrize("history,shortest", [
    ([("got", 0, 1, "a"), ("got", 2, 3, "b"), ("cancel", 4, 5, "a"), ("cancel", 6, 7, "b")], ["got", "got"]),
    ([("taken", 0, 1), ("got", 2, 3, "a")], ["taken"]),
    ([("got", 0, 1, "a"), ("end", 5, 99, "a"), ("got", 2, 4, "b")], ["got", "got"]),
    ([("got", 0, 1, "a"), ("cancel", 2, 3, "a"), ("taken", 4, 5)], ["got", "cancel", "taken"]),
    ([("got", 0, 1, "a"), ("complete", 2, 99, "a"), ("kept", 3, 4, "a"), ("cancel", 5, 6, "a")], ["got", "complete", "kept", "cancel"]),
])
def test_what_cannot_be(check, history, shortest):
    assert check(*history) == (f"illegal {T}", shortest)


def test_what_became_of_lost_answers(tmp_path):
    """An order that the database knows was placed by a request with its key; one without an answer is open to the end."""
    history = History(tmp_path / "history.jsonl")
    order = {"do": "order", "user": "u", "ticket": T, "status": 0, "answer": None, "Idempotency-Key": "k"}
    history.add(**order, start=1, end=2, outcome="unknown")
    history.add(**order | {"answer": {"id": "a"}}, start=3, end=4, outcome="ok")
    history.add(**order | {"Idempotency-Key": "l"}, start=5, end=6, outcome="unknown")
    history.add(do="cancel", user="u", ticket=T, order="a", all=[["a", T]], start=7, end=8, outcome="unknown", status=503, answer=None)
    rows = [("a", T, "u", "cancelled", "buyer", "k", 0, "a"), ("b", T, "u", "created", None, "l", 0, "b")]
    found = [json.loads(line) for line in ownership.operations(history, rows)]
    assert [(o["do"], o["order"], o["start"], o["sure"]) for o in found] == [("got", "a", 1, True), ("got", "b", 5, True), ("cancel", "a", 7, False)]
    assert found[0]["end"] == 4 and found[1]["end"] == found[2]["end"] > 10 ** 15
    with pytest.raises(AssertionError, match="nobody asked for order c"):
        list(ownership.operations(history, [("c", T, "u", "created", None, "m", 0, "c")]))


def test_what_became_of_a_purchase(tmp_path):
    """Its orders were all placed by the request with its key, and end together."""
    history = History(tmp_path / "history.jsonl")
    history.add(do="buy", show="s", user="u", status=0, answer=None, start=1, end=2, outcome="unknown", **{"Idempotency-Key": "k"})
    history.add(do="buy", show="s", user="u", status=201, answer={"id": "a0"}, start=3, end=4, outcome="ok", **{"Idempotency-Key": "k"})
    history.add(do="cancel", user="u", ticket=T, order="a0", all=[["a0", T], ["a1", "other"]], start=7, end=8, outcome="ok", status=204, answer=None)
    rows = [("a0", T, "u", "cancelled", "buyer", "k", 0, "a0"), ("a1", "other", "u", "cancelled", "buyer", "k", 0, "a0")]
    found = [json.loads(line) for line in ownership.operations(history, rows)]
    assert [(o["do"], o["order"], o["ticket"], o["start"], o["end"]) for o in found] == [
        ("got", "a0", T, 1, 4), ("got", "a1", "other", 1, 4), ("cancel", "a0", T, 7, 8), ("cancel", "a1", "other", 7, 8)]


class Reviving:
    """supervisord, whose process died just now: it is started again before long."""

    def __init__(self):
        self.coming = ["RUNNING", "EXITED", "EXITED", "STARTING"]  # what it says of it, one after the other, unless it is stopped

    def getAllProcessInfo(self):
        return [{"name": "postgres-orders", "statename": self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]}]

    def stopProcess(self, name, wait):
        if self.coming[0] not in ("STARTING", "RUNNING"):
            raise xmlrpc.client.Fault(70, "NOT_RUNNING")
        self.coming = ["STOPPED"]


def test_what_died_just_now_is_stopped_for_good(monkeypatch):
    """A primary that came up again beside its successor went on as if nothing had been."""
    process = Reviving()
    monkeypatch.setattr(Supervisor, "_rpc", process)
    Supervisor(types.SimpleNamespace()).stop(["postgres-orders"])
    assert process.coming == ["STOPPED"]


@pytest.mark.parametrize("patch", sorted(path.name for path in (ROOT / "tests/chaos/mutants").iterdir()))
def test_a_mutant_fits_the_code(patch):
    """And who shall catch it is there."""
    path = ROOT / "tests/chaos/mutants" / patch
    subprocess.run(["git", "apply", "--check", path], cwd=ROOT, check=True)
    tests = "".join(file.read_text() for file in (ROOT / "tests/integration").glob("test_*.py"))
    for by in re.findall(r"^by: (.+)$", path.read_text(), re.M):
        part, _, name = by.partition(":")
        there = {"chaos": not name, "integration": f"def {name}" in tests, "unit": (ROOT / f"tests/unit/{name}.c").exists()}
        assert there[part], f"nothing is called {by}"
