"""Questions of lesson 01: one address in two processes, on page tables that a real kernel had built.

Every right answer is asked of the recorded tables, or of the model's CPU. The beliefs are those of the question that
the lesson starts from, and what people conclude once they have heard half of the answer.
"""

from __future__ import annotations

from collections.abc import Callable

from ...units import group_hex
from ..question import Facts, Misconception, Question, always
from .same_address_facts import ASKED, FAMILY, SHARED, WRITTEN, fixed, mapped_pages, pa, written_by_a_switch


def place_word(first: int | None, second: int | None, va: int) -> str:
    """How two physical addresses of one virtual address lie to each other, in a word."""
    if second == first:
        return "same"
    if second == va:
        return "identity"
    return "other" if (second or 0) % 4096 == (first or 0) % 4096 else "anywhere"


def _places(va: int, first: int | None, second: int | None) -> dict[str, str]:
    return {
        "same": f"at the same place, physical {group_hex(first or 0)}: equal addresses are equal memory",
        "identity": f"at physical {group_hex(va)}: an address says where its byte is",
        "other": f"in another frame, at the same offset {va & 4095:#x} in it",
        "anywhere": "in another frame, at another offset",
    }


def _at(va: int) -> Callable[[], Facts]:
    return lambda: {"va": va, "first": pa("p0", va), "second": pa("p1", va)}


WHERE = Question(
    id="01.where",
    ask="A PC was recorded while three copies of one program ran: p0, p1 and p2. Each wrote a text of its own to page "
    "0xf11. In p0 the byte at {va:#x} was found at physical {first:#x}. Where is the byte at {va:#x} in p1?",
    facts=fixed(_at(ASKED)),
    choices=_places,
    answer=lambda va, first, second: place_word(first, second, va),
    misconceptions=(
        Misconception(
            "the MMU keeps one set of registers, page number to frame, for all processes",
            always("same"),
            "Both wrote to that address. What would p0 read after p1 wrote?",
        ),
        Misconception(
            "a virtual address is the physical one",
            always("identity"),
            "Is p0's own byte at the physical address that equals its virtual one?",
        ),
        Misconception(
            "translation changes every bit of an address",
            always("anywhere"),
            "Which of the two parts, page number or offset, is looked up?",
        ),
    ),
    because="page 0xf11 of p1 lies in another frame. Only the page number is translated, never the offset.",
)

REGISTERS = Question(
    id="01.registers",
    ask="When the kernel switched from p0 to p1, every address below {kernel:#x} got another meaning. p1 had {pages:,} "
    "pages mapped there. How many of the MMU's registers did the kernel write for that on this i386 PC?",
    facts=fixed(lambda: {"kernel": 0xC000_0000, "pages": mapped_pages("p1"), "written": written_by_a_switch()}),
    answer=lambda kernel, pages, written: written,
    misconceptions=(
        Misconception(
            "the MMU keeps each page's frame in a register",
            lambda kernel, pages, written: pages,
            "Where would that many registers be, and what if a process maps a million pages?",
        ),
        Misconception(
            "the whole address space is loaded, mapped or not",
            lambda kernel, pages, written: kernel >> 12,
            "How long would a switch take then?",
        ),
        Misconception("nothing changes at a switch", always(0), "How does the CPU know whose tables to read?"),
    ),
    because="CR3 holds the address of the top table; all else lies in RAM and is found from there "
    "(Linux 6.1, arch/x86/mm/tlb.c:switch_mm_irqs_off).",
)

MAP_SHARED = Question(
    id="01.map-shared",
    ask="Now page {va:#x}, which the parent of p0 and p1 had mapped with MAP_SHARED before it forked them. In p0 it is "
    "at physical {first:#x}. Where is it in p1?",
    facts=fixed(_at(SHARED)),
    choices=lambda va, first, second: {
        "other": "in another frame: other process, other tables, so other memory",
        "same": "in the same frame",
        "identity": f"at physical {va:#x}",
        "nowhere": "nowhere: one frame can be in one process's tables only",
    },
    answer=lambda va, first, second: "nowhere" if second is None else place_word(first, second, va),
    misconceptions=(
        Misconception(
            "different tables always name different frames",
            always("other"),
            "What keeps two entries, in two tables, from holding the same number?",
        ),
        Misconception("a virtual address is the physical one", always("identity"), "Where was page 0xf11 of p0?"),
        Misconception(
            "a frame belongs to one table",
            always("nowhere"),
            "What in an entry would say that another table names the frame too?",
        ),
    ),
    because="both entries name the same frame. Tables decide: equal addresses are neither bound to one frame "
    "nor kept from it.",
)

COPIES = Question(
    id="01.copies",
    ask="Page {va:#x} is private. init wrote it, then forked p0, p1 and p2. Since then p1 has written to it once more, "
    "the others have only read. In how many different frames is this page of the four processes?",
    facts=fixed(lambda: {"va": WRITTEN, "frames": tuple(pa(name, WRITTEN) for name in FAMILY)}),
    answer=lambda va, frames: len(set(frames)),
    misconceptions=(
        Misconception(
            "fork copies all pages",
            lambda va, frames: len(frames),
            "What would fork cost for a process of 1 GiB that calls exec next?",
        ),
        Misconception(
            "a page that is shared after fork stays shared",
            always(1),
            "The page is private. What must the others not see?",
        ),
        Misconception(
            "writer and owner each get a copy of their own",
            lambda va, frames: len(set(frames)) + 1,
            "Why should the frame of those who did not write change?",
        ),
    ),
    because="fork copies tables, not pages; only the writer gets a copy, when it writes "
    "(Linux 6.1, mm/memory.c:do_wp_page).",
)
