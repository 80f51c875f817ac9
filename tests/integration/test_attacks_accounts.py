"""Attacks on accounts by whoever can write to auth, but cannot read its owner's letters: who has an account, another's address, another's link."""
import base64
import uuid

import pytest
import requests

from accounts import PASSWORD, account, credentials, hashes, new_email, sign_in, token_of
from letters import Mailbox
from support import DEADLINE, Replica, User, list_ticket, refused, wait_until
from webs import Browser

NEW_PASSWORD = f"another horse {uuid.uuid4().hex}"
VERIFY, EXISTS, RESET = "Confirm your e-mail address", "You have an account already", "Choose a new password"


@pytest.fixture(scope="module")
def mailbox(stack):
    return Mailbox(stack)


@pytest.fixture(scope="module")
def auth(stack):
    """One that wants addresses verified, beside the other."""
    with Replica(stack, "auth", VERIFY_EMAIL="true") as replica:
        yield replica.wait_ready()


def sign_up(auth, email=None):
    """Without following the letter's link."""
    person = User(auth.url)
    person.email = email or new_email()
    answer = person.post("/api/users/signup", json=credentials(person.email))
    assert (answer.status_code, answer.json()) == (202, {}), answer.text
    return person


def session(stack, auth, email, password=PASSWORD):
    """Somebody signed in, for all services."""
    answer = sign_in(auth.url, email, password)
    assert answer.status_code == 200, answer.text
    return User(stack.url, token_of(answer))


def ask_reset(url, email):
    answer = User(url).post("/api/users/password-reset", json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {}), answer.text
    return answer


def verify(auth, token):
    return User(auth.url).post("/api/users/verify", json={"token": token})


def reset(auth, token, password=NEW_PASSWORD):
    return User(auth.url).post("/api/users/password-reset/follow", json={"token": token, "password": password})


def same(one, other):
    """As far as whoever asks can see."""
    changing = {"date", "traceparent"}
    headers = [{k.lower(): v for k, v in answer.headers.items() if k.lower() not in changing} for answer in (one, other)]
    return (one.status_code, one.content, headers[0]) == (other.status_code, other.content, headers[1])


# --- who has an account ---

def test_who_has_an_account_is_not_told(stack, auth, mailbox):
    known = account(stack.url)
    links = stack.sql("auth", "select count(*) from links")[0][0]
    answers, made, stranger = [], [], new_email()
    for email in (known.email.upper(), stranger):
        before = hashes(auth)
        answers.append(User(auth.url).post("/api/users/signup", json=credentials(email)))
        made.append((hashes(auth)[0] - before[0], hashes(auth)[1] - before[1]))
    assert same(*answers) and answers[0].status_code == 202 and "Set-Cookie" not in answers[0].headers
    assert made == [(0, 1), (0, 1)], "the same work"
    assert mailbox.letter(known.email)["subject"] == EXISTS and mailbox.letter(stranger)["subject"] == VERIFY
    nobody = new_email()
    assert same(ask_reset(auth.url, known.email), ask_reset(auth.url, nobody))
    assert stack.sql("auth", "select count(*) from links")[0][0] == links + 4, "a row each, so a flush each"
    assert sign_in(stack.url, known.email).status_code == 200, "nothing became of the account"
    assert mailbox.of(nobody) == []


def test_an_idempotency_key_does_not_tell_either(stack, auth):
    """With 422 for another body it would: only where the first one made an account there is anything to repeat."""
    known, key = account(stack.url), {"Idempotency-Key": uuid.uuid4().hex}
    answers = [User(auth.url).post("/api/users/signup", json=credentials(email, password), headers=key)
               for email in (known.email, new_email()) for password in (PASSWORD, NEW_PASSWORD)]
    assert all(same(answers[0], other) and other.status_code == 202 for other in answers)


def test_nobodys_mailbox_is_filled(stack, auth, mailbox):
    known = account(stack.url)
    for _ in range(3):
        ask_reset(auth.url, known.email)
        sign_up(auth, known.email)
    mailbox.letter(known.email)
    assert stack.sql("auth", "select count(*) from letter_events where email = %s", known.email) == [(1,)]


# --- another's address ---

def test_an_address_is_claimed_and_not_verified(stack, auth, mailbox, seller):
    """Such an account looks around, and holds nothing."""
    ticket = list_ticket(stack, seller)
    thief = session(stack, auth, sign_up(auth).email)
    assert thief.claims["email_verified"] is False
    assert thief.get(f"/api/tickets/{ticket['id']}").status_code == thief.get("/api/orders").status_code == 200
    for path, body in (("/api/orders", {"ticketId": ticket["id"]}), ("/api/purchases", {"ticketIds": [ticket["id"]]}), ("/api/orders", {})):
        refused(thief.post(path, json=body), 403, "Verify your e-mail address first", "email_not_verified")
    assert stack.sql("orders", "select 1 from orders where ticket_id = %s", ticket["id"]) == []
    browser, where = Browser(Through(stack), thief.headers["Authorization"].removeprefix("Bearer ")), f"/tickets/{ticket['id']}"
    refusal = browser.submit(browser.go(where).page, f"{where}/buy")
    assert refusal.status_code == 409 and "Verify your e-mail address first" in refusal.words
    assert "Confirm your address first" in browser.go("/account").words


def test_whose_address_it_is_may_buy(stack, auth, mailbox, seller):
    ticket = list_ticket(stack, seller)
    person = sign_up(auth)
    before = session(stack, auth, person.email)
    assert verify(auth, mailbox.token(person.email, VERIFY)).status_code == 200
    wait_until(lambda: before.get("/api/orders").status_code == 401, "sessions of before have ended")
    after = session(stack, auth, person.email)
    assert "email_verified" not in after.claims
    assert after.place(ticket)["status"] == "created"


def test_another_address_is_to_be_verified_too(stack, auth, mailbox, seller):
    person, new = sign_up(auth), new_email()
    assert verify(auth, mailbox.token(person.email, VERIFY)).status_code == 200
    one, other = session(stack, auth, person.email), session(stack, auth, person.email)
    answer = User(auth.url, one.headers["Authorization"].removeprefix("Bearer ")).patch(
        "/api/users/me", json={"email": new, "currentPassword": PASSWORD})
    assert answer.status_code == 200, answer.text
    ticket = list_ticket(stack, seller)
    wait_until(lambda: other.get("/api/orders").status_code == 401, "sessions that said otherwise have ended")
    refused(User(stack.url, token_of(answer)).post("/api/orders", json={"ticketId": ticket["id"]}), 403, reason="email_not_verified")
    assert mailbox.letter(person.email, "Your e-mail address was changed")
    assert verify(auth, mailbox.token(new, VERIFY)).status_code == 200
    assert session(stack, auth, new).place(ticket)["status"] == "created"


def test_who_opened_an_account_with_anothers_address_loses_it(stack, auth, mailbox):
    email = new_email()
    sign_up(auth, email)
    thief = session(stack, auth, email)
    ask = "update links set created_at = created_at - interval '1 minute' where email = %s"
    stack.sql("auth", ask, email)
    User(auth.url).post("/api/users/signup", json=credentials(email, NEW_PASSWORD))
    assert reset(auth, mailbox.token(email, EXISTS)).status_code == 200
    wait_until(lambda: thief.get("/api/orders").status_code == 401, "the thief is out")
    assert sign_in(auth.url, email).status_code == 400
    assert "email_verified" not in session(stack, auth, email, NEW_PASSWORD).claims


# --- another's link ---

def over(answer):
    refused(answer, 400, "is not good any more")
    return answer.json()["errors"][0]["field"] == "token"


def test_a_link_is_followed_once(stack, auth, mailbox):
    person = sign_up(auth)
    token = mailbox.token(person.email, VERIFY)
    assert verify(auth, token).status_code == 200
    assert over(verify(auth, token))
    ask_reset_again(stack, person.email)
    token = mailbox.token(person.email, RESET)
    assert reset(auth, token).status_code == 200
    assert over(reset(auth, token, PASSWORD)) and sign_in(auth.url, person.email, NEW_PASSWORD).status_code == 200


def ask_reset_again(stack, email):
    """A minute later."""
    stack.sql("auth", "update links set created_at = created_at - interval '1 minute' where email = %s", email)
    ask_reset(stack.url, email)


def test_a_link_that_is_over_or_altered(stack, auth, mailbox):
    person = sign_up(auth)
    token = mailbox.token(person.email, VERIFY)
    raw = base64.urlsafe_b64decode(token)
    assert len(raw) == 48
    for i in (0, 7, 15, 16, 31, 47):
        altered = base64.urlsafe_b64encode(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]).decode()
        assert over(verify(auth, altered))
    for wrong in ("", "x", token[:-1], token + "A", token + "=", token.swapcase(), "A" * 64, "A" * 5000):
        assert over(verify(auth, wrong))
    assert over(reset(auth, token)), "it is for something else"
    stack.sql("auth", "update links set expires_at = now() where email = %s", person.email)
    assert over(verify(auth, token))


def test_a_link_is_void_when_something_else_changed(stack, mailbox, auth):
    person = account(stack.url)
    ask_reset(stack.url, person.email)
    token = mailbox.token(person.email, RESET)
    assert person.patch("/api/users/me", json={"password": NEW_PASSWORD, "currentPassword": PASSWORD}).status_code == 200
    assert over(reset(auth, token, PASSWORD))


def test_a_token_is_kept_nowhere(stack, auth, mailbox):
    """So whoever reads the database or the topic has the ids of letters, and no more."""
    person = sign_up(auth)
    token = mailbox.token(person.email, VERIFY)
    secret = base64.urlsafe_b64decode(token)[16:]
    text = repr(stack.sql("auth", "select links, letter_events from links, letter_events where links.id = letter_events.id"))
    records = [event for event in stack.topic("letters").events() if event["email"] == person.email]
    assert records and person.email in text
    for kept in (text, repr(records)):
        assert token not in kept and token[22:] not in kept and secret.hex() not in kept


def test_a_reset_ends_sessions_and_tells(stack, auth, mailbox):
    person = account(stack.url)
    ask_reset(stack.url, person.email)
    assert reset(auth, mailbox.token(person.email, RESET)).status_code == 200
    wait_until(lambda: User(stack.url, person.cookies["session"]).get("/api/orders").status_code == 401, "sessions of before have ended")
    assert sign_in(stack.url, person.email).status_code == 400
    assert sign_in(stack.url, person.email, NEW_PASSWORD).status_code == 200
    assert mailbox.letter(person.email, "Your password was changed")


def test_a_new_password_is_looked_at_before_the_link(stack, auth, mailbox):
    person = account(stack.url)
    ask_reset(stack.url, person.email)
    token = mailbox.token(person.email, RESET)
    refused(reset(auth, token, "short"), 400, "must have 8 to 128 characters")
    assert reset(auth, token).status_code == 200, "the link is still good"


# --- in a browser, without scripts ---

class Through:
    session = "session"

    def __init__(self, stack):
        self.url = stack.url


def test_a_way_back_by_the_pages(stack, mailbox):
    """Programs that look into letters load the page of the link first: only the form follows it."""
    person, browser = account(stack.url), Browser(Through(stack))
    signin = browser.go("/signin")
    assert [a for a in signin.page.iter("a") if a.get("href") == "/forgot"]
    answer = browser.submit(browser.go("/forgot").page, "/forgot", email=person.email)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sent")
    assert "Look into your mail" in browser.go("/sent").words
    [link] = mailbox.letter(person.email, RESET)["links"]
    assert link.startswith(f"{stack.url}/reset?token=")
    for _ in range(2):
        assert requests.get(link, timeout=DEADLINE).status_code == 200
    where = link.removeprefix(stack.url)
    short = browser.submit(browser.go(where).page, "/reset", password="short")
    assert short.status_code == 400 and "8 to 128" in short.words
    answer = browser.submit(short.page, "/reset", password=NEW_PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signin?first=again&done=password")
    page = browser.go(answer.headers["Location"])
    assert "Your password is changed" in "".join(page.page.itertext())
    assert browser.submit(page.page, "/signin", email=person.email, password=NEW_PASSWORD).status_code == 303
    again = browser.submit(browser.go(where).page, "/reset", password=PASSWORD)
    assert again.status_code == 400 and "This link is not good any more" in again.words


def test_an_address_is_verified_by_the_pages(stack, auth, mailbox):
    person, browser = sign_up(auth), Browser(Through(stack))
    [link] = mailbox.letter(person.email, VERIFY)["links"]
    where = link.removeprefix(stack.url)
    assert where.startswith("/verify?token=")
    page = browser.go(where)
    assert "Confirm your address" in page.words
    answer = browser.submit(page.page, "/verify")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signin?first=again&done=verified")
    assert stack.sql("auth", "select verified from users where email = %s", person.email) == [(True,)]
    again = browser.submit(browser.go(where).page, "/verify")
    assert again.status_code == 400 and "This link is not good any more" in again.words
