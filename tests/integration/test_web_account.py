"""The page of one's account, beside services that are played."""
import pytest

from webs import Browser, new_id, places, refusal, signed_in, text_of


def test_account(web):
    browser = Browser(web, True)
    page = browser.go("/account").page
    web.services.answers["PATCH /api/users/me"] = (400, refusal("Current password is wrong", "currentPassword"))
    answer = browser.submit(page, "/account/email", email="new@example.com", email_current="wrong")
    assert answer.status_code == 400 and "Current password is wrong" in answer.words
    assert web.services.asked("PATCH", "/api/users/me")[-1]["body"] == {"email": "new@example.com", "currentPassword": "wrong"}
    web.services.answers["PATCH /api/users/me"] = (200, {"id": browser.id, "email": "x"}, signed_in(web))
    before = browser.cookies["session"]
    answer = browser.submit(answer.page, "/account/password", password="new password", password_current="right")
    assert answer.headers["Location"] == "/account?done=password" and browser.cookies["session"] != before
    assert web.services.asked("PATCH", "/api/users/me")[-1]["body"] == {"password": "new password", "currentPassword": "right"}
    assert "Your password is changed" in browser.go(answer.headers["Location"]).words


def test_where_one_is_signed_in(web):
    browser, here, there = Browser(web, True), new_id(), new_id()
    web.services.answers["GET /api/users/sessions"] = (200, [
        {"id": here, "signedInAt": "2026-11-21T03:19:31.123Z", "current": True, "address": "2001:db8::7", "browser": "Firefox"},
        {"id": there, "signedInAt": "2026-11-20T03:19:31.123Z", "current": False, "address": "203.0.113.7"}])
    page = browser.go("/account", headers={"User-Agent": "a browser"}).page
    assert web.services.seen[-1]["headers"]["User-Agent"] == "a browser", "what is kept of a session is about the visitor"
    first, second = page.findall(".//ul[@class='sessions']/li")
    assert "Firefox 2001:db8::7" in text_of(first) and first.find(".//form") is None
    assert "A device 203.0.113.7" in text_of(second) and second.find(".//input[@name='session']").get("value") == there
    web.services.answers[f"DELETE /api/users/sessions/{there}"] = (204, None)
    answer = browser.submit(page, "/account/sessions", session=there)
    assert answer.headers["Location"] == "/account?done=session"
    assert len(web.services.asked("DELETE", f"/api/users/sessions/{there}")) == 1
    assert "That device is signed out" in browser.go(answer.headers["Location"]).words
    assert browser.submit(page, "/account/sessions", session="../../orders").headers["Location"] == "/account"


def test_a_device_that_cannot_be_signed_out(web):
    browser, there = Browser(web, True), new_id()
    web.services.answers["GET /api/users/sessions"] = (200, [{"id": there, "signedInAt": "2026-11-20T03:19:31.123Z", "current": False}])
    page = browser.go("/account").page
    web.services.answers[f"DELETE /api/users/sessions/{there}"] = (503, refusal("The service is busy"))
    answer = browser.submit(page, "/account/sessions", session=there)
    assert answer.status_code == 503 and "Nothing was done" in answer.words
    web.services.answers[f"DELETE /api/users/sessions/{there}"] = (401, refusal("Sign in first"))
    assert places(browser.submit(page, "/account/sessions", session=there)).path == "/signin"


def test_sessions_that_cannot_be_shown(web):
    """The rest of the page is there."""
    browser = Browser(web, True)
    for answer in ((503, refusal("The service is busy")), (404, refusal("Not found")), (200, [{"id": "x"}]), (200, {})):
        web.services.answers["GET /api/users/sessions"] = answer
        page = browser.go("/account")
        assert page.status_code == 200 and "Where you are signed in can't be shown right now" in page.words and "Change password" in page.words
    web.services.answers["GET /api/users/sessions"] = (401, refusal("Sign in first"))
    assert places(browser.go("/account")).path == "/signin"


def test_the_account_is_deleted(web):
    browser = Browser(web, True)
    page = browser.go("/account").page
    web.services.answers["POST /api/users/me/delete"] = (400, refusal("Current password is wrong", "currentPassword"))
    answer = browser.submit(page, "/account/delete", delete_current="wrong")
    assert answer.status_code == 400 and "Current password is wrong" in answer.words
    web.services.answers["POST /api/users/me/delete"] = (204, None)
    answer = browser.submit(answer.page, "/account/delete", delete_current="right")
    assert web.services.asked("POST", "/api/users/me/delete")[-1]["body"] == {"currentPassword": "right"}
    assert answer.headers["Location"] == "/?done=deleted" and not {"session", "device"} & set(browser.cookies.keys())
    assert "Your account is deleted" in browser.go(answer.headers["Location"]).words


# --- a second factor ---

FACTOR, SECRET = "/api/users/me/second-factor", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
URI = f"otpauth://totp/Onsale:mara%40example.com?secret={SECRET}&issuer=Onsale"
CODE_NEEDED = (403, {"errors": [{"message": "Send a code of the second factor along"}], "reason": "second_factor"})


def account_with_factor(web, browser, **state):
    web.services.answers[f"GET {FACTOR}"] = (200, {"enabled": False, "recoveryCodesLeft": 0} | state)
    return browser.go("/account")


def test_a_second_factor_is_set_up(web):
    browser = Browser(web, True)
    page = account_with_factor(web, browser).page
    web.services.answers[f"POST {FACTOR}"] = (400, refusal("Current password is wrong", "currentPassword"))
    answer = browser.submit(page, "/account/second-factor", begin_current="wrong")
    assert answer.status_code == 400 and "Current password is wrong" in answer.words
    web.services.answers[f"POST {FACTOR}"] = (200, {"secret": SECRET, "uri": URI})
    page = browser.submit(answer.page, "/account/second-factor", begin_current="right").page
    assert web.services.asked("POST", FACTOR)[-1]["body"] == {"currentPassword": "right"}
    for _ in range(2):  # a wrong code shows it once more
        assert page.find(".//code[@id='secret']").text == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
        assert page.find(f".//a[@href='{URI}']") is not None and any(e.get("class") == "qr" for e in page.iter())
        web.services.answers[f"POST {FACTOR}/confirm"] = (400, refusal("Code is wrong; see that the clock of your device is right", "code"))
        answer = browser.submit(page, "/account/second-factor/confirm", code="123456")
        assert answer.status_code == 400 and "Code is wrong" in answer.words
        page = answer.page
    web.services.answers[f"POST {FACTOR}/confirm"] = (200, {"recoveryCodes": ["abcd-efgh-ijkl-mnop", "<b>"]})
    answer = browser.submit(page, "/account/second-factor/confirm", code="654321")
    assert web.services.asked("POST", f"{FACTOR}/confirm")[-1]["body"] == {"code": "654321"}
    assert answer.page.find(".//pre[@class='codes']").text.split() == ["abcd-efgh-ijkl-mnop", "<b>"]
    assert answer.headers["Cache-Control"] == "no-store"
    for path in ("", "/confirm", "/off"):
        assert browser.go(f"/account/second-factor{path}").headers["Location"] == "/account"


def test_the_secret_of_a_form_leads_nowhere_else(web):
    """What it carries from page to page may have been written by somebody else."""
    browser = Browser(web, True)
    page = account_with_factor(web, browser).page
    web.services.answers[f"POST {FACTOR}"] = (200, {"secret": SECRET, "uri": URI})
    page = browser.submit(page, "/account/second-factor", begin_current="right").page
    web.services.answers[f"POST {FACTOR}/confirm"] = (400, refusal("Code is wrong", "code"))
    for uri in ("javascript:alert(1)", "", "https://evil.example/" + "x" * 4000, "\"><script>"):
        answer = browser.submit(page, "/account/second-factor/confirm", code="1", uri=uri, secret="\"><script>")
        assert answer.status_code in (303, 400)
        assert [a.get("href") for a in answer.page.iter("a") if a.get("href", "").startswith("javascript")] == []


def test_a_second_factor_is_turned_off(web):
    browser = Browser(web, True)
    answer = account_with_factor(web, browser, enabled=True, recoveryCodesLeft=7)
    assert "7 recovery codes are left" in answer.words
    web.services.answers[f"POST {FACTOR}/off"] = CODE_NEEDED
    answer = browser.submit(answer.page, "/account/second-factor/off", factor_current="right", factor_code="1")
    assert answer.status_code == 403 and "Send a code of the second factor along" in answer.words
    web.services.answers[f"POST {FACTOR}/off"] = (204, None)
    answer = browser.submit(answer.page, "/account/second-factor/off", factor_current="right", factor_code="123456")
    assert web.services.asked("POST", f"{FACTOR}/off")[-1]["body"] == {"currentPassword": "right", "code": "123456"}
    assert "Two-step sign-in is off" in browser.go(answer.headers["Location"]).words


def test_a_second_factor_that_cannot_be_shown(web):
    """The rest of the page is there."""
    browser = Browser(web, True)
    for answer in ((503, refusal("The service is busy")), (404, refusal("Not found")), (200, {}), (200, [])):
        web.services.answers[f"GET {FACTOR}"] = answer
        page = browser.go("/account")
        assert page.status_code == 200 and "Two-step sign-in can't be shown right now" in page.words and "Change password" in page.words
    web.services.answers[f"GET {FACTOR}"] = (401, refusal("Sign in first"))
    assert places(browser.go("/account")).path == "/signin"


def ask_for_code(web, browser):
    web.services.answers["POST /api/users/signin"] = CODE_NEEDED
    answer = browser.submit(browser.go("/signin?next=%2Forders").page, "/signin", email="mara@example.com", password="hunter2<")
    assert answer.status_code == 403 and "Enter a code" in answer.words and "mara@example.com" in answer.words
    assert "hunter2" not in answer.text and "wrong" not in answer.words
    return answer


def code_form(answer, name):
    [form] = [form for form in answer.page.iter("form") if form.find(f".//input[@name='{name}']") is not None]
    return {i.get("name"): i.get("value") or "" for i in form.iter("input")}


@pytest.mark.parametrize("name", ["code", "recovery"])
def test_the_second_step_of_signing_in(web, name):
    """The password is not typed again, and not in the page; who signs in comes to where he wanted."""
    browser = Browser(web)
    answer = ask_for_code(web, browser)
    answer = browser.go("/signin", "POST", data=code_form(answer, name) | {name: "1"})
    assert answer.status_code == 403 and "This code is wrong, or was used before." in answer.words
    web.services.answers["POST /api/users/signin"] = (429, refusal("Too many attempts, try again later"), {"Retry-After": "9"})
    answer = browser.go("/signin", "POST", data=code_form(answer, name) | {name: "1"})
    assert answer.status_code == 429 and "Too many attempts" in answer.words
    web.services.answers["POST /api/users/signin"] = (200, {"id": new_id(), "email": "x"}, signed_in(web))
    answer = browser.go("/signin", "POST", data=code_form(answer, name) | {name: "123 456"})
    assert web.services.asked("POST", "/api/users/signin")[-1]["body"] == {"email": "mara@example.com", "password": "hunter2<", "code": "123 456"}
    assert answer.headers["Location"] == "/orders"


def test_the_password_opens_in_its_browser_alone(web):
    """What the form has of it is of no use to who reads the page."""
    mine, other = Browser(web), Browser(web)
    form = code_form(ask_for_code(web, mine), "code")
    theirs = code_form(ask_for_code(web, other), "code")
    asked = len(web.services.asked("POST", "/api/users/signin"))
    for kept in (form["kept"], "", "A" * 64, theirs["kept"][:-4] + "AAAA", "!"):
        answer = other.go("/signin", "POST", data=theirs | {"code": "123456", "kept": kept})
        if kept:
            assert answer.status_code == 403 and "That took too long. Sign in again." in answer.words
    assert [r["body"]["password"] for r in web.services.asked("POST", "/api/users/signin")[asked:]] == [""]
