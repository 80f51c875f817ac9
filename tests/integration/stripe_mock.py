"""Stripe's own description of its API: stripe-mock carries it, and holds requests against it. It comes as a Go module, built once by a
Go of the version that it asks for, which comes as one too."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from support import ROOT

sys.path.append(str(ROOT / "dev"))
import fetch
from common import cache_dir, go

MODULE = "github.com/stripe/stripe-mock@v0.203.0"
TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.24.4.linux-amd64"


def _environment(**more):
    return os.environ | {"GOMODCACHE": str(cache_dir() / "go-modules"), "GOFLAGS": "-modcacherw"} | more


def _module(name):
    """Where a module's files are; verified by Go's checksum database."""
    done = subprocess.run([go(), "mod", "download", "-json", name], check=True, stdout=subprocess.PIPE, cwd="/", env=_environment())
    return pathlib.Path(json.loads(done.stdout)["Dir"])


def description():
    """OpenAPI 3, as JSON."""
    return json.loads((_module(MODULE) / "embedded/openapi/spec3.json").read_text())


def _build(into):
    newer = into / "go"
    shutil.copytree(_module(TOOLCHAIN), newer)
    for directory in ("bin", "pkg/tool"):  # a module's files can't be executed
        for path in [newer / directory, *(newer / directory).rglob("*")]:
            path.chmod(0o755)
    environment = _environment(GOROOT=str(newer), GOBIN=str(into), GOTOOLCHAIN="local", CGO_ENABLED="0")
    subprocess.run([newer / "bin/go", "install", MODULE], check=True, env=environment, cwd="/")
    shutil.rmtree(newer)


def program():
    directory = cache_dir() / f"stripe-mock-{MODULE.rpartition('@v')[2]}"
    if not directory.exists():
        with fetch.being_made(directory) as unfinished:
            if unfinished:
                _build(unfinished)
    return directory / "stripe-mock"
