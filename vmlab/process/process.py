"""A process as a lesson handles it: memory is mapped, written, read; faults happen by themselves and are kept.

    p = k.spawn("a")
    p.mmap(0x40_0000, pages=16)
    p.write(0x40_0000, b"hello")            # Done, with the faults that it took
    q = p.fork()
    q.read(0x40_0000, 5)                    # b"hello", from the same frame

An access that may not be is a Signal, which is false, and never an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..units import PAGE_SIZE, VmlabError, group_hex
from ..virtual.context import Task
from . import advise
from .events import Fault
from .fault import handle_mm_fault, touch
from .file import File
from .fork import dup_mm
from .memory import Memory
from .mm import MmStruct
from .page import PageFrame
from .pte import NoFrames, ProcessTable
from .vma import Vma

MOST_FAULTS = 4  # of one access to one page: map it, make it young, copy it; more would be a fault of the model


@dataclass(frozen=True, slots=True)
class Done:
    """An access that succeeded, and the faults that it took."""

    faults: tuple[Fault, ...] = ()

    def __bool__(self) -> bool:
        return True

    def tell(self) -> str:
        """All paths, one after the other."""
        return "\n".join(fault.tell() for fault in self.faults) or "no fault: the table had it"


@dataclass(frozen=True, slots=True)
class Signal:
    """An access that did not succeed: SIGSEGV, SIGBUS or OOM. False in a condition. Bytes before it were reached."""

    name: str
    va: int
    fault: Fault
    reached: int = 0  # bytes of the access that had been done

    def __bool__(self) -> bool:
        return False

    @property
    def code(self) -> str:
        """si_code: SEGV_MAPERR, SEGV_ACCERR or BUS_ADRERR."""
        return self.fault.code

    def tell(self) -> str:
        """The path that led to it."""
        return self.fault.tell()


class Process(Task):
    """A thread and its address space. Threads of one process share the mm: `thread` makes another."""

    __slots__ = ("children", "faults", "memory", "pid", "space")

    def __init__(self, memory: Memory, name: str, space: MmStruct | None = None) -> None:
        space = MmStruct(memory, name) if space is None else space
        super().__init__(name, space)
        for key, value in (("memory", memory), ("space", space), ("pid", memory.next_pid), ("faults", [])):
            object.__setattr__(self, key, value)
        memory.next_pid += 1
        space.users += 1

    memory: Memory
    space: MmStruct
    pid: int
    faults: list[Fault]  # of everything it did, oldest first

    def __repr__(self) -> str:
        return f"<process {self.pid} {self.name}>"

    @property
    def page_table(self) -> ProcessTable:
        """The table that the CPU walks while this process runs."""
        return self._alive().table

    @property
    def vmas(self) -> list[Vma]:
        """Its areas, lowest first (/proc/PID/maps)."""
        return list(self.space.vmas)

    def _alive(self) -> MmStruct:
        if not self.space.alive:
            raise VmlabError(f"process {self.pid} ({self.name}) has ended: it has no memory any more (ESRCH)")
        return self.space

    # --- system calls ---

    def mmap(
        self, va: int, pages: int, prot: str = "rw", file: File | None = None, pgoff: int = 0, shared: bool = False
    ) -> Vma:
        """A new area at exactly `va` (MAP_FIXED_NOREPLACE). See MmStruct.mmap."""
        return self._alive().mmap(va, pages, prot, file, pgoff, shared)

    def munmap(self, va: int, length: int) -> int:
        """Take areas away; how many pages were given up."""
        return self._alive().munmap(va, length)

    def mprotect(self, va: int, length: int, prot: str) -> int:
        """Change rights; how many entries changed."""
        return self._alive().mprotect(va, length, prot)

    def mremap(self, va: int, length: int, to: int) -> Vma | Fault:
        """Move pages to other addresses; a Fault (OOM), which is false, if there is no frame for a table."""
        try:
            return self._alive().mremap(va, length, to)
        except NoFrames as none:
            return Fault(va, "mremap").end("OOM", str(none))

    def madvise(self, va: int, length: int, advice: str) -> Any:
        """DONTNEED, PAGEOUT, COLD or FREE; what became of each page."""
        return advise.madvise(self._alive(), va, length, advice)

    def mlock(self, va: int, length: int) -> list[Any]:
        """Keep a range in RAM; faults that did not succeed (empty: all is there)."""
        return advise.mlock(self._alive(), va, length)

    def munlock(self, va: int, length: int) -> None:
        """The opposite."""
        advise.munlock(self._alive(), va, length)

    def fork(self, name: str = "") -> Process | Fault:
        """A child with the same memory; a Fault (OOM), which is false, if there are no frames for its tables."""
        try:
            space = dup_mm(self._alive(), name or f"{self.name}'s child")
        except NoFrames as none:
            return Fault(0, "fork").end("OOM", str(none))
        return Process(self.memory, space.name, space)

    def thread(self, name: str = "") -> Process:
        """Another thread: the same mm, so the same table."""
        return Process(self.memory, name or f"{self.name}'s thread", self._alive())

    def exit(self) -> None:
        """The last thread's end gives every frame and every table back."""
        space = self._alive()
        space.users -= 1
        if not space.users:
            space.exit()

    def pin(self, va: int) -> PageFrame | Signal:
        """Hold the page for a device (FOLL_PIN | FOLL_LONGTERM): it neither moves nor goes until `unpin`."""
        self._alive()
        pfn = self._reach(self.space.page_of(va), "write")
        if isinstance(pfn, Fault):
            return Signal(pfn.result, va, pfn)
        page = self.memory.page(pfn)
        page.pins += 1
        return page

    def unpin(self, page: PageFrame) -> None:
        """Let it go."""
        if not page.pins:
            raise VmlabError(f"frame {page.pfn:#x} is not pinned")
        page.pins -= 1
        self.memory.put(page)

    # --- the CPU's accesses ---

    def write(self, va: int, data: bytes) -> Done | Signal:
        """Store bytes, with whatever faults that takes."""
        taken = len(self.faults)
        done = 0
        for at, size in self._pieces(va, len(data)):
            pfn = self._reach(at, "write")
            if isinstance(pfn, Fault):
                return Signal(pfn.result, at, pfn, done)
            page, offset = self.memory.page(pfn), at % PAGE_SIZE
            page.data[offset : offset + size] = data[done : done + size]
            done += size
        return Done(tuple(self.faults[taken:]))

    def read(self, va: int, size: int) -> bytes | Signal:
        """Load bytes."""
        return self._load(va, size, "read")

    def fetch(self, va: int, size: int = 1) -> bytes | Signal:
        """Run instructions: the area must allow it."""
        return self._load(va, size, "fetch")

    def _load(self, va: int, size: int, access: str) -> bytes | Signal:
        found = bytearray()
        for at, count in self._pieces(va, size):
            pfn = self._reach(at, access)
            if isinstance(pfn, Fault):
                return Signal(pfn.result, at, pfn, len(found))
            page = self.memory.frames.get(pfn)
            found += bytes(count) if page is None else page.data[at % PAGE_SIZE : at % PAGE_SIZE + count]
        return bytes(found)

    def _pieces(self, va: int, size: int) -> Iterator[tuple[int, int]]:
        """(address, bytes) page by page."""
        space = self._alive()
        space.page_of(va)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise VmlabError(f"size: expected a number of bytes, got {size!r}")
        end = va + size
        while va < end:
            step = min(end, (va // PAGE_SIZE + 1) * PAGE_SIZE) - va
            yield va, step
            va += step

    def _reach(self, va: int, access: str) -> int | Fault:
        """Walk as the CPU does until the access is allowed: its frame, or the fault that could not be served."""
        space = self.space
        for _ in range(MOST_FAULTS):
            if va >= space.top:
                return Fault(va, access).end("SIGSEGV", "no area is mapped there: a kernel address")
            if space.table.allows(va, access):
                page = space.page_of(va)
                pte = space.table.pte(page)
                touch(space, page, pte, access == "write")
                if self.memory.cpu is not None and self.memory.cpu.loaded_mm is space and self.memory.cpu.tlb:
                    self.memory.cpu.access(va)
                return pte.pfn or 0
            fault = handle_mm_fault(space, va, access)
            self.faults.append(fault)
            if not fault:
                return fault
        raise VmlabError(f"{group_hex(va)}: {access} still faults after {MOST_FAULTS} faults: report this as a bug")
