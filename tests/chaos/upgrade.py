"""The version before: a copy of the tree of a commit, built; and how its processes become those of this tree while people use them."""
import subprocess

import processes
from common import PRESET
from support import ROOT

FOLDER = ROOT / "build/before"


def before(revision):
    """That commit's tree, under build/ and built."""
    commit = subprocess.run(["git", "rev-parse", f"{revision}^{{commit}}"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    tree = FOLDER / commit[:12]
    if not (tree / "onsale").exists():
        tree.mkdir(parents=True)
        archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", tree], stdin=archive.stdout, check=True)
        assert archive.wait() == 0
    build = "import sys; sys.path.insert(0, 'dev'); import stack, state; stack.build(stack.Stack(state.State()).targets())"
    subprocess.run(["python3", "-c", build], cwd=tree, check=True)
    return tree


def run_of(tree):
    """From now on a process that is restarted is that of this tree."""
    processes.BUILD = tree / "build" / PRESET
