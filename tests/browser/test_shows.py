"""Shows in the browser, on the whole stack: one is made, announced, found, and its seats are bought together."""
import re
import uuid

from playwright.sync_api import expect

from people import DESK
from shows import png
from support import wait_until


def title():
    return f"A night {uuid.uuid4().hex[:8]}"


def make_show(seller, name):
    """By the forms, up to a draft; answers its path."""
    seller.go("/sell")
    seller.follow("Create a show")
    seller.type(title=name, venue="House & Hall", city="Basel", starts="2027-06-01T20:00", zone="Europe/Zurich")
    seller.press("Save and go on")
    seller.sees("Your draft is made. Now add its areas.")
    return seller.path


def add_area(seller, name, price, **places):
    seller.type(name=name, price=price, **places)
    seller.send("Add the area")


def announce(seller, path):
    """The page says when all is made; without a reload, where it has scripts."""
    expect(seller.page.locator("#making")).to_have_attribute("data-state", "ready")
    seller.send("Announce the show")
    seller.sees("Your show is announced and on sale.")
    assert seller.path == path


def take(person, show, name, **chosen):
    """What is bought, by its path. Orders may hear of a new show a moment later, and the page says so."""
    person.go(show)

    def taken():
        for field, value in chosen.items():
            person.page.locator(f"[name={field}]").select_option(label=value)
        person.send("Get the best available")
        return person.path.startswith(name)
    wait_until(taken, f"{show} can be bought")
    return person.path


def test_two_seats_together_and_paid(people):
    seller, buyer = people.user(viewport=DESK), people.stranger()
    name = title()
    show = make_show(seller, name)
    seller.sees("None yet.")
    seller.type(name="Stalls", price="45.50", rows="A 1-4\nB")
    seller.press("Add the area")
    seller.sees("Line 2 must be a row and its seats, like A 1-20")
    expect(seller.page.locator("[name=rows]")).to_have_value("A 1-4\nB")
    seller.type(rows="A 1-4\nB 1-4")
    seller.send("Add the area")
    seller.sees("The area is added. Its places are being made.")
    add_area(seller, "Pit", "20", places="60")
    announce(seller, show)
    seller.sees("This is your show, on sale now.")

    buyer.go("/")
    buyer.page.get_by_role("searchbox").fill(name)
    buyer.press("Search")
    card = buyer.page.locator(f"li:has(a[href='{show}'])")
    expect(card).to_contain_text("House & Hall, Basel")
    expect(card.locator("time")).to_have_text(re.compile(r"Jun 1, 2027.*8:00.PM"))
    card.locator("a").click()
    buyer.sees("8 left")
    buyer.press("Sign in to buy")
    buyer.follow("Create an account")
    buyer.sign_up()
    expect(buyer.page).to_have_url(f"{buyer.url}{show}?done=welcome")

    buyer.page.get_by_label("How many?").select_option("8")
    buyer.page.get_by_label("Where?").select_option(label="Stalls, $45.50")
    wait_until(lambda: buyer.send("Get the best available") or "side by side any more" in buyer.page.locator("main").inner_text(),
               "orders knows the show, and that no row has eight")
    expect(buyer.page.get_by_label("How many?")).to_have_value("8")
    expect(buyer.page.get_by_label("Side by side")).to_be_checked()
    purchase = take(buyer, show, "/purchases/", quantity="2")
    buyer.state("waiting")
    buyer.sees("Stalls, row A, seats")
    buyer.sees("$91.00")
    expect(buyer.page.locator(".countdown .until")).to_have_text(re.compile(r"^1[45]:[0-5]\d left to pay$"))
    buyer.pay("Visa 0002")
    buyer.sees("the tickets are still held for you")
    assert buyer.path == purchase, "loading it again is no second try"
    buyer.pay()
    buyer.state("paid")
    buyer.sees("The tickets are yours.")
    buyer.go("/orders")
    row = buyer.page.locator(f"a[href='{purchase}']")
    expect(row).to_contain_text("and 1 more")
    expect(row).to_contain_text("Paid")
    wait_until(lambda: buyer.go(show) and "6 left" in buyer.page.locator("main").inner_text(), "two are gone")


def test_a_purchase_before_its_buyers_eyes(people):
    """Cancelled elsewhere, it changes where it is looked at; and its places are free again."""
    seller, buyer = people.user(), people.user()
    show = make_show(seller, title())
    add_area(seller, "Pit", "20", places="3")
    announce(seller, show)
    with buyer.page.expect_response(re.compile("/live")):
        purchase = take(buyer, show, "/purchases/", quantity="3")
    buyer.sees("Pit, 3 places")
    other = people.user()
    wait_until(lambda: other.go(show) and "Nothing is free right now." in other.page.locator("main").inner_text(), "all are held")
    assert buyer.api.delete(f"/api{purchase}").status_code == 204
    buyer.state("cancelled")
    buyer.sees("You cancelled this order.")
    wait_until(lambda: other.go(show) and "3 left" in other.page.locator("main").inner_text(), "they are free again")


def test_without_javascript(people):
    seller, buyer = people.user(java_script_enabled=False), people.user(java_script_enabled=False)
    show = make_show(seller, title())
    add_area(seller, "Stalls", "12", rows="A 1-10")

    def announced():
        seller.send("Announce the show")
        return "Your show is announced" in seller.page.locator("main").inner_text()
    wait_until(announced, "it is announced, once all is made")
    purchase = take(buyer, show, "/purchases/", quantity="4")
    buyer.sees("Stalls, row A, seats 1–4")
    buyer.sees("Held for you until")
    buyer.pay()

    def paid():
        if "Your payment is under way." in buyer.page.locator("main").inner_text():
            buyer.send("Look again")
        return "The tickets are yours." in buyer.page.locator("main").inner_text()
    wait_until(paid, "it is paid")
    assert buyer.path == purchase
    take(buyer, show, "/orders/", quantity="1")
    buyer.press("Cancel this order")
    buyer.press("Cancel the order")
    buyer.sees("You cancelled this order.")


def test_a_file_that_is_too_large_is_not_sent(people):
    """The script says so beside it, before it is sent."""
    seller = people.user()
    seller.go(f"{make_show(seller, title())}/edit")
    file = seller.page.get_by_label("A picture of your show")
    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": bytes(10 * 1024 * 1024 + 1)})
    expect(file).to_have_js_property("validationMessage", "Must have at most 10 MB.")
    seller.page.get_by_role("button", name="Use this picture").click()
    assert seller.path.endswith("/edit")
    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(400, 300)})
    seller.send("Use this picture")
    seller.sees("Your picture is in place.")


def test_a_picture_is_sent_and_seen(people):
    """By its form, without script; and what cannot be used is said beside it."""
    seller, other = people.user(java_script_enabled=False), people.user()
    show = make_show(seller, title())
    add_area(seller, "Pit", "20", places="3")
    wait_until(lambda: other.api.get(f"/api{show}").status_code == 404 and seller.api.post(f"/api{show}/announce").status_code == 200, "it is announced")
    seller.go(f"{show}/edit")
    file = seller.page.get_by_label("A picture of your show")
    file.set_input_files({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg xmlns='http://www.w3.org/2000/svg'/>"})
    seller.send("Use this picture")
    seller.sees("Must be a JPEG, a PNG or a WebP.")
    file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(1600, 900)})
    seller.send("Use this picture")
    seller.sees("Your picture is in place.")
    other.go(show)
    picture = other.page.locator(".show-head img.cover")
    expect(picture).to_have_js_property("naturalWidth", 1280)
    box = picture.bounding_box()
    assert abs(box["width"] / box["height"] - 16 / 9) < 0.1


def test_a_seller_watches_the_sale(people):
    """From the list of what he sells; the page goes on by itself, and has its numbers without scripts, too."""
    seller, buyer = people.user(), people.user()
    show = make_show(seller, name := title())
    add_area(seller, "Pit", "20", places="40")
    announce(seller, show)
    seller.go("/tickets")
    seller.page.locator(f"li:has(a[href='{show}'])").get_by_role("link", name=f"Sales {name}").click()
    assert seller.path == f"/sell{show}"
    seller.sees("Nothing was ordered yet.")
    take(buyer, show, "/purchases/", quantity="2")
    figures = seller.page.locator("#figures")
    expect(figures).to_contain_text("Held2")
    expect(seller.page.locator("#times svg")).to_have_count(2)
    seller.press("The numbers")
    row = seller.page.locator("#numbers tbody tr").last
    expect(row).to_be_visible()
    buyer.pay()
    expect(figures).to_contain_text("Sold2 of 40")
    expect(figures).to_contain_text("Revenue$40.00")
    expect(seller.page.locator("#by-area")).to_contain_text("2 sold, 0 held, 38 free")
    expect(row).to_be_visible()
    with seller.page.expect_download() as download:
        seller.follow("As CSV")
    assert download.value.suggested_filename == "sales-by-area.csv"
    assert ",40,2,0,38,40.00,USD" in open(download.value.path()).read()

    without = people.user(java_script_enabled=False)
    without.context.clear_cookies()
    without.context.add_cookies(seller.context.cookies())
    without.go(f"/sell{show}")
    without.sees("2 sold, 0 held, 38 free")
    without.follow("By hour")
    without.sees("at most 2 in an hour")
    buyer.go(f"/sell{show}")
    buyer.sees("Only the seller of a show sees its sales.")
