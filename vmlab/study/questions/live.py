"""Questions of lesson 13: what can be known before a kernel boots, and what only the boot tells.

Every right answer is asked of predictions and records; nothing here boots a real kernel.
"""

from __future__ import annotations

import functools

from ...compare import Values, shown
from ...live import lab
from ...record import load_machine
from ..question import Misconception, Question, always
from ..weigh import Scenario
from .slab import fixed

BOARD, RECORD = "arm-virt", "arm-virt-armmp-1g"
LOW, HIGH = "node 0 DMA", "node 0 HighMem"


@functools.cache
def recorded(name: str = RECORD) -> lab.Booted:
    """A recorded kernel, with the machine as it was known before it booted."""
    machine = load_machine(name)
    return lab.Booted(lab.known_before(machine), machine, f"Shown: {name}, a shipped record.", is_fresh=False)


@functools.cache
def predicted(words: str = "", ram: str = "1G") -> Values:
    """The ARM board's values before it boots."""
    return lab.predict(lab.describe(lab.choose(BOARD, ram, words)))


@functools.cache
def wrong(name: str = RECORD, told: bool = False) -> frozenset[str]:
    """The values that the prediction has wrong: before the boot, or `told` what the boot asked for."""
    return frozenset(row.what for row in lab.verdicts(recorded(name), told) if not row.is_right)


KNOWN_BY = {
    "border": f"{HIGH} start_pfn",
    "frames": "mem_map frames",
    "window": "layout vmalloc_start",
    "managed": f"{LOW} managed",
}
KNOWN = Question(
    id="13.known",
    ask="Of the 32-bit ARM board with 1 GiB you know the RAM, the command line and how its kernel is built. It was not "
    "booted yet. Which of these can you not know exactly?",
    facts=fixed({}),
    choices=lambda: {
        "border": "where HighMem begins",
        "frames": "how many frames mem_map takes",
        "window": "where vmalloc space begins",
        "managed": "how many lowmem pages reach the page allocator",
    },
    answer=lambda: next(key for key, what in KNOWN_BY.items() if what in wrong()),
    misconceptions=(
        Misconception("zones are made from what is free", always("border"), "What moves the border: RAM, or its use?"),
        Misconception(
            "mem_map is as large as the free memory needs", always("frames"), "Which frames have a struct page?"
        ),
        Misconception("addresses are handed out as the boot goes", always("window"), "Which constants fix it here?"),
    ),
    because="borders, windows and mem_map follow from RAM and configuration; what stays reserved depends on the image, "
    "the initrd and every boot allocation.",
)

REASON = Question(
    id="13.reason",
    ask="The prediction missed managed pages by a mebibyte. What did it lack?",
    facts=fixed({}),
    choices=lambda: {
        "asked": "what the boot asked the boot allocator for: sizes and order, no addresses",
        "chance": "nothing: it is chance, and differs at every boot",
        "emulated": "nothing: an emulated machine has other memory than a real one",
        "placed": "the addresses at which everything came to lie",
    },
    answer=lambda: "asked" if wrong() and not wrong(told=True) else "placed",
    misconceptions=(
        Misconception("a boot is random", always("chance"), "What in it draws a random number, with nokaslr?"),
        Misconception(
            "QEMU's RAM is not like RAM", always("emulated"), "Does the kernel's code know what it runs on here?"
        ),
        Misconception(
            "places can only be looked up", always("placed"), "Does the allocator's rule not give the place of a size?"
        ),
    ),
    because="given the calls without their addresses, the model has every value right: the places follow.",
)


@functools.cache
def moved(words: str) -> frozenset[str]:
    """The values that a word of the command line changes."""
    before, after = predicted(), predicted(words)
    return frozenset(what for what in before if before[what] != after.get(what))


def differing(words: str = "", ram: str = "1G") -> list[tuple[str, str, str]]:
    """Rows of a table: each value that the board has otherwise with these words and this RAM; before, and then."""
    before, after = predicted(), predicted(words, ram)
    return [
        (what, shown(what, before[what]), shown(what, after[what])) for what in before if before[what] != after[what]
    ]


WORD = Question(
    id="13.word",
    ask="You add vmalloc=512M to the board's command line (240 MiB is what it has without). What else changes?",
    facts=fixed({}),
    choices=lambda: {
        "nothing": "nothing: only the addresses for vmalloc become more",
        "border": "lowmem becomes smaller, and HighMem larger",
        "ram": "512 MiB of RAM are set aside",
        "zone": "a zone of its own is made for vmalloc",
    },
    answer=lambda: "border" if {f"{HIGH} start_pfn", "layout high_memory"} <= moved("vmalloc=512M") else "nothing",
    misconceptions=(
        Misconception("vmalloc's addresses are free of charge", always("nothing"), "Who had those addresses before?"),
        Misconception("vmalloc= reserves frames", always("ram"), "Of what is vmalloc space made: frames or addresses?"),
        Misconception("each allocator has its zone", always("zone"), "From which zones does vmalloc take its frames?"),
    ),
    because="the kernel has 1 GiB of addresses: what vmalloc space gains, the direct map loses, and with it lowmem.",
)


@functools.cache
def grown() -> str:
    """Which zones get larger when the board's RAM is doubled."""
    small, large = predicted(), predicted(ram="2G")
    low, high = (large[f"{zone} spanned"] > small[f"{zone} spanned"] for zone in (LOW, HIGH))
    return {(False, True): "high", (True, False): "low", (True, True): "both"}[low, high]


DOUBLED = Question(
    id="13.doubled",
    ask="The same board with 2 GiB instead of 1. Which zone gets the new gibibyte?",
    facts=fixed({}),
    choices=lambda: {
        "low": "the lower one, which all of the kernel lives in",
        "both": "both, in proportion",
        "high": "HighMem alone",
    },
    answer=grown,
    misconceptions=(
        Misconception("more RAM is more room for the kernel", always("low"), "Which addresses would it have for it?"),
        Misconception("zones are shares of RAM", always("both"), "What fixes where lowmem ends?"),
    ),
    because="lowmem ends where the direct map's addresses end; mem_map grows too, and takes lowmem away.",
)

KASLR_RECORD = "amd64-pc-2g-kaslr"


def still_known() -> str:
    """What can be predicted of a kernel that draws its addresses."""
    missed = wrong(KASLR_RECORD)
    zones = {"node 0 DMA start_pfn", "node 0 DMA32 start_pfn", "node 0 DMA32 present", "mem_map frames"} & missed
    addresses = {"layout page_offset", "layout vmalloc_base"} & missed
    return {(False, True): "frames", (True, True): "none", (False, False): "all"}[bool(zones), bool(addresses)]


RANDOM = Question(
    id="13.random",
    ask="A PC boots without nokaslr: the kernel draws addresses at random. What of it can still be predicted?",
    facts=fixed({}),
    choices=lambda: {
        "frames": "zones and how many frames mem_map takes, but no address of the direct map",
        "none": "nothing: everything follows from the draw",
        "all": "everything: the seed is on the command line",
    },
    answer=still_known,
    misconceptions=(
        Misconception("frames are numbered from the base that was drawn", always("none"), "Who numbers the frames?"),
        Misconception("what a computer draws is known", always("all"), "Where do the random bits come from?"),
    ),
    because="KASLR draws virtual addresses and the image's place; zones are borders of physical memory.",
)


@functools.cache
def other_board() -> str:
    """What is different when the same kernel runs on a board whose RAM begins elsewhere."""
    here, there = (lab.predict(recorded(name).before) for name in (RECORD, "arm-vexpress-a9-1g"))
    frames = here[f"{LOW} start_pfn"] != there[f"{LOW} start_pfn"]
    addresses = here["layout high_memory"] != there["layout high_memory"]
    return {(True, False): "frames", (True, True): "both", (False, True): "addresses", (False, False): "none"}[
        frames, addresses
    ]


ELSEWHERE = Question(
    id="13.elsewhere",
    ask="The same kernel on another ARM board, also with 1 GiB. There RAM begins at 0x6000_0000 instead of "
    "0x4000_0000. What is different?",
    facts=fixed({}),
    choices=lambda: {
        "frames": "frame numbers; the direct map has the same addresses",
        "addresses": "the direct map's addresses; frames are numbered from 0 on both",
        "both": "frame numbers and the direct map's addresses",
        "none": "neither",
    },
    answer=other_board,
    misconceptions=(
        Misconception("frame 0 is the first frame of RAM", always("addresses"), "What is a frame's number times 4096?"),
        Misconception("1:1 means that both move together", always("both"), "With what does PAGE_OFFSET begin?"),
        Misconception("only the size of RAM matters", always("none"), "What does /proc/zoneinfo call start_pfn?"),
    ),
    because="the direct map begins at PAGE_OFFSET wherever RAM begins; the difference of the two is another constant.",
)

OPEN_TO_ALL = {"zoneinfo": 0o444, "slabinfo": 0o400, "vmallocinfo": 0o400, "pagetypeinfo": 0o400}  # modes, Linux 6.1
WITHHELD = Question(
    id="13.withheld",
    ask="Your own laptop, without root. Which of these files of /proc may you read?",
    facts=fixed({}),
    choices=lambda: {
        "zoneinfo": "zoneinfo: each zone's pages and watermarks",
        "slabinfo": "slabinfo: the caches of kernel objects",
        "vmallocinfo": "vmallocinfo: the areas of vmalloc space",
        "pagetypeinfo": "pagetypeinfo: free blocks by migrate type",
    },
    answer=lambda: next(name for name, mode in OPEN_TO_ALL.items() if mode & 0o004),
    misconceptions=(
        Misconception("object counts give nothing away", always("slabinfo"), "What would an attacker count?"),
        Misconception("addresses of the kernel are public", always("vmallocinfo"), "What is KASLR for?"),
        Misconception("free memory is nobody's secret", always("pagetypeinfo"), "Which look takes the zone's lock?"),
    ),
    because="counters of zones are open to all (0444); the other three are root's (0400).",
)

DECIDE = Scenario(
    id="13.decide",
    ask="A driver needs 400 MiB of vmalloc space on a 32-bit board that customers already have. Somebody proposes "
    "vmalloc=512M. How do you find out, before the update goes out, what that does to the kernel's memory?",
    ways=(
        ("work it out from the source", "you understand why", "one forgotten reservation, and the number is wrong"),
        ("ask the model", "a second, any RAM, any word", "it knows the usual boot, not your initrd and device tree"),
        ("boot the real kernel under QEMU", "the kernel's own numbers", "another board: its firmware keeps other RAM"),
        ("boot the customers' board", "the truth, drivers included", "one board, one RAM size, a serial cable"),
        ("model first, then one boot to judge it", "a wrong idea shows at once", "two steps, and you must predict"),
    ),
)
