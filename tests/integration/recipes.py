"""The recipes of CONTRIBUTING.md, as a program reads them: its section "Recipes" says what the words before a block of code mean."""
import re

# A span of code; one that has a backtick in it stands between two.
CODE = r"(?:``\s?(?P<{0}2>.+?)\s?``|`(?P<{0}1>[^`]+?)`)"
FILE, LINE = CODE.format("file"), CODE.format("line")
STEPS = {
    "new": rf"New file {FILE}:",
    "end": rf"At the end of {FILE}:",
    "above": rf"In {FILE}, above the line {LINE}:",
    "below": rf"In {FILE}, below the line {LINE}:",
    "becomes": rf"In {FILE}, the line {LINE} becomes:",
    "delete": rf"In {FILE}, delete the line {LINE}\.",
    "run": r"Run:",
}


def _step(sentence):
    """(kind, file, line), or None: it is no step."""
    for kind, pattern in STEPS.items():
        found = re.fullmatch(rf"(?:[0-9]+\. )?{pattern}", sentence)
        if found:
            spans = {"file1": None, "file2": None, "line1": None, "line2": None} | found.groupdict()
            return kind, spans["file1"] or spans["file2"], spans["line1"] or spans["line2"]
    return None


def recipes(text):
    """{title: [(kind, file, line, block)]}. A block of code that no sentence introduces is an error."""
    section = re.split(r"^## ", text.split("\n## Recipes\n", 1)[1], maxsplit=1, flags=re.M)[0]
    found = {}
    for part in re.split(r"^### ", section, flags=re.M)[1:]:
        title, body = part.split("\n", 1)
        steps, rest = [], body
        while rest:
            at = re.search(r"^( *)```\w+\n(.*?)^\1```$", rest, re.M | re.S)
            before = rest[:at.start()] if at else rest
            sentences = [s.strip() for s in before.splitlines() if s.strip()]
            steps += [(*step, None) for s in sentences if (step := _step(s)) and step[0] == "delete"]
            if at:
                step = _step(sentences[-1])
                assert step and step[0] != "delete", f"{title}: what is to be done with this block? {sentences[-1]}"
                steps.append((*step, re.sub(f"^{at[1]}", "", at[2], flags=re.M)))
            rest = rest[at.end():] if at else ""
        found[title] = steps
    return found


def apply(steps, root):
    """Does to the tree what the steps say; returns the commands, which are the caller's to run."""
    commands = []
    for kind, file, line, block in steps:
        if kind == "run":
            commands.append(block)
            continue
        path = root / file
        if kind == "new":
            assert not path.exists(), f"{file} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
            continue
        lines = path.read_text().splitlines(keepends=True)
        if kind == "end":
            lines.append(block)
        else:
            places = [n for n, text in enumerate(lines) if text.strip() == line]
            assert len(places) == 1, f"{file} has {len(places)} lines that are {line}"
            [at] = places
            if kind == "delete":
                del lines[at:at + (2 if lines[at + 1:at + 2] == ["\n"] else 1)]
            else:
                start, end = {"above": (at, at), "below": (at + 1, at + 1), "becomes": (at, at + 1)}[kind]
                lines[start:end] = [block]
        path.write_text("".join(lines))
    return commands
