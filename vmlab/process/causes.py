"""Why the frame behind an address changes: every cause, the change that it ends in, where to see it. A table.

`entry` is what the page table holds meanwhile; `trace` the tracepoint, with the reason that mm_migrate_pages names.
Sources: Linux 6.1, include/linux/migrate_mode.h (enum migrate_reason), include/trace/events/, and the functions named.
"""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """One cause. `kind` is a row of `ways.KINDS`."""

    name: str
    kind: str
    when: str
    entry: str
    trace: str
    source: str


SWAP, MIGRATION, NONE = "a swap entry", "a migration entry", "empty"
MIGRATE = "migrate:mm_migrate_pages"

CAUSES = (
    Cause("reclaim, anonymous", "swap out", "memory is short, a cgroup's limit, MADV_PAGEOUT", SWAP,
          "vmscan:mm_vmscan_write_folio", "mm/vmscan.c:shrink_folio_list"),
    Cause("reclaim, a file's page", "drop", "the same", NONE, "vmscan:mm_vmscan_lru_shrink_inactive",
          "mm/rmap.c:try_to_unmap_one"),
    Cause("swap-in", "swap in", "the page is touched", SWAP, "exceptions:page_fault_user", "mm/memory.c:do_swap_page"),
    Cause("compaction", "migrate", "a large block is wanted: kcompactd, direct, /proc/sys/vm/compact_memory", MIGRATION,
          f"{MIGRATE}, reason compaction", "mm/compaction.c:compact_zone"),
    Cause("NUMA balancing", "migrate", "a task works far from its memory", "PROT_NONE, then a migration entry",
          f"{MIGRATE}, reason numa_misplaced", "mm/migrate.c:migrate_misplaced_page"),
    Cause("move_pages, mbind, cpusets", "migrate", "a program or an administrator asks", MIGRATION,
          f"{MIGRATE}, reason syscall_or_cpuset or mempolicy_mbind", "mm/migrate.c:do_pages_move"),
    Cause("contiguous memory", "migrate", "a driver allocates from CMA, hugetlb pages are made", MIGRATION,
          f"{MIGRATE}, reason contig_range", "mm/page_alloc.c:__alloc_contig_migrate_range"),
    Cause("memory hot-remove", "migrate", "memory is taken offline, by an administrator or a balloon", MIGRATION,
          f"{MIGRATE}, reason memory_hotplug", "mm/memory_hotplug.c:do_migrate_range"),
    Cause("demotion", "migrate", "memory is short, and there is a slower kind of it", MIGRATION,
          f"{MIGRATE}, reason demotion", "mm/vmscan.c:demote_folio_list"),
    Cause("a long-term pin", "migrate", "before the pin: out of ZONE_MOVABLE and CMA", MIGRATION,
          f"{MIGRATE}, reason longterm_pin", "mm/gup.c:check_and_migrate_movable_pages"),
    Cause("a failing frame", "migrate", "too many corrected errors: soft offline", MIGRATION,
          f"{MIGRATE}, reason memory_failure", "mm/memory-failure.c:soft_offline_page"),
    Cause("KSM, merging", "merge", "ksmd finds equal bytes where MADV_MERGEABLE was asked for", NONE, "none until 6.3",
          "mm/ksm.c:replace_page"),
    Cause("KSM, unmerging", "copy", "a write to a merged page, MADV_UNMERGEABLE", "present, read-only",
          "exceptions:page_fault_user", "mm/ksm.c:break_ksm"),
    Cause("huge page, collapse", "collapse", "khugepaged, MADV_COLLAPSE", NONE, "huge_memory:mm_collapse_huge_page",
          "mm/khugepaged.c:collapse_huge_page"),
    Cause("huge page, split", "split", "part of it is unmapped, reclaimed or migrated", "invalid for a moment",
          "none (only thp_split_pmd in vmstat)", "mm/huge_memory.c:__split_huge_pmd"),
    Cause("copy-on-write", "copy", "first write after fork, to the zero page, to a private file's page",
          "present, read-only", "exceptions:page_fault_user", "mm/memory.c:wp_page_copy"),
    Cause("munmap, exit, exec", "unmap", "the program asks, or ends", NONE, "syscalls:sys_enter_munmap",
          "mm/memory.c:zap_pte_range"),
    Cause("MADV_DONTNEED, hole punch, truncate", "unmap", "the program, or whoever owns the file, asks", NONE,
          "syscalls:sys_enter_madvise", "mm/madvise.c:madvise_dontneed_single_vma"),
    Cause("mremap", "move away", "the program, or its realloc, asks", NONE, "syscalls:sys_enter_mremap",
          "mm/mremap.c:move_ptes"),
)  # fmt: skip
