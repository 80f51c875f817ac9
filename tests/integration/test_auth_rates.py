"""What limits auth: attempts a minute by address and by account, whatever a client says about its address; and the queue of the
hasher. Every test comes from addresses and asks for accounts of its own, so that none uses up another's minute."""
import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from accounts import PASSWORD, WRONG, account, credentials, hashes, new_email, sign_in, token_of, visitor
from support import DEADLINE, Replica, User, errors, wait_until

RATE = 5  # of sign-ins; one less of sign-ups
CHEAP = {"HASH_MEMORY": "1", "HASH_PASSES": "1"}
LIMITS = {"SIGNIN_RATE": str(RATE), "SIGNUP_RATE": str(RATE - 1), "SIGNIN_FAILURES": "1000", **CHEAP}
TOO_MANY = [(None, "Too many attempts, try again later")]
addresses = (f"127.77.{n // 250}.{n % 250 + 1}" for n in itertools.count())


@pytest.fixture(scope="module")
def limited(make_stack):
    """A stack of its own, since its edge is to be a part of it. Its auth believes the edge alone, as ever."""
    return make_stack(**LIMITS)


@pytest.fixture(scope="module")
def believing(limited):
    """An auth that believes what 127.1.1.1 says about others, and 10.0.0.0/8 behind it, and nobody else."""
    with Replica(limited, "auth", TRUSTED_PROXIES="127.1.1.1,10.0.0.0/8,fd00::/8") as replica:
        yield replica.wait_ready()


@pytest.fixture(scope="module")
def suspicious(limited):
    """An auth of several threads that believes nobody."""
    with Replica(limited, "auth", HTTP_THREADS="3") as replica:
        del replica.environment["TRUSTED_PROXIES"]
        replica.kill()
        yield replica.start().wait_ready()


def attempt(who, kind, email=None, forwarded=None, password=WRONG):
    return who.post(f"/api/users/{kind}", json=credentials(email, password), headers={"X-Forwarded-For": forwarded} if forwarded else {})


def assert_too_many(answer):
    assert (answer.status_code, errors(answer)) == (429, TOO_MANY)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Set-Cookie" not in answer.headers


def assert_limited(attempts, rate):
    """As many as the rate are let through, and not one more."""
    answers = [a() for a in attempts]
    assert [a.status_code == 429 for a in answers] == [n >= rate for n in range(len(answers))]
    for answer in answers[rate:]:
        assert_too_many(answer)


def forged(n):
    return f"203.0.113.{n}, 198.51.100.{n}"


KINDS = {"signin": RATE, "signup": RATE - 1}


@pytest.mark.parametrize("kind", KINDS)
def test_by_address_through_the_edge(limited, kind):
    """Whatever X-Forwarded-For says: the edge adds whom it heard from."""
    who, other = visitor(limited.url, next(addresses)), visitor(limited.url, next(addresses))
    assert_limited([lambda n=n: attempt(who, kind, forwarded=forged(n)) for n in range(RATE + 2)], KINDS[kind])
    assert attempt(other, kind).status_code != 429, "others are not concerned"


@pytest.mark.parametrize("kind", KINDS)
def test_by_address_through_the_edge_on_its_own_host(limited, kind):
    """A client beside the edge has the address of a trusted proxy; that makes him none."""
    def forgery(n):
        return attempt(User(limited.url), kind, forwarded=["", forged(n), f"{forged(n)}, 127.0.0.1"][n % 3] or None)
    answers = [forgery(n) for n in range(RATE + 4)]
    assert [a.status_code for a in answers].count(429) >= 4
    assert_too_many(answers[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_by_address_directly(limited, suspicious, kind):
    supervised = f"http://127.0.0.1:{limited.status()['auth']['port']}"
    for url in (suspicious.url, supervised):  # the latter believes 127.0.0.1, and these are not
        who = visitor(url, next(addresses))
        assert_limited([lambda n=n: attempt(who, kind, forwarded=forged(n)) for n in range(RATE + 2)], KINDS[kind])


def test_other_headers_say_nothing(suspicious, believing):
    for url, address in ((suspicious.url, next(addresses)), (believing.url, "127.1.1.1")):
        who = visitor(url, address)
        assert_limited([lambda n=n: who.post("/api/users/signin", json=credentials(), headers={
            "X-Real-IP": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}", "True-Client-IP": f"203.0.113.{n}", "X-Client-IP": f"203.0.113.{n}",
            "CF-Connecting-IP": f"203.0.113.{n}"}) for n in range(RATE + 2)], RATE)


def test_trusted_proxies_are_believed(believing):
    """The last hop that is not a trusted proxy counts, so each client behind them has his own limit."""
    proxy = visitor(believing.url, "127.1.1.1")
    for client in ("192.0.2.1", "192.0.2.2"):
        chains = itertools.cycle([client, f"{client}, 10.1.2.3", f"6.6.6.6, {client}", f"{client}:4711, 10.9.9.9, 10.8.8.8", f"{client} ,10.0.0.1"])
        assert_limited([lambda: attempt(proxy, "signin", forwarded=next(chains)) for _ in range(RATE + 2)], RATE)
    stranger = visitor(believing.url, next(addresses))
    assert_limited([lambda n=n: attempt(stranger, "signin", forwarded=f"192.0.2.{n + 3}") for n in range(RATE + 2)], RATE)


def test_ipv6_counts_by_its_network(believing):
    """A subscriber has 2^64 addresses: any of them is he."""
    proxy = visitor(believing.url, "127.1.1.1")
    for network in ("2001:db8:1:1", "2001:db8:1:2"):
        assert_limited([lambda n=n: attempt(proxy, "signin", forwarded=f"{network}:{n:x}::{n + 1:x}") for n in range(RATE + 2)], RATE)


@pytest.mark.parametrize("kind", KINDS)
def test_by_account(limited, kind):
    """However many addresses try it, in whatever letters, whether there is such an account or not."""
    for email, spent in ((new_email(), 0), (account_from_elsewhere(limited).email, kind == "signup")):
        names = itertools.cycle([email, email.upper(), email.title()])
        assert_limited([lambda: attempt(visitor(limited.url, next(addresses)), kind, next(names), password="short of it") for _ in range(RATE + 2)],
                       KINDS[kind] - spent)
    assert attempt(visitor(limited.url, next(addresses)), kind, new_email()).status_code != 429


def account_from_elsewhere(stack):
    who = visitor(stack.url, next(addresses))
    email = new_email()
    answer = attempt(who, "signup", email, password=PASSWORD)
    assert answer.status_code == 201, answer.text
    who.email, who.token = email, token_of(answer)
    return who


def test_the_right_password_is_refused_too(limited):
    """Or the limit would tell which guess was right."""
    email = account_from_elsewhere(limited).email
    before = hashes((limited, "auth"))[0]
    for _ in range(RATE):
        assert attempt(visitor(limited.url, next(addresses)), "signin", email).status_code == 400
    assert_too_many(attempt(visitor(limited.url, next(addresses)), "signin", email, password=PASSWORD))
    assert hashes((limited, "auth"))[0] == before + RATE, "what is refused costs no hash"


def test_a_change_counts_as_a_sign_in(limited):
    """A stolen session is no way to try passwords."""
    person = account_from_elsewhere(limited)
    thieves = [visitor(limited.url, next(addresses)) for _ in range(RATE + 1)]
    for thief in thieves:
        thief.headers["Authorization"] = f"Bearer {person.token}"
    guesses = [lambda t=t: t.patch("/api/users/me", json={"password": "taken over", "currentPassword": WRONG}) for t in thieves]
    assert_limited(guesses, RATE)
    assert_too_many(attempt(visitor(limited.url, next(addresses)), "signin", person.email, password=PASSWORD))


def test_an_address_over_its_limit_locks_nobody_out(limited):
    email = account_from_elsewhere(limited).email
    flooder = visitor(limited.url, next(addresses))
    for _ in range(RATE):
        attempt(flooder, "signin", new_email())
    for _ in range(RATE + 1):
        assert attempt(flooder, "signin", email).status_code == 429
    assert attempt(visitor(limited.url, next(addresses)), "signin", email, password=PASSWORD).status_code == 200


def test_exact_over_threads_and_replicas(limited, suspicious, believing):
    """Forty at once through three processes, for one account: exactly the rate is let through."""
    email, gate = new_email(), threading.Barrier(40)
    urls = (limited.url, suspicious.url, believing.url)

    def guess(n):
        who = visitor(urls[n % 3], f"127.88.0.{n + 1}")
        gate.wait()
        return attempt(who, "signin", email)
    with ThreadPoolExecutor(40) as pool:
        statuses = [a.status_code for a in pool.map(guess, range(40))]
    assert (statuses.count(400), statuses.count(429)) == (RATE, 40 - RATE)


def test_the_minute_ends(limited):
    who, email = visitor(limited.url, next(addresses)), new_email()
    for _ in range(RATE + 1):
        answer = attempt(who, "signin", email)
    assert_too_many(answer)

    def pass_time(seconds):
        limited.sql("auth", "update attempts set started = started - make_interval(secs => %s) where who in (%s, %s)", seconds,
                    who.adapters["http://"].address, email)
    pass_time(30)
    later = attempt(who, "signin", email)
    assert_too_many(later)
    assert int(later.headers["Retry-After"]) <= 30, "says how long"
    for seconds in (30, 60, 180, 600):  # long enough also for its row to be deleted
        pass_time(seconds)
        assert_limited([lambda: attempt(who, "signin", email)] * (RATE + 1), RATE)


def test_malformed_requests_are_not_counted(limited):
    who = visitor(limited.url, next(addresses))
    for _ in range(RATE + 1):
        assert who.post("/api/users/signin", json={"email": "x"}).status_code == 400
    assert attempt(who, "signin").status_code == 400


def test_zero_is_off(limited):
    rates = {"SIGNIN_RATE": "0", "SIGNUP_RATE": "0"}
    with Replica(limited, "auth", **rates) as replica:
        replica.wait_ready()
        person = account(replica.url)
        for _ in range(RATE * 5):
            assert sign_in(replica.url, person.email, WRONG).status_code == 400
            assert User(replica.url).post("/api/users/signup", json=credentials(person.email)).status_code == 409
    assert limited.sql("auth", "select * from attempts where who = %s", person.email) == [], "nor is anything counted"


def test_a_bad_list_of_proxies_is_refused(limited):
    with Replica(limited, "auth", TRUSTED_PROXIES="10.0.0.0/33") as replica:
        assert replica.process.wait(DEADLINE) == 78
        assert "TRUSTED_PROXIES" in replica.output() and "10.0.0.0/33" in replica.output()


# --- the hasher's queue ---

SLOW = {"HASH_THREADS": "1", "HASH_MEMORY": "64", "HASH_PASSES": "40", "SIGNIN_RATE": "0", "SIGNUP_RATE": "0"}  # some two seconds each


def test_a_full_queue_refuses_and_blocks_nobody(stack):
    token = token_of(sign_in(stack.url, account(stack.url).email))

    def tried():
        """Whether all of it was while the first was at work. Where a test stands still for longer than a hash takes, it was not."""
        with Replica(stack, "auth", HASH_QUEUE="2", **SLOW) as replica, ThreadPoolExecutor(3) as pool:
            replica.wait_ready()

            def someone():
                return pool.submit(sign_in, replica.url, new_email())
            first = someone()
            wait_until(lambda: hashes(replica)[0] > 0, "it is at work")
            others = [someone(), someone()]
            wait_until(lambda: replica.metric("onsale_auth_hasher_waiting") == 2 or hashes(replica)[0] > 1, "two wait")
            full = [User(replica.url).post(f"/api/users/{path}", json=body)
                    for path, body in [("signin", credentials()), ("signup", credentials()), ("signup", credentials())]]
            for _ in range(3):
                assert User(replica.url, token).get("/api/users/currentuser").json()["currentUser"]
                assert User(replica.url).post("/api/users/signout").status_code == 200
                assert requests.get(replica.admin_url + "/healthz", timeout=DEADLINE).status_code == 200
                replica.wait_ready()
            assert User(replica.url).post("/api/users/signup", json={}).status_code == 400
            if hashes(replica) != (1, 0) or first.done():
                return False
            for answer in full:
                assert answer.status_code == 503 and "Set-Cookie" not in answer.headers
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
                errors(answer)
            assert replica.metric("onsale_auth_hasher_refused_total") == 3
            for waiting in (first, *others):
                answer = waiting.result()
                assert (answer.status_code, errors(answer)) == (400, [(None, "Invalid credentials")])
            assert hashes(replica) == (3, 0), "nothing was done for those that were refused"
            return True
    wait_until(tried, "all of it is while the first is at work")


def test_a_refused_sign_up_can_be_tried_again(stack):
    """503 means that nothing was done."""
    with Replica(stack, "auth", HASH_QUEUE="1", **SLOW | CHEAP) as replica, ThreadPoolExecutor(16) as pool:
        replica.wait_ready()
        bodies = [credentials() for _ in range(32)]

        def until_done(body):
            key, statuses = {"Idempotency-Key": str(uuid.uuid4())}, []
            while not statuses or statuses[-1] == 503:
                statuses.append(User(replica.url).post("/api/users/signup", json=body, headers=key).status_code)
            return statuses
        assert {statuses[-1] for statuses in pool.map(until_done, bodies)} == {201}
        assert replica.metric("onsale_auth_hasher_refused_total") > 0
        assert stack.sql("auth", "select count(*) from users where email = any(%s)", [b["email"] for b in bodies]) == [(32,)]
