"""The page of one's account, beside services that are played."""
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
