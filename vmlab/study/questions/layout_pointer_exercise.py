"""Lesson 09's claim to judge: __pa of pointers of every kind, on three recorded kernels."""

from __future__ import annotations

import functools
import random

from ...units import group_hex
from ...virtual.pointer_tests import verdicts
from ...virtual.worked import worked
from ..question import Facts, Misconception, Question, always
from ..steps import Step, Steps
from .layout import ARM64, BOARD, PC, booted

MACHINES = {PC: "a 64-bit PC", ARM64: "a 64-bit ARM board", BOARD: "a 32-bit ARM board with one flat mem_map"}
POINTERS = {
    "kmalloc": "an object that kmalloc gave",
    "struct page": "the struct page of a frame",
    "vmalloc": "a buffer that vmalloc gave",
    "stack": "a variable on the kernel stack (CONFIG_VMAP_STACK)",
    "per-CPU": "a per-CPU variable of the kernel's own",
    "kernel text": "a function of the kernel itself",
    "module": "a table in a module",
    "kmap": "a HighMem page that kmap has mapped",
}


@functools.cache
def _pointers(name: str) -> dict[str, tuple[int, str]]:
    """For each kind of pointer of a recorded machine: its address, and the verdict on __pa."""
    layout, found = booted(name).layout, {}
    for each in worked(booted(name)):
        if each.name in POINTERS:
            where, said = layout.classify(each.va), verdicts(layout, each.va)
            kind = "pages" if where.pa != said.pa else "right" if where.logical else "image"
            found[each.name] = each.va, kind
    return found


def _a_pointer(rng: random.Random) -> Facts:
    verdict = rng.choice(("right", "pages", "image"))  # as often each, although there are more of the second kind
    cases = [(m, p) for m in MACHINES for p, (_, kind) in _pointers(m).items() if kind == verdict]
    machine, pointer = rng.choice(cases)
    va = _pointers(machine)[pointer][0]
    return {"machine": machine, "pointer": pointer, "where": MACHINES[machine], "what": POINTERS[pointer], "va": va}


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
    ask="On {where} a driver hands __pa(p) to a device. p points to {what}: {va:#x}. Judge this: 'The kernel's memory "
    "is mapped 1:1, so __pa(p) is where the bytes are.'",
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
