#!/usr/bin/env python3
"""Embeds DIR/sql/*.sql, DIR/migrations/*.sql and DIR/functions/*.sql as OUT/queries.h and OUT/queries.c.

    sqlgen.py DIR OUT

sql/NAME.sql and sql/background/NAME.sql become `const struct sql sql_NAME`, prepared as DIRNAME_NAME; the element types of the
parameters are read from the casts in the text ($1::uuid[] ...), and whether it writes from its words (a function that writes is named
write_...). A line `-- @gather 10 ms` lets its items wait that long for others; `-- @any order` says of one of the
consumer's that several events of a key may come at once, and in any order (common/consumer/priv/batch.h). Who prepares a statement, and by which list:

    sql/background/NAME.sql   a thread of the service, by DIRNAME_background
    sql/on_NAME.sql           the consumer, by the table of reactions
    sql/NAME.sql              the HTTP threads, by DIRNAME_statements

migrations/NNN_x.sql, in order, and functions/NAME.sql become `const struct migrate_set DIRNAME_schema` (common/pg/migrate.h).
"""
import pathlib
import re
import sys

# From Postgres's pg_type.dat; these never change.
OIDS = {"bool": 16, "boolean": 16, "bytea": 17, "int8": 20, "bigint": 20, "int2": 21, "smallint": 21, "int4": 23,
        "int": 23, "integer": 23, "text": 25, "timestamptz": 1184, "uuid": 2950}
MAX_PARAMS = 32  # SQL_MAX_PARAMS in common/pg/sql.h

# What is not code: comments, and anything quoted (the first alternatives that match win, as in Postgres's own scanner).
COMMENT = r"--[^\n]*|/\*.*?\*/"
QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""


def fail(path, message):
    sys.exit(f"{path}: {message}")


def without_comments(text):
    return re.sub(f"(?P<comment>{COMMENT})|{QUOTED}", lambda m: " " if m["comment"] else m[0], text, flags=re.S)


def without_quoted(code):
    return re.sub(QUOTED, "''", code, flags=re.S)


def parameters(path, code):
    """The element type OID of each parameter, in order."""
    types = {}
    for number, name in re.findall(r"\$(\d+)::(\w+)\[\]", code):
        oid = OIDS.get(name.lower()) or fail(path, f"${number}: no such element type: {name}")
        if types.setdefault(int(number), oid) != oid:
            fail(path, f"${number} is cast to two types")
    for number in re.findall(r"\$(\d+)", code):
        if int(number) not in types:
            fail(path, f"${number} has no cast to an array, like ${number}::text[]")
    if not types:
        fail(path, "has no parameter: a set statement takes at least one array, like $1::uuid[]")
    if sorted(types) != list(range(1, len(types) + 1)):
        fail(path, "parameters are not numbered from $1 without a gap")
    if len(types) > MAX_PARAMS:
        fail(path, f"has {len(types)} parameters, more than {MAX_PARAMS}")
    return [types[n] for n in sorted(types)]


def told(path):
    """How long it gathers, in ms, and whether any order will do."""
    words = re.findall(r"^-- (@.*)$", path.read_text(encoding="utf-8"), re.M)
    known = [re.fullmatch(r"@gather (\d+) ms|@any order", word) or fail(path, f"{word}: all that can be said so is @gather 10 ms, or @any order")
             for word in words]
    return sum(int(m[1] or 0) for m in known), "@any order" in words


def c_text(text):
    """C string literals, a line each."""
    def literal(line):
        escaped = "".join(f"\\{ord(c):03o}" if ord(c) < 32 or ord(c) == 127 else c
                          for c in line.replace("\\", r"\\").replace('"', r"\"").replace("??", r"?\?"))
        return f'"{escaped}"'
    lines = text.split("\n")
    last = [literal(lines[-1])] if lines[-1] else []
    return "\n    ".join([literal(line)[:-1] + r'\n"' for line in lines[:-1]] + last) or '""'


def statement(path, owner):
    if not path.stem.isidentifier():
        fail(path, "its name becomes part of a C name: letters, digits and _ only")
    code = without_comments(path.read_text(encoding="utf-8")).strip()
    if ";" in without_quoted(code):
        fail(path, "one statement, without a semicolon")
    types = parameters(path, without_quoted(code))
    writes = re.search(r"\b(insert|update|delete|merge|write_\w+)\b", without_quoted(code), re.I) is not None
    gather, any_order = told(path)
    name = path.stem
    return f"""static const uint32_t types_{name}[] = {{{", ".join(map(str, types))}}};
const struct sql sql_{name} = {{
    .name = "{owner}_{name}",
    .text =
    {c_text(code)},
    .nparams = {len(types)},
    .writes = {"true" if writes else "false"},
    .types = types_{name},
    .any_order = {"true" if any_order else "false"},
    .gather_ms = {gather},
}};
"""


def function_text(path):
    text = path.read_text(encoding="utf-8")
    if not path.stem.isidentifier():
        fail(path, "its name: letters, digits and _ only")
    code = without_quoted(without_comments(text))
    if re.search(r"\bcreate\s+(function|procedure)\b", code, re.I):
        fail(path, "is applied again when it changes: create or replace")
    if re.search(r"\b(commit|rollback)\b", code, re.I):
        fail(path, "is run in a transaction with all others: without commit and rollback")
    return text


def migrate_files(name, files):
    return [f"static const struct migrate_file {name}[] = {{", *(f'    {{"{stem}",\n    {c_text(text)}}},' for stem, text in files),
            "    {0},", "};"]


def list_of(name, statements):
    return f"const struct sql *const {name}[] = {{{''.join(f'&sql_{p.stem}, ' for p in statements)}NULL}};"


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    foreground, background = (sorted((source / folder).glob("*.sql")) for folder in ("sql", "sql/background"))
    statements = foreground + background
    requests = [p for p in foreground if not p.stem.startswith("on_")]
    migrations = [(p.stem, p.read_text(encoding="utf-8")) for p in sorted((source / "migrations").glob("*.sql"))]
    functions = [(p.stem, function_text(p)) for p in sorted((source / "functions").glob("*.sql"))]
    for path in background:
        if path.stem.startswith("on_") or (source / "sql" / path.name).exists():
            fail(path, "on_ is for reactions" if path.stem.startswith("on_") else "its name is taken in sql/")
    owner = source.resolve().name.replace("-", "_")  # part of C names, too

    header = ["#pragma once", '#include "migrate.h"', '#include "sql.h"', ""]
    header += [f"extern const struct sql sql_{p.stem};" for p in statements]
    header += ["", f"extern const struct sql *const {owner}_statements[];", f"extern const struct sql *const {owner}_background[];",
               f"extern const struct migrate_set {owner}_schema;", ""]
    body = ['#include "queries.h"', ""]
    body += [statement(p, owner) for p in statements]
    body += [list_of(f"{owner}_statements", requests), list_of(f"{owner}_background", background)]
    body += migrate_files("migrations", migrations) + migrate_files("functions", functions)
    body += [f"const struct migrate_set {owner}_schema = {{migrations, functions}};", ""]

    out.mkdir(parents=True, exist_ok=True)
    (out / "queries.h").write_text("\n".join(header), encoding="utf-8")
    (out / "queries.c").write_text("\n".join(body), encoding="utf-8")


main()
