"""The pictures of shows: what is taken and what is refused, through the edge, and the program that reads them."""
import pytest
import requests

from shows import announced, chunk, make_show, png
from support import DEADLINE, Replica, User, errors, missing_id, wait_until


def put(user, show, picture, kind="image/png", **how):
    return user.put(f"/api/shows/{show['id']}/picture", data=picture, headers={"Content-Type": kind}, **how)


@pytest.fixture(scope="module")
def other(people):
    return next(people)


@pytest.fixture
def show(seller):
    return make_show(seller)


def test_a_picture_is_made_into_its_widths(stack, seller, show):
    """Whoever has the address has the picture, for ever; the show's version stays."""
    answer = put(seller, show, png(extra=chunk(b"tEXt", b"Comment\0at home")))
    assert answer.status_code == 200 and answer.headers["ETag"] == '"1"', answer.text
    told = answer.json()
    assert {k: v for k, v in told.items() if k != "picture"} == show
    assert [(s["width"], s["height"]) for s in told["picture"]["sizes"]] == [(320, 180), (640, 360), (1280, 720)]
    assert seller.get(f"/api/shows/{show['id']}").json()["picture"] == told["picture"]
    for size in told["picture"]["sizes"]:
        sent = requests.get(stack.url + size["url"], timeout=DEADLINE)
        assert sent.status_code == 200 and sent.headers["Content-Type"] == "image/webp"
        assert sent.headers["Cache-Control"] == "public, max-age=31536000, immutable" and sent.headers["X-Content-Type-Options"] == "nosniff"
        assert sent.content[:4] == b"RIFF" and sent.content[8:12] == b"WEBP" and b"at home" not in sent.content
    assert stack.sql("tickets", "select count(*) from show_events where id = %s", show["id"]) == [(1,)]


def test_small_ones_have_fewer_widths_and_the_next_one_takes_the_place(stack, seller, show):
    [first] = put(seller, show, png(400, 300)).json()["picture"]["sizes"]
    assert (first["width"], first["height"]) == (320, 240)
    second = put(seller, show, png(700, 300)).json()["picture"]["sizes"]
    assert [s["width"] for s in second] == [320, 640]
    assert requests.get(stack.url + second[0]["url"], timeout=DEADLINE).status_code == 200
    assert requests.get(stack.url + first["url"], timeout=DEADLINE).content[:4] == b"RIFF", "pages that are open still have it"
    assert requests.get(stack.url + second[0]["url"].replace("-320", "-1280"), timeout=DEADLINE).status_code == 404
    rows = "select xmin::text from shows where id = %s union all select xmin::text from show_pictures where show_id = %s"
    before = stack.sql("tickets", rows, show["id"], show["id"])
    assert put(seller, show, png(700, 300)).json()["picture"]["sizes"] == second, "the same picture has the same address"
    assert stack.sql("tickets", rows, show["id"], show["id"]) == before, "and is not written again"
    stack.sql("tickets", "update former_pictures set replaced_at = now() - interval '61 minutes' where show_id = %s", show["id"])
    wait_until(lambda: requests.get(stack.url + first["url"], timeout=DEADLINE).status_code == 404, "the one before is forgotten")
    assert requests.get(stack.url + second[0]["url"], timeout=DEADLINE).status_code == 200


def test_pictures_of_shows_long_over_are_forgotten(stack, seller, show):
    [size] = put(seller, show, png(400, 300)).json()["picture"]["sizes"]
    later = make_show(seller)
    put(seller, later, png(400, 300))
    stack.sql("tickets", "update shows set starts_at = now() - interval '31 days' where id = %s", show["id"])
    wait_until(lambda: "picture" not in seller.get(f"/api/shows/{show['id']}").json(), "the picture is forgotten")
    wait_until(lambda: requests.get(stack.url + size["url"], timeout=DEADLINE).status_code == 404, "and its files")
    assert "picture" in seller.get(f"/api/shows/{later['id']}").json()


def test_lists_have_it(stack, seller):
    sold, _ = announced(seller)
    picture = put(seller, sold, png(400, 300)).json()["picture"]
    [mine] = [s for s in seller.get("/api/shows?mine=true&limit=100").json() if s["id"] == sold["id"]]
    assert mine["picture"] == picture
    wait_until(lambda: [s.get("picture") for s in User(stack.url).get("/api/shows?limit=100").json() if s["id"] == sold["id"]] == [picture],
               "the list has it")


def test_a_deleted_draft_has_no_picture(stack, seller, show):
    [size] = put(seller, show, png(400, 300)).json()["picture"]["sizes"]
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204
    assert requests.get(stack.url + size["url"], timeout=DEADLINE).status_code == 404
    assert "picture" not in seller.get(f"/api/shows/{show['id']}").json(), "nor does it tell one"
    assert put(seller, show, png(400, 300)).status_code == 409
    assert stack.sql("tickets", "select 1 from show_pictures where show_id = %s", show["id"]) == []


@pytest.mark.parametrize("name, picture, words", [
    ("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "must be a JPEG"), ("html", b"<html></html>", "must be a JPEG"),
    ("gif", b"GIF89a" + bytes(100), "must be a JPEG"), ("cut off", png()[:-20], "damaged"), ("missing rows", png(rows=100), "damaged"),
    ("a zip behind it", png() + b"PK\3\4" + bytes(50), "damaged"), ("a page behind it", png() + b"<script>alert(1)</script>", "damaged"),
    ("one that moves", png(extra=chunk(b"acTL", bytes(8))), "must not move"), ("small", png(300, 300), "at least 320"),
    ("a bomb", png(15000, 15000, rows=0), "at most 25 megapixels"),
    ("a real bomb", png(5100, 5100), "at most 25 megapixels"), ("a long one", png(70000, 200, rows=0), "at most 25 megapixels")])
def test_pictures_refused(seller, show, name, picture, words):
    """Whatever they are said to be."""
    for kind in ("image/png", "image/webp"):
        answer = put(seller, show, picture, kind)
        assert answer.status_code == 400 and words in errors(answer)[0][1], (name, answer.text)
    assert "picture" not in seller.get(f"/api/shows/{show['id']}").json()


def test_requests_refused(stack, seller, other, show):
    assert put(seller, show, b"").status_code == 400
    assert put(seller, show, png(), "image/svg+xml").status_code == put(seller, show, png(), "text/html").status_code == 415
    assert put(User(stack.url), show, png()).status_code == 401
    assert put(other, show, png()).status_code == 404, "a draft is nobody else's to see"
    sold, _ = announced(seller)
    assert put(other, sold, png()).status_code == 403
    assert put(seller, {"id": missing_id()}, png()).status_code == 404
    assert put(seller, show, b"x" * (10 * 1024 * 1024 + 1)).status_code == 413
    assert put(seller, show, b"x" * (11 * 1024 * 1024)).status_code == 413
    assert put(seller, show, b"x" * (10 * 1024 * 1024)).status_code == 400, "10 MiB are taken"


@pytest.mark.parametrize("name", ["x", "0" * 64, "0" * 64 + "-320", "0" * 64 + "-320.webp", "0" * 64 + "--320.webp", "0" * 64 + "-99999.webp", "%00" * 70])
def test_no_such_picture(stack, show, name):
    assert requests.get(f"{stack.url}/api/shows/{show['id']}/pictures/{name}", timeout=DEADLINE).status_code == 404


def test_an_account_sends_so_many_a_day(stack, people, show):
    """Also such that cannot be used. Those of the day before do not count."""
    sender = next(people)
    mine, form = make_show(sender), lambda: send(sender, mine, png()).headers["Location"]
    with Replica(stack, "tickets", PICTURES_PER_DAY="3") as strict:
        strict.wait_ready()
        by = User(strict.url, sender.headers["Authorization"].removeprefix("Bearer "))
        assert [put(by, mine, p).status_code for p in (b"no picture", png(), png())] == [400, 200, 200]
        refusal = put(by, mine, png())
        assert refusal.status_code == 429 and "try again tomorrow" in errors(refusal)[0][1] and 0 < int(refusal.headers["Retry-After"]) <= 86400
        assert put(by, show, png()).status_code == 404, "a stranger's draft is not told by the quota"
        answer = send(by, mine, png())
        assert answer.headers["Location"] == f"/shows/{mine['id']}/edit?picture=quota#picture"
        stack.sql("tickets", "update picture_days set day = day - 1 where user_id = %s", sender.id)
        assert put(by, mine, png()).status_code == 200
    assert form().endswith("?done=picture#picture"), "others allow more"
    stack.sql("tickets", "update picture_days set day = day - 3 where user_id = %s and sent > 3", sender.id)
    wait_until(lambda: stack.sql("tickets", "select count(*) from picture_days where user_id = %s", sender.id) == [(1,)], "old counts are forgotten")


# --- by a form ---

def send(user, show, picture, **headers):
    return user.post(f"/api/shows/{show['id']}/picture-form", files={"picture": ("a.png", picture, "image/png")}, headers=headers, allow_redirects=False)


@pytest.mark.parametrize("name, picture, query", [
    ("good", png(), "done=picture"), ("svg", b"<svg/>", "picture=kind"), ("small", png(200, 200), "picture=small"), ("none", b"", "picture=none"),
    ("huge", bytes(10 * 1024 * 1024 + 1), "picture=bytes"), ("more than is read at all", bytes(20 * 1000 * 1000), "picture=bytes")])
def test_a_form_leads_back(stack, seller, show, name, picture, query):
    answer = send(seller, show, picture)
    assert answer.status_code == 303 and answer.headers["Location"] == f"/shows/{show['id']}/edit?{query}#picture"
    assert ("picture" in seller.get(f"/api/shows/{show['id']}").json()) == (name == "good")


def test_what_is_no_form_and_who_is_a_stranger(stack, seller, show):
    assert seller.post(f"/api/shows/{show['id']}/picture-form", data={"picture": "x"}).status_code == 400
    assert seller.post(f"/api/shows/{show['id']}/picture-form", files={"other": ("a.png", png(), "image/png")}).status_code == 400
    assert send(User(stack.url), show, png()).headers["Location"].startswith(f"/shows/{show['id']}/edit?"), "where one is asked to sign in"
    assert "picture" not in seller.get(f"/api/shows/{show['id']}").json()


def test_a_form_of_a_show_that_takes_none_leads_to_the_show(stack, seller, other, show):
    """Whose page says why."""
    page = f"/shows/{show['id']}"
    assert send(other, show, png()).headers["Location"] == page
    assert seller.delete(f"/api/shows/{show['id']}").status_code == 204
    assert send(seller, show, png()).headers["Location"] == page


def test_a_form_of_another_site_is_refused(stack, seller, show):
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert send(seller, show, png(), **headers).status_code == 403
    assert send(seller, show, png(), Origin=stack.url).headers["Location"].endswith("?done=picture#picture")


# --- the program ---

def read_by(script, stack, seller, show, tmp_path):
    """What a replica answers that has this script in place of the program."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with Replica(stack, "tickets", PICTURE_PROGRAM=str(program)) as replica:
        replica.wait_ready()
        return put(User(replica.url, seller.headers["Authorization"].removeprefix("Bearer ")), show, png())


def test_the_program_has_nothing_of_tickets(stack, seller, show, tmp_path):
    """Neither its settings nor its files, nor its log."""
    answer = read_by(f"env > {tmp_path}/env\nls /proc/self/fd | wc -l > {tmp_path}/fds\nreadlink /proc/$$/fd/2 > {tmp_path}/log\nexit 2",
                     stack, seller, show, tmp_path)
    assert answer.status_code == 400 and "damaged" in answer.text
    assert {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()} <= {"PWD", "SHLVL", "_", "OLDPWD"}
    assert int((tmp_path / "fds").read_text()) == 4, "in, out, errors, and that of the listing itself"
    assert (tmp_path / "log").read_text() == "/dev/null\n", "what it says is not said in the log of tickets"


def test_pictures_are_read_where_no_core_may_be_dumped(stack, seller, show):
    """As in production; not here, where sanitizers and debuggers attach."""
    with Replica(stack, "tickets", CORE_DUMPS="false") as replica:
        replica.wait_ready()
        assert put(User(replica.url, seller.headers["Authorization"].removeprefix("Bearer ")), show, png()).status_code == 200


@pytest.mark.parametrize("script, status", [
    ("exit 0", 503), ("printf '\\1\\0\\0\\0\\264\\0\\0\\0\\377\\377\\377\\377'; exit 0", 503), ("kill -9 $$", 400), ("exit 99", 400), ("exit 8", 503),
    ("exit 126", 503), ("exit 127", 503)])
def test_what_the_program_says_is_not_believed(stack, seller, show, tmp_path, script, status):
    """It may have been taken over by a picture."""
    answer = read_by(script, stack, seller, show, tmp_path)
    assert answer.status_code == status, answer.text
    assert "picture" not in seller.get(f"/api/shows/{show['id']}").json()
