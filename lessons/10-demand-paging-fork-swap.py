# %% [markdown]
# # 10 · Demand paging, fork, swap: three processes at 0x400000 and one frame
#
# **Purpose.** Know what stands behind an address when its page is not in RAM, and how it is found again.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 01: each process has a **page table** of its own, and the **base register** names it. It helps to
# have read an **entry** bit by bit (lesson 02).
#
# **After this you can**
#
# - *explain* how a swapped page is found, and why no name like `page_pid_1_0x400000` is needed;
# - *decode* the entry of a swapped page on four architectures;
# - *predict* which faults are minor and which are major, and what fork and a later write cost;
# - *tell* which pages go to swap, and which are simply dropped;
# - *watch* your own process fault, fork, and lose a page.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.explore import own_swap
from vmlab.process.story import play
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import swap as ask
from vmlab.study.questions import swap_fork as fork
from vmlab.study.questions import swap_recall, swap_steps

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*swap_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody asks in public, in short: three processes were linked to the same address, so the text of each begins at
# virtual 0x400000, and there is one frame of RAM for all of them. P0 runs; then P1, so P0's page should be swapped
# out to disk; then P2, so P1's goes too. On disk there are now two copies, `page_pid_1_0x400000` and
# `page_pid_0_0x400000`. When P1 is switched in again:
#
# > how can I identify the page_pid_1_0x400000? (memory instructions only know 0x400000)
#
# It is a good question, with one mistake in its first step. Can you see it?

# %%
predict(ask.TEXT)

# %%
frames, outcome, written, reads = ask.text_story()
reveal(
    ask.TEXT,
    lambda: (
        f"The model's three processes shared {frames} frame. Taken away: {outcome}, {written} pages written to swap; "
        f"touched again, the file was read a {'second' if reads == 2 else 'first'} time."
    ),
)

# %% [markdown]
# A page that still stands in a file, unchanged, needs no second place on disk. **Swap** is the place for pages that
# have no file: the heap, the stack, data that a process has changed. They are called **anonymous**. A swap area is a
# row of **slots**, each as large as a page. So let P0, P1 and P2 each keep *data* at 0x400000, and the question is a
# real one. Commit to your answer now; section 4 shows the kernel's.

# %%
predict(ask.OWNER)

# %% [markdown]
# ## 3. One frame, three processes
#
# At first nobody has the page. `mmap` only writes down that the addresses may be used; a page is made when it is
# touched for the first time. This is **demand paging**. (One frame and a few slots are toy sizes, the asker's; entries
# of a recorded PC come in section 4.)

# %%
predict(ask.ON_DISK)

# %%
reveal(ask.ON_DISK)

# %% [markdown]
# What became of the entries of P0 and P1? They are not **present** any more. The CPU looks at one bit of such an entry,
# faults, and never reads the others: they are free for Linux to use.

# %%
predict(ask.ENTRY)

# %%
reveal(ask.ENTRY, lambda: views.swap_story(play()[2], "After P1 has run: what P0's entry holds"))

# %% [markdown]
# ## 4. P1 comes back
#
# P2 has the frame; P0's page and P1's are in slots. The context switch writes P1's table into the base register, and P1
# goes on with the instruction that uses 0x400000. Which slot? You committed your answer in section 2.

# %%
reveal(ask.OWNER, lambda: views.swap_story(play()[3], "P2 has run; P1 is switched in next: look at its entry"))

# %% [markdown]
# So the name that was asked for exists: it is the pair *(address space, address)*. The instruction knows the address;
# the base register is the address space.

# %%
predict(ask.FREE_AGAIN)

# %%
reveal(ask.FREE_AGAIN, lambda: views.swap_story(play()[4], "P1 has touched 0x400000 again"))

# %% [markdown]
# Here is the path that the kernel took, with the names of its functions:

# %%
print(play()[4].fault.tell())

# %% [markdown]
# From slot to process there is no such path: a slot has a count, and does not know who names it. `swapoff`, which
# empties an area, has to search every page table (mm/swapfile.c, `try_to_unuse`).
#
# ### From an entry to its slot, step by step

# %%
facts = {"name": "32-bit x86", "where": swap_steps.fields("x86-32"), "pte": play()[4].entries["P2"]}
swap_steps.entry_steps(**facts)

# %% [markdown]
# ### One step is yours
#
# Take other variants until you had 64-bit x86: since Linux 4.19 it stores the slot **inverted**, each bit the other way
# round. Some Intel processors use the address bits of an entry before they know that it is not present (a flaw called
# L1TF). Inverted, these bits name a frame above all RAM, and there is nothing to be read.

# %%
practise(swap_steps.SLOT)

# %% [markdown]
# ### A real machine
#
# Three processes of a recorded PC paged 0x400000 out. Their entries, as they stood in its RAM:

# %%
recorded = vm.load_machine("amd64-pc-4g").recorded
cases = recorded.data["swap"]["swap1"]["cases"]
rows = [(case["proc"], hex(case["va"]), hex(case["swap_pte"])) for case in cases if case["va"] == 0x40_0000]
entries = [(*row, *vm.SwapEntry.decode("x86-64-4", int(row[2], 16))[:2]) for row in rows]
views.Table(("process", "address", "entry", "area", "slot"), entries)

# %% [markdown]
# One address, three slots. (Every second one, because this swap area is very small: there the search for a free slot
# begins *after* the place where the last search stopped. mm/swapfile.c, `scan_swap_map_slots`)
#
# ## 5. Minor or major?
#
# A fault is **major** if the process had to wait for a device, **minor** if not.

# %%
practise(swap_steps.MAJORS)

# %% [markdown]
# Now play it yourself: press a button, or type its letter. Undo and Redo step back and forward. Guess first:
#
# 1. With one frame, which order of six steps has most major faults, and which has none?
# 2. How many frames are needed until nothing is swapped?
# 3. Change the page table: what stays the same, and what does not?

# %%
explore.swap_explorer()

# %% [markdown]
# ## 6. fork
#
# **`fork`** makes a second process with the same memory.

# %%
predict(fork.FORK)

# %%
reveal(fork.FORK, lambda: views.swap_story(play(("P0", "P1", "P0>P3"))[3], "P0 has forked P3"))

# %% [markdown]
# One slot, one address, two owners: and still nothing is ambiguous, because each reads its own entry.

# %%
predict(fork.MINOR)

# %%
reveal(fork.MINOR, lambda: views.swap_story(play(("P0", "P1", "P0>P3", "P3", "P0"))[5], "P3 has read, then P0"))

# %% [markdown]
# The **swap cache** keeps pages that are in RAM and in a slot at once, under the number of the slot. It makes sure that
# two processes which share a slot share the frame too. In the picture no entry names slot 1 any more (count 0), and the
# cache still has it: should the frame be needed again, nothing has to be written. Play it in the explorer above: type
# `abfda`, then press Undo, step by step.
#
# ### The same with pages in RAM: copy-on-write
#
# fork makes every entry that may be written read-only, in both processes.

# %%
predict(fork.COPY)

# %%
reveal(fork.COPY)

# %%
practise(swap_steps.FRAMES)

# %% [markdown]
# ### A page of zeros for everybody

# %%
predict(fork.ZERO)

# %%
reveal(fork.ZERO, lambda: f"The model counts {fork.frames_of_reads(16, 3)} frames.")

# %% [markdown]
# ## 7. A table for twenty workers

# %%
weigh(swap_steps.PREFORK)

# %% [markdown]
# ## 8. Your machine
#
# The cell touches 64 fresh pages of this process, forks a child that reads and writes them, and asks the kernel to take
# one page away. Before you run it: how many faults does the first write to all 64 cost, how many the second? And how
# many the child's reading, its writing?

# %%
own_swap()

# %% [markdown]
# Faults beyond 64, and those of the child that only reads, are Python's own: it counts references inside its objects,
# and counting is writing, so the child copies pages of Python's. Without swap the page that was asked to go is still
# present: there is no other place for it. Then, and on other systems than Linux, the last rows show a recorded PC that
# had swap.
#
# ## 9. What the model leaves out
#
# - Huge pages, NUMA, memory cgroups, zswap; readahead of files and the 16 pages that one file fault maps at once.
# - Which page is taken: here the one that came first. Lesson 11 is about better choices.
# - Time. Here a device is done when the call returns, or when somebody says so.
# - Several processors that fault on one page at the same moment.
#
# ## 10. From memory, once more

# %%
recall(*swap_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted | public question about three processes whose text begins at 0x400000 |
# | files dropped, anonymous pages swapped: `shrink_folio_list`, `try_to_unmap_one` | Linux 6.1, mm/vmscan.c, rmap.c |
# | the path of the fault: `do_swap_page` | Linux 6.1, mm/memory.c |
# | type in bits 1 to 5, slot from bit 9 | Linux 6.1, arch/x86/include/asm/pgtable-2level.h |
# | the inverted slot | Linux 6.1, arch/x86/include/asm/pgtable_64.h |
# | count and cache bit of a slot: `swap_map`, `SWAP_HAS_CACHE` | Linux 6.1, include/linux/swap.h |
# | fork copies entries: `copy_present_pte`, `copy_nonpresent_pte` | Linux 6.1, mm/memory.c |
# | the writer gets the copy: `do_wp_page`, `wp_page_copy` | Linux 6.1, mm/memory.c |
# | the zero page: `do_anonymous_page` | Linux 6.1, mm/memory.c |
# | three processes, three slots; shared after fork | record amd64-pc-4g, stages swap1 to swap4 |
# | slots of a small area: `scan_swap_map_slots` | Linux 6.1, mm/swapfile.c; all 82 records |
