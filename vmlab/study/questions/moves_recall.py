"""Recall for lesson 12: three questions about what came before, three about the lesson itself."""

from __future__ import annotations

from ...process.prevents import hold
from ...process.ways import way
from ...units import PAGE_SHIFT
from ..question import Misconception, Question, always
from .moves import deaf_to, forked, swapped
from .slab import fixed
from .tlb_steps import apart

ADDRESS = apart(
    Question(
        id="12.recall.address",
        ask="A page is in frame {pfn:#x}. Which physical address has byte {offset:#x} of it?",
        facts=lambda rng: {"pfn": rng.randrange(0x100, 0x8_0000), "offset": rng.randrange(0x10, 0x1000)},
        answer=lambda pfn, offset: pfn << PAGE_SHIFT | offset,
        misconceptions=(
            Misconception("a frame number is an address", lambda pfn, offset: pfn + offset, "How large is a frame?"),
            Misconception(
                "a frame has 1,024 bytes", lambda pfn, offset: (pfn << 10) + offset, "Which bits are offset?"
            ),
            Misconception("the offset is not part of it", lambda pfn, offset: pfn << PAGE_SHIFT, "Which byte is that?"),
        ),
        because="the frame number times 4,096, plus the offset.",
        show=hex,
    )
)

SHARED = Question(
    id="12.recall.shared",
    ask="Right after fork(), before anybody writes: in which frames are the child's private pages?",
    facts=fixed({}),
    choices=lambda: {
        "same": "in the parent's",
        "copies": "in frames of their own",
        "none": "in none, until the child reads them",
    },
    answer=lambda: "same" if forked() == "parent" else "copies",
    misconceptions=(
        Misconception("fork copies memory", always("copies"), "How could fork of a large process be so quick?"),
        Misconception("the child starts empty", always("none"), "What does the child's table say?"),
    ),
    because="entries are copied, frames are shared, and both sides may only read: copy-on-write.",
)

ENTRY = Question(
    id="12.recall.entry",
    ask="A page is in swap. Where does Linux keep the number of its slot?",
    facts=fixed({}),
    choices=lambda: {
        "entry": "in the page-table entry, where the frame number was",
        "frame": "in the struct page of its old frame",
        "table": "in one table of the system, by virtual address",
    },
    answer=lambda: "entry" if swapped()[0] == "user" else "frame",
    misconceptions=(
        Misconception("the frame remembers", always("frame"), "Whose is the frame by then?"),
        Misconception("swap is searched by address", always("table"), "Have two processes the same addresses?"),
    ),
    because="an entry that is not present belongs to Linux: it holds the area and the slot.",
)

MERGED = Question(
    id="12.recall.merged",
    ask="KSM has just merged your page with an equal one of another process. Who told?",
    facts=fixed({}),
    choices=lambda: {
        "MMU notifier": "MMU notifiers",
        "soft-dirty": "the soft-dirty bit",
        "/proc/vmstat": "a counter of moves in /proc/vmstat",
        "userfaultfd": "userfaultfd",
    },
    answer=lambda: next(
        name for name in ("MMU notifier", "soft-dirty", "/proc/vmstat") if name not in deaf_to("merge")
    ),
    misconceptions=(
        Misconception("merging is a write", always("soft-dirty"), "Did your program write?"),
        Misconception("every move is counted as a migration", always("/proc/vmstat"), "Was the page migrated?"),
        Misconception("userfaultfd hears what the kernel does", always("userfaultfd"), "Whose calls does it report?"),
    ),
    because="the entry changed, so notifiers were called; of all that a program may ask without root, "
    "nothing has changed.",
)

HOLDS = Question(
    id="12.recall.holds",
    ask="Which of these keeps a page in its frame against compaction?",
    facts=fixed({}),
    choices=lambda: {"mlock": "mlock", "long-term pin": "a long-term pin", "both": "both", "none": "neither"},
    answer=lambda: next(name for name in ("mlock", "long-term pin") if "migrate" in hold(name).stops),
    misconceptions=(
        Misconception("locked means in place", always("mlock"), "What did the locked page in the model do?"),
        Misconception("both hold the frame", always("both"), "Which of the two counts as a reference?"),
        Misconception("nothing stops compaction", always("none"), "What does a device that writes to RAM rely on?"),
    ),
    because="a pin is a reference that the kernel cannot account for, so it does not move the page.",
)

TOLD = Question(
    id="12.recall.told",
    ask="An MMU notifier is called. What does it know for certain?",
    facts=fixed({}),
    choices=lambda: {
        "range": "that entries of this range may change from now on",
        "frame": "the old and the new frame of each page",
        "moved": "that some page of the range has another frame now",
    },
    answer=lambda: "range" if "split" in way("MMU notifier").says else "moved",
    misconceptions=(
        Misconception("it is told both frames", always("frame"), "Is the new frame known when the call comes?"),
        Misconception("it is called for real moves only", always("moved"), "What happens to frames in a split?"),
    ),
    because="it is called before, for a range, also if no frame changes: drop what you know, and look again.",
)

START = (ADDRESS, SHARED, ENTRY)
END = (MERGED, HOLDS, TOLD)
