"""The chart's edge before services that speak TLS and want to know who asks: a real Envoy, told by what Envoy Gateway makes of the chart (as in
test_gateway.py), before the services of ./onsale run --tls-inside."""
import pytest

from gateway import certificate
from pods import SERVICES
from support import stacks, wait_until
from test_gateway import HOST, Edge
from test_tls_inside import shown

import certificates  # as the next one, of dev/
import tls_inside


@pytest.fixture(scope="module")
def stack():
    with stacks() as make:
        yield make("--tls-inside")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("keys"), HOST)


def name_service(stack, service, *names):
    """Its certificate has these names from now on."""
    keys, before = stack.state / "keys", shown(stack, service)
    for file in (keys / f"inside-{service}.pem", keys / f"inside-{service}.key"):
        file.rename(file.with_suffix(f"{file.suffix}.old"))
    certificates.make_certificate(keys, f"inside-{service}", tls_inside.AUTHORITY, service, ",".join([*(f"DNS:{name}" for name in names), "IP:127.0.0.1"]))
    wait_until(lambda: shown(stack, service) != before, f"{service} shows it")


@pytest.fixture(scope="module")
def edge(stack, keys, tmp_path_factory):
    """The services have the names of the chart's."""
    for service in SERVICES:
        name_service(stack, service, service, f"shop-{service}")
    made = Edge(stack, keys, tmp_path_factory.mktemp("envoy"), own(stack))
    with made.envoy:
        yield made


def own(stack):
    files = stack.state / "keys"
    return files / "inside-edge.key", files / "inside-edge.pem", files / "inside-ca.pem"


def test_a_ticket_is_sold(edge, stack):
    seller, buyer = (edge.visitor(token) for token in stack.tokens(2))
    ticket = seller.list_ticket("A seat behind the gate")
    order = buyer.place(ticket)
    assert buyer.get(f"/api/orders/{order['id']}").status_code == 200
    answer = wait_until(lambda: (a := buyer.post("/api/payments", json={"orderId": order["id"], "token": "pm_card_visa"})).status_code != 404 and (a,),
                        "payments has heard of the order")[0]
    assert answer.json()["status"] == "succeeded"
    assert "A seat behind the gate" in buyer.get(f"/tickets/{ticket['id']}", headers={"Accept": "text/html"}).text


def test_events_come_as_they_happen(edge):
    with edge.visitor().get("/live?since=", headers={"Accept": "text/event-stream"}, stream=True) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(answer.iter_lines())


def test_a_stranger_is_refused(stack, keys, tmp_path):
    """An edge with a certificate of another authority."""
    files = tmp_path / "stranger"
    files.mkdir()
    certificates.make_authority(files, "ca")
    certificates.make_certificate(files, "edge", "ca", "edge", "DNS:edge")
    edge = Edge(stack, keys, tmp_path, (files / "edge.key", files / "edge.pem", own(stack)[2]))
    with edge.envoy:
        assert edge.visitor().get("/api/tickets").status_code == 503
    assert stack.metric("tickets", "onsale_http_tls_refused_total") > 0


def test_a_service_is_who_its_certificate_says(stack, edge, keys, tmp_path):
    name_service(stack, "tickets", "tickets", "shop-web")
    other = Edge(stack, keys, tmp_path, own(stack))
    with other.envoy:
        assert other.visitor().get("/api/tickets").status_code == 503
        name_service(stack, "tickets", "tickets", "shop-tickets")
        assert other.visitor().get("/api/tickets").status_code == 200
