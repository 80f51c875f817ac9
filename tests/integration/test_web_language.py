"""The pages in other languages: which one is chosen, what is written how, and that nothing of English is left."""
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import html5lib
import pytest
import requests

from support import DEADLINE, ROOT
from webs import Browser, refusal, serve_show, serve_ticket, show, text_of, ticket

TEXTS = ROOT / "services/web/texts"


def texts(language):
    lines = (TEXTS / f"{language}.txt").read_text().splitlines()
    return dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))


ENGLISH, GERMAN = texts("en"), texts("de")


def german(web, **more):
    browser = Browser(web, **more)
    browser.headers["Accept-Language"] = "de-CH,de;q=0.9,en;q=0.5"
    return browser


# --- which one ---

@pytest.mark.parametrize("accept, language", [(None, "en"), ("de", "de"), ("fr", "en"), ("en,de;q=0.9", "en"), ("it,de;q=0.1", "de"), ("de;q=0", "en")])
def test_the_reader_chooses(web, accept, language):
    answer = Browser(web).go("/help", headers={"Accept-Language": accept})
    assert answer.page.get("lang") == answer.headers["Content-Language"] == language
    assert "accept-language" in answer.headers["Vary"].lower()
    assert text_of(answer.page.find(".//h1")) == {"en": "Help", "de": "Hilfe"}[language]


def test_requests_at_once_do_not_mix(web):
    """A thread goes on with others while one waits for its answers."""
    web.services.answers |= {"GET /api/shows": (200, [show(fromPrice=20.5, free=7, places=1000)]), "GET /api/tickets": (200, [])}
    browsers = [german(web), Browser(web)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: (i % 2, browsers[i % 2].go("/").words), range(40)))
    assert all(("Demnächst" in words) == (who == 0) and ("Coming up" in words) == (who == 1) for who, words in answers)


# --- what is written how ---

def test_a_show_in_german(web):
    web.services.answers |= {"GET /api/shows": (200, [show(fromPrice=1020.5, free=7, places=1000)]), "GET /api/tickets": (200, [ticket()])}
    words = german(web).go("/").words
    assert "Finden Sie Ihre nächste Veranstaltung" in words and "Di., 1. Juni 2027, 20:00 Uhr" in words
    assert "Ab 1.020,50 $noch 7" in words.replace("\xa0", " ") and "1.234,50 $" in words.replace("\xa0", " ")
    assert "Tue 1 Jun 2027, 20:00" in Browser(web).go("/").words


def test_prices_are_typed_as_they_are_written(web):
    """With a comma, in German; a point is taken, too. What cannot be a price reaches the API as it is."""
    browser = german(web, token=True)
    web.services.answers["POST /api/tickets"] = (400, refusal("must be a price", "price"))
    for typed, sent in {"45,50": "45.50", "45.50": "45.50", "45": "45", "1.045,50": "1.045,50", "4,5,0": "4.5,0", "": ""}.items():
        answer = browser.submit(browser.go("/sell").page, "/sell", title="A seat", price=typed)
        assert web.services.asked("POST", "/api/tickets")[-1]["body"]["price"] == sent
        assert browser.fields(answer.page, "/sell")["price"] == typed, "to be typed over"
    english = Browser(web, token=True)
    english.submit(english.go("/sell").page, "/sell", title="A seat", price="45,50")
    assert web.services.asked("POST", "/api/tickets")[-1]["body"]["price"] == "45,50"
    mine = serve_ticket(web, ticket(browser.id))
    assert browser.fields(browser.go(f"{mine}/edit").page, f"{mine}/edit")["price"] == "1234,50"
    path = serve_show(web, show(browser.id, status="draft"))
    web.services.answers[f"POST /api{path}/areas"] = (202, {})
    browser.submit(browser.go(path).page, f"{path}/areas", name="Pit", price="20,5", places="15")
    assert web.services.asked("POST", f"/api{path}/areas")[0]["body"]["price"] == "20.5"


def test_what_services_say_is_said_in_german(web):
    """With what is particular about it; what is not known stays as it is."""
    browser = german(web)
    web.services.answers["POST /api/users/signup"] = (400, {"errors": [
        {"message": "Password must have 8 to 128 characters", "field": "password"}, {"message": "Email is odd", "field": "email"}]})
    page = browser.go("/signup").page
    words = browser.submit(page, "/signup", email="x", password="y").words
    assert "Passwort muss 8 bis 128 Zeichen haben" in words and "Email is odd" in words
    s = show()
    web.services.answers["POST /api/purchases"] = (409, refusal("There are not 4 places side by side any more; 7 are left"))
    buyer = german(web, token=True)
    path = serve_show(web, s, [{"id": "01900000-0000-7000-8000-000000000077", "name": "Pit", "price": 20.5, "seated": False, "accessible": False,
                                "rank": 0, "places": 100, "made": 100, "known": 100, "free": 40}])
    words = buyer.submit(buyer.go(path).page, f"{path}/buy", quantity="4").words
    assert "4 Plätze nebeneinander gibt es nicht mehr; 7 sind noch frei." in words


def test_errors_without_a_page_are_german(web):
    answer = requests.post(web.url + "/signin", data=b"x" * 70000, headers={"Accept": "text/html", "Accept-Language": "de"}, timeout=DEADLINE)
    assert answer.status_code == 413 and "Das ist zu viel" in answer.text and '<html lang="de"' in answer.text
    assert "Nicht gefunden" in german(web).go("/nowhere").words
    gone = german(web).go(serve_ticket(web, ticket()).replace("/tickets/", "/tickets/0"))
    assert gone.status_code == 404


# --- completeness ---

def test_no_page_has_english_left(tmp_path):
    """All pages in all states, rendered in German: no text of theirs is one that differs in German."""
    subprocess.run([ROOT / "build/release/tests/pages_driver", tmp_path, "de"], check=True)
    foreign = {text for key, text in ENGLISH.items() if GERMAN[key] != text and "{" not in text and text not in GERMAN.values()}
    left = set()
    for file in tmp_path.glob("*.html"):
        tree = html5lib.parse(file.read_text(), namespaceHTMLElements=False)
        assert tree.get("lang") == "de"
        for element in tree.iter():
            said = [element.text, element.tail, *(element.get(name) for name in ("title", "aria-label", "alt", "placeholder", "data-busy"))]
            left |= {(file.stem, " ".join(s.split())) for s in said if s and " ".join(s.split()) in foreign}
    driver = "".join(p.read_text() for p in (ROOT / "tests/integration").glob("pages_*.[ch]"))  # which makes up what services and web's C say
    assert {pair for pair in left if pair[1] not in driver} == set()


def test_every_text_is_used():
    web = ROOT / "services/web"
    sources = "".join(p.read_text() for p in [*web.glob("*.c"), *web.glob("templates/*.html")])
    unused = [key for key in ENGLISH if not key.startswith(("api.", "field."))
              and not re.search(rf"text\.{re.escape(key)}\b|say {re.escape(key)}\b|TEXT_{key.replace('.', '_').upper()}\b", sources)]
    assert not unused


def test_what_services_say_is_what_they_say():
    """The English of api.* is in the services' sources, so that a sentence which changes is noticed here."""
    sources = "".join(p.read_text() for folder in ("services", "streams", "common") for p in (ROOT / folder).rglob("*.[ch]") if "services/web" not in str(p))
    literals = set(re.findall(r'"((?:[^"\\\n]|\\.)+)"', re.sub(r'"\s*\n\s*"', "", sources)))
    said = [re.split(r"%[-.*0-9]*(?:ll|z)?[dusx]", text) for text in literals if " " in text]
    patterns, examples = [".+".join(map(re.escape, pieces)) for pieces in said], "\n".join("7".join(pieces) for pieces in said)
    missing = []
    for text in (re.sub(r"^\{field\}:? ", "", text) for key, text in ENGLISH.items() if key.startswith("api.")):
        either = f"[{text[0]}{text[0].lower()}]" + ".+".join(map(re.escape, re.split(r"\{\w+\}", text[1:])))
        one = re.sub(r"\{\w+\}", "7", text)
        if not re.search(f"^{either}$", examples, re.M) and not any(re.fullmatch(pattern, one) for pattern in patterns):
            missing.append(text)
    assert not missing
