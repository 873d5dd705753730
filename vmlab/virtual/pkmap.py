"""kmap's windows: a pool of page-size addresses through which the kernel sees HighMem frames, one frame a slot.

A slot's count is 0: free; 1: nobody uses it, but its entry still stands in the page table and perhaps in a TLB; n: it
has n - 1 users. Slots are handed out in a round. Each time the round begins anew, every slot of count 1 is unmapped
and the TLBs are flushed once for all of them; a task that finds no free slot sleeps until somebody calls kunmap
(Linux 6.1, mm/highmem.c: map_new_virtual, flush_all_zero_pkmaps, kmap_high, kunmap_high).

An architecture whose caches alias has a round for each colour of page (arch/xtensa/include/asm/highmem.h); x86 and ARM
have one colour. `holders` says which task has which window: the kernel does not keep it, and cannot tell a leak.

Left out: kmap from interrupts (it may sleep, so it is forbidden there), page protections, and the scheduler: tasks
that are woken go on in the order in which they began to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError
from .page_address import PageAddresses


class KernelBug(VmlabError):
    """What a real kernel answers with BUG(): it would stop the task that did it."""


@dataclass(frozen=True, slots=True)
class Look:
    """One slot that the scan came by: its count then, and the slots that a wrap freed just before."""

    slot: int
    count: int
    wrapped: bool = False
    freed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """No slot is free: the task sleeps in TASK_UNINTERRUPTIBLE. False in a condition."""

    task: str
    pfn: int
    before: int  # tasks that wait already

    def __bool__(self) -> bool:
        return False

    def tell(self) -> str:
        """Who waits, for what."""
        queue = f", behind {self.before} others" if self.before else ""
        return f"{self.task} sleeps until a window is free for frame {self.pfn:#x}{queue}: every slot is in use"


@dataclass(frozen=True, slots=True)
class Woken:
    """A task that a kunmap woke: the window it got, or None where it went back to sleep."""

    task: str
    pfn: int
    va: int | None


@dataclass(slots=True)
class Pkmap:
    """The pool of `slots` windows from address `base`; `page_va` gives a frame's struct page."""

    base: int
    slots: int
    page_va: Callable[[int], int] = lambda pfn: pfn * 32
    colours: int = 1
    counts: list[int] = field(init=False)  # pkmap_count
    frames: list[int | None] = field(init=False)  # pkmap_page_table: the frame that the entry names, or None
    holders: list[list[str]] = field(init=False)
    last: list[int] = field(init=False)  # last_pkmap_nr, one a colour
    waiting: list[list[tuple[str, int]]] = field(init=False)  # a queue a colour: (task, frame)
    addresses: PageAddresses = field(init=False)
    looks: list[Look] = field(default_factory=list)  # what the last scan came by
    wraps: int = 0
    flushes: list[tuple[int, ...]] = field(default_factory=list)  # slots that each TLB flush freed
    gone: set[str] = field(default_factory=set)  # tasks that have exited

    def __post_init__(self) -> None:
        self.counts, self.frames = [0] * self.slots, [None] * self.slots
        self.holders, self.last = [[] for _ in range(self.slots)], [0] * self.colours
        self.waiting = [[] for _ in range(self.colours)]
        self.addresses = PageAddresses(self.page_va)

    @property
    def end(self) -> int:
        """One past the last window's last byte."""
        return self.base + self.slots * PAGE_SIZE

    @property
    def last_pkmap_nr(self) -> int:
        """The slot that the round came by last (the first colour's)."""
        return self.last[0]

    @property
    def leaked(self) -> tuple[int, ...]:
        """Slots that only tasks hold which have exited: nobody will ever give them back."""
        return tuple(slot for slot, who in enumerate(self.holders) if who and self.gone.issuperset(who))

    @property
    def deadlocked(self) -> bool:
        """Whether tasks wait, and every window is held by a task that waits, or is gone."""
        asleep = {task for queue in self.waiting for task, _ in queue}
        held = {task for who in self.holders for task in who}
        return bool(asleep) and held <= asleep | self.gone

    def kmap(self, pfn: int, task: str = "current") -> int | Waits:
        """The address of a window that shows frame `pfn`; Waits, which is false, where the task must sleep."""
        self._able(task)
        self.looks = []
        va = self._enter(pfn, task)
        if va is not None:
            return va
        queue = self.waiting[self._colour(pfn)]
        queue.append((task, pfn))
        return Waits(task, pfn, len(queue) - 1)

    def kunmap(self, pfn: int, task: str = "current") -> tuple[Woken, ...]:
        """One user less. The window stays mapped until the next wrap; returns what became of tasks it woke."""
        self._able(task)
        va = self.addresses.find(pfn)
        if va is None:
            raise KernelBug(f"kunmap of frame {pfn:#x}: BUG_ON(!vaddr) in kunmap_high: no window shows that page")
        slot = self.number(va)
        if self.counts[slot] < 2:
            raise KernelBug(
                f"kunmap of frame {pfn:#x}: BUG() in kunmap_high: slot {slot} has no users: "
                "a kunmap too many; call it once for each kmap"
            )
        self.counts[slot] -= 1
        who = self.holders[slot]
        who.remove(task if task in who else who[0])
        return self._wake(self._colour(pfn)) if self.counts[slot] == 1 else ()

    def exit(self, task: str) -> tuple[int, ...]:
        """The task ends. Nobody looks for windows that it forgot: the slots that leak with it."""
        self._able(task)
        before = set(self.leaked)
        self.gone.add(task)
        return tuple(slot for slot in self.leaked if slot not in before)

    def number(self, va: int) -> int:
        """PKMAP_NR: the slot that an address lies in."""
        return (va - self.base) >> PAGE_SHIFT

    def address(self, slot: int) -> int:
        """PKMAP_ADDR: the address of a slot."""
        return self.base + (slot << PAGE_SHIFT)

    def restore(self, last: int, slots: Iterable[tuple[int, int, int]]) -> None:
        """Begin from a window as it was recorded: (slot, frame, count) of every entry."""
        self.last[0] = last
        for slot, pfn, count in slots:
            if not 0 <= slot < self.slots or count < 1:
                raise VmlabError(f"slot {slot} with count {count}: expected 0 to {self.slots - 1}, and a count above 0")
            self.counts[slot], self.frames[slot] = count, pfn
            self.holders[slot] = ["before"] * (count - 1)
            self.addresses.add(pfn, self.address(slot))

    def _able(self, task: str) -> None:
        if task in self.gone:
            raise VmlabError(f"task {task} has exited: expected a task that runs; use another name")
        if any(task == asleep for queue in self.waiting for asleep, _ in queue):
            raise VmlabError(
                f"task {task} sleeps in kmap (TASK_UNINTERRUPTIBLE) and can do nothing: another task must kunmap first"
            )

    def _colour(self, pfn: int) -> int:
        """get_pkmap_color: which part of the cache the frame's bytes go to."""
        return pfn % self.colours

    def _enter(self, pfn: int, task: str) -> int | None:
        """kmap_high: the window that the page has, or a new one; one user more."""
        va = self.addresses.find(pfn)
        if va is None:
            slot = self._free_slot(self._colour(pfn))
            if slot is None:
                return None
            va = self.address(slot)
            self.frames[slot], self.counts[slot] = pfn, 1
            self.addresses.add(pfn, va)
        self.counts[self.number(va)] += 1
        self.holders[self.number(va)].append(task)
        return va

    def _free_slot(self, colour: int) -> int | None:
        """map_new_virtual's scan: on from the last slot, with a flush at each wrap; None after a whole round."""
        count = self.slots // self.colours
        while count:
            self.last[colour] = (self.last[colour] + self.colours) % self.slots
            slot = self.last[colour] + colour
            wrapped = slot < self.colours
            freed: tuple[int, ...] = ()
            if wrapped:
                freed = self._flush_all_zero()
                count = self.slots // self.colours
            self.looks.append(Look(slot, self.counts[slot], wrapped, freed))
            if not self.counts[slot]:
                return slot
            count -= 1
        return None

    def _flush_all_zero(self) -> tuple[int, ...]:
        """flush_all_zero_pkmaps: every slot of count 1 is unmapped; one flush of the TLBs, if there was any."""
        self.wraps += 1
        freed = tuple(slot for slot, count in enumerate(self.counts) if count == 1)
        for slot in freed:
            pfn = self.frames[slot]
            assert pfn is not None
            self.addresses.remove(pfn)
            self.counts[slot], self.frames[slot] = 0, None
        if freed:
            self.flushes.append(freed)
        return freed

    def _wake(self, colour: int) -> tuple[Woken, ...]:
        """wake_up: all who wait try again; who finds no slot sleeps again, in the same order."""
        awake, self.waiting[colour] = self.waiting[colour], []
        self.looks = []
        found = [Woken(task, pfn, self._enter(pfn, task)) for task, pfn in awake]
        self.waiting[colour] = [(one.task, one.pfn) for one in found if one.va is None]
        return tuple(found)


def told(looks: Iterable[Look]) -> str:
    """A scan in words; a long run of used slots is one phrase."""
    said: list[str] = []
    passed = 0
    for look in looks:
        if look.wrapped:
            freed = f"{len(look.freed)} slots freed, TLBs flushed" if look.freed else "nothing to flush"
            said.append(f"wrap at slot {look.slot}: {freed}")
        if look.count:
            passed += 1
        else:
            said.append(
                f"slot {look.slot} is free: taken" + (f", after {passed} in use or unflushed" if passed else "")
            )
    if passed and not (said and "taken" in said[-1]):
        said.append(f"{passed} slots looked at, none free")
    return "; ".join(said)
