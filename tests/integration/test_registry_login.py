"""The schema registry behind a proxy that wants to know who one is: our programs say so by SCHEMA_REGISTRY_USER, and nobody else gets in."""
import subprocess

import pytest
import requests

from support import DEADLINE, ROOT, Replica, free_port, wait_until

from common import program  # of dev/

USER, PASSWORD = "onsale", "p@ss: w/rd?"
CONFIG = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
userlist machines
    user {user} insecure-password "{password}"
frontend door
    bind 127.0.0.1:{port}
    http-request auth realm registry unless {{ http_auth(machines) }}
    default_backend registry
backend registry
    server registry {registry}
"""


@pytest.fixture(scope="module")
def door(stack, tmp_path_factory):
    """The registry's URL behind it."""
    url, port = stack.env["SCHEMA_REGISTRY_URL"], free_port()
    address, _, path = url.removeprefix("http://").partition("/")
    config = tmp_path_factory.mktemp("door") / "haproxy.cfg"
    config.write_text(CONFIG.format(user=USER, password=PASSWORD, port=port, registry=address))
    guarded = f"http://127.0.0.1:{port}/{path}"
    with subprocess.Popen([program("haproxy"), "-db", "-f", config], stdin=subprocess.DEVNULL) as proxy:
        def listens():
            assert proxy.poll() is None
            try:
                return requests.get(f"{guarded}/subjects", timeout=DEADLINE).status_code
            except requests.ConnectionError:
                return None
        try:
            assert wait_until(listens, "the proxy listens") == 401
            yield guarded
        finally:
            proxy.terminate()


def schemas(door, **settings):
    done = subprocess.run([ROOT / "build/release/schemas"], env={"SCHEMA_REGISTRY_URL": door, **settings}, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=DEADLINE)
    return done.returncode, done.stdout


def test_who_says_who_he_is_gets_in(door, tmp_path):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    code, said = schemas(door, SCHEMA_REGISTRY_USER=USER, SCHEMA_REGISTRY_PASSWORD_FILE=str(tmp_path / "password"))
    assert code == 0 and "orders-value has id" in said


@pytest.mark.parametrize("settings", [{}, {"SCHEMA_REGISTRY_USER": USER, "SCHEMA_REGISTRY_PASSWORD": "guessed"},
                                      {"SCHEMA_REGISTRY_USER": "nobody", "SCHEMA_REGISTRY_PASSWORD": PASSWORD}])
def test_nobody_else_does(door, settings):
    code, said = schemas(door, **settings)
    assert code == 78 and "401" in said, said
    assert PASSWORD not in said and "guessed" not in said


def test_a_service_publishes_by_it(stack, door):
    """It registers its schemas there before it is ready."""
    with Replica(stack, "tickets", SCHEMA_REGISTRY_URL=door, SCHEMA_REGISTRY_USER=USER, SCHEMA_REGISTRY_PASSWORD=PASSWORD) as replica:
        replica.wait_ready()
        assert "401" not in replica.output() and PASSWORD not in replica.output()
