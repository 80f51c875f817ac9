"""The documents are true. docs/configuration.md has the settings of the programs' --help; README.md the commands of the usage, and examples
that run as they are; what a document names is there; the recipes of CONTRIBUTING.md fit the tree."""
import re
import shutil
import subprocess

import pytest

import recipes
from support import ROOT, metric_tables

README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = recipes.recipes(CONTRIBUTING)
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.md") if path.relative_to(ROOT).parts[0] != "build")


def helps():
    """What every program of ours says of its settings: {program: {setting: (default, meaning)}}"""
    found = {}
    for main in (*ROOT.glob("services/*/main.c"), *ROOT.glob("streams/*/main.c")):
        text = subprocess.run([ROOT / "build/release" / main.parent.name, "--help"], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        found[main.parent.name] = {name: (default, meaning) for name, default, meaning in
                                   re.findall(r"^([A-Z_]+) +(?!KIND)[a-z]+ +(\S+) +(.+)$", text, re.M)}
    return found


def settings_table():
    """As docs/configuration.md has it: what one program alone reads comes first."""
    programs, own, shared = helps(), [], {}
    for program in sorted(programs):
        for name, (default, meaning) in programs[program].items():
            if sum(name in others for others in programs.values()) == 1:
                own.append(f"| `{name}` | {default} | {program} | {meaning} |")
            else:
                shared[name] = f"| `{name}` | {default} | | {meaning} |"
    return "\n".join([*own, *shared.values()])


def test_the_settings_are_those_of_help():
    assert settings_table() in CONFIGURATION, f"the table of settings in docs/configuration.md is to be:\n{settings_table()}"


def test_the_commands_are_those_of_the_usage():
    usage = re.findall(r"^  (\w.*?)(?:  |$)", (ROOT / "dev/usage.txt").read_text(), re.M)
    table = README.split("\n| command |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `(.+?)` \|", table, re.M) == usage


def test_the_examples_run(stack):
    """One after the other, in one shell; a person types more slowly than that, and what is not known yet is asked for again."""
    examples = re.findall(r"```sh\n(.*?)```", README, re.S)
    assert len(examples) == 4
    shell = subprocess.run(["bash", "-e"], input="".join(examples).replace("curl ", "curl --fail --retry 10 --retry-all-errors --retry-delay 1 -sS "), cwd=ROOT,
                           env=stack.environment, text=True, capture_output=True)
    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert '"email":"seller@example.com"' in shell.stdout
    assert '"title":"A seat in row 1","price":20,' in shell.stdout
    assert '"expiresAt":' in shell.stdout
    assert '"status":"succeeded"' in shell.stdout
    assert '"seats":"Stalls, row A, seats 1–3"' in shell.stdout
    assert '"captured":2000,"refunded":0,' in shell.stdout


def anchors(path):
    """The places in a document that a link may lead to, as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    here = (ROOT / name).parent
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", (ROOT / name).read_text())
    assert targets or name not in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
    for target in targets:
        path, _, anchor = target.partition("#")
        leads_to = here / path if path else ROOT / name
        assert leads_to.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors(leads_to), f"{name} links to {target}"


def paths_named(text):
    """What looks like a path of this tree: it begins with one of its folders."""
    tops = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "build")
    return [path for path in re.findall(rf"`((?:{tops})/[^` ]*)`", text) if not re.search("NAME|TOPIC|SERVICE", path)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_is_there(name):
    text = (ROOT / name).read_text()
    named = paths_named(text)
    assert named or name not in ("ARCHITECTURE.md", "CONTRIBUTING.md")
    new = {file for steps in RECIPES.values() for kind, file, *_ in steps if kind == "new"} if name == "CONTRIBUTING.md" else set()
    for path in named:
        assert path in new or any(ROOT.glob(path)), f"{name} names {path}"
    for symbol, path in re.findall(r"`(\w+)` in `([\w/.-]+)`", text):
        assert re.search(rf"\b{symbol}\b", (ROOT / path).read_text()), f"{name} looks for {symbol} in {path}"
    metrics = {metric for table in metric_tables().values() for metric in table}
    for metric in re.findall(r"`(onsale_[a-z_]+)`", text):
        assert metric in metrics, f"{name} names {metric}"


def test_each_guarantee_has_its_test():
    """Each line of the tables names tests that are there, or says which figure or command stands for one."""
    tests = {name for path in (ROOT / "tests").glob("*/test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}
    lines = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines() if re.match(r"\| (?!promise|where)\w", line)]
    assert len(lines) >= 20
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line.rsplit(" | ", 1)[1])
        assert named or "`./onsale test chaos`" in line, f"no test watches this: {line}"
        assert set(named) <= tests, f"there is no {', '.join(set(named) - tests)}"


def test_the_tour_is_short():
    assert len(README.splitlines()) <= 120
    assert len((ROOT / "ARCHITECTURE.md").read_text().split()) <= 2500


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_fits_the_tree(title, tmp_path):
    """Each of its places is there once. That what it makes works is another test's."""
    steps = RECIPES[title]
    assert len(RECIPES) >= 6 and len(steps) >= 3
    for file in {file for kind, file, *_ in steps if kind not in ("run", "new")}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    assert recipes.apply(steps, tmp_path), "it ends with commands"
    for kind, file, *_ in steps:
        assert kind != "new" or not (ROOT / file).exists(), f"{file} is there already"
