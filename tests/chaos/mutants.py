"""mutants.py CHECKER NAME ...: breaks a copy of this tree on purpose, one bug of tests/chaos/mutants at a time (those whose name contains NAME;
mutants: all), and says whether each of what its patch names (`by:` chaos, or a test) catches it, and how soon. The copy stays in build/mutants, so that
the next run builds little, and the logs beside it. Exit code 1 when one is not caught."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCHES = pathlib.Path(__file__).parent / "mutants"
TREE = ROOT / "build/mutants/tree"
LOGS = ROOT / "build/mutants"
SEED = "7"
DEADLINE = "60"  # seconds that anything awaited may take: what is wrong is often that something never comes


def copy_tree():
    """What git knows or would add; files that are the same keep their time, and are not built again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    TREE.mkdir(parents=True, exist_ok=True)
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    for old in (path for path in TREE.rglob("*") if path.is_file() and path.relative_to(TREE).parts[0] not in ("build", ".git")):
        if str(old.relative_to(TREE)) not in names:
            old.unlink()
    for name in names:
        here, there = ROOT / name, TREE / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_symlink():
            there.unlink(missing_ok=True)
            there.symlink_to(here.readlink())
        elif not there.exists() or there.read_bytes() != here.read_bytes() or there.stat().st_mode != here.stat().st_mode:
            shutil.copy(here, there)
    if not (TREE / ".git").exists():  # what is patched is no part of the checkout around it
        subprocess.run(["git", "init", "-q", TREE], check=True)


def run(name, *command):
    with open(LOGS / f"{name}.log", "a") as log:
        return subprocess.run(command, cwd=TREE, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env=os.environ | {"ONSALE_TEST_DEADLINE": DEADLINE}).returncode


def apply(patch, *how):
    subprocess.run(["git", "apply", *how, patch], cwd=TREE, check=True)


def show(patch):
    """For each of what shall catch it: (caught, what said so, seconds)"""
    log = LOGS / f"{patch.stem}.log"
    log.unlink(missing_ok=True)
    apply(patch)
    try:
        if run(patch.stem, sys.executable, "-c", "import sys; sys.path.insert(0, 'dev'); import stack; stack.build(preset='release')") != 0:
            yield False, f"it does not build, see {log}", 0
            return
        for by in re.findall(r"^by: (.+)$", patch.read_text(), re.M):
            began = time.monotonic()
            code = run(patch.stem, "./onsale", "test", by, *(["--minutes", "1", "--seed", SEED] if by == "chaos" else []))
            closing = [line for line in log.read_text().splitlines() if line.startswith((f"{by.split(':')[0]}: ", "Traceback"))][-1:]
            said = closing[0] if closing else f"nothing, see {log}"
            yield code != 0 and bool(re.search(r"WRONG|\d+ (tests )?failed", said)), f"{by}: {said}", time.monotonic() - began
    finally:
        apply(patch, "-R")


def main(_, *names):
    patches = [p for p in sorted(PATCHES.glob("*.patch")) if "mutants" in names or any(name in p.stem for name in names)]
    if not patches:
        print(f"no mutant is called so; there are {', '.join(sorted(p.stem for p in PATCHES.glob('*.patch')))}")
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    lock = open(LOGS / "lock", "w")  # until this process ends: there is one copy, and two bugs in it would be taken for each other
    fcntl.flock(lock, fcntl.LOCK_EX)
    copy_tree()
    missed = []
    for patch in patches:
        for caught, said, seconds in show(patch):
            print(f"{'caught' if caught else 'MISSED'}  {patch.stem}  {seconds:.0f} s  {said}", flush=True)
            if not caught:
                missed.append(patch.stem)
    print(f"{len(patches) - len(set(missed))} of {len(patches)} mutants caught" + (f"; missed: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
