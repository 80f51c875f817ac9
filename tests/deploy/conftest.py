import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for directory in (HERE, HERE.parent / "integration", HERE.parent.parent / "dev"):
    sys.path.insert(0, str(directory))
from chart import MATRIX, render  # noqa: E402
from support import common_stack  # noqa: E402


@pytest.fixture(scope="module")
def stack():
    """As the integration tests have them: real Postgres, Kafka, registry and services on this machine."""
    with common_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def rendered():
    return {name: render(parts) for name, parts in MATRIX.items()}


@pytest.fixture(params=MATRIX)
def docs(request, rendered):
    return rendered[request.param]
