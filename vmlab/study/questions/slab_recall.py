"""Recall for lesson 07: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

import random

from ...physical import gfp
from ...physical.slab_size import calculate_order, get_order, order_objects
from ...units import PAGE_SHIFT, PAGE_SIZE, GiB
from ..question import Facts, Misconception, Question, always
from .slab import fixed, home
from .slab_steps import served
from .tlb_steps import apart

BLOCK = apart(
    Question(
        id="07.recall.block",
        ask="The page allocator is asked for {pages} contiguous pages. How many does it take from its lists?",
        facts=lambda rng: {"pages": rng.choice([n for n in range(3, 300) if n & (n - 1)])},
        answer=lambda pages: 1 << get_order(pages * PAGE_SIZE),
        misconceptions=(
            Misconception("it gives as many as were asked for", lambda pages: pages, "Which block sizes are there?"),
            Misconception(
                "it rounds down", lambda pages: 1 << (pages.bit_length() - 1), "Would the request fit in that block?"
            ),
            Misconception("it rounds up to eight pages", lambda pages: -(-pages // 8) * 8, "Is 24 a power of two?"),
        ),
        because="blocks have 2^order pages.",
    )
)


def _lowmem(rng: random.Random) -> Facts:
    ram, low = rng.randrange(20, 60) * 64, rng.randrange(8, 14) * 64
    return {"ram": ram, "low": low}


HIGH = apart(
    Question(
        id="07.recall.high",
        ask="A 32-bit board has {ram} MiB of RAM; its direct map reaches {low} MiB. How many pages has HighMem?",
        facts=_lowmem,
        answer=lambda ram, low: (ram - low) << 20 >> PAGE_SHIFT,
        misconceptions=(
            Misconception("HighMem has 128 MiB", always(128 << 20 >> PAGE_SHIFT), "What does the direct map leave?"),
            Misconception("all RAM is HighMem", lambda ram, low: ram << 20 >> PAGE_SHIFT, "What is in the direct map?"),
            Misconception(
                "HighMem is what the kernel maps", lambda ram, low: low << 20 >> PAGE_SHIFT, "Which RAM has an address?"
            ),
        ),
        because="HighMem is the RAM that the direct map does not reach: a range of frames, not of addresses.",
    ),
)

LINEAR = Question(
    id="07.recall.linear",
    ask="The direct map begins at virtual {offset:#_x} and maps physical {start:#_x} there. What is the virtual "
    "address of physical {pa:#_x}?",
    facts=lambda rng: {"offset": 0xC000_0000, "start": 0x4000_0000, "pa": 0x4000_0000 + rng.randrange(GiB // 2)},
    answer=lambda offset, start, pa: pa - start + offset,
    misconceptions=(
        Misconception("RAM begins at 0", lambda offset, start, pa: pa + offset, "Which physical address comes first?"),
        Misconception("1:1 means equal", lambda offset, start, pa: pa, "What is added to each?"),
        Misconception("the direct map runs downwards", lambda offset, start, pa: offset - pa, "Which one is higher?"),
    ),
    because="one constant is added to each physical address of lowmem.",
    show=hex,
)

DOUBLE = apart(
    Question(
        id="07.recall.double",
        ask="Objects of {size} bytes, 4 CPUs: their slabs have {objects} objects. How many pages has a slab?",
        facts=lambda rng: {"size": (size := rng.choice((512, 1024, 2048))), "objects": _in_slab(size)},
        answer=lambda size, objects: 1 << calculate_order(size, 4),
        misconceptions=(
            Misconception("a slab is one page", always(1), "How many of them fit in a page?"),
            Misconception("each object has a page", lambda size, objects: objects, "May two share a page?"),
        ),
        because="{objects} × {size} bytes, in pages of 4,096.",
    )
)


def _in_slab(size: int) -> int:
    return order_objects(calculate_order(size, 4), size)


REQUEST = apart(
    Question(
        id="07.recall.request",
        ask="kmalloc({asked}) on a PC: how large is the object?",
        facts=lambda rng: {"asked": rng.randrange(9, 190)},
        answer=lambda asked: served(asked, 8),
        misconceptions=(
            Misconception(
                "an object has exactly the size asked for", lambda asked: asked, "Is there a cache of that size?"
            ),
            Misconception("each request takes a page", always(PAGE_SIZE), "Who gives pages?"),
            Misconception("the next smaller cache is taken", lambda asked: _smaller(asked), "Would it fit?"),
        ),
        because="the smallest of 8, 16, 32, 64, 96, 128, 192, 256 … that holds it.",
    )
)


def _smaller(asked: int) -> int:
    found = served(asked, 8)
    return max(size for size in (8, 16, 32, 64, 96, 128) if size < found)


WHO = Question(
    id="07.recall.who",
    ask="Which of these gets HighMem frames on a 32-bit kernel?",
    facts=fixed({}),
    choices=lambda: {
        "kmalloc": "kmalloc(64 KiB)",
        "vmalloc": "vmalloc(64 KiB)",
        "task": "a new task_struct",
        "all": "all three",
    },
    answer=lambda: "vmalloc" if home()[1] != "HighMem" and gfp.mask("__GFP_HIGHMEM") else "all",
    misconceptions=(
        Misconception("large requests go to HighMem", always("kmalloc"), "Which address would kmalloc return?"),
        Misconception("dynamic memory is HighMem", always("task"), "How would the scheduler follow a pointer to it?"),
        Misconception("every allocator may take HighMem", always("all"), "Which of them makes page-table entries?"),
    ),
    because="only vmalloc maps its pages itself; kmalloc and slab return addresses of the direct map.",
)

START = (BLOCK, HIGH, LINEAR)
END = (REQUEST, DOUBLE, WHO)
