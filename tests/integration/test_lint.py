"""./onsale test lint: every linter says what is wrong, where, and nothing of what is right. Each is given a tree of its own with one offence, and
the rules of the checkout."""
import json
import re
import subprocess
import sys

import pytest

from support import ROOT

sys.path.append(str(ROOT / "dev"))
import linters
import tests
from common import Failed

# What each linter objects to: a file, its text, and what is said of it.
OFFENCES = {
    "clang-format": ("common/one.c", "int  one;\n", "common/one.c:1:"),
    "clang-tidy": ("common/one.c", "int one(void) {\n    int *none = 0;\n    return *none;\n}\n", "common/one.c:3:12: error: .*NullDereference"),
    "ruff": ("one", "#!/usr/bin/env python3\nimport os\n", "one:2:8: F401 "),
    "shellcheck": ("one", "#!/bin/sh\nrm $1\n", "one:2:4: .*SC2086"),
    "squawk": ("services/one/migrations/010_one.sql", "create table one (id int);\ndrop table one;\n", "010_one.sql:1:0: .*ban-drop-table"),
    "yamllint": ("one.yaml", "a: 1\na: 2\n", r"one.yaml:2:1: .*\(key-duplicates\)"),
    "editorconfig": ("one.txt", "one\ntwo \n", "one.txt:2: blanks at the end"),
}


@pytest.fixture
def tree(tmp_path):
    """A checkout with nothing but the rules; a call adds a file to it."""
    for rules in (".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".squawk.toml", ".yamllint", "ruff.toml"):
        (tmp_path / rules).write_bytes((ROOT / rules).read_bytes())
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    build = tmp_path / "build" / linters.PRESET
    build.mkdir(parents=True)

    def add(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        commands = [{"directory": str(build), "file": str(source), "command": f"/usr/bin/clang -o {source.stem}.o -c {source}"}
                    for source in tmp_path.rglob("*.c")]
        (build / "compile_commands.json").write_text(json.dumps(commands))
        return linters.Tree(tmp_path)
    return add


@pytest.mark.parametrize("name", linters.LINTERS)
def test_it_says_what_is_wrong_and_where(tree, name):
    file, text, said = OFFENCES[name]
    right = tree("common/right.c", "int right(void) {\n    return 1;\n}\n")
    assert linters.LINTERS[name](right) == ""
    found = linters.LINTERS[name](tree(file, text))
    assert re.search(said, found), found


def test_a_header_that_has_changed_is_looked_at_again(tree):
    """And what has not changed is not: what was found right is kept."""
    tree("common/one.c", '#include "one.h"\n\nint one(void) {\n    return ONE;\n}\n')
    assert linters.clang_tidy(tree("common/one.h", "#define ONE 1\n")) == ""
    assert linters.clang_tidy(tree("common/one.h", "#define ONE 1\n")) == ""
    found = linters.clang_tidy(tree("common/one.h", "#define ONE *(int *)0\n"))
    assert re.search("common/one.c:4:12: error: .*NullDereference", found), found


@pytest.mark.parametrize(("said", "closing"), [
    ("", "2 linters, nothing to say"),
    ("one.c:1: a word\n", None),
])
def test_the_part_fails_if_one_has_something_to_say(monkeypatch, capsys, said, closing):
    monkeypatch.setattr(linters, "LINTERS", {"one": lambda _: said, "other": lambda _: ""})
    if closing:
        assert tests.lint([]) == closing
        return
    with pytest.raises(tests.PartFailed, match=r"^one of 2 linters$"):
        tests.lint([])
    assert capsys.readouterr().out == "one says:\none.c:1: a word\n\n"


def test_a_linter_has_to_be_one():
    with pytest.raises(Failed, match=r"^nothing in lint \(clang-format, .*\) is called x$"):
        tests.lint(["x"])
