"""The walk: from the root table down, one entry a level, until one maps memory or none does.

There is no other walker: `walker` makes one level of it. The levels run as plain Python for one address,
keeping a trace of what they read, and are compiled without the trace, once for each format, for a batch
(`virtual/translate.py`). So they use only what means the same in both: unsigned numbers and no objects.

A format is packed into rows of numbers, one a level, which the compiled form holds as constants; what a format
does not use then costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arch.format import Address, Flag, Format, Leaf, Table, bits
from ..jit import source
from ..units import PAGE_SHIFT, PAGE_SIZE

MOST_LEVELS = 5

# A row. An address takes a mask and then (entry bit, mask, address bit) for each run of bits that moves.
SHIFT, INDEX, WIDE, INSIDE = range(4)  # INSIDE: which bits of the table's address count within its frame
TABLE, TABLE_VALUE, TABLE_PA = 4, 5, 6
LEAF, LEAF_VALUE, LEAF_OFFSET, LEAF_PA = 10, 11, 12, 13
SECOND, SECOND_VALUE, SECOND_OFFSET, SECOND_PA = 20, 21, 22, 23
# Rights: which bits to flip so that a 1 forbids, then those that forbid writing, user mode and fetching.
LEAF_RIGHTS, SECOND_RIGHTS, TABLE_RIGHTS = 30, 34, 38
TABLE_KEEP = 42  # all ones, or 0 where a table's entry forbids nothing
ZERO, OFFSET_MASK, FRAME_SHIFT, ENTRY_SHIFT, DENSE = range(43, 48)  # the same on every level
# Parts of the status word, as unsigned numbers like everything that a row holds.
HERE, HERE_SECOND, HERE_MISSED, SAY_NO_WRITE, SAY_NO_USER, SAY_NO_FETCH = range(48, 54)

# The status of one translation: what came of it, at which depth, and which rights the mapping lacks.
MAPPED, MISSED, NON_CANONICAL = 0, 1, 2
OUTCOME, DEPTH_SHIFT, DEPTH, IS_SECOND = 0xFF, 8, 0x7, 1 << 12
NO_WRITE, NO_USER, NO_FETCH = 1 << 16, 1 << 17, 1 << 18

NEVER = (0, 1)  # a test that no entry passes: it looks at no bit, and the answer is not 1


def pack(fmt: Format, dense: bool = False) -> tuple[tuple[int, ...], ...]:
    """The numbers of a format, one row a level, and the last one again for the levels it lacks.

    `dense` rows are for frames that stand in `words` in the order of their numbers, from word `origin` of memory.
    """
    rights = [_rights(level.table) for level in fmt.levels]
    most = max(rights)  # where a table's entry has rights at all, they are the same bits on every level
    rows = []
    for depth, level in enumerate(fmt.levels):
        first, second = (*level.leaves, None, None)[:2]
        here = depth << DEPTH_SHIFT
        row = (
            *(level.shift, bits(level.bits - 1, 0), int(fmt.table_bytes(depth) > PAGE_SIZE), _inside(fmt, depth)),
            *(*_test(level.table), *_address(level.table, 1)),
            *(*_test(first), *_offset(first), *_address(first, 2)),
            *(*_test(second), *_offset(second), *_address(second, 2)),
            *(*_rights(first), *_rights(second), *most, bits(63, 0) if any(rights[depth]) else 0),
            *(0, PAGE_SIZE - 1, PAGE_SHIFT, fmt.entry_bytes.bit_length() - 1, int(dense)),
            *(here, here | IS_SECOND, here | MISSED, NO_WRITE, NO_USER, NO_FETCH),
        )
        rows.append(row)
    return (*rows, *rows[-1:] * (MOST_LEVELS - len(rows)))


def _inside(fmt: Format, depth: int) -> int:
    """A table begins at a multiple of its size, so only one smaller than a frame begins inside a frame."""
    return (PAGE_SIZE - 1) & -fmt.table_bytes(depth)


def _test(row: Table | Leaf | None) -> tuple[int, int]:
    """(mask, value): reserved bits are part of the test, so they cost nothing where all is well."""
    return (row.mask | row.reserved, row.value) if row else NEVER


def _offset(row: Leaf | None) -> tuple[int]:
    return ((1 << row.shift) - 1 if row else 0,)


def _address(row: Table | Leaf | None, runs: int) -> tuple[int, ...]:
    pa = row.pa if row else Address(0)
    moved = [(low, bits(count - 1, 0), to) for low, count, to in pa.moved] + [(0, 0, 0)] * runs
    return (pa.mask, *(number for run in moved[:runs] for number in run))


def _rights(row: Table | Leaf | None) -> tuple[int, int, int, int]:
    """Bits to flip, and which bits then forbid writing, user mode and fetching; 0 where the row says nothing."""
    flags = {flag.name: flag for flag in row.flags} if row else {}
    write, user, nx = (_way(flags.get(name)) for name in ("write", "user", "nx"))
    return write[0] | user[0] | nx[1], sum(write), sum(user), sum(nx)


def _way(row: Flag | None) -> tuple[int, int]:
    return row.ways[0] if row else (0, 0)


# --- plain and compiled ---


@source
def walker(depth: int, below: Callable[..., Any]) -> Callable[..., Any]:
    """One level of the walk; `below` is the next. Returns (physical address, status).

    `limit` is the first frame beyond `slots`, or with dense rows the first word beyond `words`.
    """

    def level(
        rows: Any, words: Any, slots: Any, limit: Any, origin: Any, table: Any, va: Any, denied: Any, trace: Any
    ) -> Any:
        """Read the entry for `va` in `table`; `denied` collects what the tables above forbid."""
        row = rows[depth]
        index = (va >> row[SHIFT]) & row[INDEX]
        if row[DENSE] != row[ZERO]:
            place = (table >> row[ENTRY_SHIFT]) + index - origin
            if place >= limit:
                return row[ZERO], row[HERE_MISSED]
        else:
            frame = table >> row[FRAME_SHIFT]
            inside = ((table & row[INSIDE]) >> row[ENTRY_SHIFT]) + index
            if row[WIDE] != row[ZERO]:  # the table fills several frames, and `words` may hold them anywhere
                entry_pa = table + (index << row[ENTRY_SHIFT])
                frame = entry_pa >> row[FRAME_SHIFT]
                inside = (entry_pa & row[OFFSET_MASK]) >> row[ENTRY_SHIFT]
            if frame >= limit:
                if trace is not None:
                    trace.append((table, None))
                return row[ZERO], row[HERE_MISSED]
            place = slots[frame] + inside
        entry = words[place] | row[ZERO]
        if trace is not None:
            trace.append((table, entry if slots[frame] else None))
        if entry & row[TABLE] == row[TABLE_VALUE]:
            pa = entry & row[TABLE_PA]
            pa |= ((entry >> row[TABLE_PA + 1]) & row[TABLE_PA + 2]) << row[TABLE_PA + 3]
            denied |= (entry ^ row[TABLE_RIGHTS]) & row[TABLE_KEEP]
            return below(rows, words, slots, limit, origin, pa, va, denied, trace)
        if entry & row[LEAF] == row[LEAF_VALUE]:
            pa = (entry & row[LEAF_PA]) | (va & row[LEAF_OFFSET])
            pa |= ((entry >> row[LEAF_PA + 1]) & row[LEAF_PA + 2]) << row[LEAF_PA + 3]
            pa |= ((entry >> row[LEAF_PA + 4]) & row[LEAF_PA + 5]) << row[LEAF_PA + 6]
            held = entry ^ row[LEAF_RIGHTS]
            rights = ((held & row[LEAF_RIGHTS + 1]) | (denied & row[TABLE_RIGHTS + 1]) != row[ZERO]) * row[SAY_NO_WRITE]
            rights |= ((held & row[LEAF_RIGHTS + 2]) | (denied & row[TABLE_RIGHTS + 2]) != row[ZERO]) * row[SAY_NO_USER]
            rights |= ((held & row[LEAF_RIGHTS + 3]) | (denied & row[TABLE_RIGHTS + 3]) != row[ZERO]) * row[
                SAY_NO_FETCH
            ]
            return pa, row[HERE] | rights
        if entry & row[SECOND] == row[SECOND_VALUE]:
            pa = (entry & row[SECOND_PA]) | (va & row[SECOND_OFFSET])
            pa |= ((entry >> row[SECOND_PA + 1]) & row[SECOND_PA + 2]) << row[SECOND_PA + 3]
            pa |= ((entry >> row[SECOND_PA + 4]) & row[SECOND_PA + 5]) << row[SECOND_PA + 6]
            held = entry ^ row[SECOND_RIGHTS]
            rights = ((held & row[SECOND_RIGHTS + 1]) | (denied & row[TABLE_RIGHTS + 1]) != row[ZERO]) * row[
                SAY_NO_WRITE
            ]
            rights |= ((held & row[SECOND_RIGHTS + 2]) | (denied & row[TABLE_RIGHTS + 2]) != row[ZERO]) * row[
                SAY_NO_USER
            ]
            rights |= ((held & row[SECOND_RIGHTS + 3]) | (denied & row[TABLE_RIGHTS + 3]) != row[ZERO]) * row[
                SAY_NO_FETCH
            ]
            return pa, row[HERE_SECOND] | rights
        return row[ZERO], row[HERE_MISSED]

    return level


@source
def bottom(
    rows: Any, words: Any, slots: Any, limit: Any, origin: Any, table: Any, va: Any, denied: Any, trace: Any
) -> Any:
    """Below the last level: never reached, since its entries are no tables."""
    return table, rows[0][HERE_MISSED]


def chain(made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[..., Any]:
    """The whole walk from the root; `made` is what to do with each level, such as compiling it."""
    below = made(bottom)
    for depth in reversed(range(MOST_LEVELS)):
        below = made(walker(depth, below))
    return below


descend = chain(lambda level: level)
"""The walk as plain Python: numbers are ints, `words` and `slots` anything that is indexed, `trace` a list."""
