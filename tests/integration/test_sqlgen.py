"""tools/sqlgen.py: SQL files as C, and what it refuses."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PRINT = """
#include <stdio.h>
#include "queries.h"
int main(void) {
    for (int i = 0; shop_statements[i] != NULL; i++) {
        const struct sql *q = shop_statements[i];
        printf("%s|%d|%d|", q->name, q->nparams, q->writes);
        for (int p = 0; p < q->nparams; p++) printf("%u ", q->types[p]);
        printf("|%s\\1", q->text);
    }
    for (int i = 0; shop_background[i] != NULL; i++)
        printf("background %s\\1", shop_background[i]->name);
    const struct migrate_file *files[] = {shop_schema.migrations, shop_schema.functions};
    for (int set = 0; set < 2; set++)
        for (const struct migrate_file *f = files[set]; f->name != NULL; f++)
            printf("%s|%s\\1", f->name, f->text);
    return 0;
}
"""


def generate(tmp_path, **folders):
    """folders: statements, background, migrations, functions: the text of each file."""
    source = tmp_path / "shop"
    for folder, files in folders.items():
        path = source / {"statements": "sql", "background": "sql/background"}.get(folder, folder)
        path.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (path / name).write_bytes(text.encode())
    return subprocess.run([sys.executable, ROOT / "tools/sqlgen.py", source, tmp_path / "out"], capture_output=True,
                          text=True, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})


def compiled(tmp_path, **files):
    """What the generated C says, as a program that prints it sees it."""
    done = generate(tmp_path, **files)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    (out / "print.c").write_text(PRINT)
    includes = subprocess.run(["pkg-config", "--cflags", "libpq"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/common/base", f"-I{ROOT}/common/pg", *includes, "-o", out / "print",
                    out / "print.c", out / "queries.c"], check=True)
    printed = subprocess.run([out / "print"], capture_output=True, check=True).stdout.decode()
    return [entry.split("|", 4 if entry.startswith("shop_") else 1) for entry in printed.split("\1")[:-1]]


def test_statements_with_names_types_and_direction(tmp_path):
    entries = compiled(tmp_path, statements={
        "by_id.sql": "select 1 from unnest($1::uuid[])",
        "change.sql": "UPDATE t set a = $2::text[] where b = any($1::BIGINT[]) and c = $1",
        "on_order.sql": "select $1::int[]",
        "lock.sql": "select 1 from t where id = any($1::uuid[]) for update",
        "call.sql": "select * from write_things($1::uuid[])",
    })
    assert entries == [
        ["shop_by_id", "1", "0", "2950 ", "select 1 from unnest($1::uuid[])"],
        ["shop_call", "1", "1", "2950 ", "select * from write_things($1::uuid[])"],
        ["shop_change", "2", "1", "20 25 ", "UPDATE t set a = $2::text[] where b = any($1::BIGINT[]) and c = $1"],
        ["shop_lock", "1", "1", "2950 ", "select 1 from t where id = any($1::uuid[]) for update"],
    ]


def test_what_gathers(tmp_path):
    assert generate(tmp_path, statements={"q.sql": "-- Words.\n-- @gather 15 ms\nselect $1::int[]"}).returncode == 0
    assert ".any_order = false,\n    .gather_ms = 15," in (tmp_path / "out/queries.c").read_text()


def test_what_may_come_in_any_order(tmp_path):
    assert generate(tmp_path, statements={"on_q.sql": "-- Words.\n-- @any order\ninsert into t select $1::int[]"}).returncode == 0
    assert ".any_order = true,\n    .gather_ms = 0," in (tmp_path / "out/queries.c").read_text()


@pytest.mark.parametrize("text, kept", [
    ("-- delete; $9\nselect $1::int[] /* insert; $8\n */", "select $1::int[]"),
    ("select $1::int[], '-- insert $7 '' ; update'", "select $1::int[], '-- insert $7 '' ; update'"),
    ("select $1::int[] as \"delete;\"", "select $1::int[] as \"delete;\""),
    ("select $1::int[], $a$ merge '; $a$", "select $1::int[], $a$ merge '; $a$"),
    ("select $1::int[], updated_at, inserted\nfrom t", "select $1::int[], updated_at, inserted\nfrom t"),
])
def test_only_code_counts(tmp_path, text, kept):
    assert compiled(tmp_path, statements={"q.sql": text}) == [["shop_q", "1", "0", "23 ", kept]]


def test_migrations_reach_c_unchanged(tmp_path):
    files = {"010_a.sql": "create table a ();\n-- \"kept\" \\ \t\u2028 \x85 \x0c \x7f é 🎫\nselect '??=7';",
             "011_empty.sql": "", "012_end.sql": "select 1;\n\n"}
    assert compiled(tmp_path, migrations=files) == [[name[:-4], text] for name, text in files.items()]


def test_statements_of_other_threads_are_listed_apart(tmp_path):
    entries = compiled(tmp_path, statements={"by_id.sql": "select $1::int[]", "on_order.sql": "select $1::int[]"},
                       background={"sweep.sql": "select $1::int[]", "forget.sql": "select $1::int[]"})
    assert entries == [["shop_by_id", "1", "0", "23 ", "select $1::int[]"], ["background shop_forget"], ["background shop_sweep"]]


def test_functions_reach_c_unchanged(tmp_path):
    price = "-- Once create function, now replaced.\ncreate or replace function price() returns text language sql as $$\nselect 'commit'$$;\n"
    assert compiled(tmp_path, migrations={"010_a.sql": "create function price();"}, functions={"price.sql": price}) == [
        ["010_a", "create function price();"], ["price", price]]


@pytest.mark.parametrize("folder, name, text, words", [
    ("functions", "price.sql", "create function price() returns int language sql as $$select 1$$", "create or replace"),
    ("functions", "price.sql", "delete from prices; commit", "without commit"),
    ("functions", "my-price.sql", "select 1", "letters, digits"),
    ("background", "on_time.sql", "select $1::int[]", "on_ is for reactions"),
    ("background", "sweep.sql", "select 1", "no parameter"),
])
def test_what_cannot_work_elsewhere_is_refused(tmp_path, folder, name, text, words):
    done = generate(tmp_path, **{folder: {name: text}})
    assert done.returncode != 0
    assert words in done.stderr and name in done.stderr


@pytest.mark.parametrize("name, text, words", [
    ("q.sql", "select 1", "no parameter"),
    ("q.sql", "select $1", "no cast"),
    ("q.sql", "select $1::uuid[], $3::text[]", "without a gap"),
    ("q.sql", "select $1::uuid[], $1::text[]", "two types"),
    ("q.sql", "select $1::money[]", "no such element type: money"),
    ("q.sql", "select $1::int[]; select 2", "semicolon"),
    ("q.sql", "select " + ", ".join(f"${i}::int[]" for i in range(1, 34)), "more than 32"),
    ("my-query.sql", "select $1::int[]", "letters, digits"),
    ("q.sql", "-- @gather soon\nselect $1::int[]", "@gather 10 ms"),
])
def test_what_cannot_work_is_refused(tmp_path, name, text, words):
    done = generate(tmp_path, statements={name: text})
    assert done.returncode != 0
    assert words in done.stderr and name in done.stderr
