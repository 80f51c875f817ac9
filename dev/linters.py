"""What ./onsale test lint runs. A linter is a function of a tree that returns what it has to say: nothing, if all is right. What each looks for
is in the root of the checkout (.clang-format, .clang-tidy, ruff.toml, .squawk.toml, .yamllint, .editorconfig)."""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import time

import fetch
from common import Failed, cache_dir, program

PRESET = "fuzz"  # clang builds it, and it has every file
NOT_POSTGRES = ("examples/flink/",)
NOT_YAML = ("helm/onsale/templates/",)  # it is, once rendered: tests/deploy/golden
KEEP_SECONDS = 30 * 86400  # a look that nobody asked for
TEXT_OF_OTHERS = ("tests/fuzz/corpus/",)  # whatever bytes a fuzzer made


class Tree:
    """A checkout: its files are those that git knows or would add. Links are not followed."""

    def __init__(self, root):
        self.root = root
        listed = subprocess.run([program("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True,
                                text=True, check=False)
        if listed.returncode != 0:
            raise Failed(f"what is to be looked at is a git checkout: {listed.stderr.strip()}")
        names = sorted(set(listed.stdout.split("\0")) - {""})
        self.names = [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]

    def named(self, *suffixes, without=()):
        return [name for name in self.names if name.endswith(suffixes) and not name.startswith(without)]

    def scripts(self, language):
        """By their first line, and not by name."""
        return [name for name in self.names if "." not in pathlib.Path(name).name.lstrip(".") and self._runs(name, language)]

    def _runs(self, name, language):
        with open(self.root / name, "rb") as file:
            return re.match(rb"#!.*\b" + language + rb"\b", file.readline())

    def says(self, command, names):
        """What a linter says of these files; nothing if it is content."""
        if not names:
            return ""
        done = subprocess.run([*command, *names], cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False, env=os.environ | {"NO_COLOR": "1"})
        return "" if done.returncode == 0 else done.stdout.strip() or f"exit {done.returncode}"


def pinned(name):
    """A program of dev/requirements.txt."""
    return fetch.python().with_name(name)


def clang_format(tree):
    return tree.says([program("clang-format"), "--dry-run", "-Werror"], tree.named(".c", ".h"))


def ruff(tree):
    return tree.says([pinned("ruff"), "check", "--quiet", "--output-format", "concise"], tree.named(".py") + tree.scripts(b"python3?"))


def shellcheck(tree):
    return tree.says([program("shellcheck"), "--format", "gcc"], tree.named(".sh") + tree.scripts(b"(ba)?sh"))


def squawk(tree):
    return tree.says([pinned("squawk"), "--reporter", "gcc"], tree.named(".sql", without=NOT_POSTGRES))


def yamllint(tree):
    return tree.says([fetch.python(), "-m", "yamllint", "--strict", "--format", "parsable"], tree.named(".yaml", ".yml", without=NOT_YAML))


# --- .editorconfig ---

def editorconfig(tree):
    names = [name for name in tree.names if not name.startswith(TEXT_OF_OTHERS)]
    told = subprocess.run([fetch.python(), "-m", "editorconfig", *(tree.root / name for name in names)], capture_output=True, text=True, check=True)
    sections = re.split(r"^\[(.+)\]$", told.stdout, flags=re.MULTILINE)[1:]
    wanted = dict(zip(sections[::2], sections[1::2], strict=True)) if len(names) > 1 else {str(tree.root / names[0]): told.stdout}
    return "\n".join(line for name in names
                     for line in offences(name, (tree.root / name).read_bytes(),
                                          dict(re.findall(r"^(\w+)=(.*)$", wanted[str(tree.root / name)], re.MULTILINE))))


def offences(name, data, wanted):
    """Against those properties that any text can be held to. How far code is indented is a matter of its language."""
    if b"\0" in data:
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if wanted.get("trim_trailing_whitespace") == "true" and line != line.rstrip():
            yield f"{name}:{number}: blanks at the end of the line"
        if wanted.get("indent_style") == "space" and re.match(rb" *\t", line):
            yield f"{name}:{number}: a tab, where .editorconfig wants spaces"
        if wanted.get("indent_style") == "tab" and line.startswith(b"  "):
            yield f"{name}:{number}: spaces, where .editorconfig wants tabs"
    if wanted.get("insert_final_newline") == "true" and data and not data.endswith(b"\n"):
        yield f"{name}:{data.count(10) + 1}: the last line has no end"
    if wanted.get("insert_final_newline") == "true" and data.endswith(b"\n\n"):
        yield f"{name}:{data.count(10)}: an empty line at the end"


# --- clang-tidy ---

def clang_tidy(tree):
    """Looks only at what may have changed: the cache has a file for each look that found nothing, named by all that it depended on. It
    serves every checkout, so the place of this one does not count."""
    database = tree.root / "build" / PRESET
    stamps = cache_dir() / "lint"
    stamps.mkdir(parents=True, exist_ok=True)
    here = re.compile(re.escape(f"{tree.root}/").encode())
    ours = set(tree.named(".c"))  # and not what is generated
    entries = [entry for entry in json.loads((database / "compile_commands.json").read_text())
               if (path := pathlib.Path(entry["file"])).is_relative_to(tree.root) and str(path.relative_to(tree.root)) in ours]
    tidy = [program("clang-tidy"), "-p", database, "--quiet", "--extra-arg=-UARENA_MALLOC"]  # the arena of the release build
    version = subprocess.run([tidy[0], "--version"], capture_output=True, check=True).stdout
    rules = b"".join((tree.root / name).read_bytes() for name in tree.names if pathlib.Path(name).name == ".clang-tidy")
    content = functools.cache(lambda path: hashlib.sha256(pathlib.Path(path).read_bytes()).digest())

    def look(entry):
        """(stamp, what was found)"""
        command = shlex.split(entry["command"])
        at = command.index("-o")
        depends = subprocess.run([*command[:at], *command[at + 2:], "-M"], cwd=entry["directory"], capture_output=True, text=True, check=False)
        if depends.returncode != 0:
            return None, [depends.stderr]
        key = hashlib.sha256(version + rules + here.sub(b"", entry["command"].encode()))
        for path in shlex.split(depends.stdout.partition(":")[2].replace("\\\n", " ")):
            key.update(here.sub(b"", path.encode()) + content(pathlib.Path(entry["directory"], path)))
        stamp = stamps / key.hexdigest()
        if stamp.exists():
            stamp.touch()
            return stamp, []
        done = subprocess.run([*tidy, entry["file"]], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 0:
            stamp.touch()
            return stamp, []
        return stamp, re.split(r"^(?=/.*: (?:warning|error): )", done.stdout, flags=re.MULTILINE) if done.stdout else [done.stderr]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = list(pool.map(look, entries))
    for stamp in stamps.iterdir():
        if stamp.stat().st_mtime < time.time() - KEEP_SECONDS:
            stamp.unlink(missing_ok=True)
    found = dict.fromkeys(part.strip() for _, parts in looks for part in parts)  # a header's but once
    return "\n".join(part.replace(f"{tree.root}/", "") for part in found if part)


LINTERS = {function.__name__.replace("_", "-"): function
           for function in (clang_format, ruff, shellcheck, squawk, yamllint, editorconfig, clang_tidy)}
