"""Lesson 09's claim to judge: __pa of pointers of every kind, on three recorded kernels."""

from __future__ import annotations

import functools
import random

from ...units import PAGE_SIZE, group_hex
from ...virtual.layout import Layout
from ...virtual.pointer_tests import verdicts
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .layout import ARM64, BOARD, PC, booted

MACHINES = {PC: "a 64-bit PC", ARM64: "a 64-bit ARM board", BOARD: "a 32-bit ARM board with one flat mem_map"}
POINTERS = {  # what a record calls the address, and what points there
    "direct map": "an object that kmalloc gave",
    "kernel image: init_task": "init_task, a variable of the kernel itself",
    "kernel image: _stext": "the first function of the kernel itself",
    "mem_map first byte": "the struct page of the first frame",
    "vmalloc first page": "a buffer that vmalloc gave",
    "ioremap": "a device's registers, as ioremap returned them",
    "pkmap_base": "a HighMem page that kmap has mapped",
}
STACK = "a variable on the kernel stack (CONFIG_VMAP_STACK)"


@functools.cache
def _pointers(name: str) -> dict[str, tuple[int, str]]:
    """What points where on a recorded machine, and the verdict on its __pa."""
    kernel = booted(name)
    recorded = kernel.machine.recorded
    assert recorded is not None
    cases: dict[str, list[int]] = {}
    for case in recorded.data["kernel_cases"]:
        cases.setdefault(case["what"], []).append(case["va"])
    found = {words: cases[what][len(cases[what]) // 2] for what, words in POINTERS.items() if what in cases}
    stacks = [row["end"] for row in recorded.data["vmallocinfo"] if row["caller"].startswith("kernel_clone")]
    found[STACK] = stacks[0] - PAGE_SIZE - 0x100  # below the guard page
    return {words: (va, _judged(kernel.layout, va)) for words, va in found.items()}


def _judged(layout: Layout, va: int) -> str:
    where = layout.classify(va)
    if where.pa != verdicts(layout, va).pa:
        return "pages"
    return "right" if where.logical else "image"


def _a_pointer(rng: random.Random) -> Facts:
    machine = rng.choice(list(MACHINES))
    there = _pointers(machine)
    verdict = rng.choice(sorted({kind for _, kind in there.values()}))  # as often each: most pointers are "pages"
    pointer = rng.choice([name for name, (_, kind) in there.items() if kind == verdict])
    va = _pointers(machine)[pointer][0]
    return {"machine": machine, "pointer": pointer, "where": MACHINES[machine], "va": va}


def _verdict(machine: str, pointer: str, **_: object) -> str:
    return _pointers(machine)[pointer][1]


def _steps(machine: str, pointer: str, va: int, **_: object) -> Steps:
    layout = booted(machine).layout
    where, said = layout.classify(va), verdicts(layout, va)
    reached = group_hex(where.pa) if where.pa is not None else "no constant tells"
    return Steps.of(
        (
            Step("area", "which area holds it?", group_hex(va), where.area.name),
            Step("offset", "has that area a constant offset?", where.area.what, reached),
            Step("compare", "what does __pa compute?", group_hex(said.pa), _verdict(machine, pointer)),
        )
    )


CLAIM = Question(
    id="09.claim",
    ask="On {where} a driver hands __pa(p) to a device. p is {va:#x}, and points to {pointer}. Judge this: 'The "
    "kernel's memory is mapped 1:1, so __pa(p) is where the bytes are.'",
    facts=_a_pointer,
    choices=lambda **_: {
        "right": "right: p is logical",
        "image": "the number is right, but p is not logical: the kernel image has an offset of its own",
        "pages": "wrong: p is mapped page by page, and __pa computes something else",
        "tables": "only the page tables know, whatever p points to",
    },
    answer=_verdict,
    misconceptions=(
        Misconception(
            "it makes no difference who gave the pointer",
            lambda **facts: "pages" if _verdict(**facts) == "right" else "right",
            "In which area does this address lie, and is that the direct map?",
        ),
        Misconception(
            "the kernel's image and its other memory are mapped in the same way",
            lambda **facts: "pages" if _verdict(**facts) == "image" else "image",
            "How far from the direct map is the image linked to, on 32 bits and on 64?",
        ),
        Misconception(
            "no address can be trusted before the tables were walked",
            always("tables"),
            "What did boot promise for the direct map?",
        ),
    ),
    because="the area decides: direct map and image have a constant offset each, all others page tables alone.",
    hints=(
        "Who gives such pointers, and out of which area?",
        "area: find it first. Direct map: logical. Image: a constant of its own on 64 bits. Else: page by page.",
    ),
    steps=_steps,
)
