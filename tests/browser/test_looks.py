"""Every page in every state it was designed for, at the sizes and in the colours people have: what axe-core finds in it, and how it
looks (build/screenshots, for a person to go through, where SCREENSHOTS is set). Contents are tests/integration/pages_driver.c's; the web client
serves the rest."""
import json
import os
import pathlib
import re
import subprocess

import axe_playwright_python
import pytest

from people import DESK, PHONE, WIDE, watch
from support import ROOT
from webs import running, ticket

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
SHOTS = ROOT / "build/screenshots"
DRIVER = ROOT / "build/release/tests/pages_driver"
LOOKS = [(scheme, size) for size in (PHONE, WIDE) for scheme in ("light", "dark")]
# In the dark colours alone are others (test_in_the_dark_colours_alone_are_others), so the rules about them have to be asked again.
RULES = {"light": "{resultTypes: ['violations']}",
         "dark": "{resultTypes: ['violations'], runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}}"}


@pytest.fixture(scope="session")
def states(tmp_path_factory):
    """{name: HTML}"""
    directory = tmp_path_factory.mktemp("states")
    subprocess.run([DRIVER, directory], check=True)
    found = {file.stem: file.read_text() for file in sorted(directory.glob("*.html"))}
    assert len(found) > 50
    return found


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    with running(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture(scope="session")
def window(chromium, web, states):
    """A page that shows states: window.show(name)."""
    context = chromium.new_context(base_url=web.url, locale="en-US", timezone_id="UTC", viewport=PHONE, reduced_motion="reduce")
    page, trouble = context.new_page(), []
    headers = page.goto("/").headers
    watch(page, trouble)
    context.route("**/state/*", lambda route: route.fulfill(
        body=states[route.request.url.rsplit("/", 1)[1]], headers={"content-type": "text/html; charset=utf-8",
                                                                    "content-security-policy": headers["content-security-policy"]}))
    context.route("https://js.stripe.com/**", lambda route: route.abort())
    SHOTS.mkdir(parents=True, exist_ok=True)
    yield page
    context.close()


def names():
    """Of the states, as the driver's source has them: pytest wants them before anything is built."""
    source = "".join((ROOT / "tests/integration" / name).read_text() for name in ("pages_driver.c", "pages_shows.h"))
    return sorted(set(re.findall(r'(?:WRITE\(\w+, |SHOW\(|DRAFT\(|PLACES\()"([\w-]+)"', source) + re.findall(r'^ +\{"([\w-]+)", VIEWER', source, re.M) +
                      re.findall(r'write_order_as\("([\w-]+)\.html"', source)))


LARGE_TEXT = "document.documentElement.style.fontSize = '200%'; document.documentElement.scrollWidth"


@pytest.mark.parametrize("name", names())
def test_state(window, states, name):
    assert name in states
    window.goto(f"/state/{name}", wait_until="load")
    window.evaluate(AXE + "; 0")
    found = []
    for scheme, size in LOOKS:
        window.emulate_media(color_scheme=scheme)
        window.set_viewport_size(size)
        assert window.evaluate("document.documentElement.scrollWidth") <= size["width"], "it is wider than the window"
        if os.environ.get("SCREENSHOTS"):
            window.screenshot(path=SHOTS / f"{name}-{size['width']}-{scheme}.png", full_page=True, animations="disabled", caret="hide")
        result = window.evaluate(f"axe.run({RULES[scheme]})")
        assert result["passes"], "rules were asked"
        found += [(scheme, size["width"], v["id"], [n["html"][:200] for n in v["nodes"]], v["help"]) for v in result["violations"]]
    assert not found, json.dumps(found, indent=1)
    for width in (320, 768):
        window.set_viewport_size({"width": width, "height": 900})
        assert window.evaluate("document.documentElement.scrollWidth") <= width, f"it is wider than a window of {width}"
    window.set_viewport_size(PHONE)
    assert window.evaluate(LARGE_TEXT) <= PHONE["width"], "it is wider than the window with text of 200 %"


def test_in_the_dark_colours_alone_are_others():
    css = (ROOT / "services/web/static/app.css").read_text()
    [dark] = re.findall(r"prefers-color-scheme: dark\) \{\s*:root \{([^{}]*)\}\s*\}", css)
    assert css.count("prefers-color-scheme") == 1
    assert [line for line in map(str.strip, dark.split(";")) if line and not re.fullmatch(r"--[\w-]+: (#[0-9a-f]{6}|none)", line)] == []


MEASURED = """() => new Promise((done) => {
    const shifts = [], blocking = performance.getEntriesByType("resource").filter((e) => e.renderBlockingStatus === "blocking");
    new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value))).observe({ type: "layout-shift", buffered: true });
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    requestAnimationFrame(() => setTimeout(() => done({ shift: shifts.reduce((a, b) => a + b, 0), blocking: blocking.map((e) => e.name),
        bytes: all.reduce((sum, e) => sum + e.transferSize, 0), names: all.map((e) => e.name) }), 0));
})"""


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_home_page_loads_light_and_stands_still(chromium, web, size):
    """From the web client itself, full of tickets."""
    tickets = [ticket(price=20 + i, title=f"Ticket number {i}, " + "far from the stage " * (i % 4)) for i in range(20)]
    web.services.answers["GET /api/tickets"] = (200, tickets, {"Link": f"</api/tickets?cursor={tickets[-1]['id']}&limit=20>; rel=\"next\""})
    context = chromium.new_context(base_url=web.url, locale="de-DE", viewport=size)
    page = context.new_page()
    page.goto("/", wait_until="load")
    measured = page.evaluate(MEASURED)
    context.close()
    assert page_items(measured["names"]) == {"", "app.css", "app.js"}
    assert measured["shift"] == 0
    assert [name.rsplit("/", 1)[1].split(".")[0] for name in measured["blocking"]] == ["app"] and ".css" in measured["blocking"][0]
    assert measured["bytes"] <= 30 * 1024, measured


def page_items(names):
    """What was loaded, without the fingerprints in the names; the icon may or may not be told."""
    found = {re.sub(r"\.[0-9a-f]+\.", ".", name.rsplit("/", 1)[1]) for name in names}
    return {name for name in found if not name.startswith(("icon", "live"))}
