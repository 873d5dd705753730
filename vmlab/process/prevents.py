"""What keeps a page where it is, and against which changes it does not help. A table; the model checks its rows.

Sources: Linux 6.1, mm/vmscan.c:shrink_folio_list (mlocked pages are kept), mm/migrate.c:folio_expected_refs (a pin is a
reference too many), mm/compaction.c (compact_unevictable_allowed = 1), mm/memory.c:copy_present_pte (a pinned page
is copied for the child at once), mm/hugetlb.c.
"""

from __future__ import annotations

from typing import NamedTuple

HELD_AGAINST = ("swap out", "migrate", "merge", "collapse", "copy", "unmap")


class Hold(NamedTuple):
    """One mechanism; `stops` are the changes that it prevents."""

    name: str
    stops: frozenset[str]
    cost: str
    note: str
    source: str


HOLDS = (
    Hold(
        "mlock",
        frozenset({"swap out"}),
        "the pages stay in RAM; RLIMIT_MEMLOCK",
        "the page stays in RAM, not in its frame: compaction may move it (vm.compact_unevictable_allowed = 1)",
        "mm/mlock.c; mm/compaction.c:sysctl_compact_unevictable_allowed",
    ),
    Hold(
        "long-term pin",
        frozenset({"swap out", "migrate", "merge", "collapse", "copy"}),
        "frames that cannot be moved for anybody; RLIMIT_MEMLOCK",
        "the frame stays; the address may still be unmapped. First the page is moved out of ZONE_MOVABLE and CMA",
        "mm/gup.c:__gup_longterm_locked, check_and_migrate_movable_pages; kernel/fork.c",
    ),
    Hold(
        "hugetlb",
        frozenset({"swap out", "merge", "collapse"}),
        "huge pages set aside",
        "never swapped; may migrate (offline, CMA, move_pages)",
        "mm/hugetlb.c; mm/migrate.c:unmap_and_move_huge_page",
    ),
)


def hold(name: str) -> Hold:
    """One mechanism, by its name."""
    return next(row for row in HOLDS if row.name == name)
