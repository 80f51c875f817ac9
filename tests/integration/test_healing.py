"""What one service knows of another's order and lost, or that other lost, is mended by events, without a person: after a failover to a
standby that lacked what was committed last."""
import os
import signal
import time

import psycopg
import pytest

from support import list_ticket, missing_id, wait_until
from test_orders import expiration_event
from test_tickets import order, wait_shown


@pytest.fixture
def ticket(stack, seller):
    return list_ticket(stack, seller)


def lost_order(stack, ticket, expires_in=-1):
    """One that is on the topic, and not in orders' database."""
    lost = order(ticket, "created", 1, expiresAt=int((time.time() + expires_in) * 1000))
    stack.topic("orders").produce(lost)
    return lost


def status(stack, database, query, *arguments):
    return [status for [status] in stack.sql(database, query, *arguments)]


def test_an_order_that_was_lost_gives_its_ticket_back(stack, seller, ticket):
    lost = lost_order(stack, ticket)
    wait_until(lambda: status(stack, "tickets", "select status from tickets where id = %s and version = 3", ticket["id"]) == ["available"],
               "the ticket was reserved, and is on sale again")
    event = stack.topic("orders").of(ticket["id"], 2)[-1]
    assert (event["type"], event["status"], event["reason"], str(event["id"])) == ("OrderCancelled", "cancelled", "lost", lost["id"])
    assert event["version"] >= 1000, "more than any version that was lost"
    assert (event["price"], event["title"], event["sellerId"]) == (2000, ticket["title"], event["sellerId"])
    wait_until(lambda: status(stack, "payments", "select order_status from charges where order_id = %s", lost["id"]) == ["cancelled"],
               "payments knows")


def test_the_order_that_was_placed_meanwhile_gets_the_ticket(stack, seller, buyer, ticket):
    lost = lost_order(stack, ticket, expires_in=3600)
    wait_shown(seller, ticket, "reserved", lost["id"], 2)
    live = buyer.place(ticket)  # orders knows of nobody who holds it
    stack.topic("expirations").produce(expiration_event({**lost, "ticket": ticket}))  # as if its time were over
    wait_until(lambda: status(stack, "tickets", "select order_id::text from tickets where id = %s", ticket["id"]) == [live["id"]],
               "the ticket is held by it")
    assert [(e["type"], str(e["id"])) for e in stack.topic("orders").of(ticket["id"], 4)] == [
        ("OrderCreated", lost["id"]), ("OrderCreated", live["id"]), ("OrderCancelled", lost["id"]), ("OrderCreated", live["id"])]


def pay(stack, buyer, order):
    wait_until(lambda: stack.sql("payments", "select 1 from charges where order_id = %s", order["id"]), "payments knows the order")
    answer = buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"})
    assert answer.status_code == 201, answer.text


def test_a_complete_order_has_its_ticket(stack, seller, buyer, ticket):
    lost = lost_order(stack, ticket, expires_in=3600)
    wait_shown(seller, ticket, "reserved", lost["id"], 2)
    live = buyer.place(ticket)
    pay(stack, buyer, live)
    wait_shown(seller, ticket, "sold", live["id"], 3)
    stack.topic("orders").produce(order(ticket, "cancelled", 2, lost["id"], reason="lost"))
    other = list_ticket(stack, seller)
    stack.topic("orders").produce(order(other, "created", 1))
    wait_until(lambda: status(stack, "tickets", "select version from seen_orders where order_id = %s", lost["id"]) == [2], "it is over")
    wait_shown(seller, ticket, "sold", live["id"], 3)


def test_an_order_that_was_lost_after_it_was_paid_is_refunded(stack, seller, buyer, ticket):
    placed = buyer.place(ticket)
    pay(stack, buyer, placed)
    wait_until(lambda: status(stack, "tickets", "select status from tickets where id = %s", ticket["id"]) == ["sold"], "it is sold")
    wait_until(lambda: status(stack, "orders", "select status from orders where id = %s", placed["id"]) == ["complete"], "it is complete")
    # As in a standby that had neither the order nor what came after it, positions included.
    stack.supervisor("stop", "orders")
    stack.sql("orders", """with gone as (delete from orders where id = %s returning id),
                                events as (delete from order_events where id in (select id from gone))
                           update consumer_offsets set next_offset = 0 where topic = 'payments'""", placed["id"])
    stack.supervisor("start", "orders")
    wait_until(lambda: status(stack, "payments", "select state from charges where order_id = %s", placed["id"]) == ["refunded"],
               "the money went back")
    wait_until(lambda: status(stack, "tickets", "select status from tickets where id = %s", ticket["id"]) == ["available"],
               "the ticket is on sale again")
    [charge] = buyer.get(f"/api/payments?orderId={placed['id']}").json()
    assert charge["status"] == "refunded"
    assert status(stack, "orders", "select user_id::text from orders where id = %s and reason = 'lost'", placed["id"]) == [buyer.id]


def test_a_signal_for_an_unknown_ticket_changes_nothing(stack, ticket):
    """Orders says nothing of a ticket that it knows nothing of."""
    unknown = {**ticket, "id": missing_id()}
    lost = lost_order(stack, unknown)
    wait_until(lambda: any(str(e["orderId"]) == lost["id"] for e in stack.topic("expirations").events()), "it is signalled")
    wait_until(lambda: sum(n for [n] in stack.sql("orders", "select next_offset from consumer_offsets where topic = 'expirations'"))
               == sum(stack.topic("expirations").ends().values()), "orders has read the signal")
    assert status(stack, "orders", "select status from orders where id = %s", lost["id"]) == []
    stack.topic("orders").produce(order(unknown, "cancelled", 2, lost["id"], reason="lost"))  # ends its timer


def test_a_withdrawal_that_orders_has_not_heard_of(stack, seller, buyer, ticket):
    """Nothing that tickets publishes comes through while the ticket is ordered and paid for: the sale counts."""
    with psycopg.connect(stack.env["TICKETS_POSTGRES_URL"], autocommit=True) as server:
        [[sender]] = server.execute("select active_pid from pg_replication_slots where active and database = 'tickets'").fetchall()
    os.kill(sender, signal.SIGSTOP)
    try:
        assert seller.delete(f"/api/tickets/{ticket['id']}").status_code == 204
        bought = buyer.place(ticket)
        pay(stack, buyer, bought)
        wait_until(lambda: buyer.get(f"/api/orders/{bought['id']}").json()["status"] == "complete", "the order is complete")
    finally:
        os.kill(sender, signal.SIGCONT)
    wait_until(lambda: seller.get(f"/api/tickets/{ticket['id']}").json()["status"] == "sold", "the ticket is sold")
    assert status(stack, "tickets", "select order_id::text from tickets where id = %s", ticket["id"]) == [bought["id"]]
    wait_until(lambda: status(stack, "orders", "select status from tickets where id = %s", ticket["id"]) == ["sold"], "orders knows")
