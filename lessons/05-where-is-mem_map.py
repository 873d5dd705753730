# %% [markdown]
# # 05 · Where is mem_map?
#
# **Purpose.** Find the page frames that hold `mem_map[]`, on any machine, before it boots.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 04: firmware map, memblock, zones. You should know what a *page frame* is and that
# a frame number (**pfn**) is a physical address shifted right by 12.
#
# **After this you can**
#
# - *calculate* the size, the address and the frames of `mem_map` from a machine's description;
# - *predict* which zone they are in, and when that changes;
# - *decide* whether a given frame may be written to, and say why;
# - *judge* an answer found on the web by its numbers.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import textwrap

import vmlab as vm
from vmlab import explore, views
from vmlab.study import practise, predict, recall, reveal, this_machine, weigh
from vmlab.study.questions import mem_map as ask
from vmlab.study.questions import mem_map_claims, mem_map_recall, mem_map_steps

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*mem_map_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody who works on the ARM Linux kernel asks, in public:
#
# > I need to split the HighMem zone into two parts. So I have added a new zone into the kernel, let's say
# > "NewMem". Therefore, I have three zones in my system, they are Normal, NewMem, and HighMem. The size of
# > the NewMem zone is 512MB, totally 131072 pages. […] I want to manage all the page frames in NewMem zone
# > in my own way, currently I use a doubly linked list. […]
# >
# > My concern is that can I use all the page frames in that zone as it is suggested that each zone is
# > concerned with a subset of the mem_map[] array. I found that only 131084 pages are free in NewMem zone.
# > Therefore, some page frames in my zone may used to store mem_map[], writing data to these pages may lead
# > to unpredictable errors. So is there exist any way to find out which page frame is used to store
# > mem_map[]?
#
# **`mem_map`** is the kernel's array of `struct page`: one entry for each page frame, in which the kernel
# writes who uses that frame. To overwrite it is to make the kernel forget what its memory holds. So the
# worry is a good one. But look at the numbers first.

# %%
predict(ask.MORE_FREE)

# %%
reveal(ask.MORE_FREE)

# %% [markdown]
# What the struct pages of NewMem's own frames would take is easily worked out. It is nowhere near 12 pages,
# and it would make the free count smaller, not larger:

# %%
newmem_pages = 512 * vm.MiB // 4096
for struct_page_bytes in (32, 36, 40):
    print(f"{struct_page_bytes} bytes each: {newmem_pages * struct_page_bytes // 4096:,} pages")

# %% [markdown]
# Where could 131,084 come from? A typing error; or `nr_free_pages` read while other CPUs had not yet added
# their own part to the sum (Linux 6.1, mm/vmstat.c: each CPU may hold back up to a threshold); or a zone
# that is a little larger than 512 MiB. We cannot know. What we can know is where `mem_map` was.
#
# ## 3. Predict: where would you put it?

# %%
predict(ask.WHERE)

# %% [markdown]
# The result is booted by the model from the inputs of a real machine: its memory, its kernel and the
# requests that this kernel made while it booted, but none of the answers it got.

# %%
machine = vm.load_machine("arm-virt-armmp-1g")
kernel = vm.boot(machine)
reveal(ask.WHERE, lambda: views.ruler(kernel))

# %% [markdown]
# ## 4. Why there: five steps
#
# While the kernel boots there is no page allocator yet. **memblock** lends memory: it knows which ranges are
# RAM and which are reserved, and for each request it takes the *highest* free place below a limit. On a
# 32-bit kernel that limit is the end of **lowmem**, the part of RAM that is mapped permanently (the
# **direct map**). Only CMA, a range for devices, is asked for above it: the kernel needs no address of its own there.
# Here is memblock's ledger up to the moment when `mem_map` was allocated:

# %%
for event in kernel.log:
    print(event.tell().partition("  [")[0])
    if "struct page" in event.why:
        break

# %% [markdown]
# So the place follows from five steps. Their names stay the same from here on.

# %%
mem_map_steps.worked(kernel)

# %% [markdown]
# Three remarks on the steps.
#
# - **span** counts from the first to the last frame of the **node** (here: all RAM), HighMem included,
#   holes included, and is rounded out to the largest block of the page allocator (`MAX_ORDER_NR_PAGES`).
#   It is *one* array. A zone is a window of entries in it, not a place where entries are stored.
# - **size** needs `sizeof(struct page)`: 36 bytes on this kernel. The number depends on how the kernel was
#   built; the often quoted 32 is one of several.
# - **top** is where the ledger matters: what came first sits above.
#
# Is the model right? This machine was booted for real, and its kernel was asked:

# %%
real = machine.recorded.mem_map
print(machine.recorded.kernel_version.partition(" (")[0])
modelled = kernel.mem_map.frames[0]
print(f"frames, model: {modelled[0]:#x} to {modelled[-1]:#x}")
print(f"frames, real:  {real['first_frame']:#x} to {real['last_frame']:#x}")
print(f"address, model: {kernel.mem_map.va:#_x}, real: {real['mem_map_va']:#_x}")
print("their zone, as each frame's own struct page says:", real["frames_by_zone"])

# %% [markdown]
# The zone is called DMA because this kernel is built with `CONFIG_ZONE_DMA`, and on a board without a DMA
# limit all lowmem is in that zone. The name of a zone says little; its frames say all.
#
# ### One step is yours
#
# Another board. Everything is there but one step.

# %%
practise(mem_map_steps.SIZE)

# %% [markdown]
# ### All steps are yours

# %%
practise(mem_map_steps.FIRST_FRAME)

# %% [markdown]
# ## 5. Add the zone
#
# Now the asker's kernel: 2 GiB of RAM, and a zone NewMem cut from the bottom of HighMem. Try it.

# %%
board = vm.Machine(arch="arm", ram=[vm.Region(0x4000_0000, 2 * vm.GiB)])
split = board.with_zone("NewMem", size=512 * vm.MiB, below="HighMem")
try:
    vm.boot(split)
except vm.VmlabError as refused:
    print(textwrap.fill(str(refused), 100))

# %% [markdown]
# Read the error: a real kernel does not even compile (`#error` in include/linux/gfp.h). Each combination of
# allocation flags maps to a zone number; a table of 16 such numbers is packed in one `long`. With 32 bits
# that leaves 2 bits for a zone number, so four zones. This explains a detail of the question: why the asker
# has *Normal, NewMem, HighMem* (and an empty Movable) and no DMA. Apply the remedy:

# %%
split = split.with_config(zone_dma=False)
asker = vm.boot(split)
for zone in asker.zones:
    print(f"{zone.name:8} from frame {zone.start_pfn:#7x}, {zone.present_pages:7,} pages present")

# %%
predict(ask.NEWMEM)

# %%
reveal(ask.NEWMEM, lambda: views.ruler(asker))

# %% [markdown]
# The cost of NewMem's struct pages is real, but lowmem pays it:

# %%
per_frame = asker.mem_map.struct_page_bytes
newmem = asker.zones["NewMem"]
print(f"mem_map: {sum(map(len, asker.mem_map.frames)):,} frames of lowmem,")
print(f"of which {newmem.present_pages * per_frame // 4096:,} describe NewMem")

# %% [markdown]
# ## 6. Change the machine
#
# `vmalloc=` on the kernel's command line sets how many addresses are kept for vmalloc. Predict first.

# %%
predict(ask.VMALLOC)

# %%
before, after = (vm.boot(split.with_cmdline(f"vmalloc={size}M")) for size in (240, 496))
reveal(ask.VMALLOC, lambda: views.ruler(after))

# %% [markdown]
# Now build your own machine. Tab moves from control to control, arrow keys move a slider, and its number can
# be typed. Three things to try, each with a guess before you touch the control:
#
# 1. Which control changes the *size* of mem_map, and which only its *place*?
# 2. Make NewMem contain mem_map. (What must it be cut from?)
# 3. Ask for the last frame of mem_map, and for the frame after it.

# %%
explore.mem_map_explorer()

# %% [markdown]
# ## 7. A zone for what can be moved
#
# **ZONE_MOVABLE** is the zone from which the page allocator serves only data that it can move elsewhere
# later. Nobody can move `mem_map`.

# %%
predict(ask.MOVABLE)

# %%
small = vm.load_machine("arm-virt-armmp-512m-movable128m")
small_kernel = vm.boot(small)
reveal(ask.MOVABLE, lambda: views.ruler(small_kernel))

# %% [markdown]
# The model could be wrong here. The real kernel was asked for the zone of each of these frames:

# %%
print("real kernel:", small.recorded.mem_map["frames_by_zone"])
movable = small_kernel.zones["Movable"]
print(f"Movable: {movable.present_pages:,} present, {movable.managed_pages:,} managed")

# %% [markdown]
# So no rule of a zone keeps `mem_map` out. What keeps it out of HighMem, and out of any zone cut from HighMem,
# is the limit that memblock was given. A NewMem cut from *lowmem* would have justified the asker's fear.
#
# ## 8. The folklore: 0xC100_0000
#
# The question got an answer: "usually mem_map is stored on first mappable address of the virtual memory […]
# Then comes the 16 MiB of zone_dma. So first address which can be used by kernel for mapping is 0xC1000000."
# And for ARM: "your best bet is that address 0xC0800000 stores mem_map."

# %%
predict(mem_map_claims.FOLKLORE)

# %%
reveal(mem_map_claims.FOLKLORE)

# %% [markdown]
# Kernels of the 2.4 and 2.6 years used another boot allocator, **bootmem**, which searched *upwards* from a
# goal. Here are three machines booted with it:

# %%
for name, old in mem_map_claims.old_kernels().items():
    print(f"{name:20} mem_map at {old.mem_map.va:#_x}")

# %% [markdown]
# There it is, once. The goal was 16 MiB, to spare the frames that old DMA controllers can reach, and the
# first large request after a small kernel landed exactly there. Load the kernel higher, or take a board
# without that goal, and the address is another one. ZONE_DMA is not "in the way" of anything: it is the
# first 16 MiB of a PC's physical memory, mapped like the rest. A number that was right on one machine for
# one reason is not a rule. (No kernel of that time was recorded here: the model follows its source.)
#
# ## 9. May I use every frame of NewMem?
#
# `mem_map` is not in it. Two other owners may be.
#
# **Who reserved frames at boot?** Drivers' memory, an initrd, device-tree reservations, and **CMA**, a range
# kept for devices that need contiguous memory. On ARM, CMA is placed at the top of HighMem, if there is any. Cut NewMem
# large enough and it is inside:

# %%
from vmlab.physical.page_list import PageList

all_high = vm.boot(ask.asker(newmem=1280 * vm.MiB))
for part in PageList(all_high, "NewMem").left_out:
    print(f"frames {part.start_pfn:#x} to {part.end_pfn - 1:#x}: {part.why}")
for pfn in (0x70000, 0xBFFFF, 0x6FFF8):
    may, why = all_high.may_write(pfn)
    print(f"May I write to frame {pfn:#x}? {'Yes' if may else 'No'}: {why}.")

# %% [markdown]
# **Who owns the free ones?** The asker writes: "the buddy system for NewMem zone is still exist, but I do not use it",
# and has changed the kernel so that no request is served from NewMem. (Buddy is Linux's page allocator: lesson 06.)

# %%
predict(mem_map_claims.LIST)

# %%
own_list = PageList(asker, "NewMem")
taken = [own_list.alloc() for _ in range(3)]
reveal(mem_map_claims.LIST, lambda: "\n\n".join(conflict.tell() for conflict in own_list.conflicts()))

# %% [markdown]
# The remedy costs one line: take the frames out of the page allocator before you put them on your own list.

# %%
fresh = vm.boot(split)
claimed = PageList(fresh, "NewMem", claim=True)
claimed.alloc()
print(f"{len(claimed):,} frames on the list, conflicts: {claimed.conflicts()}")

# %% [markdown]
# **The answer to the asker.** No frame of a zone cut from HighMem holds `mem_map`, on any kernel whose boot
# allocator ends at lowmem. You may use every frame of NewMem that boot did not reserve, once you have taken
# it out of the page allocator's lists.
#
# ## 10. Was a new zone the best way?

# %%
weigh(mem_map_claims.OWN_512M)

# %% [markdown]
# ## 11. Your machine
#
# Read-only. Where it cannot be read (no Linux), a recorded PC is shown, and the first line says so. On a
# 64-bit kernel `mem_map` is not one array in the direct map but a virtual one, **vmemmap**; it takes frames
# all the same. Before you run the cell, estimate: RAM / 4096 × 64 bytes.

# %%
this_machine()

# %% [markdown]
# If the kernel's own count is a little larger than the estimate: vmemmap is filled in whole **sections**
# (128 MiB of RAM on x86-64), holes inside a section included.
#
# ## 12. What the model leaves out
#
# - Memory that is added while the kernel runs (hotplug), and persistent memory with struct pages of its own.
# - Drivers: what they take after boot. The model's answer holds for a machine that has just booted.
# - i386 NUMA kernels before 3.x, where a node's struct pages *did* lie in frames that were HighMem
#   (`remap` in arch/i386/mm/discontig.c, Linux 2.6.20).
# - The per-CPU parts of free counts; the real cause of 131,084 stays unknown.
#
# ## 13. From memory, once more

# %%
recall(*mem_map_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question and the answer quoted | public question "Find out pages used by mem_map[] array" |
# | size of the array: `alloc_node_mem_map` | Linux 6.1, mm/page_alloc.c |
# | highest free place below the limit: `memblock_find_in_range_node` | Linux 6.1, mm/memblock.c; all records |
# | limit at the end of lowmem: `adjust_lowmem_bounds` | Linux 6.1, arch/arm/mm/mmu.c |
# | frames 0x6f6f9 to 0x6fff8 on the 1 GiB board | record arm-virt-armmp-1g |
# | mem_map in ZONE_MOVABLE | record arm-virt-armmp-512m-movable128m |
# | at most four zones: `GFP_ZONE_TABLE` | Linux 6.1, include/linux/gfp.h |
# | CMA placed in HighMem first: `cma_declare_contiguous_nid` | Linux 6.1, mm/cma.c; record arm-virt-armmp-2g |
# | free ≤ managed ≤ present ≤ spanned: `struct zone` | Linux 6.1, include/linux/mmzone.h |
# | counts that lag behind: `calculate_normal_threshold` | Linux 6.1, mm/vmstat.c |
# | two owners: `check_new_page`, `bad_page`; `__list_del_entry_valid` | Linux 6.1, mm/page_alloc.c, lib/list_debug.c |
# | bootmem searches up from `__pa(MAX_DMA_ADDRESS)` | Linux 2.4.0 and 2.6.32, mm/bootmem.c |
# | zeroed addresses in /proc/iomem: `r_show` | Linux 6.1, kernel/resource.c |
# | 64 bytes a struct page on 64-bit kernels | records amd64-pc-4g, arm64-virt-1g |
