import collections
import fcntl
import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import FRUGAL, ROOT, common_stack, stacks


def pytest_configure(config):
    config.addinivalue_line("markers", "rebuilds: builds a program anew, which nobody else may start meanwhile")
    config.addinivalue_line("markers", "alone: starts what it needs by itself, and not by make_stack")


def pytest_collection_modifyitems(config, items):
    """First the files with stacks of their own: a worker has then one at a time, for it starts the one that the others share when it first
    needs it. Among these, those of few tests: they are the long ones, and whoever begins with one at the end keeps everybody waiting."""
    for name in config.option.keyword.split(" or "):
        if re.fullmatch(r"[\w.]+", name) and not any(name.lower() in item.nodeid.lower() for item in items):
            raise pytest.UsageError(f"no test of this part is called {name}")
    tests = collections.Counter(item.path for item in items)
    own = {item.path for item in items if "make_stack" in item.fixturenames or item.get_closest_marker("alone")}
    items.sort(key=lambda item: (item.path not in own, tests[item.path]))


WITHIN_A_TEST = "PYTEST_CURRENT_TEST" in os.environ  # which holds the locks already


@pytest.fixture(autouse=True)
def programs_stay(request):
    """Files of tests run side by side: whoever rebuilds waits until no test is under way, and those that come later wait for it."""
    if WITHIN_A_TEST:
        yield
        return
    rebuilds = request.node.get_closest_marker("rebuilds")
    with open(ROOT / "build/tests.lock", "w") as lock:
        with open(ROOT / "build/tests.turn", "w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX if rebuilds else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="module")
def make_stack():
    """For the tests of one file: stacks that nobody uses any more would slow the others down."""
    with stacks(**FRUGAL) as make:
        yield make


@pytest.fixture(scope="session")
def stack():
    with common_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def people(stack):
    """Somebody new at each next()."""
    return iter(stack.users(200))


@pytest.fixture(scope="module")
def seller(people):
    return next(people)


@pytest.fixture
def buyer(people):
    return next(people)
