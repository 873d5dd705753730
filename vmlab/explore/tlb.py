"""The explorers of lesson 03: a lookup step by step, and real programs on a TLB of your making."""

from __future__ import annotations

import functools

import numpy as np

from ..study.questions.tlb import POLICY_NAMES, data_of, drawn
from ..study.questions.tlb_steps import TOY, look_up
from ..units import KiB, MiB, VmlabError, human
from ..views.tlb import cost, tlb_grid, walk_bars
from ..virtual.tlb import Tlb
from ..virtual.tlb_rows import POLICIES, Structure
from ..virtual.tlb_tell import Access, Counts
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene
from .zones import Stepper

KERNEL_PAGE = 0xFFFF_FFFF_8101_2000
SCRIPT = (  # ASID, address, global
    (1, 0x40_0000, False),
    (1, 0x40_1008, False),
    (1, 0x40_0FF8, False),
    (1, 0x40_4000, False),
    (1, 0x40_0010, False),
    (1, 0x40_8000, False),
    (1, 0x40_4000, False),
    (1, KERNEL_PAGE, True),
    (2, 0x40_1008, False),
    (2, KERNEL_PAGE, True),
    (1, 0x40_1010, False),
    (2, 0x40_0000, False),
)
MOST = 600_000  # references that are run for each bar: what a key may cost
TURN = 5_000  # references of one turn, where two programs share the CPU


def lookup_explorer() -> Explorer:
    """Twelve references to a toy TLB, one at a time: which set, what is compared, what is pushed out."""
    return Explorer(draw_lookup, (Stepper("step", "Reference", len(SCRIPT), 0),))


def draw_lookup(step: int) -> Scene:
    """The toy TLB after so many references, and the steps of the last."""
    tlb = Tlb(TOY)
    access: Access | None = None
    said: tuple[str, ...] = ("Press Next step: the first reference comes. The TLB is empty.",)
    for asid, va, is_global in SCRIPT[:step]:
        access, steps = look_up(tlb, asid, va, is_global)
        lines = tuple(f"{s.name}: {s.what}: {s.how} → {s.gives}" for s in steps.steps)
        said = (f"Process with ASID {asid} reads {va:#x}{', a global page of the kernel' * is_global}.", *lines)
    return Scene(tlb_grid(tlb, f"After {step} of {len(SCRIPT)} references", access), said)


GEOMETRY: tuple[Control, ...] = (
    Choice("program", "Program", {n: n for n in ("matrix-columns", "matrix-rows", "sort", "gzip", "python")}, "gzip"),
    Choice("sets", "Sets", {str(1 << n): 1 << n for n in range(11)}, 16),
    Slider("ways", "Ways (entries of a set)", 1, 32, 1, 4),
    Choice("page_bytes", "Page size", {human(size): size for size in (4 * KiB, 64 * KiB, 2 * MiB)}, 4 * KiB),
    Choice("policy", "Policy", {POLICY_NAMES[name]: name for name in POLICIES}, "lru"),
    Choice(
        "sharing",
        "Another program",
        {
            "does not run": "alone",
            "takes turns, with ASIDs": "asids",
            "takes turns, a switch flushes": "flush",
        },
        "alone",
    ),
)


def geometry_explorer() -> Explorer:
    """A recorded program's loads and stores on a TLB of one level: sets, ways, page size, policy, company."""
    return Explorer(draw_geometry, GEOMETRY)


def draw_geometry(program: str, sets: int, ways: int, page_bytes: int, policy: str, sharing: str) -> Scene:
    """The TLB that was asked for between one of half and one of twice the sets."""
    named = []
    for factor in (0.5, 1, 2):
        row = _row(int(sets * factor), ways, policy)
        if row is not None:
            words = {0.5: "half the sets", 1: "as set above", 2: "twice the sets"}[factor]
            named.append((f"{words}: {row.sets} × {ways} = {row.entries:,}", _run(program, row, page_bytes, sharing)))
    mine = next(counts for words, counts in named if words.startswith("as set"))
    reach = Structure("TLB", 1, sets * ways, ways).reach(page_bytes)
    touched = human(data_of(program).footprint)
    says = (
        f"Reach: {sets * ways:,} entries × {human(page_bytes)} = {human(reach)}; the program's pages are {touched}.",
        f"Walks of 4 levels add {cost(mine, 4):.3f} memory references to each one; in a guest {6 * cost(mine, 4):.3f}.",
        f"Shown: the first {mine.accesses:,} loads and stores that change the page.",
    )
    return Scene(walk_bars(f"{program} in pages of {human(page_bytes)}, {POLICY_NAMES[policy]}", named), says)


def _row(sets: int, ways: int, policy: str) -> Structure | None:
    """The structure, or nothing where there would be no set."""
    if not sets:
        return None
    if policy == "plru" and ways & (ways - 1):
        raise VmlabError(f"a tree of halves (PLRU) needs 1, 2, 4, 8, 16 or 32 ways, got {ways}: choose one, or LRU")
    return Structure("TLB", 1, sets * ways, ways, policy=policy)


@functools.lru_cache(maxsize=256)
def _run(program: str, row: Structure, page_bytes: int, sharing: str) -> Counts:
    """Run the program alone, or in turns with sqlite; the counts are the program's."""
    mine, kinds = _references(program)
    tlb = Tlb((row,), draws=drawn())
    if sharing == "alone":
        return tlb.run(mine, 1, page_bytes, kinds).by_asid[1]
    other, _ = _references("sqlite")
    total = Counts(0, (0,))
    for start in range(0, len(mine), TURN):
        total += tlb.run(mine[start : start + TURN], 1, page_bytes, kinds[start : start + TURN]).total
        if sharing == "flush":
            tlb.flush_all()
        tlb.run(np.take(other, range(start, start + TURN), mode="wrap"), 2, page_bytes)
        if sharing == "flush":
            tlb.flush_all()
    return total


@functools.cache
def _references(program: str) -> tuple[np.ndarray, np.ndarray]:
    """Page numbers of the first loads and stores, and their kind, which is data."""
    trace = data_of(program).part(0, MOST)
    return trace.vpns[trace.page], np.zeros(len(trace), np.uint8)
