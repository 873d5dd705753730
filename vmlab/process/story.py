"""Three processes, one address, one frame: who is where after each step.

P0, P1 and P2 each use 0x400000, and there is one frame for all of them. Whoever runs without it faults; the page that
is in it goes to swap, by the entry of its own process; the page that is wanted comes back, by the entry of the process
that runs. Every step is done by the model: `play` runs the story from its beginning, so going back is playing less.

Only private memory can tell this story. The text of a program is a file's page: three processes that run one program
share its frame, and when it is taken the entries are simply emptied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..units import VmlabError
from .events import Change, Fault
from .memory import Memory
from .page import PageFrame
from .process import Process, Signal
from .swap_slots import SWAP_HAS_CACHE, SWAP_MAP_BAD

VA = 0x40_0000
PROCESSES = ("P0", "P1", "P2")
SCRIPT = ("P0", "P1", "P2", "P1", "P0", "P2")  # who runs and touches 0x400000 in turn
FRAME = 0x5A  # the one frame


@dataclass(frozen=True, slots=True)
class Scene:
    """After one step: everybody's entry, what is in the frame, every slot's byte, and how it came about."""

    number: int
    who: str  # who runs; "" before the first step
    what: str
    entries: dict[str, int]  # process to Linux's entry for 0x400000
    walks: dict[str, str]  # process to what its entry means, in words
    frame: str  # whose page is in the frame; "" if nobody's
    slots: dict[int, int]  # slot to its byte in swap_map
    holders: dict[int, tuple[str, ...]]  # slot to the processes whose entry names it
    fault: Fault | None = None
    page_outs: tuple[str, ...] = ()  # what was written to which slot on the way

    @property
    def kind(self) -> str:
        """minor, major, or "" if there was no fault."""
        return self.fault.result if self.fault else ""


def play(script: tuple[str, ...] = SCRIPT, fmt: str = "x86-32", frames: int = 1, slots: int = 8) -> list[Scene]:
    """Every scene from the beginning: names touch 0x400000 in turn; "P0>P3" is fork, by which P3 is born.

    With more `frames` than one, the page that came first is the first to go.
    """
    return list(_Story(fmt, frames, slots).scenes(script))


class _Story:
    def __init__(self, fmt: str, frames: int, slots: int) -> None:
        if not 1 <= frames <= 8:
            raise VmlabError(f"frames: expected 1 to 8, got {frames}")
        self.left = list(range(FRAME + frames - 1, FRAME - 1, -1))
        self.next_table = 0x1000
        self.pages = set(self.left)
        self.for_page = False
        self.memory = Memory(fmt, self._alloc, self._free)
        self.memory.reclaimer = self._reclaim
        self.memory.swapon(slots, rotational=True, synchronous=True)
        self.memory.swap.page_cluster = 0  # one page at a time
        self.outs: list[str] = []
        self.process: dict[str, Process] = {}
        self.order: list[int] = []
        self.memory.on_page.append(self._seen)
        self.memory.on_change.append(self._heard)

    def _alloc(self, order: int) -> int | None:
        if self.for_page and not order:
            return self.left.pop() if self.left else None
        first = -(-self.next_table >> order) << order
        self.next_table = first + (1 << order)
        return first

    def _free(self, pfn: int, order: int) -> None:
        if pfn in self.pages:
            self.left.append(pfn)

    def _seen(self, what: str, page: PageFrame) -> None:
        self.order = [each for each in self.order if each != page.pfn] + ([page.pfn] if what == "new" else [])

    def _heard(self, change: Change) -> None:
        if change.what == "swap out":
            self.outs.append(change.tell())

    def _reclaim(self, wanted: int) -> int:
        for pfn in tuple(self.order):
            if self.memory.reclaim_pages([self.memory.frames[pfn]]).freed:
                return 1
        return 0

    def scenes(self, script: tuple[str, ...]) -> Iterator[Scene]:
        """One scene before, and one after each step."""
        for name in PROCESSES:
            self._born(name)
        yield self._scene(0, "", "Nobody has touched the page yet: all entries are empty.", None)
        for number, step in enumerate(script, 1):
            name, _, child = step.partition(">")
            if name not in self.process:
                raise VmlabError(f"step {step!r}: expected one of {', '.join(self.process)}, or P0>P3 for a fork")
            self.outs = []
            if child:
                yield self._fork(number, name, child)
            else:
                yield self._touch(number, name)

    def _born(self, name: str) -> None:
        process = Process(self.memory, name)
        process.mmap(VA, 1)
        process.page_table.reach(VA)  # its tables are there: only the page itself is short of a frame
        self.process[name] = process

    def _fork(self, number: int, name: str, child: str) -> Scene:
        born = self.process[name].fork(child)
        if not isinstance(born, Process):
            raise VmlabError(f"step {name}>{child}: {born.why}")
        self.process[child] = born
        return self._scene(number, name, f"{name} forks {child}: the entry is copied, no page moves.", None)

    def _touch(self, number: int, name: str) -> Scene:
        process = self.process[name]
        before = len(process.faults)
        self.for_page = True
        first = process.page_table.entry(VA) == 0
        done = process.write(VA, f"page_{name}_0x400000".encode()) if first else process.read(VA, 1)
        self.for_page = False
        fault = process.faults[before] if len(process.faults) > before else None
        if isinstance(done, Signal):
            return self._scene(number, name, f"{name} runs, and cannot go on: {done.name}.", fault)
        return self._scene(number, name, f"{name} runs and {'writes' if first else 'reads'} 0x400000.", fault)

    def _scene(self, number: int, who: str, what: str, fault: Fault | None) -> Scene:
        area = self.memory.swap.areas[0]
        names = {process.space: name for name, process in self.process.items()}
        held = self.memory.swap.all_holders(self.memory.mms)
        inside = [names[mm] for pfn in sorted(self.pages) for mm, _ in self.memory.frames_at(pfn)]
        return Scene(
            number,
            who,
            what,
            {name: process.page_table.entry(VA) for name, process in self.process.items()},
            {name: self._words(process) for name, process in self.process.items()},
            ", ".join(inside),
            {offset: byte for offset, byte in enumerate(area.swap_map) if byte and byte != SWAP_MAP_BAD},
            {slot[1]: tuple(names[mm] for mm, _ in found) for slot, found in sorted(held.items())},
            fault,
            tuple(self.outs),
        )

    def _words(self, process: Process) -> str:
        pte = process.page_table.pte(VA)
        if pte.swap is not None:
            cached = self.memory.swap.areas[0].swap_map[pte.swap.offset] & SWAP_HAS_CACHE
            return f"slot {pte.swap.offset}" + (" (and in the swap cache)" if cached else "")
        return "empty" if pte.pfn is None else f"frame {pte.pfn:#x}"
