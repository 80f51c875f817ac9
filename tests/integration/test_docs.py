"""The API's description is served as it is, and as a page for people (tools/docsgen.py)."""
import re

import html5lib
import pytest
import requests

from support import DEADLINE, ROOT, read_yaml

TEXT = (ROOT / "schemas/openapi.yaml").read_bytes()
DOCUMENT = read_yaml(ROOT / "schemas/openapi.yaml")


@pytest.fixture(scope="module")
def page(stack):
    answer = requests.get(stack.url + "/docs", timeout=DEADLINE)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer


@pytest.fixture(scope="module")
def tree(page):
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.content)


def test_programs_get_it_as_it_is(stack):
    answer = requests.get(stack.url + "/openapi.yaml", timeout=DEADLINE)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, TEXT, "application/yaml")
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Cache-Control"] == "no-cache"
    again = requests.get(stack.url + "/openapi.yaml", headers={"If-None-Match": answer.headers["ETag"]}, timeout=DEADLINE)
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_as_safe_as_the_others(stack, page):
    assert page.headers["Content-Security-Policy"] == requests.get(stack.url, timeout=DEADLINE).headers["Content-Security-Policy"]
    assert "<script" not in page.text and "style=" not in page.text and "Set-Cookie" not in page.headers


def test_the_page_has_everything(tree):
    there = {element.get("id") for element in tree.iter() if element.get("id")}
    operations = {operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values() if isinstance(operation, dict)}
    assert there >= operations and there >= {f"schema-{name}" for name in DOCUMENT["components"]["schemas"]}
    for link in (element.get("href") for element in tree.iter("a")):
        assert link in ("/", "/openapi.yaml") or link.removeprefix("#") in there, link


def test_it_says_what_there_is_to_know(tree):
    [article] = [element for element in tree.iter("article") if element.get("id") == "createPurchase"]
    words = re.sub(r"\s+", " ", " ".join(article.itertext()))
    for wanted in ("POST /api/purchases", "Who is signed in.", "Idempotency-Key header string (optional)", "NewPurchase", '"quantity": 2', "503",
                   "Retry-After"):
        assert wanted in words, wanted


def test_its_styles_are_there(stack, tree):
    styles = [element.get("href") for element in tree.iter("link")]
    assert len(styles) == 2
    for path in styles:
        assert requests.get(stack.url + path, timeout=DEADLINE).headers["Content-Type"] == "text/css; charset=utf-8"
