"""Shows as tests make them."""
import datetime
import struct
import uuid
import zlib

from support import wait_until

SHOW = {"title": "Käse & Brot", "venue": "Hall 1", "city": "Zürich", "startsAt": "2035-06-01T20:00:00+02:00", "timeZone": "Europe/Zurich"}


def soon(days=30):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_show(seller, **what):
    answer = seller.post("/api/shows", json={**SHOW, "startsAt": soon(), **what})
    assert answer.status_code == 201, answer.text
    return answer.json()


def add_area(seller, show, **what):
    if "rows" not in what:
        what = {"places": 3, **what}
    answer = seller.post(f"/api/shows/{show['id']}/areas", json={"name": "Stalls", "price": 20, **what})
    assert answer.status_code == 202, answer.text
    return answer.json()


def area_of(seller, show, area):
    [found] = [a for a in seller.get(f"/api/shows/{show['id']}").json()["areas"] if a["id"] == area["id"]]
    return found


def made(seller, show, area):
    return wait_until(lambda: (a := area_of(seller, show, area))["made"] == a["places"] and a, f"area {area['id']} is made")


def stock(area, show, places, version=1):
    """What orders says of an area."""
    return {"type": "AreaStocked", "id": uuid.UUID(area["id"]), "showId": uuid.UUID(show["id"]), "version": version,
            "occurredAt": datetime.datetime.now(datetime.UTC), "places": places}


def known(seller, show, area):
    wait_until(lambda: area_of(seller, show, area)["known"] == area["places"], "tickets hears that orders knows the area")


def announce(seller, show):
    answer = seller.post(f"/api/shows/{show['id']}/announce")
    assert answer.status_code == 200, answer.text
    return answer.json()


def announced(seller, areas=({},), **what):
    """A show that is for sale, and its areas."""
    show = make_show(seller, **what)
    areas = [add_area(seller, show, **area) for area in areas]
    for area in areas:
        made(seller, show, area)
        known(seller, show, area)
    return announce(seller, show), areas


def bought(buyer, **body):
    """The answer to a purchase, once orders has heard that the show is announced."""
    return wait_until(lambda: (answer := buyer.post("/api/purchases", json=body)).status_code != 404 and (answer,), "orders knows the show")[0]


def seats(who, show, area):
    answer = who.get(f"/api/shows/{show['id']}/areas/{area['id']}/seats")
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def place_id(area, block, place):
    """The ticket at a place, counted from the left."""
    return area["id"][:30] + f"{block * 64 + place:06x}"


# --- pictures ---

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=1600, height=900, extra=b"", rows=None):
    """Grey; a megapixel is a kilobyte."""
    lines = zlib.compressobj(9)
    data = b"".join(lines.compress(b"\0" + bytes([y % 251]) * width) for y in range(height if rows is None else rows)) + lines.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
