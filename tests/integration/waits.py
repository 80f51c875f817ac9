"""How tests wait: for conditions, never for time."""
import os
import threading
import time

DEADLINE = float(os.environ.get("ONSALE_TEST_DEADLINE", "240"))  # most seconds anything awaited may take, on a machine with no time for us


def answered(ask):
    """What ask(), a request, is answered once it is not told to come again: 503, which a rival or a machine that stood still may give to anyone,
    and nothing was done."""
    return wait_until(lambda: (answer := ask()).status_code != 503 and (answer,), "it is not told to come again")[0]


def wait_until(condition, what, deadline=DEADLINE, pause=None):
    """Asks condition() until it gives something true, and returns that. Without a pause it asks every 20 ms at first, and the less often the
    longer it has waited: each question takes time from what is waited for."""
    began, never = time.monotonic(), threading.Event()
    while True:
        result = condition()
        if result:
            return result
        waited = time.monotonic() - began
        assert waited < deadline, f"waited {deadline:.0f} s in vain: {what}"
        never.wait(min(max(0.02, waited / 20), 0.25) if pause is None else pause)
