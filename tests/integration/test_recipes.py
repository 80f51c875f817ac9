"""The recipes of CONTRIBUTING.md, followed literally on a copy of the tree, with a stack of its own: each of their commands has to
succeed. (That their places are in the tree is looked at by test_documents.py, in no time.)"""
import os
import shutil
import subprocess

import pytest

import recipes
from support import ROOT, fresh_state

pytestmark = pytest.mark.alone

RECIPES = recipes.recipes((ROOT / "CONTRIBUTING.md").read_text())


class Copy:
    """Of what git knows, or would add; its commands see none of the test run that they are within."""

    def __init__(self, root, state):
        self.root = root
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "ONSALE_"))} | {"ONSALE_STATE": str(state)}
        for name in ("ONSALE_CACHE", "ONSALE_TEST_DEADLINE"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name, follow_symlinks=False)

    def run(self, script):
        done = subprocess.run(["bash", "-e", "-c", script], cwd=self.root, env=self.environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        assert done.returncode == 0, f"{script}\n{done.stdout[-8000:]}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root, state = tmp_path_factory.mktemp("recipes") / "onsale", fresh_state()
    copy = Copy(root, state)
    try:
        copy.run("./onsale run --detach")
        yield copy
    finally:
        subprocess.run([root / "onsale", "reset"], env=copy.environment, capture_output=True)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_works(copy, title):
    for command in recipes.apply(RECIPES[title], copy.root):
        copy.run(command)
