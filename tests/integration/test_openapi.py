"""schemas/openapi.yaml is true: schemathesis calls every route it describes, with all of its checks, and finds no failure."""
import subprocess
import sys

import pytest

from support import ROOT


@pytest.mark.parametrize("who", ["a stranger", "somebody signed in"])
def test_the_description_is_true(stack, tmp_path, who):
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "schemas" / "openapi.yaml"), "--url", stack.url,
               "--checks", "all", "--max-examples", "60", "--seed", "1", "--workers", "2", "--request-timeout", "20",
               "--generation-database", "none"]
    if who != "a stranger":
        command += ["--header", f"Authorization: Bearer {stack.tokens(1)[0]}"]
    ran = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ran.returncode == 0, ran.stdout[-8000:]
