"""Reads the page templates into trees: what tools/templategen.py, which tells their language, makes C of.

A `Template` is its params and its nodes, a `World` all templates with the types they share. `Wrong` carries line and reason.
"""
import re
import typing

PLAIN = {"text": "struct str", "url": "struct str", "link": "struct str", "int": "int64_t", "bool": "bool", "uuid": "struct uuid",
         "price": "struct price", "time": "int64_t"}
C_WORDS = set("""auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false out text v""".split())
NAME = r"[a-z][a-z0-9_]*"
PATH = rf"{NAME}(?:\.{NAME})*"


class Wrong(Exception):
    pass


class Type(typing.NamedTuple):
    name: str
    is_list: bool = False
    optional: bool = False

    def __str__(self):
        return f"list {self.name}" if self.is_list else self.name


class Node(typing.NamedTuple):
    kind: str
    line: int
    data: object = None
    body: list = None  # of nodes
    rest: list = None  # after {{else}}


class Template:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.params, self.nodes, self.content_line = {}, [], None

    def arguments(self):
        return "struct buf *out" + (f", const struct {self.name}_view *v" if self.params else "")


class World:
    """All templates, and the types that they share."""

    def __init__(self, static, texts):
        self.static, self.texts, self.templates, self.enums, self.records = static, texts, {}, {}, {}

    def check_type(self, kind):
        if kind.name not in PLAIN and kind.name not in self.enums and kind.name not in self.records:
            return f"there is no type {kind.name}"
        if kind.is_list and kind.name not in self.records and kind.name != "text":
            return f"a list is of records or of text, not of {kind.name}"
        return None

    def c_type(self, kind):
        if kind.is_list:
            return f"struct {kind.name}_list"
        return PLAIN.get(kind.name) or (f"enum {kind.name}" if kind.name in self.enums else f"struct {kind.name}_view")


# --- reading ---

def pieces(path):
    """(line, HTML or None, what a pair of braces holds or None)"""
    text, at, line = path.read_text(encoding="utf-8"), 0, 1
    for found in re.finditer(r"\{\{(.*?)\}\}", text, re.S):
        before = text[at:found.start()]
        yield line, before, None
        line += before.count("\n")
        yield line, None, found[1].strip()
        line += found[0].count("\n")
        at = found.end()
    yield line, text[at:], None
    if "{{" in text[at:]:
        raise Wrong(line + text[at:text.index("{{", at)].count("\n"), "{{ without }}")


class Reader:
    """Of one template: makes the tree, and declares its types."""

    def __init__(self, template, world):
        self.template, self.world = template, world
        self.into = template.nodes
        self.stack = []  # of (block, what its list was put into): what is not ended yet

    def read(self):
        for line, html, inside in pieces(self.template.path):
            if inside is not None:
                self.tag(line, inside)
            elif html:
                self.into.append(Node("html", line, html))
        if self.stack:
            block = self.stack[-1][0]
            raise Wrong(block.line, f"{{{{{block.kind}}}}} has no {{{{end}}}}")

    def tag(self, line, inside):
        if inside.startswith("!"):
            return
        word, _, rest = inside.partition(" ") if " " in inside else inside.partition("\n")
        handle = getattr(self, f"tag_{word}", None)
        if handle:
            handle(line, rest.strip())
        else:
            self.value(line, inside)

    def value(self, line, inside):
        found = re.fullmatch(rf"({PATH})(?:\s*\|\s*({NAME}))?", inside)
        if not found:
            raise Wrong(line, f"{{{{{inside}}}}} is neither a value nor anything else that is known")
        self.into.append(Node("value", line, (found[1], found[2])))

    # declarations

    def fields(self, line, words):
        result, words = {}, words.split()
        while words:
            name, kind = words[0], words[1:3]
            is_list = kind[:1] == ["list"]
            if len(kind) < 1 + is_list:
                raise Wrong(line, f"{name} has no type")
            kind, words = kind[is_list], words[2 + is_list:]
            if not re.fullmatch(NAME, name) or name in C_WORDS:
                raise Wrong(line, f"nothing can be called {name}")
            if name in result:
                raise Wrong(line, f"{name} is there twice")
            result[name] = Type(kind.removesuffix("?"), is_list, kind.endswith("?"))
        return result

    def declare(self, line, table, name, what):
        if not re.fullmatch(NAME, name) or name in PLAIN or name in self.world.enums or name in self.world.records:
            raise Wrong(line, f"{name} cannot be declared: there is one already, or it is no name")
        table[name] = what

    def tag_enum(self, line, rest):
        name, *symbols = rest.split()
        if not symbols or not all(re.fullmatch(NAME, s) for s in symbols) or len(set(symbols)) < len(symbols):
            raise Wrong(line, "an enum has a name and symbols, in lower case")
        self.declare(line, self.world.enums, name, symbols)

    def tag_record(self, line, rest):
        name, _, fields = rest.partition(" ")
        self.declare(line, self.world.records, name, (self.template.path, line, self.fields(line, fields)))

    def tag_params(self, line, rest):
        if self.template.params:
            raise Wrong(line, "params are declared once")
        self.template.params = self.fields(line, rest)
        self.declare(line, self.world.records, self.template.name, (self.template.path, line, self.template.params))

    # blocks

    def begin(self, kind, line, data):
        node = Node(kind, line, data, [], [])
        self.into.append(node)
        self.stack.append((node, self.into))
        self.into = node.body

    def block(self):
        return self.stack[-1][0] if self.stack else Node("nothing", 0)

    def tag_if(self, line, rest):
        self.begin("if", line, rest)

    def tag_for(self, line, rest):
        found = re.fullmatch(rf"({NAME})\s+in\s+({PATH})", rest)
        if not found or found[1] in C_WORDS:
            raise Wrong(line, "{{for NAME in LIST}}")
        self.begin("for", line, found.groups())

    def tag_use(self, line, rest):
        self.begin("use", line, rest)

    def tag_else(self, line, rest):
        if self.block().kind not in ("if", "elif", "for") or self.into is self.block().rest:
            raise Wrong(line, "{{else}} of nothing")
        self.into = self.block().rest

    def tag_elif(self, line, rest):
        """An if within the else, which ends with it."""
        if self.block().kind not in ("if", "elif"):
            raise Wrong(line, "{{elif}} of nothing")
        self.tag_else(line, "")
        self.begin("elif", line, rest)

    def tag_end(self, line, rest):
        while self.block().kind == "elif":
            self.stack.pop()
        if not self.stack:
            raise Wrong(line, "{{end}} of nothing")
        self.into = self.stack.pop()[1]

    # leaves

    def tag_include(self, line, rest):
        self.into.append(Node("include", line, rest))

    def tag_content(self, line, rest):
        if self.stack or self.template.content_line:
            raise Wrong(line, "{{content}} stands once, and in no block")
        self.template.content_line = line
        self.into.append(Node("content", line))

    def tag_say(self, line, rest):
        self.into.append(Node("say", line, rest))

    def tag_static(self, line, rest):
        self.into.append(Node("static", line, rest))
