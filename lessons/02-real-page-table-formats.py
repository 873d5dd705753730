# %% [markdown]
# # 02 · Real page-table formats
#
# **Purpose.** Read the page tables of any machine: cut an address as its CPU does, and say what an entry means.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 01: the base register, the walk, what a context switch changes.
#
# **After this you can**
#
# - *translate* an address in a format that you have never seen, given its table of levels;
# - *calculate* what page tables cost, and what large pages save;
# - *decode* an entry: present, write, user, NX, and who decides when levels disagree;
# - *explain* what an entry that is not present may mean, and what is no address at all;
# - *judge* a tool that reads page tables, and find its bug.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.arch.formats import page_format
from vmlab.study import practise, predict, recall, reveal, this_translation, weigh
from vmlab.study.questions import formats as ask
from vmlab.study.questions import formats_entries, formats_limits, formats_recall, formats_steps
from vmlab.units import human

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*formats_recall.START)

# %% [markdown]
# ## 2. The question
#
# The asker of lesson 01 takes an address apart:
#
# > […] the same virtual address for example 0xf11001. Now this memory address is split up into two parts.
# > 0xf11 is the page number and 0x001 is the offset within that page (assuming 4096 page size is used).
#
# Two parts: 20 bits and 12 bits. Is that what a CPU does? Is it what *every* CPU does? If the page number were
# one index into one table, this table would need an entry for every page that an address can name. Think of the
# price before you answer.

# %%
predict(ask.ONE_ARRAY)

# %%
thirty_two = [page_format(name) for name in ("x86-32", "x86-pae", "arm-short", "arm-lpae")]
reveal(ask.ONE_ARRAY, lambda: views.format_rows(0xF11001, thirty_two))

# %% [markdown]
# The offset is as the asker says. But the page number is cut again: one **index** for each level of tables.
# Linux names the levels, from the top: **pgd**, **p4d**, **pud**, **pmd**, **pte**; a format has two to five of
# them. Where nothing is mapped, an entry of an upper table stays empty and the table below it does not exist.
#
# The picture shows four formats of 32-bit machines:
#
# - **i386**: entries of 4 bytes, 1,024 in a page, so 10 bits a level.
# - **PAE** (i386 for more than 4 GiB of RAM): a frame number needs more bits, so entries take 8 bytes. Then only
#   512 fit in a page: 9 bits a level, and 2 bits are left over for a third level.
# - **ARM short descriptors**: a top table of 16 KiB (12 bits), lower tables of 1 KiB (8 bits).
# - **ARM LPAE**: entries of 8 bytes, as with PAE.
#
# ## 3. The steps, on tables of a real kernel
#
# A page table is read in the same way everywhere. Five steps; their names stay the same from here on.
#
# 1. **canonical**: is the number an address at all?
# 2. **root**: the base register says where the top table is.
# 3. **index**: for each level, cut the index and read that entry.
# 4. **large page?**: does this entry map memory itself? If so, the walk ends here.
# 5. **frame**: the address in the entry, plus the offset: all bits below the last index.
#
# Here they are in the tables of a process on a 64-bit PC, copied from its RAM while Linux 6.1 ran:

# %%
space = vm.load_machine("amd64-pc-1g").recorded.address_space("p0")
formats_steps.worked(space.walk(0x4012_3456))

# %% [markdown]
# Look at the pmd entry, 0x8000_0000_0460_08e7. Bit 7 of it (**PS**, page size) is set, so there is no pte
# table: this one entry maps 2 MiB, and the offset has 21 bits. *The page size is not a constant of a machine.
# It is decided entry by entry, on the way.*
#
# ### One step is yours

# %%
practise(formats_steps.FRAME_STEP)

# %% [markdown]
# ### All steps are yours, in another format

# %%
practise(formats_steps.TRANSLATE)

# %% [markdown]
# ### How many tables?

# %%
practise(formats_steps.TABLES)

# %% [markdown]
# ## 4. Find the bug
#
# gdb-pt-dump is a good tool: it lets a debugger show the page tables of a virtual machine. Its function `walk`
# for x86 reasons like this (commit 070c6835, pt/pt_x86_64_parse.py, in our words):
#
# > In 32-bit mode there are two tables, PD and PT. The address starts at bit 31. An entry takes 8 bytes with PAE and
# > 4 without; so a table has 4096/8 = 512 or 4096/4 = 1,024 entries, and an index has 9 or 10 bits. Clear the base
# > register's lowest 12 bits, read the entry, move down by 9 or 10 bits, read the next.
#
# For one of the two formats this is right. Before you say which, cut an address yourself:

# %%
predict(ask.PAE_INDEX)

# %%
pae_va = ask.PAE_INDEX.variant()["va"]
reveal(ask.PAE_INDEX, lambda: views.format_rows(pae_va, thirty_two[:2]))

# %% [markdown]
# With PAE the tool takes bits 31..23 for the first index and 22..14 for the second. Does that matter? Here are
# both walks on a recorded PAE kernel, at the address where it has mapped its interrupt controller:

# %%
print(ask.tell_both(0xFFFF_B000))

# %% [markdown]
# Two frames for one address, and the second is plausible enough to be believed. It is chance that the wrong
# walk found anything: it cleared twelve bits of a base register of which only five are spare (the root of PAE
# has 4 entries, 32 bytes, and Linux puts many such roots in one page), then it read entry 511 of that page. At
# most other addresses it reads what belongs to another process, or to no table at all:

# %%
print(ask.tell_both(0x40_0000))

# %% [markdown]
# The lesson for tools: *the root need not have the size of the other tables.* A format is a table of levels,
# each with its own number of bits. This is all that a walk needs to know of it:

# %%
pae = page_format("x86-pae")
views.Table(
    ("level", "bits", "entries", "one entry covers", "pages it can map"),
    [
        (level.name, f"{level.shift + level.bits - 1}..{level.shift}", 1 << level.bits, human(level.size),
         ", ".join(human(1 << leaf.shift) for leaf in level.leaves) or "none")
        for level in pae.levels
    ],
)  # fmt: skip

# %% [markdown]
# ## 5. What large pages save
#
# The kernel maps its own RAM too, nearly all of it. An i386 entry of the top table can point to a table of
# 1,024 pages, or map 4 MiB itself.

# %%
predict(ask.SAVED)

# %%
reveal(ask.SAVED)

# %% [markdown]
# Other recorded kernels, counted in the same way: all tables that can be reached from the kernel's root.

# %%
from vmlab.virtual.census import census

names = ("i386-pc-686-1g", "i386-pc-686pae-4g", "arm-virt-armmp-1g", "arm-virt-lpae-1g", "amd64-pc-4g", "arm64-virt-1g")
counts = [(name, census(vm.load_machine(name).recorded.kernel_space())) for name in names]
views.Table(
    ("record", "mapped, by page size", "tables take", "large pages save"),
    [(name, ", ".join(f"{human(total)} in {human(size)}" for size, total in sorted(found.mapped.items())),
      human(found.tables_bytes), human(found.saved_bytes)) for name, found in counts],
)  # fmt: skip

# %% [markdown]
# One row is odd. The arm64 kernel maps nearly all its RAM in 4 KiB pages and pays 2 MiB for tables. It has
# large pages; it does not use them here, because it wants to change the permission of single pages later
# (`rodata=full`, the default; Linux 6.1, arch/arm64/mm/mmu.c: `map_mem`). Booted with `rodata=off` the same
# kernel maps 1 GiB with a single entry. Saving memory is not the only wish.
#
# (On the 64-bit machines more is mapped than there is RAM: the kernel image and the array of struct pages are mapped
# twice, at two addresses, and on the arm64 board also 256 MiB of addresses through which PCI devices are set up.)
#
# ## 6. Who decides?
#
# Each entry has flags. **write** and **user** permit; **NX** (no execute) forbids. Entries that point to tables
# have them too.

# %%
predict(formats_entries.WHO_WINS)

# %%
guarded = formats_entries.WHO_WINS.variant()["walk"]
reveal(formats_entries.WHO_WINS, lambda: views.entries(guarded))

# %% [markdown]
# This is no invention of a textbook. With page-table isolation (PTI) an x86 kernel keeps two roots for each
# process, one for user mode and one for itself. In its own it sets NX in the *root's* entries for the user
# half: the kernel must never run a program's code by mistake (Linux 6.1, arch/x86/mm/pti.c:
# `__pti_set_user_pgtbl`). The program's own code page, on a recorded machine:

# %%
pti = vm.load_machine("amd64-pc-2g-pti").recorded
for name, user_mode in (("kernel's root", False), ("user mode's root", True)):
    walk = pti.address_space("p0", pti_user=user_mode).walk(0x2000_1000)
    alone, together = walk.entry_flags["nx"], walk.flags["nx"]
    print(f"{name:16} nx in the last entry: {alone}; all levels together: {together}; frame {walk.pa >> 12:#x}")

# %% [markdown]
# The same last entry in the same table, and one of the two walks may not execute. *The last entry alone does
# not decide.*
#
# ## 7. Not present
#
# Bit 0 of an x86 entry says **present**. On 32-bit ARM an entry that ends in the bits 00 is not there. What
# does it mean for the page?

# %%
predict(ask.OLD_PAGE)

# %%
old = ask.old_walk()
reveal(ask.OLD_PAGE, lambda: views.entries(old))

# %% [markdown]
# On this machine Linux writes every last-level entry twice. 2,048 bytes below the one that the hardware reads
# stands Linux's own, with the flags that this CPU lacks: **accessed** (young) and **dirty**. Of an old page
# Linux clears the hardware's entry only. The next touch faults, Linux marks the page young and writes the entry
# again. So a fault can be a measuring instrument.
#
# On x86 the accessed and dirty bits are set by the CPU itself. There a page can be present for Linux and not
# for the hardware for another reason: `mprotect(PROT_NONE)`. Bit 0 is cleared so that any use faults, bit 8
# says that the page is still there. And the frame number is stored *inverted*, since some CPUs guess ahead with
# the frame of an entry that is not present (**L1TF**): inverted, it names memory that does not exist. (Since
# Linux 4.19.) Worked for such a page of the recorded process, with the frame that the running kernel gave for it in
# /proc/PID/pagemap:

# %%
cases = vm.load_machine("amd64-pc-1g").recorded.data["translation"]["cases"]
case = next(case for case in cases if case["proc"] == "p0" and "PROT_NONE" in case["what"])
kept = space.walk(case["va"])
print(f"hardware: {kept.fault.kind}; the running kernel said: frame {case['pagemap']['pfn']:#x}")
formats_entries.hidden_steps(kept.steps[-1].entry)

# %% [markdown]
# ### One step is yours

# %%
practise(formats_entries.HIDDEN_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(formats_entries.HIDDEN)

# %% [markdown]
# So an entry that is not present says one thing only: *the CPU shall ask the kernel*. The page may be new, in
# swap, old, protected, or not the program's at all. The kernel decides by its own books.
#
# ## 8. What the CPU tells the kernel
#
# When a walk fails, the CPU leaves a code. On x86 it is the error code of the page fault (vector 14).

# %%
practise(formats_entries.CODE)

# %% [markdown]
# Each architecture has its own words for the same event. A program writes to an address that nobody has mapped:

# %%
from vmlab.virtual.page_table import PageTable

for name in ("x86-32", "x86-64-4", "arm-short", "arm-lpae", "arm64-4k-48", "sv39"):
    code = PageTable(name).walk(0xF11001, "write").fault.code
    print(f"{name:12} {code.register:16} {code.value:#10x}  {code.words}")

# %% [markdown]
# ARM's codes also say *at which level* the walk ended; x86's does not, and RISC-V's only says what was tried.
#
# ## 9. Numbers that are no address
#
# A 64-bit register holds 64 bits. Four levels of 9 bits and 12 bits of offset are 48. And the other 16?

# %%
predict(formats_limits.HOLE)

# %%
hole = formats_limits.HOLE.variant()["va"]
sixty_four = [page_format(name) for name in ("x86-64-4", "x86-64-5")]
reveal(formats_limits.HOLE, lambda: views.format_rows(hole, sixty_four))

# %% [markdown]
# The addresses that pass are the lowest 128 TiB and the highest 128 TiB; Linux gives the lower half to programs
# and keeps the upper. With a fifth level (**LA57**) the halves grow to 64 PiB, and the rule looks at bits
# 63..56. The check is what makes it possible to add levels later: no program could rely on ignored bits. On
# AArch64 the two halves even have a base register each, TTBR0 and TTBR1.
#
# A machine with five levels was recorded. This is a byte of its RAM in the kernel's direct map: the fifth level
# is there, and yet only three entries are read. Why?

# %%
five = vm.load_machine("amd64-pc-4g-la57").recorded.kernel_space()
print(five.walk(0xFF11_0000_6006_E000).explain())

# %% [markdown]
# ## 10. Other pages
#
# Nobody ordered that a page has 4 KiB. AArch64 has three **granules**. (No machine with 16 or 64 KiB pages, and
# no RISC-V machine, was recorded for this course: what follows is from the manuals.)

# %%
predict(formats_limits.GRANULE)

# %%
granules = [page_format(name) for name in ("arm64-4k-48", "arm64-16k-47", "arm64-64k-48", "sv39", "sv48")]
reveal(formats_limits.GRANULE, lambda: views.format_rows(0x1234_5678_9ABC, granules))

# %% [markdown]
# In the picture the address passes AArch64's check in all three granules, and is no address for Sv39: bits
# 63..38 must be equal there. RISC-V has one more idea of its own: an entry whose R, W and X bits are all 0
# points to a table, and any other maps memory, at *every* level. There is no "large" bit.
#
# ## 11. Change something
#
# Type an address, choose a format and whose tables are walked. Tab moves from control to control, arrow keys
# change a list. Four things to try, each with a guess before you touch the control:
#
# 1. The asker's 0xf11001: in which formats is its lowest index 273, and why?
# 2. A page made by hand that is read only, and a write from user mode: which bits of the error code are
#    set? And from the kernel?
# 3. The largest page of each format. Which has the largest, and how many entries does the walk read then?
# 4. The recorded process at 0x1100000 (it was set to PROT_NONE), in every format that has a record. Which formats keep
#    the frame number readable?

# %%
explore.formats_explorer()

# %% [markdown]
# ## 12. Which page size would you take?

# %%
weigh(formats_limits.PAGE_SIZE_CHOICE)

# %% [markdown]
# ## 13. Your machine
#
# Read-only: the size of your pages, the width of your addresses, and the addresses of this very Python process,
# cut. The frames are not shown: /proc/self/pagemap hides them from ordinary users (since Linux 4.2). Where
# nothing can be read, a recorded process is shown, and the first line says which it is.

# %%
this_translation()

# %% [markdown]
# Which of these addresses share a pud table? Which a pmd table? (Compare the indices from the left.)
#
# ## 14. What the model leaves out
#
# - Memory types and cacheability, protection keys, ARM's domains: bits of an entry that we show without a name.
# - The two stages of a virtual machine, where each step of a walk needs a walk.
# - Addresses whose top byte is ignored (AArch64's tags, LAM), and the contiguous hint.
# - Reserved address bits of a particular CPU: the model takes the widest that the architecture allows.
# - The caches of upper levels that CPUs keep. The TLB is the next lesson.
#
# ## 15. From memory, once more

# %%
recall(*formats_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the split of 0xf11001 into two parts | public question on virtual addresses of two processes, quoted in lesson 01 |
# | x86 levels, flags, canonical addresses | Intel SDM vol. 3, chapter 4; Linux 6.1, asm/pgtable_types.h |
# | the two-level walk with PAE | gdb-pt-dump 070c6835, pt/pt_x86_64_parse.py; judged by record i386-pc-686pae-4g |
# | 0xffff_b000 is in frame 0xfec00 | record i386-pc-686pae-4g (fixmap, I/O APIC; Linux 6.1) |
# | sizes and tables of kernel mappings | records named in the table, counted by vmlab/virtual/census.py |
# | small pages: `map_mem` | Linux 6.1, arch/arm64/mm/mmu.c; records arm64-virt-1g, arm64-virt-2g-rodataoff |
# | rights of all levels count | Intel SDM vol. 3, 4.6; record amd64-pc-2g-pti |
# | NX in the kernel's root: `__pti_set_user_pgtbl` | Linux 6.1, arch/x86/mm/pti.c; record amd64-pc-2g-pti |
# | paired entries: `cpu_v7_set_pte_ext` | Linux 6.1, arch/arm/mm/proc-v7-2level.S; record arm-virt-armmp-1g |
# | inverted frames while not present | Linux 6.1, arch/x86/include/asm/pgtable-invert.h; record amd64-pc-1g |
# | error code bits, fault status | Linux 6.1, x86 asm/trap_pf.h, arm mm/fsr-2level.c, arm64 asm/esr.h |
# | granules and levels of AArch64 (no record) | ARM ARM, D8.3; Linux 6.1, arch/arm64/include/asm/pgtable-hwdef.h |
# | Sv39 and Sv48 (no record) | RISC-V ISA manual, vol. II; Linux 6.1, arch/riscv/include/asm/pgtable-bits.h |
# | frame numbers hidden in pagemap | Linux 4.2 and later, fs/proc/task_mmu.c |
