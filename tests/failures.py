"""A plugin of pytest: a line for each test that failed, with when it did and why. Who has only the end of what was printed can begin with that."""
import time

MOST = 400  # characters of why


def why(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    words = " ".join((crash.message if crash else str(report.longrepr)).split())
    return words if len(words) <= MOST else words[:MOST] + " …"


def pytest_terminal_summary(terminalreporter):
    for kind, word in (("failed", "FAILED"), ("error", "ERROR")):
        for report in terminalreporter.getreports(kind):
            when = time.strftime("%H:%M:%S", time.localtime(getattr(report, "stop", None)))
            terminalreporter.write_line(f"{word} {report.nodeid} at {when}, after {getattr(report, 'duration', 0):.0f} s: {why(report)}")
