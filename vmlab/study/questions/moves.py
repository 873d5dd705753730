"""Questions of lesson 12: what can move, who tells, what holds a page. Every right answer is asked of the model."""

from __future__ import annotations

import functools

from ...kernel import Kernel, boot
from ...machine import Machine
from ...parts import Region
from ...process.frame_race import Score, race
from ...process.notify import Watch
from ...process.process import Process
from ...process.ways import WAYS, way
from ...units import PAGE_SHIFT, GiB
from ..question import Misconception, Question, always
from .slab import fixed

VA = 0x40_0000


def small() -> tuple[Kernel, Process]:
    """A machine whose frames are all in the direct map, with swap, and a process with one page written."""
    kernel = boot(Machine(arch="amd64", ram=(Region(0x10_0000, GiB),)))
    kernel.swapon(64, synchronous=True)
    process = kernel.spawn("yours")
    process.mmap(VA, 1)
    process.write(VA, b"hello")
    return kernel, process


def frame(process: Process) -> int:
    """The frame of its page, 0 if it is not present."""
    return process.page_table.pte(VA).pfn or 0


def changes(watch: Watch) -> str:
    """What happened to the page's entry, a line each; who told of it is left out."""
    return "\n".join(move.change.tell() for move in watch.moves)


@functools.cache
def swapped() -> tuple[str, int, int]:
    """What a swap-out does to the user's entry and to the kernel's logical address of the same frame."""
    kernel, process = small()
    pfn = frame(process)
    logical = kernel.phys_to_virt(pfn << PAGE_SHIFT)
    kernel.memory.reclaim_pages([kernel.memory.page(pfn)])
    is_out = process.page_table.pte(VA).swap is not None
    still = kernel.layout.classify(logical).logical and kernel.virt_to_phys(logical) >> PAGE_SHIFT == pfn
    return {(True, True): "user", (False, True): "never", (True, False): "both"}[is_out, still], pfn, logical


SWAPPED = Question(
    id="12.swapped",
    ask="A user's page lies in a frame of the direct map, so the kernel has a logical address for that frame, too. Can "
    "the page be swapped out?",
    facts=fixed({}),
    choices=lambda: {
        "never": "no: a logically mapped frame is never swapped",
        "both": "yes, and the kernel's logical address faults until the page comes back",
        "user": "yes: the user's entry changes; the logical address stays, and leads to whatever is in the frame next",
        "copy": "yes: the page goes to another frame of the direct map",
    },
    answer=lambda: swapped()[0],
    misconceptions=(
        Misconception("being in the direct map is what keeps a page", always("never"), "Whose page is it?"),
        Misconception("pages are swapped at every address", always("both"), "Which tables does reclaim write?"),
        Misconception("swapping is a kind of move inside RAM", always("copy"), "Where is swap space?"),
    ),
    because="frames are mapped for good, pages are not: what is swapped is the user's page. Memory that the kernel "
    "itself allocated (slab, page tables) has no owner whose entry could be changed, and is never swapped.",
)


@functools.cache
def forked() -> str:
    """Whose frame changes when the parent writes after fork."""
    _, process = small()
    child = process.fork("child")
    assert isinstance(child, Process)
    before = frame(process)
    process.write(VA, b"again")
    changed = {"parent": frame(process) != before, "child": frame(child) != before}
    return next((name for name, is_new in changed.items() if is_new), "none") if sum(changed.values()) < 2 else "both"


FORKED = Question(
    id="12.forked",
    ask="You have read your page's frame number. Then your process calls fork(), and while the child lives, your "
    "process writes to the page. Whose page is in another frame now?",
    facts=fixed({}),
    choices=lambda: {
        "child": "the child's: it is the copy",
        "parent": "yours: whoever writes first gets a new frame",
        "both": "both: the old frame is given up",
        "none": "nobody's: fork copied the page already",
    },
    answer=lambda: forked(),
    misconceptions=(
        Misconception("the original stays with the parent", always("child"), "Which of the two had a fault?"),
        Misconception("a shared frame is left by all at once", always("both"), "Who still reads the old bytes?"),
        Misconception("fork copies memory", always("none"), "What did lesson 01 show about frames after fork?"),
    ),
    because="the fault is the writer's, so the copy is the writer's. No reclaim and no other program was needed.",
)


@functools.cache
def locked() -> str:
    """What becomes of a page that is mlocked, when memory is short and when it is compacted."""
    kernel, process = small()
    process.mlock(VA, 4096)
    pfn = frame(process)
    kernel.memory.reclaim_pages([kernel.memory.page(pfn)])
    is_here = frame(process) == pfn
    kernel.memory.migrate(pfn)
    moved = frame(process) != pfn
    return {(True, True): "moves", (True, False): "nothing", (False, True): "all"}.get((is_here, moved), "swap")


LOCKED = Question(
    id="12.locked",
    ask="You mlock() the page. Which of these can still happen to it?",
    facts=fixed({}),
    choices=lambda: {
        "nothing": "neither: it stays in its frame",
        "moves": "it may be moved to another frame, but not swapped out",
        "swap": "it may be swapped out, but not moved",
        "all": "both: mlock is only advice",
    },
    answer=lambda: locked(),
    misconceptions=(
        Misconception("locked in memory means locked in its frame", always("nothing"), "What does mlock promise?"),
        Misconception("mlock holds the frame number", always("swap"), "Which fault would a locked page never take?"),
        Misconception("mlock is like madvise", always("all"), "What would a real-time program need it for?"),
    ),
    because="mlock promises that the page is in RAM. Where in RAM is the kernel's business: compaction moves "
    "locked pages, too (vm.compact_unevictable_allowed, 1 by default).",
)

USER_WAYS = ("soft-dirty", "userfaultfd", "PAGEMAP_SCAN")
TELLS = Question(
    id="12.tells",
    ask="Compaction moves your page to another frame. Your program never touches it meanwhile. Which of these tells "
    "your program?",
    facts=fixed({}),
    choices=lambda: {
        "soft-dirty": "the soft-dirty bit in pagemap",
        "userfaultfd": "an event of userfaultfd",
        "PAGEMAP_SCAN": "PAGEMAP_SCAN",
        "none": "none of them",
    },
    answer=lambda: next((name for name in USER_WAYS if "migrate" in way(name).says), "none"),
    misconceptions=(
        Misconception("a moved page counts as written", always("soft-dirty"), "Did anybody write through your entry?"),
        Misconception("userfaultfd hears all faults and moves", always("userfaultfd"), "Who had a fault?"),
        Misconception("PAGEMAP_SCAN tells frames", always("PAGEMAP_SCAN"), "Which categories does it know?"),
    ),
    because="they tell of writes, of the program's own calls, and of present or swapped. From frame to frame, the page "
    "is present before and after, and nobody wrote.",
)


@functools.cache
def scores(*kinds: str) -> dict[str, Score]:
    """The race of the lesson, by remedy."""
    return {score.name: score for score in (race(kinds=kinds) if kinds else race())}


def _always() -> str:
    asked, never = (scores()[name].stale_uses for name in ("ask before each use", "never ask again"))
    return "none" if not asked else "some" if asked < never else "all"


ASKED = Question(
    id="12.asked",
    ask="You give up the cache: you read pagemap right before each use of a frame number. Of 200 uses, while pages "
    "are moved now and then, how many use a wrong frame?",
    facts=fixed({}),
    choices=lambda: {"none": "none", "some": "a few", "all": "as many as if you had never asked again"},
    answer=lambda: _always(),
    misconceptions=(
        Misconception("what has just been read is true", always("none"), "What can happen after read() has returned?"),
        Misconception("reading pagemap is of no use at all", always("all"), "How long is the gap that is left?"),
    ),
    because="the answer is out of date as soon as read() returns: a move in the middle of the use is not seen.",
)


def _pin() -> str:
    return next((kind for kind in ("migrate", "swap out", "merge", "unmap") if scores(kind)["long-term pin"].stale), "")


PINNED = Question(
    id="12.pinned",
    ask="A driver pins your page for long (FOLL_LONGTERM) and keeps its frame number. Which of these makes the number "
    "wrong for your address all the same?",
    facts=fixed({}),
    choices=lambda: {
        "migrate": "compaction",
        "swap out": "memory pressure: swap",
        "merge": "KSM: another page with equal bytes",
        "unmap": "your own munmap, and a new mmap at the same address",
    },
    answer=lambda: _pin(),
    misconceptions=(
        Misconception("compaction moves everything", always("migrate"), "How does the kernel see that a page is used?"),
        Misconception("only mlock keeps a page from swap", always("swap out"), "What does reclaim say to a pin?"),
        Misconception("ksmd does not look at pins", always("merge"), "Which count would not fit?"),
    ),
    because="a pin holds the frame, not the mapping. The device goes on writing to a frame that is not yours any more.",
)


def _silent() -> str:
    says = way("MMU notifier").says
    return next(kind for kind in ("swap out", "migrate", "swap in", "unmap") if kind not in says)


SILENT = Question(
    id="12.silent",
    ask="One of these changes is not announced to MMU notifiers, and need not be. Which?",
    facts=fixed({}),
    choices=lambda: {
        "swap out": "the page is swapped out",
        "swap in": "the page is read back from swap, to some frame",
        "migrate": "the page is moved to another frame",
        "unmap": "the page is unmapped",
    },
    answer=lambda: _silent(),
    misconceptions=(
        Misconception(
            "notifiers are about moves, and swap is no move", always("swap out"), "Who may use the frame next?"
        ),
        Misconception("the bytes stay equal, so nobody cares", always("migrate"), "What would a device write to?"),
        Misconception("an unmapped page needs no word", always("unmap"), "Who may still have the frame number?"),
    ),
    because="the entry was empty before: whoever listened has dropped the frame at swap-out and remembers nothing.",
)


def deaf_to(kind: str) -> list[str]:
    """Ways that say nothing of a kind of change."""
    return [row.name for row in WAYS if kind not in row.says]
