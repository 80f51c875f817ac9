"""Attacks on whoever is signed in, by pages that the browser also shows: each does what a page of another site can make it do."""
import pytest
import requests

from accounts import account, cookie, sign_in
from support import DEADLINE, Replica, User, refused

EVIL = "https://evil.example"
TICKET = {"title": "Mine, for a song", "price": 1}


@pytest.fixture(scope="module")
def victim(stack):
    """Signed in by a cookie, as browsers are."""
    return account(stack.url)


def send(stack, victim, method="POST", path="/api/tickets", **how):
    return requests.request(method, stack.url + path, cookies={"session": victim.cookies["session"]}, timeout=DEADLINE, **how)


@pytest.mark.parametrize("told", [
    {"Origin": EVIL}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": ""}, {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
], ids=str)
def test_another_sites_page_lists_a_ticket_in_my_name(stack, victim, told):
    refused(send(stack, victim, json=TICKET, headers=told), 401, "Sign in")
    refused(send(stack, victim, "PATCH", "/api/users/me", json={"currentPassword": "x", "password": "y" * 9}, headers=told), 401)
    refused(send(stack, victim, "POST", "/api/orders", json={"ticketId": victim.id}, headers=told), 401)
    refused(send(stack, victim, "DELETE", f"/api/orders/{victim.id}", headers=told), 401)


def test_another_sites_page_reads_who_i_am(stack, victim):
    assert send(stack, victim, "GET", "/api/users/currentuser", headers={"Origin": EVIL}).json() == {"currentUser": None}
    refused(send(stack, victim, "GET", "/api/orders", headers={"Origin": EVIL}), 401)


def test_a_body_that_says_not_what_it_is(stack, victim):
    """A page may send any text as text/plain, and a Blob without a type, without the question of CORS before."""
    text = '{"title": "Mine, for a song", "price": 1}'
    for content_type in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        refused(send(stack, victim, data=text, headers=content_type), 400, "Content-Type")


def test_our_own_pages_and_programs_may(stack, victim):
    for told in ({}, {"Origin": stack.url}, {"Origin": stack.url, "Sec-Fetch-Site": "same-origin"}):
        assert send(stack, victim, json=TICKET, headers=told).status_code == 201
    assert send(stack, victim, path=f"/api/shows/{victim.id}/queue").status_code == 404, "where there is no body, none has a type"
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}  # followed from elsewhere
    assert send(stack, victim, "GET", "/api/users/currentuser", headers=link).json()["currentUser"]["id"] == victim.id
    bearer = User(stack.url, victim.cookies["session"])
    for told in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        assert bearer.post("/api/tickets", json=TICKET, headers=told).status_code == 201, "a token is sent on purpose"
    assert bearer.post("/api/tickets", data='{"title": "No type", "price": 1}').status_code == 201


def test_a_neighbour_of_the_domain_sets_my_cookie(stack, victim):
    """Over https our cookies have a prefix that browsers let only this host set; so the name without it says nothing."""
    with Replica(stack, "auth") as replica:
        del replica.environment["SECURE_COOKIES"]
        replica.kill()
        replica.start().wait_ready()
        name, token, attributes = cookie(sign_in(replica.url, victim.email))
        assert name == "__Host-session" and attributes["secure"] and attributes["path"] == "/" and "domain" not in attributes

        def current_user(cookie_name, **told):
            answer = requests.get(replica.url + "/api/users/currentuser", headers={"Cookie": f"{cookie_name}={token}", **told}, timeout=DEADLINE)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            return answer.json()["currentUser"]
        assert current_user("session") is None
        assert current_user("__Host-session")["id"] == victim.id
        own = replica.url.partition("://")[2]
        assert current_user("__Host-session", Origin=f"https://{own}")["id"] == victim.id
        assert current_user("__Host-session", Origin=f"http://{own}") is None, "a page that came without TLS may be anybody's"


def test_it_is_without_https_that_the_stack_runs(stack, victim):
    assert "Strict-Transport-Security" not in send(stack, victim, "GET", "/api/users/currentuser").headers
