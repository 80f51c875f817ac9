"""Sellers, buyers and payers: each a thread with dice of its own, who asks over HTTP, at the edge or at any instance of a service, and has
each request and its answer written into the history. What is answered by 5xx or not at all may have happened or not."""
import contextlib
import random
import threading
import time
import uuid

import requests
from background import Background
from history import OK, REFUSED, UNKNOWN, now_us
from hosting import CODES, RECENT, Host, Over, places
from support import User

SELLERS, BUYERS = 4, 20
RIVALS = 6
ON_SALE = 12  # tickets that buyers choose among: few enough to meet each other
PATIENCE = 15  # seconds until a request counts as not answered
CARDS = ["pm_card_visa"] * 6 + ["tok_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired",
                                "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"]
SERVICES = {"/api/tickets": "tickets", "/api/shows": "tickets", "/api/orders": "orders", "/api/purchases": "orders", "/api/payments": "payments"}


class Doors:
    """Where the services can be reached: at the edge, at the supervised instances, at replicas that come and go."""

    def __init__(self, stack):
        self.lock = threading.Lock()
        self.urls = {service: [stack.url, stack.env[f"{service.upper()}_URL"]] for service in (*SERVICES.values(), "waiting")}

    def open(self, service, url):
        with self.lock:
            self.urls.setdefault(service, []).append(url)

    def close(self, service, url):
        with self.lock:
            self.urls[service].remove(url)

    def choose(self, dice, path):
        service = "waiting" if path.endswith("/queue") else next(name for prefix, name in SERVICES.items() if path.startswith(prefix))
        with self.lock:
            return dice.choice(self.urls[service])


class Person:
    def __init__(self, crowd, token, name):
        self.crowd, self.dice = crowd, random.Random(f"{crowd.seed} {name}")
        self.user = User(crowd.stack.url, token)
        self.id, self.name = self.user.id, name

    def ask(self, do, method, path, body=None, headers=None, **about):
        """(outcome, the answer's JSON), as it was written down."""
        url, start = self.crowd.doors.choose(self.dice, path), now_us()
        try:
            answer = self.user.request(method, url + path, json=body, headers=headers, timeout=PATIENCE)
            status, text = answer.status_code, answer.json() if answer.content else None
        except (requests.RequestException, ValueError) as failure:
            status, text = 0, {"failure": str(failure)[:200]}
        outcome = OK if 200 <= status < 300 else REFUSED if 400 <= status < 500 else UNKNOWN
        about |= headers or {}
        self.crowd.history.add(do=do, who=self.name, user=self.id, at=url, start=start, end=now_us(), outcome=outcome, status=status, answer=text,
                               **about)
        return outcome, text

    def twin(self):
        """The same person in another window, for another thread."""
        return type(self)(self.crowd, self.user.headers["Authorization"].split()[1], f"{self.name}, window {self.dice.getrandbits(32):x}")

    def rest(self, most):
        self.crowd.stopping.wait(self.dice.random() * most)


class Seller(Person):
    def __init__(self, *args, host=False):
        super().__init__(*args)
        self.own, self.host = [], Host(self) if host else None

    def act(self):
        if len(self.own) < ON_SALE // SELLERS or self.dice.random() < 0.25:
            self.list()
        elif self.dice.random() < 0.7:
            self.edit(self.dice.choice(self.own))
        else:
            self.withdraw(self.dice.choice(self.own))
        if self.host:
            self.run_shows()
        self.rest(1.5)

    def run_shows(self):
        if self.host.is_due():
            with contextlib.suppress(Over):
                self.crowd.shows.append(self.host.make())
        if self.dice.random() < 0.2:
            self.host.edit(self.dice, self.dice.choice(self.crowd.shows))

    def list(self):
        what = {"title": f"Seat {self.dice.randrange(1000)}", "price": self.dice.randrange(1000, 9000) / 100}
        outcome, ticket = self.ask("list", "POST", "/api/tickets", what, {"Idempotency-Key": self.key()})
        if outcome == OK:
            self.own.append(ticket["id"])
            del self.own[:-2 * ON_SALE // SELLERS]
            self.crowd.offer(ticket["id"])

    def edit(self, ticket):
        """Twice at once with the version that was seen: one of them at most is done."""
        outcome, seen = self.ask("see", "GET", f"/api/tickets/{ticket}", ticket=ticket)
        if outcome != OK:
            return
        other = threading.Thread(target=self.twin().change, args=(ticket, seen["version"]), daemon=True)
        other.start()
        self.change(ticket, seen["version"])
        other.join()

    def change(self, ticket, version):
        what = {"title": f"Seat {self.dice.randrange(10 ** 6)}", "price": self.dice.randrange(1000, 9000) / 100}
        self.ask("edit", "PUT", f"/api/tickets/{ticket}", what, {"If-Match": f'"{version}"'}, ticket=ticket, **what)

    def withdraw(self, ticket):
        outcome, _ = self.ask("withdraw", "DELETE", f"/api/tickets/{ticket}", ticket=ticket)
        if outcome == OK:
            self.own.remove(ticket)

    def key(self):
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))


class Buyer(Person):
    def act(self):
        choice = self.dice.random()
        if choice < 0.4:
            self.buy_places()
        elif choice < 0.5:
            self.rush()
        else:
            self.order_ticket()
        self.rest(0.8)

    def order_ticket(self):
        ticket = self.crowd.any_ticket(self.dice)
        if ticket is None:
            self.rest(0.5)
            return
        key = self.key(ticket)
        headers = {"Idempotency-Key": key} if key else {}
        outcome, order = self.ask("order", "POST", "/api/orders", {"ticketId": ticket}, headers, ticket=ticket)
        if outcome == UNKNOWN and key:  # as people do, a few times; each may be the first that gets there
            for _ in range(self.dice.randint(1, 3)):
                self.rest(0.5)
                outcome, order = self.ask("order", "POST", "/api/orders", {"ticketId": ticket}, headers, ticket=ticket)
                if outcome != UNKNOWN:
                    break
        elif outcome == OK and key and self.dice.random() < 0.2:
            self.ask("order", "POST", "/api/orders", {"ticketId": ticket}, headers, ticket=ticket)
        if outcome == OK:
            self.go_on({"ticket": ticket, "order": order["id"], "all": [[order["id"], ticket]]})

    def rush(self):
        """Several people for one ticket in the same moment: who looks before he leaps sees that it is free."""
        ticket = self.crowd.any_ticket(self.dice)
        tokens = self.dice.sample(self.crowd.tokens[SELLERS:], RIVALS)
        rivals = [Buyer(self.crowd, token, f"{self.name}, rival {self.dice.getrandbits(32):x}") for token in tokens if ticket]
        threads = [threading.Thread(target=rival.try_once, args=(ticket,), daemon=True) for rival in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def try_once(self, ticket):
        outcome, order = self.ask("order", "POST", "/api/orders", {"ticketId": ticket}, {"Idempotency-Key": f"{self.dice.getrandbits(128):x}"}, ticket=ticket)
        if outcome == OK:
            self.cancel({"ticket": ticket, "order": order["id"], "all": [[order["id"], ticket]]})

    def buy_places(self):
        """Of a show: the best, or those he has picked. Always with a key, by which an answer that was lost is found again."""
        show, quantity = self.dice.choice(self.crowd.shows[-RECENT:]), self.dice.randint(1, 3)
        if self.dice.random() < 0.3:
            tickets, accessible = places(self.dice, show, quantity)
            body = {"ticketIds": tickets, "accessible": accessible}
        else:
            body = {"showId": show.id, "quantity": quantity, "together": self.dice.random() < 0.7, "accessible": self.dice.random() < 0.1}
        body |= self.code(show) | self.admission(show)
        headers = {"Idempotency-Key": f"{self.dice.getrandbits(128):x}"}
        for _ in range(self.dice.randint(2, 5)):
            outcome, purchase = self.ask("buy", "POST", "/api/purchases", body, headers, quantity=quantity, show=show.id)
            if outcome != UNKNOWN:
                break
            self.rest(0.5)
        if outcome == OK and purchase["status"] == "created":
            everything = [[o["id"], o["ticket"]["id"]] for o in purchase["orders"]]
            self.go_on({"ticket": everything[0][1], "order": purchase["id"], "all": everything})

    def code(self, show):
        """Each has one of the codes, or none; there are not enough uses of them for all."""
        n = int(self.name.split()[1].rstrip(",")) % (CODES + 1)
        return {"code": show.codes[n]} if n < CODES else {}

    def admission(self, show):
        """His, when it is his turn; before that he joins."""
        queue = f"/api/shows/{show.id}/queue"
        outcome, place = self.ask("place", "GET", queue, show=show.id)
        if outcome == REFUSED:
            self.ask("join", "POST", queue, show=show.id)
        return {"admission": place["admission"]} if outcome == OK and "admission" in place else {}

    def key(self, ticket):
        """Of one order; of a few none; and sometimes one that others have, too, for the same ticket."""
        choice = self.dice.random()
        return None if choice < 0.1 else f"everybodys-{ticket}" if choice < 0.2 else f"{self.dice.getrandbits(128):x}"

    def go_on(self, about):
        """about: its first ticket and order, and all of them."""
        choice = self.dice.random()
        if choice < 0.15:
            return  # it expires
        if choice < 0.45:
            self.rest(0.5)
            self.cancel(about)
            return
        if choice < 0.55:
            self.rest(self.crowd.hold)  # paid at the last moment, or a little late
        pays = threading.Thread(target=self.twin().pay, args=(about,), daemon=True)
        pays.start()
        if choice > 0.85:
            self.rest(0.5)
            self.twin().cancel(about)
        elif choice > 0.75:
            self.twin().pay(about)  # a double submit
        pays.join()
        self.ask("look", "GET", f"/api/orders/{about['order']}", **about)

    def cancel(self, about):
        """By any of its orders, or as a purchase."""
        some = self.dice.choice(about["all"])[0]
        for _ in range(3):
            path = f"/api/orders/{some}" if self.dice.random() < 0.5 else f"/api/purchases/{about['order']}"
            outcome, _ = self.ask("cancel", "DELETE", path, **about)
            if outcome != UNKNOWN:
                return
            self.rest(0.5)

    def pay(self, about):
        for _ in range(self.dice.randint(1, 4)):
            card = self.dice.choice(CARDS)
            which = {"orderId": self.dice.choice(about["all"])[0]} if self.dice.random() < 0.5 else {"purchaseId": about["order"]}
            outcome, charge = self.ask("pay", "POST", "/api/payments", {**which, "token": card}, card=card, **about)
            if outcome == OK and charge["status"] == "requires_action" and self.dice.random() < 0.7:
                self.confirm(charge["clientSecret"].split("_secret")[0], about)
            if outcome == OK or (outcome == REFUSED and "declined" not in str(charge) and "No such" not in str(charge)):
                return  # declined, another card may do; and payments may not have heard of the order yet
            self.rest(0.5)

    def confirm(self, intent, about):
        start, outcome = now_us(), self.dice.choice(["complete", "complete", "fail"])
        try:
            status = requests.post(f"{self.crowd.bank}/sandbox/3ds/{intent}", data={"outcome": outcome}, timeout=PATIENCE).status_code
        except requests.RequestException:
            status = 0
        self.crowd.history.add(do="confirm", who=self.name, start=start, end=now_us(), outcome=OK if status == 200 else UNKNOWN,
                               status=status, answer=outcome, **about)


class Crowd(Background):
    """All of them, at work while the body of a with statement runs."""

    def __init__(self, stack, history, seed, hold):
        super().__init__(SELLERS + BUYERS)
        self.stack, self.history, self.seed, self.hold = stack, history, seed, hold
        self.doors, self.bank = Doors(stack), stack.env["STRIPE_SANDBOX_URL"]
        self.market, self.lock = [], threading.Lock()
        self.tokens = stack.tokens(SELLERS + BUYERS)
        self.host = self.person(0)
        self.shows = [self.host.host.make()]  # before anything is disturbed

    def offer(self, ticket):
        with self.lock:
            self.market = [*self.market, ticket][-ON_SALE:]

    def any_ticket(self, dice):
        with self.lock:
            return dice.choice(self.market) if self.market else None

    def person(self, n):
        if n < SELLERS:
            return Seller(self, self.tokens[n], f"seller {n}", host=n == 0)
        return Buyer(self, self.tokens[n], f"buyer {n - SELLERS}")

    def go(self, n):
        person = self.person(n) if n else self.host
        while not self.stopping.is_set():
            person.act()

    def wait(self, seconds):
        """Until the time is over, or somebody fails."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.failure is None:
            self.stopping.wait(0.2)
