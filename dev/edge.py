"""The edge's configuration: which path goes to which service."""
from common import DEV, IS_ROOT, fill

PATHS = {
    "/api/users": "auth",
    "/.well-known/jwks.json": "auth",
    "/.well-known/onsale-ticket-keys.json": "tickets",
    "/api/tickets": "tickets",
    "/api/shows": "tickets",
    "/api/orders": "orders",
    "/api/purchases": "orders",
    "/api/payments": "payments",
}
PROXY = """\
        error-doc:
          - status: 502
            url: /.edge/502{page}
        proxy.reverse.url: http://127.0.0.1:{port}{path}
"""


def write_config(path, state, services):
    """services: the names of those that this stack has. Those that it has not are not found at the edge."""
    rest = path.with_name("edge-rest.rb")
    rest.write_text(fill(DEV / "edge/rest.rb", has_web="true" if "web" in services else "false"))
    text = fill(DEV / "edge/h2o.conf", port=state.ports["edge"], dev=DEV)
    for prefix, service in PATHS.items():
        if service in services:
            text += f"      {prefix}:\n" + PROXY.format(port=state.ports[service], path=prefix, page="")
    text += f"      /:\n        reproxy: ON\n        mruby.handler-file: {rest}\n"
    if "web" in services:
        text += PROXY.format(port=state.ports["web"], path="/", page=".html")
    if IS_ROOT:
        text += "user: root\n"  # or it would become nobody, who cannot read the checkout
    path.write_text(text)
