"""The glossary's words, and a link to each from where a lesson first sets it in bold.

`docs/GLOSSARY.md` is the source: a heading a term, and "Also:" its other forms. `vmlab release` puts a copy beside the
notebooks, so that a link works in the lab and in the book alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

BOLD = re.compile(r"(?<!\[)\*\*([^*\n]+)\*\*(?!\])")


def terms(glossary: str) -> dict[str, str]:
    """Each word that the glossary explains, in small letters, and the heading it stands under."""
    found: dict[str, str] = {}
    for part in re.split(r"(?m)^## ", glossary)[1:]:
        heading, _, body = part.partition("\n")
        also = re.search(r"Also: ([^.]+)\.\n", body)
        for word in (heading, *(also[1].split(", ") if also else ())):
            found.setdefault(plain(word), heading.replace("`", ""))
    return found


def plain(word: str) -> str:
    """A term as it is looked up: without code marks, in small letters."""
    return word.replace("`", "").lower()


def anchor(heading: str) -> str:
    """What a heading is called in a link, as JupyterLab and nbconvert name it."""
    return heading.replace(" ", "-")


def link_first_uses(cells: Sequence[Any], known: dict[str, str], target: str = "GLOSSARY.md") -> None:
    """Make the first bold use of every known term of a notebook a link; the cells are changed."""
    done: set[str] = set()

    def link(match: re.Match[str]) -> str:
        heading = known.get(plain(match[1]))
        if heading is None or heading in done:
            return match[0]
        done.add(heading)
        return f"[{match[0]}]({target}#{anchor(heading)})"

    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = BOLD.sub(link, cell["source"])
