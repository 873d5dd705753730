"""Claims to judge in lesson 05: an address handed down, a list of one's own, and what else one could do."""

from __future__ import annotations

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Image, Region
from ...physical.page_list import PageList
from ...units import GiB, KiB, MiB
from ..question import Misconception, Question, always
from ..weigh import Scenario
from .mem_map import asker

FOLKLORE_VA = 0xC100_0000

FOLKLORE = Question(
    id="05.folklore",
    ask="The posted answer says: mem_map is stored at the first mappable address, behind the kernel image and the "
    "16 MiB of ZONE_DMA: at virtual 0xC100_0000. Judge it: on which kernels does the array lie there?",
    facts=lambda rng: {"at": tuple(kernel.mem_map.va for kernel in old_kernels().values())},
    choices=lambda at: {
        "all": "on every 32-bit kernel: the address is fixed",
        "dma": "on every kernel that has a ZONE_DMA of 16 MiB",
        "some": "on some old PC kernels, by an accident of two numbers",
        "none": "on none: the address was made up",
    },
    answer=lambda at: "none" if FOLKLORE_VA not in at else "all" if set(at) == {FOLKLORE_VA} else "some",
    misconceptions=(
        Misconception(
            "a place that was seen once is a rule", always("all"), "What did the record of the 1 GiB board show?"
        ),
        Misconception(
            "ZONE_DMA is in the way of the array",
            always("dma"),
            "Is ZONE_DMA mapped, and did it hold mem_map on the 1 GiB board?",
        ),
        Misconception("folklore has no origin", always("none"), "Which way did the allocator before memblock search?"),
    ),
    because="an allocator that searches up from 16 MiB puts it there, if the kernel ends below that.",
)


def old_kernels() -> dict[str, Kernel]:
    """Three machines booted with bootmem, the allocator of 2.4 and 2.6: two PCs and an ARM board."""
    ram = (Region(0, 639 * KiB), Region(MiB, 1023 * MiB))
    images = {"PC, kernel at 1 MiB": Image(MiB, 5 * MiB), "PC, kernel at 16 MiB": Image(16 * MiB, 24 * MiB)}
    found = {
        name: boot(Machine(arch="i386", ram=ram, image=image, boot_allocator="bootmem"))
        for name, image in images.items()
    }
    board = Machine(arch="arm", ram=(Region(0x4000_0000, GiB),), boot_allocator="bootmem")
    return found | {"ARM board": boot(board)}


LIST = Question(
    id="05.list",
    ask="NewMem is left out of every zonelist, so the kernel never allocates from it. Now a list of your own takes "
    "all its {pages:,} frames, without asking the page allocator, and hands out {handed}. How many frames have "
    "two owners?",
    facts=lambda rng: {"kernel": (kernel := boot(asker())), "pages": kernel.zones["NewMem"].present_pages, "handed": 3},
    answer=lambda kernel, pages, handed: _doubly_owned(kernel),
    misconceptions=(
        Misconception(
            "a zone outside every zonelist has left the page allocator",
            lambda **_: 0,
            "On whose free lists do the struct pages of these frames still stand?",
        ),
        Misconception(
            "a frame has an owner only while somebody uses it",
            lambda kernel, pages, handed: handed,
            "By which field of struct page are free frames linked, and by how many lists?",
        ),
    ),
    because="a zonelist says where to look; the free lists say who owns, and all of NewMem still stands on buddy's.",
)


OWN_512M = Scenario(
    id="05.own-512m",
    ask="A device of yours needs 512 MiB for its buffers, an hour a day. Which way would you take, and what do you "
    "give up for it?",
    ways=(
        (
            "a zone of its own",
            "a range you know, with struct pages",
            "a patched kernel for ever; one of only four zones",
        ),
        (
            "reserved-memory, no-map, in the device tree",
            "a fixed range that boot leaves alone",
            "no struct pages; idle memory is lost",
        ),
        ("CMA: cma=512M", "contiguous memory, lent out while idle", "taking it back means migration, which may fail"),
        (
            "alloc_pages() in large blocks, early",
            "no patch, and frames that are yours by the rules",
            "not one range; fails once memory is fragmented",
        ),
        ("hugetlb pages: hugepages=N", "large pages for a process, by mmap()", "for user memory only, in one size"),
    ),
)


def _doubly_owned(kernel: Kernel) -> int:
    """Frames on a list of one's own that somebody else owns too: asked of the list itself."""
    return sum(conflict.pages for conflict in PageList(kernel, "NewMem").conflicts())
