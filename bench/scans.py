#!/usr/bin/env python3
"""The doors of a show: DOORS (10) of them scan the codes of tickets at once, through the edge, each over a connection of its own.

    ./onsale bench scans

A show is sold by purchases of eight, and paid. First RATE (50) people a second come to the doors for SECONDS (20): how long each waits, from the
moment in which the code is scanned to the answer. Then the rest, as fast as ten doors can. In the end every code is shown again: each
was let in once. Fails if somebody is not, or waits for more than 100 ms in p95.
"""
import concurrent.futures
import os
import statistics
import time

import harness
from common import say
from shows import announced
from support import User, wait_until

DOORS = int(os.environ.get("DOORS", "10"))
RATE = float(os.environ.get("RATE", "50"))
SECONDS = float(os.environ.get("SECONDS", "20"))
QUANTITY = 8
P95_MS = 100


def buy(buyer, show):
    """The codes of a purchase of eight that is paid."""
    def answered(status, ask):
        return wait_until(lambda: (a := ask()).status_code == status and a, "it is sold").json()
    purchase = answered(201, lambda: buyer.post("/api/purchases", json={"showId": show["id"], "quantity": QUANTITY}))
    answered(201, lambda: buyer.post("/api/payments", json={"purchaseId": purchase["id"], "token": "pm_card_visa"}))
    return [answered(200, lambda ticket=order["ticket"]["id"]: buyer.get(f"/api/tickets/{ticket}/code"))["code"] for order in purchase["orders"]]


def sold(stack, purchases):
    seller, buyers = stack.user(), stack.users(purchases)
    show, _ = announced(seller, [{"rows": [{"name": str(n), "from": 1, "to": 40} for n in range(purchases * QUANTITY // 40 + 1)]}])
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return seller, show, [code for codes in pool.map(lambda buyer: buy(buyer, show), buyers) for code in codes]


def scan(door, show, code):
    return door.post(f"/api/shows/{show['id']}/admit", json={"code": code}).status_code


def at_doors(doors, show, codes, rate=None):
    """Milliseconds that each waits, and what was answered. The codes go round the doors; with a rate each has its moment."""
    started = time.monotonic() + 0.1

    def work(number):
        waits, answers = [], []
        for n in range(number, len(codes), len(doors)):
            at = started + n / rate if rate else max(started, time.monotonic())
            time.sleep(max(0, at - time.monotonic()))
            answers.append(scan(doors[number], show, codes[n]))
            waits.append(1000 * (time.monotonic() - at))
        return waits, answers
    with concurrent.futures.ThreadPoolExecutor(len(doors)) as pool:
        done = list(pool.map(work, range(len(doors))))
    took = time.monotonic() - started
    return sorted(w for waits, _ in done for w in waits), [a for _, answers in done for a in answers], len(codes) / took


def measure(stack):
    paced = int(RATE * SECONDS)
    seller, show, codes = sold(stack, 2 * paced // QUANTITY + 1)
    doors = [User(stack.url, seller.headers["Authorization"].removeprefix("Bearer ")) for _ in range(DOORS)]
    waits, answers, _ = at_doors(doors, show, codes[:paced], RATE)
    p50, p95, p99 = (waits[int(len(waits) * part)] for part in (0.5, 0.95, 0.99))
    say(f"{RATE:g} scans a second at {DOORS} doors: an answer after p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, at most {waits[-1]:.1f} ms")
    fast, rest, rate = at_doors(doors, show, codes[paced:])
    say(f"as fast as they can: {rate:,.0f} a second, p50 {statistics.median(fast):.1f} ms; this client, in Python, takes a part of it")
    _, again, _ = at_doors(doors, show, codes)
    say(f"{len(codes)} codes: {(answers + rest).count(200)} let in; shown again {again.count(409)} refused")
    return (answers + rest).count(200) == again.count(409) == len(codes) and p95 <= P95_MS


def main():
    with harness.stack() as stack:
        return measure(stack)


harness.run(main)
