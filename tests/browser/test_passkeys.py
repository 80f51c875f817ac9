"""Passkeys, as people use them: added, signed in by, removed. Chromium's own authenticator stands in for the finger."""
import contextlib

import pytest

from people import DESK, PASSWORD, PHONE


@contextlib.contextmanager
def device(person, **more):
    """One that keeps passkeys and knows its owner."""
    session = person.context.new_cdp_session(person.page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
               "automaticPresenceSimulation": True, **more}
    yield session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    session.send("WebAuthn.disable")


def comes(people, **context):
    """By the name that passkeys are bound to."""
    person = people.stranger(people.stack.url.replace("127.0.0.1", "localhost"), **context)
    person.go("/signup?next=%2Faccount")
    person.sign_up()
    person.sees(person.email)
    return person


def add(person, name="My phone"):
    person.follow("Add a passkey")
    person.type(name=name, passkey_current=PASSWORD)
    person.press("Add a passkey")


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_life_of_a_passkey(people, viewport):
    person = comes(people, viewport=viewport)
    with device(person):
        add(person)
        person.sees("The passkey is added.")
        person.sees("My phone")
        person.press("Sign out on all devices")
        person.go("/signin?next=%2Faccount")
        person.follow("Sign in with a passkey")
        person.press("Sign in")
        person.sees(person.email)
        person.sees("last used")
        person.press("Remove")
        person.sees("The passkey is removed.")
        person.sees_not("My phone")
        person.press("Sign out on all devices")
        person.go("/signin/passkey?next=%2Faccount")
        person.press("Sign in")
        person.sees("This passkey is not known here")


def test_a_device_that_has_one_makes_no_other(people):
    """It would forget the one that it has."""
    person = comes(people)
    with device(person):
        add(person)
        person.sees("The passkey is added.")
        add(person, "Once more")
        person.sees("This device has a passkey of yours already.")
        person.go("/account")
        person.press("Sign out on all devices")
        person.go("/signin/passkey?next=%2Faccount")
        person.press("Sign in")
        person.sees("My phone")
        person.sees_not("Once more")


def test_what_goes_wrong_is_said(people):
    """And nothing is lost of what was typed, but the password."""
    person = comes(people)
    with device(person) as (session, of):
        person.follow("Add a passkey")
        person.type(name="My phone", passkey_current="something else")
        person.press("Add a passkey")
        person.sees("Current password is wrong")
        assert person.page.locator("[name=name]").input_value() == "My phone"
        session.send("WebAuthn.setUserVerified", {"authenticatorId": of, "isUserVerified": False})
        person.type(passkey_current=PASSWORD)
        person.press("Add a passkey")
        person.sees("That did not work.")
        session.send("WebAuthn.setUserVerified", {"authenticatorId": of, "isUserVerified": True})
        person.press("Add a passkey")
        person.sees("The passkey is added.")


def test_without_javascript(people):
    person = people.stranger(java_script_enabled=False)
    person.go("/signin")
    person.follow("Sign in with a passkey")
    person.sees("Passkeys need JavaScript")
    person.follow("Sign in with your password")
    person.sees("Lost your password?")
