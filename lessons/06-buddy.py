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
from vmlab.physical.page_list import PageList
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import buddy as ask
from vmlab.study.questions import buddy_steps, mem_map, mem_map_recall
from vmlab.study.workbench import Workbench

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
# pageblocks, of which one belongs to CMA or is kept for atomic requests, do not merge either.)

# %%
practise(buddy_steps.MERGE)

# %%
predict(ask.LIFO)

# %%
reveal(ask.LIFO)

# %% [markdown]
# ## 5. Each CPU has a list of its own
#
# Blocks of order 0 to 3 first go through a list of the CPU, **pcp**: no lock of the zone is needed.

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
# Before the free lists are asked, the zone's **watermark** is, and **lowmem_reserve**: see who refuses here.

# %%
pc = vm.boot(vm.load_machine("amd64-pc-1g"))
while page := pc.alloc_pages(10):
    pass
print(page.tell())

# %% [markdown]
# ## 7. Free memory, and no large block

# %%
predict(ask.FRAGMENTED)

# %%
full = ask.scattered()
reveal(ask.FRAGMENTED, lambda: views.buddy_zone(full.buddy, full.zone))

# %% [markdown]
# **Compaction** has two scanners: one goes up and collects movable pages in use, one comes down and collects
# free pages to move them to.

# %%
predict(ask.COMPACTED)

# %%
dense = ask.scattered(compacted=True)
reveal(ask.COMPACTED, lambda: views.buddy_zone(dense.buddy, dense.zone))

# %%
predict(ask.PINNED)

# %%
pinned = ask.scattered(compacted=True, kept=ask.UNMOVABLE)
reveal(ask.PINNED, lambda: views.frame_map(pinned.buddy, pinned.zone))

# %% [markdown]
# Now you: order, migratetype and path are set above, and each button is one action. Tab and Space suffice.
# Guess first: which three actions leave no block of order 9?

# %%
explore.buddy_explorer()

# %% [markdown]
# ## 8. The list beside buddy
#
# The same 1,024 single pages from both, each on a fresh zone. What is counted is work, not time. The list unlinks its
# head, whatever its length (`PageList.alloc`): that is its whole work. Buddy's work is the steps that its ledger tells.

# %%
own = PageList(vm.boot(mem_map.asker()), "NewMem", claim=True)
from_list = [own.alloc() for _ in range(1024)]
bench, steps = Workbench(), []
for _ in from_list:
    bench.alloc()
    steps.append(len(bench.buddy.steps))
print(f"list: {len(from_list):,} requests, one unlink each; {len(own):,} pages left, one at a time")
print(f"buddy: {len(steps):,} requests, {sum(steps) / len(steps):.2f} steps each on average, at most {max(steps)}")

# %% [markdown]
# For single pages the list wins: one link, always. But nobody can ask it for two pages side by side, and it
# cannot tell whether it has them. Linux uses both: the CPU's list *is* such a list, before the buddy allocator.

# %%
weigh(ask.OWN_WAY)

# %% [markdown]
# ## 9. Your machine
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
# ## 10. What the model leaves out
#
# - Reclaim: what happens between a refusal and "out of memory".
# - Drivers that isolate or split pages, memory hotplug, shuffled lists.
# - Time: the steps counted here are not nanoseconds, and caches and locks decide much.
#
# ## 11. From memory, once more

# %%
recall(*ask.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted | public question "Find out pages used by mem_map[] array" |
# | buddy and merge: `__free_one_page`, `__find_buddy_pfn` | Linux 6.1, mm/page_alloc.c, mm/internal.h |
# | split: `__rmqueue_smallest`, `expand` | Linux 6.1, mm/page_alloc.c |
# | per-CPU lists: `rmqueue_bulk`, `free_unref_page_commit` | Linux 6.1, mm/page_alloc.c |
# | stealing: `__rmqueue_fallback`, `steal_suitable_fallback` | Linux 6.1, mm/page_alloc.c |
# | refusal: `__zone_watermark_ok` | Linux 6.1, mm/page_alloc.c |
# | the scanners of compaction | Linux 6.1, mm/compaction.c |
# | free lists of a PC | record amd64-pc-4g |
