"""Pages of other origins call the API from a browser: those that CORS_ORIGINS lists."""
import subprocess

import pytest
import requests

from support import DEADLINE, ROOT, Replica

SHOP = "https://shop.example"
PREFLIGHT = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type,idempotency-key"}


def allowed(answer):
    """What it says to browsers, without names that begin all the same."""
    return {name.lower().removeprefix("access-control-"): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("service, path", [("auth", "/api/users/signin"), ("tickets", "/api/tickets"), ("orders", "/api/purchases"),
                                           ("payments", "/api/payments")])
def test_a_listed_origin(stack, service, path):
    with Replica(stack, service, CORS_ORIGINS=f"http://127.0.0.1:5173,{SHOP}") as replica:
        replica.wait_ready()
        asked = requests.options(replica.url + path, headers=PREFLIGHT, timeout=DEADLINE)
        assert (asked.status_code, asked.content) == (204, b"")
        assert "POST" in asked.headers["Access-Control-Allow-Methods"].split(", ")
        assert set(map(str.lower, asked.headers["Access-Control-Allow-Headers"].split(", "))) >= {"authorization", "content-type", "idempotency-key"}
        answer = requests.post(replica.url + path, headers={"Origin": SHOP}, data="no JSON", timeout=DEADLINE)
        assert answer.status_code in (400, 401)
        assert allowed(answer) == {"allow-origin": SHOP, "expose-headers": "ETag, Link, Location, Retry-After"}
        other = requests.post(replica.url + path, headers={"Origin": "https://other.example"}, timeout=DEADLINE)
        assert allowed(other) == {} and other.headers["Vary"] == "Origin"


def test_a_page_reads_what_it_needs(stack, seller):
    """Such as the version that an edit starts from."""
    with Replica(stack, "tickets", CORS_ORIGINS=SHOP) as replica:
        replica.wait_ready()
        ticket = seller.list_ticket()
        answer = requests.get(f"{replica.url}/api/tickets/{ticket['id']}", headers={"Origin": SHOP}, timeout=DEADLINE)
        assert answer.headers["ETag"] == '"1"' and allowed(answer)["allow-origin"] == SHOP


def test_it_is_off_by_default(stack):
    asked = requests.options(stack.url + "/api/tickets", headers=PREFLIGHT, timeout=DEADLINE)
    assert asked.status_code == 405 and allowed(asked) == {}
    answer = requests.get(stack.url + "/api/tickets", headers={"Origin": SHOP}, timeout=DEADLINE)
    assert answer.status_code == 200 and allowed(answer) == {} and "Vary" not in answer.headers


@pytest.mark.parametrize("origins", ["*", "null", f"{SHOP}/"])
def test_what_is_no_origin(stack, origins):
    with Replica(stack, "tickets", CORS_ORIGINS=origins) as replica:
        assert replica.process.wait(DEADLINE) == 78
        assert f'CORS_ORIGINS: must be origins like https://shop.example, got "{origins}"' in replica.output()


def test_pages_have_no_such_setting():
    """Whoever is signed in there has a cookie."""
    said = subprocess.run([ROOT / "build/release/web", "--help"], capture_output=True, text=True, check=True).stdout
    assert "HTTP_PORT" in said and "CORS_ORIGINS" not in said
