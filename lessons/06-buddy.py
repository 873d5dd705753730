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
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import vmlab as vm
from vmlab import explore, procfs, views
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import buddy as ask
from vmlab.study.questions import buddy_fragmented as pieces
from vmlab.study.questions import buddy_race, buddy_recall, buddy_refused, buddy_request, buddy_steps, buddy_stops

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*buddy_recall.START)

# %% [markdown]
# ## 2. The question
#
# > The size of the NewMem zone is 512MB, totally 131072 pages. […] I want to manage all the page frames in
# > NewMem zone in my own way, currently I use a doubly linked list.
#
# Linux uses lists, too: one for every **order**. A **block** of order *n* is 2^n frames, and begins at a frame whose
# number is a multiple of 2^n. Two blocks of one order that make up a block of the next are **buddies**.

# %%
predict(ask.BUDDY)

# %%
reveal(ask.BUDDY)

# %% [markdown]
# ## 3. A request, step by step
#
# A toy zone is one free block of order 10, and begins at frame 0x70000. Somebody asks for one page. The steps have the
# same names from here on; `free_area` is the kernel's name for the lists of one order.

# %%
buddy_steps.alloc_steps(**buddy_steps.request_facts(0x70000, 10, 0))

# %% [markdown]
# ### One step is yours

# %%
practise(buddy_steps.SPLIT)

# %% [markdown]
# ### All steps are yours

# %%
practise(buddy_request.LARGEST)

# %% [markdown]
# ## 4. Giving back
#
# A block merges with its buddy if that is free *as one block of the same order*, in the same zone. What comes of it may
# merge again. One page that is given back, worked out:

# %%
facts = buddy_steps.given_back(0x70000, 6, 0x70015, 2)
print(f"A toy zone of frames {facts['start']:#x} to {facts['end'] - 1:#x}. Free before: {facts['ranges']}.")
print(f"Given back: {facts['pfn']:#x}.")
buddy_steps.free_steps(**facts)

# %% [markdown]
# ### One step is yours

# %%
practise(buddy_steps.MERGE_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(buddy_steps.MERGE)

# %% [markdown]
# ### What stops it
#
# In the next two questions everything around the page is free, and yet merging ends. `MAX_ORDER` is the number of lists
# that a zone has, one an order, from order 0 on.

# %%
practise(buddy_stops.BORDER)

# %%
practise(buddy_stops.TOP)

# %% [markdown]
# ### Which end of the list

# %%
predict(ask.LIFO)

# %%
reveal(ask.LIFO)

# %% [markdown]
# ## 5. Each CPU has a list of its own
#
# Blocks of order 0 to 3 (and those of one huge page, where the kernel has huge pages) first go through a list of the
# CPU, **pcp**. To take a page from it, or to put one on it, no lock of the zone is needed. Two numbers rule it: *batch*
# and *high*. What might each of them mean?

# %%
predict(ask.PCP)

# %%
reveal(ask.PCP)

# %% [markdown]
# So *batch* is how many pages move between the list and the zone at once; *high* is how many the list may hold before
# some have to go back.

# %% [markdown]
# ## 6. Migratetypes
#
# Every request says whether its pages can be moved later: its **migratetype**, MOVABLE, UNMOVABLE or RECLAIMABLE. A
# **pageblock** (2 MiB on a PC) is kept for one type, and each order has one list for each type. When the lists of a
# type are empty, a block is stolen from another type.

# %%
predict(ask.STEAL)

# %%
stolen = ask.stolen(ask.STEAL.variant()["pageblock_order"])
reveal(ask.STEAL, lambda: views.frame_map(stolen.buddy, stolen.zone))

# %% [markdown]
# Why so many for one page? The next UNMOVABLE pages find room there, and do not spoil other pageblocks. Types also stop
# a merge: two whole pageblocks stay apart if only one of them belongs to CMA, or is kept for requests that must not
# wait.

# %% [markdown]
# ## 7. Who says no
#
# Before a zone's lists are searched, its free pages are compared with its **watermark** plus **lowmem_reserve**
# (lesson 04).

# %%
predict(buddy_refused.REFUSED)

# %%
reveal(buddy_refused.REFUSED, lambda: views.Table(buddy_refused.COLUMNS, buddy_refused.rows()))

# %% [markdown]
# *Usable* are the free pages less 1,023: of the block that is asked for, only one page is counted. The same as a report
# of the kernel's. Change the cell: another order, another machine, `GFP_DMA`, `GFP_ATOMIC`.

# %%
pc = vm.boot(vm.load_machine("amd64-pc-1g"))
while page := pc.alloc_pages(10, "GFP_KERNEL"):
    pass
print(page.tell())

# %% [markdown]
# ## 8. Free memory, and no large block
#
# NewMem once more: 512 MiB, 131,072 pages. A huge page of 2 MiB needs a block of order 9.

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
# Now you. The three fields say what the next request asks for; each button is one action, and Step back takes it back.
# Tab moves from control to control, Space presses a button. Guess first:
#
# 1. Which two actions leave no block of order 9, with half of the zone free?
# 2. Ask for one page through the CPU's list. How many pages leave the free lists, and where do they stand?
# 3. Fill the zone with UNMOVABLE pages, free every second, compact. What does compaction move?

# %%
explore.buddy_explorer()

# %% [markdown]
# ## 9. The list beside buddy
#
# The same requests for both, each on a fresh NewMem. Counted is work, not time: how often a block is put on a list
# or taken off one. The asker's list takes its head off, or puts a page on; how long it is does not matter.

# %%
predict(buddy_race.RACE)

# %%
reveal(buddy_race.RACE, lambda: views.Table(buddy_race.COLUMNS, buddy_race.rows()))

# %% [markdown]
# - **The list wins** at single pages: half of buddy's work on average, and never more than one step, where buddy's
#   slowest request takes eleven.
# - **It is a draw** for what memory looks like afterwards (the last column: free pages in blocks too small for order
#   9), as long as the list is LIFO: it hands out the same frames again and again. FIFO walks through all of the zone
#   and leaves a page kept here and there.
# - **Buddy wins** when somebody needs two pages side by side. Nobody can ask a list for them, and it cannot tell
#   whether it has them.
#
# Linux uses both: the CPU's list *is* such a list, before the buddy allocator.

# %%
weigh(buddy_race.OWN_WAY)

# %% [markdown]
# ## 10. Your machine
#
# Read-only. Where /proc/buddyinfo cannot be read, a recorded PC is shown, and the first line says so. Guess before you
# run the cell: of which order are most blocks, and in which order are most of the free pages?

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
# | refusal: `__zone_watermark_ok`, `__zone_watermark_unusable_free` | Linux 6.1, mm/page_alloc.c; record amd64-pc-1g |
# | pagetypeinfo is root's (0400): `init_mm_internals`; its lock: `pagetypeinfo_showfree` | Linux 6.1, mm/vmstat.c |
# | the scanners of compaction | Linux 6.1, mm/compaction.c |
# | free lists of a PC | record amd64-pc-4g |
