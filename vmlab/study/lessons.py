"""The lessons as one table: number, file, title, the question behind it, and which lesson needs which.

Everything that lists lessons reads it here: the bank of questions, the map of lessons, the book's index; a test
holds README's table, `lessons/` and each lesson's own first cell to it.
"""

from __future__ import annotations

from typing import NamedTuple

from . import progress


class Lesson(NamedTuple):
    """One lesson; its questions lie in the files of `questions/` that begin with `topic`.

    `needs` are the numbers of the lessons right before it, `helps` of those that are good to know.
    """

    number: str
    stem: str
    title: str
    question: str
    topic: str
    needs: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The notebook's name."""
        return f"{self.number}-{self.stem}.ipynb"


START = Lesson("00", "start-here", "Start here", "how do predictions and hints work, and what is next?", "start")
LESSONS = (
    Lesson(
        "01", "same-address-two-processes", "Same address, two processes",
        "would the same virtual address not point to the same physical location?", "same_address",
    ),
    Lesson(
        "02", "real-page-table-formats", "Real page-table formats",
        "is an address always cut in two, and is a page always 4 KiB?", "formats", ("01",),
    ),
    Lesson(
        "03", "tlb-and-asids", "TLB, ASIDs, what a switch flushes",
        "why is the same sum slow by columns, and what does a switch really forget?", "tlb", ("01",),
    ),
    Lesson(
        "04", "from-firmware-map-to-zones", "From the firmware's map to zones",
        'where does the kernel\'s "available memory" go?', "zones",
    ),
    Lesson(
        "05", "where-is-mem_map", "Where is mem_map?",
        "which page frames hold mem_map[], and may I use every frame of my new zone?", "mem_map", ("04",),
    ),
    Lesson(
        "06", "buddy", "The buddy allocator, and a list of one's own",
        "may I manage the page frames of my zone in my own way?", "buddy", ("05",),
    ),
    Lesson(
        "07", "slab-and-vmalloc", "Slab, kmalloc, vmalloc",
        "how can the kernel keep more than 128 MB of data structures?", "slab", ("05",), ("06",),
    ),
    Lesson(
        "08", "highmem-windows", "32-bit HighMem: the kernel's small windows",
        "and how does it reach memory that it has no address for?", "highmem", ("07",),
    ),
    Lesson(
        "09", "logical-or-virtual", "The 64-bit direct map: logical or virtual?",
        "given an address, is it 1:1 mapped or virtually mapped?", "layout", ("07",), ("02",),
    ),
    Lesson(
        "10", "demand-paging-fork-swap", "Demand paging, fork, swap",
        "how can I identify the page_pid_1_0x400000?", "swap", ("01",), ("02",),
    ),
    Lesson(
        "11", "reclaim-and-replacement", "Reclaim and replacement",
        "whose page goes when every frame is in use?", "reclaim", ("10",), ("04",),
    ),
    Lesson(
        "12", "pages-that-move", "Pages that move, and who tells you",
        "is there a way to be notified if a page has been moved or swapped?", "moves", ("10",),
    ),
    Lesson(
        "13", "boot-a-real-kernel", "Boot a real kernel, and be right about it first",
        "and what does a real kernel say, when you ask it?", "live", ("05",), ("09",),
    ),
)  # fmt: skip


def before(lesson: Lesson) -> set[str]:
    """Numbers of all lessons that come before this one: those it needs, and what those need."""
    by_number = {other.number: other for other in LESSONS}
    return {found for number in lesson.needs for found in ({number} | before(by_number[number]))}


def answers_kept() -> dict[str, int]:
    """How many answers of each lesson are kept in the learner's file; exercises count with their lesson."""
    ids = progress.known()
    return {lesson.number: sum(name.startswith(f"{lesson.number}.") for name in ids) for lesson in LESSONS}


def next_lesson() -> Lesson | None:
    """The first lesson with nothing answered whose needs are all begun; None when every lesson is begun."""
    begun = {number for number, count in answers_kept().items() if count}
    fresh = [lesson for lesson in LESSONS if lesson.number not in begun]
    return next((lesson for lesson in fresh if set(lesson.needs) <= begun), None)
