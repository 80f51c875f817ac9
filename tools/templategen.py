#!/usr/bin/env python3
"""Makes C of the page templates.

    templategen.py TEMPLATES STATIC OUT [TEXTS]

Each TEMPLATES/NAME.html becomes `struct NAME_view` and `void NAME_render(struct buf *, const struct NAME_view *)` in
OUT/templates.h and templates.c. What a template says:

    {{! words for whoever reads the template }}
    {{enum ticket_state available reserved sold}}     a type for all templates
    {{record row title text}}                         a struct without a page of its own
    {{params title text  price price  rows list row  note text?}}
    {{title}}  {{price|amount}}  {{user.email}}       a value, escaped by the place where it stands (tools/htmlplace.py)
    {{if state is sold or not note}} … {{elif mine}} … {{else}} … {{end}}
    {{for row in rows}} … {{else}} nothing there {{end}}
    {{include field name="email" value=form.email}}   another template: of its params those with a ? may be left out …
    {{include card ticket}}                           … or from a value of its type
    {{use layout title="Sell"}} … {{end}}             another template around this, where it says {{content}}
    {{static "app.css"}}                              the path of a file of STATIC
    {{text.home.title}}                                a text of TEXTS, in the thread's language; as an argument, too: label=text.home.title
    {{say home.left n=free price=from|amount}}        the same, where the text says {n} and {price}

Types: text, url (a path of this site), link (a whole URL, for <a>), int, bool, uuid, price, time, an enum, a record or a template's params, and `list` of one
of the last two or of text. TEXTS/TAG.txt is a language's texts, KEY = TEXT a line (# begins a remark): each has the same keys, with the same
names in braces. In C they are text_of(TEXT_HOME_TITLE). A text, int or list is true unless it is empty or 0. Every error names file and line.
"""
import pathlib
import re
import sys

import htmlplace
import staticgen
from templatetree import C_WORDS, NAME, PATH, Reader, Template, Type, World, Wrong
from texts import Texts

FILTERS = {("price", "amount"): "amount", ("price", "currency"): "currency", ("time", "iso"): "iso"}
NAMES = {"Onsale"}  # with TEXTS, other words of a page are there
BY_REFERENCE = {"uuid", "price", "amount", "currency"}
TEXT_LITERAL = r'"(?:[^"\\{}]|\\["\\])*"'


# --- writing ---

class Writer:
    """Of one template's functions: follows the tree, and the place in the page with it."""

    def __init__(self, template, world):
        self.template, self.world = template, world
        self.place = htmlplace.Place()
        self.scope = {name: (f"v->{name}", kind, False) for name, kind in template.params.items()}
        self.used = set()
        self.lines, self.literal, self.depth, self.begun = [], "", 1, False

    def functions(self):
        self.nodes(self.template.nodes)
        self.literal = self.literal.rstrip()
        self.flush()
        if self.place.mode != htmlplace.TEXT or self.place.open:
            raise Wrong(self.template.path.read_text().rstrip().count("\n") + 1, f"the template ends {self.place.words()}")
        for name in self.template.params:
            if name not in self.used:
                raise Wrong(1, f"the param {name} is never used")
        name, arguments = self.template.name, self.template.arguments()
        unused = "    (void)v;\n" if self.template.params and self.template.content_line else ""
        if self.template.content_line:
            at = self.lines.index(None)
            return "".join(f"void {name}_{part}({arguments}) {{\n{unused}" + "\n".join(lines) + "\n}\n"
                           for part, lines in (("begin", self.lines[:at]), ("end", self.lines[at + 1:])))
        return f"void {name}_render({arguments}) {{\n" + "\n".join(self.lines or ["    (void)out;"]) + "\n}\n"

    # lines

    def line(self, text):
        self.flush()
        self.lines.append("    " * self.depth + text)

    def text(self, text):
        if not self.begun or self.literal.endswith("\n"):
            text = text.lstrip() if self.place.mode == htmlplace.TEXT else text
        self.begun = self.begun or bool(text)
        self.literal += text

    def flush(self):
        if self.literal:
            indent = "    " * self.depth
            self.lines.append(f"{indent}html_literal(out, {c_text(self.literal, indent)});")
        self.literal = ""

    # nodes

    def nodes(self, nodes):
        for node in nodes:
            try:
                getattr(self, f"write_{node.kind}")(node)
            except htmlplace.Refused as refused:
                raise Wrong(node.line + (refused.args[1] if len(refused.args) > 1 else 0), refused.args[0]) from None

    def write_html(self, node):
        place, text = htmlplace.advance(self.place, node.data, NAMES if self.world.texts.languages else None)
        self.text(text)
        self.place = place

    def write_words(self, node):
        """Of TEXTS."""
        self.place, text = htmlplace.advance(self.place, node.data)
        self.text(text)

    def write_static(self, node):
        name = node.data.strip('"')
        if name not in self.world.static:
            raise Wrong(node.line, f"there is no static file {name}; there are {', '.join(self.world.static) or 'none'}")
        self.place = htmlplace.static_place(self.place)
        self.text(self.world.static[name])

    def write_value(self, node):
        path, chosen = node.data
        value, kind = self.resolve(path, node.line)
        if kind.is_list or kind.name in self.world.records:
            raise Wrong(node.line, f"{path} is a {kind}: it cannot be written")
        name = "enum" if kind.name in self.world.enums else kind.name
        if chosen and (name, chosen) not in FILTERS:
            raise Wrong(node.line, f"{path} is a {kind}: there is no {kind}|{chosen}")
        name = FILTERS.get((name, chosen), name)
        call, place = htmlplace.value_call(self.place, name)
        quote = '"' if call.startswith('"') else ""
        self.text(quote)
        if kind.name in self.world.enums:
            value = f"{kind.name}_names[{value}]"
        elif kind.name in BY_REFERENCE:
            value = f"&{value}"
        self.line(f"{call.lstrip(chr(34))}(out, {value});")
        self.begun, self.place = True, place
        self.text(quote)

    def write_if(self, node):
        begin = self.place
        self.line(f"if ({self.condition(node.data, node.line)}) {{")
        ends = [self.branch(node.body, begin)]
        if node.rest:
            self.line("} else {")
            ends.append(self.branch(node.rest, begin))
        else:
            ends.append(begin)
        self.line("}")
        self.place = self.joined(ends, node)

    write_elif = write_if

    def write_for(self, node):
        name, path = node.data
        items, kind = self.resolve(path, node.line)
        if not kind.is_list:
            raise Wrong(node.line, f"{path} is a {kind}, not a list")
        if name in self.scope:
            raise Wrong(node.line, f"there is a {name} already")
        begin = self.place
        record = kind.name in self.world.records
        self.scope[name] = (name if record else f"(*{name})", Type(kind.name), record)
        self.line(f"for (size_t i_{name} = 0; i_{name} < {items}.count; i_{name}++) {{")
        self.line(f"    const {self.world.c_type(Type(kind.name))} *{name} = &{items}.items[i_{name}];")
        end = self.branch(node.body, begin)
        del self.scope[name]
        if name not in self.used:
            raise Wrong(node.line, f"{name} is never used")
        self.line("}")
        ends = [begin, end]
        if node.rest:
            self.line(f"if ({items}.count == 0) {{")
            ends.append(self.branch(node.rest, begin))
            self.line("}")
        self.place = self.joined(ends, node)

    def branch(self, nodes, begin):
        self.flush()
        self.place, self.depth = begin, self.depth + 1
        self.nodes(nodes)
        self.flush()
        self.depth -= 1
        return self.place

    def joined(self, ends, node):
        place = htmlplace.joined(ends)
        if place is None:
            raise Wrong(node.line, f"the ways through {{{{{node.kind}}}}} end at different places: " +
                        ", or ".join(dict.fromkeys(end.words() for end in ends)))
        return place

    def write_include(self, node):
        name, view = self.view(node, layout=False)
        if self.place.mode != htmlplace.TEXT:
            raise Wrong(node.line, f"a template cannot stand {self.place.words()}")
        self.line(f"{name}_render(out{f', {view}' if view else ''});")
        self.begun = True

    def write_use(self, node):
        name, view = self.view(node, layout=True)
        if self.place.mode != htmlplace.TEXT:
            raise Wrong(node.line, f"a template cannot stand {self.place.words()}")
        begin = self.place
        self.line(f"{name}_begin(out{f', {view}' if view else ''});")
        self.nodes(node.body)
        self.place = self.joined([begin, self.place], node)
        self.line(f"{name}_end(out{f', {view}' if view else ''});")

    def write_content(self, node):
        if self.place.mode != htmlplace.TEXT:
            raise Wrong(node.line, f"{{{{content}}}} cannot stand {self.place.words()}")
        self.flush()
        self.lines.append(None)

    def write_say(self, node):
        key, _, rest = node.data.partition(" ")
        values = dict(re.findall(rf"({NAME})=({PATH}(?:\|{NAME})?)(?:\s+|$)", rest))
        if re.sub(rf"{NAME}={PATH}(?:\|{NAME})?(?:\s+|$)", "", rest):
            raise Wrong(node.line, "{{say KEY NAME=VALUE …}}")
        self.text_constant(key, values, node.line)
        begin, ends = self.place, []
        self.line("switch (language_in_use()) {")
        for language in self.world.texts.languages:
            self.line(f"case LANGUAGE_{language.upper()}:")
            ends.append(self.branch(self.world.texts.nodes(language, key, values, node.line), begin))
            self.line("    break;")
        self.line("default:")
        self.line("    break;")
        self.line("}")
        self.place, self.begun = self.joined(ends, node), True

    # expressions

    def text_constant(self, key, names, line):
        problem = self.world.texts.problem(key, names)
        if problem:
            raise Wrong(line, problem)
        return self.world.texts.constant(key)

    def resolve(self, path, line):
        """(C, Type) of a.b.c"""
        first, *fields = path.split(".")
        if first == "text":
            names = None if self.place.attribute.startswith("data-") else ()  # a script puts something into it
            return f"text_of({self.text_constant('.'.join(fields), names, line)})", Type("text")
        if first not in self.scope:
            raise Wrong(line, f"there is no {first}; there are {', '.join(self.scope) or 'no params'}")
        self.used.add(first)
        value, kind, pointer = self.scope[first]
        for field in fields:
            members = self.world.records.get(kind.name, (0, 0, {}))[2] if not kind.is_list else {}
            if field not in members:
                raise Wrong(line, f"a {kind} has no {field}" + (f"; it has {', '.join(members)}" if members else ""))
            value, kind, pointer = f"{value}{'->' if pointer else '.'}{field}", members[field], False
        return value, kind

    def condition(self, text, line):
        tokens = re.findall(rf"\(|\)|\d+|{PATH}|\S", text)
        c = self.any_of(tokens, line)
        if tokens:
            raise Wrong(line, f"{text}: {tokens[0]} is too much")
        return c

    def any_of(self, tokens, line):
        parts = [self.all_of(tokens, line)]
        while tokens[:1] == ["or"]:
            tokens.pop(0)
            parts.append(self.all_of(tokens, line))
        return " || ".join(parts)

    def all_of(self, tokens, line):
        parts = [self.one(tokens, line)]
        while tokens[:1] == ["and"]:
            tokens.pop(0)
            parts.append(self.one(tokens, line))
        return parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"

    def one(self, tokens, line):
        token = tokens.pop(0) if tokens else ")"
        if token == "not":
            return f"!({self.one(tokens, line)})"
        if token == "(":
            inner = self.any_of(tokens, line)
            if tokens[:1] != [")"]:
                raise Wrong(line, "( without )")
            tokens.pop(0)
            return f"({inner})" if "||" in inner else inner
        if not re.fullmatch(PATH, token):
            raise Wrong(line, "a condition is made of values, is, not, and, or, ( and )")
        value, kind = self.resolve(token, line)
        if tokens[:1] == ["is"]:
            return self.comparison(tokens, value, kind, line)
        if kind.is_list:
            return f"{value}.count > 0"
        test = {"bool": value, "text": f"{value}.n > 0", "url": f"{value}.n > 0", "int": f"{value} != 0",
                "time": f"{value} != 0"}.get(kind.name)
        if test is None:
            raise Wrong(line, f"{token} is a {kind}: neither true nor false" +
                        (" without is" if kind.name in self.world.enums else ""))
        return test

    def comparison(self, tokens, value, kind, line):
        tokens.pop(0)
        equal = "=="
        if tokens[:1] == ["not"]:
            tokens.pop(0)
            equal = "!="
        symbol = tokens.pop(0) if tokens else "nothing"
        if kind.name in self.world.enums and not kind.is_list and symbol in self.world.enums[kind.name]:
            return f"{value} {equal} {constant(kind.name, symbol)}"
        if kind == Type("int") and symbol.isdigit():
            return f"{value} {equal} {symbol}"
        raise Wrong(line, f"a {kind} is never {symbol}")

    # arguments

    def view(self, node, layout):
        """(Name of the template, C of a pointer to its view)"""
        name, _, rest = node.data.partition(" ")
        template = self.world.templates.get(name)
        if template is None:
            raise Wrong(node.line, f"there is no template {name}; there are {', '.join(self.world.templates)}")
        if bool(template.content_line) != layout:
            raise Wrong(node.line, f"{name} is {'no layout: it has no {{content}}' if layout else 'a layout: {{use}} it'}")
        rest = rest.strip()
        if rest and re.fullmatch(PATH, rest):
            value, kind = self.resolve(rest, node.line)
            if kind != Type(name):
                raise Wrong(node.line, f"{rest} is a {kind}, not a {name}")
            return name, value if self.scope[rest][2] and "." not in rest else f"&{value}"
        return name, self.arguments(template, rest, node.line)

    def arguments(self, template, rest, line):
        given, at = {}, 0
        pattern = re.compile(rf"({NAME})=({TEXT_LITERAL}|\d+|{PATH}|\([^\"]*\))(?:\s+|$)")
        while at < len(rest):
            found = pattern.match(rest, at)
            if not found:
                raise Wrong(line, f"no argument: {rest[at:]}")
            name, value = found.groups()
            if name not in template.params or name in given:
                raise Wrong(line, f"{template.name} has no {name}, or it is there twice; it has {', '.join(template.params)}")
            given[name] = self.argument(name, value, template.params[name], line)
            at = found.end()
        missing = [name for name, kind in template.params.items() if name not in given and not kind.optional]
        if missing:
            raise Wrong(line, f"{template.name} needs {', '.join(missing)}")
        if not template.params:
            return None
        return f"&(struct {template.name}_view){{{', '.join(f'.{n} = {c}' for n, c in given.items()) or '0'}}}"

    def argument(self, name, value, kind, line):
        plain = "list" if kind.is_list else kind.name
        if value.startswith('"'):
            if plain not in ("text", "url") or (plain == "url" and not re.match(r'"/(?!/)[^\s\\]*"$', value)):
                raise Wrong(line, f"{name} is a {kind}, not {value}")
            return f"STR({c_text(value[1:-1].replace(chr(92), ''))})"
        if value.startswith("("):
            if plain != "bool":
                raise Wrong(line, f"{name} is a {kind}, not a condition")
            return self.condition(value, line)
        if (value.isdigit() and plain == "int") or (value in ("true", "false") and plain == "bool"):
            return value
        if value in self.world.enums.get(plain, ()):
            return constant(plain, value)
        c, its = self.resolve(value, line) if not value.isdigit() else ("", Type("number"))
        if its[:2] != kind[:2] and (its.name, plain) != ("url", "text"):
            raise Wrong(line, f"{name} is a {kind}, but {value} is a {its}")
        return c


def c_text(text, indent=""):
    """C string literals, a line each."""
    def literal(line):
        escaped = line.replace("\\", r"\\").replace('"', r"\"").replace("\t", r"\t").replace("??", r"?\?")
        return f'"{escaped}"'
    lines = text.split("\n")
    parts = [literal(line)[:-1] + r'\n"' for line in lines[:-1]] + ([literal(lines[-1])] if lines[-1] else [])
    return f"\n{indent}    ".join(parts) or '""'


def constant(enum, symbol):
    return f"{enum}_{symbol}".upper()


# --- the whole ---

def in_order(world, of, what):
    """Names, each behind those it depends on. A circle has no order."""
    done, open_now, order = set(), [], []

    def visit(name):
        if name in done:
            return
        if name in open_now:
            raise ValueError(f"{' → '.join([*open_now[open_now.index(name):], name])}: {what}")
        open_now.append(name)
        for other in of(name):
            visit(other)
        open_now.pop()
        done.add(name)
        order.append(name)
    return visit, order


def parts_of(nodes):
    """The templates that these nodes bring in."""
    for node in nodes:
        if node.kind in ("include", "use"):
            yield node.data.partition(" ")[0]
        yield from parts_of((node.body or []) + (node.rest or []))


def check(world):
    """What no single line shows: types that there are not, and circles."""
    for path, line, fields in world.records.values():
        for name, kind in fields.items():
            if problem := world.check_type(kind):
                staticgen.fail(f"{path}:{line}", f"{name}: {problem}")
    visit, _ = in_order(world, lambda n: [p for p in parts_of(world.templates[n].nodes) if p in world.templates],
                        "a template cannot be within itself")
    for template in world.templates.values():
        try:
            visit(template.name)
        except ValueError as circle:
            staticgen.fail(f"{template.path}:1", circle)
    visit, order = in_order(world, lambda n: [k.name for k in world.records[n][2].values() if k.name in world.records
                                              and not k.is_list], "a record cannot be within itself")
    for name, (path, line, _) in world.records.items():
        try:
            visit(name)
        except ValueError as circle:
            staticgen.fail(f"{path}:{line}", circle)
    return [name for name in order if world.records[name][2]]


def header(world, order):
    lines = ["#pragma once", '#include "html.h"', '#include "language.h"', "", *world.texts.header()]
    for name, symbols in world.enums.items():
        lines += [f"enum {name} {{{', '.join(constant(name, s) for s in symbols)}}};",
                  f"extern const struct str {name}_names[]; /* by constant */"]
    listed = dict.fromkeys(k.name for _, _, fields in world.records.values() for k in fields.values() if k.is_list)
    for name in listed:
        lines += [f"struct {name}_list {{", f"    const {world.c_type(Type(name))} *items;", "    size_t count;", "};"]
    for name in order:
        lines += [f"struct {name}_view {{"]
        lines += [f"    {world.c_type(kind)} {field};" for field, kind in world.records[name][2].items()] + ["};"]
    for template in world.templates.values():
        for part in ("begin", "end") if template.content_line else ("render",):
            lines.append(f"void {template.name}_{part}({template.arguments()});")
    return "\n".join([*lines, ""])


def read_all(source, static, texts):
    world = World(staticgen.files_of(static), texts)
    files = sorted(source.glob("*.html"))
    for path in files:
        template = world.templates[path.stem] = Template(path)
        if not re.fullmatch(NAME, path.stem) or path.stem in C_WORDS:
            staticgen.fail(path, "its name becomes part of a C name: small letters, digits and _ only")
        try:
            Reader(template, world).read()
        except Wrong as wrong:
            staticgen.fail(f"{path}:{wrong.args[0]}", wrong.args[1])
    return world


def main():
    source, static, out, *texts = map(pathlib.Path, sys.argv[1:])
    world = read_all(source, static, Texts(texts[0] if texts else None))
    order = check(world)
    body = ['#include "templates.h"', "", *world.texts.body()]
    for name, symbols in world.enums.items():
        body.append(f"const struct str {name}_names[] = {{{', '.join(f'{{{chr(34)}{s}{chr(34)}, {len(s)}}}' for s in symbols)}}};")
    for template in world.templates.values():
        try:
            body += ["", Writer(template, world).functions()]
        except Wrong as wrong:
            staticgen.fail(f"{template.path}:{wrong.args[0]}", wrong.args[1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "templates.h").write_text(header(world, order), encoding="utf-8")
    (out / "templates.c").write_text("\n".join(body), encoding="utf-8")


if __name__ == "__main__":
    main()
