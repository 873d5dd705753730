"""Questions of lesson 09: is an address in the direct map, where does it lead, and what proves it?

Every right answer is asked of a layout, of a recorded kernel or of its page tables. The beliefs are those of the
question that the lesson starts from, and of its answer.
"""

from __future__ import annotations

import functools
import random

from ...kernel import Kernel, boot
from ...record import load_machine
from ...units import GiB, MiB, group_hex
from ...virtual.layout import Layout, layout_of
from ...virtual.pointer_tests import verdicts
from ..question import Facts, Misconception, Question, always
from .layout_steps import OLDER_OFFSET, PC_OFFSET
from .slab import fixed
from .tlb_steps import apart

PC, KASLR_PC, BOARD, OLD_PC, ARM64 = (
    "amd64-pc-4g",
    "amd64-pc-2g-kaslr",
    "arm-virt-armmp-1g",
    "i386-pc-686-1g",
    "arm64-virt-1g",
)


@functools.cache
def booted(name: str) -> Kernel:
    """A recorded machine, booted once."""
    return boot(load_machine(name))


def page_of(name: str) -> int:
    """The struct page of an object that kmalloc gave on a recorded machine."""
    kernel = booted(name)
    va = kernel.layout.page_offset + 32 * MiB
    return kernel.mem_map.pfn_to_page(kernel.virt_to_phys(va) >> 12)


def _logical(name: str, va: int) -> str:
    return "logical" if booted(name).layout.classify(va).logical else "virtual"


WHERE_PAGE = {
    "logical": "1:1 mapped: struct pages are in RAM, and all RAM is in the direct map",
    "virtual": "virtually mapped: the array has addresses of its own, and page tables lead to its frames",
    "both": "it depends on which frame the struct page describes",
}

STRUCT_PAGE = Question(
    id="09.struct_page",
    ask="A PC with 4 GiB runs a 64-bit kernel. You have the address of a struct page. Is that address 1:1 mapped?",
    facts=fixed({}),
    choices=lambda: WHERE_PAGE,
    answer=lambda: _logical(PC, page_of(PC)),
    misconceptions=(
        Misconception(
            "RAM has one kernel address, the one in the direct map",
            always("logical"),
            "How many virtual addresses may lead to one frame?",
        ),
        Misconception(
            "what a struct page describes decides where it is",
            always("both"),
            "Is the array cut up by what each entry describes?",
        ),
    ),
    because="on this kernel the array is seen at the vmemmap. Its frames have a second address in the direct map, "
    "but pointers to struct page are never that one.",
)

STRUCT_PAGE_32 = Question(
    id="09.struct_page_32",
    ask="The same question on a 32-bit ARM board with 1 GiB and one flat mem_map. Is a struct page's address 1:1 "
    "mapped?",
    facts=fixed({}),
    choices=lambda: WHERE_PAGE,
    answer=lambda: _logical(BOARD, page_of(BOARD)),
    misconceptions=(
        Misconception(
            "the array of struct page is virtually mapped everywhere",
            always("virtual"),
            "In which range did lesson 05 find mem_map on this board?",
        ),
        Misconception("it changes with the frame described", always("both"), "How many arrays are there?"),
    ),
    because="FLATMEM: one array, allocated from lowmem, so it is in the direct map.",
)


def _object(rng: random.Random) -> Facts:
    return {"va": PC_OFFSET + rng.randrange(16 * MiB, 2 * GiB, 64)}


OFFSET = apart(
    Question(
        id="09.offset",
        ask="Linux 6.1 on a 64-bit PC, booted with nokaslr. kmalloc returned {va:#_x}. What is the object's physical "
        "address?",
        facts=_object,
        answer=lambda va: booted(PC).virt_to_phys(va),
        misconceptions=(
            Misconception("1:1 means that both are equal", lambda va: va, "Has this PC that much RAM?"),
            Misconception(
                "the direct map begins at 0xffff_8800_0000_0000",
                lambda va: va - OLDER_OFFSET,
                "In which version did room for the LDT come in?",
            ),
            Misconception(
                "the kernel's addresses begin where the canonical upper half does",
                lambda va: va - 0xFFFF_8000_0000_0000,
                "What lies below the direct map?",
            ),
        ),
        because="the direct map begins at 0xffff_8880_0000_0000 and physical 0: subtract.",
        show=group_hex,
    )
)


@functools.cache
def image_said() -> str:
    """What init_task's address is on the PC, as a choice."""
    kernel = booted(PC)
    recorded = kernel.machine.recorded
    assert recorded is not None
    va = recorded.data["symbols"]["init_task"]["va"]
    found, said = kernel.layout.classify(va), verdicts(kernel.layout, va)
    if found.logical:
        return "logical"
    return "alias" if found.pa is not None and said.virt_addr_valid else "refused"


IMAGE = Question(
    id="09.image",
    ask="init_task is a variable of the kernel itself; on the 64-bit PC &init_task is 0xffff_ffff_82a1_aa40. May "
    "you use __pa() and virt_to_page() on it?",
    facts=fixed({}),
    choices=lambda: {
        "logical": "yes, because it lies in the direct map",
        "alias": "yes, though it does not lie in the direct map: x86-64's __pa knows the image's window too",
        "refused": "no: outside the direct map there is no constant offset",
    },
    answer=lambda: image_said(),
    misconceptions=(
        Misconception(
            "__pa works only in the direct map, so it must be in it",
            always("logical"),
            "How far is 0xffff_ffff_82a1_aa40 from where the direct map begins?",
        ),
        Misconception(
            "whatever is not in the direct map is mapped page by page",
            always("refused"),
            "How did boot map the image: page by page, or whole?",
        ),
    ),
    because="the image is mapped a second time at 0xffff_ffff_8000_0000; the address less that, plus phys_base, "
    "is the physical address.",
)


@functools.cache
def hole_said(name: str = PC) -> str:
    """What the recorded page tables have in the direct map's range for a physical address where there is no RAM."""
    kernel = booted(name)
    recorded = kernel.machine.recorded
    assert recorded is not None
    va = kernel.layout.page_offset + 0xD000_0000
    walk = recorded.kernel_space().walk(va)
    return "nothing" if walk.pa is None else "device"


HOLE = Question(
    id="09.hole",
    ask="The PC has 4 GiB: 3 GiB below physical 0xc000_0000 and 1 GiB from 0x1_0000_0000 on. A pointer has the value "
    "0xffff_8880_0000_0000 + 0xd000_0000: between the two, inside the direct map's range. What is there?",
    facts=fixed({}),
    choices=lambda: {
        "ram": "RAM: every address of the direct map's range is logical",
        "device": "the registers of devices, which have those physical addresses",
        "nothing": "nothing: no page-table entry, a fault at the first access",
    },
    answer=lambda: hole_said(),
    misconceptions=(
        Misconception(
            "being in the range proves that memory is there", always("ram"), "Which RAM would that be, of the 4 GiB?"
        ),
        Misconception(
            "the direct map maps every physical address",
            always("device"),
            "What would ioremap be good for then?",
        ),
    ),
    because="x86-64 maps RAM, not addresses: the recorded kernel's tables have no entry there.",
)


@functools.cache
def moved(base: int) -> Layout:
    """The recorded kernel with KASLR, its direct map at `base`."""
    machine = load_machine(KASLR_PC)
    assert machine.recorded is not None
    drawn = {name: machine.recorded.layout[name] for name in ("vmalloc_base", "vmemmap_base")}
    return layout_of(machine, {"page_offset": base, **drawn})


def _moved(rng: random.Random) -> Facts:
    kernel = booted(KASLR_PC)
    assert kernel.machine.recorded is not None
    base = kernel.machine.recorded.layout["page_offset"]
    return {"base": base, "va": base + rng.randrange(16 * MiB, GiB, 64)}


KASLR = apart(
    Question(
        id="09.kaslr",
        ask="A recorded Debian kernel with KASLR says: page_offset_base is {base:#_x}. kmalloc returned {va:#_x}. What "
        "is the physical address?",
        facts=_moved,
        answer=lambda base, va: moved(base).classify(va).pa,
        misconceptions=(
            Misconception(
                "the direct map always begins at 0xffff_8880_0000_0000",
                lambda base, va: va - PC_OFFSET,
                "Has the PC that much RAM?",
            ),
            Misconception(
                "the offset is the image's slide", lambda base, va: va - 0xFFFF_FFFF_8000_0000, "Is it in the image?"
            ),
            Misconception("1:1 means that both are equal", lambda base, va: va, "What is mapped at the base?"),
        ),
        because="the base is drawn at each boot; physical 0 is mapped there.",
        show=lambda value: group_hex(value) if value >= 0 else f"-{group_hex(-value)}",
    )
)
