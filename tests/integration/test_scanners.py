"""The site as a scanner sees it that knows nothing of it: Wapiti follows its links, fills in its forms, and reads the answers. What it finds is zero, or
explained in SECURITY.md."""
import json
import os
import re
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest

from accounts import credentials
from support import DEADLINE, ROOT, User

WAPITI = shutil.which("wapiti")
pytestmark = pytest.mark.skipif(WAPITI is None, reason="there is no package of wapiti")
# Those that look at answers, and those that send what a page or a statement may take for its own. The others guess names of files, or wait for a server
# of Wapiti's own to be called from here.
MODULES = "cookieflags,csp,http_headers,csrf,methods,crlf,redirect,xss"
PAGES_S, MODULE_S = 240, 60  # at most, for the pages that it finds and for each module
NOWHERE = "http://127.0.0.1:9"  # where whatever is not of this machine would have to go by: it asks for lists of its own


def explained():
    """What SECURITY.md says of its findings: the first cell of each row."""
    [table] = re.findall(r"(?s)\n\| Wapiti says \|.*?\n\n", (ROOT / "SECURITY.md").read_text())
    return set(re.findall(r"(?m)^\| ([^|]+?) \|", table)[1:])


def scan(url, directory, *starts, depth, token=None):
    """What it found, and where; that which is explained is left out. (Debian's Wapiti fails where a path is to be left out.)"""
    report = directory / "report.json"
    words = ["-u", url + starts[0], *(word for path in starts[1:] for word in ("-s", url + path)), "--scope", "folder", "-m", MODULES, "-d", depth,
             "--max-links-per-page", 25, "--max-files-per-dir", 25, "--max-parameters", 12, "--max-scan-time", PAGES_S, "--max-attack-time", MODULE_S,
             "-t", DEADLINE, "-f", "json", "-o", report, "--no-bugreport", "--flush-session", "--store-session", directory / "session",
             "--store-config", directory / "config", "-v", 1]
    if token:
        words += ["-H", f"Cookie: __Host-session={token}"]
    done = subprocess.run([WAPITI, *map(str, words)], cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=840,
                          env={**os.environ, "HOME": str(directory), "http_proxy": NOWHERE, "https_proxy": NOWHERE, "no_proxy": urlsplit(url).hostname})
    assert done.returncode == 0 and report.exists(), done.stdout[-4000:]
    said = json.loads(report.read_text())
    found = [(what, case) for kind in ("vulnerabilities", "anomalies") for what, cases in said[kind].items() for case in cases]
    return done.stdout, [f"{what}: {case['method']} {case['path']}: {case['info']}" for what, case in found if case["info"] not in explained()]


@pytest.fixture(scope="module")
def site(make_stack):
    """What a scanner sends stays there: others do not find a first page full of it. Cookies and headers are those of a site behind TLS."""
    stack = make_stack(SECURE_COOKIES="true")
    stack.user().list_ticket("A seat in row 1")
    return stack


def test_as_a_visitor(site, tmp_path):
    said, found = scan(site.url, tmp_path, "/", "/shows", "/forgot", depth=2)
    assert all(f"] GET {site.url}{path}" in said for path in ("/?q=", "/signin", "/tickets/")), said
    assert found == []


def test_as_somebody_who_is_signed_in(site, tmp_path):
    answer = User(site.url).post("/api/users/signup", json=credentials())
    token = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    person = User(site.url, token)
    ticket = person.list_ticket("Mine")
    said, found = scan(site.url, tmp_path, "/account", "/sell", "/orders", f"/tickets/{ticket['id']}/edit", depth=1, token=token)
    assert f"] POST {site.url}/account/password" in said, said
    assert person.get("/api/users/currentuser").json()["currentUser"] is not None, "it was signed in to the end"
    assert found == []
