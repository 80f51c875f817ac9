"""The benchmarks in their shortest form: what they start and say, and that nothing is left of it. Their figures do not count here."""
import os
import re
import signal
import subprocess

import pytest

from support import FRUGAL, ROOT, processes_of

pytestmark = pytest.mark.alone

SHORT = {"BENCH_SECONDS": "1", "BENCH_ROUNDS": "1", "BENCH_ROWS": "1000"}
MACHINE = re.compile(r"^machine: \d+ cores for \d+ s: this benchmark used (\d+)% of them, other processes (\d+)%, (\d+)% were stolen;"
                     r" load [\d.]+ at the beginning, [\d.]+ at the end$", re.M)


class Bench:
    """./onsale bench with these words; what it says goes to a file."""

    def __init__(self, directory, *words, **environment):
        ours = {k: v for k, v in os.environ.items() if k != "ONSALE_STATE"}
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.process = subprocess.Popen([ROOT / "onsale", "bench", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                        env={**ours, **FRUGAL, **SHORT, "TMPDIR": str(self.temporary), **environment})
        self.said = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()  # it cleans up
        self.end()
        self.process.stdout.close()

    def read_until(self, words):
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return
        raise AssertionError(f"it ended without {words!r}:\n{self.said}")

    def end(self):
        self.said += self.process.stdout.read()
        assert "Traceback" not in self.said, self.said
        return self.process.wait()

    def assert_nothing_left(self):
        state = re.search(r"^onsale: it runs in (\S+)$", self.said, re.M)[1]
        assert not os.path.exists(state)
        assert not processes_of(state)
        assert not os.listdir(self.temporary)


def test_a_stack_of_its_own(tmp_path):
    with Bench(tmp_path, "orders") as bench:
        bench.end()
        assert "medians of 1 rounds of 1 s" in bench.said, bench.said
        ours, others, stolen = map(int, MACHINE.search(bench.said).groups())
        assert ours > 0 and ours + others + stolen <= 110  # two clocks, and the cores' ticks are coarse
        bench.assert_nothing_left()


def test_ctrl_c(tmp_path):
    """In a terminal everybody gets the signal: the command, the benchmark and what it runs."""
    with Bench(tmp_path, "read") as bench:
        bench.read_until("making 1,000 tickets")
        os.killpg(bench.process.pid, signal.SIGINT)
        assert bench.end() == 128 + signal.SIGINT
        bench.assert_nothing_left()


def test_the_stack_that_is_given(stack, tmp_path):
    with Bench(tmp_path, "--here", "read", ONSALE_STATE=str(stack.state)) as bench:
        bench.end()
        assert f"onsale: using the stack that runs in {stack.state}\n" in bench.said
        assert MACHINE.search(bench.said), bench.said
        assert stack.sql("tickets", "select count(*) from tickets where title = 'Seat 1' and status = 'cancelled'") == [(0,)]
        assert not os.listdir(bench.temporary)


@pytest.mark.parametrize("words", [["read"], ["--here", "read"]])
def test_where_nothing_runs(words, tmp_path):
    with Bench(tmp_path, *words, ONSALE_STATE=str(tmp_path / "none")) as bench:
        assert bench.end() == 1
        assert re.search(r"^onsale: nothing runs in \S+/none; start it by ./onsale run --detach, or leave out .*$", bench.said, re.M), bench.said
