"""TLS between the edge and the services, and among these (./onsale run --tls-inside), as a deployment can have it: each has a certificate of an authority
that this stack alone knows, and takes only who has one, too. Not with it: the ports of probes and metrics, and the sandbox, which stands outside.
"""
from certificates import join, make_authority, make_certificate

EDGE = "edge"
AUTHORITY = "inside-ca"


def scheme(state):
    return "https" if state.tls_inside else "http"


def files(state, name):
    """The authority, the certificate and its key."""
    keys = state.dir / "keys"
    make_authority(keys, AUTHORITY)
    make_certificate(keys, f"inside-{name}", AUTHORITY, name, f"DNS:{name},IP:127.0.0.1")
    return {"CA": keys / f"{AUTHORITY}.pem", "CERT": keys / f"inside-{name}.pem", "KEY": keys / f"inside-{name}.key"}


def caller_environment(state, name):
    """What it shows where it calls, and whom it trusts there."""
    return {f"INTERNAL_TLS_{key}": str(path) for key, path in files(state, name).items()} if state.tls_inside else {}


def environment(state, name):
    """Of a service or stream."""
    if not state.tls_inside:
        return {}
    own = files(state, name)
    listens = {"HTTP_TLS_CERT": own["CERT"], "HTTP_TLS_KEY": own["KEY"], "HTTP_TLS_CLIENT_CA": own["CA"]}
    return {key: str(path) for key, path in listens.items()} | caller_environment(state, name)


def edge_server(state, name):
    """What HAProxy's line of a service says more. A service is who its certificate says."""
    if not state.tls_inside:
        return ""
    own, both = files(state, EDGE), "inside-edge-both.pem"
    join(state.dir / "keys", "inside-edge", both)
    return f" ssl verify required ca-file {own['CA']} crt {state.dir}/keys/{both} verifyhost {name}"
