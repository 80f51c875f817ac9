#!/usr/bin/env python3
"""Makes C of the event schemas: structs, encoders, decoders, field tables and the table of topics.

    avrogen.py SCHEMAS OUT

Reads SCHEMAS/topics.json and the .avsc files it names, and writes OUT/events.h and OUT/events.c (see common/kafka/avro.h). Topics may share a schema.
A schema is a flat record: fields of plain types, enums, or a union of null and one of these. Names become snake_case;
the symbols of the enum of a field `type` become constants as they are (TicketCreated: TICKET_CREATED), those of any
other enum get its name in front (available of TicketStatus: TICKET_STATUS_AVAILABLE).
"""
import json
import pathlib
import re
import sys

KINDS = {  # (Avro type, logical type): (kind, C type, name of its avro_get_ and avro_put_, most bytes on the wire)
    ("string", None): ("AVRO_STRING", "struct str", "string", "AVRO_LONG_MAX"),
    ("string", "uuid"): ("AVRO_UUID", "struct uuid", "uuid", "AVRO_UUID_MAX"),
    ("long", None): ("AVRO_LONG", "int64_t", "long", "AVRO_LONG_MAX"),
    ("long", "timestamp-millis"): ("AVRO_TIME", "int64_t", "time", "AVRO_TIME_MAX"),
    ("int", None): ("AVRO_INT", "int32_t", "int", "AVRO_INT_MAX"),
    ("boolean", None): ("AVRO_BOOL", "bool", "bool", "1"),
    ("double", None): ("AVRO_DOUBLE", "double", "double", "8"),
}
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
BY_REFERENCE = ("AVRO_UUID",)  # avro_put_ takes a pointer


def fail(where, message):
    sys.exit(f"{where}: {message}")


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def c_text(text):
    return json.dumps(text, ensure_ascii=False)


class Field:
    def __init__(self, where, json_field):
        self.where = f"{where}: field {json_field.get('name')}"
        self.name = json_field["name"]
        self.column = snake(self.name)
        kind = json_field["type"]
        self.nullable = isinstance(kind, list)
        if self.nullable:
            if len(kind) != 2 or kind[0] != "null" or json_field.get("default", 0) is not None:
                fail(self.where, 'a union is ["null", TYPE] with the default null')
            kind = kind[1]
        if isinstance(kind, str):
            kind = {"type": kind}
        if not json_field.get("doc"):
            fail(self.where, "has no doc")
        self.symbols = []
        if kind["type"] == "enum":
            self.enum(kind)
        elif (key := (kind["type"], kind.get("logicalType"))) in KINDS:
            self.kind, self.c_type, self.call, self.max_size = KINDS[key]
        else:
            fail(self.where, f"no C type for {kind}; there are {sorted(map(str, KINDS))} and enums")
        if "default" in json_field and not self.nullable and not self.takes(json_field["default"]):
            fail(self.where, f"the default {json_field['default']!r} is no {kind['type']}")

    def enum(self, kind):
        self.kind, self.call = "AVRO_ENUM", "index"
        self.enum_name = snake(kind["name"])
        self.c_type = f"enum {self.enum_name}"
        self.symbols = kind["symbols"]
        prefix = "" if kind["name"].endswith("EventType") else self.enum_name.upper() + "_"
        self.constants = [prefix + snake(s).upper() for s in self.symbols]
        self.max_size = str(varint_size(len(self.symbols) - 1))
        if kind.get("default", self.symbols[0]) not in self.symbols:
            fail(self.where, "the enum's default is none of its symbols")

    def takes(self, value):
        """Whether it can be the field's default: common/kafka/avro_plan.c trusts it."""
        number = isinstance(value, int) and not isinstance(value, bool)
        return {
            "AVRO_STRING": isinstance(value, str),
            "AVRO_UUID": isinstance(value, str) and re.fullmatch(UUID, value) is not None,
            "AVRO_INT": number and -2**31 <= value < 2**31,
            "AVRO_LONG": number and -2**63 <= value < 2**63,
            "AVRO_TIME": number and -62135596800000 <= value <= 253402300799999,
            "AVRO_BOOL": isinstance(value, bool),
            "AVRO_DOUBLE": number or isinstance(value, float),
            "AVRO_ENUM": value in self.symbols,
        }[self.kind]

    def members(self):
        if self.nullable:
            yield f"bool has_{self.column};"
        yield f"{self.c_type} {self.column};"

    def table_row(self, struct):
        has = f"offsetof({struct}, has_{self.column})" if self.nullable else "0"
        symbols = f"{struct.split()[1]}_{self.column}_symbols" if self.symbols else "NULL"
        nullable = "true" if self.nullable else "false"
        return (f'{{"{self.name}", "{self.column}", {self.kind}, {nullable}, offsetof({struct}, {self.column}), '
                f"{has}, {symbols}}},")

    def put(self):
        value = f"e->{self.column}"
        if self.kind == "AVRO_ENUM":
            call = f"avro_put_index(o, (int){value}, {len(self.symbols)})"
        elif self.kind in BY_REFERENCE:
            call = f"avro_put_{self.call}(o, &{value})"
        else:
            call = f"avro_put_{self.call}(o, {value})"
        if self.nullable:
            yield f"o = avro_put_index(o, e->has_{self.column}, 2);"
            yield f"if (e->has_{self.column}) o = {call};"
        else:
            yield f"o = {call};"

    def get(self):
        """Into a variable where the C type is not what avro_get_ fills, and a null also clears the value."""
        if self.kind == "AVRO_ENUM":
            lines = [f"if ((p = avro_get_index(p, end, {len(self.symbols)}, &index)) == NULL) return ST_INVALID;",
                     f"e->{self.column} = ({self.c_type})index;"]
        else:
            lines = [f"if ((p = avro_get_{self.call}(p, end, &e->{self.column})) == NULL) return ST_INVALID;"]
        if not self.nullable:
            return lines
        return (["if ((p = avro_get_index(p, end, 2, &index)) == NULL) return ST_INVALID;",
                 f"e->has_{self.column} = index == 1;",
                 f"memset(&e->{self.column}, 0, sizeof e->{self.column});",
                 "if (index == 1) {"] + ["    " + line for line in lines] + ["}"])

    def exact_size(self):
        """Of the parts whose size depends on the value, and the constant rest."""
        value = f"e->{self.column}"
        constant = 1 if self.nullable else 0
        sized = {"AVRO_STRING": f"avro_long_size((int64_t){value}.n) + {value}.n", "AVRO_LONG": f"avro_long_size({value})",
                 "AVRO_INT": f"avro_long_size({value})", "AVRO_TIME": f"avro_long_size(avro_time_ms({value}))",
                 "AVRO_ENUM": f"avro_long_size((int64_t){value})"}.get(self.kind, f"(size_t){self.max_size}")
        return constant, f"(e->has_{self.column} ? {sized} : 0)" if self.nullable else sized

    def most(self):
        parts = [self.max_size] + (["1"] if self.nullable else [])
        strings = f"e->{self.column}.n" if self.kind == "AVRO_STRING" else None
        if strings and self.nullable:
            strings = f"(e->has_{self.column} ? {strings} : 0)"
        return parts, strings


def varint_size(value):
    """Bytes of a non-negative number."""
    return max(1, (2 * value).bit_length() + 6) // 7 if value else 1


class Record:
    def __init__(self, path):
        try:
            schema = json.loads(path.read_text())
        except ValueError as error:
            fail(path, error)
        if schema.get("type") != "record" or not schema.get("doc"):
            fail(path, "is not a record with a doc")
        self.name = schema["name"]
        self.c_name = snake(self.name)
        self.struct = f"struct {self.c_name}"
        self.schema = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        self.fields = [Field(path, f) for f in schema["fields"]]
        columns = [f.column for f in self.fields]
        if len(set(columns)) < len(columns):
            fail(path, "two fields have the same column")

    def index(self, name, where):
        for i, field in enumerate(self.fields):
            if field.name == name and not field.nullable:
                return i
        fail(where, f"{self.name} has no field {name}, or it can be null")

    def enums(self):
        return [f for f in self.fields if f.symbols]

    def header(self):
        lines = [f"{f.c_type} {{{', '.join(f.constants)}}};" for f in self.enums()]
        lines += [f"{self.struct} {{"] + [f"    {m}" for f in self.fields for m in f.members()] + ["};"]
        lines += [f"extern const char *const {self.c_name}_{f.column}_symbols[]; /* by constant; NULL-terminated */"
                  for f in self.enums()]
        return "\n".join([*lines, f"extern const struct avro_type {self.c_name}_avro;", ""])

    def tables(self):
        for f in self.enums():
            names = ", ".join(f'"{s}"' for s in f.symbols)
            yield f"const char *const {self.c_name}_{f.column}_symbols[] = {{{names}, NULL}};"
        yield f"static const struct avro_field {self.c_name}_fields[] = {{"
        yield from (f"    {f.table_row(self.struct)}" for f in self.fields)
        yield "};"

    def sizes(self):
        constants, strings = [], []
        for parts, string in (f.most() for f in self.fields):
            constants += parts
            strings += [string] if string else []
        unused = [] if strings else ["    (void)event;"]
        used = [f"    const {self.struct} *e = event;"] if strings else unused
        yield f"static size_t {self.c_name}_max_size(const void *event) {{"
        yield from used
        yield f"    return (size_t)({' + '.join(constants)}){''.join(' + ' + s for s in strings)};"
        yield "}"
        exact = [f.exact_size() for f in self.fields]
        yield f"static size_t {self.c_name}_size(const {self.struct} *e) {{"
        yield f"    size_t n = {sum(constant for constant, _ in exact)};"
        yield from (f"    n += {size};" for _, size in exact)
        yield "    return n;"
        yield "}"

    def encoder(self):
        yield f"static size_t {self.c_name}_encode(const void *event, uint8_t *out, size_t cap) {{"
        yield f"    const {self.struct} *e = event;"
        yield f"    if (cap < {self.c_name}_max_size(e) && cap < {self.c_name}_size(e)) return 0;"
        yield "    uint8_t *o = out;"
        yield from (f"    {line}" for f in self.fields for line in f.put())
        yield "    return (size_t)(o - out);"
        yield "}"

    def decoder(self):
        yield f"static enum status {self.c_name}_decode(const uint8_t *bytes, size_t n, void *event) {{"
        yield "    if (n == 0) return ST_INVALID; /* bytes may be NULL */"
        yield f"    {self.struct} *e = event;"
        yield "    const uint8_t *p = bytes, *end = bytes + n;"
        if any(f.nullable or f.symbols for f in self.fields):
            yield "    int index;"
        yield from (f"    {line}" for f in self.fields for line in f.get())
        yield "    return p == end ? ST_OK : ST_INVALID;"
        yield "}"

    def type(self):
        yield f"const struct avro_type {self.c_name}_avro = {{"
        yield f'    .name = "{self.name}",'
        yield f"    .schema = {c_text(self.schema)},"
        yield f"    .fields = {self.c_name}_fields,"
        yield f"    .nfields = {len(self.fields)},"
        yield f"    .size = sizeof({self.struct}),"
        yield from (f"    .{part} = {self.c_name}_{part}," for part in ("encode", "decode", "max_size"))
        yield "};"

    def body(self):
        parts = (self.tables(), self.sizes(), self.encoder(), self.decoder(), self.type())
        return "\n\n".join("\n".join(part) for part in parts) + "\n"


def topic_name(entry):
    return "topic_" + entry["name"].replace("-", "_")


def topic(where, entry, record):
    key, kind = record.index(entry["key"], where), record.index("type", where)
    if record.fields[key].kind not in ("AVRO_UUID", "AVRO_STRING") or record.fields[kind].kind != "AVRO_ENUM":
        fail(where, f"{entry['name']}: the key is a uuid or a string, and the field type an enum")
    return (f"const struct topic {topic_name(entry)} = "
            f'{{"{entry["name"]}", &{record.c_name}_avro, {key}, {kind}, {int(entry["partitions"])}}};')


def check_constants(records):
    """C has one space of names for them all."""
    seen = {}
    for f in (f for r in records for f in r.enums()):
        for constant in f.constants:
            if constant in seen:
                fail(f.where, f"{constant} is also a symbol of {seen[constant]}")
            seen[constant] = f.where


def write(path, text):
    """Leaves a file that would be the same, so that nothing is compiled again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    entries = json.loads((source / "topics.json").read_text())["topics"]
    records = {schema: Record(source / schema) for schema in dict.fromkeys(entry["schema"] for entry in entries)}
    check_constants(records.values())
    names = [topic_name(entry) for entry in entries]

    header = ["/* Made by tools/avrogen.py from schemas/avro, where the meaning of every field is written. */",
              "#pragma once", "", '#include "avro.h"', ""]
    header += [r.header() for r in records.values()]
    header += [f"extern const struct topic {', '.join(names)};",
               "extern const struct topic *const event_topics[]; /* all of them, then NULL */", ""]
    body = ['#include "events.h"', "", '#include "avro_wire.h"', ""]
    body += [r.body() for r in records.values()]
    body += [topic(source / "topics.json", e, records[e["schema"]]) for e in entries]
    body += [f"const struct topic *const event_topics[] = {{{', '.join('&' + n for n in names)}, NULL}};", ""]

    out.mkdir(parents=True, exist_ok=True)
    write(out / "events.h", "\n".join(header))
    write(out / "events.c", "\n".join(body))


main()
