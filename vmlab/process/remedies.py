"""Ways to keep a table of frame numbers right: each learns frames, answers, and is told what its way tells.

A remedy answers in two moments, because that is how frame numbers are used: it is asked (`begin`), the answer is put
to use, and when the use ends (`end`) it may know that the answer was void. Between the two the machine may do
anything. What each does with the model's own events and entries is all there is: no answer is made up.

Costs are counts: calls into the kernel, pagemap words read, callbacks, frames held down.
"""

from __future__ import annotations

from collections import Counter

from ..units import PAGE_SIZE
from .events import Change
from .page import PageFrame
from .process import Process, Signal
from .soft_dirty import clear_refs
from .ways import way


class Remedy:
    """Learn a page's frame once, and never ask again. The others say what they do better."""

    name = "never ask again"
    idea = "a frame number, once read from pagemap, is kept"

    def __init__(self, process: Process, pages: list[int]) -> None:
        self.process, self.pages = process, pages
        self.known: dict[int, int] = {}
        self.cost: Counter[str] = Counter()
        process.memory.on_change.append(self.changed)
        self.start()

    def start(self) -> None:
        """Before the first use."""

    def changed(self, change: Change) -> None:
        """Any entry of the machine has changed."""

    def before(self, va: int) -> None:
        """A use is about to begin: look again, if that is the way."""

    def begin(self, va: int) -> int | None:
        """The frame that `va` is believed to be in; None if the page cannot be had."""
        self.before(va)
        return self.known[va] if va in self.known else self.learn(va)

    def end(self, va: int, frame: int) -> int:
        """The use has ended: the frame that was used, or, if it is known to have been wrong, that of the second try."""
        return frame

    def learn(self, va: int) -> int | None:
        """Touch the page and read its word of pagemap."""
        if isinstance(self.process.read(va, 1), Signal):
            return None
        return self.look(va)

    def look(self, va: int) -> int | None:
        """Read one word of pagemap; forget the page if it is not present."""
        self.cost["calls"] += 1
        return self._read(va)

    def look_all(self) -> None:
        """Read the whole range with one call."""
        self.cost["calls"] += 1
        for va in self.pages:
            self._read(va)

    def _read(self, va: int) -> int | None:
        self.cost["words"] += 1
        pfn = self.process.page_table.pte(va).pfn
        self.known.pop(va, None)
        if pfn is not None:
            self.known[va] = pfn
        return pfn


class AskOften(Remedy):
    """Read the whole range again at every eighth use."""

    name = "ask every 8th use"
    idea = "pagemap is read again now and then"
    every, uses = 8, 0

    def before(self, va: int) -> None:
        """Count uses, and look."""
        if self.uses % self.every == 0:
            self.look_all()
        self.uses += 1


class AskAlways(Remedy):
    """Read the page's word before each use."""

    name = "ask before each use"
    idea = "pagemap is read right before the number is used"

    def before(self, va: int) -> None:
        """Look at this page."""
        self.look(va)


class SoftDirty(Remedy):
    """Look again at pages that were written."""

    name = "soft-dirty"
    idea = "bit 55 says whether the page was written since; then the frame is read again"

    def start(self) -> None:
        """Start over, once all is there."""
        clear_refs(self.process.space)
        self.cost["calls"] += 1

    def before(self, va: int) -> None:
        """Is the bit set? Then the word tells the frame too, and all bits are cleared."""
        self.cost["calls"] += 1
        self.cost["words"] += 1
        pte = self.process.page_table.pte(va)
        if pte.pfn is None:
            self.known.pop(va, None)
        elif pte.soft_dirty:
            self.known[va] = pte.pfn
            clear_refs(self.process.space)
            self.cost["calls"] += 1


class Vmstat(Remedy):
    """Look at all pages again when the machine's counters have changed."""

    name = "/proc/vmstat"
    idea = "pgmigrate_success, pswpout, pswpin …: if none has changed, nothing was moved or swapped"
    count = seen = 0

    def changed(self, change: Change) -> None:
        """The counters of moves; pgfault counts every fault of every process and is left out."""
        told = way("/proc/vmstat").heard(change)
        self.count += bool(told) and told != "pgfault"

    def before(self, va: int) -> None:
        """Read the counters."""
        self.cost["calls"] += 1
        if self.count != self.seen:
            self.seen = self.count
            self.look_all()
            self.seen = self.count


class MapCount(Remedy):
    """Look again when the remembered frame is not mapped exactly once."""

    name = "kpagecount"
    idea = "as long as the remembered frame is mapped once, it is believed to be ours"

    def before(self, va: int) -> None:
        """Read the count of the frame that is remembered."""
        if va in self.known:
            self.cost["calls"] += 1
            self.cost["words"] += 1
            page = self.process.memory.frames.get(self.known[va])
            if page is None or page.mapcount != 1:
                del self.known[va]


class Userfault(Remedy):
    """Forget pages of which userfaultfd tells something."""

    name = "userfaultfd"
    idea = "events of the process's own calls: unmap, remap, remove, first touch"

    def changed(self, change: Change) -> None:
        """Events for our range."""
        if change.mm is self.process.space and way("userfaultfd").heard(change):
            self.cost["callbacks"] += 1
            self.known.pop(change.va, None)


class Mlock(Remedy):
    """Lock the range, and never ask again."""

    name = "mlock"
    idea = "locked memory is not swapped out"

    def start(self) -> None:
        """Lock every page."""
        self.process.mlock(self.pages[0], len(self.pages) * PAGE_SIZE)
        self.cost["calls"] += 1
        self.cost["held"] += len(self.pages)


class Pin(Remedy):
    """Pin every page for as long as its frame is remembered."""

    name = "long-term pin"
    idea = "FOLL_LONGTERM: a reference more than the kernel expects, so it moves the page nowhere"

    def __init__(self, process: Process, pages: list[int]) -> None:
        self.pinned: dict[int, PageFrame] = {}
        super().__init__(process, pages)

    def learn(self, va: int) -> int | None:
        """Pin, then remember: the pinned page's frame cannot change."""
        page = self.process.pin(va)
        self.cost["calls"] += 1
        if isinstance(page, Signal):
            return None
        self.pinned[va], self.known[va] = page, page.pfn
        self.cost["held"] += 1
        return page.pfn


class Notifier(Remedy):
    """Forget a page when the kernel announces a change, and try a use again that it cut into."""

    name = "MMU notifier"
    idea = "the kernel calls back before an entry changes; a use that was cut into is done again"

    def changed(self, change: Change) -> None:
        """invalidate_range_start: drop what is remembered."""
        if change.mm is self.process.space and way("MMU notifier").heard(change):
            self.cost["callbacks"] += 1
            self.known.pop(change.va, None)

    def end(self, va: int, frame: int) -> int:
        """mmu_interval_read_retry: if the page was invalidated meanwhile, look again."""
        if self.known.get(va) == frame:
            return frame
        again = self.learn(va)
        return frame if again is None else again


REMEDIES: tuple[type[Remedy], ...] = (
    Remedy, AskOften, AskAlways, SoftDirty, Vmstat, MapCount, Userfault, Mlock, Pin, Notifier,
)  # fmt: skip
