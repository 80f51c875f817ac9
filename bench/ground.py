"""What is for sale while the whole system is measured: tickets, and a show. Import harness first."""
import os

import psycopg

import support
from shows import announce, add_area, area_of, make_show

TICKET = "('01930000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"
SELLER = "'00000000-0000-7000-8000-000000000001'"
ROWS_AN_AREA = 1000  # of 60 seats


def list_tickets(stack, count):
    """On sale in both databases, as after their events: what is measured is orders."""
    rows = f"{TICKET} id, 1 version, {SELLER}::uuid user_id, 'Seat ' || n title, 2050 price, 'USD' currency, 'available' status"
    for service in ("tickets", "orders"):
        stack.sql(service, f"insert into tickets (id, version, user_id, title, price, currency, status)"
                           f" select {rows} from generate_series(1, {count}) n")
        stack.sql(service, "vacuum analyze tickets")
    settle(stack)


def settle(stack):
    """What was written of Postgres' log is used again from here on, as in a server that has run for a while: making a segment
    anew stops every commit. The slots have to let go of it first."""
    for service in ("tickets", "orders"):
        with psycopg.connect(stack.env[f"{service.upper()}_POSTGRES_URL"], autocommit=True) as db:
            db.execute("checkpoint")
            behind = "select coalesce(max(pg_current_wal_lsn() - confirmed_flush_lsn), 0) from pg_replication_slots"
            support.wait_until(lambda: db.execute(behind).fetchone()[0] < 1 << 20, "publishers have passed over it", 120)
            db.execute("checkpoint")
    os.sync()


def open_show(stack, seats):
    """The id of a show that is for sale with so many seats, made as any other: by its seller."""
    seller = stack.user()
    show = make_show(seller, perUser=1000)
    for number in range(1, -(-seats // (60 * ROWS_AN_AREA)) + 1):
        add_area(seller, show, name=f"Block {number}", rows=[{"name": str(n), "from": 1, "to": 60} for n in range(1, ROWS_AN_AREA + 1)])
    areas = seller.get(f"/api/shows/{show['id']}").json()["areas"]
    for area in areas:
        support.wait_until(lambda area=area: area_of(seller, show, area)["known"] == area["places"], "orders knows the area", 180, pause=0.5)
    announce(seller, show)
    for service in ("tickets", "orders"):
        stack.sql(service, "vacuum analyze")
    settle(stack)
    return show["id"]
