"""The audit trail: what is done to an account, and what is tried, is on the topic `audit`, with who and from where."""
import uuid

import pytest

from accounts import PASSWORD, WRONG, account, credentials, new_email, sign_in, token_of, visitor
from support import Replica, User, wait_until

NEW_PASSWORD = f"another horse {uuid.uuid4().hex}"


def sid(token):
    return User("", token).claims["sid"]


def trail(stack, count, since, **wanted):
    """The deeds with these fields, as soon as there are so many."""
    def found():
        deeds = [e for e in stack.topic("audit").events(since) if all(str(e[k]) == v for k, v in wanted.items())]
        return deeds if len(deeds) >= count else None
    return [(e["type"], e["outcome"], e["reason"]) for e in sorted(wait_until(found, f"{count} deeds of {wanted}"), key=lambda e: e["occurredAt"])]


@pytest.fixture
def since(stack):
    return stack.topic("audit").ends()


def test_the_life_of_an_account(stack, since):
    person = account(stack.url)
    first = person.cookies["session"]
    assert sign_in(stack.url, person.email, WRONG).status_code == 400
    second = token_of(sign_in(stack.url, person.email))
    person.delete(f"/api/users/sessions/{sid(second)}")
    third = token_of(sign_in(stack.url, person.email))
    User(stack.url, third).post("/api/users/signout")
    person.patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": WRONG})
    person.patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": PASSWORD})
    person.post("/api/users/me/delete", json={"currentPassword": WRONG})
    assert person.post("/api/users/me/delete", json={"currentPassword": NEW_PASSWORD}).status_code == 204
    assert trail(stack, 10, since, userId=person.id) == [
        ("SignUp", "Done", None), ("SignIn", "Refused", "password"), ("SignIn", "Done", None), ("SessionEnd", "Done", None), ("SignIn", "Done", None),
        ("SignOut", "Done", None), ("AccountChange", "Refused", "password"), ("AccountChange", "Done", "password"), ("AccountDelete", "Refused", "password"),
        ("AccountDelete", "Done", None)]
    deeds = {e["type"]: e for e in stack.topic("audit").events(since) if str(e["userId"]) == person.id}
    assert str(deeds["SignUp"]["sessionId"]) == sid(first)
    ended = deeds["SessionEnd"]
    assert (str(ended["sessionId"]), str(ended["subjectId"])) == (sid(first), sid(second))
    assert {(e["address"], e["network"]) for e in deeds.values()} == {("127.0.0.1", "127.0.0.0/24")}


def test_who_has_no_account(stack, since):
    email = new_email()
    assert sign_in(stack.url, email).status_code == 400
    assert ("SignIn", "Refused", "no account") in trail(stack, 1, since, reason="no account")
    assert email.encode() not in b"".join(r.value() for r in stack.topic("audit").records(since)), "what was typed may be anything"


def test_an_address_that_is_taken(stack, since):
    person = account(stack.url)
    assert User(stack.url).post("/api/users/signup", json=credentials(person.email)).status_code == 409
    assert trail(stack, 1, since, reason="taken") == [("SignUp", "Refused", "taken")]


def test_signed_out_everywhere(stack, since):
    person = account(stack.url)
    person.post("/api/users/signout?everywhere=true")
    assert trail(stack, 2, since, userId=person.id) == [("SignUp", "Done", None), ("SignOut", "Done", "everywhere")]


def test_a_flood_is_told_of_once_a_minute(stack, since):
    """Whoever sends more than may be tried does not fill the log; where nothing is counted each wrong password is on it all the same."""
    with Replica(stack, "auth", SIGNIN_RATE="3") as auth:
        auth.wait_ready()
        person = account(auth.url)
        guesser = visitor(auth.url, "127.77.1.2")
        tries = [guesser.post("/api/users/signin", json=credentials(person.email, WRONG)).status_code for _ in range(8)]
        assert tries == [400] * 3 + [429] * 5
    assert trail(stack, 5, since, userId=person.id)[1:] == [("SignIn", "Refused", "password")] * 3 + [("SignIn", "Refused", "too many")]
    with Replica(stack, "auth", SIGNIN_RATE="0") as auth:
        auth.wait_ready()
        sign_in(auth.url, person.email, WRONG)
    assert trail(stack, 6, since, userId=person.id)[-1] == ("SignIn", "Refused", "password")


@pytest.mark.parametrize("address, network", [
    ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48"), ("", "")])
def test_networks(stack, address, network):
    assert stack.sql("auth", "select network_of(%s)", address) == [(network,)]
