"""Firefox, by WebDriver BiDi, which it speaks itself: a WebSocket with JSON (RFC 6455, w3c/webdriver-bidi). Debian's Firefox is none that Playwright
can drive, and there is no geckodriver in Debian. Only what the tests need."""
import base64
import json
import os
import socket
import struct
import subprocess

from support import DEADLINE, free_port, wait_until


class WebSocket:
    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def receive(self):
        """A message; it may come in parts."""
        parts, last = [], False
        while not last:
            first, size = self.stream.read(2)
            if size >= 126:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            data, last = self.stream.read(size), bool(first & 0x80)
            if first & 0x0f in (0, 1):
                parts.append(data)
            else:
                last = False  # a ping
        return b"".join(parts).decode()


class Firefox:
    """A browser. People are strangers to each other by their containers, and have a window each: a page behind another one is not kept current."""

    def __init__(self, directory, script=True):
        port = free_port()
        if not script:  # of pages; evaluate() works all the same
            (directory / "user.js").write_text('user_pref("javascript.enabled", false);\n')
        self.process = subprocess.Popen(["firefox-esr", "--headless", "--no-remote", "--profile", directory, f"--remote-debugging-port={port}"],
                                        env={**os.environ, "HOME": str(directory)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.id = 0

        def connected():
            assert self.process.poll() is None, "Firefox has ended"
            try:
                return WebSocket(port, "/session")
            except ConnectionError:
                return None
        self.socket = wait_until(connected, "Firefox listens", pause=0.2)
        self.ask("session.new", capabilities={})

    def ask(self, method, **params):
        self.id += 1
        self.socket.send(json.dumps({"id": self.id, "method": method, "params": params}))
        while (answer := json.loads(self.socket.receive())).get("id") != self.id:
            pass  # events
        assert answer["type"] == "success", answer
        return answer["result"]

    def person(self, url, api=None):
        """A stranger, or who is signed in as the API's user."""
        container = self.ask("browser.createUserContext")["userContext"]
        page = Page(self, url, self.ask("browsingContext.create", type="window", userContext=container)["context"])
        if api:
            token = api.headers["Authorization"].removeprefix("Bearer ")
            self.ask("storage.setCookie", partition={"type": "storageKey", "userContext": container}, cookie={
                "name": "session", "value": {"type": "string", "value": token}, "domain": "127.0.0.1", "httpOnly": True, "sameSite": "lax"})
        return page

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


class Page:
    """Somebody who uses Firefox."""

    def __init__(self, firefox, url, context):
        self.firefox, self.url, self.context = firefox, url, context
        firefox.ask("browsingContext.setViewport", context=context, viewport={"width": 390, "height": 844})

    def go(self, path):
        self.firefox.ask("browsingContext.navigate", context=self.context, url=self.url + path, wait="complete")

    def evaluate(self, script):
        """Of an expression that is text, a number, true or false."""
        answer = self.firefox.ask("script.evaluate", expression=script, target={"context": self.context}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def click(self, selector, words):
        """With a real pointer, where it is and stays: what lies under something else is not clicked."""
        element = f"[...document.querySelectorAll({json.dumps(selector)})].find((e) => e.textContent.includes({json.dumps(words)}))"
        self.evaluate(f"{element}.scrollIntoView({{ block: 'center' }})")

        def place():
            return self.evaluate(f"""(() => {{
                const box = {element}.getBoundingClientRect();
                return JSON.stringify([Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]);
            }})()""")
        x, y = json.loads(wait_until(lambda: (before := place()) == place() and before, f"{words} stays where it is"))
        self.firefox.ask("input.performActions", context=self.context, actions=[{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]}])

    def send(self, selector, words):
        """Clicks what leads to another page, and is there when it returns."""
        self.evaluate("window.before = true")
        self.click(selector, words)
        try:
            self.arrives(words, 30)
        except AssertionError:  # something that opened meanwhile took the click
            self.click(selector, words)
            self.arrives(words)

    def arrives(self, after, deadline=DEADLINE):
        """At another page than that which has window.before."""
        def there():
            try:
                return self.evaluate("window.before === undefined && document.readyState === 'complete'")
            except AssertionError:
                return False  # between the two
        wait_until(there, f"another page after {after}", deadline)

    def press(self, keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.firefox.ask("input.performActions", context=self.context, actions=[{"type": "key", "id": "keys", "actions": actions}])

    def type(self, **fields):
        """And leaves the field: while what may be meant hangs below it, a click only closes that."""
        for name, value in fields.items():
            field = f"document.querySelector({json.dumps(f'[name={name}]')})"

            def typed(field=field, value=value):
                self.evaluate(f"{field}.select()")
                self.press(value)
                return self.evaluate(f"{field}.value") == value
            wait_until(typed, f"{name} has all that was typed")
            self.evaluate("document.activeElement.blur()")

    def choose(self, **fields):
        """What is not typed as it is sent: days, and what lists offer."""
        for name, value in fields.items():
            self.evaluate(f"document.querySelector({json.dumps(f'[name={name}]')}).value = {json.dumps(value)}")

    def resize(self, width):
        self.firefox.ask("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": 844})

    def pdf(self):
        """As it prints, on A4."""
        return base64.b64decode(self.firefox.ask("browsingContext.print", context=self.context, page={"width": 21.0, "height": 29.7})["data"])

    @property
    def path(self):
        return self.evaluate("location.pathname")

    def says(self):
        return self.evaluate("document.querySelector('main')?.innerText ?? ''")

    def sees(self, words):
        def seen():
            try:
                return words in self.says()
            except AssertionError:
                return False  # between two pages
        wait_until(seen, f"the page says: {words}")
