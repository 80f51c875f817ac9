"""Programs that are measured beside ours: fetched and built once, into onsale's cache. Import harness first."""
import os
import shutil
import subprocess

import fetch
from common import Failed, cache_dir, say

LOCKED_BEFORE = "2026-11-21"  # of the packages that a range allows, those of that day
ENVIRONMENT = os.environ | {"NEXT_TELEMETRY_DISABLED": "1"}


def node():
    """Node.js, which comes with the tests' Python packages."""
    return fetch.node() / "bin/node"


def made(source, files, fill):
    """The directory that fill(directory) makes of these files, once."""
    directory = cache_dir() / f"bench-{source.name}-{fetch.version(*files)}"
    if not directory.exists():
        with fetch.being_made(directory) as unfinished:
            if unfinished:
                fill(unfinished)
    return directory


def jars(source):
    """What source/pom.xml names."""
    def fill(directory):
        say(f"fetching what {source.name} needs by Maven (once)")
        fetch.gather(source / "pom.xml", directory)
    return made(source, [source / "pom.xml"], fill)


def packages(source, *then, extra=()):
    """A copy of the directory `source`, and of `extra` files as name: path, with its packages, after node ran the words `then`."""
    extra = dict(extra)

    def run(directory, *words):
        if subprocess.run([node(), *words], cwd=directory, stdout=subprocess.DEVNULL, env=ENVIRONMENT).returncode != 0:
            raise Failed(f"failed, as said above: node {' '.join(map(str, words))}")

    def fill(directory):
        say(f"fetching what {source.name} needs by npm (once)")
        shutil.copytree(source, directory)
        for name, path in extra.items():
            shutil.copy(path, directory / name)
        run(directory, fetch.node() / "lib/node_modules/npm/bin/npm-cli.js", "install", "--loglevel=error", "--no-package-lock",
            f"--before={LOCKED_BEFORE}", "--ignore-scripts", "--no-audit", "--no-fund")
        if then:
            run(directory, *then)
    return made(source, [*sorted(p for p in source.rglob("*") if p.is_file()), *extra.values()], fill)
