"""./onsale test and ./onsale bench: what they run. A part is a function that returns the closing line of its runner; `which`
narrows it down to the tests whose name contains it."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import fetch
import gotools
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


def programs(kind, which):
    """The programs of tests/KIND whose name contains `which`: each is made of one file."""
    found = sorted(file.stem for file in (ROOT / "tests" / kind).glob("*.c") if which in file.stem)
    if not found:
        raise Failed(f"nothing in tests/{kind} is called {which}")
    return found


def ctest(preset, which, *prefix):
    names = programs("unit", which)
    build(names, preset)
    return follow([ROOT / "tools/with-postgres", *prefix, program("ctest"), "--test-dir", ROOT / "build" / preset, "-j",
                   str(os.cpu_count()), "-R", f"^({'|'.join(names)})$", "--output-on-failure", "--no-tests=error"],
                  "tests passed")


def unit(which):
    return ctest("asan", which)


def tsan(which):
    # TSan's shadow memory needs addresses where it expects them.
    return ctest("tsan", which, program("setarch"), "--addr-no-randomize")


def fuzz(which):
    """Each target for a few seconds, from its kept corpus; what it finds new stays out of the tree."""
    targets = programs("fuzz", which)
    build(targets, "fuzz")
    for target in targets:
        name = target.removeprefix("fuzz_")
        kept, dictionary = ROOT / "tests/fuzz/corpus" / name, ROOT / f"tests/fuzz/{name}.dict"
        options = [f"-dict={dictionary}"] if dictionary.exists() else []
        with tempfile.TemporaryDirectory(prefix="onsale-fuzz.") as found:
            follow([ROOT / "build/fuzz/tests" / target, f"-max_total_time={FUZZ_SECONDS}", "-rss_limit_mb=2048", *options,
                    f"-artifact_prefix={ROOT}/build/fuzz/{target}-", found, *([kept] if kept.exists() else [])], "Done")
    return f"{len(targets)} fuzz targets ran {FUZZ_SECONDS} s each"


def pytest(part, which, workers, *words):
    """What hangs is ended and shown with its stack: a run that never ends says nothing."""
    return follow([fetch.python(), "-m", "pytest", "-q", "-n", str(workers), "--durations", "15", "--timeout", "900", *words, "-k", which,
                   ROOT / "tests" / part], " in ")


def integration(which):
    """A file of tests at a time on each of a few workers: one more than there are cores, because tests wait a lot."""
    build(preset="release")  # also the programs that these tests start
    return pytest("integration", which, os.cpu_count() + 1, "--dist", "loadfile", "--no-loadscope-reorder")


def browser(which):
    """People's browsers against one stack, in one worker, while the others look at pages that need none."""
    build(preset="release")
    return pytest("browser", which, os.cpu_count() + 1, "--dist", "loadgroup")


def deploy(which):
    """The chart, on a Kubernetes of its own, and the image. Last, for its tools take minutes to build the first time."""
    build(preset="release")  # the programs say which settings they read
    try:
        gotools.make()
    except gotools.TooSlow as reason:
        return f"SKIPPED: THE DEPLOYMENT IS NOT TESTED HERE: {reason}"
    fetch.strimzi()
    return pytest("deploy", which, os.cpu_count(), "--dist", "loadfile", "-rs")


PARTS = {part.__name__: part for part in (unit, tsan, fuzz, integration, browser, deploy)}


def test(options):
    wanted = [name.partition(":") for name in options.name or PARTS]
    for part, _, _ in wanted:
        if part not in PARTS:
            raise UnknownWord(f"no part of the tests is called {part}; there are {', '.join(PARTS)}")
    closing, failed = [], False
    for name, _, which in wanted:
        say(f"test {name} {which}".rstrip())
        began = time.monotonic()
        try:
            said = PARTS[name](which)
        except (PartFailed, Failed) as reason:
            said = f"FAILED: {reason}"
            failed = True
        closing.append(f"{name}: {said}")
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
