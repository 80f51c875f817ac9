"""The list of one's sessions: who is on it, and how they end."""
import uuid

import pytest

from accounts import PASSWORD, account, credentials, ends_everywhere, sign_in, signed_in, token_of
from support import User, refused, wait_until

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0"
NEW_PASSWORD = f"another horse {uuid.uuid4().hex}"


def sessions(person):
    answer = person.get("/api/users/sessions")
    assert answer.status_code == 200, answer.text
    return answer.json()


def id_of(token):
    return User("", token).claims["sid"]


@pytest.fixture
def person(stack):
    return account(stack.url)


def test_where_one_is_signed_in(stack, person):
    token = token_of(sign_in(stack.url, person.email, headers={"User-Agent": FIREFOX}))
    other = token_of(sign_in(stack.url, person.email, headers={"User-Agent": EDGE}))
    first, second, third = sessions(User(stack.url, other))
    assert [s["id"] for s in (first, second, third)] == [id_of(other), id_of(token), id_of(person.cookies["session"])]
    assert [s["current"] for s in (first, second, third)] == [True, False, False]
    assert [s.get("browser") for s in (first, second, third)] == ["Edge", "Firefox", None]
    assert {s["address"] for s in (first, second, third)} == {"127.0.0.1"}
    assert first["signedInAt"] > second["signedInAt"] > third["signedInAt"]
    assert [s["id"] for s in sessions(User(stack.url, token)) if s["current"]] == [id_of(token)]


def test_nobody_has_none(stack):
    refused(User(stack.url).get("/api/users/sessions"), 401)
    refused(User(stack.url).delete(f"/api/users/sessions/{uuid.uuid4()}"), 401)


def test_one_of_before_there_was_a_list(stack, person):
    """Who asks is on his list, and can end his session there."""
    token = person.cookies["session"]
    stack.sql("auth", "delete from sessions where user_id = %s", person.id)
    [own] = sessions(person)
    assert (own["id"], own["current"]) == (id_of(token), True) and "address" not in own
    assert person.delete(f"/api/users/sessions/{own['id']}").status_code == 204
    ends_everywhere(stack, token)


def test_one_of_before_sessions_had_ids(stack):
    assert sessions(stack.user()) == []


def test_another_device_is_signed_out(stack, person):
    token = person.cookies["session"]
    other = token_of(sign_in(stack.url, person.email))
    answer = User(stack.url, other).delete(f"/api/users/sessions/{id_of(token)}")
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (204, None)
    ends_everywhere(stack, token)
    assert signed_in(stack.url, other, "orders"), "that one stays signed in"
    assert [s["id"] for s in sessions(User(stack.url, other))] == [id_of(other)]
    event = stack.topic("users").of(person.id, 2)[1]
    assert (event["type"], str(event["sessionId"]), event["sessionVersion"]) == ("UserUpdated", id_of(token), 1)
    refused(User(stack.url, other).delete(f"/api/users/sessions/{id_of(token)}"), 404)


def test_this_device_is_signed_out(stack, person):
    token = person.cookies["session"]
    answer = person.delete(f"/api/users/sessions/{id_of(token)}")
    assert answer.status_code == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    ends_everywhere(stack, token)


def test_a_session_of_somebody_else_is_none_of_mine(stack, person):
    """Neither his, nor one that never was: the answer is the same, and nothing ends."""
    stranger = account(stack.url)
    for session in (id_of(person.cookies["session"]), str(uuid.uuid4())):
        refused(stranger.delete(f"/api/users/sessions/{session}"), 404)
    assert stack.sql("auth", "select version from users where id in (%s, %s)", person.id, stranger.id) == [(1,), (1,)]
    assert len(sessions(person)) == 1 and signed_in(stack.url, person.cookies["session"], "auth")


def rows(stack, person):
    return {str(row[0]) for row in stack.sql("auth", "select id from sessions where user_id = %s", person.id)}


def test_rows_end_with_their_sessions(stack, person):
    """Signed out, signed out everywhere, and by another password: only who changed it is on the list then."""
    first, second, third = person.cookies["session"], token_of(sign_in(stack.url, person.email)), token_of(sign_in(stack.url, person.email))
    assert rows(stack, person) == {id_of(first), id_of(second), id_of(third)}
    User(stack.url, first).post("/api/users/signout")
    assert rows(stack, person) == {id_of(second), id_of(third)}
    answer = User(stack.url, second).patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": PASSWORD})
    assert rows(stack, person) == {id_of(token_of(answer))}
    User(stack.url, token_of(answer)).post("/api/users/signout?everywhere=true")
    assert rows(stack, person) == set()


def test_another_address_goes_on_with_the_session(stack, person):
    """Where addresses are not verified nothing ends; the list has no second line for the same browser."""
    answer = person.patch("/api/users/me", json={"email": f"new-{person.email}", "currentPassword": PASSWORD})
    assert answer.status_code == 200
    [own] = sessions(person)
    assert (own["current"], own["id"]) == (True, id_of(token_of(answer)))


def test_a_repeated_sign_up_is_on_the_list(stack):
    body, key = credentials(), {"Idempotency-Key": str(uuid.uuid4())}
    tokens = [token_of(User(stack.url).post("/api/users/signup", json=body, headers=key)) for _ in range(2)]
    assert {s["id"] for s in sessions(User(stack.url, tokens[1]))} == {id_of(token) for token in tokens}


def test_the_list_has_an_end(stack, person):
    """With one more than 50 the oldest is signed out, wherever it is; nobody has sessions that he does not see."""
    oldest = person.cookies["session"]
    stack.sql("auth", "insert into sessions (id, user_id, version, expires_at, address) "
                      "select gen_random_uuid(), %s, 1, now() + interval '1 hour', '127.0.0.1' from generate_series(1, 49)", person.id)
    assert signed_in(stack.url, oldest, "auth") and len(sessions(person)) == 50
    fresh = token_of(sign_in(stack.url, person.email))
    ends_everywhere(stack, oldest)
    listed = {s["id"] for s in sessions(User(stack.url, fresh))}
    assert len(listed) == 50 and id_of(fresh) in listed and id_of(oldest) not in listed


def test_what_has_expired_is_swept(stack, person):
    session = str(uuid.uuid4())
    stack.sql("auth", "insert into sessions (id, user_id, version, expires_at, address) values (%s, %s, 1, now() - interval '1 s', '')",
              session, person.id)
    assert session not in {s["id"] for s in sessions(person)}
    sign_in(stack.url, account(stack.url).email)
    wait_until(lambda: session not in rows(stack, person), "whoever signs in sweeps")


def test_the_account_changes_while_somebody_signs_in(stack, person):
    """A session of before the change is not begun: the statement says so, and the password is looked at again."""
    begin = "select begun from begin_session(%s, %s, gen_random_uuid(), 60, '', null, 'x', null)"
    assert stack.sql("auth", begin, person.id, 1) == [(True,)]
    person.post("/api/users/signout?everywhere=true")
    assert stack.sql("auth", begin, person.id, 1) == [(False,)]
    assert stack.sql("auth", begin, str(uuid.uuid4()), 1) == [(False,)]
