"""Recall for lesson 04: three basics to start with, three about the lesson itself."""

from __future__ import annotations

from ...units import MiB
from ..question import Misconception, Question
from .zones import PC, booted, key
from .zones_kept import serves

PAGES = Question(
    id="04.recall.pages",
    ask="How many page frames of 4096 bytes are {mib} MiB?",
    facts=lambda rng: {"mib": rng.randrange(3, 900)},
    answer=lambda mib: mib * MiB // 4096,
    misconceptions=(
        Misconception("a page has 1024 bytes", lambda mib: mib * 1024, "How many KiB are 4096 bytes?"),
        Misconception("a page is a byte", lambda mib: mib * MiB, "How many bytes has a frame?"),
        Misconception("a MiB has 1000 KiB", lambda mib: mib * 250, "Is a MiB 1000 × 1000 bytes?"),
    ),
    because="256 frames a MiB.",
)

LAST_BYTE = Question(
    id="04.recall.last-byte",
    ask="The firmware prints [mem {start:#x}-{last:#x}] usable: first and last byte. How many bytes are that?",
    facts=lambda rng: {
        "start": (start := rng.randrange(1, 64) * MiB),
        "last": start + rng.randrange(1, 512) * MiB - 1,
    },
    answer=lambda start, last: last - start + 1,
    misconceptions=(
        Misconception(
            "the last byte is not part of it", lambda start, last: last - start, "Is the byte at the end RAM?"
        ),
        Misconception("the range begins at 0", lambda start, last: last + 1, "Which byte is the first?"),
    ),
    because="last − first + 1. From here on ends are written one past the last byte, so that sizes are differences.",
    show=lambda given: f"{given:,}",
)

TELLS = Question(
    id="04.recall.tells",
    ask="How does a kernel learn where RAM is?",
    facts=lambda rng: {},
    choices=lambda: {
        "firmware": "the firmware or the boot loader hands it a list",
        "probe": "it writes to every address and looks what comes back",
        "built": "the addresses are compiled into it",
    },
    answer=lambda: "firmware",
    misconceptions=(
        Misconception("RAM can be found by trying", key("probe"), "What would a write to a device's register do?"),
        Misconception("a kernel is built for one machine", key("built"), "How can one Debian kernel run on every PC?"),
    ),
    because="e820 or EFI on PCs, the device tree on ARM boards.",
)

ORDER = Question(
    id="04.recall.order",
    ask="Which of these holds for every zone, at any time?",
    facts=lambda rng: {},
    choices=lambda: {
        "right": "free ≤ managed ≤ present ≤ spanned",
        "present": "managed = present ≤ spanned",
        "spanned": "managed ≤ present = spanned",
    },
    answer=lambda: "right",
    misconceptions=(
        Misconception("RAM that is present is usable", key("present"), "Who has the pages of the kernel's image?"),
        Misconception("zones have no holes", key("spanned"), "What lies between 640 KiB and 1 MiB on a PC?"),
    ),
    because="spanned counts frames, present RAM, managed what the page allocator got, free what it still has.",
)

HIGHEST = Question(
    id="04.recall.highest",
    ask="Which zone never serves a GFP_KERNEL request on the 32-bit PC, however much of it is free?",
    facts=lambda rng: {"kernel": booted(PC)},
    choices=lambda kernel: {zone.name: zone.name for zone in kernel.zones if zone.populated},
    answer=lambda kernel: next(
        z.name for z in kernel.zones if z.populated and z.name not in serves(kernel, "GFP_KERNEL")
    ),
    misconceptions=(
        Misconception("DMA is for devices only", key("DMA"), "What does DMA keep, and from whom?"),
        Misconception("the kernel has a zone of its own", key("Normal"), "Where does GFP_KERNEL begin its search?"),
    ),
    because="its pages have no address in the direct map.",
)

NEWER = Question(
    id="04.recall.newer",
    ask="A line of /proc/zoneinfo says managed, another min. Which number is the newer one?",
    facts=lambda rng: {},
    choices=lambda: {
        "managed": "managed",
        "min": "min",
        "both": "both are of the moment at which the file is read",
    },
    answer=lambda: "managed",
    misconceptions=(
        Misconception(
            "watermarks follow every page that is given back",
            key("both"),
            "Who computes them again when the initrd is freed?",
        ),
        Misconception("boot sets managed once", key("min"), "What was given back after the watermarks were set?"),
    ),
    because="initrd and init code are given back after watermarks and reserves were computed.",
)

START = (PAGES, LAST_BYTE, TELLS)
END = (ORDER, HIGHEST, NEWER)
