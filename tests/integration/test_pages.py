"""services/web's pages in all their states, as pages_driver.c renders them: read by a browser's parsing algorithm, and looked at for
what each reader needs: names for what can be used, one heading, what belongs to what, contrast, few bytes."""
import gzip
import re
import subprocess

import html5lib
import pytest

from support import ROOT
from webs import text_of

STATES = 155  # how many pages the driver writes


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages")
    subprocess.run([ROOT / "build/release/tests/pages_driver", path], check=True)
    return path


@pytest.fixture(scope="module")
def pages(directory):
    """{name: tree}"""
    found = {}
    for file in sorted(directory.glob("*.html")):
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        found[file.stem] = parser.parse(file.read_text())
        assert not parser.errors, (file.stem, parser.errors)
    assert len(found) == STATES - 1
    return found


def named(tree, element):
    """What a screen reader calls it."""
    labels = {label.get("for"): text_of(label) for label in tree.iter("label")}
    around = [text_of(label) for label in tree.iter("label") if element in list(label.iter())]
    own = text_of(element) if element.tag in ("a", "button", "summary") else ""
    return element.get("aria-label") or labels.get(element.get("id")) or (around[0] if around else "") or own


def hidden(element):
    return element.get("type") == "hidden" or element.get("aria-hidden") == "true"


def test_landmarks_headings_and_titles(pages):
    for name, tree in pages.items():
        assert tree.get("lang") == "en" and re.fullmatch(r"2026-11-21T10:39:31\.123Z", tree.get("data-now"))
        assert len(list(tree.iter("main"))) == len(list(tree.iter("h1"))) == len(list(tree.iter("header"))) == 1, name
        assert tree.findtext("head/title").endswith(" · Onsale") and len(tree.findtext("head/title")) > 10
        skip = next(tree.iter("a"))
        assert skip.get("href") == "#main" and tree.find(".//main").get("id") == "main"
        levels = [int(e.tag[1]) for e in tree.iter() if e.tag in ("h1", "h2", "h3")]
        assert all(b <= a + 1 for a, b in zip([0, *levels], levels)), (name, levels)


def test_ids_are_once_and_references_lead_somewhere(pages):
    for name, tree in pages.items():
        ids = [e.get("id") for e in tree.iter() if e.get("id")]
        assert len(ids) == len(set(ids)), name
        for element in tree.iter():
            for attribute in ("for", "aria-describedby", "aria-labelledby"):
                for wanted in (element.get(attribute) or "").split():
                    assert wanted in ids, (name, element.tag, wanted)


def test_what_can_be_used_has_a_name(pages):
    for name, tree in pages.items():
        for element in tree.iter():
            if element.tag in ("a", "button", "summary", "input") and not hidden(element):
                assert named(tree, element), (name, element.tag, element.attrib)
        for svg in tree.iter("{http://www.w3.org/2000/svg}svg"):
            assert svg.get("aria-hidden") == "true" or (svg.get("role") in ("group", "img") and svg.get("aria-label"))


def test_forms_work_by_themselves(pages):
    """A post carries what proves it is ours; each has a button; what may be repeated without harm has a key."""
    posts = 0
    for name, tree in pages.items():
        for form in tree.iter("form"):
            fields = {e.get("name"): e for e in form.iter("input")}
            buttons = 2 if form.get("action") == "/signout" else 1  # here, or everywhere
            assert [b.get("type") for b in form.iter("button")] == ["submit"] * buttons, name
            if form.get("method") == "post":
                posts += 1
                if form.get("action").startswith("/api/"):  # a file, for tickets, which goes by what the browser says
                    assert form.get("enctype") == "multipart/form-data" and "csrf" not in fields, name
                    continue
                assert fields["csrf"].get("value") and fields["csrf"].get("type") == "hidden", name
                if re.search("buy|pay$|sell|new$|areas", form.get("action")):
                    assert fields["key"].get("value"), name
            for element in form.iter("input"):
                assert element.get("autocomplete") or element.get("type") in ("hidden", "radio"), (name, element.attrib)
    assert posts > 20


def test_an_error_stands_at_its_field(pages):
    for name, fields in {"sell-refused": ["title", "date", "price"], "edit-refused": ["price"], "signup-refused": ["email", "password"],
                         "show-new-refused": ["venue", "starts", "zone", "per-user"], "draft-refused": ["price", "places"],
                         "phases-refused": ["opens", "closes"], "queue-refused": ["code"], "phases": ["count"],
                         "account-refused": ["email", "email-current", "password", "password-current", "delete-current"]}.items():
        tree = pages[name]
        wrong = [e for e in tree.iter("input") if e.get("aria-invalid") == "true"]
        assert sorted(e.get("name") for e in wrong) == sorted(fields)
        for element in wrong:
            assert f"{element.get('name')}-error" in element.get("aria-describedby").split()
            assert text_of(tree.find(f".//*[@id='{element.get('name')}-error']"))
        for form in tree.iter("form"):  # the first of them is where one goes on
            focused = [e for e in form.iter("input") if e.get("autofocus") is not None]
            assert focused == [e for e in form.iter("input") if e in wrong][:1]
    assert pages["sell-refused"].find(".//*[@id='price']").get("value") == "twenty <b>"
    assert pages["signin-refused"].find(".//*[@id='email']").get("value") == "mara@example.com"
    assert all(not e.get("value") for tree in pages.values() for e in tree.iter("input") if e.get("type") == "password")


def test_nothing_of_a_title_becomes_markup(pages):
    title = "<script>alert(1)</script> & \"friends\" 'live'"
    assert title in [text_of(e) for e in pages["home"].iter("span")]
    for name, tree in pages.items():
        for script in tree.iter("script"):
            assert script.get("src") and not script.text, name
        assert not list(tree.iter("style")) and not any(a == "style" or a.startswith("on") for e in tree.iter() for a in e.attrib)


def test_where_pages_load_from(pages, directory):
    """All is ours, but Stripe's script where cards are entered; one stylesheet blocks, scripts don't."""
    for name, tree in pages.items():
        scripts = [s.get("src") for s in tree.iter("script")]
        foreign = [s for s in scripts if not s.startswith("/static/")]
        assert foreign == (["https://js.stripe.com/v3/"] if name in ("order-stripe", "order-confirm-stripe") else []), name
        assert all(s.get("defer") is not None for s in tree.iter("script"))
        links = [link.get("href") for link in tree.iter("link")]
        assert sum(link.get("rel") == "stylesheet" for link in tree.iter("link")) == 1
        for path in [*scripts, *links]:
            assert path in foreign or (directory / path[1:]).is_file()


def test_the_home_page_is_small(pages, directory):
    paths = [e.get("src") or e.get("href") for e in pages["home"].iter() if e.tag in ("script", "link")]
    size = sum(len(gzip.compress(file.read_bytes(), 6)) for file in [directory / "home.html", *(directory / p[1:] for p in paths)])
    assert size <= 30 * 1024, size


def test_every_state_says_what_it_is(pages):
    says = {
        "ticket": "Buy this ticket", "ticket-stranger": "Sign in to buy", "ticket-reserved": "On hold.", "ticket-sold": "Sold.",
        "ticket-withdrawn": "Withdrawn.", "ticket-held": "Go on to payment", "ticket-mine": "Edit", "ticket-lost": "Somebody was faster",
        "ticket-away": "Buying doesn't work right now", "order": "Pay $129.00", "order-declined": "Your card was declined. It has "
        "insufficient funds. Nothing was charged", "order-paying": "Your payment is under way", "order-paid": "The ticket is yours",
        "order-expired": "You were not charged", "order-refunded": "refunded in full", "order-payments-away": "can't be taken right now",
        "home-empty": "Nothing is on sale right now", "home-none": "No ticket on sale matches", "home-away": "can't be shown right now",
        "orders-empty": "You have not bought anything yet", "mine-empty": "You sell no tickets yet", "down": "Orders Doesn't answer", "order-stripe": "Stripe",
        "order-confirm": "Confirm with your bank", "order-confirm-stripe": "Confirm with your bank",
        "purchase": "Stalls, row 7, seats 21–22", "purchase-declined": "the tickets are still held", "purchase-paid": "The tickets are yours",
        "purchase-expired": "The tickets went back on sale", "home-shows": "Later shows", "home-shows-away": "The list of shows can't be shown",
        "shows-empty": "No show is announced", "show": "Get the best available", "show-refused": "not 4 places side by side",
        "show-stranger": "Sign in to buy", "show-full": "Nothing is free right now", "show-mine": "This is your show", "show-cancelled":
        "This show is cancelled", "draft": "None yet", "draft-making": "Getting your places ready: 800 of 1500", "draft-ready":
        "All 1200 places are ready to sell", "order-lost": "We lost this order by a failure of ours", "show-over": "This show is over.",
        "show-later": "On sale in 2 min", "show-later-mine": "on sale from", "show-phase": "at most 2 of this show a person", "show-queue": "sold by a queue",
        "show-sale-over": "The sale is over", "phases-none": "sold from its announcement on", "phases-fixed": "announced without phases", "codes": "2 codes",
        "show-turn": "It is your turn until", "queue-away": "can't be reached", "queue-none": "There will be one", "queue-outside": "Join the queue",
        "queue-refused": "Must have 16 letters", "queue-challenge": "Your browser works for it first",
        "queue-stranger": "Sign in to join", "queue-mine": "your own show", "queue-joined": "On sale in 2 min",
        "queue-waiting": "Your place: 900 712 people before you Your turn comes in about 12 min", "queue-taken": "All places are sold or held",
        "sales": "Waiting in the queue4711", "sales-none": "Nothing was ordered yet", "queue-turn": "Buy now", "queue-missed": "Each person has one turn",
        "seats-accessible": "I need, or come with somebody who needs, an accessible place",
    }
    for name, words in says.items():
        assert words in text_of(pages[name].find(".//main")), name
    for name, tree in pages.items():
        buys = [f for f in tree.iter("form") if f.get("action").endswith("/buy")]
        assert bool(buys) == (name in ("ticket", "show", "show-refused", "show-phase", "show-turn")), name
        pays = [f for f in tree.iter("form") if f.get("action").endswith("/pay")]
        assert bool(pays) == (name in ("order", "order-declined", "order-soon", "order-stripe", "purchase", "purchase-declined")), name
    assert "not charged" not in text_of(pages["order-refunded"].find(".//main"))
    assert "Test mode" in text_of(pages["order"]) and "Test mode" not in text_of(pages["order-stripe"])


# --- colours ---

def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a, b):
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


# Text on what is behind it in app.css.
TEXTS = [(text, back) for text in ("ink", "soft", "accent", "bad", "good") for back in ("paper", "card")] + [
    ("on-accent", "accent"), ("ink", "accent-bg"), ("soft", "accent-bg"), ("good", "good-bg"), ("warn", "warn-bg"), ("bad", "bad-bg"),
    ("ink", "line")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme):
    css = (ROOT / "services/web/static/app.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.S)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))
    assert len(colours) == 15
    for text, back in TEXTS:
        assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
    for back in ("paper", "card"):  # the edges of what can be used
        assert contrast(colours["edge"], colours[back]) >= 3, back
