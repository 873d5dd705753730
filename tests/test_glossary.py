"""The glossary has every term that a lesson sets in bold, and every claim's source is listed in one place."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from vmlab.study.glossary import BOLD, anchor, link_first_uses, plain, terms

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "GLOSSARY.md").read_text()
KNOWN = terms(GLOSSARY)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Bold words that are no terms of the kernel, and what they are; a sentence or a question in bold is a lead.
NO_TERMS = {
    "after this you can": "the first cell", "next step": "a button", "previous step": "a button",
    "+ offset": "a step", "compare": "a step", "size": "a step", "span": "a step", "top": "a step",
    "what changes": "a lead", "what stays": "a lead", "a system call": "a lead", "an unmap": "a lead",
    "pagemap again": "a lead", "buddy wins": "a lead", "the list wins": "a lead", "it is a draw": "a lead",
    "only root may read it": "stress", "all": "stress",
}  # fmt: skip


def bold(source: str) -> list[str]:
    return [plain(word) for word in BOLD.findall(source) if not re.search(r"[.:]$|[a-z] .*\?$", word)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_bold_term_is_in_the_glossary_and_its_first_use_leads_there(path: Path) -> None:
    source = (ROOT / "lessons" / f"{path.stem}.py").read_text()
    text = "\n".join(re.findall(r"(?m)^# ?(.*)$", source))
    used = bold(text)
    assert [] == [word for word in used if word not in KNOWN and word not in NO_TERMS]
    built = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    for word in used:
        if word in KNOWN:
            assert 1 == built.count(f"](GLOSSARY.md#{anchor(KNOWN[word])})"), word


def test_every_entry_has_a_sentence_a_source_and_a_lesson_and_is_used_by_it() -> None:
    for part in re.split(r"(?m)^## ", GLOSSARY)[1:]:
        heading, _, body = part.partition("\n")
        assert re.search(r"(?s)\w{3}.*\.\n\*Source:\* .{5,}\. \*Lesson\* \d\d\.\n", body), heading
        assert not set(KNOWN) & set(NO_TERMS)


def test_entries_stand_in_order_and_once() -> None:
    headings = re.findall(r"(?m)^## (.*)$", GLOSSARY)
    assert len(headings) == len({plain(heading) for heading in headings})
    assert headings == sorted(headings, key=lambda heading: plain(heading).lstrip("/_"))


def test_only_the_first_use_is_linked_and_code_is_left_alone() -> None:
    cells = [
        {"cell_type": "markdown", "source": "The **TLB** and the **TLB**, **nothing**"},
        {"cell_type": "code", "source": "'**ASID**'"},
    ]
    link_first_uses(cells, {"tlb": "TLB", "asid": "ASID"})
    assert "The [**TLB**](GLOSSARY.md#TLB) and the **TLB**, **nothing**" == cells[0]["source"]
    assert "'**ASID**'" == cells[1]["source"]
    again = [dict(cell) for cell in cells]
    link_first_uses(again, {"nothing at all": "none"})
    assert again == cells


# --- sources ---


@pytest.mark.parametrize("path", sorted((ROOT / "lessons").glob("[0-9][0-9]-*.py")), ids=lambda path: path.stem)
def test_every_claim_of_a_lesson_stands_in_the_list_of_sources(path: Path) -> None:
    if path.name.endswith(".exercise.py"):
        return
    rows = re.findall(r"(?m)^# (\|.*\|)$", path.read_text().split("# ## Sources", 1)[1])[2:]
    assert rows
    listed = (ROOT / "docs" / "SOURCES.md").read_text().splitlines()
    assert [] == [row for row in rows if f"| {path.name[:2]} {row}" not in listed], "run `vmlab release`"
