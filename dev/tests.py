"""./onsale test and ./onsale bench: what they run. A part is a function that returns the closing line of its runner; `names`
narrows it down to the tests whose name contains one of them."""
import contextlib
import os
import pathlib
import random
import re
import shutil
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
from state import State
from supervisor import Supervisor

MEMORY = 12 << 30  # bytes
FUZZ_SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))  # of each target


class PartFailed(Exception):
    """Carries the closing line."""


class Ended(Exception):
    """Carries the signal that ends this command."""


@contextlib.contextmanager
def held_back():
    """The signals that end this command come into the list that this gives. The body waits for what is to end before, then Ended is raised."""
    came = []
    ends = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        ends.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in ends}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise Ended(came[0])


PATIENCE = 3  # whoever asks so often wants it to end at once


def await_end(runner, came, tell):
    """Its exit code. tell(number) of each signal that comes."""
    told = 0
    while True:
        try:
            return runner.wait(0.1)
        except subprocess.TimeoutExpired:
            if told < len(came):
                told += 1
                tell(came[told - 1] if told < PATIENCE else signal.SIGKILL)


def tell_all(runner, number):
    """Everything in the session that this began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(runner.pid, number)


def show(text):
    with contextlib.suppress(OSError):  # the terminal was closed
        sys.stdout.write(text)
        sys.stdout.flush()


# How pytest and ctest name a test that failed, in what they say at the end.
FAILURE = re.compile(r"(?:FAILED|ERROR) (\S+::\S+)|\s*\d+ - (\S+) \(\w[\w ]*\)$")
MOST_NAMED = 8


def follow(command, closing, **environment):
    """Runs command, shows its output as it comes, and returns its last line in which `closing` is found. If it fails that line and the names of the
    tests that failed are why."""
    lines, failures = [""], []
    with held_back() as came:
        runner = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", start_new_session=True, env={**os.environ, **environment})

        def read():
            for line in runner.stdout:
                show(line)
                if failure := FAILURE.match(line):  # first: why it failed may look like a closing line
                    failures.append(failure[1] or failure[2])
                elif re.search(closing, line):
                    lines.append(line.strip("= \n"))
        shown = threading.Thread(target=read, daemon=True)
        shown.start()
        # As Ctrl-C does in a terminal: tests clean up.
        code = await_end(runner, came, lambda number: tell_all(runner, number if number == signal.SIGKILL else signal.SIGINT))
    shown.join(10)  # not to the end of the pipe: what a test left behind may hold it open
    if code != 0:
        raise PartFailed(": ".join([lines[-1] or f"exit {code}", *([" ".join(failures[:MOST_NAMED])] if failures else [])]))
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
            follow([ROOT / "build/fuzz/tests" / target, f"-max_total_time={FUZZ_SECONDS}", "-timeout=60", "-rss_limit_mb=2048", *options,
                    f"-artifact_prefix={ROOT}/build/fuzz/{target}-", found, *([kept] if kept.exists() else [])], "Done")
    return f"{len(targets)} fuzz targets ran {FUZZ_SECONDS} s each"


def pytest(part, names, workers, *words):
    """What hangs is ended and shown with its stack: a run that never ends says nothing."""
    with stacks_of_tests() as states:
        return follow([fetch.python(), "-m", "pytest", "-q", "-rs", "-n", str(workers), "--durations", "15", "--timeout", "900",
                       "-p", "no:schemathesis", "-p", "failures", *words, "-k", " or ".join(names), ROOT / "tests" / part],
                      r"[a-z] in \d[\d.]*s", ONSALE_TEST_STATES=str(states), PYTHONPATH=str(ROOT / "tests"))


def quick_directory():
    """In memory, where that has room for the stacks of all parts: nothing of theirs has to outlive the machine, and each commit waits for the disk."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free >= MEMORY and available_memory() >= MEMORY:
        return memory
    return "/tmp"


def available_memory():
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


@contextlib.contextmanager
def stacks_of_tests():
    """A directory for the states of the tests' stacks. What still runs there at the end was left by a test that was killed."""
    with tempfile.TemporaryDirectory(prefix="onsale-tests.", dir=quick_directory(), ignore_cleanup_errors=True) as directory:
        states = pathlib.Path(directory)
        states.chmod(0o755)  # the user postgres has its files there
        say(f"the stacks of these tests are in {states}")
        try:
            yield states
        finally:
            for state in states.iterdir():
                left = Supervisor(State(state))
                if left.running():
                    say(f"ending what was left in {state}")
                    left.shutdown()


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


BESIDE = max(1, os.cpu_count() // 2)  # workers of what runs beside the integration tests, which keep all cores busy


def browser(names):
    """People's browsers against one stack, in one worker, while the others look at pages that need none."""
    build(preset="release")
    return pytest("browser", names, BESIDE, "--dist", "loadgroup")


def deploy(names):
    """The chart, on a Kubernetes of its own, and the image. Last, for its tools take minutes to build the first time."""
    build(preset="release")  # the programs say which settings they read
    try:
        gotools.make()
    except gotools.TooSlow as reason:
        return f"SKIPPED: THE DEPLOYMENT IS NOT TESTED HERE: {reason}"
    fetch.strimzi()
    try:
        return pytest("deploy", names, BESIDE, "--dist", "loadfile")
    finally:  # as stacks_of_tests(): by a test that was killed
        subprocess.run([fetch.python(), ROOT / "tests/deploy/images.py"], env={**os.environ, "PYTHONPATH": str(ROOT / "dev")}, stdin=subprocess.DEVNULL,
                       start_new_session=True, check=False)


PARTS = {part.__name__: part for part in (lint, unit, tsan, fuzz, integration, chaos, browser, deploy)}
BESIDE_ALL = {"minutes": 1, "seed": 17}  # chaos where no part is named: two minutes with its start and its checks, and the same each time


def asked_for(words):
    """{part: names}, of words like `unit` or `unit:json`; no names: all of it."""
    wanted = {}
    for part, _, name in (word.partition(":") for word in words):
        if part not in PARTS:
            raise UnknownWord(f"no part of the tests is called {part}; there are {', '.join(PARTS)}")
        wanted.setdefault(part, []).append(name)
    return {part: [] if "" in names else names for part, names in wanted.items()}


# The longest begin, and the others pass by beside them: each leaves the cores idle for a part of its time, and more so if it is alone at the end.
LONGEST, AT_ONCE = ("integration", "deploy", "browser"), min(2, os.cpu_count())


def option(name):
    return "--" + {"revision": "from"}.get(name, name)


def test(options):
    wanted = asked_for(options.name or PARTS)
    of_chaos = {name: value for name in ("minutes", "seed", "brokers", "replicas", "revision") if (value := getattr(options, name)) is not None}
    if of_chaos and "chaos" not in wanted:
        raise UnknownWord(f"{option(next(iter(of_chaos)))} is a word of ./onsale test chaos")
    if not options.name:
        of_chaos = BESIDE_ALL | of_chaos
    try:
        return several(wanted, of_chaos) if len(wanted) > 1 else one(*wanted.popitem(), of_chaos)
    except Ended as signalled:
        return 128 + signalled.args[0]


def forget_clocks():
    """What libfaketime leaves in memory of a process that is killed. The next process of that number would not start."""
    for file in pathlib.Path("/dev/shm").glob("*faketime_s[eh]m_*"):
        if not pathlib.Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


def one(part, names, of_chaos):
    say(f"test {part} {' '.join(names)}".rstrip())
    began, failed = time.monotonic(), False
    try:
        said = PARTS[part](names, **of_chaos) if part == "chaos" else PARTS[part](names)
    except (PartFailed, Failed) as reason:
        said, failed = f"FAILED: {reason}", True
    finally:
        forget_clocks()
    say(f"{part}: {said}; all of it took {(time.monotonic() - began) / 60:.1f} minutes")
    print(f"{part}: {said}")
    return 1 if failed else 0


def several(wanted, of_chaos):
    """Each part by a command of its own, and some at once. What it prints is shown at its end, whole; until then it is in a file, and its last line
    is shown once a minute."""
    waiting = sorted(wanted, key=lambda part: LONGEST.index(part) if part in LONGEST else len(LONGEST))
    running, closing, failures, failed, told, next_word = {}, {}, [], False, 0, time.monotonic() + 60
    with tempfile.TemporaryDirectory(prefix="onsale-parts.") as directory, held_back() as came:
        while running or (waiting and not came):
            while waiting and not came and len(running) < AT_ONCE:
                part = waiting.pop(0)
                running[part] = start(part, wanted[part], of_chaos if part == "chaos" else {}, f"{directory}/{part}")
            for part in [part for part, runner in running.items() if runner.poll() is not None]:
                failed |= running.pop(part).returncode != 0
                said = pathlib.Path(directory, part).read_text(errors="replace")
                show(said)
                failures += [line for line in said.splitlines() if FAILURE.match(line)]
                closing[part] = [f"{part}: FAILED: it said nothing", *said.splitlines()][-1]
            if time.monotonic() >= next_word:
                next_word = time.monotonic() + 60
                show("".join(f"{part}: {last_line(f'{directory}/{part}')}\n" for part in running))
            if told < len(came):
                for runner in running.values():
                    tell_all(runner, came[told])
                told += 1
            time.sleep(0.1)
    show("".join(f"{line}\n" for line in [*failures, *(closing[part] for part in wanted)]))
    return 1 if failed else 0


def last_line(path):
    """Of what a part has said so far."""
    return [path, *pathlib.Path(path).read_text(errors="replace").splitlines()][-1]


def start(part, names, numbers, output):
    words = [f"{part}:{name}" for name in names] or [part]
    words += [word for name, value in numbers.items() for word in (option(name), str(value))]
    with open(output, "w") as file:
        runner = subprocess.Popen([ROOT / "onsale", "test", *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    say(f"test {' '.join(words)}: what it says is in {output}, and follows when it has ended")
    return runner


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
        try:
            with held_back() as came:
                child = subprocess.Popen([file], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
                failed |= await_end(child, came, child.send_signal) != 0
        except Ended as signalled:
            return 128 + signalled.args[0]
    return 1 if failed else 0
