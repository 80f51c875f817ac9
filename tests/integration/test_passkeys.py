"""Passkeys: a device in place of a password and a code; attacks on them."""
import hashlib
import hmac
import pathlib
import secrets
import struct
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import PASSWORD, WRONG, account, code_of, cookie, current_user, sign_in, token_of, visitor
from authenticator import ES256, KINDS, PRESENT, VERIFIED, Authenticator, bytes_of, text_of
from letters import Mailbox
from support import Replica, User, refused

MINE, CHALLENGE, SIGN_IN = "/api/users/me/passkeys", "/api/users/passkeys/challenge", "/api/users/passkeys/signin"
ORIGIN, HOST = "https://shop.example", "shop.example"
NOT_KNOWN = "This passkey is not known here, or its answer came too late"


@pytest.fixture(scope="module")
def auth(stack):
    with Replica(stack, "auth", PASSKEY_ORIGIN=ORIGIN, SIGNIN_RATE="100000", SIGNIN_FAILURES="0") as replica:
        yield replica.wait_ready()


@pytest.fixture
def person(auth):
    return account(auth.url)


def challenge(auth):
    answer = User(auth.url).get(CHALLENGE)
    assert answer.status_code == 200 and answer.json()["rpId"] == HOST, answer.text
    return answer.json()["challenge"]


def add(auth, person, device, password=PASSWORD, code=None, **wrong):
    return person.post(MINE, json={"currentPassword": password, "code": code, **device.make(challenge(auth), **wrong)})


def with_passkey(auth, kind=ES256):
    """Somebody with one, and the device that it is on."""
    person, device = account(auth.url), Authenticator(ORIGIN, kind)
    answer = add(auth, person, device)
    assert answer.status_code == 201, answer.text
    person.passkey = answer.json()["id"]
    return person, device


def enter(auth, body):
    return User(auth.url).post(SIGN_IN, json=body)


def not_let_in(answer):
    refused(answer, 400, NOT_KNOWN)
    assert "Set-Cookie" not in answer.headers


def audit(stack, person):
    return stack.sql("auth", "select type, outcome, reason from audit_events where user_id = %s and type <> 'SignUp' order by seq", person.id)


# --- what they are for ---

@pytest.mark.parametrize("kind", KINDS)
def test_it_signs_in(stack, auth, kind):
    person, device = with_passkey(auth, kind)
    [listed] = person.get(MINE).json()
    assert set(listed) == {"id", "credentialId", "name", "addedAt"}
    assert (listed["id"], listed["credentialId"], listed["name"]) == (person.passkey, text_of(device.credential), "my phone")
    answer = enter(auth, device.sign(challenge(auth)))
    assert answer.status_code == 200 and answer.json() == {"id": person.id, "email": person.email}, answer.text
    name, _, attributes = cookie(answer)
    assert name == "session" and attributes["httponly"]
    assert current_user(auth.url, token_of(answer))["id"] == person.id
    assert "usedAt" in person.get(MINE).json()[0]
    assert len(person.get("/api/users/sessions").json()) == 2
    assert audit(stack, person) == [("PasskeyAdd", "Done", None), ("SignIn", "Done", "passkey")]
    assert stack.sql("auth", "select type, email from letter_events where user_id = %s", person.id) == [("PasskeyAdded", person.email)]


def test_one_that_counts_nothing(auth):
    """As those do that are on all devices of somebody."""
    _, device = with_passkey(auth)
    for _ in range(3):
        assert enter(auth, device.sign(challenge(auth), counts=0)).status_code == 200


def test_it_stands_in_place_of_a_code(auth):
    """And is added with one, where a second factor is on."""
    person, device = account(auth.url), Authenticator(ORIGIN)
    secret = person.post("/api/users/me/second-factor", json={"currentPassword": PASSWORD}).json()["secret"]
    codes = person.post("/api/users/me/second-factor/confirm", json={"code": code_of(secret)}).json()["recoveryCodes"]
    for code, said in ((None, "Send a code"), ("abcd-efgh-ijkl-mnop", "wrong, or was used")):
        answer = add(auth, person, device, code=code)
        assert answer.status_code == 403 and answer.json()["reason"] == "second_factor" and said in answer.text
    assert person.get(MINE).json() == []
    assert add(auth, person, device, code=codes[0]).status_code == 201
    assert enter(auth, device.sign(challenge(auth))).status_code == 200
    assert sign_in(auth.url, person.email).status_code == 403, "by the password a code is needed"


def test_several_and_one_that_goes(stack, auth):
    person, lost = with_passkey(auth)
    other = Authenticator(ORIGIN)
    assert add(auth, person, other).status_code == 201
    assert len(person.get(MINE).json()) == 2
    stranger = account(auth.url)
    refused(stranger.delete(f"{MINE}/{person.passkey}"), 404)
    refused(person.delete(f"{MINE}/{uuid.uuid4()}"), 404)
    assert person.delete(f"{MINE}/{person.passkey}").status_code == 204
    refused(person.delete(f"{MINE}/{person.passkey}"), 404)
    not_let_in(enter(auth, lost.sign(challenge(auth))))
    assert enter(auth, other.sign(challenge(auth))).status_code == 200
    assert [type for (type,) in stack.sql("auth", "select type from letter_events where user_id = %s order by seq", person.id)] == [
        "PasskeyAdded", "PasskeyAdded", "PasskeyRemoved"]
    assert [row for row in audit(stack, person) if row[0] == "PasskeyRemove"] == [("PasskeyRemove", "Done", None)]


def test_it_goes_with_its_account(stack, auth):
    person, device = with_passkey(auth)
    assert enter(auth, device.sign(challenge(auth))).status_code == 200
    assert person.post("/api/users/me/delete", json={"currentPassword": PASSWORD}).status_code == 204
    not_let_in(enter(auth, device.sign(challenge(auth))))
    for table in ("passkeys", "used_challenges"):
        assert stack.sql("auth", f"select count(*) from {table} where user_id = %s", person.id) == [(0,)], table


def test_where_there_are_none(stack):
    with Replica(stack, "auth", PASSKEY_ORIGIN="", SIGNIN_FAILURES="0") as replica:
        replica.wait_ready()
        person = account(replica.url)
        refused(User(replica.url).get(CHALLENGE), 404)
        refused(enter(replica, {}), 404)
        refused(person.post(MINE, json={}), 404)
        refused(person.get(MINE), 404)


def by_letter(stack, auth, person):
    """A new password."""
    assert User(auth.url).post("/api/users/password-reset", json={"email": person.email}).status_code == 202
    token = Mailbox(stack).token(person.email, "Choose a new password")
    assert User(auth.url).post("/api/users/password-reset/follow", json={"token": token, "password": "another horse battery"}).status_code == 200


def test_who_had_the_account_before_its_owner(stack, auth):
    """He signed up with another's address, which was not verified, and prepared a way in."""
    thief, device = with_passkey(auth)
    stack.sql("auth", "update users set verified = false where id = %s", thief.id)
    secret = thief.post("/api/users/me/second-factor", json={"currentPassword": PASSWORD}).json()["secret"]
    assert thief.post("/api/users/me/second-factor/confirm", json={"code": code_of(secret)}).status_code == 200
    by_letter(stack, auth, thief)
    not_let_in(enter(auth, device.sign(challenge(auth))))
    assert sign_in(auth.url, thief.email, "another horse battery").status_code == 200, "and no code of his keeps its owner out"


def test_a_new_password_leaves_an_owner_his_passkeys(stack, auth):
    person, device = with_passkey(auth)
    by_letter(stack, auth, person)
    assert enter(auth, device.sign(challenge(auth))).status_code == 200


# --- to add one ---

def test_only_who_knows_the_password_adds(stack, auth, person):
    """A stolen session is not made to last."""
    device = Authenticator(ORIGIN)
    refused(add(auth, person, device, WRONG), 400, "Current password is wrong")
    refused(User(auth.url).post(MINE, json={"currentPassword": PASSWORD, **device.make(challenge(auth))}), 401)
    assert person.get(MINE).json() == []
    assert audit(stack, person) == [("PasskeyAdd", "Refused", "password")]


def test_a_session_that_has_ended_adds_nothing(auth, person):
    """Before the news of it has come to auth from the topic."""
    assert User(auth.url, token_of(sign_in(auth.url, person.email))).post("/api/users/signout?everywhere=true").status_code == 200
    refused(add(auth, person, Authenticator(ORIGIN)), 401)


@pytest.mark.parametrize("wrong", [
    {"origin": "https://shop.example.evil.example"}, {"origin": "http://shop.example"}, {"origin": "https://shop.example:8443"}, {"host": "evil.example"},
    {"flags": PRESENT}, {"flags": VERIFIED}, {"kind": "webauthn.get"}, {"crossOrigin": True}], ids=str)
def test_what_is_not_added(auth, person, wrong):
    refused(add(auth, person, Authenticator(ORIGIN), **wrong), 400, "is not of this site")
    assert person.get(MINE).json() == []


def test_what_is_no_passkey(auth, person):
    made = {"currentPassword": PASSWORD, **Authenticator(ORIGIN).make(challenge(auth))}
    data = bytes_of(made["authenticatorData"])
    huge = b"\xbb" + b"\x00\x00\x00\x0f" + bytes(4)  # a map of 64 milliards, as it says
    for broken in (data[:-1], data[:60], data[:37], data[:36], b"x", data[:55] + bytes(len(data) - 55), data[:87] + huge, data[:87] + b"\xbf" + data[88:]):
        assert person.post(MINE, json={**made, "authenticatorData": text_of(broken)}).status_code == 400
    for broken in ("", "[]", "{", '{"type": 1}', "\0"):
        assert person.post(MINE, json={**made, "clientDataJSON": text_of(broken.encode()) or "AA"}).status_code == 400
    for field in ("clientDataJSON", "authenticatorData"):
        refused(person.post(MINE, json={**made, field: "a b"}), 400, "must be in base64url")
    refused(person.post(MINE, json={**made, "name": ""}), 400, "must have 1 to 60 characters")
    assert person.get(MINE).json() == []


def test_added_before(auth):
    """By oneself, or by somebody else, who learns nothing of whose it is."""
    person, device = with_passkey(auth)
    for anybody in (person, account(auth.url)):
        refused(add(auth, anybody, device), 409, "was added before")
    assert enter(auth, device.sign(challenge(auth))).json()["id"] == person.id


def test_twenty_are_enough(auth, person):
    for _ in range(20):
        assert add(auth, person, Authenticator(ORIGIN)).status_code == 201
    refused(add(auth, person, Authenticator(ORIGIN)), 409, "20 passkeys already")
    assert len(person.get(MINE).json()) == 20


# --- to come in by one ---

@pytest.mark.parametrize("wrong", [
    {"origin": "https://evil.example"}, {"host": "evil.example"}, {"flags": PRESENT}, {"flags": VERIFIED}, {"kind": "webauthn.create"}, {"crossOrigin": True}],
    ids=str)
def test_who_is_not_let_in(stack, auth, wrong):
    """A page that looks like ours, one that is framed, a device that did not look who is there."""
    person, device = with_passkey(auth)
    not_let_in(enter(auth, device.sign(challenge(auth), **wrong)))
    assert audit(stack, person)[1:] == [("SignIn", "Refused", "passkey")]
    assert enter(auth, device.sign(challenge(auth))).status_code == 200


def test_what_is_signed_counts_once(auth):
    _, device = with_passkey(auth)
    heard = device.sign(challenge(auth), counts=0)
    assert enter(auth, heard).status_code == 200
    not_let_in(enter(auth, heard))


def test_the_same_at_once(stack, auth):
    """One comes in, whichever process it comes to."""
    _, device = with_passkey(auth)
    with Replica(stack, "auth", PASSKEY_ORIGIN=ORIGIN, SIGNIN_RATE="100000", SIGNIN_FAILURES="0") as other, ThreadPoolExecutor(8) as pool:
        other.wait_ready()
        for _ in range(5):
            heard = device.sign(challenge(auth), counts=0)
            answers = list(pool.map(lambda n, heard=heard: enter((auth, other)[n % 2], heard).status_code, range(8)))
            assert sorted(answers) == [200] + [400] * 7


def test_one_that_was_copied(auth):
    """It counts its signatures, and the copy is behind."""
    _, device = with_passkey(auth)
    for _ in range(2):
        assert enter(auth, device.sign(challenge(auth))).status_code == 200
    device.count = 0
    not_let_in(enter(auth, device.sign(challenge(auth))))
    not_let_in(enter(auth, device.sign(challenge(auth))))
    assert enter(auth, device.sign(challenge(auth))).status_code == 200


def altered(text):
    content = bytearray(bytes_of(text))
    content[-1] ^= 1
    return text_of(bytes(content))


@pytest.mark.parametrize("part", ["credentialId", "clientDataJSON", "authenticatorData", "signature"])
def test_what_was_altered(auth, part):
    _, device = with_passkey(auth)
    said = device.sign(challenge(auth))
    not_let_in(enter(auth, {**said, part: altered(said[part])}))
    refused(enter(auth, {**said, part: None}), 400, "is required")


def test_another_s_credential(auth):
    """Signed by one's own."""
    victim, thief = with_passkey(auth)[1], with_passkey(auth)[1]
    not_let_in(enter(auth, {**thief.sign(challenge(auth)), "credentialId": text_of(victim.credential)}))


def own_challenge(stack, auth, until_s, key=None):
    """As auth makes them, by its own key."""
    key = key or bytes.fromhex(pathlib.Path(auth.environment["LINK_KEYS"]).read_text().strip())
    signed = struct.pack(">Q", int(until_s * 1000)) + secrets.token_bytes(16)
    return text_of(signed + hmac.digest(key, b"onsale: challenge of a passkey\0" + signed, hashlib.sha256))


def test_a_challenge_that_is_not_ours(stack, auth):
    _, device = with_passkey(auth)
    later = time.time() + 200
    for said in ("", text_of(secrets.token_bytes(56)), challenge(auth)[:-2], own_challenge(stack, auth, later, secrets.token_bytes(32))):
        not_let_in(enter(auth, device.sign(said)))
    not_let_in(enter(auth, device.sign(own_challenge(stack, auth, time.time() - 1))))
    assert enter(auth, device.sign(own_challenge(stack, auth, later))).status_code == 200


def test_who_ended_all_sessions_comes_in_anew(auth):
    """By his passkey, too: it is he."""
    person, device = with_passkey(auth)
    assert person.post("/api/users/signout?everywhere=true").status_code == 200
    answer = enter(auth, device.sign(challenge(auth)))
    assert answer.status_code == 200 and current_user(auth.url, token_of(answer))["id"] == person.id


def test_tries_are_counted_by_address(stack):
    with Replica(stack, "auth", PASSKEY_ORIGIN=ORIGIN, SIGNIN_RATE="3", SIGNIN_FAILURES="0") as replica:
        replica.wait_ready()
        device = Authenticator(ORIGIN)
        somebody = visitor(replica.url, "127.9.8.7")
        answers = [somebody.post(SIGN_IN, json=device.sign(challenge(replica))).status_code for _ in range(5)]
        assert answers == [400] * 3 + [429] * 2
