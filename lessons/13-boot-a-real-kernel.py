# %% [markdown]
# # 13 · Boot a real kernel, and be right about it first
#
# **Purpose.** Put a question to a real kernel: say what it will answer, boot it, and explain every difference.
#
# **Time.** About 40 minutes; a boot takes half a minute or so.
#
# **Before.** Lessons 04 and 05: zones, present and managed pages, mem_map. Lesson 09: the direct map's constants.
#
# **After this you can**
#
# - *tell* apart what is known before a boot and what only the boot tells;
# - *calculate* zones' borders and mem_map's size of a machine that does not run;
# - *boot* a distribution's kernel under QEMU and read what it says;
# - *explain* a difference between model and kernel by the input that was missing.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
from vmlab import explore, views
from vmlab.explore import own_record
from vmlab.live import lab
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import live as ask
from vmlab.study.questions import live_recall, live_steps

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*live_recall.START)

# %% [markdown]
# ## 2. The question
#
# Lesson 05 began with somebody who asks, in public:
#
# > So is there exist any way to find out which page frame is used to store mem_map[]?
#
# The asker's board has an ARM processor. The answer described the PC of a book: a kernel of 8 MiB at 1 MiB, then a zone
# of 16 MiB. **Nobody asked the board's own kernel.**
#
# Asking one is cheap: QEMU emulates a whole machine, and a distribution's kernel boots on it as on real
# hardware. But whoever only looks learns little. So here the order is: *predict, boot, compare, explain*.
#
# ## 3. What is known before
#
# Take a 32-bit ARM board (QEMU's `virt`) with 1 GiB and Debian's kernel `armmp`. This is all that is known of it
# before it runs:

# %%
board = lab.choose("arm-virt")
machine = lab.describe(board)
print(f"RAM {[(hex(r.start), hex(r.end)) for r in machine.ram]}\ncommand line: {machine.cmdline}")
print(f"struct page {machine.config.struct_page_bytes} bytes, {machine.config.memory_model}")

# %%
predict(ask.KNOWN)

# %% [markdown]
# The real kernel was recorded when it booted on this board. Each square stands for one value that was predicted before
# the boot; it is crossed where the kernel said something else.

# %%
booted = ask.recorded()
reveal(ask.KNOWN, lambda: views.verdicts(lab.verdicts(booted), "The ARM board: predicted before, said by the kernel"))

# %% [markdown]
# The zones' borders are right to the page; so are mem_map's size and address, and all constants of the layout. Wrong
# are the managed pages, and the watermarks, which are worked out from these. What was missing?

# %%
predict(ask.REASON)

# %%
told = lab.verdicts(booted, told=True)
reveal(ask.REASON, lambda: views.verdicts(told, "The same, told what this boot asked for"))

# %% [markdown]
# "Told what this boot asked for" means: the kernel's log lists every call to its boot allocator, and the model was
# given caller, size and alignment of each, without the address it got. Then no value is wrong: where things come
# to lie *follows*.
#
# ## 4. Numbers of a machine that does not run
#
# One example, worked out. The names of the steps stay the same from here on.

# %%
live_steps.frames_steps("arm-virt", 1024, 36)

# %% [markdown]
# ### One step is yours

# %%
practise(live_steps.FRAMES)

# %% [markdown]
# ### A word on the command line

# %%
predict(ask.WORD)

# %%
reveal(ask.WORD, lambda: views.Table(("value", "240 MiB", "512 MiB"), ask.differing("vmalloc=512M")))

# %% [markdown]
# Where does HighMem begin, then? Worked out for the usual 240 MiB:

# %%
live_steps.border_steps(240, "1G")

# %% [markdown]
# ### All steps are yours

# %%
practise(live_steps.BORDER)

# %% [markdown]
# ### Other machines

# %%
predict(ask.DOUBLED)

# %%
reveal(ask.DOUBLED, lambda: views.Table(("value", "1 GiB", "2 GiB"), ask.differing(ram="2G")))

# %%
predict(ask.ELSEWHERE)

# %%
other = ask.recorded("arm-vexpress-a9-1g")
reveal(ask.ELSEWHERE, lambda: views.verdicts(lab.verdicts(other), "The board vexpress-a9, predicted and asked"))

# %%
predict(ask.RANDOM)

# %%
drawn = ask.recorded(ask.KASLR_RECORD)
reveal(ask.RANDOM, lambda: views.verdicts(lab.verdicts(drawn), "A PC that drew its addresses"))

# %% [markdown]
# ## 5. Boot one
#
# Now choose a machine of your own. Write your three numbers down, press *Predict* for the model's, then *Boot*. The
# kernel is Debian's, unmodified; it is downloaded once (43 to 70 MB) and never installed. Tab moves between the
# controls; *Stop* ends a boot, and leaves nothing behind. Where QEMU or a compiler is missing, the text says what to
# install, and a recorded boot of the same board is shown instead.
#
# 1. `arm-virt` with 512 MiB, 1 GiB, 2 GiB: when does HighMem appear, and what does lowmem lose to mem_map?
# 2. `arm-virt` with the word `vmalloc=512M`, then `movablecore=128M`. Which zone appears, and where is it cut from?
# 3. `i386-pc` and `arm-virt`, both 1 GiB: why are their borders between lowmem and HighMem different?
# 4. `amd64-pc`: the model's managed pages were too many by thousands. Look for the reason in the table.

# %%
explore.live_explorer()

# %% [markdown]
# The same in a cell of your own: `lab.boot(lab.choose("arm-virt", "512M", "vmalloc=512M"), print)`. From a shell:
# `vmlab record arm-virt --ram 512M`, then `vmlab machines --verify FILE`; `vmlab compare A B` puts two machines side
# by side and finds, by experiment, which input is the reason of each difference.
#
# What did the boot keep?

# %%
practise(live_steps.KEPT)

# %% [markdown]
# ## 6. What a kernel does not tell
#
# Everything above was asked of a kernel as it is delivered, with no debugging symbols. It prints /proc; what lies in
# its memory is found with a note that it keeps for crash dumps (`VMCOREINFO`), with its page tables, and with QEMU's
# registers. So some things have no witness in a record of your own: the counts of kmap's windows, swap's
# usage counts, on arm64 the free lists. They are left out, not guessed. The records that come with this
# book were made with symbols, and have them.
#
# ## 7. Decide

# %%
weigh(ask.DECIDE)

# %% [markdown]
# ## 8. Your machine
#
# Your own computer runs a kernel, too. It booted long ago, and what it asked for then is gone. How much does it still
# tell?

# %%
predict(ask.WITHHELD)

# %%
reveal(ask.WITHHELD)

# %% [markdown]
# Read-only; nothing is written. Elsewhere than on Linux two recorded PCs are shown, and the first line says so. Before
# you run the cell: which rows will be the same on your machine as on a recorded PC, and why?

# %%
own_record()

# %% [markdown]
# ZONE_DMA ends at 16 MiB and DMA32 at 4 GiB on every 64-bit PC: borders are made of what devices can address, not of
# how much RAM there is. `vmlab record --host` writes all of this into a file; `vmlab compare amd64-pc-4g host` shows
# the rest.
#
# ## 9. What the model leaves out
#
# - Other kernels than 6.1. Linux 6.12 can be booted and recorded (`--kernel 6.12`), and two rules that it changed are
#   known here: watermarks of a movable zone, and slots of swap areas. One machine was compared; all else is 6.1's.
# - Device trees and firmware of boards that QEMU does not emulate; ACPI tables of real PCs.
# - Time. An emulated kernel is slow, and says nothing about speed.
# - Whatever happens after boot: the prediction is of the moment when init starts.
#
# ## 10. From memory, once more

# %%
recall(*live_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question | public question "Which page frames hold mem_map[]?" (lesson 05 quotes it) |
# | the board's values | records arm-virt-armmp-1g, arm-vexpress-a9-1g, amd64-pc-2g-kaslr |
# | where lowmem ends: `adjust_lowmem_bounds`, VMALLOC_OFFSET | Linux 6.1, arch/arm/mm/mmu.c, include/asm/pgtable.h |
# | mem_map's size: `alloc_node_mem_map` | Linux 6.1, mm/page_alloc.c |
# | the boot allocator's log: `memblock=debug` | Linux 6.1, mm/memblock.c |
# | KASLR draws the bases of 64-bit areas: `kernel_randomize_memory` | Linux 6.1, arch/x86/mm/kaslr.c |
# | VMCOREINFO: `crash_save_vmcoreinfo_init` | Linux 6.1, kernel/crash_core.c |
# | who may read: zoneinfo 0444, pagetypeinfo 0400: `init_mm_internals` | Linux 6.1, mm/vmstat.c |
# | slabinfo, vmallocinfo 0400 | Linux 6.1, mm/slab_common.c, mm/vmalloc.c |
# | 6.12's own: `__setup_per_zone_wmarks`, `cluster_alloc_swap_entry` | Linux 6.12; record amd64-pc-1g-6.12 |
