"""schemas/openapi.yaml is true: schemathesis calls every route it describes, with all of its checks, and finds no failure; and
it describes every route there is."""
import os
import re
import subprocess
import sys
import uuid

import jsonschema_rs
import pytest
import requests

from support import DEADLINE, ROOT, User, read_yaml

HERE = ROOT / "tests" / "integration"
DOCUMENT = read_yaml(ROOT / "schemas" / "openapi.yaml")
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


def follow(part):
    """What a reference within the document refers to; anything else itself."""
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    return DOCUMENT["components"][kind][name]


def body_schema(method, path):
    return DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]


def parameter_schema(method, path, name):
    there = [follow(parameter) for parameter in DOCUMENT["paths"][path][method.lower()]["parameters"]]
    [schema] = [parameter["schema"] for parameter in there if parameter["name"] == name]
    return schema


def fits(schema, value):
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]}, validate_formats=True).is_valid(value)


@pytest.fixture(scope="module")
def somebody(stack):
    return stack.user()


@pytest.mark.parametrize("method, path, size, status", [
    ("GET", "/api/nowhere", 0, 404), ("GET", "/api/tickets/x", 0, 404),
    ("PATCH", "/api/tickets", 0, 405), ("POST", "/api/tickets", 65537, 413), ("POST", "/api/users/signup", 65537, 413)])
def test_errors_outside_of_the_description_have_its_shape(stack, method, path, size, status):
    """Those of the edge, and those of paths and methods that are not described."""
    answer = requests.request(method, stack.url + path, data=b"x" * size, timeout=DEADLINE)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert fits(DOCUMENT["components"]["schemas"]["Errors"], answer.json()), answer.text


TICKET, ACCOUNT = {"title": "t", "price": 1}, {"email": "a@example.com", "password": "xq7zkw4v"}


@pytest.mark.parametrize("path, sound, change", [
    *[("/api/tickets", TICKET, {"title": title}) for title in (
        "x", "x" * 200, "x" * 201, "🎫" * 200, "🎫" * 201, " " * 9 + "x" * 200 + "\u3000\ufeff\n", "", " \u2003", "\0", "a\0b", None, 5)],
    *[("/api/tickets", TICKET, {"price": price}) for price in (
        0.5, 0.49, 0.505, 999999.99, 1000000, 0.57, 19.99, "0.50", "0.5", "0.49", "0", "1", "1.", ".5", "1.005", "007.10", "999999.99",
        "1000000", "1000000.00", "00999999", " 1", "1\n", "１", "", True, None)],
    *[("/api/tickets", TICKET, {"other": other}) for other in (None, 1e300, 10 ** 30, {"a": ["b"]}, "")],
    *[("/api/users/signup", ACCOUNT, {"email": email}) for email in (
        "a@b", "a@b.", "a@.b", "a@-b", "a@b-", "a b@c", "a@b@c", "é@b", "a@é", "", "@b", "a@", "a@b\n", ".a.@b", "!#$%&'*+/=?^_`{|}~-@b",
        "a" * 64 + "@b", "a" * 65 + "@b", "a@" + "b" * 63, "a@" + "b" * 64,
        "a@" + ".".join(["b" * 62] * 4), "a@" + ".".join(["b" * 63] * 4))],
    *[("/api/users/signup", ACCOUNT, {"password": password}) for password in ("x" * 7, "xq7zkw4v", "🎫" * 128, "x" * 129, "1234567\0", None)],
    *[("/api/payments", {"purchaseId": str(uuid.UUID(int=1)), "token": "pm_card_visa"}, change) for change in (
        {}, {"orderId": None}, {"orderId": str(uuid.UUID(int=1))}, {"orderId": "x"}, {"purchaseId": None}, {"purchaseId": "x"},
        {"purchaseId": None, "orderId": str(uuid.UUID(int=1))})],
    ("/api/orders", {"ticketId": str(uuid.UUID(int=1))}, {"ticketId": "x"}),
    *[("/api/purchases", {"showId": str(uuid.UUID(int=1)), "quantity": 1}, change) for change in (
        {"quantity": 0}, {"quantity": 8}, {"quantity": 9}, {"quantity": 1.5}, {"quantity": None}, {"showId": None}, {"maxPrice": 0},
        {"maxPrice": 0.01}, {"together": "x"}, {"ticketIds": [str(uuid.UUID(int=1))]})],
    *[("/api/purchases", {"ticketIds": [str(uuid.UUID(int=1))]}, change) for change in (
        {"ticketIds": []}, {"ticketIds": [str(uuid.UUID(int=n)) for n in range(9)]}, {"quantity": 1}, {"together": False},
        {"ticketIds": [str(uuid.UUID(int=1))] * 2}, {"ticketIds": [7]})],
    ("/api/orders", {"ticketId": str(uuid.UUID(int=1))}, {"ticketId": str(uuid.UUID(int=10 ** 38)).upper()})])
def test_bodies_are_refused_where_the_description_says(somebody, path, sound, change):
    """What random bodies hit by luck only: lengths and values just within and just beyond."""
    answer = somebody.post(path, json={**sound, **change})
    assert answer.status_code in (201, 400, 404, 409), answer.text
    assert fits(body_schema("POST", path), {**sound, **change}) == (answer.status_code != 400), answer.text


@pytest.mark.parametrize("other", ["\0", {"a\0": 1}, [["\0"]]])
def test_a_body_has_no_nul_anywhere(somebody, other):
    """As the description says in words, for no generator of clients knows the schema of any JSON without NUL, which refers to itself."""
    answer = somebody.post("/api/tickets", json={**TICKET, "other": other})
    assert answer.status_code == 400, answer.text
    assert "without NUL characters" in DOCUMENT["info"]["description"]


@pytest.mark.parametrize("name, value", [
    *[("q", q) for q in ("", "x" * 100, "x" * 101, "🎫" * 100, " " + "x" * 100 + "\u3000", "\0")],
    *[("limit", limit) for limit in (0, 1, 100, 101)], ("cursor", "x"), ("cursor", str(uuid.UUID(int=1)))])
def test_queries_are_refused_where_the_description_says(stack, name, value):
    answer = User(stack.url).get("/api/tickets", params={name: value})
    assert answer.status_code == (200 if fits(parameter_schema("GET", "/api/tickets", name), value) else 400), answer.text


@pytest.mark.parametrize("tag", ["*", "1", '"1"', '"1', '1"', "", '""', "1" * 9, "1" * 10, '"' + "1" * 9 + '"', 'W/"1"', "-1", "x"])
def test_versions_are_refused_where_the_description_says(somebody, tag):
    answer = somebody.put(f"/api/tickets/{somebody.list_ticket()['id']}", json=TICKET, headers={"If-Match": tag})
    assert answer.status_code in (200, 400, 412), answer.text
    assert fits(parameter_schema("PUT", "/api/tickets/{id}", "If-Match"), tag) == (answer.status_code != 400), answer.text


# --- which routes there are ---

def described():
    """{(method, path)}: the security it asks for."""
    return {(method.upper(), path): operation["security"]
            for path, item in DOCUMENT["paths"].items() for method, operation in item.items() if method in METHODS}


FORMS = {("POST", "/api/shows/{uuid}/picture-form")}  # of pages; programs have the same by another route


def implemented():
    """{(method, path)}: whether a session is required; read from the tables of routes."""
    routes = {}
    for file in sorted([*ROOT.glob("services/*/*.c"), *ROOT.glob("streams/*/*.c")]):
        if file.parent.name in ("web", "stripe-sandbox"):  # pages for people; Stripe's API, which Stripe describes
            continue
        for table in re.findall(r"const struct route \w+\[\] = \{(.*?)\n\};", file.read_text(), re.DOTALL):
            *rows, end, nothing = [row.strip() for row in re.sub(r"/\*.*?\*/", "", table, flags=re.DOTALL).split("},")]
            assert (end, nothing) == ("{0", ""), f"{file}: {end}"
            for row in rows:
                read = re.fullmatch(r'\{"([A-Z]+)",\s*"(/[^"]*)",\s*\w+,\s*(0|[A-Z_ |]+)', row)
                assert read, f"{file}: a route that is not understood: {row}"
                method, path, flags = read.groups()
                routes[method, path] = "ROUTE_SESSION" in flags
    assert routes.keys() >= FORMS
    return {route: session for route, session in routes.items() if route not in FORMS}


def anonymous(path):
    """Without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_it_describes_the_routes_that_there_are():
    there, said = implemented(), described()
    assert len(there) >= 11 and {(m, anonymous(p)) for m, p in there} == {(m, anonymous(p)) for m, p in said}


def test_it_says_who_must_be_signed_in():
    said = {(m, anonymous(p)): security != [] and {} not in security for (m, p), security in described().items()}
    assert said == {(m, anonymous(p)): session for (m, p), session in implemented().items()}
