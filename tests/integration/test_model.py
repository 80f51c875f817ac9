"""Random people do random things; a simple model beside the API says what each of them must be answered."""
import uuid

import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from support import MARKET, list_ticket, wait_until

PEOPLE = 3
MAX_HOLDS = 3
people = strategies.integers(0, PEOPLE - 1)


@pytest.fixture(scope="module")
def small(make_stack):
    return make_stack(only=MARKET, MAX_HOLDS_PER_USER=str(MAX_HOLDS))


def payment(order, kind, version, charge):
    status = {"PaymentStarted": "started", "PaymentCreated": "succeeded", "PaymentFailed": "failed"}[kind]
    return {"type": kind, "id": charge, "ticketId": order["ticket"]["id"], "orderId": order["id"], "version": version,
            "occurredAt": 1_700_000_000_000, "userId": order["userId"], "status": status, "amount": 2000, "currency": "USD",
            "attempt": 1, "final": False, "stripeId": None, "reason": None}


class Marketplace(RuleBasedStateMachine):
    """The model: ticket -> [seller, status, order], order -> [buyer, ticket, status]. After each deed that crosses services the
    model waits for the other side, so that the next answer is certain."""

    tickets, orders = Bundle("tickets"), Bundle("orders")
    stack = None

    @initialize()
    def begin(self):
        self.users = self.stack.users(PEOPLE)
        self.model_tickets, self.model_orders = {}, {}

    def held_by(self, person):
        return [o for o in self.model_orders.values() if o["buyer"] == person and o["status"] == "created"]

    def settle(self, ticket):
        """Until tickets shows what the model says."""
        known = self.model_tickets[ticket]

        def same():
            shown = self.users[known["seller"]].get(f"/api/tickets/{ticket}").json()
            return (shown["status"], shown.get("orderId")) == (known["status"], known["order"])
        wait_until(same, f"ticket {ticket} shows as {known}")

    def end(self, order, status):
        known = self.model_orders[order]
        known["status"] = status
        sold = status == "complete"
        self.model_tickets[known["ticket"]].update(status="sold" if sold else "available", order=order if sold else None)
        self.settle(known["ticket"])

    # --- tickets ---

    @rule(target=tickets, person=people)
    def list_ticket(self, person):
        ticket = list_ticket(self.stack, self.users[person])["id"]
        self.model_tickets[ticket] = {"seller": person, "status": "available", "order": None}
        return ticket

    def expected_of_owner(self, ticket, person):
        known = self.model_tickets[ticket]
        if known["seller"] != person:
            return 403
        return 200 if known["status"] == "available" else 409

    @rule(ticket=tickets, person=people)
    def edit(self, ticket, person):
        answer = self.users[person].put(f"/api/tickets/{ticket}", json={"title": "Edited", "price": 20})
        assert answer.status_code == self.expected_of_owner(ticket, person)

    @rule(ticket=tickets, person=people)
    def withdraw(self, ticket, person):
        known = self.model_tickets[ticket]
        expected = {200: 204, 403: 403, 409: 204 if known["status"] == "cancelled" else 409}[self.expected_of_owner(ticket, person)]
        assert self.users[person].delete(f"/api/tickets/{ticket}").status_code == expected
        if expected == 204 and known["status"] != "cancelled":
            known["status"] = "cancelled"
            wait_until(lambda: self.stack.sql("orders", "select status from tickets where id::text = %s", ticket) == [("cancelled",)],
                       "orders knows that it was withdrawn")

    # --- orders ---

    @rule(target=orders, ticket=tickets, person=people)
    def order(self, ticket, person):
        known = self.model_tickets[ticket]
        free = known["seller"] != person and known["status"] == "available"
        expected = 201 if free and len(self.held_by(person)) < MAX_HOLDS else 409
        key = str(uuid.uuid4())
        answers = [self.users[person].post("/api/orders", json={"ticketId": ticket}, headers={"Idempotency-Key": key}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [expected] * 2, answers[0].text
        if expected != 201:
            return None
        order = answers[0].json()
        assert answers[1].json() == order, "the same key, the same order"
        self.model_orders[order["id"]] = {"buyer": person, "ticket": ticket, "status": "created", "body": order}
        known.update(status="reserved", order=order["id"])
        self.settle(ticket)
        return order["id"]

    @rule(order=orders.filter(bool), person=people)
    def cancel(self, order, person):
        known = self.model_orders[order]
        expected = 403 if known["buyer"] != person else 409 if known["status"] == "complete" else 204
        assert self.users[person].delete(f"/api/orders/{order}").status_code == expected
        if expected == 204 and known["status"] == "created":
            self.end(order, "cancelled")

    @rule(order=orders.filter(bool))
    def pay(self, order):
        """Also of one that is over: then it changes nothing."""
        known, charge = self.model_orders[order], str(uuid.uuid4())
        self.stack.topic("payments").produce(payment(known["body"], "PaymentStarted", 1, charge), payment(known["body"], "PaymentCreated", 2, charge))
        if known["status"] == "created":
            self.end(order, "complete")

    # --- what everybody sees ---

    @rule(order=orders.filter(bool), person=people)
    def look(self, order, person):
        known, answer = self.model_orders[order], self.users[person].get(f"/api/orders/{order}")
        assert answer.status_code == (200 if known["buyer"] == person else 403)
        if answer.status_code == 200:
            assert answer.json()["status"] == known["status"]

    @invariant()
    def lists_agree(self):
        if not getattr(self, "users", None):
            return
        for person, user in enumerate(self.users):
            shown = {o["id"]: o["status"] for o in user.get("/api/orders?limit=100").json()}
            assert shown == {order: known["status"] for order, known in self.model_orders.items() if known["buyer"] == person}

    def teardown(self):
        for ticket in getattr(self, "model_tickets", {}):
            self.settle(ticket)


def test_marketplace(small):
    Marketplace.stack = small
    run_state_machine_as_test(Marketplace, settings=settings(max_examples=15, stateful_step_count=30, deadline=None, database=None,
                                                             print_blob=True, suppress_health_check=list(HealthCheck)))
