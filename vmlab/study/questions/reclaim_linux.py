"""Predictions of lesson 11 about Linux: the kernel's two looks at a page, and how large its lists are. Both are run."""

from __future__ import annotations

from typing import Any

from ...process.lruvec import Lruvec
from ...process.reclaim import Look, Scan
from ...process.trace_pages import TracePage
from ..question import Misconception, Question, always


def verdict(references: int, referenced: bool) -> str:
    """What folio_check_references decides of an anonymous page."""

    class One:
        """A page whose entries were seen so often."""

        def look(self, page: Any) -> Look:
            """So many accessed bits."""
            return Look(references)

        def evict(self, page: Any) -> bool:
            """It is not asked for."""
            return False

        def key(self, page: Any) -> int:
            """Any name."""
            return 0

        def written(self) -> int:
            """Nothing goes."""
            return 0

    return Scan(Lruvec(), One())._check_references(TracePage(0, referenced=referenced))


USED = Question(
    id="11.used",
    ask="A page on Linux's inactive list was read a million times by its one process since it came. Now the kernel "
    "looks at "
    "it for the first time. What becomes of it?",
    facts=lambda rng: {},
    choices=lambda: {
        "activate": "it becomes active: a million times is hot",
        "keep": "it stays inactive and goes round once more",
        "reclaim": "it goes: it is at the end of the list",
        "sorted": "it is put behind pages that were read more often",
    },
    answer=lambda: verdict(1, False),
    misconceptions=(
        Misconception("the hardware counts references", always("activate"), "How many bits has an entry for this?"),
        Misconception("the end of the list is the end", always("reclaim"), "What does the accessed bit say?"),
        Misconception("the kernel keeps pages in the order of use", always("sorted"), "Who would tell it of each use?"),
    ),
    because="the accessed bit says used or not; each page was used once, when it came. Only a second look makes it "
    "active.",
)

RATIO = Question(
    id="11.ratio",
    ask="Linux deactivates pages when the inactive list is low. On a machine whose anonymous pages take {gib} GiB, "
    "how many "
    "active pages may there be for each inactive one?",
    facts=lambda rng: {"gib": 100},
    answer=lambda gib: ratio_of(gib),
    misconceptions=(
        Misconception("both lists are of one size", always(1), "Below which size is that so?"),
        Misconception("two thirds are active on every machine", always(2), "Does it depend on the size of memory?"),
        Misconception("it grows as memory does", lambda gib: 10 * gib, "Of what is the root taken?"),
        Misconception("ten to one, as the constant says", always(10), "What stands under the root?"),
    ),
    because="the root of 10 × {gib}, without fraction: the larger memory is, the smaller the share it takes to look "
    "twice.",
)


def ratio_of(gib: int) -> int:
    """The largest ratio at which inactive is not low, found by asking."""

    class Sized(Lruvec):
        """Lists with sizes and no pages."""

        sizes: dict[bool, int]

        def size(self, kind: bool, active: bool) -> int:
            """As told."""
            return self.sizes[active]

    lists, pages, ratio = Sized(), gib << 18, 1
    while True:
        inactive = -(-pages // (ratio + 2))
        lists.sizes = {False: inactive, True: pages - inactive}
        if lists.inactive_is_low(False):
            return ratio
        ratio += 1
