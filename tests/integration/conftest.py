import collections
import fcntl
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import FRUGAL, ROOT, common_stack, stacks


def pytest_configure(config):
    config.addinivalue_line("markers", "rebuilds: builds a program anew, which nobody else may start meanwhile")


def pytest_collection_modifyitems(items):
    """Files of few tests first: theirs are the long ones, and whoever begins with one at the end keeps everybody waiting."""
    tests = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: tests[item.path])


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
