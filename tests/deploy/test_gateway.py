"""The chart's edge at work: Envoy Gateway takes every document, and a real Envoy does with requests what they say."""
import contextlib
import http.client
import json
import socket
import ssl
import time
import urllib.parse

import pytest
from requests.adapters import HTTPAdapter

from chart import LEAST, MATRIX, of, render
from common import ROOT
from gateway import Envoy, Translation, certificate, tls_secret
from load import Load
from pods import SERVICES
from support import DEADLINE, Replica, User, free_port, missing_id, wait_until

HOST = "onsale.test"
LIMITS = {"signIn": 2, "signUp": 1000, "orders": 2, "other": 10**9}


# --- as text ---

@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("keys"), HOST)


def translated(docs, keys, inside=None):
    """inside: the key, the certificate and the authority of what the edge shows to services."""
    namespace = docs[0]["metadata"]["namespace"]
    names = {ref["name"] for gateway in of(docs, "Gateway") for listener in gateway["spec"]["listeners"]
             for ref in listener.get("tls", {}).get("certificateRefs", [])}
    refs = [gateway["spec"]["tls"]["backend"]["clientCertificateRef"] for gateway in of(docs, "Gateway") if "tls" in gateway["spec"]]
    refs += [ref for policy in of(docs, "BackendTLSPolicy") for ref in policy["spec"]["validation"]["caCertificateRefs"]]
    secrets = [tls_secret(name, namespace, *keys) for name in names]
    secrets += [tls_secret(name, namespace, *(inside or (*keys, keys[1]))) for name in {ref["name"] for ref in refs}]
    return Translation(docs + secrets)


@pytest.mark.parametrize("name", [name for name in MATRIX if name not in ("no-edge", "others-gateway", "inside-ours")])
def test_accepted(name, keys, tmp_path):
    made = translated(render(MATRIX[name]), keys)
    said = list(made.conditions())
    kinds = {"Gateway", "HTTPRoute", "BackendTrafficPolicy", "ClientTrafficPolicy"} | ({"BackendTLSPolicy"} if name == "inside" else set())
    assert {kind for kind, _, _ in (what.partition(" ") for what, *_ in said)} == kinds
    assert [line for line in said if line[1] not in ("Accepted", "Programmed", "ResolvedRefs") or line[2] != "True"] == []
    listeners = [listener["name"] for listener in made.said["gateways"][0]["spec"]["listeners"]]
    ports = {service: [1] for service in made.services.values()}
    assert Envoy(made, tmp_path, ports, {name: free_port() for name in listeners}).check() is None


# --- at work ---

class Edge:
    """Envoy before a stack's services. Who comes from another of this machine's addresses is somebody else."""

    def __init__(self, stack, keys, directory, inside=None, **values):
        docs = render(LEAST, {"edge": {"host": HOST, "tlsSecret": "tls", "limits": LIMITS, **values}, "tls": {"inside": {"enabled": inside is not None}}})
        self.listeners, self.certificate = {"http": free_port(), "https": free_port()}, keys[1]
        self.ports = {f"shop-{name}": [urllib.parse.urlsplit(stack.env[f"{name.upper()}_URL"]).port] for name in SERVICES}
        self.envoy = Envoy(translated(docs, keys, inside), directory, self.ports, self.listeners)

    def tell(self, *ports):
        """Where the pods of tickets are."""
        self.envoy.tell(self.ports | {"shop-tickets": ports})

    def visitor(self, token=None, address="127.0.0.1", scheme="https"):
        user = User(f"{scheme}://127.0.0.1:{self.listeners[scheme]}", token)
        user.headers["Host"] = HOST
        user.verify = str(self.certificate)
        user.mount(f"{scheme}://", _At(address, scheme))
        return user


class _At(HTTPAdapter):
    """Connects from an address; asks for HOST, and takes its certificate alone."""

    def __init__(self, address, scheme):
        self.options = {"source_address": (address, 0)} | ({"server_hostname": HOST, "assert_hostname": HOST} if scheme == "https" else {})
        super().__init__()

    def init_poolmanager(self, *words, **options):
        super().init_poolmanager(*words, **options, **self.options)


@pytest.fixture(scope="module")
def edge(stack, keys, tmp_path_factory):
    made = Edge(stack, keys, tmp_path_factory.mktemp("envoy"))
    with made.envoy:
        yield made


def errors(answer):
    """In the contract's shape."""
    assert answer.headers["Content-Type"] == "application/json", answer.headers
    [error] = answer.json()["errors"]
    return error["message"]


def test_a_purchase(edge, stack):
    seller, buyer = (edge.visitor(token) for token in stack.tokens(2))
    ticket = seller.list_ticket("A seat behind the gate")
    order = buyer.place(ticket)

    def pay():
        answer = buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"})
        return answer.status_code != 404 and (answer,)
    assert wait_until(pay, "payments has heard of the order")[0].json()["status"] == "succeeded"
    wait_until(lambda: buyer.get(f"/api/orders/{order['id']}").json()["status"] == "complete", "the order is complete")
    page = buyer.get(f"/tickets/{ticket['id']}", headers={"Accept": "text/html"})
    assert page.status_code == 200 and "A seat behind the gate" in page.text


def test_http_leads_to_https(edge):
    answer = edge.visitor(scheme="http").get("/tickets?q=row", allow_redirects=False)
    assert answer.status_code == 301 and urllib.parse.urlsplit(answer.headers["Location"])._replace(netloc=HOST).geturl() == f"https://{HOST}/tickets?q=row"


def test_events_come_as_they_happen(edge):
    """An answer that does not end: its first bytes are there long before."""
    with edge.visitor().get("/live?since=", headers={"Accept": "text/event-stream"}, stream=True) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(answer.iter_lines())


@pytest.mark.parametrize("path", ["/api/nothing", "/.well-known/nothing", "/api"])
def test_paths_that_nobody_has(edge, path):
    answer = edge.visitor().get(path)
    assert answer.status_code == 404 and errors(answer) == "Not found"


def test_a_path_within_the_paths_of_another_service(edge, stack):
    [token] = stack.tokens(1)
    answer = edge.visitor(token).post("/api/Shows/00000000-0000-7000-8000-000000000000/codes", json={})
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "count", "orders answers"


def test_the_services_own_errors_stay(edge):
    answer = edge.visitor().post("/api/users/signup", json={"email": "nobody", "password": "x"})
    assert answer.status_code == 400 and {error["field"] for error in answer.json()["errors"]} == {"email", "password"}
    assert errors(edge.visitor().get("/api/tickets/00000000-0000-7000-8000-000000000000")) == "No such ticket"


def test_a_body_that_is_too_large(edge, stack):
    [token] = stack.tokens(1)
    answer = edge.visitor(token).post("/api/tickets", data=b'{"title":"' + b"x" * 70000 + b'"}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 413 and "too large" in errors(answer)


# --- limits ---

def asked(edge, address, method, path, body):
    """The status, the headers and the body of an answer to a request for this very path."""
    context = ssl.create_default_context(cafile=str(edge.certificate))
    with socket.create_connection(("127.0.0.1", edge.listeners["https"]), DEADLINE, (address, 0)) as plain:
        connection = http.client.HTTPConnection(HOST)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


def exhaust(ask, limit):
    """Asks until that is refused, and returns all answers: as many as the limit says, those that a slow machine's minutes grant, the refusal."""
    began, answers = time.monotonic(), [ask()]
    while answers[-1][0] != 429:
        answers.append(ask())
        assert len(answers) - 1 <= limit + (time.monotonic() - began) * limit / 60, [status for status, *_ in answers]
    assert len(answers) - 1 >= limit
    return answers


NOBODY = {"email": "nobody@example.com", "password": "wrong horse"}  # a 400
# Where one signs in, spelt as one may, and as one may not.
SPELT = ["/api/users/signin", "/api/users/signin/", "/API/Users/SignIn", "/api/users/signin?x=1", "/api/users/signin/?", "/api//users/signin",
         "/api/users/./signin", "/api/users/nobody/../signin", "/api/users/sign%69n", "/api/users/sign%69n?x"]
MISSPELT = ["/api/users%2fsignin", "/api/users/signin%2f", "/api/users/signin%20", "/api/users/signin;x"]


@pytest.mark.parametrize("number, path", [*enumerate(SPELT)])
def test_sign_ins_are_limited(edge, number, path):
    """However the path is spelt: what the service takes for it is counted."""
    def sign_in():
        return asked(edge, f"127.0.1.{number + 1}", "POST", path, NOBODY)
    (status, _, _), *_, (_, headers, text) = exhaust(sign_in, LIMITS["signIn"])
    assert status == 400 and json.loads(text) == {"errors": [{"message": "Too many requests, try again later"}]} and headers["Retry-After"] == "60"


@pytest.mark.parametrize("path", MISSPELT)
def test_nobody_signs_in_there(edge, path):
    assert asked(edge, "127.0.2.1", "POST", path, NOBODY)[0] in (307, 404)


def test_others_are_not_limited_by_it(edge):
    """Neither other addresses nor other requests of the same one; and whom a request claims to be from is nothing to go by."""
    def sign_in(address, **headers):
        answer = edge.visitor(address=address).post("/api/users/signin", json=NOBODY, headers=headers)
        return answer.status_code,
    exhaust(lambda: sign_in("127.0.3.1"), LIMITS["signIn"])
    assert sign_in("127.0.3.1", **{"X-Forwarded-For": "192.0.2.7"}) == (429,)
    assert sign_in("127.0.3.2") == (400,)
    assert edge.visitor(address="127.0.3.1").get("/api/tickets").status_code == 200


def test_behind_a_balancer(stack, keys, tmp_path):
    """It says whom it forwards for, behind whatever they say themselves."""
    edge = Edge(stack, keys, tmp_path, trustedHops=1)
    with edge.envoy:
        def sign_in(*hops):
            return edge.visitor().post("/api/users/signin", json=NOBODY, headers={"X-Forwarded-For": ", ".join(hops)}).status_code,
        exhaust(lambda: sign_in("192.0.2.1"), LIMITS["signIn"])
        assert sign_in("203.0.113.9", "192.0.2.1") == (429,)
        assert sign_in("192.0.2.2") == (400,)


def test_orders_are_limited(edge, stack):
    [token] = stack.tokens(1)
    buyer = edge.visitor(token, "127.0.4.1")
    exhaust(lambda: (buyer.post("/api/orders?x", json={"ticketId": missing_id()}).status_code,), LIMITS["orders"])
    assert buyer.get("/api/orders").status_code == 200, "looking is not limited"


@pytest.mark.parametrize("number, path", [*enumerate(["/tickets/{id}/buy", "/Tickets/{id}/buy/?x", "/shows/{id}/buy", "/shows/{id}/areas/{id}"])])
def test_pages_that_buy_are_limited_as_the_api(edge, number, path):
    """The form is refused by web, as it is nobody's: it counts all the same."""
    address = f"127.0.5.{number + 1}"
    (status, *_), *_, (_, headers, text) = exhaust(lambda: asked(edge, address, "POST", path.format(id=missing_id()), {}), LIMITS["orders"])
    assert status != 429 and headers["Retry-After"] == "60" and b"<html" in text
    assert edge.visitor(address=address).get("/").status_code == 200, "looking is not limited"


# --- breakers ---

LIVE = {"headers": {"Accept": "text/event-stream"}, "stream": True}


def next_live(edge):
    with edge.visitor().get("/live?since=", **LIVE) as answer:
        return answer.status_code == 200


def test_too_many_streams(stack, keys, tmp_path):
    """Those that are open go on, and so do the APIs."""
    edge = Edge(stack, keys, tmp_path, breakers={"streams": 3})
    with edge.envoy, contextlib.ExitStack() as streams:
        opened = [streams.enter_context(edge.visitor().get("/live?since=", **LIVE)) for _ in range(3)]
        lines = [answer.iter_lines() for answer in opened]  # kept: with them the connections would end
        assert {answer.status_code for answer in opened} == {200} and all(map(next, lines))
        more = edge.visitor().get("/live?since=", **LIVE)
        assert more.status_code == 503 and more.headers["Retry-After"] == "1"
        assert edge.visitor().get("/api/tickets").status_code == 200
        opened.pop().close()
        wait_until(lambda: next_live(edge), "there is room again")


def test_too_many_connections(stack, keys, tmp_path):
    edge = Edge(stack, keys, tmp_path, breakers={"connections": 3})
    with edge.envoy, contextlib.ExitStack() as connections:
        def connects():
            plain = connections.enter_context(socket.create_connection(("127.0.0.1", edge.listeners["http"]), DEADLINE))
            plain.sendall(f"GET /tickets HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            try:
                return plain.recv(1) and plain
            except ConnectionResetError:
                return None
        opened = [wait_until(connects, "it is let in") for _ in range(3)]
        assert not connects(), "the fourth"
        opened.pop().close()
        wait_until(connects, "there is room again")


# --- what is away ---

@pytest.mark.parametrize("name, path", [("payments", "/api/payments"), ("web", "/")])
def test_a_service_that_is_away(edge, stack, name, path):
    stack.supervisor("stop", name)
    try:
        answer = edge.visitor(stack.tokens(1)[0]).get(path)
    finally:
        stack.supervisor("start", name)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    if name == "web":
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.text.strip() == (ROOT / "dev/edge/error.html").read_text().strip()
    else:
        assert errors(answer) == "This part of Onsale is not running right now; try again in a moment"
    stack.wait_ready(name)
    wait_until(lambda: edge.visitor(stack.tokens(1)[0]).get(path).status_code == 200, "it is back")


def test_pods_come_and_go_and_no_request_is_lost(edge, stack):
    """A roll under load: the edge is told of a new pod, then no more of the old one, which ends when nobody is connected to it any more."""
    before = stack.topic("tickets").ends()
    with contextlib.ExitStack() as running:
        old, *others = [running.enter_context(Replica(stack, "tickets")).wait_ready() for _ in range(4)]
        edge.tell(old.http_port)
        load = running.enter_context(Load([edge], stack.tokens(4), Edge.visitor))
        for new in others:
            edge.tell(old.http_port, new.http_port)
            wait_until(lambda n=new: n.metric("onsale_http_connections") > 0, "both serve")
            edge.tell(new.http_port)
            wait_until(lambda o=old: o.metric("onsale_http_connections") == 0, "nobody is connected to the old one")
            assert old.terminate() == 0
            listed = len(load.listed)
            wait_until(lambda: len(load.listed) > listed + 50, "the new one serves alone")
            old = new
        edge.tell(*edge.ports["shop-tickets"])
        wait_until(lambda: old.metric("onsale_http_connections") == 0, "nobody is connected to the last one")
    assert load.failures == []
    load.assert_told(stack, before)


def test_a_pod_that_is_gone_already(edge, stack):
    """The edge still goes to it, and then to another one."""
    with Load([edge], stack.tokens(4), Edge.visitor) as load:
        edge.tell(*edge.ports["shop-tickets"], free_port())
        wait_until(lambda: len(load.listed) > 200, "tickets are being listed")
    edge.tell(*edge.ports["shop-tickets"])
    assert load.failures == []
