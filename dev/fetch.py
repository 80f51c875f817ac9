"""Fetches what Debian does not have, once, into the cache: jars by Maven, Python packages for the tests by pip."""
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

from common import DEV, Failed, cache_dir, lock_or_wait, program, say


POM = DEV / "kafka/pom.xml"


def version(*files):
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


@contextlib.contextmanager
def being_made(directory):
    """An empty directory beside the wanted one. Only one process makes it; it appears whole or not at all."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.with_name(directory.name + ".lock"), "w") as lock:
        lock_or_wait(lock, directory)
        if directory.exists():  # another checkout made it meanwhile
            yield None
            return
        unfinished = directory.with_name(directory.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        yield unfinished
        unfinished.rename(directory)


def jars():
    """The directory that holds kafka/*.jar and registry/, once fetch_jars() was called."""
    return cache_dir() / f"jars-{version(POM)}"


def fetch_jars():
    if not jars().exists():
        with being_made(jars()) as unfinished:
            if unfinished:
                say("fetching Kafka and the schema registry by Maven (about 170 MB, once)")
                unfinished.mkdir()
                downloads = cache_dir() / "maven"  # kept while it is incomplete, so that a second try goes on
                _maven(["--strict-checksums", f"-Dmaven.repo.local={downloads}", "-f", str(POM),
                        f"-Dinto={unfinished}", "package"])
                shutil.rmtree(downloads)


def _maven(arguments):
    """Runs Maven; shows a growing count instead of its hundreds of lines, and those only if it fails."""
    lines, fetched = [], 0
    with subprocess.Popen([program("mvn"), "-B", "-Dstyle.color=never", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as maven:
        for line in maven.stdout:
            lines.append(line)
            if "Downloaded from" in line:
                fetched += 1
                if sys.stderr.isatty():
                    print(f"\r  {fetched} files", end="", file=sys.stderr, flush=True)
    if fetched and sys.stderr.isatty():
        print(file=sys.stderr)
    if maven.returncode != 0:
        sys.stderr.writelines(lines[-30:])
        raise Failed("Maven could not fetch the jars (its last lines are above); run the same command again to go on")


def python():
    """The Python that has what the tests import."""
    requirements = DEV / "requirements.txt"
    directory = cache_dir() / f"python-{version(requirements)}"
    if not directory.exists():
        with being_made(directory) as unfinished:
            if unfinished:
                say("making a Python environment for the tests (once)")
                _run([program("python3"), "-m", "venv", str(unfinished)])
                _run([str(unfinished / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check",
                      "--require-virtualenv", "-r", str(requirements)])
    return directory / "bin/python"


def _run(command):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    if subprocess.run(command, env=environment, stdout=sys.stderr).returncode != 0:
        raise Failed(f"failed: {' '.join(command)}")
