"""The stories of a show in Firefox, with and without pages' scripts: sold, bought together and by keyboard, printed, let in once, refunded."""
import pytest

from firefox import Firefox
from sandbox import Books
from shows import announced, place_id
from support import User, wait_until
from test_door import bought

TAB, ENTER = "\ue004", "\ue007"


@pytest.fixture(scope="module", params=[True, False], ids=["script", "no-script"])
def firefox(request, tmp_path_factory):
    browser = Firefox(tmp_path_factory.mktemp("firefox"), script=request.param)
    browser.script = request.param
    yield browser
    browser.close()


@pytest.fixture
def seller(stack, tokens):
    return User(stack.url, next(tokens))


@pytest.fixture
def buyer(stack, tokens):
    return User(stack.url, next(tokens))


@pytest.fixture
def sold(seller, buyer):
    """A show with two seats that are bought: the show, the purchase, tickets and codes."""
    show, [area] = announced(seller, [{"rows": [{"name": "A", "from": 12, "to": 13}]}])
    tickets = [place_id(area, 0, n) for n in (0, 1)]
    purchase = bought(buyer, tickets)
    wait_until(lambda: buyer.post("/api/payments", json={"purchaseId": purchase, "token": "pm_card_visa"}).status_code == 201, "it is paid")
    codes = [wait_until(lambda: buyer.get(f"/api/tickets/{t}/code").json().get("code"), "it has a code") for t in tickets]
    return show, purchase, tickets, codes


def until(person, path, words):
    """Without scripts a page says what is new when it is loaded again."""
    wait_until(lambda: words in person.says() or person.firefox.script or person.go(path) or words in person.says(), words)
    person.sees(words)


def test_two_together(firefox, stack, seller, buyer):
    show, _ = announced(seller, [{"rows": [{"name": "A", "from": 12, "to": 17}]}])
    person = firefox.person(stack.url, buyer)
    person.go("/")
    assert person.evaluate("document.querySelector('.show time').textContent !== ''")
    person.go(f"/shows/{show['id']}")

    def taken():
        person.choose(quantity="2")
        person.send("button", "Get the best available")
        return person.path.startswith("/purchases/")
    wait_until(taken, "orders knows the show")
    person.sees("Stalls, row A, seats")
    path = person.path
    person.click("label", "Visa 4242")
    person.send("button", "Pay")
    until(person, path, "The tickets are yours.")


def test_seats_by_keyboard(firefox, stack, seller, buyer):
    show, [area] = announced(seller, [{"rows": [{"name": "A", "from": 12, "to": 17}]}])
    person = firefox.person(stack.url, buyer)
    person.go(f"/shows/{show['id']}/areas/{area['id']}")
    person.evaluate("document.querySelectorAll('[name=ticket]')[2].focus()")
    person.press(f" {TAB} ")
    assert person.evaluate("[...document.querySelectorAll('[name=ticket]')].filter((box) => box.checked).length") == 2
    if firefox.script:
        assert person.evaluate("document.querySelector('.picked').textContent") == "2 seats: $40.00"

    def taken():  # orders may hear of a show a moment later: what was picked stays
        person.evaluate("window.before = true; document.querySelector('#pick [type=submit]').focus()")
        person.press(ENTER)
        person.arrives("ENTER")
        return person.path.startswith("/purchases/")
    wait_until(taken, "orders knows the seats")
    person.sees("Stalls, row A, seats 14–15")
    person.go("/")
    assert "Tickets held for you" in person.evaluate("document.querySelector('.held').textContent"), "it is on every page"


def test_a_show_is_sold(firefox, stack, seller):
    person = firefox.person(stack.url, seller)
    person.go("/shows/new")
    person.type(title="A night in Firefox", venue="House & Hall", city="Basel", zone="Europe/Zurich")
    person.choose(starts="2031-06-01T20:00")
    person.send("button", "Save and go on")
    person.sees("Your draft is made. Now add its areas.")
    path = person.path
    person.type(name="Pit", price="20", places="10")
    person.send("button", "Add the area")
    person.sees("The area is added.")
    wait_until(lambda: seller.get(f"/api{path}").json()["areas"][0]["known"] == 10, "all places are made and known")
    until(person, path, "10")

    def announces():
        person.go(path)
        person.send("button", "Announce the show")
        return "Your show is announced and on sale." in person.says()
    wait_until(announces, "it is announced")


def test_a_receipt_prints(firefox, stack, sold, buyer):
    _, purchase, tickets, _ = sold
    person = firefox.person(stack.url, buyer)
    person.go(f"/tickets/{tickets[1]}")
    person.sees("Show this at the door.")
    person.send("a", "Receipt")
    for words in (purchase, "$40.00", "row A, seat 13", "Total, paid with Visa ending in 4242"):
        person.sees(words)
    assert person.pdf().startswith(b"%PDF-")


def test_the_door(firefox, stack, sold, seller):
    """Let in once; shown again it is refused, and so is what is no ticket, and one that was refunded."""
    show, purchase, _, codes = sold
    person = firefox.person(stack.url, seller)
    person.go(f"/shows/{show['id']}/door")
    person.sees("Ready")

    def shows(code, heading):
        person.type(code=code)
        (person.click if firefox.script else person.send)("button", "Let in")
        wait_until(lambda: person.evaluate("document.querySelector('.door-heading').textContent").strip() == heading, heading)
    shows(codes[0], "Let in")
    person.sees("Stalls, row A, seat 12")
    shows(codes[0], "Used already")
    shows("no ticket at all", "Not a ticket")
    books = Books(stack)
    books.post("/v1/refunds", payment_intent=books.of({"id": purchase})[0]["id"])
    wait_until(lambda: stack.sql("tickets", "select 1 from sales where order_id = %s and refunded", purchase), "tickets knows of the refund")
    shows(codes[1], "Refunded")


def test_no_page_is_wider_than_its_window(firefox, stack, sold, seller, buyer):
    show, purchase, tickets, _ = sold
    to_buyer, to_seller = firefox.person(stack.url, buyer), firefox.person(stack.url, seller)
    for person, paths in ((to_buyer, ("/", f"/shows/{show['id']}", f"/purchases/{purchase}", f"/purchases/{purchase}/receipt", f"/tickets/{tickets[0]}",
                                      "/orders", "/account", "/help")),
                          (to_seller, ("/tickets", "/sell", "/shows/new", f"/shows/{show['id']}/door", f"/shows/{show['id']}/edit"))):
        for path in paths:
            person.go(path)
            for width in (390, 768, 1440):
                person.resize(width)
                assert person.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            person.resize(390)
            assert person.evaluate("document.documentElement.style.fontSize = '200%', document.documentElement.scrollWidth") <= 390, f"{path}, large text"
