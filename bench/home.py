#!/usr/bin/env python3
"""The home page rendered, by web and by a production build of Next.js that shows the same tickets from the same API; and what a
browser has to transfer for it. Then a show's page, by both. Next.js comes into onsale's cache.

Next.js gets its pages without our icons, and a show's without its cover and plan, which is to its advantage. Each is one process on
one thread. They take turns; what counts is the median of the rounds' ratios (BENCH_ROUNDS, BENCH_SECONDS). Fails below 10 times,
above 30 KB compressed, or below 3,000 pages of a show a second.
"""
import contextlib
import gzip
import re
import statistics
import subprocess
import time
import urllib.request

import requests

import harness
import peers
from common import ROOT, Failed
from rounds import CONNECTIONS, ROUNDS, SECONDS, Bench, ratio
from support import free_port, wait_until

SOURCE = ROOT / "bench/home_next"
TITLE, TICKETS = "Khruangbin, Zürich, Halle 622, 4 December, row {}", 40
GOAL, MOST_BYTES, SHOW_PAGES = 10, 30 * 1024, 3000


def built():
    return peers.packages(SOURCE, "node_modules/next/dist/bin/next", "build", extra={"app/app.css": ROOT / "services/web/static/app.css"})


@contextlib.contextmanager
def next_server(tickets_url):
    port, environment = free_port(), peers.ENVIRONMENT | {"NODE_ENV": "production", "TICKETS_URL": tickets_url}
    with subprocess.Popen([peers.node(), "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(port)], cwd=built(),
                          stdout=subprocess.DEVNULL, env=environment) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(url, timeout=10).close()
                    break
                if time.monotonic() > deadline or server.poll() is not None:
                    raise Failed("Next.js does not start")
                time.sleep(0.05)
            yield url
        finally:
            server.terminate()


def pages(url, path="/"):
    """Pages a second, p99 in ms."""
    done = subprocess.run(["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--timeout", "30s", "--latency", url + path],
                          capture_output=True, text=True)
    trouble = re.search(r"(Socket errors|Non-2xx).*", done.stdout)
    if done.returncode != 0 or trouble:
        raise Failed(f"{url}: {trouble[0] if trouble else done.stderr}")
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]), float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def transfer(url):
    """Compressed bytes of the page and of all it loads, which a browser asks for."""
    def size(path):
        with urllib.request.urlopen(urllib.request.Request(url + path, headers={"Accept-Encoding": "gzip"}), timeout=10) as answer:
            body = answer.read()
            return len(body), gzip.decompress(body).decode() if answer.headers["Content-Encoding"] == "gzip" else body.decode()
    total, html = size("/")
    linked = sorted(set(re.findall(r'(?:src|href)="(/[^"]+\.(?:css|js|svg)[^"]*)"', html)))
    return total + sum(size(path.replace("&amp;", "&"))[0] for path in linked), 1 + len(linked)


def list_tickets(bench):
    session = requests.Session()
    session.headers["Authorization"] = "Bearer " + bench.tokens.read_text().split()[0]
    for n in range(TICKETS):
        session.post(bench.env["TICKETS_URL"] + "/api/tickets", json={"title": TITLE.format(n), "price": "45.50"}, timeout=10).raise_for_status()


def announced_show(bench):
    """The path of a show with two areas of 10 rows of 40 seats each."""
    session, shows = requests.Session(), bench.env["TICKETS_URL"] + "/api/shows"
    session.headers["Authorization"] = "Bearer " + bench.tokens.read_text().split()[0]
    show = session.post(shows, timeout=10, json={"title": "Khruangbin", "venue": "Halle 622", "city": "Zürich", "timeZone": "Europe/Zurich",
                                                 "startsAt": "2035-06-01T20:00:00+02:00", "organizer": "Halle 622 AG",
                                                 "description": "An evening in the old factory."}).json()
    for name in ("Stalls", "Balcony"):
        rows = [{"name": row, "from": 1, "to": 40} for row in "ABCDEFGHJK"]
        session.post(f"{shows}/{show['id']}/areas", timeout=10, json={"name": name, "price": 45.5, "rows": rows}).raise_for_status()
    wait_until(lambda: session.post(f"{shows}/{show['id']}/announce", timeout=10).status_code == 200, "all places are made")
    return f"/shows/{show['id']}"


def compare(urls, path):
    """Both in turns: the median of the rounds' ratios, and ours a second."""
    pages(urls["Next.js"], path)  # its code is compiled as it runs
    ratios, rates = [], {name: [] for name in urls}
    for number in range(1, ROUNDS + 1):
        for name, url in urls.items():
            rates[name].append(pages(url, path))
        (theirs, their_p99), (ours, our_p99) = (rates[name][-1] for name in urls)
        ratios.append(ratio(ours, theirs))
        print(f"round {number}: Next.js {theirs:,.0f} pages a second, p99 {their_p99:.0f} ms; web {ours:,.0f}, p99 {our_p99:.1f} ms;"
              f" {ratios[-1]:.1f} times", flush=True)
    times, medians = statistics.median(ratios), {name: statistics.median(r for r, _ in rates[name]) for name in urls}
    print(f"medians: Next.js {medians['Next.js']:,.0f}, web {medians['web']:,.0f} pages a second, {times:.1f} times (goal {GOAL})", flush=True)
    return times, medians["web"]


def shows_the_same(urls, path, what, count):
    for name, url in urls.items():
        assert requests.get(url + path, timeout=10).text.count(what) == count, f"{name} shows something else"


def measure(bench):
    print(bench.settings(), flush=True)
    list_tickets(bench)
    show = announced_show(bench)
    with next_server(bench.env["TICKETS_URL"]) as peer:
        urls = {"Next.js": peer, "web": bench.env["WEB_URL"]}
        shows_the_same(urls, "/", "<li class=\"ticket\"", 20)
        shows_the_same(urls, show, "class=\"free\"", 2)
        times, _ = compare(urls, "/")
        sizes = {name: transfer(url) for name, url in urls.items()}
        print("transfer, compressed: " + "; ".join(f"{name} {size / 1024:.1f} KB in {count} requests" for name, (size, count) in sizes.items()))
        print("a show's page:", flush=True)
        show_times, show_pages = compare(urls, show)
    print(f"a show's page: {show_pages:,.0f} a second (goal {SHOW_PAGES:,})")
    return min(times, show_times) >= GOAL and show_pages >= SHOW_PAGES and sizes["web"][0] <= MOST_BYTES


def main():
    built()
    with harness.stack_or_given() as stack:
        return measure(Bench(stack))


harness.run(main)
