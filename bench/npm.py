"""Programs of Node.js that are measured beside ours: fetched and built once, into onsale's cache."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "dev"))
import fetch  # noqa: E402
from common import cache_dir, program, say  # noqa: E402

LOCKED_BEFORE = "2026-11-21"  # of the packages that a range allows, those of that day
ENVIRONMENT = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}


def installed(source, *then, extra=()):
    """A copy of the directory `source`, and of `extra` files as name: path, with its packages, after the command `then`."""
    extra = dict(extra)
    files = [*sorted(p for p in source.rglob("*") if p.is_file()), *extra.values()]
    directory = cache_dir() / f"bench-{source.name}-{fetch.version(*files)}"
    with contextlib.ExitStack() as stack:
        unfinished = None if directory.exists() else stack.enter_context(fetch.being_made(directory))
        if unfinished:
            say(f"fetching what {source.name} needs by npm (once)")
            shutil.copytree(source, unfinished)
            for name, path in extra.items():
                shutil.copy(path, unfinished / name)
            install = ("npm", "install", "--silent", "--no-package-lock", f"--before={LOCKED_BEFORE}", "--ignore-scripts", "--no-audit",
                       "--no-fund")
            for command in (install, then) if then else (install,):
                subprocess.run([program(command[0]), *command[1:]], cwd=unfinished, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return directory
