#!/usr/bin/env python3
"""Live pages: from a change of a ticket to each page that shows it, with thousands of them open, and what one takes.

    ./onsale bench live

Starts a stack of its own. STREAMS (5,000) pages are open on one instance of web, all showing the same PAGE tickets: the worst case,
each change goes to all. RATE (5) times a second one of the tickets gets another price, for SECONDS (20), over HTTP. Then they are pages of one
show, and places of it are bought. What is measured: from before that request is sent to the moment a page's client has read what it changed.
Fails when p95 is over 150 ms or something was not told.
"""
import os
import subprocess
import time

import harness
from common import BUILD, say
from shows import announced
from stack import build
from support import cpu_seconds, resident_kib, wait_until
from test_web_live import since

STREAMS = int(os.environ.get("STREAMS", "5000"))
RATE = float(os.environ.get("RATE", "5"))
SECONDS = float(os.environ.get("SECONDS", "20"))
PAGE, PLACES, HOLDS = 20, 5000, 4
P95_MS = 150


def told(stack, path, of, change, what):
    """Changes it while STREAMS pages of `path` are open; change(n) answers what they are to be told of `of`."""
    web = stack.pid("web")
    before = resident_kib(web)
    client = subprocess.Popen([BUILD / "bench/bench_live", stack.env["WEB_URL"].rsplit(":", 1)[1], str(STREAMS), path, of],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout.readline() == "open\n"
        each = (resident_kib(web) - before) / STREAMS
        say(f"{STREAMS} streams: {each:.1f} KiB each, {resident_kib(web) / 1024:.0f} MiB in all")
        cpu, started = cpu_seconds(web), time.monotonic()
        for n in range(int(RATE * SECONDS)):
            time.sleep(max(0, started + n / RATE - time.monotonic()))
            asked = time.time_ns() // 1000
            client.stdin.write(f"{change(n)} {asked}\n")
            client.stdin.flush()
        cpu = (cpu_seconds(web) - cpu) / (time.monotonic() - started)
        client.stdin.close()
        due, heard, *times = client.stdout.readline().split()
        p50, p95, p99, most = map(float, times)
    finally:
        client.kill()
    say(f"{what} is read by {STREAMS} pages after p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms; {heard} of "
        f"{due} were told; {RATE:g} changes a second take {100 * cpu:.0f} % of a core")
    return due == heard and p95 <= P95_MS


def measure_cards(stack):
    seller = stack.user()
    tickets = [seller.list_ticket(f"Khruangbin, Zürich, Halle 622, 4 December, row {n}") for n in range(PAGE)]
    place = wait_until(lambda: since(stack.env["WEB_URL"]), "web has read the topics")
    path = f"/live?cards={','.join(t['id'] + '.1' for t in tickets)}&since={place}"

    def change(n):
        return seller.put(f"/api/tickets/{tickets[0]['id']}", json={"title": tickets[0]["title"], "price": 10 + n % 7}).json()["version"]
    return told(stack, path, tickets[0]["id"], change, "a change of a ticket")


def measure_places(stack):
    """Standing places of a show, bought one by one."""
    buyers = [stack.user() for _ in range(int(RATE * SECONDS) // HOLDS + 1)]
    show, [area] = announced(stack.user(), [{"places": PLACES}])
    wait_until(lambda: buyers[-1].post("/api/purchases", json={"showId": show["id"], "quantity": 1}).status_code == 201, "orders knows the show")

    def change(n):
        assert buyers[n // HOLDS].post("/api/purchases", json={"showId": show["id"], "quantity": 1}).status_code == 201
        return PLACES - 2 - n
    return told(stack, f"/live?show={show['id']}", area["id"], change, "a change of an area's free places")


def measure(stack):
    return measure_cards(stack) & measure_places(stack)


def main():
    build(["bench_live"])
    with harness.stack(LIVE_STREAMS_PER_ADDRESS="0") as stack:  # all come from here
        return measure(stack)


harness.run(main)
