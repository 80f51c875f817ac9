"""Clients of the API, made of schemas/openapi.yaml by generators that people use, each with a program that buys by it (tests/clients). Kept in the
cache by all that they are made of. A function returns the command that runs the program of one language."""
import shutil
import subprocess

import fetch
import gotools
import processes
from common import ROOT, Failed, cache_dir, program

SOURCE = ROOT / "tests/clients"
OPENAPI = ROOT / "schemas/openapi.yaml"


def java():
    tools, made = java_tools(), _made("java", _java)
    return [program("java"), "-cp", f"{made}/classes:{tools}/libraries/*", "Buy"]


def typescript():
    return [fetch.node() / "bin/node", _made("typescript", _typescript, SOURCE / "package-lock.json") / "buy.js"]


def python():
    return [fetch.python(), _made("python", _python, fetch.REQUIREMENTS) / "buy.py"]


def go():
    return [_made("go", _go) / "buy"]


LANGUAGES = {function.__name__: function for function in (java, typescript, python, go)}


def _made(language, make, *more, source=SOURCE, made_of=(OPENAPI,)):
    """The directory with the language's sources and what make(directory) adds to them."""
    sources = sorted(file for file in (source / language).iterdir() if file.is_file())
    directory = cache_dir() / f"client-{language}-{fetch.version(*made_of, *sources, *more)}"
    with fetch.being_made(directory) as unfinished:
        if unfinished:
            shutil.copytree(source / language, unfinished)
            make(unfinished)
    return directory


def _run(*command, at, **more):
    done = subprocess.run(command, cwd=at, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if done.returncode != 0:
        raise Failed(f"failed: {' '.join(map(str, command))}\n{done.stdout[-8000:]}")


def java_tools():
    return fetch.gathered(SOURCE / "java/pom.xml", "what makes a client for Java")


def compile_java(sources, libraries, into):
    [compiler] = java_tools().glob("tools/ecj-*.jar")
    _run(program("java"), "-cp", compiler, "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-proc:none", "-d", into / "classes",
         "-cp", ":".join(map(str, libraries)), *sources, at=into)


def _java(here):
    tools = java_tools()
    [generator] = tools.glob("tools/openapi-generator-cli-*.jar")
    _run(program("java"), "-jar", generator, "generate", "-i", OPENAPI, "-g", "java", "--library", "native", "-o", here / "client",
         "--global-property", "models,apis,supportingFiles,modelTests=false,apiTests=false,modelDocs=false,apiDocs=false", at=here)
    compile_java([here / "Buy.java", *sorted((here / "client/src/main").rglob("*.java"))], tools.glob("libraries/*.jar"), here)


def _typescript(here):
    modules, node = fetch.node_modules(SOURCE), fetch.node() / "bin/node"
    (here / "node_modules").symlink_to(modules)
    _run(node, modules / "openapi-typescript/bin/cli.js", OPENAPI, "-o", here / "onsale.d.ts", at=here)
    _run(node, modules / "typescript/bin/tsc", at=here)


def _python(here):
    _run(fetch.python(), "-m", "openapi_python_client", "generate", "--path", OPENAPI, "--config", here / "config.yaml", "--meta", "none",
         "--output-path", here / "onsale", "--fail-on-warning", at=here)


def _go(here):
    go, environment = gotools.new_go(here)
    (here / "onsale").mkdir()
    _run(go, "tool", "oapi-codegen", "-generate", "types,client", "-package", "onsale", "-o", "onsale/onsale.go", OPENAPI, at=here, env=environment)
    _run(go, "build", "-o", "buy", ".", at=here, env=environment)
    shutil.rmtree(here / "go", ignore_errors=True)


# --- readers of the topics: examples/*, each by what its language has ---

EXAMPLES = ROOT / "examples"


def node_reader():
    def link(here):
        (here / "node_modules").symlink_to(fetch.node_modules(EXAMPLES / "node"))
    return [fetch.node() / "bin/node", _made("node", link, source=EXAMPLES, made_of=()) / "sold.mjs"]


def go_reader():
    def build(here):
        go, environment = gotools.new_go(here)
        _run(go, "build", "-o", "sold", ".", at=here, env=environment)
        shutil.rmtree(here / "go", ignore_errors=True)
    return [_made("go", build, source=EXAMPLES, made_of=()) / "sold"]


def c_reader():
    def build(here):
        flags = subprocess.run([program("pkg-config"), "--cflags", "--libs", "rdkafka", "avro-c"], capture_output=True, text=True, check=True).stdout
        _run(program("cc"), "-Wall", "-Werror", here / "sold.c", "-o", "sold", *flags.split(), at=here)
    return [_made("c", build, source=EXAMPLES, made_of=()) / "sold"]


def streams_reader():
    def build(here):
        fetch.gather(here / "pom.xml", here / "jars")
        compile_java([here / "Sellers.java"], [*here.glob("jars/*.jar"), *shared], here)
    fetch.fetch_jars()
    fetch.fetch_plugins()
    shared = [*(fetch.jars() / "kafka").glob("*.jar"), *(fetch.plugins() / "converter").glob("*.jar")]
    made = _made("streams", build, source=EXAMPLES, made_of=())
    path = ":".join(map(str, [made / "classes", *made.glob("jars/*.jar"), *shared]))
    return [program("java"), "-Xmx256m", *processes.JAVA, processes.ONCE, "-cp", path, "Sellers"]
