"""Between the edge and the services, and among these, everything goes by TLS with certificates on both sides (./onsale run --tls-inside): Onsale works by it,
and who has no certificate of the authority inside gets nothing from a service.
"""
import html
import os
import socket
import ssl
import subprocess
import time
import urllib.parse

import pytest
import requests

from shows import add_area, announce, known, made, make_show
from support import BUILD, DEADLINE, wait_until
from test_web_live import Stream, change, known_since

import certificates  # as the next ones, of dev/
import processes
import tls_inside
from state import State

APIS = ("auth", "tickets", "orders", "payments", "waiting", "web")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack("--tls-inside", "--hold", "20")


@pytest.fixture(scope="module")
def stranger(stack, tmp_path_factory):
    """Files as the edge's, of another authority."""
    keys = tmp_path_factory.mktemp("stranger")
    certificates.make_authority(keys, "ca")
    certificates.make_certificate(keys, "edge", "ca", "edge", "DNS:edge")
    return str(keys / "edge.pem"), str(keys / "edge.key")


def ours(stack):
    return stack.env["INTERNAL_TLS_CERT"], stack.env["INTERNAL_TLS_KEY"]


def ask(stack, service, cert):
    url = stack.env[f"{service.upper()}_URL"]
    return requests.get(f"{url}/nowhere", cert=cert, verify=stack.env["INTERNAL_TLS_CA"], timeout=DEADLINE)


def shown(stack, service):
    """The certificate that a service shows."""
    context = ssl.create_default_context(cafile=stack.env["INTERNAL_TLS_CA"])
    context.load_cert_chain(*ours(stack))
    url = urllib.parse.urlsplit(stack.env[f"{service.upper()}_URL"])
    with socket.create_connection((url.hostname, url.port), timeout=DEADLINE) as plain, context.wrap_socket(plain, server_hostname=url.hostname) as spoken:
        return spoken.getpeercert(binary_form=True)


# --- it works ---

def test_a_ticket_is_sold(stack):
    seller, buyer = stack.user(), stack.user()
    order = buyer.place(seller.list_ticket())
    answer = wait_until(lambda: (a := buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"})).status_code != 404 and (a,),
                        "payments knows the order")[0]
    assert answer.status_code == 201, answer.text
    wait_until(lambda: buyer.get(f"/api/orders/{order['id']}").json()["status"] == "complete", "it is complete")


def test_webhooks_come_by_the_edge(stack):
    """The stand-in for Stripe has no certificate."""
    assert processes.own_environment(State(stack.state), "stripe-sandbox")["SANDBOX_WEBHOOK_URL"].startswith(f"{stack.url}/")
    wait_until(lambda: '"/api/payments/webhook","status":200' in stack.logs("payments"), "payments is told")


def test_pages_show_what_the_services_say(stack):
    seller = stack.user()
    title = f"A seat behind the pillar {os.getpid()}"
    ticket = seller.list_ticket(title)
    assert title in stack.user().get(f"/tickets/{ticket['id']}").text
    show = make_show(seller)
    made(seller, show, area := add_area(seller, show)), known(seller, show, area)
    announce(seller, show)
    assert show["title"] in html.unescape(stack.user().get(f"/shows/{show['id']}").text)


def test_pages_stay_true(stack):
    """And a page that is left is forgotten: its end comes behind bytes of TLS that nobody reads."""
    seller = stack.user()
    ticket = seller.list_ticket()
    with Stream(stack.url, known_since(stack.url), cards=[(ticket["id"], 1)]) as stream:
        assert stream.status == 200
        stream.begun()
        change(seller, ticket, 21)
        wait_until(lambda: stream.cards() == [("available", 2)], "the new price is told")
        assert stack.metric("web", "onsale_live_streams") == 1
    wait_until(lambda: stack.metric("web", "onsale_live_streams") == 0, "it is forgotten")


# --- who is refused ---

@pytest.mark.parametrize("service", APIS)
def test_a_client_needs_a_certificate_of_ours(stack, stranger, service):
    assert ask(stack, service, ours(stack)).status_code == 404
    for cert in (None, stranger):
        with pytest.raises(requests.ConnectionError):
            ask(stack, service, cert)
    with pytest.raises(requests.ConnectionError):
        requests.get(stack.env[f"{service.upper()}_URL"].replace("https", "http") + "/nowhere", timeout=DEADLINE)
    assert stack.metric(service, "onsale_http_tls_refused_total") >= 3


def test_probes_and_metrics_are_open(stack):
    assert all(stack.ready(service) for service in APIS)
    assert all(stack.metric(service, "onsale_http_tls_not_after_seconds") > time.time() for service in APIS)


# --- files that change ---

def replace(stack, service, name):
    """A new certificate and key of a service, with this name in it; the key is there a moment earlier."""
    keys, ours = stack.state / "keys", f"inside-{service}"
    for old in (keys / f"{ours}.pem", keys / f"{ours}.key"):
        old.rename(old.with_suffix(f"{old.suffix}.old"))
    certificates.make_certificate(keys, ours, tls_inside.AUTHORITY, name, f"DNS:{name},IP:127.0.0.1")


def test_a_renewed_certificate_is_taken_up(stack):
    before, pid = shown(stack, "tickets"), stack.pid("tickets")
    replace(stack, "tickets", "tickets")
    wait_until(lambda: shown(stack, "tickets") != before, "the new one is shown")
    assert stack.pid("tickets") == pid
    assert stack.user().get("/api/tickets").status_code == 200


def test_a_useless_file_changes_nothing(stack):
    before, file = shown(stack, "orders"), stack.state / "keys/inside-orders.key"
    good = file.read_bytes()
    file.write_text("no key")
    wait_until(lambda: "inside-orders.key: not a key in PEM" in stack.logs("orders"), "it is said")
    assert shown(stack, "orders") == before
    file.write_bytes(good)


def test_the_edge_knows_who_answers(stack):
    """Not a service with a certificate of our authority that is another's."""
    asker, url, before = stack.user(), f"/api/shows/{stack.user().id}/queue", shown(stack, "waiting")
    assert asker.get(url).status_code == 404
    replace(stack, "waiting", "web")
    wait_until(lambda: shown(stack, "waiting") != before, "the wrong one is shown")
    stack.onsale("restart", "edge")  # else it goes on with connections that it has
    assert asker.get(url).status_code in (502, 503)
    before = shown(stack, "waiting")
    replace(stack, "waiting", "waiting")
    wait_until(lambda: shown(stack, "waiting") != before, "its own is shown")
    assert asker.get(url).status_code == 404


@pytest.mark.parametrize("setting, value, words", [
    ("HTTP_TLS_CERT", "/nowhere/tls.crt", "HTTP_TLS_CERT, HTTP_TLS_KEY, HTTP_TLS_CLIENT_CA: /nowhere/tls.crt: No such file or directory"),
    ("HTTP_TLS_KEY", "", "HTTP_TLS_CERT, HTTP_TLS_KEY, HTTP_TLS_CLIENT_CA: a certificate and its key must be given, both"),
    ("INTERNAL_TLS_CA", os.devnull, "INTERNAL_TLS_*: /dev/null: no certificate in PEM"),
])
def test_a_useless_file_at_the_start_ends_it(stack, setting, value, words):
    environment = {key: str(text) for key, text in processes.own_environment(State(stack.state), "tickets").items()}
    done = subprocess.run([BUILD / "tickets"], env=environment | {setting: value}, text=True, capture_output=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (os.EX_CONFIG, f"tickets: {words}\n")
