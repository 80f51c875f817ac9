"""Attacks by whoever has somebody's session: it is worth nothing once its owner has ended it, in any service."""
import uuid

import pytest

from accounts import PASSWORD, QUESTIONS, account, ends_everywhere, sign_in, signed_in, token_of
from support import ROOT, Replica, User, refused, wait_until
from waits import answered

NEW_PASSWORD = f"another horse {uuid.uuid4().hex}"


@pytest.fixture
def stolen(stack):
    """Somebody with two sessions, the first of which a thief has."""
    person = account(stack.url)
    person.stolen, person.other = person.cookies["session"], token_of(sign_in(stack.url, person.email))
    assert all(signed_in(stack.url, person.stolen, part) for part in QUESTIONS)
    return person


def test_a_token_outlives_its_sign_out(stack, stolen):
    assert User(stack.url, stolen.stolen).post("/api/users/signout").status_code == 200
    ends_everywhere(stack, stolen.stolen)
    assert all(signed_in(stack.url, stolen.other, part) for part in QUESTIONS), "another device stays signed in"
    event = stack.topic("users").of(stolen.id, 2)[1]
    assert (event["type"], event["version"], event["sessionVersion"]) == ("UserUpdated", 2, 1)
    assert str(event["sessionId"]) == User(stack.url, stolen.stolen).claims["sid"]


def test_a_token_outlives_a_changed_password(stack, stolen):
    owner = User(stack.url, stolen.other)
    answer = owner.patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": PASSWORD})
    assert answer.status_code == 200
    fresh = token_of(answer)
    ends_everywhere(stack, stolen.stolen)
    ends_everywhere(stack, stolen.other)
    assert all(signed_in(stack.url, fresh, part) for part in QUESTIONS), "whoever changed it stays signed in"
    assert signed_in(stack.url, token_of(sign_in(stack.url, stolen.email, NEW_PASSWORD)), "orders")


def test_the_thief_changes_the_password_first(stack, stolen):
    """With a session that has ended, and before the news of it has come to auth from the topic."""
    assert User(stack.url, stolen.other).post("/api/users/signout?everywhere=true").status_code == 200
    refused(User(stack.url, stolen.stolen).patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": PASSWORD}), 401)


def test_signed_out_everywhere(stack, stolen):
    assert User(stack.url, stolen.other).post("/api/users/signout?everywhere=true").status_code == 200
    ends_everywhere(stack, stolen.stolen)
    ends_everywhere(stack, stolen.other)
    assert all(signed_in(stack.url, token_of(sign_in(stack.url, stolen.email)), part) for part in QUESTIONS)


def test_a_stranger_ends_sessions(stack, stolen):
    """Without the session, or with another's cookie from a page elsewhere, nothing ends."""
    for thief, headers in ((User(stack.url), {}), (User(stack.url), {"Cookie": f"session={stolen.other}", "Origin": "https://evil.example"})):
        assert thief.post("/api/users/signout?everywhere=true", headers=headers).status_code == 200
    assert stack.sql("auth", "select version, session_version from users where id = %s", stolen.id) == [(1, 1)]


def test_a_service_that_was_away_when_it_ended(stack, stolen):
    """One that starts later reads what has ended."""
    assert User(stack.url, stolen.stolen).post("/api/users/signout").status_code == 200
    ends_everywhere(stack, stolen.stolen)
    with Replica(stack, "orders") as replica:
        replica.wait_ready()
        wait_until(lambda: not signed_in(replica.url, stolen.stolen, "orders"), "a new replica knows it, too")
        assert signed_in(replica.url, stolen.other, "orders")


def test_many_sign_out_at_once(stack):
    """Several devices of one person in one batch: each ends."""
    person = account(stack.url)
    tokens = [token_of(sign_in(stack.url, person.email)) for _ in range(4)]
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda token: answered(lambda: User(stack.url, token).post("/api/users/signout")).status_code, tokens))
    assert answers == [200] * 4
    for token in tokens:
        wait_until(lambda: not signed_in(stack.url, token, "orders"), "it has ended")
    versions = stack.sql("auth", "select array_agg(version order by seq) from user_events where id = %s", person.id)
    assert versions == [([1, 2, 3, 4, 5],)]


@pytest.mark.parametrize("asked, done, events", [
    ([(1, False)] * 3, [True] * 3, 1), ([(1, False), (2, False)], [True, False], 1), ([(1, False), (2, True), (3, False)], [True] * 3, 1)])
def test_one_session_floods_a_batch(stack, asked, done, events):
    """What ends the same comes with one event, however often it is asked for; only for another session is asked again."""
    person = account(stack.url)
    columns = {"$1::uuid[]": [person.id] * len(asked), "$2::uuid[]": [str(uuid.UUID(int=n)) for n, _ in asked],
               "$3::bool[]": [everywhere for _, everywhere in asked], "$4::text[]": [""] * len(asked),
               "$5::uuid[]": [str(uuid.UUID(int=n)) for n, _ in asked], "$6::text[]": [""] * len(asked)}
    statement = (ROOT / "services/auth/sql/end_sessions.sql").read_text()
    for parameter, values in columns.items():
        statement = statement.replace(parameter, "array[" + ", ".join(f"'{value}'" for value in values) + "]" + parameter[2:])
    assert [row[1] for row in stack.sql("auth", statement)] == done
    assert stack.sql("auth", "select version from users where id = %s", person.id) == [(1 + events,)]
    assert len(stack.sql("auth", "select 1 from user_events where id = %s", person.id)) == 1 + events


@pytest.mark.parametrize("query", ["everywhere=", "everywhere=1", "everywhere=True"])
def test_malformed(stack, query):
    refused(User(stack.url).post(f"/api/users/signout?{query}"), 400)
