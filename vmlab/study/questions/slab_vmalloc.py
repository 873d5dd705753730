"""Questions of lesson 07 about vmalloc: which frames, which addresses, when they come back; and the scenario."""

from __future__ import annotations

import functools

from ...kernel import Kernel, boot
from ...record import load_machine
from ...units import PAGE_SHIFT, PAGE_SIZE, KiB, MiB, VmlabError
from ..question import Misconception, Question, always
from ..weigh import Scenario
from .slab import BOARD, fixed, fresh

PIECE = 16 * MiB


def scattered() -> Kernel:
    """The board with every other one of 256 HighMem frames in use, as on a machine that has run for a while."""
    kernel = fresh()
    pages = [kernel.alloc_pages(0, "GFP_HIGHUSER") for _ in range(256)]
    for page in pages[::2]:
        kernel.free_pages(page)
    return kernel


def frames_of(kernel: Kernel, va: int, size: int) -> list[int]:
    """The frames under an area."""
    return [kernel.vmalloc_to_pfn(at) for at in range(va, va + size, PAGE_SIZE)]


@functools.cache
def zone_word() -> str:
    """Zone of the frames under a fresh area of 64 KiB, as a choice."""
    kernel = scattered()
    va = kernel.vmalloc(64 * KiB)
    assert isinstance(va, int)
    high = kernel.zones["HighMem"].start_pfn
    inside = {pfn >= high for pfn in frames_of(kernel, va, 64 * KiB)}
    return "mixed" if len(inside) > 1 else "high" if inside == {True} else "low"


ZONE = Question(
    id="07.zone",
    ask="vmalloc(64 KiB) returns a kernel address. The board has free frames in lowmem and in HighMem. In which zone "
    "are the 16 frames?",
    facts=fixed({}),
    choices=lambda: {
        "low": "in lowmem: the kernel cannot address anything else",
        "high": "in HighMem: vmalloc asks for it, and it is free",
        "mixed": "half in each, to share the load",
        "none": "in none: vmalloc space is memory of its own",
    },
    answer=lambda: zone_word(),
    misconceptions=(
        Misconception(
            "a kernel address means a lowmem frame",
            always("low"),
            "vmalloc makes page-table entries of its own: which frames may they hold?",
        ),
        Misconception("allocators spread over zones", always("mixed"), "In which order does a zonelist go?"),
        Misconception("vmalloc space is a piece of RAM", always("none"), "What do its page-table entries point to?"),
    ),
    because="vmalloc adds __GFP_HIGHMEM: it maps each page itself, and leaves the scarce lowmem to others.",
)


def _second(size: int) -> int:
    kernel = fresh()
    first, second = kernel.vmalloc(size), kernel.vmalloc(100)
    assert isinstance(first, int)
    assert isinstance(second, int)
    return second - first


GUARD = Question(
    id="07.guard",
    ask="Two calls on a fresh kernel: a = vmalloc({size:,}), b = vmalloc(100). How many bytes is b above a?",
    facts=fixed({"size": 64 * KiB}),
    answer=lambda size: _second(size),
    misconceptions=(
        Misconception("areas stand wall to wall", lambda size: size, "What stops a write behind the end of a?"),
        Misconception(
            "areas are aligned to their size", lambda size: 2 * size, "Which address is the lowest that fits?"
        ),
        Misconception("vmalloc packs by bytes, as kmalloc does", lambda size: size + 100, "Can half a page be mapped?"),
    ),
    because="the pages, and one guard page that is never mapped: running off the end faults at once.",
    show=hex,
)


@functools.cache
def after_free() -> str:
    """Whether the addresses of a freed area are handed out again at once, by doing it."""
    kernel = fresh()
    a, b = kernel.vmalloc(16 * KiB), kernel.vmalloc(16 * KiB)
    assert isinstance(a, int)
    kernel.vfree(a)
    c = kernel.vmalloc(16 * KiB)
    assert isinstance(b, int)
    assert isinstance(c, int)
    return "same" if c == a else "behind" if c > b else "other"


LAZY = Question(
    id="07.lazy",
    ask="a and b are areas of 16 KiB. vfree(a), then vmalloc(16 KiB) again. Which addresses does it get?",
    facts=fixed({}),
    choices=lambda: {
        "same": "those of a: the lowest that fit",
        "behind": "addresses behind b, though a's are lower and nobody has them",
        "other": "addresses below a",
    },
    answer=lambda: after_free(),
    misconceptions=(
        Misconception(
            "freed addresses are free at once", always("same"), "What may another CPU's TLB still hold for them?"
        ),
        Misconception("vmalloc space grows downwards", always("other"), "Where did the first area begin?"),
    ),
    because="a's frames went back at once, its addresses wait: one TLB flush of all CPUs serves many freed areas.",
)


@functools.cache
def filled(piece: int = PIECE) -> tuple[int, str, int]:
    """How many areas of `piece` bytes fit, what the kernel says then, and the frames that are still free."""
    kernel, count = boot(load_machine(BOARD)), 0
    while True:
        va = kernel.vmalloc(piece)
        if not isinstance(va, int):
            return count, va.tell(), _managed(kernel) - count * (piece >> PAGE_SHIFT)
        count += 1


def _managed(kernel: Kernel) -> int:
    return sum(zone.managed_pages for zone in kernel.zones)


@functools.cache
def _space() -> tuple[int, int]:
    kernel = fresh()
    return (kernel.vmap_areas.end - kernel.vmap_areas.start) // MiB, kernel.machine.ram_bytes // MiB


FULL = Question(
    id="07.full",
    ask="{ram} MiB of RAM, {space} MiB of addresses for vmalloc, all free. A driver calls vmalloc({piece} MiB) over "
    "and over. How many calls succeed?",
    facts=lambda rng: {"space": _space()[0], "ram": _space()[1], "piece": PIECE // MiB},
    answer=lambda space, ram, piece: filled(piece * MiB)[0],
    misconceptions=(
        Misconception("RAM is the limit", lambda space, ram, piece: ram // piece, "What else does an area need?"),
        Misconception(
            "areas stand wall to wall", lambda space, ram, piece: space // piece, "How large is an area with its guard?"
        ),
        Misconception(
            "the limit is the 128 MiB of a PC", lambda space, ram, piece: 128 // piece, "How large is it on this board?"
        ),
    ),
    because="each area takes a guard page more than {piece} MiB, so the last piece of addresses is too small.",
)


@functools.cache
def refused() -> str:
    """What the model says of virt_to_phys on a vmalloc address, as a choice."""
    kernel = scattered()
    va = kernel.vmalloc(64 * KiB)
    assert isinstance(va, int)
    pfns = frames_of(kernel, va, 64 * KiB)
    try:
        kernel.virt_to_phys(va)
    except VmlabError:
        return "nothing" if pfns == [*range(pfns[0], pfns[0] + 16)] else "linear"
    return "nothing"


DMA = Question(
    id="07.dma",
    ask="A driver has buf = vmalloc(64 KiB) and tells its device to write 64 KiB from virt_to_phys(buf) on. What is "
    "wrong?",
    facts=fixed({}),
    choices=lambda: {
        "nothing": "nothing: the addresses are contiguous",
        "size": "only the size: vmalloc's areas must be smaller",
        "linear": "virt_to_phys() is wrong there, and the frames are not one range",
        "cache": "only that it is slow",
    },
    answer=lambda: refused(),
    misconceptions=(
        Misconception(
            "contiguous addresses are contiguous frames", always("nothing"), "Which frames did the table show?"
        ),
        Misconception("vmalloc is for small buffers", always("size"), "What is the largest kmalloc?"),
        Misconception(
            "kmalloc and vmalloc differ in speed only", always("cache"), "Which offset does virt_to_phys use?"
        ),
    ),
    because="virt_to_phys subtracts the direct map's offset; the frames of an area are found one by one.",
)


BUFFER = Scenario(
    id="07.buffer",
    ask="Your driver needs 300 records of 2,100 bytes that come and go, and one table of 12 MiB that stays. It "
    "must run on 32-bit boards too. What do you allocate with what, and what do you give up?",
    ways=(
        (
            "kmalloc for each record",
            "no code of your own; contiguous frames; fast",
            "kmalloc-4k serves 2,100 bytes: almost half of each object is lost",
        ),
        (
            "a cache of its own: kmem_cache_create",
            "objects 2,104 bytes apart, seen by name in /proc/slabinfo",
            "a cache to create and destroy; half-empty slabs of your own that nobody else fills",
        ),
        (
            "vmalloc for each record",
            "HighMem frames: lowmem is spared",
            "two pages of addresses and one frame for 2,100 bytes, page-table work, a TLB flush later, no DMA",
        ),
        (
            "kmalloc for the table",
            "one range of frames, fit for DMA",
            "12 MiB are more than the largest block (4 MiB on a PC, 8 MiB on the ARM board): refused",
        ),
        (
            "vmalloc for the table",
            "any free frames will do, however scattered",
            "12 MiB of a few hundred MiB of addresses; a TLB entry for each page; not one range for a device",
        ),
        (
            "kvmalloc for the table",
            "kmalloc if it succeeds, else vmalloc",
            "you must not depend on contiguous frames; free with kvfree",
        ),
    ),
)
