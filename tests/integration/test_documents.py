"""The documents are true. README.md: its settings are the programs' --help, its commands the usage, its examples run as they are."""
import re
import subprocess

import pytest

from support import ROOT

README = (ROOT / "README.md").read_text()


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
    """As README.md has it: what one program alone reads comes first."""
    programs, own, shared = helps(), [], {}
    for program in sorted(programs):
        for name, (default, meaning) in programs[program].items():
            if sum(name in others for others in programs.values()) == 1:
                own.append(f"| `{name}` | {default} | {program} | {meaning} |")
            else:
                shared[name] = f"| `{name}` | {default} | | {meaning} |"
    return "\n".join([*own, *shared.values()])


def test_the_settings_are_those_of_help():
    assert settings_table() in README, f"the table of settings in README.md is to be:\n{settings_table()}"


def test_the_commands_are_those_of_the_usage():
    usage = re.findall(r"^  (\w.*?)(?:  |$)", (ROOT / "dev/usage.txt").read_text(), re.M)
    table = README.split("\n| command |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `(.+?)` \|", table, re.M) == usage


def test_the_examples_run(stack):
    """One after the other, in one shell; a person types more slowly than that, and what is not known yet is asked for again."""
    examples = re.findall(r"```sh\n(.*?)```", README, re.S)
    assert len(examples) == 3
    shell = subprocess.run(["bash", "-e"], input="".join(examples).replace("curl ", "curl --fail --retry 10 --retry-all-errors --retry-delay 1 -sS "), cwd=ROOT,
                           env=stack.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert '"email":"seller@example.com"' in shell.stdout
    assert '"title":"A seat in row 1","price":20,' in shell.stdout
    assert '"expiresAt":' in shell.stdout
    assert '"status":"succeeded"' in shell.stdout
    assert '"captured":2000,"refunded":0,' in shell.stdout


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_what_a_document_names_is_there(name):
    text = (ROOT / name).read_text()
    tops = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "build")
    named = re.findall(rf"`((?:{tops})/[^` ]*)`", text) + re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert named
    for path in named:
        assert any(ROOT.glob(path)), f"{name} names {path}"
    metrics = (ROOT / "common/base/metrics.def").read_text()
    for metric in re.findall(r"`(onsale_[a-z_]+)`", text):
        assert f'"{metric}"' in metrics, f"{name} names {metric}"
