"""The explorers of lesson 08: kmap's window, filled and emptied by tasks, and kmap_local's slots by kernel version."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from ..kernel import Kernel, boot
from ..record import load_machine
from ..units import VmlabError, group_hex
from ..views.highmem import kmap_slots, kmap_window
from ..virtual.highmem import HighMem
from ..virtual.kmap_local import KM_TYPES, RULES, KmapLocal, Rule
from ..virtual.pkmap import Pkmap, Waits, Woken, told
from .actions import Actions, check_letters
from .controls import Choice, Control
from .explorer import Explorer, Scene

TOY_SLOTS, READS = 8, 100
MACHINES = {
    "a toy: the ARM board with 8 slots": ("arm-virt-armmp-1g", TOY_SLOTS),
    "ARM board, 1 GiB: 512 slots": ("arm-virt-armmp-1g", 0),
    "PC, 1 GiB: 1,024 slots": ("i386-pc-686-1g", 0),
    "PC with PAE, 4 GiB: 512 slots": ("i386-pc-686pae-4g", 0),
}
WINDOW_ACTIONS = {
    "a": "A: kmap a new page",
    "b": "B: kmap a new page",
    "s": "B: kmap the newest page too",
    "o": "kunmap the oldest",
    "n": "kunmap the newest",
    "r": f"Read {READS} pages",
    "f": "C: kmap until it waits",
    "x": "A exits and forgets its windows",
}
LOCAL_ACTIONS = {
    "m": "Map a page",
    "u": "Unmap the last",
    "w": "Unmap the first",
    "c": "Switch to the other task",
}
WINDOW_CONTROLS: tuple[Control, ...] = (
    Choice("machine", "Machine", MACHINES, ("arm-virt-armmp-1g", TOY_SLOTS)),
    Actions("done", "Done so far", WINDOW_ACTIONS, "aab"),
)
LOCAL_CONTROLS: tuple[Control, ...] = (
    Choice("rule", "Kernel version", {f"{r.since}: {r.call}": r for r in RULES.values()}, RULES["5.11"]),
    Actions("done", "Done so far", LOCAL_ACTIONS, "mm"),
)
NOTHING = "Nothing was done yet. Press a button, or type its letter."


def window_explorer() -> Explorer:
    """Tasks map and unmap HighMem pages: slots, counts, the scan, and who waits."""
    return Explorer(draw_window, WINDOW_CONTROLS)


@functools.cache
def _booted(name: str) -> Kernel:
    return boot(load_machine(name))


@dataclass
class History:
    """What the tasks hold, in the order in which they mapped it, and what was said last."""

    windows: HighMem
    pool: Pkmap
    next_pfn: int
    live: list[tuple[str, int]] = field(default_factory=list)
    pointer: tuple[int, int] | None = None  # the first address that was handed out, and the frame it was for
    said: str = NOTHING

    @classmethod
    def on(cls, name: str, slots: int) -> History:
        """Fresh windows of a booted machine; with `slots`, a pool of that many."""
        kernel = _booted(name)
        windows = HighMem(kernel.zones, kernel.layout, kernel.mem_map, kernel.machine.cpus)
        assert windows.pkmap is not None
        if slots:
            windows.pkmap = Pkmap(windows.pkmap.base, slots, kernel.mem_map.pfn_to_page)
        return cls(windows, windows.pkmap, kernel.zones["HighMem"].start_pfn)

    def act(self, letter: str) -> None:
        """Do one action, by its letter."""
        doing: dict[str, Callable[[], object]] = {
            "a": lambda: self.map("A"),
            "b": lambda: self.map("B"),
            "s": self.share,
            "o": lambda: self.unmap(0),
            "n": lambda: self.unmap(-1),
            "r": self.read,
            "f": self.fill,
            "x": self.leave,
        }
        doing[letter]()

    def map(self, task: str, pfn: int | None = None) -> bool:
        """One kmap; says what the scan came by. False where the task sleeps now."""
        new = pfn is None
        wanted = self.next_pfn if pfn is None else pfn
        got = self.windows.kmap(wanted, task)
        self.next_pfn += new
        if isinstance(got, Waits):
            dead = " All who hold a window wait: a deadlock." if self.pool.deadlocked else ""
            self.said = f"{got.tell()}. The scan: {told(self.pool.looks)}.{dead}"
            return False
        self.live.append((task, wanted))
        self.pointer = self.pointer or (got, wanted)
        how = f"The scan: {told(self.pool.looks)}." if self.pool.looks else "The page has a window: one user more."
        self.said = f"{task} sees frame {wanted:#x} at {group_hex(got)}, slot {self.pool.number(got)}. {how}"
        return True

    def share(self) -> None:
        """B maps the newest page, which has a window already."""
        self.map("B", self._held()[-1][1])

    def _held(self) -> list[tuple[str, int]]:
        held = [one for one in self.live if one[0] not in self.pool.gone]
        if not held:
            raise VmlabError("No task holds a window: kmap a page first")
        return held

    def unmap(self, which: int) -> None:
        """Give the oldest or the newest window back: its task does, or D where that one sleeps."""
        task, pfn = self._held()[which]
        asleep = {name for queue in self.pool.waiting for name, _ in queue}
        by = "D" if task in asleep else task
        woken = self.windows.kunmap(pfn, by)
        self.live.remove((task, pfn))
        self.live += [(one.task, one.pfn) for one in woken if one.va is not None]
        slot = next((n for n, frame in enumerate(self.pool.frames) if frame == pfn), None)
        left = "" if slot is None else f" Slot {slot} has count {self.pool.counts[slot]} now."
        self.said = f"{by} called kunmap for frame {pfn:#x} of {task}.{left}{_woken(woken, self.pool)}"

    def read(self) -> None:
        """kmap and kunmap one page after the other."""
        before = len(self.pool.flushes)
        for _ in range(READS):
            if isinstance(self.windows.kmap(self.next_pfn, "D"), Waits):
                self.said = "D sleeps: it found no free slot for the page that it wanted to read."
                return
            self.windows.kunmap(self.next_pfn, "D")
            self.next_pfn += 1
        self.said = f"D read {READS} pages; TLB flushes on the way: {len(self.pool.flushes) - before}."

    def fill(self) -> None:
        """C maps page after page."""
        while self.map("C"):
            pass

    def leave(self) -> None:
        """A ends without a kunmap."""
        lost = self.pool.exit("A")
        self.said = f"A has exited. Nobody will give its windows back: slots lost until the next boot: {len(lost)}."

    def kept(self) -> str:
        """What the first pointer that was ever handed out shows now."""
        if self.pointer is None:
            return "No pointer was handed out yet."
        va, pfn = self.pointer
        seen = self.windows.check(va, pfn)
        fate = "it may be used" if seen.ok else "it must not be used"
        return f"The first pointer, {group_hex(va)}, made for frame {pfn:#x}: {fate}: {seen.why}."


def _woken(woken: tuple[Woken, ...], pool: Pkmap) -> str:
    said = [
        f" {one.task} woke and got slot {pool.number(one.va)}."
        if one.va is not None
        else f" {one.task} woke, found no slot, and sleeps again."
        for one in woken
    ]
    return "".join(said)


def draw_window(machine: tuple[str, int], done: str) -> Scene:
    """Do it all again on fresh windows, and draw them."""
    check_letters(done, WINDOW_ACTIONS)
    history = History.on(*machine)
    for letter in done:
        history.act(letter)
    title = f"kmap's window after {len(done)} actions"
    return Scene(kmap_window(history.pool, title), (history.said, history.kept()))


def local_explorer() -> Explorer:
    """Two tasks on one CPU map pages with kmap_local, or with kmap_atomic as older kernels did."""
    return Explorer(draw_local, LOCAL_CONTROLS)


def draw_local(rule: Rule, done: str) -> Scene:
    """Do it all again on a fresh CPU."""
    check_letters(done, LOCAL_ACTIONS)
    at = _booted("arm-virt-armmp-1g").layout.constants
    local, said, pfn = KmapLocal(at["fixaddr_top"], at["fix_kmap_begin"], 1, rule), NOTHING, 0x70000
    local.running[0] = "P"
    for letter in done:
        said = _local_step(local, letter, pfn)
        pfn += letter == "m"
    return Scene(kmap_slots(local, f"One CPU after {len(done)} actions"), (said,))


def _local_step(local: KmapLocal, letter: str, pfn: int) -> str:
    task, held = local.running[0], local.windows()
    if letter == "m":
        kind = KM_TYPES[(3 + len(held)) % len(KM_TYPES)] if local.rule.typed else ""
        va = local.map(pfn, 0, kind)
        return f"{task} sees frame {pfn:#x} at {group_hex(va)}{f', the slot of {kind}' if kind else ''}."
    if letter == "c":
        other = "Q" if task == "P" else "P"
        out, back = local.switch(other)
        return f"The CPU runs {other} now. Entries of {task} taken out: {out}; of {other} put back: {back}."
    if not held:
        raise VmlabError(f"{task} has no window: map a page first")
    va, shown = held[-1 if letter == "u" else 0]
    local.unmap(va)
    return f"{task} gave {group_hex(va)} back, which showed frame {shown:#x}: the entry is cleared at once."
