"""./onsale test and ./onsale bench: what they run. A part is a function that returns the closing line of its runner; `names`
narrows it down to the tests whose name contains one of them."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import fetch
import gotools
import linters
from common import ROOT, Failed, UnknownWord, program, say, state_dir
from stack import build

FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))  # of each target


class PartFailed(Exception):
    """Carries the closing line."""


def follow(command, closing):
    """Runs command, shows its output as it comes, and returns its last line that contains `closing`."""
    lines = [""]
    runner = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")

    def show():
        for line in runner.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if closing in line:
                lines.append(line.strip("= \n"))
    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    code = runner.wait()
    shown.join(10)  # not to the end of the pipe: what a test left behind may hold it open
    if code != 0:
        raise PartFailed(lines[-1] or f"exit {code}")
    return lines[-1]


def those(names, known, where):
    """What is known and contains one of the names: all of it, if there are none."""
    for name in names:
        if not any(name in word for word in known):
            raise Failed(f"nothing in {where} is called {name}")
    return [word for word in known if not names or any(name in word for name in names)]


def programs(kind, names):
    """The programs of tests/KIND: each is made of one file."""
    return those(names, sorted(file.stem for file in (ROOT / "tests" / kind).glob("*.c")), f"tests/{kind}")


def lint(names):
    """Each linter to its end, over the whole checkout."""
    wanted, failed = those(names, list(linters.LINTERS), f"lint ({', '.join(linters.LINTERS)})"), []
    if "clang-tidy" in wanted:
        build(["generated"], linters.PRESET)
    tree = linters.Tree(ROOT)
    for name in wanted:
        said = linters.LINTERS[name](tree)
        if said:
            print(f"{name} says:", said, sep="\n", flush=True)
            failed.append(name)
    if failed:
        raise PartFailed(f"{', '.join(failed)} of {len(wanted)} linters")
    return f"{len(wanted)} linters, nothing to say"


def ctest(preset, names, *prefix):
    names = programs("unit", names)
    build(names, preset)
    several = 3 * os.cpu_count()  # at a time: they mostly wait
    return follow([ROOT / "tools/with-postgres", *prefix, program("ctest"), "--test-dir", ROOT / "build" / preset, "-j", str(several), "-R",
                   f"^({'|'.join(names)})$", "--output-on-failure", "--no-tests=error"], "tests passed")


def unit(names):
    return ctest("asan", names)


def tsan(names):
    # TSan's shadow memory needs addresses where it expects them.
    return ctest("tsan", names, program("setarch"), "--addr-no-randomize")


def fuzz(names):
    """Each target for a few seconds, from its kept corpus; what it finds new stays out of the tree."""
    targets = programs("fuzz", names)
    build(targets, "fuzz")
    for target in targets:
        name = target.removeprefix("fuzz_")
        kept, dictionary = ROOT / "tests/fuzz/corpus" / name, ROOT / f"tests/fuzz/{name}.dict"
        options = [f"-dict={dictionary}"] if dictionary.exists() else []
        with tempfile.TemporaryDirectory(prefix="onsale-fuzz.") as found:
            follow([ROOT / "build/fuzz/tests" / target, f"-max_total_time={FUZZ_SECONDS}", "-rss_limit_mb=2048", *options,
                    f"-artifact_prefix={ROOT}/build/fuzz/{target}-", found, *([kept] if kept.exists() else [])], "Done")
    return f"{len(targets)} fuzz targets ran {FUZZ_SECONDS} s each"


def pytest(part, names, workers, *words):
    """What hangs is ended and shown with its stack: a run that never ends says nothing."""
    return follow([fetch.python(), "-m", "pytest", "-q", "-n", str(workers), "--durations", "15", "--timeout", "900", *words, "-k", " or ".join(names),
                   ROOT / "tests" / part], " in ")


def integration(names):
    """A file of tests at a time on each of a few workers: one more than there are cores, because tests wait a lot. Those that are asked
    for by name are few: they share one stack."""
    build(preset="release")  # also the programs that these tests start
    return pytest("integration", names, 0 if names else os.cpu_count() + 1, "--dist", "loadfile", "--no-loadscope-reorder")


def chaos(names, minutes=2, seed=None, brokers=1, replicas=1, revision=None):
    """A crowd on a stack of its own while its parts are killed, paused and restarted. With names: the mutants called so (`mutants`: all),
    each of which it or the named test has to catch."""
    build(preset="release")
    checker = gotools.checker()
    if names:
        return follow([fetch.python(), ROOT / "tests/chaos/mutants.py", checker, *names], "mutants")
    seed = random.randrange(10 ** 6) if seed is None else seed
    numbers = map(str, (seed, minutes, brokers, replicas))
    return follow([fetch.python(), ROOT / "tests/chaos/chaos.py", checker, gotools.toxiproxy(), *numbers, *([revision] if revision else [])], f"seed {seed}")


def browser(names):
    """People's browsers against one stack, in one worker, while the others look at pages that need none."""
    build(preset="release")
    return pytest("browser", names, os.cpu_count() + 1, "--dist", "loadgroup")


def deploy(names):
    """The chart, on a Kubernetes of its own, and the image. Last, for its tools take minutes to build the first time."""
    build(preset="release")  # the programs say which settings they read
    try:
        gotools.make()
    except gotools.TooSlow as reason:
        return f"SKIPPED: THE DEPLOYMENT IS NOT TESTED HERE: {reason}"
    fetch.strimzi()
    return pytest("deploy", names, os.cpu_count(), "--dist", "loadfile", "-rs")


PARTS = {part.__name__: part for part in (lint, unit, tsan, fuzz, integration, chaos, browser, deploy)}
ASKED_FOR = ("chaos",)  # runs only by its name: it looks for what nobody knows yet


def asked_for(words):
    """{part: names}, of words like `unit` or `unit:json`; no names: all of it."""
    wanted = {}
    for part, _, name in (word.partition(":") for word in words):
        if part not in PARTS:
            raise UnknownWord(f"no part of the tests is called {part}; there are {', '.join(PARTS)}")
        wanted.setdefault(part, []).append(name)
    return {part: [] if "" in names else names for part, names in wanted.items()}


def test(options):
    closing, failed = [], False
    wanted = asked_for(options.name or [part for part in PARTS if part not in ASKED_FOR])
    of_chaos = {name: value for name in ("minutes", "seed", "brokers", "replicas", "revision") if (value := getattr(options, name)) is not None}
    if of_chaos and "chaos" not in wanted:
        raise UnknownWord(f"--{next(iter(of_chaos)).replace('revision', 'from')} is a word of ./onsale test chaos")
    if not options.name:
        of_chaos.setdefault("seed", int(time.strftime("%Y%m%d", time.gmtime())))  # a day's runs do the same
    for part, names in wanted.items():
        say(f"test {part} {' '.join(names)}".rstrip())
        began = time.monotonic()
        try:
            said = PARTS[part](names, **of_chaos) if part == "chaos" else PARTS[part](names)
        except (PartFailed, Failed) as reason:
            said = f"FAILED: {reason}"
            failed = True
        closing.append(f"{part}: {said}")
        say(f"{closing[-1]}; all of it took {(time.monotonic() - began) / 60:.1f} minutes")
    print(*closing, sep="\n")
    return 1 if failed else 0


def attend(command, environment):
    """Runs it to its end, and returns its exit code and the signal that came meanwhile, if any: the command gets it and cleans up."""
    came = []
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)

    def pass_on(number, _):
        came.append(number)
        child.send_signal(number)
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return child.wait(), came[0] if came else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bench(options):
    """Every program in bench/ whose name starts with the one given. ONSALE_STATE names the stack that those use which can."""
    programs = [f for f in sorted((ROOT / "bench").glob(f"{options.name or ''}*")) if f.is_file() and os.access(f, os.X_OK)]
    if not programs:
        raise UnknownWord(f"no benchmark is called {options.name or 'anything'}")
    python = pathlib.Path(fetch.python())
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    if options.here:
        environment["ONSALE_STATE"] = str(state_dir())
    failed = False
    for file in programs:
        say(f"bench {file.name}")
        code, signalled = attend([file], environment)
        if signalled:
            return 128 + signalled
        failed |= code != 0
    return 1 if failed else 0
