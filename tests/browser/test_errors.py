"""Errors that no page's own code answers: people get a page that looks like ours, programs the contract's JSON."""
import pytest
import requests
from playwright.sync_api import expect

from support import DEADLINE, errors

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


# (method, path, body, status)
REFUSALS = [("POST", "/", b"", 405), ("PUT", "/orders", b"", 405), ("POST", "/signin", b"x" * 70000, 413)]


@pytest.mark.parametrize("method, path, body, status", REFUSALS, ids=["home", "orders", "signin"])
def test_people_get_pages_and_programs_json(stack, method, path, body, status):
    """413 comes from web itself."""
    url = stack.env["WEB_URL"] if status == 413 else stack.url

    def ask(accept):
        answer = requests.request(method, url + path, data=body, headers={"Accept": accept}, timeout=20)
        assert answer.status_code == status and (status != 405 or answer.headers["Allow"]), answer.text
        return answer
    page = ask(BROWSER)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8" and "<h1>" in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert errors(ask("application/json")) and errors(ask("*/*"))


def test_sent_too_much(people, stack):
    person = people.stranger(stack.env["WEB_URL"])
    person.go("/signup")
    person.page.locator("[name=email]").evaluate("(input) => { input.type = 'text'; input.value = 'x'.repeat(70000) }")
    person.page.locator("[name=password]").evaluate("(input) => { input.value = 'correct horse' }")
    person.send("Create account")
    expect(person.page.get_by_role("heading", level=1)).to_have_text("That is too much")
    expect(person.page.get_by_role("link", name="See what is on sale")).to_be_visible()


def test_the_web_client_is_away(people, stack):
    person = people.stranger()
    stack.supervisor("stop", "web")
    try:
        assert person.go("/account").status == 502
        expect(person.page.get_by_role("heading", level=1)).to_have_text("Not right now")
        assert requests.get(stack.url + "/api/tickets", timeout=DEADLINE).json() is not None
    finally:
        stack.supervisor("start", "web")
        stack.wait_ready("web")
    person.follow("Try again")
    person.sees("Sign in first")
