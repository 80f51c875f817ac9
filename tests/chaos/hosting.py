"""The shows of tests/chaos: one before anything is disturbed, and a new one from time to time, made by a seller who is disturbed like everybody."""
import dataclasses
import datetime
import time

from history import OK

AREAS = [{"name": "Stalls", "price": 30, "rows": [{"name": row, "from": 1, "to": 10} for row in "ABC"]}, {"name": "Floor", "price": 20, "places": 30},
         {"name": "Box", "price": 25, "accessible": True, "rows": [{"name": "W", "from": 1, "to": 4}]}]
BLOCKS = {"Stalls": (3, 10), "Floor": (1, 30), "Box": (1, 4)}  # how many, and the places of each
PER_USER = 6
# A show is sold to fans first, then for a while to nobody, then to those who come in from its queue: (opens, closes) in seconds from when it is made.
FANS, EVERYBODY = (-3600, 25), (30, 86_400)
FANS_PER_USER, CODES, CODE_USES = 3, 3, 4
SHOW = {"title": "A show", "venue": "A house", "city": "Basel", "startsAt": "2035-06-01T20:00:00Z", "timeZone": "Europe/Zurich", "perUser": PER_USER}
EVERY = 75  # seconds until the next one is made
RECENT = 3  # that people still buy of


class Over(Exception):
    """Nobody needs the show any more."""


@dataclasses.dataclass
class Show:
    id: str
    areas: dict  # of names: their ids
    codes: list


class Host:
    def __init__(self, seller):
        self.seller, self.last = seller, time.monotonic()

    def is_due(self):
        return time.monotonic() - self.last > EVERY

    def make(self):
        """Each step again and again until it is answered. Raises Over when the crowd goes home."""
        self.last = time.monotonic()
        path = f"/api/shows/{self.until('make show', 'POST', '/api/shows', SHOW)['id']}"
        areas = {area["name"]: self.until("add area", "POST", f"{path}/areas", area)["id"] for area in AREAS}
        codes = self.until("make codes", "POST", f"{path}/codes", {"count": CODES, "uses": CODE_USES})["codes"]
        self.until("set phases", "PUT", f"{path}/phases", {"phases": phases()})
        while self.until("see show", "GET", path)["status"] != "announced":
            self.seller.ask("announce", "POST", f"{path}/announce")
        return Show(path.rpartition("/")[2], areas, codes)

    def until(self, do, method, path, body=None):
        while not self.seller.crowd.stopping.is_set():
            outcome, answer = self.seller.ask(do, method, path, body)
            if outcome == OK:
                return answer
            self.seller.rest(0.5)
        raise Over

    def edit(self, dice, show):
        self.seller.ask("edit show", "PUT", f"/api/shows/{show.id}", SHOW | {"title": f"A show {dice.randrange(1000)}"}, show=show.id)


def phases():
    now = datetime.datetime.now(datetime.UTC)
    return [{"name": name, "opensAt": (now + datetime.timedelta(seconds=opens)).isoformat(), "closesAt": (now + datetime.timedelta(seconds=closes)).isoformat(),
             "perUser": most, "codes": name == "Fans", "queue": name != "Fans"}
            for name, (opens, closes), most in (("Fans", FANS, FANS_PER_USER), ("Everybody", EVERYBODY, PER_USER))]


def places(dice, show, quantity):
    """Some that are beside each other, of any area: the ids of their tickets."""
    area = dice.choice(list(BLOCKS))
    blocks, width = BLOCKS[area]
    block, first = dice.randrange(blocks), dice.randrange(width - quantity + 1)
    return [show.areas[area][:30] + f"{block * 64 + first + n:06x}" for n in range(quantity)], area == "Box"
