# %% [markdown]
# # 03 · TLB, ASIDs, what a switch flushes
#
# **Purpose.** See what the CPU remembers of page tables, what that saves, and what makes it forget.
#
# **Time.** About 45 minutes.
#
# **Before.** A virtual address is translated by a *walk*: one entry is read at each level of the page table, whose
# top the *base register* names (CR3 on x86). A *page number* is an address shifted right by 12.
#
# **After this you can**
#
# - *trace* a lookup through index, compare, walk, evict and fill;
# - *calculate* reach, and what walks cost, in a virtual machine too;
# - *explain* why a larger TLB may change nothing, and what does help;
# - *predict* what a context switch, a system call and an unmap make a CPU forget;
# - *judge* a claim about page sizes or PCIDs by a run of the model.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import tlb as ask
from vmlab.study.questions import tlb_flush, tlb_recall, tlb_sets, tlb_steps, tlb_strides, tlb_switch, tlb_threads

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*tlb_recall.START)

# %% [markdown]
# ## 2. The question
#
# A program fills a matrix of 512 × 512 numbers and adds them up. A second one differs in a single place: the loop adds
# `cell[j][i]` where the first adds `cell[i][j]`, so it goes by columns and not by rows. One row is exactly one page of
# 4 KiB. Both were recorded while they ran, page by page:

# %%
print(vm.load_trace("matrix-rows").tell())
print(vm.load_trace("matrix-columns").tell())

# %% [markdown]
# The same loads, the same stores, the same pages. The CPU keeps the translations that it used last in its **TLB**
# (translation lookaside buffer); a translation that is not there costs a **walk** of the page table.

# %%
predict(ask.MATRIX)

# %%
runs = [("by rows", ask.board_run("matrix-rows")), ("by columns", ask.board_run("matrix-columns"))]
reveal(ask.MATRIX, lambda: views.walk_bars("Walks on a Cortex-A8", runs, levels=2))

# %% [markdown]
# Keep two things in mind. A hit ratio of 94.6 % sounds good and is nearly two hundred times as many walks as 99.97 %.
# And no data was cached less well here: the TLB has no data in it. What has it?
#
# ## 3. What an entry covers

# %%
predict(ask.REACH)

# %%
reveal(ask.REACH)

# %% [markdown]
# An entry says: *this page number, of this process, is in that page frame*, with the page's rights. Entries ×
# page size is the TLB's **reach**. The bytes themselves come from the data cache or from memory, after
# translation. A CPU has several such structures; these are Skylake's (I for instructions, D for data; what *sets* are
# comes in section 4):

# %%
for row in vm.Tlb("Skylake").structures:
    print(row.tell())

# %% [markdown]
# ### What a miss costs
#
# A miss is not a page fault. The CPU walks the table by itself, and the kernel hears of it only when the walk
# ends at an entry that is not *present*. On x86-64 a walk reads four entries, one a level. Now the same in a
# virtual machine, where the guest's tables hold addresses that the host's tables must translate in turn.

# %%
predict(ask.WALK)

# %%
reveal(ask.WALK)

# %% [markdown]
# That is without any help. Real CPUs also keep entries of upper levels and find most of the rest in data caches, so a
# walk is usually far cheaper; the count says how much there is to save. The steps of the calculation: *misses*,
# *each walk*, *product*. Worked for the column program on the Cortex-A8, whose tables have two levels:

# %%
columns = ask.board_run("matrix-columns")
tlb_steps.cost_steps(columns.accesses, columns.misses, levels=2, host_levels=0)

# %% [markdown]
# ### One step is yours

# %%
practise(tlb_steps.COST_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(tlb_steps.COST)

# %% [markdown]
# ## 4. A lookup in five steps
#
# To compare a page number with 1,536 entries at once would take too much hardware. So entries are kept in
# **sets**, and a page may only be in one of them. The names of the steps stay the same from here on:
#
# **index** (which set) → **compare** (page number and owner, with each entry of the set) → if none is equal:
# **walk** → **evict** (if the set is full) → **fill**.

# %%
predict(tlb_sets.SET)

# %%
reveal(tlb_sets.SET, lambda: tlb_sets.set_steps(**tlb_sets.SET.variant()))

# %% [markdown]
# Here is a toy TLB of 4 sets with 2 ways. **Next step** and **Previous step** work with Tab and Space. Before
# each step say which set it will be, hit or miss, and who has to go. Then find: two addresses that share one
# entry; a page that is pushed out although other sets are empty; one page number that is there twice.

# %%
explore.lookup_explorer()

# %% [markdown]
# Newest is left: this TLB gives up what was used longest ago (**LRU**). No vendor says what its TLBs really do.
#
# ### One step is yours

# %%
practise(tlb_sets.SET_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(tlb_steps.VICTIM)

# %% [markdown]
# ## 5. When room does not help
#
# 64 entries, far fewer pages. What can go wrong?

# %%
predict(tlb_sets.CONFLICT)

# %%
array = tlb_sets.CONFLICT.variant()
strides = [(f"rows {pages} pages apart", pages) for pages in (array["row_pages"], array["row_pages"] + 1)]
second = [(words, f"{tlb_sets.second_pass(array['rows'], pages)} walks") for words, pages in strides]
reveal(tlb_sets.CONFLICT, lambda: views.Table(("array", "second pass"), second))

# %% [markdown]
# A **set conflict**. One page of padding in each row, never read, and all walks are gone. (Enough ways
# would do as well: one for each row.) But the matrix of section 2 has rows of one page: its pages use all sets
# evenly. So there, surely, a larger TLB is the cure.

# %%
predict(ask.BIGGER)

# %%
lru = [views.Curve("LRU", [ask.walks("matrix-columns", entries) for entries in ask.SIZES])]
scales = views.Axis("entries (sets of 4)"), views.Axis("walks")
cliff = "Walks of the column program with LRU: as many with 256 entries as with 16, and then a cliff at 512."
reveal(ask.BIGGER, lambda: views.curves("One level, loads and stores", cliff, ask.SIZES, lru, *scales))

# %% [markdown]
# A cliff: what is used in a circle fits whole or not at all. But is that LRU's fault, or the size's? Three other rules
# for whom to evict: **FIFO** gives up what came first, however lately it was used; *PLRU* is a cheap approximation of
# LRU; *random* draws lots.

# %%
predict(ask.POLICY)

# %%
policies = ask.POLICY_NAMES.items()
lines = [views.Curve(n, [ask.walks("matrix-columns", e, policy=p) for e in ask.SIZES]) for p, n in policies]
lot = "Four policies: three fall off the same cliff at 512 entries; random walks less at 256, and a little more at 512."
reveal(ask.POLICY, lambda: views.curves("Four policies", lot, ask.SIZES, lines, *scales))

# %% [markdown]
# The table below the picture has the numbers; three of the four lines lie on each other. To choose by lot is a small
# help with 256 entries and a small harm with 512: no policy makes up for reach.
#
# The other way to more reach is not more entries but larger pages.

# %%
predict(ask.HUGE)

# %%
by_page = [(size, ask.walks("matrix-columns", 32, page_bytes=size)) for size in (4 * vm.KiB, 64 * vm.KiB, 2 * vm.MiB)]
reveal(ask.HUGE, lambda: views.Table(("page size, bytes", "walks with 32 entries"), by_page))

# %% [markdown]
# Now real programs, and a TLB of your making. Three things to try, each with a guess before you touch the control:
#
# 1. `gzip` with one set of 16 ways, then 16 sets of 1 way: as many entries. Which walks less?
# 2. `matrix-columns`: how few entries suffice with pages of 64 KiB?
# 3. Let another program take turns. When do ASIDs help, and at what size do they make no difference any more? Why?

# %%
explore.geometry_explorer()

# %% [markdown]
# ## 6. The switch
#
# *"A context switch empties the TLB."* True or false? Equal page numbers of two processes mean different frames,
# so the CPU must not mix them up. There are two ways: to forget, or to write on each entry whose it is. First a
# CPU that can only forget. x86 marks entries of the kernel's half **global**: they are equal in all processes.

# %%
predict(tlb_switch.NO_PCID)

# %%
reveal(tlb_switch.NO_PCID, lambda: tlb_switch.told("x86", **tlb_switch.NO_PCID.variant()))

# %% [markdown]
# The owner's number is an **ASID** (address space identifier); x86 calls it **PCID**, has had it since Westmere, and
# Linux uses it since 4.14. The *compare* step then compares it as well.

# %%
predict(tlb_switch.PCID)

# %%
reveal(tlb_switch.PCID, lambda: tlb_switch.told("x86-pcid", **tlb_switch.PCID.variant()))

# %% [markdown]
# Bit 63 of the value written to CR3 is an order: do not flush. So the claim is false twice: global entries stay
# anyway, and with ASIDs everything stays. When must a CPU with ASIDs forget, then? When the numbers run out.

# %%
predict(tlb_switch.SEVENTH)

# %%
taking_turns = [(n, ", ".join(map(str, tlb_switch.in_turn(n)))) for n in range(5, 10)]
reveal(tlb_switch.SEVENTH, lambda: views.Table(("processes", "walks of each in the second round"), taking_turns))

# %% [markdown]
# The cliff of section 5 once more, of slots this time. ARM's kernel counts in another way: a number belongs to a
# process on all CPUs. When all are used up it begins a new **generation**: every CPU forgets everything once, and
# every process gets a new number when it next runs.

# %%
predict(tlb_switch.ROLLOVER)

# %%
kernels = {"ARM": "arm", "arm64, 8 bits": "arm64-8", "arm64, 16 bits": "arm64-16", "RISC-V, 16 bits": "riscv-16"}
rules = [(words, tlb_switch.before_rollover(rule)) for words, rule in kernels.items()]
reveal(tlb_switch.ROLLOVER, lambda: views.Table(("Linux 6.1 on", "processes before a new generation"), rules))

# %% [markdown]
# ### Yours
#
# arm64 has half as many as its bits say. Why?

# %%
practise(tlb_switch.PAIRS)

# %% [markdown]
# ### Who switches at all?
#
# Threads share a page table. A kernel thread has none: it runs on whichever is loaded, for the kernel's half is
# in each of them (**lazy TLB**).

# %%
practise(tlb_threads.WRITES)

# %% [markdown]
# ## 7. More ways to forget
#
# **A system call** is no switch: the process stays, and for decades its page table did. Since Meltdown (2018) Linux
# can give user mode a table without the kernel (**page-table isolation**, PTI).

# %%
predict(tlb_flush.PTI)

# %%
f = tlb_flush.PTI.variant()
pti = [
    (words, "on" if isolated else "off", tlb_flush.system_calls(rule, isolated, f["user"], f["kernel"], f["calls"]))
    for words, rule in (("x86 without PCIDs", "x86"), ("x86 with PCIDs", "x86-pcid"))
    for isolated in (False, True)
]
reveal(tlb_flush.PTI, lambda: views.Table(("CPU", "isolation", "walks"), pti))

# %% [markdown]
# With PCIDs isolation costs no flush: user mode has a PCID of its own (the kernel's plus 2,048). It does cost
# entries: a page that both use is in the TLB twice.
#
# **An unmap** must be felt at once: the frame will be somebody else's. x86 forgets one page by the instruction
# `invlpg`.

# %%
predict(tlb_flush.RANGE)

# %%
held = [tlb_flush.RANGE.variant()[what] for what in ("others", "kernel")]
gone = [(n, *(tlb_flush.forgotten(rule, n, *held) for rule in ("x86-pcid", "arm"))) for n in (1, 33, 34, 60)]
reveal(tlb_flush.RANGE, lambda: views.Table(("pages unmapped", "entries gone, x86", "entries gone, ARM"), gone))

# %% [markdown]
# (The other pages and the global ones are as many as in the question.) Other CPUs that run the process must forget as
# well: x86 interrupts them, ARM's instruction reaches all CPUs by itself.
#
# All of it in one picture. Predict before each change: how many walks does the next turn need?
#
# 1. Three processes, PCIDs on, then off.
# 2. Six processes, then seven, each time up to switch 14. How many walks has a turn of the second round?
# 3. A second thread of p0; a kernel thread. Which register is written?
# 4. Isolation on: which pages are now there once for each process, and whose number do they carry?

# %%
explore.switch_explorer()

# %% [markdown]
# ## 8. Your machine
#
# Read-only. What does your CPU say of its TLB? Where that cannot be read, a saved sample is shown; the first row says
# which it is.

# %%
features = explore.own_features()
features

# %% [markdown]
# And what does a walk cost *here*? A read whose address is what the read before it returned; N cache lines in a random
# circle, once packed 64 to a page, once spread one to a page. The data caches have as many lines to keep in both. What
# do you expect at 16 lines, and at 8,192?

# %%
predict(tlb_strides.STRIDES)

# %%
reveal(tlb_strides.STRIDES, explore.own_strides)

# %% [markdown]
# The measurement is rough, for other programs run too. Look for steps: a rise of the *spread* line where the packed one
# is flat is a level of the TLB that has become too small (in the saved sample between 64 and 128 pages, and again
# beyond 1,024). Large pages may gain less than the model says: `MADV_HUGEPAGE` is a wish, and in a virtual machine
# an entry covers no more than the guest's page *and* the host's: a host that maps in small pages undoes the gain.
#
# ## 9. A choice to make

# %%
weigh(tlb_flush.database())

# %% [markdown]
# ## 10. What the model leaves out
#
# - Caches of upper table levels and data caches: walks are cheaper than counted here.
# - Prefetching, walks that overlap with other work, and two hardware threads that share one TLB.
# - Permissions: an entry is found by page number and owner; that it may forbid a write comes later.
# - What flushes on *other* CPUs cost: interrupts on x86, waiting for `dsb` on ARM.
# - The traces have one process each, without its kernel: where two take turns, the model puts them together.
#
# ## 11. From memory, once more

# %%
recall(*tlb_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | loads, stores and pages of both programs | trace records matrix-rows, matrix-columns; traces/matrix.c |
# | structures of Skylake and Cortex-A8 | Intel's optimization manual, table 2-15; ARM's Cortex-A8 manual |
# | 24 references in a guest: (4 + 1) × (4 + 1) − 1 | counted by the model; AMD's manual, volume 2, nested paging |
# | a write of CR3 spares global entries; bit 63, NOFLUSH | Intel's manual, volume 3, 4.10.4; Linux 6.1 |
# | six slots in turn: `choose_new_asid`, `TLB_NR_DYN_ASIDS` | Linux 6.1, arch/x86/mm/tlb.c, asm/tlbflush.h |
# | user mode's PCID: `X86_CR3_PTI_PCID_USER_BIT` | Linux 6.1, arch/x86/include/asm/processor-flags.h |
# | generations: `new_context`, `flush_context` | Linux 6.1, arch/arm/mm/context.c, arch/arm64/mm/context.c |
# | kernel threads borrow tables: `enter_lazy_tlb` | Linux 6.1, arch/x86/mm/tlb.c |
# | 33 pages: `tlb_single_page_flush_ceiling` | Linux 6.1, arch/x86/mm/tlb.c:flush_tlb_mm_range |
# | ARM's loop without a ceiling: `v7wbi_flush_user_tlb_range` | Linux 6.1, arch/arm/mm/tlb-v7.S |
# | the saved sample of section 8 | record epyc-guest: strides.txt and cpuinfo.txt |
