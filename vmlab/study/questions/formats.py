"""Questions of lesson 02: how formats cut an address, what tables cost, and what an entry of 0 means.

Every right answer is asked of page tables: of recorded kernels where there is a record, else of tables made here.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

from ...arch.formats import page_format
from ...record import load_machine
from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, VmlabError, group_hex
from ..question import Facts, Misconception, Question, always

if TYPE_CHECKING:
    from ...virtual.address_space import AddressSpace, Walk

THREE_PAGES = (0x40_0000, 0xF1_1000, 0xBFFF_F000)
I386, PAE_MACHINE, ARM = "i386-pc-686-1g", "i386-pc-686pae-4g", "arm-virt-armmp-1g"
OLD_VA = 0xBEBC_D000  # a page of p0's stack in the record `arm-virt-armmp-1g`, not touched since fork


@functools.cache
def process(machine: str, name: str = "p0") -> AddressSpace:
    """A recorded process's address space."""
    recorded = load_machine(machine).recorded
    if recorded is None:
        raise VmlabError(f"{machine}: nothing was recorded on it")
    return recorded.address_space(name)


def table_bytes(name: str, vas: tuple[int, ...]) -> int:
    """Bytes of all tables that map one smallest page at each address, built and counted."""
    from ...virtual.page_table import PageTable

    made = PageTable(name)
    for number, va in enumerate(vas):
        made.map(va, (number + 1) << made.format.page_shift)
    return made.tables_bytes


def wrong_pae(va: int) -> tuple[int, int]:
    """The indices of a walk that takes PAE for two levels of nine bits, counted from bit 31."""
    return va >> 23 & 511, va >> 14 & 511


def wrong_pae_walk(space: AddressSpace, va: int) -> list[tuple[str, int, int | None]]:
    """That walk done on real tables: (what it takes the table for, index, entry), until an entry is not present."""
    table, trail = space.root_pa & -PAGE_SIZE, []
    for name, index in zip(("PD", "PT"), wrong_pae(va), strict=True):
        entry = space.frames.read(table + index * 8)
        trail.append((name, index, entry))
        if not entry or not entry & 1:
            break
        table = page_format("x86-pae").levels[-1].leaves[0].pa.of(entry)
    return trail


def tell_both(va: int) -> str:
    """The right walk and the wrong one of an address of the recorded PAE machine, in words."""
    space = process(PAE_MACHINE)
    lines = [space.walk(va).explain(), "", "Two levels of nine bits from bit 31, on the same memory:"]
    for name, index, entry in wrong_pae_walk(space, va):
        held = "no known memory" if entry is None else group_hex(entry)
        found = f"present, frame {entry >> PAGE_SHIFT & 0xFFFFFF:#x}" if entry and entry & 1 else "not present"
        lines.append(f"{name}: entry {index} holds {held} ({found})")
    return "\n".join(lines)


@functools.cache
def _large_pages() -> Facts:
    from ...virtual.census import census

    recorded = load_machine(I386).recorded
    assert recorded is not None
    found = census(recorded.kernel_space())
    mapped = found.mapped[4 * MiB]
    return {"mapped": mapped, "mib": mapped // MiB, "large": mapped // (4 * MiB), "have": found.tables_bytes}


def _saved(mapped: int, **_: Any) -> int:
    from ...virtual.census import tables_bytes

    return tables_bytes(page_format("x86-32"), mapped, 4 * MiB)


ONE_ARRAY = Question(
    id="02.one-array",
    ask="A 32-bit process on i386 uses three pages: {where}. An entry takes 4 bytes. How many bytes of tables does "
    "this process need?",
    facts=lambda rng: {"vas": THREE_PAGES, "where": ", ".join(map(group_hex, THREE_PAGES))},
    answer=lambda vas, where: table_bytes("x86-32", vas),
    misconceptions=(
        Misconception(
            "one page table is one array of all pages",
            lambda vas, where: (1 << 32 - PAGE_SHIFT) * 4,
            "Which of that array's entries would ever be read?",
        ),
        Misconception(
            "a table has an entry for each page that is used, and no others",
            lambda vas, where: len(vas) * 4,
            "How would the CPU find the entry of an address without searching?",
        ),
        Misconception("one table is enough for a process", lambda vas, where: PAGE_SIZE, "What does an index count?"),
        Misconception(
            "two levels are two tables",
            lambda vas, where: 2 * PAGE_SIZE,
            "How many bytes of addresses can one table of the lower level reach?",
        ),
    ),
    because="one root, and a lower table of 1,024 entries for each 4 MiB in which at least one page is used.",
)


def _pae_address(rng: random.Random) -> Facts:
    while True:
        va = 0xC000_0000 | rng.randrange(1 << 30)
        if va >> 21 & 511 != wrong_pae(va)[0]:
            return {"va": va, "shown": group_hex(va)}


PAE_INDEX = Question(
    id="02.pae-index",
    ask="PAE, address {shown}. Which entry of the middle table (pmd) does the CPU read?",
    facts=_pae_address,
    answer=lambda va, shown: page_format("x86-pae").levels[1].index_of(va),
    misconceptions=(
        Misconception(
            "512 entries a table make two levels of nine bits, from bit 31 down",
            lambda va, shown: wrong_pae(va)[0],
            "Which bits would be left for the offset then, and how large a page would that be?",
        ),
        Misconception("PAE cuts as plain i386 does", lambda va, shown: va >> 22, "How many 8-byte entries has a page?"),
        Misconception(
            "the bits above an index belong to it",
            lambda va, shown: va >> 21,
            "How many entries has the table that you index?",
        ),
    ),
    because="bits 31..30 choose one of 4 entries of the root, bits 29..21 one of 512 in the middle table: 2+9+9+12.",
)

SAVED = Question(
    id="02.saved",
    ask="The recorded i386 kernel maps {mib} MiB with pages of 4 MiB. How many bytes of tables would it need in "
    "addition if it mapped the same with pages of 4 KiB?",
    facts=lambda rng: _large_pages(),
    answer=_saved,
    misconceptions=(
        Misconception(
            "an entry costs the same, whatever it maps",
            always(0),
            "An entry for 4 MiB stands in the root. Where do entries for 4 KiB stand?",
        ),
        Misconception(
            "the saving is the large entries themselves",
            lambda mapped, **_: mapped // (4 * MiB) * 4,
            "How many entries of 4 KiB replace one of them?",
        ),
        Misconception(
            "one more table holds them all",
            always(PAGE_SIZE),
            "How much can 1,024 entries of 4 KiB map?",
        ),
    ),
    because="{mib} MiB are {large} entries of 4 MiB, and in place of each a table of 1,024 entries, 4,096 bytes, would "
    "be needed. The tables that it has take {have:,} bytes.",
)


def old_walk() -> Walk:
    """The recorded page whose hardware entry is 0 while Linux's own is not."""
    return process(ARM).walk(OLD_VA)


def _fate(pagemap: tuple[bool, bool, int | None]) -> str:
    present, swapped, pfn = pagemap
    return "swapped" if swapped else "there" if present and pfn else "gone"


def _old_page(**_: Any) -> str:
    from ...virtual.linux_entry import pagemap_entry

    return _fate(pagemap_entry(old_walk()))


OLD_PAGE = Question(
    id="02.old-page",
    ask="A recorded 32-bit ARM process, and a page of its stack at {shown}. The entry that the hardware reads "
    "for it is {entry:#x}: all bits 0. Where are the bytes of this page?",
    facts=lambda rng: {"shown": group_hex(OLD_VA), "entry": old_walk().steps[-1].entry},
    choices=lambda shown, entry: {
        "gone": "nowhere: the page was given back, and reading it kills the process",
        "swapped": "in swap: the entry was cleared when the page went there",
        "there": "in RAM, in a frame that Linux knows, although the CPU finds nothing",
        "never": "they never existed: the page was not touched yet",
    },
    answer=_old_page,
    misconceptions=(
        Misconception("an entry that is not present means the page is lost", always("gone"), "Who else keeps books?"),
        Misconception(
            "not present means swapped out",
            always("swapped"),
            "A swap entry says where in swap. Could it be 0?",
        ),
        Misconception(
            "an entry of 0 means that nothing was ever there",
            always("never"),
            "Who wrote this 0, the CPU or Linux, and what else did it write?",
        ),
    ),
    because="this CPU has no accessed bit. Linux keeps an entry of its own 2,048 bytes below and clears the hardware's "
    "to learn of the next touch by a fault (Linux 6.1, arch/arm/mm/proc-v7-2level.S).",
)
