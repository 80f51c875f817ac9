import contextlib
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import Stack  # noqa: E402


def fresh_state():
    """A directory that the postgres user can reach (pytest's tmp_path is closed to others)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onsale-test.", dir="/tmp"))
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def stacks():
    """make(VARIABLE=...) starts a stack of its own with these settings; all are gone at the end."""
    started = []

    def make(**environment):
        stack = Stack(fresh_state(), **environment)
        started.append(stack)
        return stack.start()

    try:
        yield make
    finally:
        for stack in started:
            stack.stop()
            shutil.rmtree(stack.state, ignore_errors=True)


@pytest.fixture(scope="module")
def make_stack():
    """For the tests of one file: stacks that nobody uses any more would slow the others down."""
    with stacks() as make:
        yield make


@pytest.fixture(scope="session")
def stack():
    """The stack most tests share. Sign-in limits are off, and a password's hash costs a quarter of what it should."""
    with stacks() as make:
        yield make(SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16")
