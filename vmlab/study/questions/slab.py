"""Questions of lesson 07 about slab and kmalloc: where objects live, what serves a request, what it takes.

Every right answer is asked of a booted model; the beliefs are those of the question that the lesson starts from.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

from ...kernel import Kernel, boot
from ...record import load_machine
from ...units import PAGE_SHIFT, PAGE_SIZE, MiB, align_up
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .slab_steps import served

BOARD, PC = "arm-virt-armmp-1g", "i386-pc-686-1g"


def fresh(name: str = BOARD) -> Kernel:
    """A recorded machine, just booted: nothing allocated since."""
    return boot(load_machine(name))


def fixed(facts: Facts) -> Callable[[random.Random], Facts]:
    """Facts that are the same for everybody."""
    return lambda rng: facts


@functools.cache
def home(name: str = BOARD) -> tuple[str, str, int]:
    """Area of the addresses, zone of the frame, and the frame, of a task_struct that is allocated there."""
    kernel = fresh(name)
    va = kernel.slab["task_struct"].alloc()
    assert isinstance(va, int)
    pfn = kernel.virt_to_phys(va) >> PAGE_SHIFT
    zone = next(zone.name for zone in kernel.zones if zone.start_pfn <= pfn < zone.end_pfn)
    return kernel.layout.classify(va).area.name, zone, pfn


HOME = Question(
    id="07.home",
    ask="A process is born on a 32-bit kernel, on a board with 1 GiB of RAM. Where is its task_struct?",
    facts=fixed({}),
    choices=lambda: {
        "window": "in HighMem, mapped into the 128 MiB at the top whenever the kernel needs it",
        "vmalloc": "at an address in vmalloc space, over any frames",
        "lowmem": "in lowmem, at an address in the direct map that never changes",
        "user": "in the process's own memory, below the kernel's addresses",
    },
    answer=lambda: "lowmem" if home()[0] == "direct map" and home()[1] != "HighMem" else "vmalloc",
    misconceptions=(
        Misconception(
            "'dynamic memory' is HighMem seen through a window",
            always("window"),
            "What would become of a pointer to the struct when the window moves on?",
        ),
        Misconception(
            "what is allocated at run time comes from vmalloc",
            always("vmalloc"),
            "How much page table would every small object need?",
        ),
        Misconception(
            "a process's data are all its own", always("user"), "Could the scheduler read it while another one runs?"
        ),
    ),
    because="it comes from the slab cache task_struct, whose frames are of lowmem, mapped once and for all at boot.",
)


@functools.cache
def _mib() -> dict[str, int]:
    kernel = fresh()
    high = kernel.zones["HighMem"]
    return {
        "ram": kernel.machine.ram_bytes // MiB,
        "high": high.spanned_pages * PAGE_SIZE // MiB,
        "vmalloc": (kernel.vmap_areas.end - kernel.vmap_areas.start) // MiB,
        "low": ((kernel.bounds.max_low_pfn << PAGE_SHIFT) - kernel.layout.phys_offset) // MiB,
    }


CAP = Question(
    id="07.cap",
    ask="This board has {ram} MiB of RAM, {high} MiB of it HighMem, and {vmalloc} MiB of addresses for vmalloc. How "
    "many MiB lie in the direct map, and so can hold slab objects, all of them addressable at the same time?",
    facts=lambda rng: {key: _mib()[key] for key in ("ram", "high", "vmalloc")},
    answer=lambda ram, high, vmalloc: _mib()["low"],
    misconceptions=(
        Misconception(
            "kernel data are limited by the 128 MiB at the top of a PC's addresses",
            always(128),
            "What are these addresses used for?",
        ),
        Misconception(
            "kernel data live in HighMem", lambda ram, high, vmalloc: high, "Has a HighMem frame an address of its own?"
        ),
        Misconception(
            "kernel data live in vmalloc space",
            lambda ram, high, vmalloc: vmalloc,
            "Which addresses does kmalloc return?",
        ),
        Misconception("all RAM is mapped", lambda ram, high, vmalloc: ram, "What is HighMem short of?"),
    ),
    because="all RAM that is not HighMem; boot has taken a part of it.",
)

KMALLOC = Question(
    id="07.kmalloc",
    ask="A driver on a PC asks kmalloc for {asked} bytes. How large is the object that it gets?",
    facts=fixed({"asked": 129}),
    answer=lambda asked: served(asked, 8),
    misconceptions=(
        Misconception("kmalloc's sizes are powers of two", lambda asked: 1 << (asked - 1).bit_length(), "Are all?"),
        Misconception(
            "requests are rounded up to a word", lambda asked: align_up(asked, 8), "How many caches are there?"
        ),
        Misconception("the kernel allocates whole pages", always(PAGE_SIZE), "Which allocator gives pages?"),
        Misconception(
            "an object has exactly the size asked for", lambda asked: asked, "From which cache would it come?"
        ),
    ),
    because="kmalloc-192 is the smallest cache that holds it; 96 and 192 are the two sizes between powers of two.",
)


@functools.cache
def _large(asked: int) -> int:
    kernel = fresh()
    va = kernel.kmalloc(asked)
    assert isinstance(va, int)
    return kernel.slab.ksize(va)


LARGE = Question(
    id="07.large",
    ask="kmalloc({asked:,}): how many bytes of memory does that take?",
    facts=fixed({"asked": 20_000}),
    answer=lambda asked: _large(asked),
    misconceptions=(
        Misconception(
            "a large request is rounded up to pages",
            lambda asked: align_up(asked, PAGE_SIZE),
            "What does buddy hand out?",
        ),
        Misconception("large objects are exact", lambda asked: asked, "Who serves more than 8 KiB?"),
        Misconception(
            "the largest cache is tiled", lambda asked: align_up(asked, 8192), "Would three objects be one object?"
        ),
    ),
    because="above 8 KiB kmalloc asks the page allocator, which has blocks of 2^order pages only.",
)


@functools.cache
def task_cache(name: str = BOARD) -> tuple[int, int, int]:
    """Of task_struct's cache: distance of two objects, objects a slab, pages a slab."""
    cache = fresh(name).slab["task_struct"]
    return cache.sizes.size, cache.objects_per_slab, 1 << cache.order


TASKS = Question(
    id="07.tasks",
    ask="On this board a task_struct has {size:,} bytes, and a slab of its cache has {pages} pages. How many "
    "task_structs are in one slab?",
    facts=lambda rng: dict(zip(("size", "pages"), task_cache()[::2], strict=True)),
    answer=lambda size, pages: task_cache()[1],
    misconceptions=(
        Misconception(
            "each task_struct begins a page", lambda size, pages: pages, "May an object cross a page's border?"
        ),
        Misconception(
            "a task_struct shares 8 KiB with its stack, as in Linux 2.4",
            lambda size, pages: pages * PAGE_SIZE // 8192,
            "Where is the kernel stack today?",
        ),
        Misconception("a slab is one page", lambda size, pages: PAGE_SIZE // size, "How many pages were given?"),
        Misconception(
            "the last bit is used too", lambda size, pages: -(-pages * PAGE_SIZE // size), "Does the last one fit?"
        ),
    ),
    because="{pages} pages of 4,096 bytes, divided by {size:,}, rounded down.",
)


def frames_steps(tasks: int, objects: int, pages: int) -> Steps:
    """Frames that so many task_structs take: slabs, frames."""
    slabs = -(-tasks // objects)
    return Steps.of(
        (
            Step("slabs", "tasks / objects a slab, rounded up", f"{tasks:,} / {objects}", f"{slabs:,}"),
            Step("frames", "slabs × pages a slab", f"{slabs:,} × {pages}", f"{slabs * pages:,}"),
        )
    )


FRAMES = Question(
    id="07.frames",
    ask="A board runs {tasks:,} tasks. {objects} task_structs fit in a slab of {pages} pages. How many frames do "
    "the task_structs take at least?",
    facts=lambda rng: {"tasks": rng.randrange(100, 30_000), "objects": task_cache()[1], "pages": task_cache()[2]},
    answer=lambda tasks, objects, pages: -(-tasks // objects) * pages,
    misconceptions=(
        Misconception("each task takes a frame", lambda tasks, objects, pages: tasks, "Do they share slabs?"),
        Misconception(
            "a slab is one frame", lambda tasks, objects, pages: -(-tasks // objects), "How many pages has a slab?"
        ),
        Misconception(
            "every task has a slab", lambda tasks, objects, pages: tasks * pages, "How many tasks share one?"
        ),
    ),
    because="slabs, rounded up, × {pages} pages.",
    hints=("May the last slab be only partly used?", "slabs: tasks / objects a slab, rounded up; then their pages."),
    steps=frames_steps,
)
