"""The recipes of CONTRIBUTING.md, followed literally on a copy of the tree, with a stack of its own: each of their commands has to
succeed. Those that run tests are put off and become one, for each would build everything and start a stack again. (That their places
are in the tree is looked at by test_documents.py, in no time.)"""
import json
import os
import shlex
import shutil
import subprocess

import pytest

import recipes
from support import FRUGAL, ROOT, fresh_state

pytestmark = pytest.mark.alone

RECIPES = recipes.recipes((ROOT / "CONTRIBUTING.md").read_text())


class Copy:
    """Of what git knows, or would add; its commands see none of the test run that they are within."""

    def __init__(self, root, state):
        self.root = root
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "ONSALE_"))} | {"ONSALE_STATE": str(state), **FRUGAL}
        self.environment |= {"CCACHE_BASEDIR": str(root), "CCACHE_NOHASHDIR": "1"}  # what was compiled in the copy of another run will do
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
        return done.stdout

    def status(self):
        return {p["name"]: p for p in json.loads(self.run("./onsale status --json 2>/dev/null"))}


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


def test_restart_without_a_name_restarts_what_changed(copy):
    """Here, because it builds a program anew: in the checkout other tests start it meanwhile."""
    before = copy.status()
    copy.run("./onsale restart")
    assert {n: p["pid"] for n, p in copy.status().items()} == {n: p["pid"] for n, p in before.items()}
    (copy.root / "services/tickets/main.c").touch()
    copy.run("./onsale restart")
    after = copy.status()
    assert {name for name in before if before[name]["pid"] != after[name]["pid"]} == {"tickets"}
    assert after["tickets"]["state"] == "ready"


@pytest.fixture(scope="module")
def put_off():
    """{title of a recipe: the words of its ./onsale test}"""
    return {}


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_works(copy, put_off, title):
    for command in recipes.apply(RECIPES[title], copy.root):
        if command.startswith("./onsale test "):
            put_off[title] = shlex.split(command.removeprefix("./onsale test "))
        else:
            copy.run(command)


def test_what_the_recipes_test(copy, put_off):
    """On the tree that all of them have changed."""
    assert put_off.keys() == RECIPES.keys()
    copy.run(shlex.join(["./onsale", "test", *sorted({word for words in put_off.values() for word in words})]))
