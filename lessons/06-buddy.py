# %% [markdown]
# # 06 · The buddy allocator, and a list of your own
#
# **Purpose.** See how Linux hands out page frames, and what a doubly linked list does better and worse.
#
# **Time.** About 40 minutes.
#
# **Before.** Lessons 04 and 05: zones, watermarks, frame numbers (**pfn**).
#
# **After this you can**
#
# - *calculate* a block's buddy, and what a split or a merge leaves;
# - *predict* which frame a request gets, and what leaves the free count;
# - *explain* why much free memory may hold no large block;
# - *choose* between a list and the buddy allocator for a job.

# %%
import vmlab as vm
from vmlab import explore, procfs, views
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import buddy as ask
from vmlab.study.questions import buddy_fragmented as pieces
from vmlab.study.questions import buddy_race, buddy_recall, buddy_refused, buddy_steps, buddy_stops, mem_map_recall

# %% [markdown]
# ## 1. From memory

# %%
recall(mem_map_recall.KEPT, mem_map_recall.COST, mem_map_recall.WHY_LOW)

# %% [markdown]
# ## 2. The question
#
# > The size of the NewMem zone is 512MB, totally 131072 pages. […] I want to manage all the page frames in
# > NewMem zone in my own way, currently I use a doubly linked list.
#
# Linux uses lists, too: one for every **order**. A **block** of order *n* is 2^n frames, and begins at a
# multiple of 2^n. Two blocks of one order that make up a block of the next are **buddies**.

# %%
predict(ask.BUDDY)

# %%
reveal(ask.BUDDY)

# %% [markdown]
# ## 3. A request, step by step
#
# The zone is one free block of order 10. Somebody asks for one page. The names of the steps stay the same.

# %%
buddy_steps.alloc_steps(**buddy_steps.request_facts(0x70000, 10, 0))

# %% [markdown]
# ### One step is yours

# %%
practise(buddy_steps.SPLIT)

# %% [markdown]
# ## 4. Giving back
#
# A block merges with its buddy if that is free *as one block of the same order*, in the same zone. (Two whole
# pageblocks, of which one belongs to CMA or is kept for atomic requests, do not merge either.) One page that is
# given back, worked out:

# %%
buddy_steps.free_steps(**buddy_steps.given_back(0x70000, 6, 0x70015, 2))

# %% [markdown]
# ### One step is yours

# %%
practise(buddy_steps.MERGE_STEP)

# %% [markdown]
# ### On your own

# %%
practise(buddy_steps.MERGE)

# %% [markdown]
# Free neighbours are not enough. Twice, everything around the page is free:

# %%
practise(buddy_stops.BORDER)

# %%
practise(buddy_stops.TOP)

# %%
predict(ask.LIFO)

# %%
reveal(ask.LIFO)

# %% [markdown]
# ## 5. Each CPU has a list of its own
#
# Blocks of order 0 to 3 (and those of one huge page, where the kernel has huge pages) first go through a list of the
# CPU, **pcp**: no lock of the zone is needed.

# %%
predict(ask.PCP)

# %%
reveal(ask.PCP)

# %% [markdown]
# ## 6. Migratetypes
#
# Every request says whether its pages can be moved later. A **pageblock** (2 MiB on a PC) is kept for one
# **migratetype**, and each order has a list for each. When a type has none left, it steals.

# %%
predict(ask.STEAL)

# %%
reveal(ask.STEAL)

# %% [markdown]
# ## 7. Who says no
#
# Before the free lists are asked, the zone's **watermark** is, and **lowmem_reserve** (lesson 04).

# %%
predict(buddy_refused.REFUSED)

# %%
reveal(buddy_refused.REFUSED, lambda: views.Table(buddy_refused.COLUMNS, buddy_refused.rows()))

# %% [markdown]
# The same as the kernel says it, and yours to change: another order, another machine, `GFP_DMA`, `GFP_ATOMIC`.

# %%
pc = vm.boot(vm.load_machine("amd64-pc-1g"))
while page := pc.alloc_pages(10, "GFP_KERNEL"):
    pass
print(page.tell())

# %% [markdown]
# ## 8. Free memory, and no large block

# %%
predict(pieces.FRAGMENTED)

# %%
full = pieces.scattered()
reveal(pieces.FRAGMENTED, lambda: views.buddy_zone(full.buddy, full.zone))

# %% [markdown]
# **Compaction** has two scanners: one goes up and collects movable pages in use, one comes down and collects
# free pages to move them to.

# %%
predict(pieces.COMPACTED)

# %%
dense = pieces.scattered(compacted=True)
reveal(pieces.COMPACTED, lambda: views.buddy_zone(dense.buddy, dense.zone))

# %%
predict(pieces.PINNED)

# %%
pinned = pieces.scattered(compacted=True, kept=pieces.UNMOVABLE)
reveal(pieces.PINNED, lambda: views.frame_map(pinned.buddy, pinned.zone))

# %% [markdown]
# Now you: order, migratetype and path are set above, and each button is one action. Tab and Space suffice.
# Guess first: which three actions leave no block of order 9?

# %%
explore.buddy_explorer()

# %% [markdown]
# ## 9. The list beside buddy
#
# The same requests for both, each on a fresh NewMem. Counted is work, not time: how often a block is put on a list
# or taken off one. A list takes its head off, whatever its length.

# %%
predict(buddy_race.RACE)

# %%
reveal(buddy_race.RACE, lambda: views.Table(buddy_race.COLUMNS, buddy_race.rows()))

# %% [markdown]
# - **The list wins** at single pages: half of buddy's work on average, and never more than one step, where buddy's
#   slowest request takes eleven.
# - **It is a draw** for what memory looks like afterwards, as long as the list is LIFO: it hands out the same frames
#   again and again. FIFO walks through all of the zone and leaves a page kept here and there.
# - **Buddy wins** when somebody needs two pages side by side. Nobody can ask a list for them, and it cannot tell
#   whether it has them.
#
# Linux uses both: the CPU's list *is* such a list, before the buddy allocator.

# %%
weigh(buddy_race.OWN_WAY)

# %% [markdown]
# ## 10. Your machine
#
# Read-only. Where /proc/buddyinfo cannot be read, a recorded PC is shown, and the first line says so.

# %%
try:
    rows, shown = procfs.read_buddyinfo(), "your own machine"
except vm.VmlabError as why:
    rows, shown = procfs.read_buddyinfo(procfs.sample("buddyinfo")), f"a sample, the record amd64-pc-4g, because {why}"
print(f"Shown: {shown}")
for row in rows:
    print(f"node {row.node} {row.name:8} {row.free_pages:9,} pages free; blocks by order: {row.nr_free}")

# %% [markdown]
# Which free blocks are kept for which type is in /proc/pagetypeinfo. **Only root may read it**: it walks every free
# list with the zone's lock held. Without root the recorded PC is shown. How many pageblocks are movable, and of which
# type are the largest free blocks?

# %%
try:
    types, shown = procfs.read_pagetypeinfo(), "your own machine"
except vm.VmlabError as why:
    types = procfs.read_pagetypeinfo(procfs.sample("pagetypeinfo"))
    shown = f"a sample, the record amd64-pc-4g, because {why}"
print(f"Shown: {shown}")
print(procfs.format_pagetypeinfo(types))

# %% [markdown]
# ## 11. What the model leaves out
#
# - Reclaim: what happens between a refusal and "out of memory".
# - Drivers that isolate or split pages, memory hotplug, shuffled lists.
# - Time: the steps counted here are not nanoseconds, and caches and locks decide much.
#
# ## 12. From memory, once more

# %%
recall(*buddy_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted | public question "Find out pages used by mem_map[] array" |
# | buddy, merge: `__free_one_page`, `page_is_buddy`, `__find_buddy_pfn` | Linux 6.1, mm/page_alloc.c, mm/internal.h |
# | split: `__rmqueue_smallest`, `expand` | Linux 6.1, mm/page_alloc.c |
# | per-CPU lists: `rmqueue_bulk`, `free_unref_page_commit` | Linux 6.1, mm/page_alloc.c |
# | stealing: `__rmqueue_fallback`, `steal_suitable_fallback` | Linux 6.1, mm/page_alloc.c |
# | refusal: `__zone_watermark_ok` | Linux 6.1, mm/page_alloc.c; record amd64-pc-1g |
# | pagetypeinfo is root's (0400): `init_mm_internals`; its lock: `pagetypeinfo_showfree` | Linux 6.1, mm/vmstat.c |
# | the scanners of compaction | Linux 6.1, mm/compaction.c |
# | free lists of a PC | record amd64-pc-4g |
