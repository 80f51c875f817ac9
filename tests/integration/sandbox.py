"""stripe-sandbox by itself, with a Postgres of its own, and somebody who listens for its webhooks."""
import contextlib
import http.server
import os
import queue
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import requests
import stripe

from support import DEADLINE, ROOT, free_port, wait_until

KEY, WEBHOOK_SECRET = "sk_test_of_the_tests", "whsec_of_the_tests"


@contextlib.contextmanager
def postgres():
    """The URL of a fresh cluster; it ends with our end of the pipe, however this process ends."""
    process = subprocess.Popen([ROOT / "tools/with-postgres", "sh", "-c", 'echo "$ONSALE_TEST_DATABASE_URL"; cat >/dev/null'],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(DEADLINE)


def forward(url, seconds):
    """Lets time pass at Stripe."""
    answer = requests.post(f"{url}/sandbox/clock", data={"seconds": seconds}, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text


def settle(url, refund_id, outcome):
    """A refund succeeds or fails."""
    return requests.post(f"{url}/sandbox/refunds/{refund_id}", data={"outcome": outcome}, timeout=DEADLINE)


def dispute(url, intent_id, status):
    """The buyer disputes a payment (needs_response), or that ends: won, lost."""
    return requests.post(f"{url}/sandbox/disputes/{intent_id}", data={"status": status}, timeout=DEADLINE)


class Sandbox:
    def __init__(self, database_url, log, **environment):
        self.port, self.admin_port = free_port(), free_port()
        self.url, self.database_url = f"http://127.0.0.1:{self.port}", database_url
        self.environment = {**os.environ, "DATABASE_URL": database_url, "HTTP_PORT": str(self.port), "HTTP_THREADS": "2",
                            "ADMIN_PORT": str(self.admin_port), "SANDBOX_KEY": KEY, "SANDBOX_PUBLIC_URL": self.url,
                            "SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET, "LOG_LEVEL": "warn", **environment}
        self.binary = ROOT / "build" / os.environ.get("ONSALE_PRESET", "release") / "stripe-sandbox"
        self.log = open(log, "ab")
        self.process = None

    def start(self):
        subprocess.run([self.binary, "migrate"], env=self.environment, check=True, stdout=self.log)
        self.process = subprocess.Popen([self.binary], env=self.environment, stdout=self.log, stderr=self.log)
        return self.wait_ready()

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, "the sandbox has ended"
            try:
                return requests.get(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=DEADLINE).status_code == 200
            except requests.ConnectionError:
                return False
        wait_until(ready, "the sandbox is ready")
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(DEADLINE) == 0

    # --- asking ---

    def client(self, retries=0, key=KEY):
        """Stripe's own."""
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=retries)

    def post(self, path, key=None, **params):
        """Without Stripe's library: the answer as it is."""
        return requests.post(self.url + path, data=params, auth=(KEY, ""), headers={"Idempotency-Key": key} if key else {},
                             timeout=DEADLINE)

    def settings(self, **settings):
        answer = requests.post(self.url + "/sandbox/settings", json=settings, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self):
        assert requests.delete(self.url + "/sandbox/settings", timeout=DEADLINE).status_code == 200

    def forward(self, seconds):
        forward(self.url, seconds)

    def settle(self, refund_id, outcome):
        return settle(self.url, refund_id, outcome)

    def dispute(self, intent_id, status="needs_response"):
        return dispute(self.url, intent_id, status)

    def ledger(self):
        """{id: entry}, read page by page."""
        entries, after = {}, ""
        while True:
            page = requests.get(self.url + "/sandbox/ledger", params={"after": after}, timeout=DEADLINE).json()
            entries |= {e["id"]: e for e in page}
            if len(page) < 1000:
                return entries
            after = page[-1]["id"]

    def entry(self, intent_id):
        return self.ledger()[intent_id]

    def of(self, tag):
        """The ledger's entries with this metadata."""
        return [e for e in self.ledger().values() if e["metadata"].get("tag") == tag]

    def sql(self, query, *args):
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, args)
            return cursor.fetchall() if cursor.description else []


class Listener:
    """Takes webhooks. .received: (headers, body) in the order they came; .answer(body) says with which status each is answered."""

    def __init__(self):
        self.received, self.lock = [], threading.Lock()
        self.answer = lambda body: 200
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with listener.lock:
                    listener.received.append((dict(self.headers), body))
                    status = listener.answer(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def handle(self):
                with contextlib.suppress(ConnectionError):  # the sandbox was killed
                    super().handle()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def events(self, intent_id=None):
        """What Stripe's library makes of what came, its signature verified; of one payment intent, or all."""
        with self.lock:
            received = list(self.received)
        events = [stripe.Webhook.construct_event(body, headers["Stripe-Signature"], WEBHOOK_SECRET) for headers, body in received]
        return [e for e in events if intent_id in (None, e.data.object["id"], getattr(e.data.object, "payment_intent", None))]

    def types(self, intent_id):
        return [e.type for e in self.events(intent_id)]

    def wait_for(self, intent_id, count):
        wait_until(lambda: len(self.events(intent_id)) >= count, f"{count} events of {intent_id}")
        return self.events(intent_id)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def at_once(count, work):
    """work(n) in as many threads, begun together; their results in order. What one raises is its result."""
    start, results = threading.Barrier(count), queue.Queue()

    def run(n):
        start.wait()
        try:
            results.put((n, work(n)))
        except Exception as error:
            results.put((n, error))
    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert results.qsize() == count
    return [result for _, result in sorted((results.get() for _ in range(count)), key=lambda r: r[0])]


class Books:
    """The sandbox of a stack: its ledger by order, its faults, and what a buyer does on the page of 3-D Secure."""

    def __init__(self, stack):
        self.url, self.stack = stack.env["STRIPE_SANDBOX_URL"], stack

    def settings(self, **settings):
        answer = requests.post(self.url + "/sandbox/settings", json=settings, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text

    def reset(self):
        assert requests.delete(self.url + "/sandbox/settings", timeout=DEADLINE).status_code == 200

    def forward(self, seconds):
        forward(self.url, seconds)

    def settle(self, refund_id, outcome):
        answer = settle(self.url, refund_id, outcome)
        assert answer.status_code == 200, answer.text

    def dispute(self, intent_id, status="needs_response"):
        answer = dispute(self.url, intent_id, status)
        assert answer.status_code == 200, answer.text

    def post(self, path, **params):
        """As somebody else who has the account's key: by hand, on Stripe's pages."""
        answer = requests.post(self.url + path, data=params, auth=(self.stack.env["STRIPE_SANDBOX_KEY"], ""), timeout=DEADLINE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refunds(self, intent_id):
        """(id, status), oldest first."""
        return self.stack.sql("stripe-sandbox", "select id, status from refunds where payment_intent = %s order by id", intent_id)

    def all(self):
        return self.stack.sql("stripe-sandbox", "select id, status, amount, captured, refunded, refunds, currency, metadata from ledger")

    def of(self, order):
        """The intents made for an order."""
        names = ("id", "status", "amount", "captured", "refunded", "refunds", "currency")
        rows = self.stack.sql("stripe-sandbox", f"select {', '.join(names)} from ledger where metadata ->> 'orderId' = %s order by created",
                              order["id"])
        return [dict(zip(names, row)) for row in rows]

    def confirm(self, intent_id, outcome="complete"):
        answer = requests.post(f"{self.url}/sandbox/3ds/{intent_id}", data={"outcome": outcome}, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text

    def answer_after(self, pay, *conditions):
        """What pay(), a request, is answered, if each of the conditions became true after the one before while Stripe took its time with it.
        None: the answer was quicker than they, or the time that Stripe is given was over."""
        self.settings(latency_ms=7000, webhook_delay_ms=600000)  # nor does it tell the outcome otherwise
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(pay)
            for n, condition in enumerate(conditions, 1):
                wait_until(lambda met=condition: answer.done() or met(), f"condition {n} of those that come before the answer")
                if answer.done():
                    return None
        return answer.result() if answer.result().status_code != 503 else None
