"""Practice of lesson 03: a lookup in five named steps (index, compare, walk, evict, fill), and what walks cost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...units import PAGE_SHIFT
from ...virtual.tlb import Tlb
from ...virtual.tlb_rows import Structure
from ...virtual.tlb_tell import Access, Counts, Entry, walk_references
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps

TOY = (Structure("Toy TLB", 1, 8, 2),)
TRIES = 200


def apart(question: Question) -> Question:
    """The same question without variants in which two answers coincide: those would not tell beliefs apart."""

    def facts(rng: random.Random) -> Facts:
        for _ in range(TRIES):
            drawn = question.facts(rng)
            answers = [question.answer(**drawn), *(wrong.answer(**drawn) for wrong in question.misconceptions)]
            if len(set(answers)) == len(answers):
                break
        return drawn

    return replace(question, facts=facts)


def look_up(tlb: Tlb, asid: int, va: int, is_global: bool = False, levels: int = 4) -> tuple[Access, Steps]:
    """One reference to a TLB of one structure, and its steps by name."""
    before = tlb.entries()
    access = tlb.access(asid, va, is_global=is_global)
    row, step = access.steps[0].structure, access.steps[0]
    there = [entry for entry in before if entry.set_index == step.set_index]
    return access, Steps.of(_lookup_steps(row, va, asid, there, access, levels))


def _lookup_steps(
    row: Structure, va: int, asid: int, there: Sequence[Entry], access: Access, levels: int
) -> list[Step]:
    page, out = va >> PAGE_SHIFT, access.steps[0].evicted
    tags = ", ".join(_tag(entry) for entry in there) or "nothing"
    found = next((e for e in there if e.va == access.entry.va and e.asid in (None, asid)), None)
    whose = "global" if access.entry.asid is None else f"ASID {asid}"
    done = [
        Step(
            "index",
            "the page number's lowest bits choose the set",
            f"{page:#x} mod {row.sets}",
            f"set {page % row.sets}",
        ),
        Step(
            "compare",
            "with every entry of that set: page number and ASID",
            f"{page:#x}, {whose}, with {tags}",
            "hit" if found else "miss",
        ),
    ]
    if found:
        return done
    done.append(Step("walk", "read one entry of each table level", f"{levels} levels", f"{levels} memory references"))
    if out:
        done.append(Step("evict", "the set is full: its oldest use goes", tags, f"{_tag(out)} goes"))
    return [*done, Step("fill", "keep the translation", f"{page:#x}, {whose}", f"in set {page % row.sets}")]


def _tag(entry: Entry) -> str:
    owner = "global" if entry.asid is None else f"ASID {entry.asid}"
    return f"{entry.va // entry.page_bytes:#x} ({owner})"


# --- evict ---


def _played(pages: Sequence[int], policy: str = "lru") -> tuple[Tlb, list[Access]]:
    tlb = Tlb((replace(TOY[0], policy=policy),))
    return tlb, [tlb.access(1, page << PAGE_SHIFT) for page in pages]


def victim(pages: Sequence[int], policy: str = "lru") -> int:
    """The page that the last of these references pushed out of the toy TLB; 0 if none."""
    evicted = _played(pages, policy)[1][-1].steps[0].evicted
    return evicted.va >> PAGE_SHIFT if evicted else 0


def victim_steps(pages: Sequence[int], **_: Any) -> Steps:
    """The last reference, by its five steps."""
    tlb, _done = _played(pages[:-1])
    return look_up(tlb, 1, pages[-1] << PAGE_SHIFT)[1]


def _references(rng: random.Random) -> Facts:
    first = rng.randrange(0x400, 0x7FF)
    a, b, c = (first + 4 * n for n in rng.sample(range(1, 9), 3))
    other = first + 1
    pages = rng.choice(((a, b, other, a, c), (other, a, b, a, c), (a, other, b, b, a, c)))
    return {"pages": pages, "told": ", ".join(f"{page:#x}" for page in pages), "last": f"{pages[-1]:#x}"}


VICTIM = apart(
    Question(
        id="03.victim",
        ask="A toy TLB: 4 sets of 2 ways, LRU, empty at first. Page numbers in order: {told}. Which page does the "
        "last reference, {last}, push out?",
        facts=_references,
        answer=lambda pages, **_: victim(pages),
        misconceptions=(
            Misconception(
                "what came first goes first", lambda pages, **_: victim(pages, "fifo"), "When was it used last?"
            ),
            Misconception(
                "nothing goes while any set has room (0)", lambda **_: 0, "In which sets may this page be kept?"
            ),
            Misconception(
                "a full set takes no newcomer", lambda pages, **_: pages[-1], "What would the next use of it cost?"
            ),
        ),
        because="index finds the set; of its two pages that one was used longer ago.",
        hints=("Which of these pages share a set?", "evict: in the newcomer's set, the page whose last use is oldest."),
        steps=victim_steps,
        show=lambda page: f"{page:#x}",
    )
)


# --- what a walk costs ---


def cost_steps(accesses: int, misses: int, levels: int, host_levels: int, **_: Any) -> Steps:
    """What all walks cost: misses, each walk, product."""
    each = walk_references(levels, host_levels)
    how = f"({levels} + 1) × ({host_levels} + 1) − 1" if host_levels else f"{levels} levels"
    counts = Counts(accesses, (accesses - misses,))
    return Steps.of(
        (
            Step(
                "misses",
                "references that hit cost nothing more",
                f"{accesses:,} − {accesses - misses:,}",
                f"{misses:,}",
            ),
            Step("each walk", "memory references of one walk", how, f"{each}"),
            Step(
                "product",
                "misses × each walk",
                f"{misses:,} × {each}",
                f"{counts.walk_references(levels, host_levels):,}",
            ),
        )
    )


def _a_run(rng: random.Random) -> Facts:
    accesses = 100_000 * rng.randrange(10, 90)
    misses = rng.randrange(1_001, 30_000)
    return {
        "accesses": accesses,
        "misses": misses,
        "hits": accesses - misses,
        "levels": rng.choice((2, 3, 4, 5)),
        "host_levels": rng.choice((3, 4, 5)),
    }


COST = apart(
    Question(
        id="03.cost",
        ask="A guest with {levels}-level tables on a host with {host_levels}-level tables makes {accesses:,} "
        "references; {hits:,} hit in the TLB. How many memory references do the walks make, if nothing of them is "
        "cached?",
        facts=_a_run,
        answer=lambda accesses, hits, levels, host_levels, **_: Counts(accesses, (hits,)).walk_references(
            levels, host_levels
        ),
        misconceptions=(
            Misconception(
                "the host's tables are not needed",
                lambda misses, levels, **_: misses * levels,
                "At what kind of address does the guest's table lie?",
            ),
            Misconception(
                "the host's tables are walked once",
                lambda misses, levels, host_levels, **_: misses * (levels + host_levels),
                "How many addresses of the guest are met in its walk?",
            ),
            Misconception(
                "every reference walks",
                lambda accesses, levels, host_levels, **_: accesses * walk_references(levels, host_levels),
                "What is the TLB for?",
            ),
            Misconception("a walk is one reference", lambda misses, **_: misses, "How many levels are read?"),
        ),
        because="misses × ((guest's levels + 1) × (host's levels + 1) − 1).",
        hints=("Which references walk at all?", "each walk: (levels + 1) × (host's levels + 1) − 1."),
        steps=cost_steps,
    )
)
COST_STEP = replace(
    COST,
    id="03.cost-step",
    ask="One step is open, and the product comes after it. A guest with {levels} levels on a host with {host_levels}: "
    "{misses:,} of {accesses:,} references miss. How many memory references do the walks make?",
    blank="each walk",
)
