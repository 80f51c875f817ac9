"""A second factor, as people use it: set up, asked for, its device lost, turned off."""
import re

import pytest
from playwright.sync_api import expect

from accounts import code_of, forget_codes
from people import PASSWORD


def sign_out(person):
    person.go("/account")
    person.send("Sign out on all devices")


def second_step(person, **code):
    """Signs in as far as the code is asked for, and sends it."""
    person.go("/signin?next=%2Faccount")
    person.sign_in()
    person.sees("Enter a code")
    if "recovery" in code:
        person.press("Lost your device?")
    person.type(**code)
    person.page.locator(f"form:has([name={next(iter(code))}]) button").click()


@pytest.mark.parametrize("scripts", [True, False])
def test_an_account_has_a_second_factor(people, scripts):
    person = people.stranger(java_script_enabled=scripts)
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    person.type(begin_current="something else")
    person.press("Set it up")
    person.sees("Current password is wrong")
    person.type(begin_current=PASSWORD)
    person.press("Set it up")
    person.sees("Scan this code")
    secret = person.page.locator("#secret").inner_text().replace(" ", "")
    expect(person.page.locator("a[href^='otpauth:']")).to_have_attribute("href", re.compile(f"secret={secret}&issuer=Onsale$"))
    person.type(code="12345")
    person.press("Turn it on")
    person.sees("Code is wrong")
    assert person.page.locator("#secret").inner_text().replace(" ", "") == secret, "it can be tried again"
    person.type(code=code_of(secret))
    person.press("Turn it on")
    person.sees("Two-step sign-in is on.")
    codes = person.page.locator(".codes").inner_text().split()
    assert len(codes) == 10
    sign_out(person)
    forget_codes(people.stack, person.email)
    second_step(person, code="12345")
    person.sees("This code is wrong, or was used before.")
    person.type(code=code_of(secret))
    person.page.locator("form:has([name=code]) button").click()
    person.sees("It is on: to sign in you need your password and a code from your app. 10 recovery codes are left.")
    sign_out(person)
    second_step(person, recovery=codes[0].upper())
    person.sees("9 recovery codes are left.")
    sign_out(person)
    second_step(person, recovery=codes[0])
    person.sees("This code is wrong, or was used before.")
    person.type(recovery=codes[1])
    person.page.locator("form:has([name=recovery]) button").click()
    person.sees("8 recovery codes are left.")
    person.type(factor_current=PASSWORD, factor_code=codes[1])
    person.press("Turn it off")
    person.sees("This code is wrong, or was used before")
    person.type(factor_current=PASSWORD, factor_code=codes[2])
    person.press("Turn it off")
    person.sees("Two-step sign-in is off.")
    sign_out(person)
    person.go("/signin?next=%2Faccount")
    person.sign_in()
    person.sees(person.email)


def test_it_is_asked_for_where_the_account_is_deleted(people):
    person = people.stranger()
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    person.type(begin_current=PASSWORD)
    person.press("Set it up")
    person.type(code=code_of(person.page.locator("#secret").inner_text().replace(" ", "")))
    person.press("Turn it on")
    person.sees("Two-step sign-in is on.")
    code = person.page.locator(".codes").inner_text().split()[0]
    person.go("/account")
    person.type(delete_current=PASSWORD, delete_code="12345")
    person.press("Delete it for good")
    person.sees("This code is wrong, or was used before")
    person.type(delete_current=PASSWORD, delete_code=code)
    person.press("Delete it for good")
    person.sees("Your account is deleted.")
