"""What judges and draws the minute of bench/onsale.py is right itself."""
import sys
from xml.etree import ElementTree

import pytest

from support import ROOT

sys.path.append(str(ROOT / "bench"))
import onsale
import picture


@pytest.mark.parametrize("turns,expected", [
    ("aabbcc", 1), ("abcdef", 1), ("ba", -1), ("acb", 1 - 2 / 3), ("aab", 1), ("aa", 1), ("", 1), ("bbaa", -1), ("abab", 1 - 2 / 4)])
def test_kendalls_tau(turns, expected):
    """By pairs: of those whose turns differ, how many came in by their places."""
    assert onsale.tau(list(enumerate(turns, 1))) == pytest.approx(expected)


def answers(*lines):
    return [line.split(" ") for line in lines]


def test_the_picture():
    """Three seats are held, given up, and held again by another, who pays."""
    said = answers("turn 1000100000 5 200 1 u 1 2026", "turn 1000100000 5 200 2 v - ", "buy 1000200000 9000 201 1 u p ", "back 1001200000 4 204 1 u p ",
                   "turn 1001300000 5 200 2 v 2 2026", "buy 1002200000 30000 201 2 v q ", "buy 1002300000 30 409 3 w - ", "pay 1003900000 8 201 2 v succeeded ")
    lines, slow = picture.count(said, 1000, 6)
    assert lines == {"came in": [0, 3, 6, 6, 6], "held": [0, 3, 0, 3, 3], "given up": [0, 0, 3, 3, 3], "paid": [0, 0, 0, 0, 3], "left": [6, 3, 6, 3, 3]}
    assert slow == [9, None, 30, None]
    drawn = ElementTree.fromstring(picture.draw(said, 1000, 6))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 6
    assert ElementTree.fromstring(picture.draw([], 1000, 6)) is not None


def test_what_is_missed_is_said():
    found = {name: 0 for _, name, *_ in onsale.GOALS} | {"all held, s": 20.5, "all held first, s": None, "tau": 1.0, "together": 1.0, "joins a second": 31000}
    text = onsale.table(found)
    assert text.count("(missed)") == 1 and "| 20.5 s (missed) | ≤ 20 s |" in text and "31,000 |" in text
