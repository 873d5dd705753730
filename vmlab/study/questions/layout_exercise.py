"""Lesson 09's exercise: from a struct page back to its page, two addresses of one byte, and how to find out."""

from __future__ import annotations

import functools
import random

from ...arch.space import IMAGE
from ...machine import Machine
from ...parts import Config, Region
from ...units import PAGE_SHIFT, GiB, KiB, MiB, group_hex
from ...virtual.layout import Layout, drawn, layout_of
from ...virtual.pointer_tests import verdicts
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from ..trade import Way, trade_off
from ..weigh import Scenario
from .layout_steps import IMAGE_MAP, PC_OFFSET, STRUCT_PAGE
from .tlb_steps import apart

RAM = (Region(4 * KiB, 636 * KiB), Region(MiB, 3 * GiB - MiB), Region(4 * GiB, 5 * GiB))


@functools.lru_cache(64)
def booted_with(words: tuple[int, ...]) -> Layout:
    """A 64-bit PC with 8 GiB and KASLR, which drew from these random words."""
    machine = Machine("amd64", RAM, Config(kaslr=True))
    return layout_of(machine, drawn(machine, list(words)))


def _words(rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.getrandbits(64) for _ in range(4))


# --- walk: page_to_virt ---


def _a_struct_page(rng: random.Random) -> Facts:
    layout = booted_with(_words(rng))
    pa = rng.choice((16 * MiB, 4 * GiB)) + rng.randrange(MiB, 2 * GiB, 4 * KiB)
    page = verdicts(layout, layout.phys_to_virt(pa)).page
    return {
        "layout": layout,
        "pfn": pa >> PAGE_SHIFT,
        "page": page,
        "vmemmap": layout.area("vmemmap").start,
        "base": layout.page_offset,
        "size": STRUCT_PAGE,
    }


def _page_address(layout: Layout, pfn: int, **_: object) -> int:
    return layout.phys_to_virt(pfn << PAGE_SHIFT)


def _page_steps(layout: Layout, pfn: int, page: int, vmemmap: int, base: int, size: int) -> Steps:
    return Steps.of(
        (
            Step("area", "which area holds it", group_hex(page), layout.classify(page).area.name),
            Step(
                "entry", "bytes from the array's start", f"{group_hex(page)} − {group_hex(vmemmap)}", f"{pfn * size:#x}"
            ),
            Step("frame", "entry / sizeof(struct page)", f"{pfn * size:#x} / {size}", f"{pfn:#x}"),
            Step("physical", "frame × 4096", f"{pfn:#x} << 12", group_hex(pfn << PAGE_SHIFT)),
            Step(
                "logical",
                "physical + the direct map's base",
                f"{group_hex(pfn << PAGE_SHIFT)} + {group_hex(base)}",
                group_hex(_page_address(layout, pfn)),
            ),
        )
    )


WALK = apart(
    Question(
        id="09.walk",
        ask="The way back; the step frame is open, and what follows it. A PC with KASLR: the direct map begins at "
        "{base:#x}, the vmemmap at {vmemmap:#x}; struct page has {size} bytes. A debugger shows a struct page at "
        "{page:#x}. Which logical address has the page that it describes?",
        facts=_a_struct_page,
        answer=_page_address,
        misconceptions=(
            Misconception(
                "the struct page lies in the page that it describes",
                lambda page, **_: page,
                "In which area is the array, and in which are pages of RAM?",
            ),
            Misconception(
                "the distance into the array is the physical address",
                lambda base, page, vmemmap, **_: base + page - vmemmap,
                "How many bytes of the array describe one page?",
            ),
            Misconception(
                "an entry's number is a physical address",
                lambda base, pfn, **_: base + pfn,
                "How many bytes has a frame?",
            ),
            Misconception(
                "struct pages are a page apart",
                lambda base, page, vmemmap, **_: base + (page - vmemmap >> PAGE_SHIFT << PAGE_SHIFT),
                "How large is struct page here?",
            ),
            Misconception(
                "the direct map always begins at 0xffff_8880_0000_0000",
                lambda pfn, **_: PC_OFFSET + (pfn << PAGE_SHIFT),
                "Which base did KASLR draw?",
            ),
            Misconception(
                "the physical address is wanted",
                lambda pfn, **_: pfn << PAGE_SHIFT,
                "At which address does the direct map show physical 0?",
            ),
        ),
        hints=(
            "Which entry of the array is it, and which frame has that number?",
            "frame: the distance from the array's start, divided by sizeof(struct page).",
        ),
        steps=_page_steps,
        blank="frame",
        because="the entry's number is the frame; 4,096 times that, from the direct map's base.",
        show=group_hex,
    )
)

# --- read: one byte, two addresses ---


def _an_image(rng: random.Random) -> Facts:
    layout = booted_with(_words(rng))
    return {
        "layout": layout,
        "base": layout.page_offset,
        "vmalloc": layout.area("vmalloc").start,
        "vmemmap": layout.area("vmemmap").start,
        "text": layout.area(IMAGE).mapped[0][0],
    }


def _apart_by(layout: Layout, text: int, **_: object) -> int:
    return text - layout.alias(text)


def _alias_steps(layout: Layout, base: int, text: int, **_: object) -> Steps:
    pa, alias = layout.classify(text).pa or 0, layout.alias(text)
    return Steps.of(
        (
            Step("physical", "below the third bar of the figure", group_hex(text), group_hex(pa)),
            Step("back", "physical + the direct map's base", f"{group_hex(pa)} + {group_hex(base)}", group_hex(alias)),
            Step("distance", "one less the other", f"{group_hex(text)} − {group_hex(alias)}", group_hex(text - alias)),
        )
    )


READ = apart(
    Question(
        id="09.read",
        ask="On a PC with 8 GiB KASLR drew {base:#x} for the direct map, {vmalloc:#x} for vmalloc, {vmemmap:#x} for "
        "the vmemmap, and {text:#x} for the kernel image: there is _text, its first function, which the figure shows. "
        "Each byte of the image has a second address. How far below the first one is it?",
        facts=_an_image,
        answer=_apart_by,
        misconceptions=(
            Misconception(
                "a byte of RAM has one address", lambda **_: 0, "Which two areas map the frames of the image?"
            ),
            Misconception(
                "the second address is itself the distance",
                lambda layout, text, **_: layout.alias(text),
                "How many bytes lie between the two addresses?",
            ),
            Misconception(
                "the image begins at physical 0",
                lambda base, text, **_: text - base,
                "Which physical address does the figure show below the third bar?",
            ),
            Misconception(
                "the second address is the physical one",
                lambda layout, text, **_: text - (layout.classify(text).pa or 0),
                "Can a load instruction use a physical address while paging is on?",
            ),
            Misconception(
                "KASLR moves the direct map and the image by the same distance",
                lambda **_: IMAGE_MAP - PC_OFFSET,
                "How many bases are drawn?",
            ),
            Misconception(
                "KASLR leaves the image where it was linked to",
                lambda base, **_: IMAGE_MAP - base,
                "At which address is _text without KASLR?",
            ),
        ),
        hints=(
            "Where in RAM is that byte, and which address does the direct map have for it?",
            "back: the direct map's base, and to it the physical address that stands below the third bar.",
        ),
        steps=_alias_steps,
        because="down to the physical address with one offset, up again with the other: both are constant.",
        show=group_hex,
    )
)

# --- way: a trade-off ---

WAY = trade_off(
    "09.way",
    "A debugging module gets a kernel pointer and has to say whether memory is behind it. Which way is left if these "
    "three matter?",
    {
        "boots": "it is right after the next boot too, wherever KASLR puts things",
        "holes": "it says no for a hole between two banks of RAM",
        "fast": "it takes a few instructions, as it is asked a million times a second",
        "quiet": "it never reads through the pointer: behind some are a device's registers",
    },
    {
        "ranges": Way("compare with the ranges measured at this boot", "boots", "the next boot draws others"),
        "valid": Way("virt_addr_valid", "holes", "a hole's frames may have struct pages, and then it says yes"),
        "walk": Way("walk the kernel's page tables", "fast", "four or five dependent loads, and entries to decode"),
        "try": Way("copy_from_kernel_nofault: try it, and see", "quiet", "it reads what is there"),
    },
)

OWN_OOPS = Scenario(
    id="09.own-oops",
    ask="A user sends you one line of a log, from a kernel that you do not know: 'BUG: unable to handle page fault for "
    "address: ffffea0003a1c048'. What do you say about the address, what do you ask for, and what do you give up by "
    "answering now?",
    ways=(
        (
            "say at once: a struct page, at that distance into the vmemmap",
            "an answer today; right for 4-level x86-64 booted with nokaslr",
            "with KASLR the same number may be in any area, or in none",
        ),
        (
            "ask for the whole oops",
            "registers, the code that faulted, often the page-table entries",
            "one more mail; the bases stay unknown",
        ),
        (
            "ask for a crash dump: VMCOREINFO has the bases",
            "what was mapped, and where KASLR put it",
            "memory to reserve at boot, and everything that was in RAM leaves the machine",
        ),
        (
            "ask for a boot with nokaslr",
            "addresses that mean what the document says",
            "the bug may not come back, and the machine is easier to attack",
        ),
    ),
)
