"""What was asked and answered, and what was done to the system meanwhile: an entry each, kept in memory and as JSON lines in a file."""
import contextlib
import json
import threading
import time

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


def now_us():
    """The wall clock: the databases of this machine go by it, too."""
    return time.time_ns() // 1000


class History:
    def __init__(self, path):
        self.file, self.lock, self.entries = open(path, "w", buffering=1), threading.Lock(), []

    def add(self, **entry):
        with self.lock:
            entry["line"] = len(self.entries) + 1
            self.entries.append(entry)
            self.file.write(json.dumps(entry) + "\n")

    @contextlib.contextmanager
    def deed(self, name):
        """Something done to the system; written down when it is over."""
        start = now_us()
        try:
            yield
        finally:
            self.add(do="deed", deed=name, start=start, end=now_us())

    def of(self, *kinds):
        with self.lock:
            return [entry for entry in self.entries if entry["do"] in kinds]

    def requests(self):
        return [entry for entry in self.entries if entry["do"] != "deed"]

    def close(self):
        self.file.close()
