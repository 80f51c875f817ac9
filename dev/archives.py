"""Class archives: what the JVM keeps of loading Kafka's and the registry's classes once, so that they start with a third of the
CPU time. The JVM ignores an archive that is missing or does not fit: nothing depends on them but speed."""
import pathlib
import subprocess
import tempfile
import time

from common import cache_dir, program, say
from fetch import POM, being_made, version

SECONDS = 120  # a start without an archive, on a busy machine


def directory():
    java = pathlib.Path(program("java")).resolve().parent.parent
    return cache_dir() / f"classes-{version(POM, java / 'release')}"


def flag(name):
    return f"-XX:SharedArchiveFile={directory() / name}.jsa"


def make(prepare):
    """prepare(scratch) gives the processes to start once, in this scratch directory."""
    if directory().exists():
        return
    with being_made(directory()) as unfinished, tempfile.TemporaryDirectory(prefix="onsale-classes.") as scratch:
        if unfinished:
            say("letting Java keep the classes it loads, for quick starts (once)")
            unfinished.mkdir()
            children = []
            try:
                for process in prepare(pathlib.Path(scratch)):
                    children.append((process, _start(process, unfinished)))  # noqa: PERF401 -- those before one that fails are ended
                for process, child in children:
                    _stop_when_ready(process, child)
            finally:
                for _, child in children:
                    child.kill()
                    child.wait()


def _start(process, directory):
    java, *arguments = (word for word in map(str, process.command) if not word.startswith("-XX:SharedArchiveFile="))
    with open(process.log, "w") as log:
        return subprocess.Popen([java, f"-XX:ArchiveClassesAtExit={directory / process.name}.jsa", *arguments],
                                env={k: str(v) for k, v in process.environment.items()}, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)


def _stop_when_ready(process, child):
    deadline = time.monotonic() + SECONDS
    while child.poll() is None and not process.ready() and time.monotonic() < deadline:
        time.sleep(0.1)
    child.terminate()
    child.wait()
