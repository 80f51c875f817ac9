#!/usr/bin/env python3
"""Embeds DIR/sql/*.sql and DIR/migrations/*.sql as OUT/queries.h and OUT/queries.c.

    sqlgen.py DIR OUT

sql/NAME.sql becomes `const struct sql sql_NAME`; the element types of its parameters are read from the casts in its text
($1::uuid[] ...). Files named on_*.sql are reactions (prepared by the consumer); all others are listed in `statements`
(prepared by the HTTP threads). migrations/NNN_x.sql are listed, in order, in `DIRNAME_migrations`.
"""
import json
import pathlib
import re
import sys

# From Postgres's pg_type.dat; these never change.
OIDS = {"bool": 16, "bytea": 17, "int8": 20, "bigint": 20, "int2": 21, "int4": 23, "int": 23, "text": 25,
        "timestamptz": 1184, "uuid": 2950}


def fail(path, message):
    sys.exit(f"{path}: {message}")


def parameters(path, text):
    """The element type OID of each parameter, in order."""
    types = {}
    for number, name in re.findall(r"\$(\d+)::(\w+)\[\]", text):
        oid = OIDS.get(name) or fail(path, f"${number}: no such element type: {name}")
        if types.setdefault(int(number), oid) != oid:
            fail(path, f"${number} is cast to two types")
    for number in re.findall(r"\$(\d+)", text):
        if int(number) not in types:
            fail(path, f"${number} has no cast to an array, like ${number}::text[]")
    if sorted(types) != list(range(1, len(types) + 1)):
        fail(path, "parameters are not numbered from $1 without a gap")
    return [types[n] for n in sorted(types)]


def c_text(text):
    return "\n    ".join(json.dumps(line + "\n", ensure_ascii=False) for line in text.splitlines())


def statement(path):
    text = path.read_text()
    code = re.sub(r"--.*", "", text)
    types = parameters(path, code)
    writes = re.search(r"\b(insert|update|delete)\b", code, re.I) is not None
    name = path.stem
    return f"""static const uint32_t types_{name}[] = {{{", ".join(map(str, types)) or 0}}};
const struct sql sql_{name} = {{
    .name = "{name}",
    .text =
    {c_text(code.strip())},
    .nparams = {len(types)},
    .writes = {"true" if writes else "false"},
    .types = types_{name},
}};
"""


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    statements = sorted((source / "sql").glob("*.sql"))
    migrations = sorted((source / "migrations").glob("*.sql"))
    requests = [p.stem for p in statements if not p.stem.startswith("on_")]
    owner = source.name

    header = ["#pragma once", '#include "migrate.h"', '#include "sql.h"', ""]
    header += [f"extern const struct sql sql_{p.stem};" for p in statements]
    header += ["", f"extern const struct sql *const {owner}_statements[];",
               f"extern const struct migration {owner}_migrations[];", ""]
    body = ['#include "queries.h"', ""]
    body += [statement(p) for p in statements]
    body += [f"const struct sql *const {owner}_statements[] = {{{''.join(f'&sql_{n}, ' for n in requests)}NULL}};",
             f"const struct migration {owner}_migrations[] = {{"]
    body += [f'    {{"{p.stem}",\n    {c_text(p.read_text())}}},' for p in migrations]
    body += ["    {0},", "};", ""]

    out.mkdir(parents=True, exist_ok=True)
    (out / "queries.h").write_text("\n".join(header))
    (out / "queries.c").write_text("\n".join(body))


main()
