"""What every picture must be, whatever it shows: said in a sentence, also a table, small, and its words inside it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from vmlab.views import Drawing

SVG = "{http://www.w3.org/2000/svg}"
LETTER = 6.6  # px: an average letter at the smallest size that is allowed
SLACK = 10  # px: what that average may be wrong by over a line


def readable(drawing: Drawing, least: int = 40, most_bytes: int = 60_000) -> None:
    """A sentence of `least` letters, a table, words of at least 9 pt inside the picture, and small."""
    assert len(drawing.alt) >= least
    assert drawing.table.rows
    assert len(drawing.svg) < most_bytes
    root = ET.fromstring(drawing.svg)
    assert int(root.get("font-size", "0")) >= 12  # px, which are 9 pt
    wide, high = (float(side) for side in root.get("viewBox", "").split()[2:])
    for words in root.iter(f"{SVG}text"):
        places = words.get("x", "0").split()
        if len(places) > 1:  # the digits of a strip, each with a place of its own
            continue
        long = len(words.text or "") * LETTER
        low = float(places[0]) - {"start": 0, "middle": long / 2, "end": long}[words.get("text-anchor", "start")]
        assert low >= -1, words.text
        assert low + long <= wide + SLACK, words.text
        assert float(words.get("y", "0")) <= high, words.text


def texts(drawing: Drawing) -> list[str]:
    """All words of a picture, in the order of its file."""
    return [words.text or "" for words in ET.fromstring(drawing.svg).iter(f"{SVG}text")]
