"""What must be true of money when a crowd has gone: the books of Stripe's stand-in, orders, tickets and the topic of payments say the same."""
import collections
import itertools

from crowd import follows
from support import ASKS_SOON


def hanging(stack):
    """What has not come to its end."""
    return (stack.sql("payments", f"select state, ask, count(*) from charges where {ASKS_SOON} or state in ('started', 'action') group by 1, 2")
            + stack.sql("payments", "select state, ask, count(*) from returns where ask is not null or state = 'stuck' group by 1, 2")
            + stack.sql("orders", "select status, count(*) from orders where status in ('created', 'awaiting_payment') group by 1"))


def complete(stack):
    return stack.sql("orders", "select count(*) from orders where status = 'complete'")[0][0]


def check_books(stack, books):
    orders = {str(i): (status, price, str(ticket)) for i, status, price, ticket in
              stack.sql("orders", "select id, status, price, ticket_id from orders")}
    purchases = collections.defaultdict(list)
    for purchase, order in stack.sql("payments", "select c.order_id, o.order_id from charges c, orders_of(c) o"):
        purchases[str(purchase)].append(str(order))
    kept = collections.Counter()
    for intent, status, amount, captured, refunded, refunds, _, metadata in books.all():
        paid_for = purchases[metadata["orderId"]]
        [order_status] = {orders[o][0] for o in paid_for}
        price = sum(orders[o][1] for o in paid_for)
        assert amount == price, intent
        if captured == 0:
            assert status in ("canceled", "requires_payment_method") and refunded == 0, (intent, status)
        elif refunded == 0:
            assert order_status == "complete", f"{intent} is kept, and its order {paid_for[0]} is {order_status}"
            assert captured == price, intent
            kept.update({o: orders[o][1] for o in paid_for})
        else:
            assert (captured, refunded, refunds) == (price, price, 1), intent
    paid = {i: price for i, (status, price, _) in orders.items() if status == "complete"}
    assert kept == paid, "each complete order is paid once, at its price, and no other"
    sold = {(str(ticket), str(order)) for ticket, order in stack.sql("tickets", "select id, order_id from tickets where status = 'sold'")}
    assert sold == {(orders[i][2], i) for i in paid}
    return len(paid)


def check_events(stack, events, promotions=0):
    """Of each order's payment the last event is its charge's state, and versions have no gap."""
    last, versions = {}, collections.defaultdict(list)
    for event in events:
        versions[str(event["id"])].append(event["version"])
        last[str(event["id"])] = event["status"]
    states = {str(i): {"refunding": "succeeded"}.get(s, s) for i, s in
              stack.sql("payments", "select o.payment_id, c.state from charges c, orders_of(c) o where c.id is not null")}
    assert last == states
    assert all(follows(after, before, promotions) for v in versions.values() for before, after in itertools.pairwise([0, *v]))
