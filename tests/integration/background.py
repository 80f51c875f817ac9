"""What goes on beside a test."""
import threading

from support import DEADLINE


class Background:
    """go(n) in threads of its own, from 0 on, while the body of a with statement runs: it ends soon after .stopping is set.
    What is raised there is raised at the end of the body."""

    def __init__(self, count=1):
        self.stopping, self.failure = threading.Event(), None
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(count)]

    def _run(self, n):
        try:
            self.go(n)
        except BaseException as failure:
            self.failure = self.failure or failure

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        if self.failure is not None:
            raise self.failure
        assert not any(thread.is_alive() for thread in self.threads), f"{type(self).__name__} does not stop"
