"""People with a browser each. What goes wrong in one while nobody looks (scripts that fail or were refused, dialogs) ends its test."""
import uuid

from playwright.sync_api import expect

from support import DEADLINE, User, wait_until

PASSWORD = "correct horse battery"
PHONE, DESK, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}, {"width": 1440, "height": 900}


def watch(page, trouble):
    page.on("pageerror", lambda error: trouble.append(f"a script failed: {error}"))
    page.on("dialog", lambda dialog: (trouble.append(f"a dialog: {dialog.message}"), dialog.dismiss()))

    def on_console(message):
        # An answer of 4xx or 5xx is a page here, with something to say.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            trouble.append(f"the console: {message.text}")
    page.on("console", on_console)


class Person:
    def __init__(self, chromium, url, api=None, **context):
        context.setdefault("viewport", PHONE)
        context.setdefault("locale", "en-US")
        self.url, self.trouble = url, []
        self.context = chromium.new_context(base_url=url, timezone_id="UTC", **context)
        self.context.set_default_timeout(DEADLINE * 1000)
        self.context.on("page", lambda page: watch(page, self.trouble))
        self.api = api
        if api:
            token = api.headers["Authorization"].removeprefix("Bearer ")
            self.email = api.claims["email"]
            self.context.add_cookies([{"name": "session", "value": token, "url": url, "httpOnly": True, "sameSite": "Lax"}])
        self.page = self.context.new_page()

    # --- what people do ---

    def go(self, path):
        return self.page.goto(path)

    def press(self, name):
        """A button or what looks like one."""
        self.page.locator(".button, summary").filter(has_text=name).first.click()

    def send(self, name):
        """Presses what leads to another page, and is there when it returns."""
        with self.page.expect_navigation():
            self.press(name)

    def follow(self, name):
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def type(self, **fields):
        for name, value in fields.items():
            self.page.locator(f"[name={name.replace('_', '-')}]").fill(value)

    def sign_up(self):
        self.email = f"{uuid.uuid4().hex[:12]}@example.com"
        self.type(email=self.email, password=PASSWORD)
        self.press("Create account")

    def sign_in(self):
        self.type(email=self.email, password=PASSWORD)
        self.press("Sign in")

    def sell(self, title, price="45.50"):
        """The path of a ticket just listed."""
        self.go("/sell")
        self.type(title=title, price=price)
        self.press("Put it on sale")
        self.sees("Your ticket is on sale.")
        return self.path

    def buy(self, ticket):
        """The path of the order. Orders may hear of a new ticket a moment later, and the page says so."""
        self.go(ticket)

        def ordered():
            self.send("Buy this ticket")
            return self.path.startswith("/orders/")
        wait_until(ordered, f"{ticket} can be bought")
        return self.path

    def pay(self, card="Visa 4242"):
        self.page.get_by_label(card).check()
        self.send("Pay $")

    # --- what they see ---

    @property
    def path(self):
        return self.page.url.removeprefix(self.url).partition("?")[0]

    def sees(self, text):
        expect(self.page.locator("main")).to_contain_text(text, use_inner_text=True)

    def sees_not(self, text):
        expect(self.page.locator("main")).not_to_contain_text(text, use_inner_text=True)

    def state(self, state):
        """Of the ticket or order on the page, at once or when it becomes so."""
        expect(self.page.locator("#ticket, #order").first).to_have_attribute("data-state", state)

    def orders(self):
        return self.api.get("/api/orders").json()

    def charges(self, order):
        return self.api.get("/api/payments", params={"orderId": order.rsplit("/", 1)[1]}).json()


class People:
    def __init__(self, chromium, stack, tokens):
        self.chromium, self.stack, self.tokens, self.here = chromium, stack, tokens, []

    def stranger(self, url=None, **context):
        return self._come(Person(self.chromium, url or self.stack.url, **context))

    def user(self, url=None, **context):
        """Somebody signed in."""
        return self._come(Person(self.chromium, url or self.stack.url, User(self.stack.url, next(self.tokens)), **context))

    def _come(self, person):
        self.here.append(person)
        return person

    def leave(self):
        for person in self.here:
            person.context.close()
        assert [person.trouble for person in self.here] == [[] for _ in self.here]
