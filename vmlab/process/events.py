"""What is told when an entry of a page table changes, and how a fault's steps are kept.

Every change of (mm, va) → frame goes through `Memory.changed`, which calls each function in `Memory.on_change` with
one `Change`, after the entry has been written. `old` and `new` are a frame number, a SwapEntry, or None:

    what        old → new           cause, for example
    map         None → frame        do_anonymous_page, do_read_fault, do_cow_fault, do_shared_fault
    fork        None → frame/entry  copy_present_pte, copy_nonpresent_pte (the child's entry)
    copy        frame → frame       wp_page_copy (copy-on-write, also from the zero page), madvise
    reuse       frame → same frame  wp_page_reuse: writable from now on
    protect     frame → same frame  mprotect, copy_present_pte (the parent's entry becomes read-only), page_mkclean
    share       entry → same entry  copy_nonpresent_pte (the parent's entry is no longer exclusive)
    swap out    frame → SwapEntry   try_to_unmap_one
    drop        frame → None        try_to_unmap_one of a file's page, or of one that MADV_FREE gave up
    swap in     SwapEntry → frame   do_swap_page, unuse_pte
    migrate     frame → frame       migrate_pages: same bytes, another frame
    unmap       frame/entry → None  munmap, exit_mmap, madvise(MADV_DONTNEED), truncate
    move        frame/entry → None  move_ptes: mremap took it away from here ...
    move        None → frame/entry  ... and put it there
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..units import group_hex
from .swap_entry import SwapEntry

if TYPE_CHECKING:
    from .mm import MmStruct

Place = int | SwapEntry | None  # a frame number, a slot, or nothing


def place_words(place: Place) -> str:
    """A place as text."""
    if place is None:
        return "nothing"
    return f"frame {place:#x}" if isinstance(place, int) else f"slot {place.offset} of area {place.type}"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry changed: `va` of `mm` was at `old` and is at `new`."""

    what: str
    mm: MmStruct
    va: int
    old: Place
    new: Place
    cause: str

    @property
    def moved(self) -> bool:
        """Whether a remembered frame number is wrong now."""
        return self.old != self.new

    def tell(self) -> str:
        """One line."""
        return (
            f"{self.mm.name} {group_hex(self.va)}: {place_words(self.old)} → {place_words(self.new)} "
            f"({self.what}, {self.cause})"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the kernel's path: the function, and what it found or did."""

    function: str
    what: str


@dataclass(slots=True)
class Fault:
    """How a fault ended: `result` is minor, major, SIGSEGV, SIGBUS or OOM. False unless it was served."""

    va: int
    access: str
    result: str = ""
    why: str = ""
    steps: list[Step] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.result in ("minor", "major")

    def step(self, function: str, what: str) -> None:
        """Keep one step."""
        self.steps.append(Step(function, what))

    def end(self, result: str, why: str) -> Fault:
        """Say how it ended."""
        self.result, self.why = result, why
        return self

    @property
    def code(self) -> str:
        """si_code of the signal: an address that nothing maps, or one where this access is not allowed."""
        if self.result == "SIGSEGV":
            return "SEGV_MAPERR" if self.why.startswith("no area") else "SEGV_ACCERR"
        return "BUS_ADRERR" if self.result == "SIGBUS" else ""

    def tell(self) -> str:
        """The path, one step a line, and the end."""
        lines = [f"{self.access} at {group_hex(self.va)}: page fault"]
        lines += [f"  {step.function}: {step.what}" for step in self.steps]
        end = f"{self.result} fault" if self else f"{self.result} {self.code}".strip()
        return "\n".join([*lines, f"  → {end}: {self.why}"])
