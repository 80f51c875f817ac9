"""What one has bought: a ticket's page, its receipt, and the door, on the whole stack; with script and without, on a phone."""
import json
import pathlib
import re
import subprocess

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from people import PHONE
from sandbox import Books
from shows import announced, place_id
from support import ROOT, wait_until

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
SHOTS = ROOT / "build/screenshots"
# A camera before which tickets are held: window.before has their codes. Chromium on Linux has no detector of its own.
CAMERA = """
window.before = [];
window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return window.before.map((rawValue) => ({ rawValue })); }
};
navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    setInterval(() => context.fillRect(0, 0, canvas.width, canvas.height), 50);
    return canvas.captureStream();
};
"""


def shot(person, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    person.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def clean(person):
    """By axe, and without a bar to scroll sideways."""
    person.page.evaluate(AXE)
    found = person.page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    assert not found, json.dumps([(v["id"], v["help"], [n["html"][:200] for n in v["nodes"]]) for v in found], indent=1)
    assert person.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def bought(buyer, tickets):
    """The purchase of them, once orders has heard of all."""
    answer = wait_until(lambda: (a := buyer.post("/api/purchases", json={"ticketIds": tickets})).status_code != 404 and (a,), "orders knows them")[0]
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.fixture
def sold(people):
    """A show with seats, and two of them bought: the show, the purchase, both people."""
    seller, buyer = people.user(), people.user()
    show, [area] = announced(seller.api, [{"rows": [{"name": "A", "from": 12, "to": 13}]}])
    tickets = [place_id(area, 0, n) for n in (0, 1)]
    purchase = bought(buyer.api, tickets)
    wait_until(lambda: buyer.api.post("/api/payments", json={"purchaseId": purchase, "token": "pm_card_visa"}).status_code == 201, "it is paid")
    codes = [wait_until(lambda: buyer.api.get(f"/api/tickets/{t}/code").json().get("code"), "it has a code") for t in tickets]
    return show, purchase, seller, buyer, tickets, codes


def answers(person, kind, heading, words=""):
    expect(person.page.locator("#answer")).to_have_class(f"door-answer {kind}")
    expect(person.page.locator("#answer .door-heading")).to_have_text(heading)
    expect(person.page.locator("#answer")).to_contain_text(words)


def test_the_page_of_a_ticket(sold, tmp_path):
    show, purchase, seller, buyer, tickets, codes = sold
    buyer.go(f"/purchases/{purchase}")
    buyer.state("paid")
    buyer.page.locator(f"a[href='/tickets/{tickets[1]}']").click()
    for words in (show["title"], "Stalls, row A, seat 13", "Hall 1", "Zürich", "Show this at the door."):
        buyer.sees(words)
    clean(buyer)
    shot(buyer, "ticket-phone")
    picture = tmp_path / "qr.png"
    buyer.page.locator("svg.qr").screenshot(path=picture)
    read = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture], capture_output=True, text=True)
    assert read.stdout.strip() == codes[1], "any reader of QR codes reads it from the screen"
    buyer.press("The code as text")
    expect(buyer.page.locator("#code")).to_have_text(codes[1])
    seller.api.post(f"/api/tickets/{tickets[1]}/admit", json={"code": codes[1], "door": "North"})
    buyer.page.reload()
    buyer.sees("This ticket was used.")
    buyer.sees("at the door “North”")
    seller.go(f"/tickets/{tickets[1]}")
    assert seller.page.locator("svg.qr").count() == 0 and codes[1] not in seller.page.content(), "the code is its buyer's alone"


def test_a_receipt_prints(sold):
    _, purchase, _, buyer, tickets, _ = sold
    buyer.go(f"/tickets/{tickets[1]}")
    buyer.follow("Receipt")
    for words in (purchase, "$40.00", "row A, seat 12", "row A, seat 13", "$20.00", "Total, paid with Visa ending in 4242"):
        buyer.sees(words)
    clean(buyer)
    shot(buyer, "receipt-phone")
    buyer.page.emulate_media(media="print")
    for hidden in (".top", ".foot", ".crumbs"):
        assert buyer.page.locator(hidden).count() == 0 or not buyer.page.locator(hidden).first.is_visible()
    shot(buyer, "receipt-print")
    assert len(re.findall(rb"/Type\s*/Page\b", buyer.page.pdf(format="A4"))) == 1, "on one sheet"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_the_door(people, sold, script):
    show, _, seller, buyer, _, codes = sold
    at_door = people.user(java_script_enabled=script)
    at_door.context.clear_cookies()
    at_door.context.add_cookies(seller.context.cookies())
    at_door.go(f"/shows/{show['id']}/door")
    at_door.sees("Ready")
    at_door.type(code=codes[0], door="North")
    at_door.press("Let in")
    answers(at_door, "good", "Let in", "Stalls, row A, seat 12")
    expect(at_door.page.locator("[name=door]")).to_have_value("North")
    if script:
        clean(at_door)
        shot(at_door, "door-good-phone")
    at_door.type(code=codes[0], door="South")
    at_door.press("Let in")
    answers(at_door, "bad", "Used already", "at the door “North”")
    if script:
        clean(at_door)
        shot(at_door, "door-used-phone")
    at_door.type(code="no ticket at all")
    at_door.press("Let in")
    answers(at_door, "bad", "Not a ticket")
    buyer.go(f"/shows/{show['id']}/door")
    buyer.sees("Not your door")


def test_the_camera_lets_in(sold):
    """One after another, without a press; a code that stays before the camera is asked about once."""
    show, _, seller, _, _, codes = sold
    seller.context.add_init_script(CAMERA)
    seller.go(f"/shows/{show['id']}/door")
    asked = []
    seller.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    seller.press("Scan by the camera")
    for code, seat in zip(codes, ("12", "13")):
        seller.page.evaluate("code => { window.before = [code]; }", code)
        answers(seller, "good", "Let in", f"seat {seat}")
    assert len(asked) == 2
    seller.page.evaluate("() => { window.before = []; }")
    answers(seller, "none", "Ready")
    seller.page.evaluate("code => { window.before = [code]; }", codes[0])
    answers(seller, "bad", "Used already")


def test_a_code_that_is_being_checked_or_was_not(sold):
    """Nothing of the person before stays on the screen meanwhile; without an answer the same code, held again, lets in."""
    show, _, seller, _, _, codes = sold
    path = f"/shows/{show['id']}/door"
    seller.go(path)
    waiting = []

    def hold(route):
        return waiting.append(route) if route.request.method == "POST" else route.fallback()
    seller.page.route(f"**{path}", hold)
    for code in codes:
        seller.type(code=code)
        with seller.page.expect_request(lambda request: request.method == "POST"):
            seller.press("Let in")
        answers(seller, "none", "Checking…")
        taken = waiting.pop()
        if code == codes[0]:
            taken.continue_()
            answers(seller, "good", "Let in", "seat 12")
        else:  # it let in, but nobody hears of it
            assert "Let in" in taken.fetch().text()
            taken.fulfill(status=502, body="away")
            answers(seller, "bad", "No answer", "Scan it again.")
    seller.page.unroute(f"**{path}", hold)
    seller.type(code=codes[1])
    seller.press("Let in")
    answers(seller, "good", "Let in", "seat 13")


def test_a_code_that_lingers_stays_green(sold):
    show, _, seller, _, _, codes = sold
    seller.context.add_init_script(CAMERA.replace("async detect() {", "async detect() { window.looks = (window.looks ?? 0) + 1;"))
    seller.go(f"/shows/{show['id']}/door")
    asked = []
    seller.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    seller.press("Scan by the camera")
    seller.page.evaluate("code => { window.before = [code]; }", codes[0])
    answers(seller, "good", "Let in", "seat 12")
    seller.page.wait_for_function("n => window.looks > n", arg=seller.page.evaluate("window.looks") + 80)  # longer than what forgets a code
    answers(seller, "good", "Let in", "seat 12")
    assert len(asked) == 1


def test_a_refunded_ticket_at_the_door(stack, sold):
    show, purchase, seller, buyer, tickets, codes = sold
    books = Books(stack)
    books.post("/v1/refunds", payment_intent=books.of({"id": purchase})[0]["id"])
    wait_until(lambda: buyer.api.get(f"/api/tickets/{tickets[0]}/code").status_code == 409, "tickets knows of the refund")
    seller.go(f"/shows/{show['id']}/door")
    seller.type(code=codes[0])
    seller.press("Let in")
    answers(seller, "bad", "Refunded")
    buyer.go(f"/tickets/{tickets[0]}")
    assert buyer.page.locator("svg.qr").count() == 0
