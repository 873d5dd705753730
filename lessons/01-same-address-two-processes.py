# %% [markdown]
# # 01 · Same address, two processes
#
# **Purpose.** Find out how one virtual address leads to different places in memory, on page tables that real
# kernels built.
#
# **Time.** About 40 minutes.
#
# **Before.** Nothing of this course. You should know hexadecimal numbers, and what a *process* is.
#
# **After this you can**
#
# - *translate* a virtual address by hand, given the base register and what stands in memory;
# - *explain* what a context switch changes, and what it leaves alone;
# - *predict* when one address in two processes is one frame, and when it is two;
# - *judge* claims such as "the kernel is mapped 1:1" by reading the tables.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.study import own_page, practise, predict, recall, reveal, weigh
from vmlab.study.questions import same_address as ask
from vmlab.study.questions import same_address_kernel as ask_kernel
from vmlab.study.questions import same_address_recall, same_address_steps, same_address_switch

# %% [markdown]
# ## 1. From memory
#
# This is the first lesson, so these three are about arithmetic that you will need. Answer without looking
# anything up.

# %%
recall(*same_address_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody who learns systems programming asks, in public:
#
# > What I understand so far is that two processes P1 and P2 can make references to the same virtual address
# > for example 0xf11001. Now this memory address is split up into two parts. 0xf11 is the page number and
# > 0x001 is the offset within that page (assuming 4096 page size is used). To find the physical address the
# > MMU has hardware registers that maps the page number to a physical address let's say 0xfff. The last stage
# > is to combine 0xfff with 0x001 to find the physical 0xfff001 address.
# >
# > However this understanding makes no sense, the same virtual addresses would still point to the same
# > physical location??? What step am I missing?
#
# Four words first. The **MMU** is the part of the CPU that translates. A **virtual address** is what a program
# uses; a **physical address** is what goes out to the memory chips. Physical memory is counted in **frames**
# of 4096 bytes: a page of a process lies in a frame.
#
# Most of what the asker says is right, and the doubt at the end is very good. One belief in the middle is
# wrong. Which one?

# %%
predict(ask.WHERE)

# %%
pc = vm.load_machine("i386-pc-686-1g")
asked = [views.lane(pc, process, 0xF11001) for process in ("p0", "p1")]
reveal(ask.WHERE, lambda: views.stairs(*asked))

# %% [markdown]
# How to read the picture: on top the address in bits. Below it, for each process, one box for each number that the
# MMU read, in order, and where the byte was found. The column in the middle compares the two. What CR3, pgd and pte
# are comes in sections 3 and 4.
#
# This is no drawing of an idea. A PC ran Linux 6.1 and was stopped, its RAM was copied byte for byte, and the boxes
# show what stood there. The kernel was asked too, through /proc/PID/pagemap, and each process had written a text of its
# own to its page. All three agree.
#
# ## 3. What is in a register, and what is in memory
#
# The asker's idea needs a register for each page. Put a number to it: how much has the kernel to write when it
# lets another process run?

# %%
predict(ask.REGISTERS)

# %%
reveal(ask.REGISTERS)

# %% [markdown]
# So this is the step that the asker misses. The map from pages to frames is not in the MMU. It is in
# ordinary RAM, in **page tables**, and each process has tables of its own. The MMU has one **base register**
# with the physical address of the first of them, the **top table**. Intel calls the register CR3, ARM TTBR0.
#
# (The MMU does keep a few translations that it used lately, in a cache called TLB. It is not the map, only a
# copy of small parts of it. Lesson 03 is about it.)
#
# ## 4. The walk: eight steps
#
# The MMU cuts the address into pieces: one **index** for each level of tables, and the **offset**. Linux names
# the levels; on this PC there are two, **pgd** and **pte**. Each **entry** of a table is a number of 4 bytes:
# the upper bits are an address, the lowest twelve are flags (present, writable, user, accessed, dirty …).
# Here is p0's walk in full. The names of the steps stay the same from here on.

# %%
tables = pc.recorded.address_space("p0")
same_address_steps.worked(tables, 0xF11001)

# %% [markdown]
# Three remarks on the steps.
#
# - Every address inside the tables is *physical*. If it were virtual, a walk would need a walk.
# - **index** is a place, so nothing is searched: two levels, two reads.
# - **+ offset** is the only part of the address that comes out as it went in.
#
# Why two levels and not one long table? One table for 4 GiB would need an entry for each of its pages, used or
# not, in every process. With two levels a whole lower table is left out where nothing is mapped:

# %%
one_long_table = (1 << 32) // 4096 * 4
top = [tables.frames.read(tables.root_pa + 4 * index) for index in range(768)]
print(f"one long table: {one_long_table // vm.MiB} MiB for each process")
print(f"p0: 1 top table, and {sum(entry & 0x81 == 1 for entry in top)} lower ones, of 4 KiB each")

# %% [markdown]
# ### One step is yours
#
# Another process, another address. Everything is there but one step.

# %%
practise(same_address_steps.INDEX)

# %% [markdown]
# ### All steps are yours
#
# You are the MMU. Mind whose tables you read: what stands in RAM belongs to more than one process.

# %%
practise(same_address_steps.ALONE)

# %% [markdown]
# ## 5. The context switch
#
# A *task* is what the kernel lets run: a process, or one of its threads. A **context switch** is the moment when it
# lets another task run. Here is what it does to addresses, with the recorded processes' own top tables, one line a
# step. (*Forget* is about the TLB: lesson 03. A last line is kept back until section 7.)

# %%
from vmlab.virtual.context import Cpu, Mm, Task

roots = pc.recorded.roots
cpu = Cpu("x86-32", "x86")
cpu.switch(Task("p0", Mm("p0", roots["p0"].root_pa)))
*told, last_line = cpu.switch(Task("p1", Mm("p1", roots["p1"].root_pa))).tell().splitlines()
print(*told, sep="\n")

# %% [markdown]
# And this is what CR3 really held while each of the three ran, read from the stopped machine, beside what the
# kernel had noted as the process's top table (`mm->pgd`). On an ARM board the register is called TTBR0, and
# its lowest bits say how walks are cached, so they are not part of the address:

# %%
for name in ("i386-pc-686-1g", "arm-virt-armmp-1g"):
    for process, root in vm.load_machine(name).recorded.roots.items():
        if root.base_value:
            print(f"{name:18} {process}: register {root.base_value:#x}, mm->pgd {root.root_pa:#x}")

# %% [markdown]
# **What changes**: one register. **What stays**: all tables, in RAM, of all processes; they wait. Nothing is
# copied, and no page moves.
#
# Now threads. Two threads of one process are two tasks with one `mm`, the kernel's note of an address space.

# %%
predict(same_address_switch.THREADS)

# %%
mm = Mm("p0", roots["p0"].root_pa)
thread_cpu = Cpu("x86-32", "x86")
thread_cpu.switch(Task("first thread", mm))
switch = thread_cpu.switch(Task("second thread", mm))
reveal(same_address_switch.THREADS, lambda: switch.tell())

# %% [markdown]
# A **kernel thread** works for the kernel alone and has no `mm` at all. It uses the kernel's addresses only, and runs
# on whatever tables it finds loaded. (Section 7 shows why that works.)

# %%
practise(same_address_switch.WRITES)

# %% [markdown]
# ## 6. So different processes always have different frames?
#
# It would be a neat law: same process, same frame; other process, other frame. Test it before you keep it.

# %%
predict(ask.MAP_SHARED)

# %%
shared = [views.lane(pc, process, 0x1200000) for process in ("p0", "p1")]
reveal(ask.MAP_SHARED, lambda: views.stairs(*shared))

# %% [markdown]
# Follow the column in the middle: other register, other tables, other entry in the top table, and then one and
# the same frame. Nothing in the MMU binds a frame to a process, and nothing keeps it from being named twice.
# The kernel decides by what it writes into the tables. The same happens with the program's code: three copies
# of one program run, and RAM holds its code once. And it happens right after `fork`:

# %%
predict(ask.COPIES)

# %%
written = [views.lane(pc, process, 0x1400000) for process in ("p0", "p1")]
reveal(ask.COPIES, lambda: views.stairs(*written))

# %% [markdown]
# Look at the flags in the last entries: p0's does not say *write*. `fork` copies the tables and takes the
# permission to write from both sides. The first write is then refused by the MMU, the kernel hears of it (a
# **page fault**), copies the page for the writer and lets it go on. This is **copy-on-write**.
#
# ### Judge a claim

# %%
predict(same_address_switch.CLAIM)

# %%
read_only = [views.lane(pc, process, 0x1300000) for process in ("p0", "p1")]
reveal(same_address_switch.CLAIM, lambda: views.stairs(*read_only))

# %% [markdown]
# ## 7. The kernel's half
#
# On this PC user programs have the addresses below 0xc000_0000, the kernel those above. A system call does not
# switch to another process; the kernel's code runs on the tables that are loaded. So it must be in them.

# %%
predict(ask_kernel.KERNEL)

# %%
kernel_lanes = [views.lane(pc, process, 0xC0400000) for process in ("p0", "p1")]
reveal(ask_kernel.KERNEL, lambda: views.stairs(*kernel_lanes))

# %% [markdown]
# The middle column again: other register, other top table, and from the first entry on all is the same. The
# entry maps 4 MiB at once and does not say *user*: it is in p0's tables, but p0's own code may not use it. This is also
# why a kernel thread can run on anybody's tables, and it is the last line of the switch in section 5:

# %%
print(last_line)

# %% [markdown]
# The kernel's half is also where the words "mapped 1:1" come from.

# %%
predict(ask_kernel.KERNEL_PA)

# %%
code = [views.lane(pc, process, 0xC1000000) for process in ("p0", "p1")]
reveal(ask_kernel.KERNEL_PA, lambda: views.stairs(*code))

# %% [markdown]
# ### Two tables for one process
#
# In January 2018 it became known that on many CPUs a program can find out what stands behind entries that it may not
# use (Meltdown). The remedy is **page-table isolation**, PTI (in Linux since 4.15): each process gets a second top
# table, for the time while its own code runs, and that one has as little of the kernel as it can. One of the
# recorded PCs was booted with `pti=on`.

# %%
predict(ask_kernel.ISOLATION)

# %%
isolated = vm.load_machine("amd64-pc-2g-pti")
both = [views.lane(isolated, "p0", 0xFFFFFFFF81000000, user_root=user) for user in (False, True)]
reveal(ask_kernel.ISOLATION, lambda: views.stairs(*both))

# %% [markdown]
# Both sides are *one* process. The two top tables lie side by side, and CR3 is written at every way into the
# kernel and out of it: the base register says not only whose memory it is, but also who is looking.
#
# ## 8. Change something
#
# Eight recorded machines, from two levels to five. Type any address; Tab moves from control to control. Four
# things to try, each with a guess before you look:
#
# 1. 0x400000 and 0xf11000 in p0 and p2, on the ARM board. Which level is the first to differ?
# 2. Find an address at which init and p0 share the frame, and one that only p0 has.
# 3. 0x40000000: how many boxes has the walk on the amd64 PC, and why fewer than four?
# 4. 0x1000000 was only ever *read*, never written. In how many frames is it, in init, p0, p1 and p2?

# %%
explore.translation_explorer()

# %% [markdown]
# The same in code. Change the address, the process or the machine, and run it again. `walk` is the model's MMU: it
# reads the recorded bytes, and a page that is not there is an answer, not an error.

# %%
walk = pc.recorded.address_space("p2").walk(0x3000000)
print(walk.explain())

# %% [markdown]
# ## 9. Your machine
#
# Read-only. A small program is started; it writes a page, forks, and the child writes the same page. Each
# process reads its own byte and asks the kernel for the frame. Where this cannot be read (no Linux), a
# recorded PC is shown, and the first line says so. Before you run it: how many different frames will there be?

# %%
own_page()

# %% [markdown]
# ## 10. Was sharing the best way?

# %%
weigh(same_address_switch.POINTERS)

# %% [markdown]
# **The answer to the asker.** You miss one step: the map is not in the MMU. It is in memory, one set of tables
# for each process, and the MMU has a single register that says where they begin. The kernel writes it when
# another process runs. And then drop the law you were about to make: equal addresses need not be equal memory,
# and need not be different memory. The entries decide.
#
# ## 11. What the model leaves out
#
# - The TLB, and numbers that mark whose its entries are (ASIDs, PCIDs): lesson 03. A CPU does not walk for each
#   access.
# - The other formats of entries, and what each of their bits means: lesson 02.
# - What a page fault does with a page that is not there: the walk here ends with the fault.
# - A context switch also changes stacks and the CPU's other registers; here only translation is shown.
# - Virtual machines, where a second set of tables translates the addresses that the first one gives.
# - The records are of a machine that stood still; on a live one the kernel may move a page between two looks.
#
# ## 12. From memory, once more

# %%
recall(*same_address_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted (spelling corrected) | public question "How does virtual to physical memory mapping work" |
# | tables, entries and registers of p0, p1 and p2 | records i386-pc-686-1g, arm-virt-armmp-1g |
# | two levels, 10 + 10 + 12 bits; flags of an entry | Linux 6.1, arch/x86/include/asm/pgtable_types.h |
# | a switch writes CR3: `switch_mm_irqs_off`, `load_new_mm_cr3` | Linux 6.1, arch/x86/mm/tlb.c |
# | low bits of TTBR0: `cpu_v7_switch_mm` | Linux 6.1, arch/arm/mm/proc-v7-2level.S |
# | threads share an mm, kernel threads borrow one: `context_switch` | Linux 6.1, kernel/sched/core.c |
# | fork copies tables and takes the permission to write: `copy_present_pte` | Linux 6.1, mm/memory.c |
# | copy on the first write: `do_wp_page`, `wp_page_copy` | Linux 6.1, mm/memory.c |
# | the kernel's entries are repeated in each top table: `pgd_ctor` | Linux 6.1, arch/x86/mm/pgtable.c |
# | 1:1 is a constant distance: `__pa`, `PAGE_OFFSET` | Linux 6.1, arch/x86/include/asm/page.h, page_types.h |
# | PTI: two top tables side by side, what user mode's keeps | Linux 6.1, arch/x86/mm/pti.c; record amd64-pc-2g-pti |
# | frame numbers only with CAP_SYS_ADMIN: `pagemap_read` | Linux 6.1, fs/proc/task_mmu.c |
