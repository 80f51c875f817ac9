"""What may include what, and call what. Each folder of common/ is a library that sees only those it links: this calls the compiler on
one file a case, with the very flags by which the build compiles that folder, so a forbidden include is one that the build would
refuse. Within a library, calls go down only."""
import graphlib
import json
import re
import shlex
import subprocess

import pytest

from support import ROOT

COMMANDS = ROOT / "build/release/compile_commands.json"


def compiles(folder, include, tmp_path):
    """Compiles a file that has only this include, as one of the folder's own."""
    entry = next(e for e in json.loads(COMMANDS.read_text()) if e["file"].startswith(f"{ROOT / folder}/"))
    source = tmp_path / "includes.c"
    source.write_text(f'#include "{include}"\n')
    words = [word for word in shlex.split(entry["command"]) if "ccache" not in word]
    flags = [word for word in words[1:] if re.match("-[DIOWf]|-isystem|-std|/", word) and not word.endswith((".c", ".o", ".d"))]
    return subprocess.run([words[0], *flags, f"-I{ROOT / folder}", "-fsyntax-only", source], cwd=entry["directory"], capture_output=True, text=True)


@pytest.mark.parametrize("folder, include", [
    ("common/pg", "http.h"),
    ("common/base", "db.h"),
    ("common/base", "pg.h"),
    ("common/pg", "h2o_compat.h"),
    ("common/h2o", "pg.h"),
    ("common/db", "http.h"),
    ("common/kafka", "consumer.h"),
    ("common/http", "service.h"),
    ("common/consumer", "publisher.h"),
    ("common/publisher", "consumer.h"),
    ("common/service", "stripe.h"),
    ("common/http", "live.h"),
    ("services/tickets", "stripe.h"),
])
def test_a_library_that_is_not_linked_is_not_seen(folder, include, tmp_path):
    done = compiles(folder, include, tmp_path)
    assert done.returncode != 0
    assert f"{include}: No such file or directory" in done.stderr


@pytest.mark.parametrize("folder, include", [
    ("common/service", "priv/req_priv.h"),
    ("common/http", "priv/db_pipeline.h"),
    ("common/publisher", "priv/avro_shape.h"),
    ("services/auth", "priv/session_priv.h"),
    ("services/tickets", "priv/batch.h"),
])
def test_a_private_header_is_its_folders_own(folder, include, tmp_path):
    done = compiles(folder, include, tmp_path)
    assert done.returncode != 0
    assert re.search(r"#error \"private to common/\w+\"", done.stderr)


@pytest.mark.parametrize("folder, include", [
    ("common/pg", "mem.h"),
    ("common/db", "sql.h"),
    ("common/db", "h2o_compat.h"),
    ("common/http", "priv/req_priv.h"),
    ("common/service", "http.h"),
    ("services/tickets", "service.h"),
])
def test_what_is_below_is_seen(folder, include, tmp_path):
    done = compiles(folder, include, tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_source_of_common_is_in_a_folder():
    assert not list((ROOT / "common").glob("*.[ch]"))


def test_one_folder_knows_which_h2o_this_is():
    """By a macro of its version, or by what only one version has: a timer's calls, and the loop's turn, which needs care."""
    differs = re.compile(r"H2O_(COMPAT_|LIBRARY_)?(VERSION|2_2)|h2o_(timeout|timer)_|get_socket"
                         r"|h2o_(evloop_run|compress_register|add_ostream|mem_alloc_pool)\b")
    sources = [file for folder in ("common", "services", "streams", "tests", "bench", "tools") for file in (ROOT / folder).rglob("*.[ch]")]
    found = {str(file.relative_to(ROOT)) for file in sources if differs.search(file.read_text())}
    assert found == {"common/h2o/h2o_compat.c", "common/h2o/h2o_compat.h"}


def needs(library):
    """{object file: those of the same library whose symbols it uses}, as nm tells."""
    symbols = [line.split(":", 2)[1:] for line in subprocess.run(["nm", "-A", library], check=True, capture_output=True, text=True).stdout.splitlines()]
    symbols = [(file, *rest.split()[-2:]) for file, rest in symbols]
    owner = {name: file for file, kind, name in symbols if kind in "TDBR"}
    graph = {file: set() for file, _, _ in symbols}
    for file, kind, name in symbols:
        if kind == "U" and owner.get(name, file) != file:
            graph[file].add(owner[name])
    return graph


@pytest.mark.parametrize("library", sorted(library.relative_to(ROOT / "build/release") for library in (ROOT / "build/release").rglob("libonsale_*.a")), ids=str)
def test_no_two_files_need_each_other(library):
    graph = needs(ROOT / "build/release" / library)
    assert graph
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names them
