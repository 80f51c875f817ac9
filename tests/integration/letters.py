"""What the tests share that read letters."""
import requests

from support import DEADLINE
from waits import wait_until

FROM = "onsale@onsale.example"


class Mailbox:
    """Of a stack, or any."""

    def __init__(self, stack=None, url=None):
        self.url = url or stack.env["MAILBOX_URL"]

    def answers(self):
        try:
            return requests.get(f"{self.url}/letters", timeout=DEADLINE).status_code == 200
        except requests.ConnectionError:
            return False

    def of(self, email, subject=None):
        """The letters to an address, oldest first."""
        answer = requests.get(f"{self.url}/letters", params={"to": email}, timeout=DEADLINE)
        return [letter for letter in answer.json() if subject in (None, letter["subject"])]

    def letter(self, email, subject=None):
        """The newest."""
        return wait_until(lambda: self.of(email, subject), f"a letter to {email} comes")[-1]

    def token(self, email, subject=None):
        """Of the link in it."""
        [link] = self.letter(email, subject)["links"]
        return link.partition("?token=")[2]

    def fail(self, **faults):
        """Until the next call."""
        assert requests.put(f"{self.url}/faults", json=faults, timeout=DEADLINE).json() == faults
