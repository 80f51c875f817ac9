"""Class archives: what the JVM keeps of loading Kafka's and the registry's classes once, so that they start with a third of the
CPU time. The JVM ignores an archive that is missing or does not fit: nothing depends on them but speed."""
import contextlib
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request

from common import ROOT, cache_dir, program, say
from fetch import POM, being_made, version

SECONDS = 120  # a start without an archive, on a busy machine


def directory():
    java = pathlib.Path(program("java")).resolve().parent.parent
    return cache_dir() / f"classes-{version(POM, java / 'release', pathlib.Path(__file__))}"


def flag(name):
    return f"-XX:SharedArchiveFile={directory() / name}.jsa"


@contextlib.contextmanager
def _postgres():
    """The URL of a server for as long as this lasts."""
    command = [ROOT / "tools/with-postgres", "sh", "-c", 'echo "$ONSALE_TEST_DATABASE_URL"; cat >/dev/null']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip()


def make(prepare):
    """prepare(scratch, database) gives the processes to start once, in this scratch directory and with this database of Postgres."""
    with being_made(directory()) as unfinished:
        if unfinished:
            say("letting Java keep the classes it loads, for quick starts (once)")
            unfinished.mkdir()
            if missing := _try(prepare, unfinished) and _try(prepare, unfinished):  # once more: the machine may have been too busy
                say(f"Java kept no classes of {' and '.join(missing)}: starts take three times as long")


def _try(prepare, directory):
    """The names of those of which nothing was kept."""
    with tempfile.TemporaryDirectory(prefix="onsale-classes.") as scratch, _postgres() as database:
        made = prepare(pathlib.Path(scratch), database)
        _make_archives(made, directory)
    return [process.name for process in made if not (directory / f"{process.name}.jsa").exists()]


def _make_archives(processes, directory):
    children = []
    try:
        for process in processes:
            children.append((process, _start(process, directory)))  # noqa: PERF401 -- those before one that fails are ended
        for process, child in children:
            _await_ready(process, child)
            ASK[process.name](process)
            child.terminate()
            child.wait()
    finally:
        for _, child in children:
            child.kill()
            child.wait()


def _start(process, directory):
    java, *arguments = _without_archive(process.command)
    with open(process.log, "w") as log:
        return subprocess.Popen([java, f"-XX:ArchiveClassesAtExit={directory / process.name}.jsa", *arguments],
                                env={k: str(v) for k, v in process.environment.items()}, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)


def _without_archive(command):
    """Nor with an agent of the caller's options, as tests have one: with any, Java keeps nothing, and does not start."""
    return [word for word in map(str, command) if not word.startswith(("-XX:SharedArchiveFile=", "-javaagent:"))]


def _await_ready(process, child):
    deadline = time.monotonic() + SECONDS
    while child.poll() is None and not process.ready() and time.monotonic() < deadline:
        time.sleep(0.1)


# --- what is asked of each once, so that the classes that answer are kept, too ---

def _ask_kafka(process):
    """By its own tools: topics, records, a group, transactions."""
    command, at = _without_archive(process.command), f"127.0.0.1:{process.port}"
    java = command[:command.index("kafka.Kafka")]
    for tool, *words in (
            ("TopicCommand", "--bootstrap-server", at, "--create", "--topic", "asked", "--partitions", "2"),
            ("TopicCommand", "--bootstrap-server", at, "--create", "--topic", "copied", "--partitions", "2"),
            ("ProducerPerformance", "--bootstrap-server", at, "--topic", "asked", "--num-records", "100", "--record-size", "100", "--throughput", "-1"),
            ("TransactionalMessageCopier", "--broker-list", at, "--input-topic", "asked", "--input-partition", "0", "--output-topic", "copied",
             "--consumer-group", "asks", "--transactional-id", "asks", "--group-mode", "--use-group-metadata", "--max-messages", "50")):
        with contextlib.suppress(subprocess.TimeoutExpired):  # the archive is the smaller for it
            subprocess.run([*java, f"org.apache.kafka.tools.{tool}", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=SECONDS, check=False)


def _ask_registry(process):
    """To register a schema, and for it."""
    api = f"http://127.0.0.1:{process.port}/apis/ccompat/v7"
    schema = {"schema": json.dumps({"type": "record", "name": "Asked", "fields": [{"name": "id", "type": "string"}]})}
    for path, body in (("/subjects/asked-value/versions", schema), ("/subjects/asked-value", schema), ("/subjects/asked-value/versions", schema),
                       ("/subjects/asked-value/versions/latest", None), ("/schemas/ids/1", None), ("/config", None)):
        request = urllib.request.Request(api + path, body and json.dumps(body).encode(), {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=SECONDS) as answer:
            answer.read()


ASK = {"kafka": _ask_kafka, "registry": _ask_registry}
