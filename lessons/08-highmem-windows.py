# %% [markdown]
# # 08 · 32-bit HighMem: the kernel's small windows
#
# **Purpose.** Know what lies in memory that the kernel has no address for, and how it reaches that memory all the
# same.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 04: zones, lowmem and HighMem; lesson 05: the **direct map**; lesson 07: where `task_struct`
# lives.
#
# **After this you can**
#
# - *decide* what may lie in HighMem and what must not;
# - *predict* the slot, the count and the address that `kmap` gives a page;
# - *explain* why an address from `kmap` goes bad, and why nobody notices;
# - *trace* what happens when all windows are in use;
# - *choose* between `kmap`, `kmap_local` and memory that needs no window.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.explore import own_highmem
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import highmem as ask
from vmlab.study.questions import highmem_kept as kept
from vmlab.study.questions import highmem_local as local
from vmlab.study.questions import highmem_recall, highmem_steps

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*highmem_recall.START)

# %% [markdown]
# ## 2. The question, second half
#
# Lesson 07 began with somebody who asked how the kernel can keep more than 128 MiB of data structures:
#
# > … although the high memory can address all physical address, it can only address 128MB at most at once. The kernel
# > data structure is so much that it could exceed 128MB. If kernel want to remap some of the high memory, the virtual
# > address of some data structure saved in high memory might be invalid.
#
# The data structures are in lowmem, and nothing is remapped under them: that was lesson 07. But the fear is not
# baseless. There *are* windows in the kernel's address space that show now this frame, now that one, and a pointer
# into them does go bad. An answer to the question said:
#
# > … the kernel just maps and unmaps physical pages as it needs them. […] virtual addresses the parts get temporarily
# > map into are meaningless.
#
# What is mapped there, then? How, and how much at once? Begin with how much.

# %%
predict(ask.WINDOW)

# %%
machines = {name: vm.boot(vm.load_machine(name)) for name in ask.MACHINES}
rows = [
    (name, f"{(pool := ask.window_of(kernel)).base:#_x}", pool.slots, kernel.zones["HighMem"].present_pages)
    for name, kernel in machines.items()
]
reveal(ask.WINDOW, lambda: views.Table(("machine", "window from", "slots", "HighMem pages"), rows))

# %% [markdown]
# A **slot** is one page of addresses, `PKMAP_BASE` + slot × 4,096; there is one page table for all of them, and so as
# many slots as it has entries (`LAST_PKMAP`). On the PC it lies in the 128 MiB at the top, but takes only 4 of them;
# on ARM it even lies *below* the direct map. It is far smaller than HighMem.
#
# ## 3. What may live there
#
# Whoever asks the page allocator for a page says with **gfp** flags what will do. One flag, `__GFP_HIGHMEM`, says: a
# page of HighMem will.

# %%
predict(ask.LIVES)

# %%
reveal(ask.LIVES, views.residents)

# %% [markdown]
# The rule behind the table: a page may be in HighMem if the kernel needs it only for moments, one page at a time.
# What holds pointers to other things, or is reached through a pointer that is kept somewhere, must have an address
# for good. (The lists of pages themselves do not need one: they lead through `struct page`, and mem_map is lowmem.)
#
# User page tables are a strange case: the kernel reads them at each page fault, but one page at a time. With
# `CONFIG_HIGHPTE`, which the recorded kernels have, their last level is in HighMem; the upper levels are not.

# %%
predict(ask.EXHAUSTED)

# %%
got, free, _ = ask.emptied()
said = f"{got.pages:,} pages given, then:\n{got.refused.tell()}\nHighMem still has {free:,} free pages."
reveal(ask.EXHAUSTED, lambda: said)

# %% [markdown]
# This was the everyday trouble of large 32-bit machines: out of memory with gigabytes free. What can go to HighMem is
# sent there, so that lowmem is left to those who need it.
#
# ## 4. kmap: the round
#
# **`kmap(page)`** returns an address for a page. For a lowmem page that is its address in the direct map, at no cost.
# A HighMem page gets a slot of the window: an entry of the page table is written, and stays until it is taken away.
# The kernel keeps a **count** for each slot, and **last_pkmap_nr**, the slot that it looked at last.

# %%
predict(ask.FIRST)

# %%
reveal(ask.FIRST)

# %% [markdown]
# Next, three pages; then **`kunmap(page)`** gives the second one back.

# %%
predict(ask.RELEASED)

# %%
predict(ask.REUSE)

# %%
reveal(ask.RELEASED, lambda: views.kmap_window(ask.three(), "Three pages mapped, the second given back"))

# %%
reveal(ask.REUSE)

# %% [markdown]
# So the counts read: 0 is free; 1 is nobody's, but the entry still stands; *n* is *n* − 1 users. Why is an idle slot
# not used at once? Each CPU's TLB may hold the old entry, and to make all CPUs forget it is slow. So the kernel waits
# until the **round** is over: when the scan comes to slot 0, every slot of count 1 is unmapped, and *one* flush of
# all TLBs serves them all (`flush_all_zero_pkmaps`).
#
# ### Worked out: three steps
#
# The steps have the same names from here on.

# %%
highmem_steps.round_steps("an ARM board", 0xBFE0_0000, 512, last=400, pages=150)

# %% [markdown]
# ### One step is yours

# %%
practise(highmem_steps.SLOT)

# %% [markdown]
# ### All steps are yours

# %%
practise(highmem_steps.ADDRESS)

# %% [markdown]
# ### Flushes
#
# The board of the worked example again, but 700 pages are read.

# %%
highmem_steps.flush_steps("an ARM board", 0xBFE0_0000, 512, last=400, pages=700)

# %%
practise(highmem_steps.FLUSHES_STEP)

# %%
practise(highmem_steps.FLUSHES)

# %% [markdown]
# ### Counts
#
# One page is mapped by five users, and two of them have given it back.

# %%
highmem_steps.count_steps(maps=5, unmaps=2)

# %%
practise(highmem_steps.COUNT_STEP)

# %%
practise(highmem_steps.COUNT)

# %% [markdown]
# Is the model right? A real kernel was stopped after it had read a program's pages:

# %%
predict(highmem_steps.RECORDED)

# %%
frames, real, model = highmem_steps.recorded()
compared = f"First frames {', '.join(map(hex, frames[:3]))} …; last_pkmap_nr: the kernel's {real}, the model's {model}."
reveal(highmem_steps.RECORDED, lambda: compared)

# %% [markdown]
# All slots of that record, and of every other recorded 32-bit kernel with HighMem, hold the frame and the count that
# the model predicts from the order of the reads.
#
# ## 5. A pointer that is kept
#
# Now the fear of the asker. A driver calls `p = kmap(page)`, then `kunmap(page)`, but goes on using `p`.

# %%
predict(kept.STALE)

# %%
reveal(kept.STALE, lambda: f"The model's check of p: {kept.kept(0)[0].why}.")

# %%
predict(kept.LATER)

# %%
seen, _, pool = kept.kept(kept.LATER_PAGES)
reveal(kept.LATER, lambda: views.kmap_window(pool, "After the other reads", f"p: {seen.why}."))

# %% [markdown]
# The bug is silent twice: at first `p` still works, later it reads or overwrites somebody else's page. Only between
# the wrap and the next use of the slot would it fault. The kernel never moves a window under a user: as long as the
# count is above 1, the slot stays. What goes bad is an address that was given back.
#
# ## 6. When all windows are in use

# %%
predict(kept.FULL)

# %%
full, waits = kept.filled()
reveal(kept.FULL, lambda: views.kmap_window(full, "All slots in use", f"{waits.tell()}."))

# %% [markdown]
# The task sleeps on one queue for all, and not even a signal wakes it; `kunmap` wakes everybody, and who finds no slot
# sleeps again. A task that forgets a `kunmap` takes its slot from all others until the next boot. And there is worse:

# %%
predict(local.DEADLOCK)

# %%
reveal(local.DEADLOCK)

# %% [markdown]
# Do it yourself: press a button, or type its letter; Undo and Redo step back and forward. Guess before you press:
#
# 1. On the toy, map pages until the scan wraps. Which slots does the flush free, and which not?
# 2. Let C fill the window, then unmap the oldest. Who gets that slot?
# 3. Can you make A, B and C all sleep, so that nobody is left?
# 4. What does the first pointer show after each step?

# %%
explore.window_explorer()

# %% [markdown]
# ## 7. kmap_local: a few windows of one's own
#
# A lock for all CPUs, a flush of all TLBs, a queue: too much for copying one page. **`kmap_local_page(page)`** (since
# Linux 5.11; `kmap_atomic` before) uses a few slots that belong to the CPU, in the **fixmap**, a range of addresses
# that are fixed when the kernel is built. No lock, no queue, and only this CPU's TLB has to forget an entry.

# %%
predict(local.DEPTH)

# %%
reveal(local.DEPTH)

# %%
predict(local.ORDER)

# %%
reveal(local.ORDER, lambda: "The model refuses it, in the kernel's words: " + local.wrong_order()[1])

# %% [markdown]
# The windows are a stack. In the model a `with` block gives its window back by itself, in the right order:

# %%
kernel = machines[ask.MACHINES[-1]]
page = kernel.alloc_pages(0, "GFP_HIGHUSER")
with kernel.kmap_local(page) as va:
    print(f"frame {page.pfn:#x} of zone {page.zone} is at {va:#_x}")

# %% [markdown]
# Whose stack is it, the CPU's or the task's?

# %%
predict(local.SWITCH)

# %%
reveal(local.SWITCH)

# %% [markdown]
# So an address from `kmap_local` means something to one task only: never store it, never hand it over. In exchange
# the task may sleep with it; `kmap_atomic`, whose stack was the CPU's, forbade even that. Before 2.6.37 there was no
# stack: the caller named its slot (`KM_USER0`), and two functions that chose the same one collided. Guess, then try:
#
# 1. Which button does each kernel version refuse, and in which words?
# 2. At which address is Q's first window, while P has two?

# %%
explore.local_explorer()

# %% [markdown]
# ## 8. And on 64 bits?

# %%
predict(local.WIDE)

# %%
reveal(local.WIDE)

# %% [markdown]
# That is why most programmers have never seen a stale window, and why code that works on a 64-bit PC can still be
# wrong: there, `kunmap` does nothing. New code is asked to use `kmap_local_page`, and to avoid `kmap`.
#
# **The answer to the asker.** Windows show at most a few megabytes of HighMem at any moment, and a pointer into one is
# good only until it is given back. That is enough: what needs an address for longer is in lowmem, or vmalloc gives it
# one (lesson 07).
#
# ## 9. Which way to a page?

# %%
weigh(local.COPY)

# %% [markdown]
# ## 10. Your machine
#
# Read-only, and no root is needed. Before you run the cell: will your machine have a line HighTotal in /proc/meminfo?

# %%
own_highmem()

# %% [markdown]
# ## 11. What the model leaves out
#
# - Who runs first after a wake-up: here the tasks go on in the order in which they began to wait.
# - Interrupts that map pages on top of what they interrupted, and ARM kernels on which `kmap_local` borrows kmap's
#   slots.
# - Caches that alias, where a page's slot must have its colour (the model has the rule; x86 and this ARM do not
#   need it).
# - TLBs: an entry that was taken out is taken to be forgotten everywhere before its address is used again.
#
# ## 12. From memory, once more

# %%
recall(*highmem_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question and the answer quoted | public question "How does linux kernel save struct_task in dynamic memory?" |
# | the window's place and slots | Linux 6.1, arch/x86/include/asm/pgtable_32_areas.h, arch/arm/include/asm/highmem.h |
# | counts, the round, the flush, the queue | Linux 6.1, mm/highmem.c: `map_new_virtual`, `flush_all_zero_pkmaps` |
# | `page_address` and its hash table | Linux 6.1, mm/highmem.c |
# | which gfp asks for which page | Linux 6.1, the files in the table of section 3 |
# | 1,200 reads, last_pkmap_nr 176 | record arm-virt-armmp-1g |
# | reading another process's memory calls kmap | Linux 6.1, mm/memory.c: `__access_remote_vm` |
# | depth, order, what a switch takes along | Linux 6.1, mm/highmem.c: `kmap_local_idx_push`, `__kmap_local_sched_out` |
# | `kmap_atomic` with a type | Linux 2.6.36, arch/x86/mm/highmem_32.c |
# | new code should prefer `kmap_local_page` | Linux 6.1, Documentation/mm/highmem.rst |
# | HighTotal only with CONFIG_HIGHMEM | Linux 6.1, fs/proc/meminfo.c |
