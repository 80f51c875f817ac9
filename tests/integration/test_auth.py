"""The contract of auth, route by route: answers, failures, cookies, events. What limits it is in test_auth_rates.py, what it lives
through in test_auth_life.py."""
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import PASSWORD, WRONG, account, cookie, credentials, current_user, hashes, new_email, sign_in, token_of
from support import Replica, User, errors, wait_until

EMAIL_ERROR = ("email", "Email must be an e-mail address")
PASSWORD_ERROR = ("password", "Password must have 8 to 128 characters")
IN_USE = [("email", "Email in use")]
WRONG_PASSWORD = [("currentPassword", "Current password is wrong")]


@pytest.fixture(scope="module")
def known(stack):
    """An account that nobody changes."""
    return account(stack.url)


def patch_me(person, **body):
    return person.patch("/api/users/me", json=body)


# --- POST signup ---

def test_sign_up(stack):
    body = credentials()
    person = User(stack.url)
    answer = person.post("/api/users/signup", json=body)
    assert answer.status_code == 201
    shown = answer.json()
    assert shown == {"id": shown["id"], "email": body["email"]}
    assert uuid.UUID(shown["id"]).version == 7
    me = current_user(stack.url, token_of(answer))
    assert (me["id"], me["email"]) == (shown["id"], shown["email"])
    assert person.get("/api/users/currentuser").json()["currentUser"] == me, "the cookie does what Bearer does"
    [event] = stack.topic("users").of(shown["id"], 1)
    assert {k: str(v) for k, v in event.items() if k != "occurredAt"} == {
        "type": "UserCreated", "id": shown["id"], "version": "1", "email": body["email"], "sessionVersion": "1", "sessionId": "None", "deleted": "False"}
    assert event.key == shown["id"]
    assert event.headers["type"] == "UserCreated"
    assert int(event.headers["epoch"]) > 0 and event.position > (0, 0)
    assert abs(event["occurredAt"].timestamp() - me["iat"]) < 60


def test_trace_goes_from_request_to_event(stack):
    trace = uuid.uuid4().hex
    person = account_with(stack, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    patched = person.patch("/api/users/me", json={"email": new_email(), "currentPassword": PASSWORD},
                           headers={"traceparent": f"00-{trace[::-1]}-00f067aa0ba902b7-01"})
    assert patched.status_code == 200
    created, updated = stack.topic("users").of(person.id, 2)
    assert (created.headers["traceparent"][3:35], updated.headers["traceparent"][3:35]) == (trace, trace[::-1])


def account_with(stack, **headers):
    person = User(stack.url)
    answer = person.post("/api/users/signup", json=credentials(), headers=headers)
    assert answer.status_code == 201
    person.id = answer.json()["id"]
    return person


@pytest.mark.parametrize("path", ["signup", "signin"])
def test_all_errors_at_once(stack, path):
    required = [("email", "Email is required"), ("password", "Password is required")]
    for body, wanted in [
            ({}, required), ({"email": None, "password": None}, required),
            ({"email": 5, "password": ["x" * 10]}, [EMAIL_ERROR, ("password", "Password must be a string")]),
            ({"email": "nobody", "password": None}, [EMAIL_ERROR, ("password", "Password is required")]),
            ({"email": {"a": "b@c"}, "password": True}, [EMAIL_ERROR, ("password", "Password must be a string")])]:
        answer = User(stack.url).post(f"/api/users/{path}", json=body)
        assert (answer.status_code, errors(answer)) == (400, wanted), body
        assert "Set-Cookie" not in answer.headers
    answer = User(stack.url).post("/api/users/signup", json={"email": "x", "password": "short"})
    assert (answer.status_code, errors(answer)) == (400, [EMAIL_ERROR, PASSWORD_ERROR])


LABEL = "l" * 63
GOOD_EMAILS = [  # UNIQUE: 8 characters
    "UNIQUE@b", "UNIQUE.y+z@sub.example.co", "o'UNIQUE@example.com", "!#$%&'*+/=?^_`{|}~-UNIQUE@x.y", "UNIQUE" + "a" * 56 + "@example.com",
    ".UNIQUE..@x-y.z", "m@UNIQUE." + ".".join([LABEL, LABEL, LABEL, "l" * 51])]
BAD_EMAILS = ["", " ", "@", "a@", "@b", "ab", "a@b@c", "a b@c", "a@b c", " a@b.c", "a@b.c ", "a@b.c\n", "a\r\nBcc: x@y@b.c", "a@-b", "a@b-", "a@b..c",
              "a@.b", "a@b.", "a@b_c", "a" * 65 + "@b.c", "a@" + "l" * 64, "a@" + ".".join([LABEL, LABEL, LABEL, "l" * 61]), "x" * 60000 + "@b.c",
              "ü@example.com", "a@exämple.com", "a@例え.jp", "\u212a@example.com", "a@b\u3002com", "a@b.c\u200b", "\u202ea@b.c", "a,b@c", "\"a b\"@c",
              "<a@b.c>", "a@[127.0.0.1]", "a\tb@c", "a;b@c", "a\\@b", "a@b.c,d@e.f"]


@pytest.mark.parametrize("email", GOOD_EMAILS, ids=range(len(GOOD_EMAILS)))
def test_emails_taken(stack, email):
    email = email.replace("UNIQUE", uuid.uuid4().hex[:8])
    person = account(stack.url, email=email)
    assert sign_in(stack.url, email).json() == {"id": person.id, "email": email}


@pytest.mark.parametrize("email", BAD_EMAILS, ids=range(len(BAD_EMAILS)))
def test_emails_refused(stack, known, email):
    before = hashes((stack, "auth"))
    for answer in (User(stack.url).post("/api/users/signup", json=credentials() | {"email": email}),
                   User(stack.url).post("/api/users/signin", json=credentials() | {"email": email}),
                   patch_me(known, email=email, currentPassword=PASSWORD)):
        assert (answer.status_code, errors(answer)) == (400, [EMAIL_ERROR])
    assert hashes((stack, "auth")) == before, "nothing is hashed for them"


@pytest.mark.parametrize("password", ["8 chars!", "x" * 128, "🔑" * 128, "пароль пароль", " " * 8, "a\nb\tc\"d\\", "$argon2id$v=19$m=8,t=1,p=1$"])
def test_passwords_taken(stack, password):
    email = new_email()
    account(stack.url, email=email, password=password)
    assert sign_in(stack.url, email, password).status_code == 200
    for other in (password + "x", password[:-1], password.swapcase() + " "):
        assert sign_in(stack.url, email, other).status_code == 400


@pytest.mark.parametrize("password", ["", "7 chars", "x" * 129, "🔑" * 7, "🔑" * 129, "x" * 60000])
def test_passwords_refused(stack, known, password):
    before = hashes((stack, "auth"))
    for answer in (User(stack.url).post("/api/users/signup", json=credentials(password=password)),
                   patch_me(known, password=password, currentPassword=PASSWORD)):
        assert (answer.status_code, errors(answer)) == (400, [PASSWORD_ERROR])
    assert hashes((stack, "auth")) == before


ODD_BODIES = {
    "NUL in the e-mail": rb'{"email":"a\u0000@b.c","password":"12345678"}', "NUL in the password": rb'{"email":"a@b.c","password":"1234567\u00008"}',
    "NUL byte": b'{"email":"a@b.c","password":"1234567\x008"}', "duplicate e-mail": b'{"email":"a@b.c","email":"d@e.f","password":"12345678"}',
    "surrogate": rb'{"email":"a@b.c","password":"1234567\ud800"}', "not UTF-8": b'{"email":"a@b.c","password":"1234567\xff"}',
    "an array": b'[{"email":"a@b.c","password":"12345678"}]', "truncated": b'{"email":"a@b.c","password":"12345678"', "deep": b'{"email":' + b"[" * 40,
}


@pytest.mark.parametrize("name", ODD_BODIES)
@pytest.mark.parametrize("path", ["POST signup", "POST signin", "PATCH me"])
def test_odd_bodies(stack, known, path, name):
    method, path = path.split()
    answer = known.request(method, f"/api/users/{path}", data=ODD_BODIES[name], headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    [(field, _)] = errors(answer)
    assert field is None and "Set-Cookie" not in answer.headers


def test_body_over_the_limit(stack):
    port = stack.status()["auth"]["port"]
    for url in (stack.url, f"http://127.0.0.1:{port}"):
        answer = User(url).post("/api/users/signin", json=credentials(password="x" * 65536))
        assert answer.status_code == 413
        errors(answer)
    longest = User(stack.url).post("/api/users/signin", json=credentials(password="x" * 65000))
    assert (longest.status_code, errors(longest)) == (400, [(None, "Invalid credentials")]), "long passwords may be tried"


def test_form_posts_are_refused(stack):
    """Or a page of somebody else's could sign its visitors in as another."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        answer = User(stack.url).post("/api/users/signin", data=b'{"email":"a@b.c","password":"12345678"}', headers={"Content-Type": kind})
        assert answer.status_code == 400
        errors(answer)


def test_email_in_use_whatever_its_letter_case(stack):
    first = account(stack.url)
    for email in (first.email, first.email.upper(), first.email.title()):
        answer = User(stack.url).post("/api/users/signup", json=credentials(email))
        assert (answer.status_code, errors(answer)) == (409, IN_USE)
        assert "Set-Cookie" not in answer.headers
    assert sign_in(stack.url, first.email.upper()).json() == {"id": first.id, "email": first.email}, "as its owner wrote it"


def test_twenty_sign_ups_of_one_email_at_once(stack):
    rounds, before = 4, hashes((stack, "auth"))[1]
    for _ in range(rounds):
        email, gate = new_email(), threading.Barrier(20)

        def sign_up(n):
            mixed = "".join(c.upper() if (n >> i % 5) & 1 else c for i, c in enumerate(email))
            gate.wait()
            return User(stack.url).post("/api/users/signup", json=credentials(mixed))
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(sign_up, range(20)))
        assert sorted(a.status_code for a in answers) == [201] + [409] * 19
        [winner] = [a for a in answers if a.status_code == 201]
        assert all(errors(a) == IN_USE and "Set-Cookie" not in a.headers for a in answers if a is not winner)
        assert sign_in(stack.url, email).json() == winner.json()
        assert stack.sql("auth", "select id::text, email from users where lower(email) = %s", email) == [tuple(winner.json().values())]
        assert stack.sql("auth", "select count(*) from user_events where lower(email) = %s", email) == [(1,)]
    assert hashes((stack, "auth"))[1] > before + rounds, "they did race: more got as far as the hash than were signed up"


# --- Idempotency-Key ---

def sign_up_with(stack, key, body):
    return User(stack.url).post("/api/users/signup", json=body, headers={"Idempotency-Key": key})


def test_idempotency_key(stack):
    key, body = str(uuid.uuid4()), credentials()
    first, again = sign_up_with(stack, key, body), sign_up_with(stack, key, body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert current_user(stack.url, token_of(again))["id"] == first.json()["id"]
    for other in (credentials(), body | {"password": WRONG}, credentials(password=WRONG)):
        answer = sign_up_with(stack, key, other)
        assert answer.status_code == 422
        assert "Set-Cookie" not in answer.headers
        errors(answer)
    assert User(stack.url).post("/api/users/signup", json=body).status_code == 409, "without the key it is a sign-up like any other"
    assert sign_up_with(stack, str(uuid.uuid4()), body).status_code == 409, "as with another"
    assert stack.sql("auth", "select count(*) from user_events where id = %s", first.json()["id"]) == [(1,)]


def test_idempotency_key_raced(stack):
    key, body, gate = str(uuid.uuid4()), credentials(), threading.Barrier(16)

    def sign_up(n):
        gate.wait()
        return sign_up_with(stack, key, body if n % 4 else credentials())
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(sign_up, range(16)))
    won = [a for a in answers if a.status_code == 201]
    assert {a.status_code for a in answers} == {201, 422}
    assert len({a.json()["id"] for a in won}) == 1, "one account, whoever asked how often"
    assert len(won) in (1, 12), "all of those with the body that came first"


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a b"])
@pytest.mark.parametrize("path", ["signup", "signin", "signout"])
def test_idempotency_key_malformed(stack, path, key):
    answer = User(stack.url).post(f"/api/users/{path}", json=credentials(), headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 400
    assert [field for field, _ in errors(answer)] == ["Idempotency-Key"]


# --- POST signin ---

def test_sign_in(stack, known):
    for key in ({}, {"Idempotency-Key": "same"}, {"Idempotency-Key": "same"}):
        answer = sign_in(stack.url, known.email, headers=key)
        assert (answer.status_code, answer.json()) == (200, {"id": known.id, "email": known.email})
        assert current_user(stack.url, token_of(answer))["id"] == known.id
    assert stack.sql("auth", "select count(*) from user_events where id = %s", known.id) == [(1,)], "no event of it"


def test_wrong_password_and_unknown_email_look_alike(stack, known):
    """Byte for byte, and in the work done for it, so in the time it takes."""
    def seen(email, password):
        before = hashes((stack, "auth"))
        answer = sign_in(stack.url, email, password)
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in ("date", "traceparent")}
        work = tuple(after - b for after, b in zip(hashes((stack, "auth")), before))
        return answer.status_code, answer.reason, headers, answer.content, work
    wrong = seen(known.email, WRONG)
    assert wrong[0] == 400 and wrong[3] == b'{"errors":[{"message":"Invalid credentials"}]}' and wrong[4] == (1, 0)
    for email, password in [(new_email(), WRONG), (new_email(), PASSWORD), (known.email.upper(), WRONG), (known.email, ""), (new_email(), ""),
                            (known.email, "x" * 1000), (new_email(), "x" * 1000)]:
        assert seen(email, password) == wrong


# --- the cookie ---

def test_cookie(stack, known):
    answer = sign_in(stack.url, known.email)
    name, value, attributes = cookie(answer)
    assert name == "session" and len(value.split(".")) == 3
    assert attributes == {"path": "/", "httponly": True, "samesite": "Lax", "max-age": str(12 * 3600)}, "the stack says: no Secure"
    claims = User(stack.url, value).claims
    assert claims["exp"] - claims["iat"] == 12 * 3600 and claims["sub"] == known.id
    assert answer.headers["Cache-Control"] == "no-store"


def test_cookies_are_secure_unless_told_otherwise(stack, known):
    with Replica(stack, "auth", SESSION_TTL="90s") as replica:
        del replica.environment["SECURE_COOKIES"]
        replica.kill()
        replica.start().wait_ready()
        answer = sign_in(replica.url, known.email)
        lasting = {"path": "/", "httponly": True, "samesite": "Lax", "secure": True}
        assert (cookie(answer)[0], cookie(answer)[2]) == ("__Host-session", lasting | {"max-age": "90"})
        out = User(replica.url).post("/api/users/signout")
        assert cookie(out) == ("__Host-session", "", lasting | {"max-age": "0"})


def test_hash_parameters(stack):
    """The defaults; what a setting changes; and an old hash made anew when its owner signs in."""
    def parameters(person):
        [[kept]] = stack.sql("auth", "select password_hash from users where id = %s", person.id)
        return kept.split("$")[1:4]
    with Replica(stack, "auth") as replica:
        for name in ("HASH_MEMORY", "HASH_PASSES"):
            replica.environment.pop(name, None)
        replica.kill()
        replica.start().wait_ready()
        person = account(replica.url)
        assert parameters(person) == ["argon2id", "v=19", "m=65536,t=2,p=1"]
    with Replica(stack, "auth", HASH_MEMORY="8", HASH_PASSES="3") as replica:
        replica.wait_ready()
        assert sign_in(replica.url, person.email, WRONG).status_code == 400
        assert parameters(person)[2] == "m=65536,t=2,p=1"
        for made in (1, 1):  # once, and then never again
            assert sign_in(replica.url, person.email).status_code == 200
            assert parameters(person)[2] == "m=8192,t=3,p=1" and hashes(replica)[1] == made
    assert stack.sql("auth", "select version from users where id = %s", person.id) == [(1,)], "nothing that an event would tell"


# --- POST signout, GET currentuser ---

def test_sign_out(stack):
    person = account(stack.url)
    answer = person.post("/api/users/signout")
    assert (answer.status_code, answer.json()) == (200, {})
    assert cookie(answer) == ("session", "", {"path": "/", "httponly": True, "samesite": "Lax", "max-age": "0"})
    assert person.get("/api/users/currentuser").json() == {"currentUser": None}
    assert person.post("/api/users/signout").status_code == 200, "nobody may sign out, too"


def test_current_user(stack, known):
    answer = known.get("/api/users/currentuser")
    assert answer.status_code == 200
    me = answer.json()["currentUser"]
    assert me == {"id": known.id, "email": known.email, "iat": me["iat"]} and isinstance(me["iat"], int)
    token = known.cookies["session"]
    for headers in ({}, {"Cookie": "session="}, {"Cookie": "session=x.y.z"}, {"Authorization": f"Bearer {token}x"}, {"Authorization": "Basic eDp5"},
                    {"Cookie": f"other={token}"}, {"Authorization": f"Bearer {token[:-4]}AAAA"}):
        answer = User(stack.url).get("/api/users/currentuser", headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"currentUser": None}), "never 401"
    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"bearer  {token}"}, {"Cookie": f"a=b; session={token}; c=d"},
                    {"Cookie": f'session="{token}"'}):
        assert User(stack.url).get("/api/users/currentuser", headers=headers).json()["currentUser"] == me


# --- PATCH me ---

def test_change_email(stack):
    person = account(stack.url)
    old, new = person.email, new_email()
    answer = patch_me(person, email=new, currentPassword=PASSWORD)
    assert (answer.status_code, answer.json()) == (200, {"id": person.id, "email": new})
    assert current_user(stack.url, token_of(answer))["email"] == new
    assert sign_in(stack.url, old).status_code == 400 and sign_in(stack.url, new).status_code == 200
    assert account(stack.url, email=old).id != person.id, "the old one is free for others"


def test_change_password(stack):
    person = account(stack.url)
    new = f"{PASSWORD} anew"
    answer = patch_me(person, password=new, currentPassword=PASSWORD)
    assert (answer.status_code, answer.json()) == (200, {"id": person.id, "email": person.email})
    assert cookie(answer)[2]["httponly"] and current_user(stack.url, token_of(answer))["id"] == person.id
    assert sign_in(stack.url, person.email).status_code == 400, "the old one no longer works"
    assert sign_in(stack.url, person.email, new).status_code == 200
    assert errors(patch_me(person, email=new_email(), currentPassword=PASSWORD)) == WRONG_PASSWORD


def test_events_of_changes(stack):
    person, second = account(stack.url), new_email()
    assert patch_me(person, email=second, currentPassword=PASSWORD).status_code == 200
    assert patch_me(person, password=WRONG, currentPassword=PASSWORD).status_code == 200
    assert patch_me(person, email=person.email, password=PASSWORD, currentPassword=WRONG).status_code == 200
    events = stack.topic("users").of(person.id, 4)
    assert [(e["type"], e["version"], e["email"]) for e in events] == [
        ("UserCreated", 1, person.email), ("UserUpdated", 2, second), ("UserUpdated", 3, second), ("UserUpdated", 4, person.email)]
    assert all(e.key == person.id == str(e["id"]) and e.headers["type"] == e["type"] for e in events)
    assert len({e.partition for e in events}) == 1
    assert [e.position for e in events] == sorted({e.position for e in events}) and [e.offset for e in events] == sorted(e.offset for e in events)


def test_change_refused(stack, known):
    other = account(stack.url)
    before = stack.sql("auth", "select * from users where id = %s", other.id)
    for body, status, wanted in [
            ({}, 400, [("currentPassword", "Current password is required")]),
            ({"currentPassword": PASSWORD}, 400, [(None, "Give a new email, a new password, or both")]),
            ({"currentPassword": PASSWORD, "email": None, "password": None}, 400, [(None, "Give a new email, a new password, or both")]),
            ({"email": "x", "password": "y", "currentPassword": 5}, 400,
             [EMAIL_ERROR, PASSWORD_ERROR, ("currentPassword", "Current password must be a string")]),
            ({"email": new_email(), "currentPassword": WRONG}, 400, WRONG_PASSWORD),
            ({"email": known.email, "currentPassword": WRONG}, 400, WRONG_PASSWORD),
            ({"email": known.email.upper(), "password": WRONG, "currentPassword": PASSWORD}, 409, IN_USE),
            ({"email": new_email(), "currentPassword": ""}, 400, WRONG_PASSWORD)]:
        answer = patch_me(other, **body)
        assert (answer.status_code, errors(answer)) == (status, wanted), body
        assert "Set-Cookie" not in answer.headers
    assert stack.sql("auth", "select * from users where id = %s", other.id) == before
    assert patch_me(other, email=other.email.upper(), currentPassword=PASSWORD).status_code == 200, "one's own in other letters is free"


def test_change_needs_a_session(stack):
    for headers, body in [({}, "not json"), ({"Authorization": "Bearer x.y.z"}, "{}"), ({"Cookie": "session=x"}, "")]:
        answer = User(stack.url).patch("/api/users/me", data=body, headers=headers)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
        errors(answer)
    ghost = User(stack.url, stack.tokens(1)[0])  # a good session of somebody whom nobody knows
    answer = patch_me(ghost, email=new_email(), currentPassword=PASSWORD)
    assert answer.status_code == 401
    errors(answer)


def test_racing_changes_of_a_password_have_one_winner(stack):
    person, gate = account(stack.url), threading.Barrier(8)
    token = person.cookies["session"]

    def change(n):
        gate.wait()
        return patch_me(User(stack.url, token), password=f"{PASSWORD} {n}", currentPassword=PASSWORD)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [400] * 7
    [winner] = [n for n, a in enumerate(answers) if a.status_code == 200]
    assert [n for n in range(8) if sign_in(stack.url, person.email, f"{PASSWORD} {n}").status_code == 200] == [winner]
    assert [e["version"] for e in stack.topic("users").of(person.id, 2)] == [1, 2]


def test_racing_changes_to_one_email_have_one_winner(stack):
    people, wanted, gate = [account(stack.url) for _ in range(8)], new_email(), threading.Barrier(8)

    def change(n):
        gate.wait()
        return patch_me(people[n], email=wanted.upper() if n % 2 else wanted, currentPassword=PASSWORD)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7
    [winner] = [n for n, a in enumerate(answers) if a.status_code == 200]
    assert sign_in(stack.url, wanted).json()["id"] == people[winner].id
    for n, person in enumerate(people):
        events = 2 if n == winner else 1
        assert len(stack.topic("users").of(person.id, events)) == events


def test_requests_that_cross_do_not_hang_or_fail(stack):
    """E-mails and keys crossed on purpose, through two processes: some win, the others are told why; nobody sees a deadlock."""
    with Replica(stack, "auth") as replica, ThreadPoolExecutor(16) as pool:
        replica.wait_ready()
        urls = (stack.url, replica.url)
        emails, keys = [new_email() for _ in range(6)], [str(uuid.uuid4()) for _ in range(6)]

        def sign_up(n):
            return User(urls[n % 2]).post("/api/users/signup", json=credentials(emails[n % 6]), headers={"Idempotency-Key": keys[n * n // 6 % 6]})
        answers = list(pool.map(sign_up, range(72)))
        assert {a.status_code for a in answers} <= {201, 409, 422} and 201 in {a.status_code for a in answers}
        assert stack.sql("auth", "select count(*) - count(distinct lower(email)), count(*) - count(distinct signup_key) from users "
                                 "where email = any(%s)", emails) == [(0, 0)]
        people = [account(stack.url) for _ in range(4)]
        tokens, names = [p.cookies["session"] for p in people], [p.email for p in people]

        def take_the_next_ones(n):
            return patch_me(User(urls[n // 4 % 2], tokens[n % 4]), email=[names[(n + 1) % 4], new_email()][n // 8 % 2], currentPassword=PASSWORD)
        assert {a.status_code for a in pool.map(take_the_next_ones, range(64))} <= {200, 409}
        versions = stack.sql("auth", "select array_agg(version order by seq) = array(select generate_series(1, max(version))) from user_events "
                                     "where id::text = any(%s) group by id", [p.id for p in people])
        assert versions == [(True,)] * 4, "each change has its event, in order"


# --- paths and methods ---

def test_paths_tolerate_letter_case_and_a_trailing_slash(stack):
    email = new_email()
    person = User(stack.url)
    for method, path, body, status in [
            ("POST", "/API/Users/SignUp/", credentials(email), 201), ("POST", "/api/users/SIGNIN", credentials(email), 200),
            ("GET", "/Api/Users/CurrentUser/", None, 200), ("PATCH", "/api/USERS/Me/", {"email": email, "currentPassword": PASSWORD}, 200),
            ("POST", "/api/users/signout/", None, 200), ("GET", "/.Well-Known/JWKS.json/", None, 200)]:
        answer = person.request(method, path, json=body, allow_redirects=False)
        assert answer.status_code == status, (path, answer.text)


@pytest.mark.parametrize("method, path, allow", [("GET", "signup", {"POST"}), ("PUT", "signin", {"POST"}), ("DELETE", "currentuser", {"GET", "HEAD"}),
                                                 ("GET", "me", {"PATCH"})])
def test_method_not_allowed(stack, method, path, allow):
    answer = User(stack.url).request(method, f"/api/users/{path}")
    assert answer.status_code == 405 and set(answer.headers["Allow"].replace(" ", "").split(",")) == allow
    errors(answer)


@pytest.mark.parametrize("path", ["/api/users", "/api/users/nobody", "/api/users/signup/x", "/api/users/me/me", "/api/users//signup"])
def test_not_found(stack, path):
    answer = User(stack.url).post(path, json=credentials())
    assert answer.status_code == 404
    errors(answer)


# --- what must never be seen ---

def test_no_password_or_hash_leaves_auth(stack):
    """In no record on the topic, and in no log of any process, whatever was asked, also while the database refuses and at the
    most talkative level."""
    person = account(stack.url)
    stack.sql("auth", "alter table users add constraint refused check (email not like 'refused%%')")
    try:
        with Replica(stack, "auth", LOG_LEVEL="debug") as replica:
            replica.wait_ready()
            assert User(replica.url).post("/api/users/signup", json=credentials("refused@example.com")).status_code == 500
            assert sign_in(replica.url, person.email).status_code == 200
            assert sign_in(replica.url, person.email, WRONG).status_code == 400
            token = token_of(sign_in(replica.url, person.email))
            changed = patch_me(User(replica.url, token), password=WRONG, currentPassword=PASSWORD)
            token = token_of(changed)
            assert patch_me(User(replica.url, token), email="refused2@example.com", currentPassword=WRONG).status_code == 500
            assert current_user(replica.url, token + "x") is None
            replica.terminate()
            texts = {"replica": replica.output().encode()}
    finally:
        stack.sql("auth", "alter table users drop constraint refused")
    stack.topic("users").of(person.id, 2)
    [[kept]] = stack.sql("auth", "select password_hash from users where id = %s", person.id)
    secrets = [word.encode() for word in (PASSWORD.split()[-1], WRONG.split()[-1], kept.split("$")[-1], token.split(".")[-1])]
    assert b"check constraint" in texts["replica"] and b"a session was refused" in texts["replica"], "it was as talkative as said"
    texts |= {file.name: file.read_bytes() for file in (stack.state / "log").iterdir() if "postgres" not in file.name}
    assert b"signup" in texts["auth.log"]
    for name, text in texts.items():
        assert not [s for s in secrets if s in text], name
        assert b"$argon2" not in text, name
    for topic in ("users", "letters", "audit"):
        for record in stack.topic(topic).records():
            assert b"argon2" not in (record.value() or b"") and not [s for s in secrets if s in (record.value() or b"")]
    columns = stack.sql("auth", "select column_name from information_schema.columns where table_name in ('user_events', 'letter_events', 'audit_events')")
    assert columns and not [name for [name] in columns if "password" in name or "hash" in name]
    assert sorted(stack.sql("auth", "select distinct tablename from pg_publication_tables")) == [("audit_events",), ("letter_events",), ("user_events",)]


def test_nothing_is_kept_in_clear(stack):
    person = account(stack.url)
    sign_in(stack.url, person.email, WRONG)
    rows = str(stack.sql("auth", "select u.*, e.* from users u join user_events e using (id) where u.id = %s", person.id))
    rows += str(stack.sql("auth", "select * from attempts"))
    assert "$argon2id$" in rows and PASSWORD.split()[-1] not in rows and WRONG.split()[-1] not in rows


def test_attempts_are_forgotten(stack):
    """What counts attempts does not grow: old rows go as new ones come."""
    with Replica(stack, "auth", SIGNIN_RATE="100000", HASH_MEMORY="1", HASH_PASSES="1") as replica:
        replica.wait_ready()
        stack.sql("auth", "insert into attempts (what, who, count, started) "
                          "select 'signin account', 'old' || n, 1, now() - interval '3 minutes' from generate_series(1, 200) n")

        def swept():
            sign_in(replica.url, new_email())
            return stack.sql("auth", "select count(*) from attempts where who like 'old%%'") == [(0,)]
        wait_until(swept, "old attempts are deleted")
    assert stack.sql("auth", "select count(*) > 0 from attempts") == [(True,)], "and only old ones"
