"""People who list tickets without a pause, at whichever endpoint the edge would send them to."""
import requests

from background import Background
from support import User, wait_until


class Load(Background):
    """endpoints: what may be asked; who takes one off does what Kubernetes does first when a pod is to end. A request that was refused its
    connection goes to the next one, as at the edge; anything else that is not a 201 is a failure. visitor: of an endpoint with a token."""

    def __init__(self, endpoints, tokens, visitor=User):
        super().__init__(len(tokens))
        self.endpoints, self.tokens, self.visitor = list(endpoints), tokens, visitor
        self.listed, self.failures = [], []

    def go(self, n):
        users, turn = {}, 0
        while not self.stopping.is_set():
            turn += 1
            endpoint = self.endpoints[turn % len(self.endpoints)]
            user = users.get(endpoint) or users.setdefault(endpoint, self.visitor(endpoint, self.tokens[n]))
            try:
                answer = user.post("/api/tickets", json={"title": f"Row {turn}", "price": 20})
            except requests.ConnectionError as error:
                if "refused" not in str(error):
                    self.failures.append(f"{endpoint}: {error}")
                continue
            if answer.status_code == 201:
                self.listed.append(answer.json()["id"])
            else:
                self.failures.append(f"{endpoint}: {answer.status_code} {answer.text}")

    def assert_told(self, stack, since=None):
        """On the topic, since these ends of it: each ticket once, and none but those that were answered."""
        def told():
            return [str(event["id"]) for event in stack.topic("tickets").events(since)]
        wait_until(lambda: len(told()) >= len(self.listed), "all are told", pause=0.5)
        assert sorted(told()) == sorted(self.listed), "each once, and none but those that were answered"
