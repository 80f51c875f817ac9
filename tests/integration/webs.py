"""Web by itself, beside services that are played here, so that each of their answers, and none, can be had at will; and what browses it."""
import base64
import contextlib
import http.server
import json
import socket
import subprocess
import threading
import urllib.parse
import uuid

import html5lib
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import DEADLINE, ROOT, free_port, wait_until

PARTS = {"users": "USERS_API", "tickets": "TICKETS_API", "orders": "ORDERS_API", "payments": "PAYMENTS_API",
         "waiting": "WAITING_API"}
SOME_ID = "01900000-0000-7000-8000-000000000000"  # in a test's name: the same in each worker
TITLE = "<script>alert(1)</script> & \"Ann's\" 票"


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def new_id():
    return f"01900000-0000-7000-8000-{uuid.uuid4().hex[:12]}"


def number(n):
    return base64.urlsafe_b64encode(n.to_bytes((n.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


class Services(http.server.ThreadingHTTPServer):
    """What web asks. answers: {"METHOD PATH": (status, JSON, headers)} or a function of the request that gives this; seen: every
    request but those for keys; away: the parts that break connections off."""
    daemon_threads = True

    def __init__(self, jwks):
        self.answers, self.seen, self.away, self.jwks = {}, [], set(), jwks
        super().__init__(("127.0.0.1", 0), Handler)

    def asked(self, method, path):
        return [r for r in self.seen if (r["method"], r["path"].partition("?")[0]) == (method, path)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/.well-known/jwks.json":
            return self.say(200, self.server.jwks, {})
        seen = {"method": self.command, "path": self.path, "headers": self.headers, "body": json.loads(body) if body else None}
        self.server.seen.append(seen)
        plain = self.path.partition("?")[0]
        part = plain.split("/")[2]
        if part in self.server.away:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        found = self.server.answers.get(f"{self.command} {plain}", (404, {"errors": [{"message": "No such thing"}]}))
        status, content, *headers = found(seen) if callable(found) else found
        return self.say(status, content, headers[0] if headers else {})

    def say(self, status, content, headers):
        text = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text if status != 204 else b"")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Web:
    def __init__(self, services, key):
        self.services, self.key = services, key

    def tokens(self, n):
        return subprocess.run([ROOT / "build/release/token", self.key, str(n)], check=True, capture_output=True, text=True).stdout.split()


@contextlib.contextmanager
def running(directory, **environment):
    private = rsa.generate_private_key(65537, 2048)
    key = directory / "key.pem"
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public = private.public_key().public_numbers()
    services = Services({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)}]})
    threading.Thread(target=services.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{services.server_port}"
    web = Web(services, key)
    web.session = "__Host-session" if environment.get("SECURE_COOKIES") == "true" else "session"
    port, admin = free_port(), free_port()
    web.url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([ROOT / "build/release/web"], stdout=(directory / "log").open("w"), stderr=subprocess.STDOUT, env={
        **dict.fromkeys(PARTS.values(), there), "JWKS_URL": f"{there}/.well-known/jwks.json", "HTTP_PORT": str(port),
        "ADMIN_PORT": str(admin), "SECURE_COOKIES": "false", "API_TIMEOUT": "60s", "TRUSTED_PROXIES": "127.0.0.1",
        "KAFKA_BROKERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",  # not there: pages do without
        **environment})
    try:
        def ready():
            assert process.poll() is None, (directory / "log").read_text()
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"http://127.0.0.1:{admin}/readyz", timeout=DEADLINE).status_code == 200
        wait_until(ready, "web is ready")
        yield web
        process.terminate()
        assert process.wait(DEADLINE) == 0, (directory / "log").read_text()
    finally:
        process.kill()
        services.shutdown()


class Browser(requests.Session):
    """Without scripts: it goes to pages, follows redirects and sends the forms that it finds."""

    def __init__(self, web, token=None):
        super().__init__()
        self.trust_env, self.web = False, web
        if token is True:
            token = web.tokens(1)[0]
        if token:
            self.cookies.set(web.session, token, domain="127.0.0.1", path="/")
            claims = token.split(".")[1]
            self.id = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]

    def go(self, path, method="GET", **more):
        answer = self.request(method, self.web.url + path, timeout=DEADLINE, allow_redirects=False, **more)
        answer.page = html5lib.parse(answer.text, namespaceHTMLElements=False)
        assert answer.headers.get("Content-Type") == "text/html; charset=utf-8" or answer.status_code == 303, answer.text
        answer.words = " ".join("".join((answer.page.find(".//main") if answer.status_code != 303 else answer.page).itertext()).split())
        return answer

    def fields(self, page, action):
        [form] = [f for f in page.iter("form") if f.get("action") == action]
        assert form.get("method") == "post"
        return {e.get("name"): e.get("value", "") for e in form.iter("input")
                if e.get("type") not in ("radio", "checkbox") or e.get("checked") is not None} | {
            e.get("name"): next((o.get("value") for o in e if o.get("selected") is not None), e[0].get("value")) for e in form.iter("select")} | {
            e.get("name"): e.text or "" for e in form.iter("textarea")}

    def submit(self, page, action, **typed):
        """A form of the page, with what somebody types; None: what is ticked no more."""
        typed = {name.replace("_", "-"): value for name, value in typed.items()}
        return self.go(action, "POST", data={k: v for k, v in (self.fields(page, action) | typed).items() if v is not None})


def ticket(seller=None, **more):
    return {"id": new_id(), "title": TITLE, "price": 1234.5, "currency": "USD", "userId": seller or new_id(), "status": "available",
            "version": 3} | more


def order(of, **more):
    return {"id": new_id(), "status": "created", "expiresAt": "2026-11-21T10:54:31.123Z", "userId": new_id(), "version": 1,
            "ticket": {k: of[k] for k in ("id", "title", "price", "currency", "version")}} | more


def purchase(size=2, seats="Stalls, row A, seats 1–2", **more):
    """Of orders that differ in the last hex digit."""
    base = new_id()[:-1]
    orders = [order(ticket(title=f"{TITLE}, Stalls, row A, seat {i + 1}", price=20.5), id=f"{base}{i}") for i in range(size)]
    return {"id": f"{base}0", "status": "created", "expiresAt": orders[0]["expiresAt"], "userId": new_id(), "total": 20.5 * size,
            "currency": "USD", "seats": seats, "orders": [o | {k: v for k, v in more.items() if k == "status"} for o in orders]} | more


def area(**more):
    return {"id": new_id(), "name": "Stalls <b>", "price": 20.5, "seated": True, "accessible": False, "rank": 0, "places": 100, "made": 100,
            "known": 100, "free": 40} | more


def show(seller=None, **more):
    """As a list has it; a show by itself has areas, too."""
    return {"id": new_id(), "title": TITLE, "venue": "House & Hall", "city": "Basel", "startsAt": "2027-06-01T18:00:00.000Z",
            "timeZone": "Europe/Zurich", "currency": "USD", "status": "announced", "perUser": 8, "userId": seller or new_id(), "version": 1} | more


def refusal(message, field=None):
    return {"errors": [{"message": message, **({"field": field} if field else {})}]}


def serve_ticket(web, t):
    web.services.answers[f"GET /api/tickets/{t['id']}"] = (200, t)
    return f"/tickets/{t['id']}"


def serve_order(web, o, history=(), charges=()):
    web.services.answers |= {f"GET /api/orders/{o['id']}": (200, o), f"GET /api/orders/{o['id']}/history": (200, list(history)),
                             "GET /api/payments": (200, list(charges))}
    return f"/orders/{o['id']}"


def serve_purchase(web, p, history=(), charges=()):
    web.services.answers |= {f"GET /api/purchases/{p['id']}": (200, p), f"GET /api/orders/{p['id']}/history": (200, list(history)),
                             "GET /api/payments": (200, list(charges))}
    return f"/purchases/{p['id']}"


def serve_show(web, s, areas=()):
    web.services.answers[f"GET /api/shows/{s['id']}"] = (200, s | {"areas": list(areas)})
    return f"/shows/{s['id']}"


def event(kind, status, **more):
    return {"type": kind, "status": status, "version": 1, "occurredAt": "2026-11-21T10:39:31.123Z"} | more


def places(answer):
    return urllib.parse.urlsplit(answer.headers["Location"])


def signed_in(web):
    return {"Set-Cookie": f"session={web.tokens(1)[0]}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200"}
