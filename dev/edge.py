"""The edge's configuration: which path goes to which service. Letter case is no matter, as it is none to the services. How much a
request may carry is theirs to say.
"""
import os

import tls_inside
from common import DEV, fill

PATHS = {
    "/api/shows/*/codes": "orders",  # one segment is *; such a path stands before those that fit, too
    "/api/shows/*/queue": "waiting",
    "/api/users": "auth",
    "/.well-known/jwks.json": "auth",
    "/.well-known/onsale-ticket-keys.json": "tickets",
    "/api/tickets": "tickets",
    "/api/shows": "tickets",
    "/api/orders": "orders",
    "/api/purchases": "orders",
    "/api/payments": "payments",
}
CONNECTIONS = "4000"  # of one address at a time
THREADS = 2  # a third has little to do before the services take all the rest
JSON = "application/json"
NOT_FOUND = '{"errors":[{"message":"Not found"}]}'
WELCOME = r'{"name":"Onsale","what":"a ticket marketplace","try":["/api/tickets","/api/users/currentuser"]}'
# What the edge answers by itself, in the shape of the APIs.
ERRORS = {
    "400 Bad Request": "The request is not well formed HTTP",
    "408 Request Timeout": "The request did not come to its end in time",
    "502 Bad Gateway": "This part of Onsale is not running right now; try again in a moment",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _answer(status, kind, body, *headers):
    head = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body.encode())}", *headers, "connection: close"]
    return "\r\n".join(head) + "\r\n\r\n" + body


def _write_errors(directory):
    directory.mkdir(exist_ok=True)
    for status, message in ERRORS.items():
        (directory / f"{status[:3]}.http").write_text(_answer(status, JSON, f'{{"errors":[{{"message":"{message}"}}]}}'), newline="")
    page = (DEV / "edge/error.html").read_text()
    (directory / "page.http").write_text(_answer("502 Bad Gateway", "text/html; charset=utf-8", page, f"content-security-policy: {POLICY}",
                                                 "cache-control: no-store"), newline="")


def _return(status, body, condition=""):
    return f"  http-request return status {status} content-type {JSON} string '{body}' {condition}\n"


def _acl(prefix, service):
    if "*" in prefix:
        return f"  acl is_{service} path_reg -i ^{prefix.replace('*', '[^/]+')}(/|$)\n"
    return f"  acl is_{service} path -i {prefix}\n  acl is_{service} path_beg -i {prefix}/\n"


def write_config(path, state, services):
    """services: the names of those that this stack has. Those that it has not are not found at the edge."""
    errors = path.with_name("edge-errors")
    _write_errors(errors)
    text = fill(DEV / "edge/haproxy.cfg", port=state.ports["edge"], errors=errors, threads=min(THREADS, os.cpu_count()),
                most=os.environ.get("EDGE_CONNECTIONS", CONNECTIONS))
    routes = {prefix: service for prefix, service in PATHS.items() if service in services}
    names = "".join(_acl(prefix, service) for prefix, service in routes.items())
    others = "".join(f" !is_{service}" for service in dict.fromkeys(routes.values()))
    text += names + _return(404, NOT_FOUND, f"if {{ path_beg -i /api/ /.well-known/ }}{others}")
    if "web" not in services:
        text += _return(200, WELCOME, "if { path / }") + _return(404, NOT_FOUND, f"if {others}" if others else "")
    text += "".join(f"  use_backend {service} if is_{service}\n" for service in dict.fromkeys(routes.values()))
    if "web" in services:
        text += "  default_backend web\n"
    for service in dict.fromkeys([*routes.values(), *(["web"] if "web" in services else [])]):
        text += f"\nbackend {service}\n  server {service} 127.0.0.1:{state.ports[service]}{tls_inside.edge_server(state, service)}\n"
        if service == "web":
            text += "".join(f"  errorfile {status} {errors}/page.http\n" for status in (502, 503, 504))
    path.write_text(text)
