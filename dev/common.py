"""Where things are, and small helpers that every module here uses."""
import fcntl
import hashlib
import os
import pathlib
import shutil
import string
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEV = ROOT / "dev"
IS_ROOT = os.geteuid() == 0
PRESET = os.environ.get("ONSALE_PRESET") or "release"  # of CMakePresets.json: what runs is built by it
BUILD = ROOT / "build" / PRESET


class Failed(Exception):
    """Ends the command with this message and exit code 1."""


class UnknownWord(Failed):
    """As Failed, with exit code 64: what was typed names nothing."""


def say(text):
    print(f"onsale: {text}", file=sys.stderr, flush=True)


def lock_or_wait(file, does):
    """Held until the file is closed. Says so when another command has it, which does this."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another onsale command that {does}")
        fcntl.flock(file, fcntl.LOCK_EX)


def short_hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def cache_dir():
    """What can be had again: jars, Python packages, what the linter found clean. Shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("ONSALE_CACHE") or pathlib.Path(base) / "onsale").absolute()


def state_dir():
    """A stack's data, logs and settings: one a checkout, outside of it (and, for root, where user postgres can go)."""
    if os.environ.get("ONSALE_STATE"):
        return pathlib.Path(os.environ["ONSALE_STATE"]).absolute()
    home = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
    base = pathlib.Path("/var/lib") if IS_ROOT else pathlib.Path(home)
    return base / "onsale" / f"{ROOT.name}-{short_hash(str(ROOT))}"


def fill(template, **values):
    """The text of a template file with its $names filled in."""
    return string.Template(template.read_text()).substitute(values)


def program(name):
    """The full path of a program that dev/packages.txt brings."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise Failed(f"{name} is not installed; ./onsale run installs what is missing")
    return path


def go():
    """The Go on the PATH, or Debian's, which is beside it; None if there is none."""
    debian = map(str, sorted(pathlib.Path("/usr/lib").glob("go-1.*/bin"), reverse=True))
    return shutil.which("go", path=":".join([os.environ["PATH"], "/usr/local/go/bin", *debian]))


def tail(path, lines):
    """The last lines of a file, at most 256 KiB of them."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 256 * 1024))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
