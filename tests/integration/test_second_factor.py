"""A second factor: codes of an app (TOTP, RFC 6238), and codes for a lost device; attacks on both."""
import base64
import hashlib
import itertools
import re
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts import PASSWORD, WRONG, account, code_of, credentials, current_user, forget_codes, hashes, sign_in, step, token_of
from letters import Mailbox
from support import Replica, User, errors, refused, wait_until

ME = "/api/users/me/second-factor"
NEEDED, WRONG_CODE = "Send a code of the second factor along", "This code is wrong, or was used before"


def no_code_of(secret):
    """Six digits that are no code of the next minutes."""
    near = {code_of(secret, step() + n) for n in range(-3, 10)}
    return next(f"{n:06}" for n in itertools.count() if f"{n:06}" not in near)


def within_a_step(deed):
    """What it returns, of a time in which the clock stayed within a step: what code is two steps off is certain then."""
    while True:
        now = step()
        result = deed(now)
        if step() == now:
            return result


def begin(person, password=PASSWORD):
    return person.post(ME, json={"currentPassword": password})


def confirm(person, code):
    return person.post(f"{ME}/confirm", json={"code": code})


def turn_off(person, password=PASSWORD, **code):
    return person.post(f"{ME}/off", json={"currentPassword": password, **code})


def enter(url, person, password=PASSWORD, **more):
    return User(url).post("/api/users/signin", json={**credentials(person.email, password), **more})


def guarded(stack, url=None):
    """Somebody whose second factor is on, of whom no code was taken yet."""
    person = account(url or stack.url)
    person.secret = begin(person).json()["secret"]
    answer = confirm(person, code_of(person.secret))
    assert answer.status_code == 200, answer.text
    person.recovery = answer.json()["recoveryCodes"]
    forget_codes(stack, person.email)
    return person


@pytest.fixture
def person(stack):
    return guarded(stack)


def code_needed(answer, words=NEEDED):
    assert answer.status_code == 403 and answer.json() == {"errors": [{"message": words}], "reason": "second_factor"}, answer.text
    assert "Set-Cookie" not in answer.headers


def audit(stack, person):
    rows = stack.sql("auth", "select type, outcome, reason from audit_events where user_id = %s order by seq", person.id)
    return rows[1:]  # behind the sign-up


# --- on ---

def test_it_is_turned_on(stack):
    """By a code, so that an app that has it wrong locks nobody out; no session ends."""
    person = account(stack.url)
    elsewhere = token_of(sign_in(stack.url, person.email))
    assert person.get(ME).json() == {"enabled": False, "recoveryCodesLeft": 0}
    begun = begin(person).json()
    assert re.fullmatch("[A-Z2-7]{32}", begun["secret"]) and len(base64.b32decode(begun["secret"])) == 20
    uri = urllib.parse.urlsplit(begun["uri"])
    assert (uri.scheme, uri.netloc, urllib.parse.unquote(uri.path)) == ("otpauth", "totp", f"/Onsale:{person.email}")
    assert urllib.parse.parse_qs(uri.query) == {"secret": [begun["secret"]], "issuer": ["Onsale"]}
    assert person.get(ME).json()["enabled"] is False and sign_in(stack.url, person.email).status_code == 200, "nothing has changed yet"
    refused(confirm(person, no_code_of(begun["secret"])), 400, "Code is wrong")
    answer = confirm(person, code_of(begun["secret"]))
    codes = answer.json()["recoveryCodes"]
    assert len(set(codes)) == 10 and all(re.fullmatch("[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    assert "Set-Cookie" not in answer.headers and current_user(stack.url, elsewhere) is not None
    assert person.get(ME).json() == {"enabled": True, "recoveryCodesLeft": 10}
    code_needed(sign_in(stack.url, person.email))
    assert audit(stack, person)[1:] == [
        ("SignIn", "Done", None), ("SecondFactorOn", "Refused", "code"), ("SecondFactorOn", "Done", None), ("SignIn", "Refused", "no code")]


def test_only_who_knows_the_password_begins(stack):
    """And nobody else confirms: the secret was told to him alone."""
    person = account(stack.url)
    refused(begin(person, WRONG), 400, "Current password is wrong")
    refused(person.post(ME, json={}), 400, "Current password is required")
    refused(confirm(person, "123456"), 409, "begin first")
    for method, path in (("GET", ME), ("POST", ME), ("POST", f"{ME}/confirm"), ("POST", f"{ME}/off")):
        refused(User(stack.url).request(method, path, json={}), 401)


def test_to_begin_again_makes_another_secret(stack):
    person = account(stack.url)
    first, second = (begin(person).json()["secret"] for _ in range(2))
    assert first != second
    refused(confirm(person, code_of(first)), 400, "Code is wrong")
    assert confirm(person, code_of(second)).status_code == 200


def test_one_that_is_on_stays(stack, person):
    """A stolen session and password replace nothing."""
    for answer in (begin(person), confirm(person, code_of(person.secret))):
        refused(answer, 409, "on already")
    assert enter(stack.url, person, code=code_of(person.secret)).status_code == 200


def test_a_session_that_has_ended_turns_nothing_on(stack):
    """Before the news of it has come to auth from the topic."""
    person = account(stack.url)
    secret = begin(person).json()["secret"]
    assert User(stack.url, token_of(sign_in(stack.url, person.email))).post("/api/users/signout?everywhere=true").status_code == 200
    refused(begin(person), 401)
    refused(confirm(person, code_of(secret)), 401)
    assert stack.sql("auth", "select confirmed from second_factors where user_id = %s", person.id) == [(False,)]


def test_turned_on_twice_at_once(stack):
    """One of them, and its recovery codes are those that count."""
    person = account(stack.url)
    secret = begin(person).json()["secret"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: User(stack.url, person.cookies["session"]).post(f"{ME}/confirm", json={"code": code_of(secret)}), range(4)))
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    [codes] = [a.json()["recoveryCodes"] for a in answers if a.status_code == 200]
    assert enter(stack.url, person, code=codes[0]).status_code == 200


# --- signing in ---

@pytest.mark.parametrize("written", ["{}", " {}", "{} "])
def test_signing_in(stack, person, written):
    code = code_of(person.secret)
    answer = enter(stack.url, person, code=written.format(code[:3] + " " + code[3:]))
    assert answer.status_code == 200 and answer.json()["id"] == person.id
    assert current_user(stack.url, token_of(answer))["id"] == person.id


@pytest.mark.parametrize("code", ["", None])
def test_without_a_code(stack, person, code):
    code_needed(enter(stack.url, person, code=code))


@pytest.mark.parametrize("code", ["1", "12345", "1234567", "abcdef", "１２３４５６", "123456" * 9000, "-12345", "1e5", "aaaa-aaaa-aaaa-aaaa", "0"])
def test_with_what_is_no_code(stack, person, code):
    code_needed(enter(stack.url, person, code=code), WRONG_CODE)


@pytest.mark.parametrize("code", [123456, ["123456"], {"code": "123456"}, True])
def test_with_what_is_no_text(stack, person, code):
    refused(enter(stack.url, person, code=code), 400, "Code must be a string")


def test_which_steps_count(stack, person):
    """The present one and those beside it, as clocks differ; no other."""
    def tried(off):
        def deed(now):
            forget_codes(stack, person.email)
            return enter(stack.url, person, code=code_of(person.secret, now + off)).status_code
        return within_a_step(deed)
    assert {off: tried(off) for off in range(-3, 4)} == {-3: 403, -2: 403, -1: 200, 0: 200, 1: 200, 2: 403, 3: 403}


def test_a_code_counts_once(stack, person):
    """Nor does one of a step before it: whoever looks over a shoulder has seen none that is of use."""
    def deed(now):
        forget_codes(stack, person.email)
        return [enter(stack.url, person, code=code_of(person.secret, now + off)) for off in (0, 0, -1, 1, 0, 1)]
    answers = within_a_step(deed)
    assert [a.status_code for a in answers] == [200, 403, 403, 200, 403, 403]
    code_needed(answers[1], WRONG_CODE)


def test_the_code_that_turned_it_on_is_used(stack):
    person = account(stack.url)
    secret = begin(person).json()["secret"]
    code = code_of(secret)
    assert confirm(person, code).status_code == 200
    code_needed(enter(stack.url, person, code=code), WRONG_CODE)


def test_the_same_code_at_once(stack, person):
    """Somebody sends on what he reads along: one of them comes in, at any of several processes."""
    with Replica(stack, "auth") as other, ThreadPoolExecutor(8) as pool:
        other.wait_ready()
        code = code_of(person.secret)
        answers = list(pool.map(lambda n: enter((stack.url, other.url)[n % 2], person, code=code), range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [403] * 7
    assert stack.sql("auth", "select count(*) from sessions where user_id = %s", person.id) == [(2,)], "one, beside that of the sign-up"


def test_the_same_code_in_one_batch(stack, person):
    """Whatever is decided together."""
    sql = """select array_agg(taken order by n) from (
               select n, take_code(%s, null, 5, null, null) as taken from generate_series(1, 3) n order by n) t"""
    assert stack.sql("auth", sql, person.id) == [(["taken", "wrong", "wrong"],)]


# --- recovery codes ---

def test_a_recovery_code_counts_once(stack, person):
    code = person.recovery[3]
    assert enter(stack.url, person, code=code.upper().replace("-", " ")).status_code == 200
    code_needed(enter(stack.url, person, code=code), WRONG_CODE)
    assert person.get(ME).json() == {"enabled": True, "recoveryCodesLeft": 9}
    assert ("SignIn", "Done", "recovery code") in audit(stack, person)
    assert enter(stack.url, person, code=code_of(person.secret)).status_code == 200, "the app goes on"


def test_a_recovery_code_at_once(stack, person):
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: enter(stack.url, person, code=person.recovery[0]), range(6)))
    assert sorted(a.status_code for a in answers) == [200] + [403] * 5


def test_anothers_recovery_code(stack, person):
    code_needed(enter(stack.url, guarded(stack), code=person.recovery[0]), WRONG_CODE)
    assert person.get(ME).json()["recoveryCodesLeft"] == 10


# --- guesses ---

def test_nobody_learns_whether_it_is_on(stack, person):
    """Who does not know the password: the same answer, after the same work."""
    other, said = account(stack.url), []
    for somebody in (person, other):
        for more in ({}, {"code": "123456"}, {"code": person.recovery[0]}):
            before = hashes((stack, "auth"))
            answer = enter(stack.url, somebody, WRONG, **more)
            said.append((answer.status_code, answer.json(), sorted(answer.headers), hashes((stack, "auth"))[0] - before[0]))
    assert all(one == said[0] for one in said) and said[0][:2] == (400, {"errors": [{"message": "Invalid credentials"}]}), said
    assert person.get(ME).json()["recoveryCodesLeft"] == 10, "a wrong password uses no code"


@pytest.fixture
def nobody_failed(stack):
    """What others of these tests tried from here today is forgotten: an address slows down, too."""
    stack.sql("auth", "delete from failures where starts_with(who, 'address ')")


@pytest.mark.usefixtures("nobody_failed")
def test_wrong_codes_slow_down(stack):
    """As wrong passwords do, and together with them."""
    with Replica(stack, "auth", SIGNIN_RATE="10000", SIGNIN_FAILURES="3", HASH_MEMORY="1", HASH_PASSES="1") as auth:
        auth.wait_ready()
        person = guarded(stack, auth.url)
        wrong = no_code_of(person.secret)
        for _ in range(2):
            code_needed(enter(auth.url, person, code=wrong), WRONG_CODE)
            code_needed(enter(auth.url, person))  # to be asked for one costs nothing
        refused(enter(auth.url, person, WRONG), 400)
        counted = dict(stack.sql("auth", "select who, count from failures where who = any (%s)", [f"account {person.email}"]))
        assert counted == {f"account {person.email}": 3}
        stack.sql("auth", "update failures set count = 20, latest = now() where who = %s", f"account {person.email}")
        for more in ({"code": wrong}, {"code": code_of(person.secret)}, {"code": person.recovery[0]}, {}):
            answer = enter(auth.url, person, **more)
            refused(answer, 429, "Too many attempts")
            assert 600 < int(answer.headers["Retry-After"]) <= 900, "who guesses does not learn when he was right"
        assert ("SignIn", "Refused", "code") in audit(stack, person)


@pytest.mark.usefixtures("nobody_failed")
def test_a_code_that_was_used_counts_as_a_guess(stack):
    with Replica(stack, "auth", SIGNIN_RATE="10000", SIGNIN_FAILURES="3") as auth:
        auth.wait_ready()
        person = guarded(stack, auth.url)
        code = code_of(person.secret)
        assert enter(auth.url, person, code=code).status_code == 200
        code_needed(enter(auth.url, person, code=code), WRONG_CODE)
        assert stack.sql("auth", "select count from failures where who = %s", f"account {person.email}") == [(1,)]


@pytest.mark.usefixtures("nobody_failed")
def test_it_is_tried_at_no_other_door(stack):
    """Where it is turned off, or the account deleted, wrong codes count as well."""
    with Replica(stack, "auth", SIGNIN_RATE="10000", SIGNIN_FAILURES="9") as auth:
        auth.wait_ready()
        person = guarded(stack, auth.url)
        wrong = no_code_of(person.secret)
        code_needed(turn_off(person, code=wrong), WRONG_CODE)
        code_needed(person.post("/api/users/me/delete", json={"currentPassword": PASSWORD, "code": wrong}), WRONG_CODE)
        assert stack.sql("auth", "select count from failures where who = %s", f"account {person.email}") == [(2,)]


# --- ways around it ---

def test_a_new_password_by_letter_leaves_it_on(stack, person):
    """Whoever has the mailbox has not the device."""
    mailbox, new = Mailbox(stack), f"another horse {uuid.uuid4().hex}"
    assert User(stack.url).post("/api/users/password-reset", json={"email": person.email}).status_code == 202
    token = mailbox.token(person.email, "Choose a new password")
    followed = User(stack.url).post("/api/users/password-reset/follow", json={"token": token, "password": new})
    assert followed.status_code == 200 and "Set-Cookie" not in followed.headers
    code_needed(enter(stack.url, person, new))
    assert enter(stack.url, person, new, code=code_of(person.secret)).status_code == 200


def test_a_sign_up_that_is_repeated_is_no_way_in(stack):
    """Its Idempotency-Key, e-mail and password sign in whoever signed up; not past a second factor."""
    body, key, person = credentials(), {"Idempotency-Key": str(uuid.uuid4())}, User(stack.url)
    assert person.post("/api/users/signup", json=body, headers=key).status_code == 201
    assert User(stack.url).post("/api/users/signup", json=body, headers=key).status_code == 201
    assert confirm(person, code_of(begin(person).json()["secret"])).status_code == 200
    code_needed(User(stack.url).post("/api/users/signup", json=body, headers=key))


def test_another_password_leaves_it_on(stack, person):
    new = f"another horse {uuid.uuid4().hex}"
    assert person.patch("/api/users/me", json={"password": new, "currentPassword": PASSWORD}).status_code == 200
    code_needed(enter(stack.url, person, new))


def test_a_row_of_anothers(stack, person):
    """Who can write to the database puts in no secret that he knows."""
    thief = guarded(stack)
    stack.sql("auth", "update second_factors set secret = (select secret from second_factors where user_id = %s) where user_id = %s", thief.id, person.id)
    code_needed(enter(stack.url, person, code=code_of(thief.secret)), WRONG_CODE)
    assert enter(stack.url, person, code=person.recovery[0]).status_code == 200, "what needs no key goes on"


def test_what_the_database_has_is_of_no_use(stack, person):
    """Neither the secret nor a recovery code is in it, nor in the log of auth."""
    rows = stack.sql("auth", "select s::text from second_factors s union all select r::text from recovery_codes r")
    known = [person.secret, base64.b32decode(person.secret).hex(), *person.recovery, *(code.replace("-", "") for code in person.recovery)]
    known += [hashlib.sha256(code.replace("-", "").encode()).hexdigest() for code in person.recovery]
    text = "\n".join(row for row, in rows) + (stack.state / "log" / "auth.log").read_text()
    assert not [secret for secret in known if secret in text]


# --- off ---

def test_it_is_turned_off_by_password_and_code(stack, person):
    code = code_of(person.secret)
    refused(turn_off(person, WRONG, code=code), 400, "Current password is wrong")
    code_needed(turn_off(person))
    code_needed(turn_off(person, code=no_code_of(person.secret)), WRONG_CODE)
    assert enter(stack.url, person, code=code).status_code == 200, "it is on, and a wrong password took no code"
    code_needed(turn_off(person, code=code), WRONG_CODE)
    forget_codes(stack, person.email)
    assert turn_off(person, code=code_of(person.secret)).status_code == 204
    assert person.get(ME).json() == {"enabled": False, "recoveryCodesLeft": 0}
    assert sign_in(stack.url, person.email).status_code == 200
    assert turn_off(person).status_code == 204, "once more"
    for table in ("second_factors", "recovery_codes"):
        assert stack.sql("auth", f"select count(*) from {table} where user_id = %s", person.id) == [(0,)]
    assert [row for row in audit(stack, person) if row[0] == "SecondFactorOff"] == [
        ("SecondFactorOff", "Refused", "password"), ("SecondFactorOff", "Refused", "no code"), ("SecondFactorOff", "Refused", "code"),
        ("SecondFactorOff", "Refused", "code"), ("SecondFactorOff", "Done", None)]


def test_it_is_turned_off_by_a_recovery_code(stack, person):
    assert turn_off(person, code=person.recovery[9]).status_code == 204
    assert ("SecondFactorOff", "Done", "recovery code") in audit(stack, person)
    secret = begin(person).json()["secret"]
    assert confirm(person, code_of(secret)).status_code == 200
    code_needed(enter(stack.url, person, code=person.recovery[8]), WRONG_CODE)


def test_letters_tell_of_it(stack, person):
    mailbox = Mailbox(stack)
    assert "two" in mailbox.letter(person.email, "Signing in needs a code now")["text"].lower()
    assert turn_off(person, code=person.recovery[0]).status_code == 204
    assert mailbox.letter(person.email, "Signing in needs no code any more")["links"] == [f"{stack.url}/forgot"]
    wait_until(lambda: [e["type"] for e in stack.topic("letters").events() if e["email"] == person.email] ==
               ["SecondFactorTurnedOn", "SecondFactorTurnedOff"], "both are on the topic")


def test_the_account_is_deleted(stack, person):
    """By its password, and a code as long as it is on."""
    def delete(**more):
        return person.post("/api/users/me/delete", json={"currentPassword": PASSWORD, **more})
    code_needed(delete())
    code_needed(delete(code=no_code_of(person.secret)), WRONG_CODE)
    assert delete(code=code_of(person.secret)).status_code == 204
    for table in ("second_factors", "recovery_codes"):
        assert stack.sql("auth", f"select count(*) from {table} where user_id = %s", person.id) == [(0,)]


# --- keys ---

def test_keys_rotate(stack, tmp_path):
    """A secret that an older key has sealed is sealed anew when its owner signs in; then the older key may go. A code for a lost device needs none."""
    old, new = (tmp_path / name for name in ("old", "new"))
    for file in (old, new):
        file.write_text(uuid.uuid4().hex * 2)
    with Replica(stack, "auth", LINK_KEYS=str(old)) as auth:
        auth.wait_ready()
        person, other = guarded(stack, auth.url), guarded(stack, auth.url)
    with Replica(stack, "auth", LINK_KEYS=f"{new},{old}") as auth:
        assert enter(auth.wait_ready().url, person, code=code_of(person.secret)).status_code == 200
    forget_codes(stack, person.email)
    with Replica(stack, "auth", LINK_KEYS=str(new)) as auth:
        assert enter(auth.wait_ready().url, person, code=code_of(person.secret)).status_code == 200
        code_needed(enter(auth.url, other, code=code_of(other.secret)), WRONG_CODE)
        assert enter(auth.url, other, code=other.recovery[0]).status_code == 200


def test_errors_name_their_field(stack):
    assert errors(confirm(account(stack.url), None)) == [("code", "Code is required")]
