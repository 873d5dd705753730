"""A translation as named steps (canonical, root, index, large page?, frame), and practice on them.

The tables are built for each variant; what the CPU would read stands in the question.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ...arch.formats import page_format
from ...units import VmlabError, group_hex, human
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps

if TYPE_CHECKING:
    from ...virtual.address_space import Walk

OTHERS = ("x86-pae", "arm-lpae", "sv39", "arm64-16k-47")


def worked(walk: Walk) -> Steps:
    """All steps of one walk that ends in a page."""
    return steps(walk)


def steps(walk: Walk, **_: Any) -> Steps:
    """The steps from the root register to the byte."""
    if walk.leaf is None or walk.pa is None:
        raise VmlabError(f"{group_hex(walk.va)} is not mapped: take an address that is")
    rows = [_canonical(walk), _root(walk), *(_index(walk, depth) for depth in range(len(walk.steps)))]
    size, entry = walk.page_bytes, walk.steps[-1].entry or 0
    base, smallest = walk.leaf.pa.of(entry), 1 << walk.format.page_shift
    is_large = "yes" if size > smallest else "no"
    rows.append(Step("large page?", "does this entry map memory itself", f"{walk.steps[-1].level} maps", human(size)))
    rows[-1] = rows[-1]._replace(gives=f"{is_large}, {human(size)}: the offset is bits {walk.leaf.shift - 1}..0")
    how = f"{group_hex(base)} + {walk.va & (size - 1):#x}"
    rows.append(Step("frame", "address in the entry + offset", how, group_hex(walk.pa)))
    return Steps.of(rows)


def _canonical(walk: Walk) -> Step:
    fmt = walk.format
    rule = f"bits 63..{fmt.va_bits - 1} are equal" if fmt.signed else f"no bit above {fmt.va_bits - 1}"
    return Step("canonical", rule, group_hex(walk.va), "may be translated")


def _root(walk: Walk) -> Step:
    first = walk.steps[0]
    return Step("root", "where the base register points", f"table of {first.level}", group_hex(first.table_pa))


def _index(walk: Walk, depth: int) -> Step:
    level, step = walk.format.levels[depth], walk.steps[depth]
    how = f"bits {level.shift + level.bits - 1}..{level.shift} = {step.index}"
    what = "entry at table + index × " + str(walk.format.entry_bytes)
    return Step(f"index {step.level}", what, how, f"{group_hex(step.entry_pa)} holds {group_hex(step.entry or 0)}")


def _large(rng: random.Random, names: tuple[str, ...]) -> Facts:
    """A large page of the level above the last, in a process's half, and the walk that finds a byte of it."""
    from ...virtual.page_table import PageTable

    fmt = page_format(rng.choice(names))
    level, above = fmt.levels[-2], fmt.levels[-3]
    number = rng.randrange(1, 1 << level.bits)
    va = rng.randrange(1, 1 << above.bits - 1 if above.bits > 2 else 3) * above.size + number * level.size
    pa = rng.randrange(0x40, 0x200) * level.size
    made = PageTable(fmt)
    made.map(va, pa, level.size, nx=True)
    walk = made.walk(va + rng.randrange(1 << fmt.page_shift, level.size) | 1)
    return {
        "walk": walk,
        "title": fmt.title,
        "shown": group_hex(walk.va),
        "read": "; ".join(f"{s.level} entry {s.index} holds {group_hex(s.entry or 0)}" for s in walk.steps),
        "rule": RULES[fmt.name],
    }


RULES = {
    "x86-64-4": "Bit 7 (PS) of a pmd entry says that it maps 2 MiB; bits 51..21 are then its address.",
    "x86-pae": "Bit 7 (PS) of a pmd entry says that it maps 2 MiB; bits 51..21 are then its address.",
    "arm-lpae": "Bits 1..0 are 11 for a table and 01 for a block; bits 39..21 are then its address.",
    "arm64-16k-47": "Bits 1..0 are 11 for a table and 01 for a block of 32 MiB; bits 47..25 are then its address.",
    "sv39": "R, W, X (bits 3..1) all 0 mean a table; bits 53..10 are the frame number in units of 4 KiB.",
}


def _base(walk: Walk) -> int:
    return walk.leaf.pa.of(walk.steps[-1].entry or 0) if walk.leaf else 0


TWELVE = Misconception(
    "the page size is always the smallest one",
    lambda walk, **_: _base(walk) + (walk.va & (1 << walk.format.page_shift) - 1),
    "How many bits of the address did the indices that were read use up?",
)
WHOLE_ENTRY = Misconception(
    "an entry is the address of the page",
    lambda walk, **_: (walk.steps[-1].entry or 0) + (walk.va & walk.page_bytes - 1),
    "Which bits of the entry are flags?",
)
NO_OFFSET = Misconception(
    "the walk ends with the page, and the byte is its first",
    lambda walk, **_: _base(walk),
    "Which bits of the address have not been used yet?",
)
ABOVE = Misconception(
    "the offset is everything below the root's index",
    lambda walk, **_: _base(walk) + (walk.va & walk.format.levels[-3].size - 1),
    "Did the last index that was read come from those bits too?",
)
HINTS = (
    "At which level does the walk end, and how much does an entry of that level map?",
    "large page?: the offset is all bits below the last index that was read. frame: address in the entry + offset.",
)

FRAME_STEP = Question(
    id="02.frame-step",
    ask="One step is open. {title}, address {shown}. {rule} At which physical address is the byte?",
    facts=lambda rng: _large(rng, ("x86-64-4",)),
    answer=lambda walk, **_: walk.pa,
    misconceptions=(TWELVE, WHOLE_ENTRY, NO_OFFSET, ABOVE),
    because="address in the entry + offset, and the offset of a large page is longer than 12 bits.",
    hints=HINTS,
    steps=steps,
    blank="frame",
    show=group_hex,
)

TRANSLATE = Question(
    id="02.translate",
    ask="On your own. {title}, address {shown}. Read so far: {read}. {rule} At which physical address is the byte?",
    facts=lambda rng: _large(rng, OTHERS),
    answer=lambda walk, **_: walk.pa,
    misconceptions=(TWELVE, WHOLE_ENTRY, NO_OFFSET, ABOVE),
    because="the walk ends at the entry that maps memory; the offset is all bits below its index.",
    hints=HINTS,
    steps=steps,
    show=group_hex,
)


def _pages(rng: random.Random) -> Facts:
    """Four pages: two neighbours, one in another lowest table, one under another entry of the root."""
    fmt = page_format(rng.choice(("x86-64-4", "x86-64-5", "sv39", "sv48")))
    root, lowest = fmt.levels[0], fmt.levels[-2]
    first = rng.randrange(1, 20) * root.size + rng.randrange(1, 200) * lowest.size + rng.randrange(1, 400) * 4096
    vas = (first, first + 4096, first + rng.randrange(1, 200) * lowest.size, first + rng.randrange(1, 20) * root.size)
    where = ", ".join(map(group_hex, vas))
    return {"name": fmt.name, "title": fmt.title, "vas": vas, "where": where, "levels": len(fmt.levels)}


def _tables(name: str, vas: tuple[int, ...]) -> list[tuple[str, int]]:
    """Different tables of each level that the pages need: counted by the bits above each table's reach."""
    fmt = page_format(name)
    found = [(fmt.levels[0].name, 1)]
    for above, level in zip(fmt.levels, fmt.levels[1:], strict=False):
        found.append((level.name, len({va // above.size for va in vas})))
    return found


def _built(name: str, vas: tuple[int, ...], **_: Any) -> int:
    from .formats import table_bytes

    return table_bytes(name, vas) // 4096


def table_steps(name: str, title: str, vas: tuple[int, ...], **_: Any) -> Steps:
    """One row a level: how many different tables; then the sum."""
    fmt, rows = page_format(name), []
    counts = _tables(name, vas)
    rows.append(Step("root", "one table", title, "1"))
    for above, (level, count) in zip(fmt.levels, counts[1:], strict=False):
        seen = ", ".join(str(number) for number in sorted({va // above.size for va in vas}))
        rows.append(
            Step(f"tables of {level}", f"one for each {human(above.size)} in use", f"numbers {seen}", str(count))
        )
    total = sum(count for _, count in counts)
    rows.append(Step("sum", "tables of all levels", " + ".join(str(count) for _, count in counts), f"{total} tables"))
    return Steps.of(rows)


TABLES = Question(
    id="02.tables",
    ask="{title}. A process uses four pages of 4 KiB: {where}. How many tables does it need, the root included?",
    facts=_pages,
    answer=_built,
    misconceptions=(
        Misconception("one table of each level is enough", lambda levels, **_: levels, "Is the last page near them?"),
        Misconception(
            "each page brings its own tables",
            lambda levels, vas, **_: 1 + len(vas) * (levels - 1),
            "Do two neighbouring pages need two tables of the lowest level?",
        ),
    ),
    because="one root, and at each lower level as many tables as different stretches are in use.",
    hints=(
        "Which pages agree in all bits above their lowest index?",
        "Count level by level: one table for each different stretch that an entry of the level above covers.",
    ),
    steps=table_steps,
)
