"""The pages on which a show is sold by its phases and queues, by themselves: what services/web makes of whatever the services answer."""
import pytest

from test_web_shows import ago
from webs import Browser, area, new_id, refusal, serve_show, show


def phase(opens, closes, **more):
    """So many hours from now."""
    return {"name": "Fans <b>", "opensAt": ago(-opens), "closesAt": ago(-closes), "perUser": 3, "queue": False, "codes": False, **more}


# --- phases, to who buys ---

def test_a_show_in_phases(web):
    browser, stalls, pit = Browser(web, True), area(), area(name="Pit", seated=False)

    def look(*phases, **more):
        return browser.go(serve_show(web, show(phases=phases, **more), [stalls, pit]))
    for answer, words in ((look(phase(51.1, 60)), "On sale in 2 days 3 h"), (look(phase(-2, -1)), "The sale is over"),
                          (look(phase(-2, -1), phase(0.5, 2)), "On sale in 30 min"), (look(phase(-1, 1, queue=True)), "sold by a queue")):
        assert answer.status_code == 200 and words in answer.words and "Fans <b>" in answer.words
        assert "Pick your seats" not in answer.words and not list(answer.page.find(".//main").iter("form"))
    answer = look(phase(-1, 1, areas=[stalls["id"]]), phase(1, 2))
    assert "Fans <b>: at most 3 of this show a person." in answer.words and "Presale code" not in answer.words
    options = {select.get("name"): [o.get("value") for o in select.iter("option")] for select in answer.page.iter("select")}
    assert options == {"quantity": ["1", "2", "3"], "area": [stalls["id"]]}
    assert "on sale from" in look(phase(1, 2), userId=browser.id).words


def test_seats_are_picked_while_they_are_sold(web):
    browser, stalls = Browser(web, True), area()
    for phases, status in (([phase(1, 2)], 303), ([phase(-1, 1, areas=[new_id()])], 303), ([phase(-1, 1, codes=True)], 200)):
        path = serve_show(web, show(phases=phases), [stalls])
        web.services.answers[f"GET /api{path}/areas/{stalls['id']}/seats"] = (200, {"areaId": stalls["id"], "rows": []})
        answer = browser.go(f"{path}/areas/{stalls['id']}")
        assert answer.status_code == status
    assert "Presale code" in answer.words and "Pick up to 3 seats" in answer.words


def test_a_presale_code_goes_along(web):
    browser = Browser(web, True)
    path = serve_show(web, show(phases=[phase(-1, 1, codes=True)]), [area()])
    web.services.answers["POST /api/purchases"] = (403, {**refusal("This is not a code of this show"), "reason": "code_wrong"})
    answer = browser.submit(browser.go(path).page, f"{path}/buy", code=" 7k2m ")
    assert answer.status_code == 403 and "This is not a code of this show." in answer.words
    assert browser.fields(answer.page, f"{path}/buy")["code"] == " 7k2m "
    [sent] = web.services.asked("POST", "/api/purchases")
    assert sent["body"]["code"] == "7k2m"


def test_only_what_is_sold_now_is_free(web):
    browser, stalls, pit = Browser(web, True), area(free=0), area(name="Pit")
    path = serve_show(web, show(phases=[phase(-1, 1, areas=[stalls["id"]]), phase(1, 2)]), [stalls, pit])
    assert "Nothing is free right now" in browser.go(path).words


def test_a_phase_follows_the_other(web):
    """The page says which phase it was made in, and when to read it again."""
    browser, first, second = Browser(web, True), phase(-1, 1), phase(1, 2)

    def sale(*phases):
        found = browser.go(serve_show(web, show(phases=phases), [area()])).page.find(".//*[@id='sale']")
        return found.get("data-state"), found.get("data-phase"), found.get("data-changes")
    assert sale(first, second) == ("open", first["opensAt"], first["closesAt"])
    assert sale(phase(-3, -2), second) == ("later", second["opensAt"], second["opensAt"])
    assert sale(phase(-3, -2)) == ("over", None, None)


def test_a_refusal_is_said_when_seats_are_sold_no_more(web):
    browser, stalls, s = Browser(web, True), area(), show(phases=[phase(-1, 1)])
    path = serve_show(web, s, [stalls])
    seats = f"{path}/areas/{stalls['id']}"
    web.services.answers[f"GET /api{seats}/seats"] = (200, {"areaId": stalls["id"], "rows": []})
    page = browser.go(seats).page
    serve_show(web, s | {"phases": [phase(-2, -1)]}, [stalls])
    web.services.answers["POST /api/purchases"] = (409, {**refusal("The sale of this is over"), "reason": "over"})
    answer = browser.submit(page, seats, ticket=new_id())
    assert answer.status_code == 409 and "The sale of this is over." in answer.words
    assert answer.page.get("data-path") == path, "where it is read again"


# --- queues ---

def numbers(opens=-1, **more):
    """What everybody may know of a queue that opens in so many hours."""
    return {"open": opens <= 0, "people": 1200, "serving": 187, "left": 40, "opensAt": ago(-opens), "closesAt": ago(-9), "now": ago(0)} | more


def place(status, opens=-1, **more):
    return numbers(opens, status=status, **({"place": None, "estimate": None} | more))


@pytest.fixture
def queue(web):
    """The path of a show that is sold by a queue now, and a function for what the queue answers about the reader, and to everybody."""
    path = serve_show(web, show(phases=[phase(-1, 1, queue=True)]), [area()])

    def say(of_him, of_all=None):
        web.services.answers |= {f"GET /api{path}/queue": of_him, f"GET /api{path}/queue/serving": of_all or of_him}
    return path, say


TURN = place("turn", place=9, until=ago(-0.1), admission="t0k3n")


@pytest.mark.parametrize("of_him, state, words", [
    (place("joined", opens=1), "joined", "Joined so far: 1200"),
    (place("waiting", place=900, estimate=720), "queued", "712 people before you Your turn comes in about 12 min"),
    (place("waiting", place=188, estimate=1), "queued", "0 people before you Your turn comes in about 1 min"),
    (place("waiting", place=900, left=0), "queued", "All places are sold or held right now"),
    (TURN, "turn", "It is your turn"),
    (place("missed", place=9, until=ago(1)), "missed", "Your turn is over"),
    (place("waitlist", place=900, waitlist=14, want=2, left=0, soldOut=True), "listed", "Sold out. You are number 14 on the waiting list"),
    (place("offered", place=900, want=2, until=ago(-0.1), admission="t0k3n", soldOut=True), "offered", "Tickets are back for you: 2, until"),
    (place("taken", place=900, want=2, until=ago(-0.1), soldOut=True), "taken", "You have bought what your turn was for"),
    (place("lapsed", place=900, want=2, until=ago(1), soldOut=True), "lapsed", "Your offer is over")])
def test_where_one_is_in_a_queue(web, queue, of_him, state, words):
    path, say = queue
    say((200, of_him))
    answer = Browser(web, True).go(f"{path}/queue")
    assert answer.status_code == 200 and words in answer.words
    assert answer.page.find(".//*[@id='queue']").get("data-state") == state


def test_joining_a_queue(web, queue):
    path, say = queue
    browser = Browser(web, True)
    say((404, refusal("You have not joined the queue of this show")), (200, numbers()))
    page = browser.go(f"{path}/queue").page
    web.services.answers[f"POST /api{path}/queue"] = (403, {**refusal("Whoever joins this queue needs a code"), "reason": "code_required"})
    answer = browser.submit(page, f"{path}/queue")
    assert answer.status_code == 403 and "Whoever joins this queue needs a code." in answer.words
    web.services.answers[f"POST /api{path}/queue"] = (202, {})
    answer = browser.submit(answer.page, f"{path}/queue", code=" 7k2m ")
    assert answer.status_code == 303 and answer.headers["Location"] == f"{path}/queue"
    assert [sent["body"] for sent in web.services.asked("POST", f"/api{path}/queue")] == [{}, {"code": "7k2m"}]
    asked = len(web.services.asked("GET", f"/api{path}/queue"))
    assert "Sign in to join" in Browser(web).go(f"{path}/queue").words
    assert len(web.services.asked("GET", f"/api{path}/queue")) == asked, "nobody is in a queue without an account"


def test_a_waiting_list(web, queue):
    """Who joins it says how many he wants, and can say another number."""
    path, say = queue
    browser = Browser(web, True)
    web.services.answers[f"POST /api{path}/queue"] = (202, {})
    say((404, refusal("You have not joined the queue of this show")), (200, numbers(left=0, soldOut=True)))
    page = browser.go(f"{path}/queue").page
    assert browser.submit(page, f"{path}/queue", want="3").headers["Location"] == f"{path}/queue"
    say((200, place("waitlist", place=900, waitlist=14, want=3, left=0, soldOut=True)))
    page = browser.go(f"{path}/queue").page
    assert [o.get("value") for o in page.findall(".//*[@id='want']//option")] == ["1", "2", "3"], "as many as a person can have"
    assert page.find(".//*[@id='want']//option[@selected]").get("value") == "3"
    browser.submit(page, f"{path}/queue", want="1")
    browser.submit(page, f"{path}/queue", want="99")
    assert [sent["body"] for sent in web.services.asked("POST", f"/api{path}/queue")] == [{"want": 3}, {"want": 1}, {}]


def test_what_is_offered_is_for_so_many(web, queue):
    path, say = queue
    say((200, place("offered", place=9, want=2, until=ago(-0.1), admission="t0k3n", soldOut=True)))
    page = Browser(web, True).go(path).page
    assert [o.get("value") for o in page.findall(".//select[@name='quantity']/option")] == ["1", "2"]


def test_no_queue_and_one_that_is_away(web, queue):
    path, say = queue
    browser = Browser(web, True)
    say((404, refusal("There is no queue for this show now")))
    answer = browser.go(f"{path}/queue")
    assert answer.status_code == 200 and "There is no queue now" in answer.words and "There will be one" not in answer.words
    later = serve_show(web, show(phases=[phase(1, 2, queue=True)]), [area()])
    assert "There will be one" in browser.go(f"{later}/queue").words
    say((503, refusal("The queue can't be reached right now, try again")))
    answer = browser.go(f"{path}/queue")
    assert answer.status_code == 503 and "Whoever has a place keeps it" in answer.words


def test_whose_turn_it_is_buys(web, queue):
    path, say = queue
    browser = Browser(web, True)
    say((200, place("waiting", place=900)))
    answer = browser.go(path)
    assert "sold by a queue" in answer.words and f"{path}/queue" in [a.get("href") for a in answer.page.iter("a")]
    say((200, TURN))
    answer = browser.go(path)
    assert "It is your turn until" in answer.words and "Pick your seats" in answer.words
    assert answer.page.find(".//*[@id='sale']").get("data-changes") == TURN["until"], "when it is over the page is read again"
    web.services.answers["POST /api/purchases"] = (403, {**refusal("Whoever buys here now needs a turn from the queue of the show"),
                                                         "reason": "queue_required"})
    answer = browser.submit(answer.page, f"{path}/buy")
    assert answer.status_code == 403 and "needs a turn from the queue" in answer.words
    assert web.services.asked("POST", "/api/purchases")[0]["body"]["admission"] == "t0k3n"


def test_seats_are_picked_in_turn(web, queue):
    path, say = queue
    browser, stalls = Browser(web, True), area()
    serve_show(web, show(id=path.rsplit("/", 1)[1], phases=[phase(-1, 1, queue=True)]), [stalls])
    seats = f"{path}/areas/{stalls['id']}"
    web.services.answers[f"GET /api{seats}/seats"] = (200, {"areaId": stalls["id"], "rows": []})
    say((200, place("waiting", place=900)))
    assert browser.go(seats).headers["Location"] == path
    say((200, TURN))
    web.services.answers["POST /api/purchases"] = (409, refusal("One of these tickets is sold"))
    answer = browser.submit(browser.go(seats).page, seats, ticket=new_id())
    assert "Somebody was faster" in answer.words
    assert web.services.asked("POST", "/api/purchases")[0]["body"]["admission"] == "t0k3n"


# --- when a show is sold, to its seller ---

def test_phases_are_for_their_seller(web):
    browser = Browser(web, True)
    path = serve_show(web, show(), [area()])
    assert browser.go(f"{path}/phases").status_code == 404
    assert Browser(web).go(f"{path}/phases").headers["Location"].startswith("/signin")
    mine = serve_show(web, show(browser.id), [area()])
    assert "sold from then on" in browser.go(f"{mine}/phases").words
    kept = phase(1, 2, areas=[new_id()])
    draft = serve_show(web, show(browser.id, status="draft", phases=[kept], version=7), [area()])
    page = browser.go(f"{draft}/phases").page
    web.services.answers[f"PUT /api{draft}/phases"] = (412, refusal("changed"))
    answer = browser.submit(page, f"{draft}/phases", name="New", opens="2027-06-01T10:00", closes="2027-06-01T20:00", per_user="2", codes="yes")
    assert answer.status_code == 412 and "has changed meanwhile" in answer.words
    [sent] = web.services.asked("PUT", f"/api{draft}/phases")
    assert sent["headers"]["If-Match"] == '"7"' and sent["body"] == {"phases": [kept, {
        "name": "New", "opensAt": "2027-06-01T08:00:00.000Z", "closesAt": "2027-06-01T18:00:00.000Z", "perUser": 2, "codes": True}]}


def test_a_phase_that_is_refused_says_it_at_its_field(web):
    browser = Browser(web, True)
    draft = serve_show(web, show(browser.id, status="draft", phases=[phase(1, 2)]), [area()])
    page = browser.go(f"{draft}/phases").page
    for said, field, words in (("name of number 2 must have 1 to 80 characters", "name", "Name must have 1 to 80 characters"),
                               ("perUser of number 2 must be a whole number from 1 to 1000", "per-user", "a person must be a whole number from 1 to 1000")):
        web.services.answers[f"PUT /api{draft}/phases"] = (400, refusal(f"Phases: {said}", "phases"))
        answer = browser.submit(page, f"{draft}/phases", name=" ", opens="2027-06-01T10:00", closes="2027-06-01T20:00", queue="yes")
        assert answer.status_code == 400 and words in answer.words and "of number" not in answer.words
        assert [e.get("name") for e in answer.page.iter("input") if e.get("aria-invalid")] == [field]
    assert web.services.asked("PUT", f"/api{draft}/phases")[0]["body"]["phases"][1]["queue"] is True


def test_phases_that_can_be_removed(web):
    """Not the only one of a show that is announced."""
    browser = Browser(web, True)
    for phases, count in (([phase(1, 2)], 0), ([phase(-2, -1), phase(1, 2)], 1)):
        path = serve_show(web, show(browser.id, phases=phases), [area()])
        forms = [f.get("action") for f in browser.go(f"{path}/phases").page.iter("form")]
        assert forms.count(f"{path}/phases/remove") == count


def test_codes_of_a_show_that_orders_has_not_heard_of(web):
    browser = Browser(web, True)
    path = serve_show(web, show(browser.id, phases=[phase(1, 2, codes=True)]), [area()])
    web.services.answers[f"POST /api{path}/codes"] = (404, refusal("No such show"))
    answer = browser.submit(browser.go(f"{path}/phases").page, f"{path}/codes", count="7")
    assert answer.status_code == 503 and "try again in a moment" in answer.words and browser.fields(answer.page, f"{path}/codes")["count"] == "7"
