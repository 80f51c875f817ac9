"""What a scanner finds that others keep: Wapiti follows the pages' links as somebody who is signed in, and sends to each form and parameter what has broken
other shops. It is Debian's, and asks nobody but the stack. The edge's TLS is looked at in tests/deploy/test_gateway.py."""
import json
import subprocess

from shows import announced

MODULES = ("backup", "cookieflags", "crlf", "csp", "csrf", "exec", "file", "htaccess", "http_headers", "methods", "permanentxss", "redirect", "shellshock",
           "sql", "xss")
# It has seen so many pages and forms, or it has not looked.
PAGES = 10


def scan(stack, person, directory):
    """Bounded in pages and time. Wrong passwords that it tries count for an address of its own."""
    report = directory / "report.json"
    bounds = {"--scope": "folder", "--depth": 4, "--max-links-per-page": 25, "--max-files-per-dir": 15, "--max-scan-time": 60, "--max-attack-time": 15}
    subprocess.run(["wapiti", "--url", f"{stack.url}/", "--exclude", f"{stack.url}/sign-out", "--module", ",".join(MODULES),
                    "--header", f"Cookie: session={person.headers['Authorization'].removeprefix('Bearer ')}", "--header", "X-Forwarded-For: 203.0.113.200",
                    *(str(word) for bound in bounds.items() for word in bound),
                    "--flush-session", "--store-session", directory / "session", "--store-config", directory / "config", "--no-bugreport",
                    "--verbose", "1", "--format", "json", "--output", report], cwd=directory, check=True, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True)
    return json.loads(report.read_text())


def test_wapiti(stack, seller, people, tmp_path):
    announced(seller, [{"places": 4}])
    seller.list_ticket("A seat that is looked at")
    report = scan(stack, next(people), tmp_path)
    assert report["infos"]["crawled_pages_nbr"] >= PAGES
    found = {kind: findings for group in ("vulnerabilities", "anomalies") for kind, findings in report[group].items() if findings}
    assert found == {}
