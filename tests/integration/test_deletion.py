"""An account is deleted: nobody is left who could sign in by it, be written to, or be found by his address."""
import uuid

import pytest

from accounts import PASSWORD, WRONG, account, credentials, ends_everywhere, sign_in, signed_in, token_of
from support import Replica, User, refused, wait_until


def delete(person, password=PASSWORD, **more):
    return person.post("/api/users/me/delete", json={"currentPassword": password}, **more)


@pytest.fixture
def person(stack):
    return account(stack.url)


def test_an_account_is_deleted(stack, person):
    """All sessions end in every service, and nothing is left in auth's tables."""
    here, there = person.cookies["session"], token_of(sign_in(stack.url, person.email))
    answer = delete(person)
    assert answer.status_code == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    for token in (here, there):
        ends_everywhere(stack, token)
    refused(sign_in(stack.url, person.email), 400)
    for table, column in (("users", "id"), ("sessions", "user_id"), ("links", "user_id"), ("letter_events", "user_id")):
        assert stack.sql("auth", f"select count(*) from {table} where {column} = %s", person.id) == [(0,)], table
    assert stack.sql("auth", "select count(*) from user_events where lower(email) = lower(%s)", person.email) == [(0,)]


def test_the_topic_forgets_it(stack, person):
    """First an event that ends all sessions, then a record without a value, in that order in its partition."""
    assert delete(person).status_code == 204
    created, ended, tombstone = stack.topic("users").of(person.id, 3)
    assert created["email"] == person.email and not created["deleted"]
    assert (ended["type"], ended["version"], ended["sessionVersion"], ended["email"], ended["deleted"]) == ("UserUpdated", 2, 2, "", True)
    assert tombstone.tombstone and tombstone.key == person.id and not ended.tombstone
    assert ended.offset < tombstone.offset and ended.position < tombstone.position


def test_a_tombstone_alone_ends_all_sessions(stack):
    """Whatever compaction has left: also of sessions that began before they had versions."""
    somebody = stack.user()
    token = somebody.headers["Authorization"].removeprefix("Bearer ")
    assert signed_in(stack.url, token, "orders")
    stack.topic("users").produce_raw((somebody.id, None))
    ends_everywhere(stack, token)


def test_a_service_that_was_away(stack, person):
    token = person.cookies["session"]
    assert delete(person).status_code == 204
    ends_everywhere(stack, token)
    with Replica(stack, "orders") as replica:
        replica.wait_ready()
        wait_until(lambda: not signed_in(replica.url, token, "orders"), "a new replica knows it, too")


def test_the_address_can_sign_up_anew(stack, person):
    body = credentials(person.email)
    assert delete(person).status_code == 204
    again = User(stack.url).post("/api/users/signup", json=body)
    assert again.status_code == 201 and again.json()["id"] != person.id
    assert signed_in(stack.url, token_of(again), "orders"), "he is somebody else, whose sessions have not ended"
    assert sign_in(stack.url, person.email).json()["id"] == again.json()["id"]


def test_an_idempotency_key_of_the_sign_up_is_free(stack):
    body, key = credentials(), {"Idempotency-Key": str(uuid.uuid4())}
    first = User(stack.url)
    told = first.post("/api/users/signup", json=body, headers=key).json()
    assert delete(first).status_code == 204
    assert User(stack.url).post("/api/users/signup", json=body, headers=key).json()["id"] != told["id"]


def test_only_by_its_password(stack, person):
    refused(delete(person, WRONG), 400, "Current password")
    refused(person.post("/api/users/me/delete", json={}), 400, "Current password")
    refused(delete(User(stack.url)), 401)
    refused(delete(User(stack.url), headers={"Cookie": f"session={person.cookies['session']}", "Origin": "https://evil.example"}), 401)
    assert signed_in(stack.url, person.cookies["session"], "auth")
    assert stack.sql("auth", "select version from users where id = %s", person.id) == [(1,)]


def test_a_session_that_has_ended_deletes_nothing(stack, person):
    """Before the news of it has come to auth from the topic."""
    token = person.cookies["session"]
    assert User(stack.url, token_of(sign_in(stack.url, person.email))).post("/api/users/signout?everywhere=true").status_code == 200
    refused(delete(User(stack.url, token)), 401)
    assert stack.sql("auth", "select count(*) from users where id = %s", person.id) == [(1,)]


def test_once_more(stack, person):
    """As good as done while the session still counts, and of one event; then nobody is signed in."""
    token = person.cookies["session"]
    answers = [delete(User(stack.url, token)).status_code for _ in range(2)]
    assert answers[0] == 204 and answers[1] in (204, 401)
    ends_everywhere(stack, token)
    refused(delete(User(stack.url, token)), 401)
    assert stack.sql("auth", "select deleted, tombstone from user_events where id = %s order by seq", person.id) == [(True, False), (True, True)]


def test_twice_in_a_batch(stack, person):
    [(known,)] = stack.sql("auth", "select password_hash from users where id = %s", person.id)
    each = "select verdict from unnest(array[%s, %s, 'stale']) as h (hash) cross join lateral delete_account(%s, h.hash)"
    assert stack.sql("auth", each, "stale", known, person.id) == [("stale",), ("done",), ("gone",)]


def test_what_was_bought_stays(stack, person):
    """Holds lapse and payments end by themselves: an order of his goes on to its end."""
    seller = stack.user()
    order = person.place(seller.list_ticket(price=20))
    assert delete(person).status_code == 204
    assert stack.sql("orders", "select user_id, status from orders where id = %s", order["id"]) == [(uuid.UUID(person.id), "created")]
