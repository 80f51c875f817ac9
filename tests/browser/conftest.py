"""Chromium and what it looks at (Firefox is in firefox.py): a stack that all tests of these files share, and the people who use it."""
import itertools
import pathlib
import shutil
import sys

import pytest
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
from people import People
from support import DEADLINE, common_stack

expect.set_options(timeout=DEADLINE * 1000)


def pytest_itemcollected(item):
    """One worker has the stack; the others look at pages that need none."""
    if "stack" in item.fixturenames:
        item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        # Root has no sandbox; containers have little shared memory.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stack():
    """It waits for a busy machine as long as the tests do: a page that says that something is away is another page."""
    with common_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def tokens(stack):
    """As many as are asked for, fifty at a time."""
    return itertools.chain.from_iterable(stack.tokens(50) for _ in itertools.count())


@pytest.fixture
def people(chromium, stack, tokens):
    """Whoever a test needs. At its end nothing may have gone wrong in any of their browsers."""
    everybody = People(chromium, stack, tokens)
    yield everybody
    everybody.leave()
