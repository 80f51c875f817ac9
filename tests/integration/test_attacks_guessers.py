"""Attacks on passwords: guesses, slow ones as well, from many addresses; to keep somebody out by wrong ones; passwords that everybody tries."""
import itertools
import os
import time
import types
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from accounts import PASSWORD, WRONG, account, credentials, new_email, sign_in
from support import Replica, User, errors, wait_until
from webs import Browser

FREE = 3  # wrong passwords a day of an account; ten times as many of an address
CHEAP = {"HASH_MEMORY": "1", "HASH_PASSES": "1"}
addresses = (f"203.0.{n // 250}.{n % 250 + 1}" for n in itertools.count())


@pytest.fixture(scope="module")
def auth(stack):
    with Replica(stack, "auth", SIGNIN_RATE="10000", SIGNUP_RATE="0", SIGNIN_FAILURES=str(FREE), **CHEAP) as replica:
        yield replica.wait_ready()


@pytest.fixture
def victim(auth):
    return account(auth.url)


def guess(auth, email, address=None, password=WRONG, token=None):
    headers = {"X-Forwarded-For": address or next(addresses)} | ({"Authorization": f"Bearer {token}"} if token else {})
    return User(auth.url).post("/api/users/signin", json=credentials(email, password), headers=headers)


def session(person):
    return person.cookies["session"]


def pass_time(stack, seconds):
    stack.sql("auth", "update failures set latest = latest - %s * interval '1 s', started = started - %s * interval '1 s'", seconds, seconds)


def slowed(answer, least, most):
    assert answer.status_code == 429 and errors(answer) == [(None, "Too many attempts, try again later")]
    assert least <= int(answer.headers["Retry-After"]) <= most


# --- guesses over a day ---

def test_guesses_from_many_addresses_slow_down(stack, auth, victim):
    """Each from an address of its own, minutes apart: the account counts."""
    for _ in range(FREE + 5):  # the pauses behind the last five are of 1, 2, 4, 8 and 16 seconds
        assert guess(auth, victim.email).status_code == 400
        pass_time(stack, 300)
    for pause in (32, 64, 128, 256, 512, 900, 900):
        assert guess(auth, victim.email).status_code == 400
        slowed(guess(auth, victim.email), pause - 30, pause)
        slowed(guess(auth, victim.email, password=PASSWORD), pause - 30, pause)  # who guesses does not learn when he was right
        pass_time(stack, pause)
    pass_time(stack, 24 * 3600)
    assert guess(auth, victim.email, password=PASSWORD).status_code == 200, "forgotten after a day"


def test_an_account_that_is_not_there_is_as_slow(stack, auth):
    """Or it would be known which are."""
    email = new_email()
    for _ in range(FREE + 6):
        pass_time(stack, 300)
        assert guess(auth, email).status_code == 400
    slowed(guess(auth, email), 2, 32)


@pytest.mark.parametrize("address, times, longest", [("203.0.113.{one}", 10, 60), ("2001:db8:1:1::{n:x}", 10, 60), ("2001:db8:2:2{n:02x}::", 20, 30),
                                                     ("2001:db8:3:{n:x}00::", 80, 10)], ids=["IPv4", "/64", "/56", "/48"])
def test_a_network_slows_down(stack, auth, address, times, longest):
    """Many accounts, one or two guesses each. A hundred and more requests are written down as if they had been made."""
    def wrong(n):
        return guess(auth, new_email(), address.format(n=n, one=7))
    for n in range(3):
        assert wrong(n).status_code == 400
    stack.sql("auth", "update failures set count = %s where count >= 3 and who !~ '^account'", FREE * times + 20)

    def again():
        """The answer to a guess right after another; one that comes later than the pause is taken."""
        pass_time(stack, 120)
        began = time.monotonic()
        assert wrong(3).status_code == 400
        answer = wrong(4)
        return time.monotonic() < began + longest and [answer]
    slowed(wait_until(again, "one guess follows the other")[0], 1, longest)
    assert guess(auth, new_email()).status_code == 400, "others are not concerned"
    stack.sql("auth", "delete from failures")


# --- to keep somebody out ---

def keep_out(stack, auth, email, token=None):
    """As if many had guessed at his password just now; or somebody at the device with this token."""
    guess(auth, email, token=token)
    stack.sql("auth", "update failures set count = %s, latest = now() where who ~ %s", FREE + 10, f"^account {email}" if token is None else "^device")
    slowed(guess(auth, email, password=PASSWORD, token=token), 300, 512)


def test_strangers_do_not_keep_him_out(stack, auth, victim):
    """Where he was signed in before he comes in, though that session is over; not elsewhere, and nobody else by a session of his own."""
    token, stranger = session(victim), account(auth.url)
    victim.post("/api/users/signout")
    keep_out(stack, auth, victim.email)
    assert guess(auth, victim.email, password=PASSWORD, token=token).status_code == 200
    slowed(guess(auth, victim.email, password=PASSWORD, token=session(stranger)), 1, 900)
    slowed(guess(auth, victim.email, password=PASSWORD, token=token[:-8] + "AAAAAAAA"), 1, 900)


def test_twenty_a_minute_do_not_either(stack, victim):
    with Replica(stack, "auth", SIGNIN_RATE="5", SIGNIN_FAILURES="0", **CHEAP) as few:
        few.wait_ready()
        for _ in range(5):
            guess(few, victim.email)
        assert guess(few, victim.email, password=PASSWORD).status_code == 429
        assert guess(few, victim.email, password=PASSWORD, token=session(victim)).status_code == 200


def test_a_device_is_slowed_down_as_well(stack, auth, victim):
    """By what is tried there itself; and it is none any more when the password was changed."""
    token = session(victim)
    keep_out(stack, auth, victim.email, token)
    assert guess(auth, victim.email, password=PASSWORD).status_code == 200, "elsewhere nothing was tried"
    other = sign_in(auth.url, victim.email)
    changed = User(auth.url, other.cookies["session"]).patch("/api/users/me", json={"password": PASSWORD + "!", "currentPassword": PASSWORD})
    assert changed.status_code == 200
    keep_out(stack, auth, victim.email)
    slowed(guess(auth, victim.email, password=PASSWORD + "!", token=other.cookies["session"]), 1, 900)
    assert guess(auth, victim.email, password=PASSWORD + "!", token=changed.cookies["session"]).status_code == 200


def test_a_stolen_session_is_no_device(stack, auth, victim):
    """Whoever changes his account has to know the password as anybody else has: it counts for the account."""
    thief = User(auth.url, session(victim))
    for _ in range(FREE):
        assert thief.patch("/api/users/me", json={"password": "taken over", "currentPassword": WRONG}).status_code == 400
    assert stack.sql("auth", "select count from failures where who = %s", f"account {victim.email}") == [(FREE,)]


def test_a_page_knows_its_browser(stack, auth, victim):
    with Replica(stack, "web", USERS_API=auth.url) as web:
        here, elsewhere = (Browser(types.SimpleNamespace(url=web.wait_ready().url, session="session")) for _ in range(2))

        def come_in(browser):
            return browser.submit(browser.go("/signin").page, "/signin", email=victim.email, password=PASSWORD)
        assert come_in(here).status_code == 303
        del here.cookies["session"]
        keep_out(stack, auth, victim.email)
        assert come_in(elsewhere).status_code == 429
        assert come_in(here).status_code == 303


def test_hashing_has_a_reserve_for_known_devices(stack, victim):
    """Strangers fill the queue; he comes in all the same."""
    slow = {"HASH_THREADS": "1", "HASH_MEMORY": "64", "HASH_PASSES": "8", "HASH_QUEUE": "8", "SIGNIN_RATE": "0", "SIGNUP_RATE": "0"}
    with Replica(stack, "auth", **slow) as busy, ThreadPoolExecutor(24) as pool:
        busy.wait_ready()
        strangers = [pool.submit(guess, busy, new_email()) for _ in range(24)]
        own = [pool.submit(guess, busy, victim.email, None, PASSWORD, session(victim)) for _ in range(2)]
        assert 503 in [s.result().status_code for s in strangers], "the queue was full"
        assert [o.result().status_code for o in own] == [200, 200]


# --- passwords ---

COMMON = ["password1", "PASSWORD1", "qwertyuiop", "iloveyou1", "1234567890", "football1", "trustno1", "11111111", "sunshine1", "baseball1"]


@pytest.mark.parametrize("password", COMMON)
def test_what_everybody_tries_first_is_no_password(auth, password):
    answer = User(auth.url).post("/api/users/signup", json=credentials(password=password))
    assert answer.status_code == 400 and errors(answer) == [("password", "Password is one of the most common passwords; choose one that nobody else would")]


def test_nor_is_it_a_new_one(auth, victim):
    answer = victim.patch("/api/users/me", json={"password": "password1", "currentPassword": PASSWORD})
    assert answer.status_code == 400 and errors(answer)[0][0] == "password"


def test_others_are(auth):
    for password in ("Käsefüße", "correct horse", "xq7zkw4v", "password of mine", *(f"{n} is no secret" for n in range(10))):
        assert User(auth.url).post("/api/users/signup", json=credentials(password=password)).status_code == 201, password


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Käsefüße im Frühstück") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("at_sign_up, later", [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)], ids=["NFC", "NFD"])
def test_the_same_letters_are_the_same_password(auth, at_sign_up, later):
    person = account(auth.url, password=at_sign_up)
    assert sign_in(auth.url, person.email, later).status_code == sign_in(auth.url, person.email, at_sign_up).status_code == 200


def test_a_password_that_was_hashed_as_it_was_typed(stack, auth):
    """By a version before: it is right in that form, and from then on in both."""
    person = account(auth.url)
    as_typed = Argon2id(salt=os.urandom(16), length=32, iterations=1, lanes=1, memory_cost=1024).derive_phc_encoded(f"{DECOMPOSED} 2".encode())
    stack.sql("auth", "update users set password_hash = %s where id = %s", as_typed, person.id)
    assert sign_in(auth.url, person.email, f"{COMPOSED} 2").status_code == 400
    assert sign_in(auth.url, person.email, f"{DECOMPOSED} 2").status_code == 200
    assert sign_in(auth.url, person.email, f"{COMPOSED} 2").status_code == 200


def test_how_long_it_may_be(auth):
    """Characters of NFC count, as people see them."""
    assert User(auth.url).post("/api/users/signup", json=credentials(password="ä̱" * 3)).status_code == 400
    assert User(auth.url).post("/api/users/signup", json=credentials(password=unicodedata.normalize("NFD", "ä" * 128))).status_code == 201
    assert User(auth.url).post("/api/users/signup", json=credentials(password="ä" * 129)).status_code == 400
