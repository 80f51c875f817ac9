"""A little of everything that happens in the marketplace, in an order that the dice say: each way several times."""
import concurrent.futures
import random

from accounts import account
from support import User, wait_until


class Shopping:
    def __init__(self, stack, times):
        self.stack, self.dice = stack, random.Random()
        ways = [self.pays, self.leaves_it, self.cancels, self.cannot_pay, self.cancels_while_paying, self.edits, self.withdraws,
                self.signs_up, self.fights]
        self.deeds = [way for way in ways for _ in range(times)]
        self.dice.shuffle(self.deeds)
        self.tokens = stack.tokens(len(self.deeds) + 3)

    def go(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(way, User(self.stack.url, token)) for way, token in zip(self.deeds, self.tokens[3:])]:
                done.result()

    def listed(self, **what):
        """A ticket of one of three sellers."""
        return User(self.stack.url, self.dice.choice(self.tokens[:3])).list_ticket(price=self.dice.randint(1, 90), **what)

    def ordered(self, buyer, ticket=None):
        return buyer.place(ticket or self.listed())

    def pay(self, buyer, order, card="pm_card_visa"):
        def answered():  # payments, too, learns of a new order a moment later, and where much waits it asks to be asked again
            return buyer.post("/api/payments", json={"orderId": order["id"], "token": card}).status_code not in (404, 503)
        wait_until(answered, "payments knows the order")

    def pays(self, buyer):
        self.pay(buyer, self.ordered(buyer))

    def leaves_it(self, buyer):
        self.ordered(buyer)

    def cancels(self, buyer):
        buyer.delete(f"/api/orders/{self.ordered(buyer)['id']}")

    def cannot_pay(self, buyer):
        order = self.ordered(buyer)
        for card in ("pm_card_chargeDeclined", "pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"):
            self.pay(buyer, order, card)

    def cancels_while_paying(self, buyer):
        """When Stripe takes its time the money comes after the order has ended, and goes back."""
        order = self.ordered(buyer)
        rival = User(self.stack.url, buyer.headers["Authorization"].removeprefix("Bearer "))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            paying = pool.submit(self.pay, buyer, order)
            wait_until(lambda: paying.done() or rival.get(f"/api/payments?orderId={order['id']}").json(), "the payment is under way")
            rival.delete(f"/api/orders/{order['id']}")
            paying.result()

    def edits(self, buyer):
        seller = User(self.stack.url, self.tokens[0])
        ticket = seller.list_ticket()
        seller.put(f"/api/tickets/{ticket['id']}", json={"title": "Better \N{ADMISSION TICKETS}", "price": "33.33"})
        self.pay(buyer, self.ordered(buyer, ticket))

    def withdraws(self, seller):
        seller.delete(f"/api/tickets/{seller.list_ticket()['id']}")

    def signs_up(self, _):
        account(self.stack.url)

    def fights(self, buyer):
        """The same ticket again and again."""
        ticket = self.listed(title="Everybody's")
        for _ in range(3):
            buyer.delete(f"/api/orders/{self.ordered(buyer, ticket)['id']}")
