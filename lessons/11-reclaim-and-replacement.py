# %% [markdown]
# # 11 · Reclaim and replacement
#
# **Purpose.** When every frame is in use, somebody's page has to go: see who chooses it, by what rule, at what cost.
#
# **Time.** About 40 minutes.
#
# **Before.** A page that goes is dropped if its file has the same bytes, or written to a slot of the swap area; when
# it is used again, a page fault brings it back. kswapd is woken when free pages fall below the watermark *low*.
#
# **After this you can**
#
# - *trace* LRU, OPT, CLOCK and Linux's two lists through a string of references;
# - *explain* why more memory can mean more misses, and for which policies it cannot;
# - *read* a program's miss curve and say what memory it needs;
# - *calculate* a refault's distance and say what the kernel does with the page;
# - *judge* a policy by runs of real programs, not by its name.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.process.replay import replay
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import reclaim as ask
from vmlab.study.questions import reclaim_linux, reclaim_recall, reclaim_steps

# %% [markdown]
# ## 1. From memory

# %%
recall(*reclaim_recall.START)

# %% [markdown]
# ## 2. The question
#
# *Three processes, all at 0x400000, and one frame: each time another one runs, somebody has to go.* With one frame
# there is nothing to choose. With two there is. A **replacement policy** chooses the page that goes, the **victim**.
# The simplest, **FIFO**, gives up what came first. Surely more frames help it? (A string
# of five pages is a toy; recorded programs come in section 4.)

# %%
predict(ask.ANOMALY)

# %%
runs = [replay("fifo", frames, ask.BELADY).references for frames in (3, 4)]
both = [
    (a.page, *("hit" if r.is_hit else f"miss, out: {r.victim or '-'}" for r in (a, b)))
    for a, b in zip(*runs, strict=True)
]
reveal(ask.ANOMALY, lambda: views.Table(("reference", "3 frames", "4 frames"), both))

# %% [markdown]
# This is **Belady's anomaly**. It is not a trick of FIFO alone: CLOCK, which comes in section 4, does the same on this
# string.
#
# ## 3. To look back, to look ahead
#
# **LRU** gives up the page that was *used* longest ago. **OPT** gives up the page that is *needed* latest: no machine
# has it, since it knows the future, but no policy can miss less. The steps: *resident*, *last use* (or *next use*),
# *victim*. Worked:

# %%
reclaim_steps.lru_steps(**reclaim_steps.LRU_VICTIM.variant("worked"))

# %% [markdown]
# ### One step is yours

# %%
practise(reclaim_steps.LRU_VICTIM)

# %% [markdown]
# ### All steps are yours

# %%
practise(reclaim_steps.OPT_VICTIM)

# %% [markdown]
# LRU and OPT are **stack algorithms**: what they keep with *n* frames they also keep with *n* + 1. So they never show
# the anomaly. Does that make LRU good?

# %%
predict(ask.LOOP)

# %%
f = ask.LOOP.variant()
circle = ask.titled(("fifo", "lru", "opt"), lambda policy: ask.loop_misses(policy, **f))
reveal(ask.LOOP, lambda: views.Table(("policy", "misses"), circle))

# %% [markdown]
# ## 4. To count, or to ask twice
#
# Real programs do not go in circles. This one was recorded while it ran:

# %%
print(vm.load_trace(ask.PROGRAM).tell())

# %%
predict(ask.COUNTING)

# %%
every = ask.titled(("fifo", "lru", "clock", "lfu", "opt"), ask.missed)
reveal(ask.COUNTING, lambda: views.Table(("policy", "misses with 100 frames"), every))

# %% [markdown]
# LRU needs to know the order of all uses, and no hardware tells it. **CLOCK** comes near with one bit a page, R, which
# is set when the page is used. A hand goes round: a page whose R is set is spared, and R is cleared; the first page
# without R goes. That is what hardware offers: the *accessed* bit of an entry.
#
# To all of these policies one use is as good as many. Does that matter?

# %%
predict(ask.SCAN)

# %%
scan = ask.titled(ask.SCANNERS, ask.scan_misses)
reveal(ask.SCAN, lambda: views.Table(("policy", "misses"), scan))

# %% [markdown]
# The newer policies in this table ask whether a page was used *again*. **ARC** has two LRU lists, for pages used once
# and for pages used more often, and remembers the numbers of pages that it gave up (**ghosts**). When one of these
# comes back, the border between the two lists moves. **SIEVE** and **S3-FIFO** let new pages pass by quickly. Linux
# asks as well, in its own way: section 5.
#
# Now step through any string. **Next step** and **Previous step** work with Tab and Space; the string can be typed.
# Before each miss say who goes. Then find, with the string as it stands or your own:
#
# 1. FIFO with 3 and with 4 frames: at which reference do they part?
# 2. CLOCK: a page that R saves, and one that it does not save.
# 3. ARC: a page that comes back from a ghost list. Which way does the border move?
# 4. LFU: a page that stays although it is not used any more.

# %%
explore.steps_explorer()

# %% [markdown]
# ## 5. Linux's two lists
#
# Each kind of page, anonymous and file, has an **inactive** and an **active** list. A new page is inactive. The kernel
# sees no single reference; when a page reaches the end of the inactive list it *looks*: which entries that map it have
# the accessed bit set?

# %%
predict(reclaim_linux.USED)

# %%
table = views.Table(("accessed bits found", "PG_referenced was set", "the page"), reclaim_linux.looks())
reveal(reclaim_linux.USED, lambda: table)

# %% [markdown]
# The look clears the accessed bit and notes what it saw in a flag of struct page, PG_referenced: the **second chance**.
# (A page that two processes have mapped may have two bits set at once.)
#
# So does the kernel keep what is hot? Try it with the pages of a process.

# %%
predict(reclaim_linux.SURVIVE)

# %%
columns = ("round", "hot pages read back from swap", "second chances", "pages freed", "of the hot in memory")
reveal(reclaim_linux.SURVIVE, lambda: views.Table(columns, reclaim_linux.rounds()))

# %% [markdown]
# Each round begins with the 20 hot pages being read. After the first round they come back from swap and are the newest
# of the list, so the next rounds take others. The first look tells nothing: between two looks a page needs *time* to
# be used again, or not.
#
# That time is as long as the inactive list. When it is low, the kernel takes the oldest active pages and puts them on
# the inactive list. When is it low?

# %%
predict(reclaim_linux.RATIO)

# %%
reveal(
    reclaim_linux.RATIO,
    lambda: views.Table(("GiB", "active for one inactive"), [(g, reclaim_linux.ratio_of(g)) for g in (1, 10, 100)]),
)

# %% [markdown]
# And if the inactive list is too short for a page to be seen twice? The kernel counts evictions and activations. When a
# page goes, the counter's value stays in its place, as its **shadow**. When it comes back, which is a **refault**, the
# difference says how many frames more would have kept the page. Steps: *shadow*, *distance*, *decide*.

# %%
reclaim_steps.refault_steps(evicted=500, refault=580, active=100)

# %%
practise(reclaim_steps.REFAULT)

# %% [markdown]
# **Generations** (MGLRU, in Linux since 6.1, not always switched on) replace the two lists: a walk of the page tables
# moves what was used into the youngest generation; the oldest goes. In the explorers it is *Linux, generations*.
#
# ## 6. How much memory does a program need?

# %%
predict(ask.CLIFF)

# %%
SIZES = (25, 50, 100, 200, 300, 400)
whole = [views.Curve("LRU", [ask.whole().at(size) for size in SIZES])]
steep = "Misses fall to a fifth from 25 to 50 frames, to a third with 100, to a third again with 200, then slowly."
scales = views.Axis("frames"), views.Axis("misses")
reveal(ask.CLIFF, lambda: views.curves("python, LRU", steep, SIZES, whole, *scales))

# %% [markdown]
# Both scales are logarithmic: equal steps are equal factors. One pass gives this **miss curve** for all sizes, because
# LRU is a stack algorithm: keep all pages in a stack, the one used last on top. The depth at which a page is found is
# the least number of frames with which it is a hit. Try, with a guess before each change:
#
# 1. For each program: the least memory with which LRU has fewer than two misses for each page of the program.
# 2. A size at which FIFO comes close to OPT, and one at which it does not.
# 3. Linux's two lists against its generations, on `python` and on `sqlite`.

# %%
explore.sizes_explorer()

# %% [markdown]
# Any program of yours can be recorded, where valgrind is installed: `vmlab trace mine -- ls -l`; then
# `vm.load_trace("mine.npz")` goes wherever a trace goes.
#
# ## 7. Your machine
#
# Read-only, no root needed. Before you run the cell: has your kernel ever reclaimed? Does what it gives up come back?
# (Refaults of file pages where no scan is counted are the work of memory cgroups, in containers: their scans are
# counted for the group.) Where there is no /proc/vmstat, a saved one is shown, and the first row says so.

# %%
reclaimed = explore.own_reclaim()
reclaimed

# %% [markdown]
# ## 8. A choice to make

# %%
weigh(reclaim_recall.backup())

# %% [markdown]
# ## 9. What the model leaves out
#
# - What a miss costs: a dirty page has to be written first, a file page may be read ahead, a disk is not zram.
# - Traces are one program's, without the kernel's own references and without other programs.
# - Memory cgroups, NUMA nodes, huge pages, slab caches that shrink, and the OOM killer.
# - MGLRU's tiers for pages used through `read()`, and its controller between the two kinds of pages.
#
# ## 10. From memory, once more

# %%
recall(*reclaim_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the string of section 2, 9 and 10 misses | Belady, Nelson, Shedler, CACM 12(6), 1969; the question runs it |
# | OPT; stack algorithms, curves in one pass | Belady 1966, Mattson and others 1970; trace record python |
# | ARC, SIEVE, S3-FIFO | FAST 2003, NSDI 2024, SOSP 2023; each question runs them on trace records |
# | what a look decides: `folio_check_references` | Linux 6.1, mm/vmscan.c |
# | `inactive_is_low`, `get_scan_count`, `balance_pgdat` | Linux 6.1, mm/vmscan.c |
# | shadows and refault distance | Linux 6.1, mm/workingset.c |
# | generations | Linux 6.1, mm/vmscan.c under CONFIG_LRU_GEN |
# | loads, stores and pages | trace record python |
# | the saved sample of section 7 | record xeon-guest: vmstat.txt |
