# %% [markdown]
# # 12 · Pages that move: caching frame numbers, and who tells you
#
# **Purpose.** Know what changes the frame behind an address, who is told, and what it takes to rely on a frame number.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 01: page tables, copy-on-write. Lesson 10: swap entries. A **frame number** (pfn) is a physical
# address divided by 4,096.
#
# **After this you can**
#
# - *read* a word of /proc/PID/pagemap, and say what it does not tell;
# - *predict* which events move a page, and which only look like it;
# - *explain* why no program can keep a frame number right by asking;
# - *choose* between listening, holding, and doing without.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
from vmlab import explore, procfs, views
from vmlab.process.causes import CAUSES
from vmlab.process.frame_race import race
from vmlab.process.prevents import HELD_AGAINST, HOLDS
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import moves as ask
from vmlab.study.questions import moves_cache, moves_recall, moves_steps

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*moves_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody asks, in public:
#
# > Virtual address to physical page mapping can be changed during application runtime by swapping or physical page
# > reallocation for memory defragmentation or etc. What if I want to cache physical page numbers (PPNs) of some virtual
# > address range from /proc/PID/pagemap, since accessing proc/PID/pagemap is extremely expansive overhead to be checked
# > every time, is there a way to be notified if a page has been moved to other physical address or swapped, on the
# > effective address or just any part of memory? Any kind of method will be ok (not just userspace method, but also
# > those that can be only implemented in kernel space).
#
# And somebody else, about 32-bit kernels: *can logically mapped pages be swapped out?* We need that one first.
#
# ## 3. A word of pagemap
#
# `/proc/PID/pagemap` has eight bytes for each virtual page. Here are words that a real kernel gave. The process had
# touched every second page of an area, and these were swapped out:

# %%
sample = procfs.sample_pagemap()
for va, entry in list(sample)[:4]:
    print(f"{va:#x}  {entry.encode():#018x}  {entry.tell()}")

# %% [markdown]
# And the word of a page that is present, worked out. The names of the steps stay the same from here on.

# %%
moves_steps.present_steps(0x8180_0000_0000_29E0, "0x81800000000029e0")

# %% [markdown]
# **Soft-dirty** (bit 55) says that the page was written since somebody last cleared these bits, or that its area is
# newer than that. **Exclusive** (bit 56) says that it is mapped exactly once. Bit 62 means *swapped*: then the low bits
# are five bits of swap area, and above them the slot.
#
# ### One step is yours

# %%
practise(moves_steps.FRAME)

# %% [markdown]
# ### All steps are yours

# %%
practise(moves_steps.SLOT)

# %%
practise(moves_steps.PLACE)

# %% [markdown]
# ## 4. Can logically mapped pages be swapped out?

# %%
predict(ask.SWAPPED)

# %%
kernel, process = ask.small()
swapped = kernel.watch(process, ask.VA)
pfn = ask.frame(process)
kernel.memory.reclaim_pages([kernel.memory.page(pfn)])
logical = kernel.phys_to_virt(pfn << 12)
reveal(
    ask.SWAPPED,
    lambda: f"{ask.changes(swapped)}\nThe kernel's logical address of frame {pfn:#x} is {logical:#x}, now as before.",
)

# %% [markdown]
# *Logically mapped* is a property of a frame, *swapped* is something that happens to a page. The direct map goes on
# pointing to the frame, whoever's bytes are in it. So a logical address that you computed from a frame number goes
# stale in the same way as the number itself, without any fault.
#
# ## 5. What moves a page
#
# No other program and no shortage of memory is needed:

# %%
predict(ask.FORKED)

# %%
kernel, process = ask.small()
forked = kernel.watch(process, ask.VA)
child = process.fork("child")
process.write(ask.VA, b"again")
reveal(ask.FORKED, lambda: ask.changes(forked))

# %% [markdown]
# Each line is one change of your page's entry, with the kernel's function that made it. At fork the frame stayed, and
# the entry became read-only; at the write you got another frame. Now the remedy that everybody thinks of first:

# %%
predict(ask.LOCKED)

# %%
kernel, process = ask.small()
process.mlock(ask.VA, 4096)
locked = kernel.watch(process, ask.VA)
page = kernel.memory.page(ask.frame(process))
said = kernel.memory.reclaim_pages([page]).tell(), kernel.memory.migrate(page.pfn).tell()
reveal(ask.LOCKED, lambda: f"Reclaim: {said[0]}\nCompaction: {said[1]}\n{ask.changes(locked)}")

# %% [markdown]
# All causes follow. While a page is copied to another frame its entry is a **migration entry**: a swap entry of a
# special kind, at which whoever touches the page waits. The last column names the **tracepoint** that root could listen
# to.

# %%
views.Table(("cause", "change", "when", "entry meanwhile", "tracepoint"), [row[:5] for row in CAUSES])

# %% [markdown]
# Most of them happen behind the program's back.
#
# ## 6. Who tells
#
# Your program sleeps, compaction moves its page.

# %%
predict(ask.TELLS)

# %%
reveal(ask.TELLS)

# %% [markdown]
# There are eight ways to hear of a change:
#
# - **MMU notifier**: a kernel module registers for an address space; the kernel calls it before and after entries
#   change. KVM, RDMA and GPU drivers live from it.
# - **userfaultfd**: a program hears of first touches and of its own `munmap` and `mremap`.
# - **soft-dirty**: which pages were written.
# - **PAGEMAP_SCAN** (Linux 6.7): which pages are present, swapped, written. No frames.
# - **tracepoints**: much, to root; but none has process, address, old and new frame together.
# - **/proc/vmstat**: counters of the whole machine.
# - **kpagecount**: how often a frame is mapped. Root's.
# - **pagemap again**: what differs from last time. Frames for root only.
#
# Not even the first of them is told of everything.

# %%
predict(ask.SILENT)

# %%
reveal(ask.SILENT, lambda: views.who_tells())

# %% [markdown]
# The rows are what can happen to an entry, the columns who tells. And what does each way cost, and what fools it?

# %%
views.ways_compared()

# %% [markdown]
# Now do it yourself, to one page: press a button, or type its letter. Guess first:
#
# 1. Swap the page out and read it again. Does it come back to the same frame? Would polling have noticed?
# 2. Collapse and split a huge page. Which of the two changes frames? Which ways tell of the other one?
# 3. Pin the page, then try everything. What still changes it?
# 4. Which move is told to nobody but the MMU notifier, and to root who asks?

# %%
explore.page_explorer()

# %% [markdown]
# In a cell of your own it is `kernel.watch(process, va)`; `print` what its `tell()` returns.
#
# ## 7. The race
#
# A program uses frame numbers of 16 pages 200 times. About every fourth time something happens to a page: it is moved,
# swapped, copied after fork, unmapped and mapped again, or merged. A quarter of these happen in the *middle* of a use.
# Ten remedies go through the same 200 uses, each on a machine of its own, where another process takes and gives back
# frames all the time. The page table says who was right. (These are toy sizes: only the order of the remedies counts.)

# %%
predict(ask.ASKED)

# %%
scores = race(seed=1)
reveal(ask.ASKED, lambda: views.race_bars(scores, "Ten remedies, the same 200 uses"))

# %% [markdown]
# A remedy pays in calls, in words of pagemap that it reads, in callbacks, or in frames that it holds. The gap between
# asking and using cannot be closed from outside the kernel. It can be made small, and that has a price:

# %%
practise(moves_steps.COST)

# %%
practise(moves_steps.LATE)

# %% [markdown]
# Now choose what happens, and how often. Guess first:
#
# 1. Only compaction: which remedies become useless, and which perfect?
# 2. Only fork: why is /proc/vmstat as bad as never asking?
# 3. Nothing happens: what does each remedy pay for nothing?

# %%
explore.race_explorer()

# %% [markdown]
# ## 8. What holds a page

# %%
predict(ask.PINNED)

# %%
rows = [
    (held.name, *("held" if cause in held.stops else "no help" for cause in HELD_AGAINST), held.cost) for held in HOLDS
]
reveal(ask.PINNED, lambda: views.Table(("", *HELD_AGAINST, "cost"), rows))

# %% [markdown]
# A **long-term pin** is what drivers for RDMA and VFIO take, and io_uring for its registered buffers: so a program can
# have one without a kernel module. It holds the frame; only you can take care of the address.
#
# **The answer to the asker.** Yes, in the kernel: `mmu_interval_notifier_insert` on the range. Note the sequence
# number, look the frame up, and use it only if `mmu_interval_read_retry` says that nothing has changed since, under a
# lock that your callback takes too. The callback drops what you know, and waits until nobody uses it. That is the last
# row of the race. Without a module: pin, or do not depend on frame numbers. Everything that asks is late: *it tells you
# that you were wrong, not that you will be*.
#
# ## 9. Decide

# %%
weigh(moves_cache.CACHE)

# %% [markdown]
# ## 10. Your machine
#
# A small process is started; one page of it is written, forked, paged out, made part of a huge page, and remapped.
# Before you run the cell: which of these steps change the frame? Without root the frame numbers are hidden, and the
# text says what can be seen all the same. Elsewhere than on Linux a recorded process is shown.

# %%
explore.own_moves()

# %% [markdown]
# One step more, which needs root and concerns the whole machine: ask the kernel to compact all memory once, as it does
# by itself when it needs large blocks. Change `False` to `True` if the machine is yours. Our page may or may not be
# among those that are moved; the last column says whether the counter of migrations grew. Without root it is refused,
# and the text says so.

# %%
explore.own_moves(compact=False)

# %% [markdown]
# How dear is asking? In a source tree, `vmlab bench pagemap` reads 256 MiB worth of words with our reader and with one
# in C, and compares both with PAGEMAP_SCAN.
#
# ## 11. What the model leaves out
#
# - Time: nothing in the model happens *while* something else does, so a callback "before" is told after the change.
# - Migration entries: on a real machine a page that is being moved reads as *swapped* in pagemap for a moment.
# - Huge entries: 512 small entries lead to the block of a collapsed page.
# - Memory failure, device memory, and pages of hugetlbfs (their row in the last table is from the source, not run).
# - Why pages are chosen for swap or for moving: lesson 11, and compaction in lesson 06.
#
# ## 12. From memory, once more

# %%
recall(*moves_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted | public question "Is there a way to know there is any kind of page move or swap …" |
# | bits of a pagemap word | Linux 6.1, Documentation/admin-guide/mm/pagemap.rst; fs/proc/task_mmu.c |
# | frames need CAP_SYS_ADMIN | Linux 6.1, fs/proc/task_mmu.c: `pagemap_read` |
# | the words shown first | record amd64-pc-1g, process p1, stage swap1 |
# | the writer gets the copy: `wp_page_copy` | Linux 6.1, mm/memory.c |
# | mlocked pages are kept by reclaim, moved by compaction | Linux 6.1, mm/vmscan.c, mm/compaction.c |
# | notifier events of each change | Linux 6.1, mm/rmap.c, memory.c, ksm.c, khugepaged.c, huge_memory.c, mremap.c |
# | notifiers and sequence numbers | Linux 6.1, Documentation/mm/hmm.rst; mm/mmu_notifier.c: `mmu_interval_read_begin` |
# | events of userfaultfd | Linux 6.1, fs/userfaultfd.c |
# | PAGEMAP_SCAN | Linux 6.12, fs/proc/task_mmu.c: `do_pagemap_scan` |
# | tracepoints and what they carry | Linux 6.1, include/trace/events/ |
# | a pin is a reference too many for migration | Linux 6.1, mm/migrate.c: `folio_migrate_mapping` |
# | a pinned page is copied for the child | Linux 6.1, mm/memory.c: `copy_present_page` |
# | KSM, huge pages | Linux 6.1, mm/ksm.c: `replace_page`; mm/khugepaged.c: `collapse_huge_page` |
