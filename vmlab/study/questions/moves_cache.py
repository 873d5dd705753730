"""Lesson 12's decision: how to come by frame numbers that are right, and what each way costs."""

from __future__ import annotations

from ..weigh import Scenario

CACHE = Scenario(
    id="12.cache",
    ask="Your program needs the frame numbers of a buffer of 64 MiB, thousands of times a second, on servers where "
    "memory is compacted and swapped. You may load a kernel module on some of them. What do you do on which?",
    ways=(
        ("read pagemap once, keep it", "no cost", "wrong without any sign, and somebody else's frame in the end"),
        ("read pagemap before each use", "wrong only in the gap", "16,384 words each time, and the gap stays"),
        ("counters of /proc/vmstat, then read", "one small file for each check", "deaf to fork, munmap and KSM"),
        ("mlock and hope", "no swap", "compaction, NUMA balancing and copy-on-write move pages all the same"),
        (
            "pin: io_uring's fixed buffers, RDMA; or pin_user_pages in a module",
            "frames stay for as long as the pin does",
            "memory that nobody can compact; RLIMIT_MEMLOCK; watch your own munmap",
        ),
        (
            "a module with mmu_interval_notifier",
            "right at all times, and pages may still move",
            "a kernel module; each change of the range costs a callback and a second look",
        ),
        (
            "hugetlb pages, set aside",
            "never swapped, 32 numbers instead of 16,384",
            "may still migrate; set up by root",
        ),
        ("need no frame numbers", "nothing to keep right", "another design: let the kernel or an IOMMU translate"),
    ),
)
