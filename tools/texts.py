"""Texts in several languages, for tools/templategen.py: TEXTS/TAG.txt has KEY = TEXT a line. The first language is English."""
import html
import re

import staticgen
from templatetree import Node

KEY = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+"
HOLE = r"\{([a-z][a-z0-9_]*)\}"


class Texts:
    def __init__(self, folder):
        self.languages = {}  # {tag: {key: text}}
        for path in sorted(folder.glob("*.txt"), key=lambda p: (p.stem != "en", p.stem)) if folder else ():
            self.languages[path.stem] = self.read(path)
        self.first = next(iter(self.languages.values()), {})
        for tag, texts in self.languages.items():
            self.compare(folder / f"{tag}.txt", texts)

    def read(self, path):
        texts = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = re.fullmatch(rf"({KEY}) = (\S.*)", line)
            if not found:
                staticgen.fail(f"{path}:{number}", "neither KEY = TEXT nor a remark")
            key, text = found.groups()
            if key in texts:
                staticgen.fail(f"{path}:{number}", f"{key} is there twice")
            if re.search(r"[{}]", re.sub(HOLE, "", text)) or text != text.rstrip():
                staticgen.fail(f"{path}:{number}", "a brace that is no {name}, or a blank at the end")
            texts[key] = text
        return texts

    def compare(self, path, texts):
        for key in [*self.first, *texts]:
            if key not in texts:
                staticgen.fail(path, f"{key} is missing")
            if key not in self.first:
                staticgen.fail(path, f"{key} is not in the first language")
            if self.holes(texts[key]) != self.holes(self.first[key]):
                has, wants = (", ".join(f"{{{hole}}}" for hole in self.holes(text[key])) for text in (texts, self.first))
                staticgen.fail(path, f"{key} has {has}, but {wants} in the first language")

    def holes(self, text):
        return sorted(re.findall(HOLE, text))

    def problem(self, key, names):
        if key not in self.first:
            return f"there is no text {key}"
        if names is not None and set(self.holes(self.first[key])) != set(names):
            return f"{key} wants {', '.join(self.holes(self.first[key])) or 'nothing'}"
        return None

    def constant(self, key):
        return f"TEXT_{key}".replace(".", "_").upper()

    def nodes(self, language, key, values, line):
        """A text as a template would have it."""
        nodes = []
        for i, piece in enumerate(re.split(HOLE, self.languages[language][key])):
            if i % 2:
                path, _, chosen = values[piece].partition("|")
                nodes.append(Node("value", line, (path, chosen or None)))
            elif piece:
                nodes.append(Node("words", line, html.escape(piece)))
        return nodes

    def header(self):
        if not self.languages:
            return []
        return [f"enum text {{{', '.join(map(self.constant, self.first))}}};", "struct str text_of(enum text key); /* in the thread's language */",
                "struct str text_in(enum language language, enum text key);", *self.groups(), ""]

    def groups(self):
        """Where the texts of a group begin and end, if they stand together: TEXTS_API_FIRST, TEXTS_API_LAST."""
        names = [key.split(".")[0] for key in self.first]
        for name in dict.fromkeys(names):
            first, last = names.index(name), len(names) - 1 - names[::-1].index(name)
            if last - first + 1 == names.count(name):
                yield f"enum {{TEXTS_{name.upper()}_FIRST = {first}, TEXTS_{name.upper()}_LAST = {last}}};"

    def body(self):
        if not self.languages:
            return []
        def literal(text):
            escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("??", r"?\?")
            return f'STR("{escaped}")'
        lines = [f"static const struct str texts[LANGUAGES][{len(self.first)}] = {{"]
        for language, texts in self.languages.items():
            lines += [f"    [LANGUAGE_{language.upper()}] = {{", *(f"        {literal(texts[key])}," for key in self.first), "    },"]
        return [*lines, "};", "", "struct str text_in(enum language language, enum text key) {", "    return texts[language][key];", "}", "",
                "struct str text_of(enum text key) {", "    return texts[language_in_use()][key];", "}", ""]
