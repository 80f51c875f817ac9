"""What others put into pages: markup wherever a text can be typed, forms from elsewhere. people.py ends a test in whose browser any of
it came to life."""
import urllib.parse
import uuid

import pytest
from playwright.sync_api import expect

from support import wait_until

# Short enough to be searched for.
MARKUP = ["<script>window.pwned=1</script><img src=x onerror=alert(1)>\"><svg onload=alert(1)>",
          "</title><script>alert(1)</script>{{7*7}}${7*7} &lt;i&gt; &amp;amp; '\"> \u202etxt.exe"]


def lives_nowhere(person):
    assert person.page.evaluate("window.pwned") is None
    assert person.page.locator("main script:not([src]), main svg[onload], main img, main b").count() == 0


@pytest.mark.parametrize("markup", MARKUP, ids=["elements", "ends"])
def test_a_title_is_nothing_but_text(people, markup):
    """At every place it shows: where it is listed, found, bought, edited and told of, also by what scripts put there."""
    seller, buyer = people.user(), people.user()
    title = f"{markup} {uuid.uuid4().hex[:8]}"
    ticket = seller.sell(title)

    def shows(person, path, where="main"):
        if path:
            person.go(path)
        expect(person.page.locator(where)).to_contain_text(title)
        lives_nowhere(person)
    shows(seller, None, "h1")
    assert seller.page.title().startswith(title)
    shows(buyer, "/")
    shows(buyer, "/?" + urllib.parse.urlencode({"q": title}), "#tickets")
    expect(buyer.page.locator("[name=q]")).to_have_value(title)
    expect(buyer.page.locator("#list-title")).to_contain_text(title)
    seller.go(f"{ticket}/edit")
    expect(seller.page.locator("[name=title]")).to_have_value(title)
    seller.type(price=title)
    seller.send("Save")
    expect(seller.page.locator("[name=price]")).to_have_value(title)
    expect(seller.page.locator("[name=title]")).to_have_value(title)
    lives_nowhere(seller)
    order = buyer.buy(ticket)
    shows(buyer, None, "h1")
    shows(buyer, "/orders")
    shows(seller, "/tickets")
    seller.go(ticket)
    seller.state("reserved")  # put there by a script
    shows(seller, None, "h1")
    buyer.go(order)
    buyer.pay()
    buyer.state("paid")
    shows(buyer, None, "h1")


def test_what_is_typed_into_other_fields(people):
    person = people.stranger()
    for text in MARKUP:
        for path, button in (("/signup", "Create account"), ("/signin", "Sign in")):
            person.go(f"{path}?" + urllib.parse.urlencode({"next": text, "first": text, "done": text}))
            person.page.locator("form[method=post]").evaluate("form => { form.noValidate = true }")
            person.type(email=text, password="short")
            person.page.locator("[name=email]").evaluate("(input, text) => { input.type = 'text'; input.value = text }", text)
            person.send(button)
            expect(person.page.locator("[name=email]")).to_have_value(text)
            assert person.page.locator("[name=next]").input_value() == "/"
            lives_nowhere(person)


@pytest.mark.parametrize("next", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"])
def test_signing_in_leads_nowhere_else(people, next):
    person = people.stranger()
    person.go("/signup?" + urllib.parse.urlencode({"next": next}))
    person.sign_up()
    expect(person.page).to_have_url(f"{person.url}/?done=welcome")


def elsewhere(person, host, form):
    """A page of somebody else's that sends this form to us at once."""
    person.context.route(f"{host}/**", lambda route: route.fulfill(
        content_type="text/html", body=f"<!doctype html><title>x</title>{form}"))
    with person.page.expect_navigation(url=f"{host}/**"):
        person.page.goto(f"{host}/trap")
    with person.page.expect_navigation():
        person.page.evaluate("document.forms[0].submit()")


@pytest.mark.parametrize("host", ["http://evil.example", "http://127.0.0.1:1"])
def test_forms_from_elsewhere_are_refused(people, host, stack):
    """From another site the session does not come along; from another port of ours it does, and is not enough. Nor is a token of the
    sender's own."""
    seller, victim, thief = people.user(), people.user(), people.user()
    ticket = seller.sell(f"A seat {uuid.uuid4().hex[:8]}")
    wait_until(lambda: stack.sql("orders", "select 1 from tickets where id = %s", ticket.rsplit("/", 1)[1]), "orders knows it")
    thief.go(ticket)
    token = thief.page.locator(f"form[action='{ticket}/buy'] [name=csrf]").input_value()
    for value in ("", token):
        elsewhere(victim, host, f"<form action='{victim.url}{ticket}/buy' method='post'><input name='csrf' value='{value}'></form>")
        assert not victim.path.startswith("/orders")
    assert victim.orders() == []
    seller.go(ticket)
    seller.sees("on sale now")


def test_nobody_frames_us(people):
    person = people.user()
    person.context.route("http://evil.example/**", lambda route: route.fulfill(
        content_type="text/html", body=f"<!doctype html><title>x</title><iframe src='{person.url}/account'></iframe>"))
    person.go("http://evil.example/")
    wait_until(lambda: [frame.url for frame in person.page.frames[1:]] == ["chrome-error://chromewebdata/"], "the frame is refused")
    person.trouble.clear()  # which the console tells
