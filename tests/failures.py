"""A plugin of pytest: a line for each test that failed, with when it did and why; at once, and again at the end. Who has only the end of what was printed
can begin with that."""
import time

import pytest

MOST = 400  # characters of why


def why(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    words = " ".join((crash.message if crash else str(report.longrepr)).split())
    return words if len(words) <= MOST else words[:MOST] + " …"


def line(word, report):
    when = time.strftime("%H:%M:%S", time.localtime(getattr(report, "stop", None)))
    return f"{word} {report.nodeid} at {when}, after {getattr(report, 'duration', 0):.0f} s: {why(report)}"


class AtOnce:
    def __init__(self, terminal):
        self.terminal = terminal

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.terminal.write_line("")
            self.terminal.write_line(line("has failed:", report))


@pytest.hookimpl(trylast=True)  # the terminal's own is first
def pytest_configure(config):
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal and not hasattr(config, "workerinput"):
        config.pluginmanager.register(AtOnce(terminal))


def pytest_terminal_summary(terminalreporter):
    for kind, word in (("failed", "FAILED"), ("error", "ERROR")):
        for report in terminalreporter.getreports(kind):
            terminalreporter.write_line(line(word, report))
