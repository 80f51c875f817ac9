"""What the tests of auth share: people with e-mail addresses and passwords."""
import base64
import hmac
import http.cookies
import struct
import time
import uuid

import requests.adapters

from support import User, wait_until

PASSWORD = f"correct horse {uuid.uuid4().hex}"  # one that nothing but these tests can have written anywhere
WRONG = f"battery staple {uuid.uuid4().hex}"

# A question to each service that knows sessions; web is asked for a page that needs one.
QUESTIONS = {"auth": "/api/users/currentuser", "tickets": "/api/tickets?mine=true", "orders": "/api/orders", "payments": "/api/payments",
             "waiting": f"/api/shows/{uuid.UUID(int=1)}/queue", "web": "/account"}


def new_email():
    return f"{uuid.uuid4().hex[:20]}@example.com"


def credentials(email=None, password=PASSWORD):
    return {"email": email or new_email(), "password": password}


def account(url, **who):
    """Somebody who has just signed up: his session is in his cookie jar."""
    person = User(url)
    body = credentials(**who)
    answer = person.post("/api/users/signup", json=body)
    assert answer.status_code == 201, answer.text
    person.id, person.email = answer.json()["id"], body["email"]
    return person


def sign_in(url, email, password=PASSWORD, **kwargs):
    return User(url).post("/api/users/signin", json=credentials(email, password), **kwargs)


def cookie(answer):
    """The one Set-Cookie of an answer: its value and its attributes."""
    [header] = answer.raw.headers.getlist("Set-Cookie")
    [morsel] = http.cookies.SimpleCookie(header).values()
    attributes = {name: value for name, value in morsel.items() if value}
    return morsel.key, morsel.value, attributes


def token_of(answer):
    name, value, _ = cookie(answer)
    assert name == "session" and value
    return value


def step():
    """Of the clock that codes of a second factor are made of."""
    return int(time.time()) // 30


def code_of(secret, at=None):
    """RFC 6238 by itself, so that it is not liboath that says what liboath has to say."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step() if at is None else at), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset:offset + 4], 'big') & 0x7fffffff) % 10 ** 6:06}"


def forget_codes(stack, email):
    """As if no code of the app had been taken: so a test does not wait for the next step."""
    stack.sql("auth", "update second_factors f set last_step = 0 from users u where u.id = f.user_id and u.email = %s", email)


def current_user(url, token):
    answer = User(url, token).get("/api/users/currentuser")
    assert answer.status_code == 200, answer.text
    return answer.json()["currentUser"]


def hashes(source):
    """(checked, made) of a Replica, or of (stack, "auth")."""
    stack, *service = source if isinstance(source, tuple) else (source,)
    return tuple(int(stack.metric(*service, f"onsale_auth_passwords_{what}_total")) for what in ("checked", "hashed"))


class From(requests.adapters.HTTPAdapter):
    """Connects from this address; all of 127.0.0.0/8 is ours."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


def visitor(url, address="127.0.0.1"):
    user = User(url)
    user.mount("http://", From(address))
    return user


def signed_in(url, token, part):
    thief = User(url, token)
    if part == "web":
        thief.headers.pop("Authorization")
        answer = thief.get(QUESTIONS[part], headers={"Cookie": f"session={token}", "Accept": "text/html"}, allow_redirects=False)
        return answer.status_code == 200
    answer = thief.get(QUESTIONS[part])
    if part == "auth":
        return answer.json()["currentUser"] is not None
    return answer.status_code != 401


def ends_everywhere(stack, token):
    for part in QUESTIONS:
        wait_until(lambda: not signed_in(stack.url, token, part), f"{part} knows that the session has ended")
