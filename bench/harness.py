"""How each benchmark begins and ends: on a stack of its own, which is gone afterwards, whatever ends it. Import this first: it makes
the modules of dev/ and of the integration tests known.
"""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "dev"), str(ROOT / "tests/integration")]
import machine  # noqa: E402
import support  # noqa: E402
from common import Failed, say  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked this process to end."""


def on_signal(number, _):
    for each in SIGNALS:
        signal.signal(each, lambda *_: None)  # once is enough: what follows is the cleaning up
    raise Stopped(number)


def run(main):
    """main() says whether the goals are reached. What is missing is said in one line."""
    for number in SIGNALS:
        signal.signal(number, on_signal)
    try:
        sys.exit(0 if main() else 1)
    except Failed as reason:
        say(reason)
    except subprocess.CalledProcessError as failed:
        say(f"failed: {' '.join(map(str, failed.cmd))}")
    except Stopped as stopped:
        sys.exit(128 + stopped.args[0])
    sys.exit(1)


def percentile(values, share):
    """0.99 of them are no greater, by share=0.99; None of nobody."""
    return sorted(values)[int(len(values) * share)] if values else None


# --- the stack ---

def given():
    """The directory of the stack that the caller wants used, if any."""
    return os.environ.get("ONSALE_STATE")


@contextlib.contextmanager
def stack(*words, **settings):
    """A stack of its own. Words are options of ./onsale run; settings are of the services."""
    if given():
        say("this benchmark starts a stack of its own all the same")
    with support.stacks(**settings) as make:
        say("starting a stack of its own")
        own = make(*words)
        say(f"it runs in {own.state}")
        with watched(own):
            yield own
    say("its stack is gone")


@contextlib.contextmanager
def stack_or_given():
    """For a benchmark that leaves a running stack nearly as it was: the given one is used."""
    if not given():
        with stack() as own:
            yield own
        return
    running = support.Stack(pathlib.Path(given()).absolute())
    if not running.runs():
        raise Failed(f"nothing runs in {running.state}; start it by ./onsale run --detach, or leave out --here and ONSALE_STATE")
    say(f"using the stack that runs in {running.state}")
    with watched(running.read_env()):
        yield running


def watched(stack):
    return machine.watched(int((stack.state / "run/supervisord.pid").read_text()))
