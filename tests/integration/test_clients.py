"""Programs are written against schemas/openapi.yaml as it is: linters find nothing in it, and the clients that generators make of it, in four
languages, buy two seats together and pay them."""
import json
import os
import subprocess
import sys
import uuid

import pytest

from support import ROOT, User, read_yaml, wait_until
from venue import Venue

sys.path.insert(0, str(ROOT / "dev"))
import clients
import fetch

DOCUMENT = read_yaml(clients.OPENAPI)
OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values() if isinstance(operation, dict)}


@pytest.fixture(scope="module")
def show(stack, seller):
    """A row of eight seats: two for each client."""
    show = Venue(stack, seller)
    show.add("Stalls", rows=[2 * len(clients.LANGUAGES)])
    return show


@pytest.mark.parametrize("language", clients.LANGUAGES)
def test_a_generated_client_buys_two_seats_together(stack, show, language):
    email, password = f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex
    buyer = User(stack.url)
    assert buyer.post("/api/users/signup", json={"email": email, "password": password}).status_code == 201
    done = subprocess.run([*clients.LANGUAGES[language](), stack.url, email, password, show.id], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    purchase, payment, total, seats = done.stdout.splitlines()
    assert (payment, total) == ("succeeded", "40.00")
    row = [int(number) for number in seats.removeprefix("Stalls, row A, seats ").split("–")]
    assert row[1] == row[0] + 1, seats
    wait_until(lambda: buyer.get(f"/api/purchases/{purchase}").json()["status"] == "complete", "the purchase is complete")


# --- linters ---

def redocly(file):
    """Exit code and complaints, as data."""
    done = node("@redocly/cli/bin/cli.js", "lint", file, "--config", clients.SOURCE / "redocly.yaml", "--format", "json")
    return [problem["ruleId"] for problem in json.loads(done)["problems"]]


def spectral(file):
    done = node("@stoplight/spectral-cli/dist/index.js", "lint", file, "--ruleset", clients.SOURCE / "spectral.yaml", "--format", "json", "--quiet")
    return [problem["code"] for problem in json.loads(done)]


def node(program, *words):
    modules = fetch.node_modules(clients.SOURCE)
    return subprocess.run([fetch.node() / "bin/node", modules / program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}).stdout


@pytest.mark.parametrize("linter", [redocly, spectral])
def test_a_linter_finds_nothing(tmp_path, linter):
    assert linter(clients.OPENAPI) == []
    broken = tmp_path / "openapi.yaml"
    broken.write_text(clients.OPENAPI.read_text().replace("  contact: ", "  x-contact: ", 1))
    assert "info-contact" in linter(broken)


# --- what linters do not ask for ---

def follow(part):
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    return follow(DOCUMENT["components"][kind][name])


def has_example(media):
    """It has one itself or by its schema, or that of its items; each form of a choice. Bytes need none."""
    schema = follow(media["schema"])
    if schema.get("format") == "binary":
        return True
    if "anyOf" in schema:
        return all(has_example({"schema": form}) for form in schema["anyOf"])
    return "example" in media or "examples" in media or "examples" in schema or ("items" in schema and has_example({"schema": schema["items"]}))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_examples(name):
    answers = OPERATIONS[name]["responses"].values()
    for part in [OPERATIONS[name].get("requestBody", {}), *map(follow, answers)]:
        for media in part.get("content", {}).values():
            assert has_example(media)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_the_edge_answers_for_it(name):
    responses = OPERATIONS[name]["responses"]
    assert {status: responses.get(status) for status in ("405", "502", "503", "504")} == {
        status: {"$ref": f"#/components/responses/{answer}"}
        for status, answer in {"405": "NoSuchMethod", "502": "Away", "503": "Unavailable", "504": "TooSlow"}.items()}
