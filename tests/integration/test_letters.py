"""Letters: what streams/mail sends of the topic `letters`, to whom, in which words, and how often, whatever happens to it and to the mail server."""
import email
import email.policy
import re
import subprocess
import uuid

import pytest

from accounts import PASSWORD, account
from letters import FROM, Mailbox
from support import ROOT, Replica, free_port, wait_until

CHANGED = "Your password was changed"


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(SIGNIN_RATE="0", SIGNUP_RATE="0", HASH_MEMORY="8")


@pytest.fixture
def mailbox(stack):
    box = Mailbox(stack)
    yield box
    if not stack.info("mailbox")["pid"]:
        stack.supervisor("start", "mailbox")
    wait_until(lambda: stack.ready("mail"), "mail is ready")
    box.fail()


@pytest.fixture
def person(stack):
    return account(stack.url)


def change_password(person, **headers):
    """Of which a letter tells."""
    answer = person.patch("/api/users/me", json={"password": f"another horse {uuid.uuid4()}", "currentPassword": PASSWORD}, headers=headers)
    assert answer.status_code == 200, answer.text


def events(stack, person):
    return [event for event in stack.topic("letters").events() if event["email"] == person.email]


def count(stack, what):
    return stack.metric("mail", f"onsale_mail_{what}_total")


def nobody_else_gets_one_twice(stack, mailbox):
    """What is sent after it has come: so nothing of before is on its way."""
    last = account(stack.url)
    change_password(last)
    mailbox.letter(last.email)


# --- what a letter is ---

def test_a_letter_comes_once(stack, mailbox, person):
    change_password(person)
    letter = mailbox.letter(person.email)
    [event] = wait_until(lambda: events(stack, person), "its event is on the topic")
    assert (event["type"], str(event["userId"]), event["language"], event.key) == ("PasswordChanged", person.id, "en", person.id)
    assert (letter["subject"], letter["from"], letter["messageId"]) == (CHANGED, FROM, f"<{event['id']}@onsale.example>")
    message = email.message_from_string(letter["source"], policy=email.policy.default)
    assert message["To"] == person.email and message["Auto-Submitted"] == "auto-generated" and message["From"] == f"Onsale <{FROM}>"
    assert message["Date"].datetime == event["occurredAt"].replace(microsecond=0)
    assert message.get_content_type() == "multipart/alternative"
    words = " ".join(letter["text"].split())
    assert "The password of your account at Onsale was changed" in words and letter["links"] == [f"{stack.url}/forgot"]
    assert f'<a href="{stack.url}/forgot">' in letter["html"] and '<html lang="en">' in letter["html"]
    nobody_else_gets_one_twice(stack, mailbox)  # so that it is said to be sent
    stack.kill("mail")
    stack.wait_ready("mail")
    nobody_else_gets_one_twice(stack, mailbox)
    assert len(mailbox.of(person.email)) == 1


def test_a_letter_is_in_the_language_of_who_asks(mailbox, person):
    change_password(person, **{"Accept-Language": "fr, de-CH;q=0.9, en;q=0.5"})
    letter = mailbox.letter(person.email)
    assert letter["subject"] == "Ihr Passwort wurde geändert" and "geändert" in letter["text"] and '<html lang="de">' in letter["html"]


def test_the_address_of_before_is_told_of_a_new_one(mailbox, person):
    new = f"{uuid.uuid4().hex}@example.com"
    assert person.patch("/api/users/me", json={"email": new, "currentPassword": PASSWORD}).status_code == 200
    assert mailbox.letter(person.email)["subject"] == "Your e-mail address was changed"
    assert mailbox.of(new) == [], "where nothing is verified"


@pytest.mark.parametrize("address", ["a@b>\r\nRCPT TO:<victim@example.com", "victim@example.com,other@example.com", "nobody", "ü@example.com"])
def test_an_address_that_says_more_than_that(stack, mailbox, person, address):
    """On the topic; auth takes none like it."""
    before = count(stack, "bounced")
    write(stack, address)
    wait_until(lambda: count(stack, "bounced") == before + 1, "it is given up")
    change_password(person)
    mailbox.letter(person.email)
    assert mailbox.of("victim@example.com") == []


def write(stack, address, lives="1 hour"):
    stack.sql("auth", "insert into letter_events (type, id, user_id, expires_at, email, language) values "
              "('PasswordChanged', gen_random_uuid(), gen_random_uuid(), now() + %s::interval, %s, 'en')", lives, address)


# --- the mail server ---

def test_the_server_is_away(stack, mailbox, person):
    stack.supervisor("stop", "mailbox")
    change_password(person)
    wait_until(lambda: count(stack, "server_failures") > 0, "it is tried")
    wait_until(lambda: stack.metric("mail", "onsale_mail_behind_seconds") > 0, "it is told how long it waits")
    stack.supervisor("start", "mailbox")
    wait_until(mailbox.answers, "it is back")
    assert mailbox.letter(person.email)["subject"] == CHANGED
    nobody_else_gets_one_twice(stack, mailbox)
    assert len(mailbox.of(person.email)) == 1


@pytest.mark.parametrize("fault", [{"rcpt": "450 4.2.0 try again later"}, {"data": "451 4.3.0 not now"}, {"data": "421 4.3.2 going down"}])
def test_the_server_does_not_take_it_now(stack, mailbox, person, fault):
    before = count(stack, "deferred") + count(stack, "server_failures")
    mailbox.fail(**fault)
    change_password(person)
    wait_until(lambda: count(stack, "deferred") + count(stack, "server_failures") > before + 1, "it is tried, and tried again")
    assert mailbox.of(person.email) == []
    mailbox.fail()
    mailbox.letter(person.email)
    nobody_else_gets_one_twice(stack, mailbox)
    assert len(mailbox.of(person.email)) == 1


@pytest.mark.parametrize("fault", [{"rcpt": "550 5.1.1 no such user"}, {"data": "554 5.7.1 looks like spam"}])
def test_refused_for_good(stack, mailbox, person, fault):
    before = count(stack, "bounced")
    mailbox.fail(**fault)
    change_password(person)
    wait_until(lambda: count(stack, "bounced") == before + 1, "it is given up")
    [event] = events(stack, person)
    assert re.search(rf"{event['id']} is refused for good: .*{fault.popitem()[1][:3]}", stack.logs("mail"))
    mailbox.fail()
    nobody_else_gets_one_twice(stack, mailbox)
    assert mailbox.of(person.email) == [] and count(stack, "bounced") == before + 1


def test_killed_before_it_knows_that_the_server_has_it(stack, mailbox, person):
    mailbox.fail(silent=True)
    change_password(person)
    first = mailbox.letter(person.email)
    stack.kill("mail")
    mailbox.fail()
    letters = wait_until(lambda: len(found := mailbox.of(person.email)) == 2 and found, "it comes again")
    assert letters[1]["messageId"] == first["messageId"] and letters[1]["source"] == first["source"], "the same, to the byte"
    nobody_else_gets_one_twice(stack, mailbox)
    assert len(mailbox.of(person.email)) == 2


def test_what_comes_too_late_is_not_sent(stack, mailbox):
    before = count(stack, "expired")
    write(stack, "late@example.com", "-1 second")
    wait_until(lambda: count(stack, "expired") == before + 1, "it is given up")
    nobody_else_gets_one_twice(stack, mailbox)
    assert mailbox.of("late@example.com") == []


def test_nothing_is_said_without_tls(stack, mailbox, person):
    """As long as that is wanted; it is by default."""
    strict = Replica(stack, "mail", SMTP_STARTTLS="true")
    stack.supervisor("stop", "mail")
    try:
        with strict as mail:
            mail.wait_ready()
            change_password(person)
            wait_until(lambda: mail.metric("onsale_mail_server_failures_total") > 0, "it is tried")
            assert "error" in mail.output() and mailbox.of(person.email) == []
    finally:
        stack.supervisor("start", "mail")
    mailbox.letter(person.email)


@pytest.fixture
def guarded(tmp_path):
    """A mail server that speaks by STARTTLS alone, with who knows a password."""
    pem, ports = tmp_path / "server.pem", (free_port(), free_port())
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", pem, "-out", tmp_path / "server.crt"], check=True, stderr=subprocess.DEVNULL)
    pem.write_text(pem.read_text() + (tmp_path / "server.crt").read_text())
    (tmp_path / "password").write_text("a long secret\n")
    with subprocess.Popen(["/usr/bin/python3", ROOT / "dev/mailbox.py", *map(str, ports), pem, "onsale", "a long secret"]) as server:
        try:
            box = Mailbox(url=f"http://127.0.0.1:{ports[1]}")
            wait_until(box.answers, "the mailbox answers")
            box.settings = {"SMTP_URL": f"smtp://localhost:{ports[0]}", "SMTP_STARTTLS": "true", "SMTP_CA": str(tmp_path / "server.crt"),
                            "SMTP_USER": "onsale", "SMTP_PASSWORD_FILE": str(tmp_path / "password")}
            yield box
        finally:
            server.kill()


def test_by_tls_and_a_password(stack, mailbox, person, guarded):
    """Nothing is given to a server that we do not trust, or that does not trust us; then it waits."""
    mails = [Replica(stack, "mail", **{**guarded.settings, **changed}) for changed in ({"SMTP_CA": ""}, {"SMTP_USER": "somebody"}, {})]
    stack.supervisor("stop", "mail")
    try:
        change_password(person)
        for wrong in mails[:2]:
            with wrong as mail:
                mail.wait_ready()
                wait_until(lambda: mail.metric("onsale_mail_server_failures_total") > 0, "it is tried")
                assert "error" in mail.output() and "a long secret" not in mail.output() and guarded.of(person.email) == []
        with mails[2]:
            assert guarded.letter(person.email)["subject"] == CHANGED
    finally:
        stack.supervisor("start", "mail")
