import collections
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kept_ground import Ground
from support import FRUGAL, common_stack, stacks
from webs import running


LONG = ("test_openapi.py", "test_clients.py")  # minutes each


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: starts what it needs by itself, and not by make_stack")


def pytest_collection_modifyitems(config, items):
    """First the files with stacks of their own, and of these those without a test on the one that all share: a worker starts that when it first needs it,
    and so has one at a time until then. Among them, those of few tests: they are the long ones, and whoever begins with one at the end keeps
    everybody waiting. Of the others, too, the long ones begin."""
    for name in config.option.keyword.split(" or "):
        if re.fullmatch(r"[\w.]+", name) and not any(name.lower() in item.nodeid.lower() for item in items):
            raise pytest.UsageError(f"no test of this part is called {name}")
    tests = collections.Counter(item.path for item in items)
    own = {item.path for item in items if "make_stack" in item.fixturenames or item.get_closest_marker("alone")}
    both = {item.path for item in items if "stack" in item.fixturenames and "make_stack" not in item.fixturenames}
    items.sort(key=lambda item: (item.path not in own, item.path in both, item.path.name not in LONG, tests[item.path]))


def pytest_runtest_logreport(report):
    if report.failed:
        Ground.failures += 1


@pytest.fixture(scope="session")
def kept_ground():
    """For one stack after the other."""
    ground = Ground()
    yield ground
    ground.end()


@pytest.fixture(scope="module")
def make_stack(kept_ground):
    """For the tests of one file: stacks that nobody uses any more would slow the others down."""
    with stacks(ground=kept_ground, **FRUGAL) as make:
        yield make


@pytest.fixture(scope="session")
def stack(kept_ground):
    with common_stack(kept_ground) as stack:
        yield stack


@pytest.fixture(scope="module")
def people(stack):
    """Somebody new at each next(). A few at a time: to sign a session takes a millisecond of a core, and most files need ten."""
    return (somebody for some in iter(lambda: stack.users(15), None) for somebody in some)


@pytest.fixture(scope="module")
def seller(people):
    return next(people)


@pytest.fixture
def buyer(people):
    return next(people)


@pytest.fixture(scope="module")
def running_web(tmp_path_factory):
    """services/web by itself; the tests answer for the other services."""
    with running(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture
def web(running_web):
    services = running_web.services
    services.answers.clear(), services.seen.clear(), services.away.clear()
    return running_web
