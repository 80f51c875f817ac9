"""The page of a show's sales by itself: what services/web makes of whatever the services answer. test_show_numbers.py has it on the real ones."""
import time

import pytest

from webs import Browser, area, refusal, serve_show, show, text_of


def moment(hours):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + hours * 3600))


def serve(web, seller, **more):
    """A show of which 5 places were ordered, and three minutes later 3 were paid and 1 came back. Its path."""
    s, a = show(seller=seller.id, **more), area(name='=A, "b"')
    serve_show(web, s, [a])
    steps = [{"begins": "2026-11-29T10:00:00.000Z", "placed": 5, "sold": 0, "returned": 0, "revenue": 0},
             {"begins": "2026-11-29T10:03:00.000Z", "placed": 0, "sold": 3, "returned": 1, "revenue": 61.5}]
    web.services.answers[f"GET /api/shows/{s['id']}/sales"] = (200, {
        "showId": s["id"], "currency": "USD", "per": "minute", "now": moment(0), "steps": steps,
        "areas": [{"id": a["id"], "name": a["name"], "places": 100, "free": 96, "held": 1, "sold": 3, "revenue": 61.5}]})
    return s, f"/sell/shows/{s['id']}"


def paths(page, light):
    return [e.get("d") for svg in page.iter("{http://www.w3.org/2000/svg}svg") if svg.get("viewBox") == "0 0 1200 100"
            for e in svg.iter() if e.tag.endswith("path") and (e.get("class") == "light") == light]


def test_what_is_drawn_and_told(web):
    seller = Browser(web, True)
    s, path = serve(web, seller)
    answer = seller.go(f"{path}?per=hour")
    assert web.services.asked("GET", f"/api/shows/{s['id']}/sales")[-1]["path"].endswith("?limit=100&byArea=false&per=hour")
    assert [[text_of(cell) for cell in row] for row in answer.page.find(".//table").find("tbody")] == [
        ["Sun 29 Nov 2026, 11:00", "5", "0", "0", "$0.00", "0", "5", "95"], ["Sun 29 Nov 2026, 11:03", "0", "3", "1", "$61.50", "3", "1", "96"]]
    # Four minutes: in the first 5 of at most 5, in the last 3; held are 5 of 100 until then; the bar of the area.
    assert paths(answer.page, True) == ["M15.0 0.0h270.0v100.0h-270.0z", "M0.0 95.0h900.0v5.0h-900.0zM900.0 96.0h300.0v1.0h-300.0z", "M36.0 0h12.0v100h-12.0z"]
    assert paths(answer.page, False) == ["M982.5 40.0h135.0v60.0h-135.0z", "M900.0 97.0h300.0v3.0h-300.0z", "M0.0 0h36.0v100h-36.0z"]
    assert [a.get("href") for a in answer.page.iter("a") if ".csv" in a.get("href")] == [f"{path}/times.csv?per=minute", f"{path}/areas.csv"]
    assert "Waiting" not in answer.words


@pytest.mark.parametrize("answer, waiting", [((200, {"open": True, "people": 12, "serving": 5, "opensAt": moment(-1)}), "7"),
                                             ((200, {"open": False, "people": 12, "serving": 0, "opensAt": moment(1)}), "12"), ((503, None), None)])
def test_who_waits_in_the_queue(web, answer, waiting):
    seller = Browser(web, True)
    phase = {"name": "Sale", "opensAt": moment(-1), "closesAt": moment(1), "perUser": 8, "queue": True, "codes": False}
    s, path = serve(web, seller, phases=[phase])
    web.services.answers[f"GET /api/shows/{s['id']}/queue/serving"] = answer
    figures = {text_of(d.find("dt")): text_of(d.find("dd")) for d in seller.go(path).page.find(".//dl[@id='figures']")}
    assert figures.get("Waiting in the queue") == waiting and figures["Sold"] == "3 of 100"


@pytest.mark.parametrize("code, status, words", [(403, 403, "Only the seller of a show sees its sales"), (404, 404, "nothing at this address"),
                                                 (500, 503, "The sales can't be shown at the moment")])
@pytest.mark.parametrize("what", ["", "/times.csv", "/areas.csv"])
def test_what_is_refused_is_said(web, code, status, words, what):
    seller = Browser(web, True)
    s, path = serve(web, seller)
    web.services.answers[f"GET /api/shows/{s['id']}/sales"] = (code, refusal("No"))
    answer = seller.go(path + what)
    assert answer.status_code == status and words in answer.words


def test_names_in_files_are_quoted(web):
    seller = Browser(web, True)
    _, path = serve(web, seller)
    lines = seller.get(f"{web.url}{path}/areas.csv", timeout=30).text.split("\r\n")
    assert lines[0] == "area_id,area,places,sold,held,free,revenue,currency" and lines[1].endswith(',"=A, ""b""",100,3,1,96,61.50,USD')
