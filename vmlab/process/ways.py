"""Who is told that an entry changed: every way there is to hear of it, against every kind of change. A table.

A cell is what that way says, or "" if it stays silent. Sources: Linux 6.1, include/linux/mmu_notifier.h and its
callers (mm/rmap.c, memory.c, ksm.c, khugepaged.c, mprotect.c, mremap.c), fs/userfaultfd.c, fs/proc/task_mmu.c,
include/trace/events/*.h, include/linux/vm_event_item.h.

Left out: what only root of a special kernel has (page_owner), and DAMON and idle page tracking, which tell of accesses
and never of moves.
"""

from __future__ import annotations

from typing import NamedTuple

from .events import Change

KINDS = {
    "map": "first touch: the page comes to be",
    "fork": "fork: the child's entry is copied",
    "copy": "copy-on-write: a write gets a frame of its own",
    "reuse": "the same frame becomes writable",
    "protect": "the same frame, other rights",
    "share": "a swap entry gets a second user",
    "swap out": "reclaim takes the page to swap",
    "drop": "reclaim drops a file's page",
    "swap in": "a fault brings it back, in whatever frame is free",
    "migrate": "compaction, NUMA balancing, hot-remove: another frame",
    "merge": "KSM: one frame for equal pages",
    "collapse": "khugepaged: a huge page",
    "split": "a huge page is split: the same frames",
    "unmap": "munmap, exit, MADV_DONTNEED",
    "move away": "mremap takes it from here",
    "move here": "mremap puts it here",
}
DONTNEED = "madvise(MADV_DONTNEED)"


class Way(NamedTuple):
    """One way to hear. `side` is who can use it, `when` is relative to the change, `says` a sentence for each kind."""

    name: str
    side: str  # "kernel module", "user", "root"
    when: str  # "before and after", "after", "when asked"
    cost: str
    says: dict[str, str]
    fooled: str  # in what case, and how
    since: str
    source: str

    def heard(self, change: Change) -> str:
        """What it says of a change; "" if nothing."""
        kind = kind_of(change)
        if self.name == "userfaultfd" and kind == "unmap" and change.cause == DONTNEED:
            return "UFFD_EVENT_REMOVE"
        if self.name == "MMU notifier" and kind == "unmap" and change.cause == DONTNEED:
            return "MMU_NOTIFY_CLEAR"
        if self.name == "MMU notifier" and kind == "protect" and change.cause == "mprotect":
            return "MMU_NOTIFY_PROTECTION_VMA"
        return self.says.get(kind, "")


def kind_of(change: Change) -> str:
    """The row of `KINDS` that a change belongs to."""
    if change.what == "move":
        return "move away" if change.new is None else "move here"
    return change.what


CLEAR = "MMU_NOTIFY_CLEAR"
WAYS = (
    Way(
        "MMU notifier",
        "kernel module",
        "before and after",
        "one callback for each range that changes, also if no frame does",
        dict.fromkeys(("copy", "swap out", "drop", "migrate", "merge", "collapse", "split"), CLEAR)
        | dict.fromkeys(("unmap", "move away"), "MMU_NOTIFY_UNMAP")
        | dict.fromkeys(("protect", "share"), "MMU_NOTIFY_PROTECTION_PAGE"),
        "by nobody; it is silent when an empty entry is filled, for nobody can remember a frame that was not there",
        "2.6.27",
        "include/linux/mmu_notifier.h; mm/rmap.c:try_to_migrate_one, try_to_unmap_one; mm/memory.c:wp_page_copy",
    ),
    Way(
        "userfaultfd",
        "user",
        "before (the thread waits)",
        "a wake-up and a switch for each first touch",
        {
            "map": "UFFD_EVENT_PAGEFAULT",
            "fork": "UFFD_EVENT_FORK",
            "unmap": "UFFD_EVENT_UNMAP",
            "move away": "UFFD_EVENT_REMAP",
        },
        "by everything that the kernel does on its own: swap, migration, KSM, huge pages",
        "4.3, events 4.11",
        "fs/userfaultfd.c",
    ),
    Way(
        "soft-dirty",
        "user",
        "when asked",
        "a fault for each page written after clearing, and 8 bytes read for each page",
        {"map": "bit 55 set", "copy": "bit 55 set", "reuse": "bit 55 set", "move here": "bit 55 set"},
        "by every move without a write: the bit travels with the page",
        "3.11, and only where CONFIG_MEM_SOFT_DIRTY is set",
        "fs/proc/task_mmu.c:clear_soft_dirty; mm/mremap.c:move_soft_dirty_pte",
    ),
    Way(
        "PAGEMAP_SCAN",
        "user",
        "when asked",
        "one call for a range; holes and huge pages cost little",
        {
            "map": "now present",
            "swap out": "now swapped",
            "drop": "no longer present",
            "swap in": "now present",
            "unmap": "no longer present",
            "move away": "no longer present",
            "move here": "now present",
            "collapse": "now huge",
            "split": "no longer huge",
        },
        "by every move from frame to frame: it tells no frame numbers",
        "6.7",
        "Linux 6.12, fs/proc/task_mmu.c:pagemap_scan_pmd_entry",
    ),
    Way(
        "tracepoints",
        "root",
        "after",
        "every event of the whole machine",
        {
            "map": "kmem:mm_page_alloc (a frame, no address)",
            "copy": "exceptions:page_fault_user (an address, no frame; x86)",
            "swap out": "vmscan:mm_vmscan_write_folio (the frame, no mm)",
            "migrate": "migrate:mm_migrate_pages (how many and why: no mm, no address)",
            "collapse": "huge_memory:mm_collapse_huge_page (the mm, no address)",
            "unmap": "syscalls:sys_enter_munmap",
            "move away": "syscalls:sys_enter_mremap",
            "swap in": "exceptions:page_fault_user (an address, no frame; x86)",
        },
        "by KSM (events since 6.3); and none has (mm, address, old frame, new frame) together",
        "2.6.32 and later",
        "include/trace/events/migrate.h, vmscan.h, kmem.h, huge_memory.h",
    ),
    Way(
        "/proc/vmstat",
        "user",
        "when asked",
        "one small file for the whole machine",
        {
            "map": "pgfault",
            "copy": "pgfault",
            "reuse": "pgfault",
            "swap in": "pswpin",
            "swap out": "pswpout",
            "drop": "pgsteal_file",
            "migrate": "pgmigrate_success",
            "collapse": "thp_collapse_alloc",
            "split": "thp_split_pmd",
        },
        "by munmap, mremap and KSM; and it says that some page moved, not which",
        "2.6",
        "include/linux/vm_event_item.h",
    ),
    Way(
        "kpagecount",
        "root",
        "when asked",
        "8 bytes for each remembered frame",
        dict.fromkeys(("swap out", "drop", "migrate", "collapse", "unmap"), "the old frame is mapped by nobody now")
        | dict.fromkeys(("merge", "copy"), "one user less, or more, than before")
        | {"fork": "one user more", "map": "one user"},
        "by whoever gets the old frame next: it is mapped once again; and by mremap, which moves no frame",
        "2.6.25",
        "fs/proc/page.c:kpagecount_read",
    ),
    Way(
        "pagemap again",
        "root",
        "when asked",
        "8 bytes for each page of the range, every time",
        dict.fromkeys(("copy", "migrate", "merge", "collapse"), "another frame")
        | dict.fromkeys(("map", "swap in", "move here"), "a frame where none was")
        | dict.fromkeys(("drop", "unmap", "move away"), "nothing there")
        | {"swap out": "a slot"},
        "by there-and-back; and the answer is out of date when read() returns",
        "2.6.25, frames for CAP_SYS_ADMIN only since 4.2",
        "fs/proc/task_mmu.c:pagemap_read",
    ),
)


def way(name: str) -> Way:
    """One way, by its name."""
    return next(row for row in WAYS if row.name == name)
