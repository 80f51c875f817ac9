"""What payments asks Stripe, held against Stripe's own description of its API: stripe-mock knows it, and refuses what does not fit."""
import http.server
import subprocess
import threading

import pytest
import requests

import stripe_mock
from support import DEADLINE, ROOT, free_port, wait_until


@pytest.fixture(scope="module")
def mock():
    """The URL of a running one; built once."""
    port = free_port()
    with subprocess.Popen([stripe_mock.program(), "-http-addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL) as process:
        try:
            def answers():
                try:
                    return requests.get(f"http://127.0.0.1:{port}/v1/charges", headers={"Authorization": "Bearer sk_test_123"}, timeout=5).ok
                except requests.ConnectionError:
                    return False
            wait_until(answers, "stripe-mock answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture
def listener(mock):
    """Passes requests on to stripe-mock, and remembers them with their answers."""
    seen = []

    class Between(http.server.BaseHTTPRequestHandler):
        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = requests.request(self.command, mock + self.path, data=body, headers=dict(self.headers), timeout=DEADLINE)
            seen.append((self.command, self.path, dict(self.headers), answer.status_code, answer.text))
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = pass_on

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_every_request_is_one_of_stripes(listener):
    url, seen = listener
    subprocess.run([ROOT / "build/release/tests/stripe_driver", url], check=True, timeout=DEADLINE)
    by_token = seen.pop(1)
    assert [(status, text) for _, _, _, status, text in seen if status != 200] == []
    # What Stripe takes, and its description leaves out: a card's token in place of a payment method. Nothing else is wrong with it.
    assert by_token[3] == 400 and "'payment_method_data' validation failed" in by_token[4] and "'type'" in by_token[4]
    asked = [(method, path) for method, path, *_ in seen]
    assert asked[-2:] == [("GET", "/v1/payment_methods/pm_card_visa"), ("GET", "/v1/tokens/tok_visa")], "each tells the card, which is refused"
    del asked[-2:]
    assert asked.pop()[1].startswith("/v1/payment_intents/pi_"), "what was found is read by its id"
    assert asked == [
        ("POST", "/v1/payment_intents"), ("GET", "/v1/payment_intents/pi_123?expand%5B0%5D=payment_method"),
        ("POST", "/v1/payment_intents/pi_123/cancel"), ("POST", "/v1/refunds"), ("GET", "/v1/refunds?payment_intent=pi_123&limit=100"),
        ("GET", "/v1/payment_intents/search?query=metadata%5B%27orderId%27%5D%3A%2700000000-0000-0000-0000-000000000000%27&limit=100")]
    for _, path, headers, *_ in seen:
        assert headers["Authorization"] == "Bearer sk_test_123" and headers["Stripe-Version"] == "2024-06-20"
        assert ("Idempotency-Key" in headers) == (path in ("/v1/payment_intents", "/v1/refunds"))


def test_what_does_not_fit_is_refused(mock):
    """Else the test above would say nothing."""
    def post(path, **data):
        return requests.post(mock + path, data=data, headers={"Authorization": "Bearer sk_test_123"}, timeout=DEADLINE).status_code
    assert post("/v1/payment_intents", amount=2050, currency="usd") == 200
    assert post("/v1/payment_intents", amount=2050) == 400
    assert post("/v1/payment_intents", amount="much", currency="usd") == 400
    assert post("/v1/payment_intents", amount=2050, currency="usd", payment_methods="pm_card_visa") == 400
    assert post("/v1/refunds", payment_intents="pi_123") == 400
