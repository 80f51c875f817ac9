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


@pytest.fixture(scope="session")
def make_stack():
    """make_stack(VARIABLE=...) starts a stack of its own with these settings; all are gone at the end."""
    stacks = []

    def make(**environment):
        stack = Stack(fresh_state(), **environment)
        stacks.append(stack)
        return stack.start()

    yield make
    for stack in stacks:
        stack.stop()
        shutil.rmtree(stack.state, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(make_stack):
    """The stack most tests share. Sign-in limits are off, and a password's hash costs a quarter of what it should."""
    return make_stack(SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="16")
