#!/usr/bin/env python3
"""What Lighthouse says of the home page, a show's page and a purchase's, on a phone: performance, accessibility, best practices, SEO.

    ./onsale bench lighthouse

The pages are web's own; the services behind it are played (tests/integration/webs.py), so it needs no stack. Lighthouse comes by npm into
onsale's cache, Chromium is the tests'. Fails when a score is below 95; a purchase is its buyer's alone, and is not for search engines.
"""
import datetime
import json
import pathlib
import shutil
import subprocess
import tempfile

import harness
import peers
from common import ROOT, Failed
from webs import area, purchase, running, serve_purchase, serve_show, show, ticket

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 95


def scores(web, path, token):
    with tempfile.TemporaryDirectory(prefix="onsale-lighthouse.") as directory:
        headers = pathlib.Path(directory) / "headers.json"
        headers.write_text(json.dumps({"Cookie": f"session={token}"}))
        done = subprocess.run([
            peers.node(), "node_modules/lighthouse/cli/index.js", web.url + path, "--quiet", "--output=json", f"--extra-headers={headers}",
            f"--only-categories={','.join(CATEGORIES)}", "--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage"],
            cwd=peers.packages(ROOT / "bench/lighthouse_npm"), capture_output=True, text=True,
            env=peers.ENVIRONMENT | {"CHROME_PATH": shutil.which("chromium")})
    if done.returncode != 0:
        raise Failed(f"lighthouse: {done.stderr[-2000:]}")
    report = json.loads(done.stdout)
    for name in CATEGORIES:
        for reference in report["categories"][name]["auditRefs"]:
            audit = report["audits"][reference["id"]]
            if reference["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                print(f"  {path}: {name}: {audit['id']}: {audit['title']} {audit.get('displayValue', '')}")
    return {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}


def main():
    with tempfile.TemporaryDirectory(prefix="onsale-lighthouse.") as directory, running(pathlib.Path(directory)) as web:
        web.services.answers |= {
            "GET /api/shows": (200, [show(title=f"Show {n}", fromPrice=45.5, free=500 - 100 * n, places=1000) for n in range(6)]),
            "GET /api/tickets": (200, [ticket(title=f"A ticket, row {n}") for n in range(20)])}
        token, held = web.tokens(1)[0], purchase()
        for order in (held, *held["orders"]):
            order["expiresAt"] = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        paths = {"home": "/", "show": serve_show(web, show(title="The Night"), [area(name="Stalls"), area(name="Balcony", free=0)]),
                 "purchase": serve_purchase(web, held)}
        found = {name: scores(web, path, token) for name, path in paths.items()}
    for name, score in found.items():
        print(f"{name}: {', '.join(f'{category} {value}' for category, value in score.items())}")
    return all(value >= LEAST for name, score in found.items() for category, value in score.items() if (name, category) != ("purchase", "seo"))


harness.run(main)
