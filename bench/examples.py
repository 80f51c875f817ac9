#!/usr/bin/env python3
"""From `git clone` to the first answer of each example: what somebody waits who has Debian's packages (README.md) and nothing else.

    ./onsale bench examples

Clones this checkout, and starts its stack with warehouse and lake, with an empty cache: about 2 GB come from the registries of Maven, pip, npm and Go. A few
people buy. Then each example by itself: what it needs is fetched and made where no example before had use of it, and it is run until it ends, or, where
it follows what comes, until its first line.
"""
import os
import pathlib
import subprocess
import tempfile
import time

import harness
import clients
import fetch
import support
from common import ROOT, say
from shopping import Shopping
from shows import announced

EXAMPLES = ROOT / "examples"
JOBS = ("conversion", "sell-out", "hoarders")


def nothing():
    """What Debian has is enough."""


def minutes():
    """Its libraries, and its class."""
    fetch.fetch_jars()
    fetch.fetch_plugins()
    libraries = [*(fetch.jars() / "kafka").glob("*.jar"), *(fetch.plugins() / "converter").glob("*.jar")]
    into = pathlib.Path(os.environ["ONSALE_CACHE"]) / "minutes"
    into.mkdir()
    clients.compile_java([EXAMPLES / "Minutes.java"], libraries, into)
    return ["java", "-cp", ":".join(map(str, [into / "classes", *libraries])), "Minutes"]


def flink():
    os.environ["FLINK_LIB"] = str(fetch.flink())


def commands(stack, seller, scratch):
    """Of each example: what makes what it needs, its command (of what that returned), and whether it follows what comes."""
    def by_python(*words):
        return lambda made: [made, *words]

    def job(name):
        tables = scratch / "tables.sql"
        return lambda _: ["sh", "-c", f"{EXAMPLES}/flink/tables.py --up-to-now > {tables} && {EXAMPLES}/flink/run {tables} {EXAMPLES}/flink/{name}.sql"]
    return {
        "tap.sh": (nothing, lambda _: [EXAMPLES / "tap.sh", "-o", "beginning", "-e"], False),
        "sales.sql": (nothing, lambda _: ["psql", stack.env["WAREHOUSE_DATABASE_URL"], "-f", EXAMPLES / "sales.sql"], False),
        "c/sold.c": (clients.c_reader, lambda made: ["sh", "-c", f"{made[0]} orders | grep -c {seller}"], False),
        "go/sold.go": (clients.go_reader, lambda made: [*made, seller], False),
        "node/sold.mjs": (clients.node_reader, lambda made: [*made, seller], False),
        "sales.py": (fetch.analysts_python, by_python(EXAMPLES / "sales.py", scratch / "sales.png"), False),
        "table.py": (fetch.analysts_python, by_python("-u", EXAMPLES / "table.py", "orders"), True),
        "query.py": (fetch.analysts_python, by_python(EXAMPLES / "query.py", "orders", "select type, count() from events group by type"), False),
        "lake.py": (fetch.analysts_python, by_python(EXAMPLES / "lake.py", "select type, count(*) from order_events group by all"), False),
        "on-sale.ipynb": (fetch.analysts_python,
                          lambda made: ["sh", "-c", f"{made} -m nbconvert --to html --execute --stdout {EXAMPLES}/on-sale.ipynb"], False),
        "Minutes.java": (minutes, lambda made: made, True),
        "streams/Sellers.java": (clients.streams_reader, lambda made: made, True),
        **{f"flink/{name}.sql": (flink, job(name), False) for name in JOBS},
    }


def first_answer(command, environment, follows):
    """Seconds until it has said the first line of one, or all of it."""
    began = time.monotonic()
    with subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as example:
        said = example.stdout.readline() if follows else example.stdout.read()
        took = time.monotonic() - began
        if follows:
            example.kill()
    if not said.strip() or (example.returncode != 0 and not follows):
        raise harness.Failed(f"it said nothing, or failed: {' '.join(map(str, command))}")
    return took


def shop(stack):
    """What is to be asked about: tickets, and a show with more people than places. Returns a seller."""
    shopping = Shopping(stack, 2)
    shopping.go()
    seller, *people = stack.users(9)
    show, _ = announced(seller, [{"places": 4}])
    for person in people:
        person.post("/api/purchases", json={"showId": show["id"], "quantity": 1})
    ticket = seller.list_ticket(price=20)
    shopping.pay(people[0], people[0].place(ticket))
    return ticket["userId"]


def timed(what):
    began = time.monotonic()
    return what(), time.monotonic() - began


def main():
    with tempfile.TemporaryDirectory(prefix="onsale-bench.", dir="/var/tmp") as scratch:
        scratch = pathlib.Path(scratch)
        cache, tree = scratch / "cache", scratch / "onsale"
        os.environ.update(ONSALE_CACHE=str(cache), PIP_CACHE_DIR=str(cache / "pip"), npm_config_cache=str(cache / "npm"), CCACHE_DIR=str(cache / "ccache"))
        _, cloned = timed(lambda: subprocess.run(["git", "clone", "-q", ROOT, tree], check=True))
        with support.stacks(tree=tree) as make:
            say("starting the stack of a clone, with an empty cache")
            stack, started = timed(lambda: make("--lake"))
            with harness.watched(stack):
                print(f"git clone {cloned:.1f} s, ./onsale run --lake {started:.0f} s", flush=True)
                each(stack, scratch, cloned + started)
    return True


def each(stack, scratch, before):
    made = {}
    environment_of_stack = {name: value for name, value in stack.env.items() if value}
    for name, (needs, command, follows) in commands(stack, shop(stack), scratch).items():
        if needs not in made:
            made[needs] = timed(needs)
        thing, needed = made[needs]
        took = first_answer(command(thing), {**os.environ, **environment_of_stack}, follows)
        print(f"{name:22} needs {needed:6.1f} s, answers in {took:5.1f} s; from git clone on {before + needed + took:5.0f} s", flush=True)


if __name__ == "__main__":
    harness.run(main)
