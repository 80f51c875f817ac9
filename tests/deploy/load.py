"""People who list tickets without a pause, at whichever endpoint the edge would send them to."""
import threading

import requests

from support import DEADLINE, User


class Load:
    """endpoints: the URLs that may be asked; who takes one off does what Kubernetes does first when a pod is to end. A request that
    was refused its connection goes to the next one, as at the edge; anything else that is not a 201 is a failure."""

    def __init__(self, endpoints, tokens):
        self.endpoints = list(endpoints)
        self.listed, self.failures = [], []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._list, args=(token,)) for token in tokens]

    def _list(self, token):
        users, turn = {}, 0
        while not self._stopping.is_set():
            turn += 1
            url = self.endpoints[turn % len(self.endpoints)]
            user = users.setdefault(url, User(url, token))
            try:
                answer = user.post("/api/tickets", json={"title": f"Row {turn}", "price": 20})
            except requests.ConnectionError as error:
                if "refused" not in str(error):
                    self.failures.append(f"{url}: {error}")
                continue
            if answer.status_code == 201:
                self.listed.append(answer.json()["id"])
            else:
                self.failures.append(f"{url}: {answer.status_code} {answer.text}")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(DEADLINE)
