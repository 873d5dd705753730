"""The questions of lesson 01's exercise: a walk with one step open, an index to read, a choice."""

from __future__ import annotations

import random
from dataclasses import replace

from ..claim import claim
from ..question import Facts
from ..trade import Way, trade_off
from ..weigh import Scenario
from .same_address_steps import ALONE, INDEX

WALK = replace(
    ALONE,
    id="01.walk",
    ask="The step next table is open, and what follows from it. {process} runs, CR3 = {root:#x}; a two-level i386 "
    "table, 4 bytes an entry, flags in the lowest 12 bits. RAM holds, among much else: {words}. At which physical "
    "address is virtual {va:#x}?",
    blank="next table",
)

READ = replace(
    INDEX,
    id="01.read",
    ask="The figure has the bits of address {va:#x} on an i386 PC. Which entry of the last table (pte) "
    "does the CPU read?",
    blank="",
)


def _a_page(rng: random.Random) -> Facts:
    mine = rng.randrange(0x1000, 0x3_0000)
    theirs = mine if rng.random() < 0.5 else mine + rng.randrange(1, 0x800)
    return {"va": rng.randrange(0x400, 0x8_0000) << 12, "mine": mine, "theirs": theirs}


CLAIM = claim(
    "01.judge",
    "p0 has the page at {va:#x} in frame {mine:#x}, and p1 has the page at {va:#x} in frame {theirs:#x}. Judge this: "
    "'What p0 writes there, p1 reads there: it is the same address.'",
    _a_page,
    {
        "address": "right, and for that reason",
        "frame": "right, but for another reason: it is the same frame",
        "other": "wrong: at this address p1 reads other memory",
        "never": "wrong: two processes never have memory in common",
    },
    lambda mine, theirs, **_: "frame" if mine == theirs else "other",
    {
        "address": ("equal addresses in two processes are the same memory", "What does the base register choose?"),
        "never": ("processes cannot share frames", "What do two copies of one program do with its text?"),
    },
    "the frame decides: {mine:#x} and {theirs:#x}.",
    ("Which memory does each of the two reach there?", "frames {mine:#x} and {theirs:#x}"),
    "it makes no difference in which frames the two pages are",
)

WAY = trade_off(
    "01.way",
    "Two programs work on the same large data. Which way is left if these three matter?",
    {
        "apart": "a wild pointer in one program cannot overwrite what only the other one owns",
        "copy": "the data is not copied",
        "pointer": "a pointer into the data means the same in both",
        "anywhere": "the kernel is free to choose where the data is mapped in each",
    },
    {
        "threads": Way("make them threads of one process", "apart", "threads share every page"),
        "pipe": Way("send the data through a pipe", "copy", "each byte is copied in and out"),
        "shared": Way("map the same frames wherever there is room", "pointer", "the addresses differ"),
        "fixed": Way("map the same frames at one agreed address", "anywhere", "the address is fixed in both"),
    },
)

OWN_LOOK = Scenario(
    id="01.own-look",
    ask="A tool of yours has to show, twenty times a second, what a running program of somebody else keeps at one of "
    "its addresses. How does it get at the bytes, and what do you give up?",
    ways=(
        (
            "/proc/PID/mem, or process_vm_readv()",
            "any address of that process, translated by the kernel; the program runs on",
            "the rights of a debugger; it writes meanwhile, so half of what you read may be new",
        ),
        (
            "ptrace: stop it, read, let it go on",
            "everything as it was at one moment",
            "it stands still twenty times a second, and notices",
        ),
        (
            "pagemap for the frame, then /dev/mem",
            "what others see who share the frame",
            "root; most kernels refuse RAM there (STRICT_DEVMEM); the page may move between the two steps",
        ),
        (
            "a shared mapping that the program offers",
            "no rights, no copy, and at whatever address suits you",
            "the program has to be changed, and its pointers mean nothing to you",
        ),
    ),
)
