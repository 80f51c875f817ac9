"""schemas/openapi.yaml is true: schemathesis calls every route it describes, with all of its checks, and finds no failure; and
it describes every route there is."""
import os
import re
import subprocess
import sys
import uuid

import jsonschema
import pytest
import requests
import yaml

from support import ROOT, User

HERE = ROOT / "tests" / "integration"
DOCUMENT = yaml.safe_load((ROOT / "schemas" / "openapi.yaml").read_text())
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


# --- what it says of each route ---

def session_of_somebody(stack):
    user = User(stack.url)
    answer = user.post("/api/users/signup", json={"email": f"{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex})
    assert answer.status_code == 201, answer.text
    return answer.headers["Set-Cookie"].split("=", 1)[1].split(";")[0]


@pytest.mark.parametrize("who", ["a stranger", "bearer", "cookie"])
def test_the_description_is_true(stack, tmp_path, who):
    """As a stranger, and as somebody signed in by either way that the description offers. Every check is on by itself; --checks
    would overrule what schemathesis.toml says of single operations."""
    config = (HERE / "schemathesis.toml").read_text()
    if who != "a stranger":
        key = {"bearer": "bearer", "cookie": "api_key"}[who]
        config += f'\n[auth.openapi.{who}]\n{key} = "{session_of_somebody(stack)}"\n'
    (tmp_path / "schemathesis.toml").write_text(config)
    seller = stack.user()
    for n in range(20):
        seller.list_ticket(f"To be ordered {n}")  # nobody can order his own
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", tmp_path / "schemathesis.toml", "run",
               ROOT / "schemas" / "openapi.yaml", "--url", stack.url,
               "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "25", "--seed", "1", "--workers", "1",
               "--request-timeout", "20", "--generation-database", "none", "--continue-on-failure", "--no-color"]
    ran = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_checks", "PYTHONPATH": str(HERE)})
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert re.search(r"Tested: +%d\b" % len(described()), ran.stdout), ran.stdout[-2000:]


@pytest.mark.parametrize("method, path, size, status", [
    ("GET", "/api/nowhere", 0, 404), ("GET", "/nowhere", 0, 404), ("GET", "/api/tickets/x", 0, 404),
    ("PATCH", "/api/tickets", 0, 405), ("POST", "/api/tickets", 65537, 413), ("POST", "/api/users/signup", 65537, 413)])
def test_errors_outside_of_the_description_have_its_shape(stack, method, path, size, status):
    """Those of the edge, and those of paths and methods that are not described."""
    answer = requests.request(method, stack.url + path, data=b"x" * size, timeout=10)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    jsonschema.validate(answer.json(), DOCUMENT["components"]["schemas"]["Errors"])


# --- which routes there are ---

def described():
    """{(method, path)}: the security it asks for."""
    return {(method.upper(), path): operation.get("security", [{}])
            for path, item in DOCUMENT["paths"].items() for method, operation in item.items() if method in METHODS}


def implemented():
    """{(method, path)}: whether a session is required; read from the tables of routes in services/."""
    routes = {}
    for file in sorted((ROOT / "services").glob("*/*.c")):
        if file.parent.name == "web":  # pages for people
            continue
        for table in re.findall(r"const struct route \w+\[\] = \{(.*?)\n\};", file.read_text(), re.DOTALL):
            *rows, end, nothing = [row.strip() for row in re.sub(r"/\*.*?\*/", "", table, flags=re.DOTALL).split("},")]
            assert (end, nothing) == ("{0", ""), f"{file}: {end}"
            for row in rows:
                read = re.fullmatch(r'\{"([A-Z]+)",\s*"(/[^"]*)",\s*\w+,\s*(0|[A-Z_ |]+)', row)
                assert read, f"{file}: a route that is not understood: {row}"
                method, path, flags = read.groups()
                routes[method, path] = "ROUTE_SESSION" in flags
    return routes


def anonymous(path):
    """Without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_it_describes_the_routes_that_there_are():
    there, said = implemented(), described()
    assert len(there) >= 11 and {(m, anonymous(p)) for m, p in there} == {(m, anonymous(p)) for m, p in said}


def test_it_says_who_must_be_signed_in():
    said = {(m, anonymous(p)): {} not in security for (m, p), security in described().items()}
    assert said == {(m, anonymous(p)): session for (m, p), session in implemented().items()}
