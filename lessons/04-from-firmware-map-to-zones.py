# %% [markdown]
# # 04 · From the firmware's map to zones
#
# **Purpose.** Follow a machine's RAM from the firmware's list to the zones of `/proc/zoneinfo`, and account for
# every page on the way.
#
# **Time.** About 50 minutes.
#
# **Before.** A *page frame* is 4096 bytes of physical memory; its number (**pfn**) is its physical address
# shifted right by 12. You can read hexadecimal numbers.
#
# **After this you can**
#
# - *predict* where the boot allocator puts a request;
# - *calculate* where lowmem ends, on ARM and on a 32-bit PC;
# - *explain* the difference between spanned, present, managed and free;
# - *calculate* a zone's watermarks and what it reserves, and say from when the numbers are;
# - *judge* what a boot parameter such as `vmalloc=` or `movablecore=` costs, and whom.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import zones as ask
from vmlab.study.questions import zones_kept as kept
from vmlab.study.questions import zones_recall, zones_steps, zones_steps_kept

# %% [markdown]
# ## 1. From memory
#
# Three basics. Answer without looking anything up.

# %%
recall(*zones_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody writes in public: *"it is suggested that each zone is concerned with a subset of the mem_map[] array"*,
# and worries which frames of a zone are really free. What is a zone, then? Where do its numbers come from?
# This is what a 32-bit PC with 1 GiB of RAM printed while it booted:

# %%
pc = vm.load_machine("i386-pc-686-1g")
board = vm.load_machine("arm-virt-armmp-1g")
print(pc.recorded.kernel_version.partition(" (")[0])
print(pc.recorded.data["dmesg"]["memory_line"]["text"])
print(f"RAM in the machine: {vm.GiB // 1024:,}K")

# %% [markdown]
# Three numbers, no two alike: RAM, the number after the slash, the one before it. And there will be a fourth. By the
# end you can account for each difference, page by page. The way there:
#
# firmware's map → **memblock** → end of lowmem → zone limits → spanned, present → managed → what zones keep back
#
# ## 3. The firmware's map
#
# The kernel does not search for RAM: it is told. A PC's firmware hands over a table (**e820**), an ARM board's
# boot loader a **device tree**.

# %%
predict(ask.FIRST_FRAME)

# %%
reveal(ask.FIRST_FRAME, lambda: views.firmware_map(ask.FIRST_FRAME.variant()["kernel"]))

# %% [markdown]
# So frame numbers need not start at 0. And on a PC, where they do, not all below the end is RAM. Here is the
# PC's table, and what memblock, the allocator of the boot, makes of it:

# %%
for row in pc.recorded.data["firmware"]["e820"][:5]:
    print(f"e820      {row['start']:#12x} up to {row['end']:#12x}  {row['type']}")
pc_kernel, board_kernel = vm.boot(pc), vm.boot(board)
for start, end in pc_kernel.memblock.memory():
    print(f"memblock  {start:#12x} up to {end:#12x}  memory")

# %% [markdown]
# Three things were dropped: frame 0 (old firmware keeps tables there), everything not called usable, and, once
# zones count *whole* frames, the last 3 KiB below 0x9_fc00 (Linux 6.1, arch/x86/kernel/setup.c and
# e820.c).
#
# ## 4. memblock: two lists
#
# While the kernel boots there is no page allocator. **memblock** has two lists of address ranges: *memory* (RAM) and
# *reserved* (taken). To reserve is to add a range to the second list. What is in the first list and not in the second
# is free. The one rule left is *which* free place a request gets.
#
# One word for the question: **lowmem** is the part of RAM that the kernel maps permanently, at a constant offset (the
# **direct map**).

# %%
predict(ask.TOP_DOWN)

# %%
reveal(ask.TOP_DOWN, lambda: views.boot_step(board_kernel, 7))

# %% [markdown]
# The search goes down from **current_limit**, which is the end of lowmem. Low addresses are left for those who can use
# nothing else.
#
# Four steps, whose names we keep: *limit*, *gap*, *subtract*, *align*. Worked here for the board's unpacked device
# tree, the first request that went below `mem_map` (smaller ones fitted into gaps above it):

# %%
array_start, _ = board_kernel.mem_map.allocations[0]
tree = next(event for event in board_kernel.log if "device tree" in event.why)
zones_steps.place_steps(board_kernel.bounds.limit, array_start, tree.size, 4, tree.start)

# %% [markdown]
# The whole boot of that board, step by step. **Next step** and **Previous step** work with Tab and Space, the slider
# with arrow keys, and its number can be typed. Before each step, say where it will be. Then find: the first step that
# did *not* go to the highest free place below the limit (why not?), and the first one that gave memory back.

# %%
explore.boot_explorer("arm-virt-armmp-1g")

# %% [markdown]
# CMA, step 6, was allowed above the limit: it is memory for devices and for pages of processes, and the kernel
# needs no address for it. Later small requests fill gaps that larger ones left: highest *that fits*.
#
# ### One step is yours

# %%
practise(zones_steps.PLACE_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(zones_steps.PLACE)

# %% [markdown]
# ## 5. Where lowmem ends
#
# On 32 bits the kernel has, as these are built, 1 GiB of addresses for itself. Not all RAM fits into them, and some of
# them are kept for **vmalloc**, the area in which the kernel maps at will what it needs.

# %%
predict(ask.LOWMEM)

# %%
areas = [(a.name, hex(a.start), hex(a.end), f"{(a.end - a.start) / vm.MiB:.2f}") for a in pc_kernel.layout.areas]
reveal(ask.LOWMEM, lambda: views.Table(("area", "from", "up to", "MiB"), areas))

# %% [markdown]
# The books' 896 MiB is 1024 − 128. It was true while little stood above vmalloc's area. Today's kernel stacks more
# there, and lowmem pays: 875.99 MiB on this one (its log says `875MB LOWMEM available`).
# vmalloc's 128 MiB are its area and the 8 MiB before it, left empty so that a pointer that runs off the direct map
# faults.
#
# ARM counts down in the same way, from a fixed **VMALLOC_END**. Worked for a real board started with `vmalloc=512M`:

# %%
wide = vm.load_machine("arm-virt-armmp-1g-vmalloc512m")
print("the real kernel's HighMem starts at", hex(wide.recorded.zones[2]["start_pfn"] << 12))
zones_steps.lowmem_steps(**zones_steps.lowmem_facts(wide))

# %% [markdown]
# Note what `vmalloc=` takes: *addresses*, not RAM. But RAM without an address is no longer lowmem.
#
# ### One step is yours

# %%
practise(zones_steps.LOWMEM_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(zones_steps.LOWMEM_ARM)

# %% [markdown]
# ## 6. Zone limits
#
# A **zone** is a range of page frames with a common property: who can reach them. Its type gives an upper limit:
#
# | zone | limit, if the kernel is built with it | why |
# |---|---|---|
# | DMA | PC: 16 MiB; ARM: what the board states; arm64: what the firmware states | devices with few address bits |
# | DMA32 | 4 GiB (64-bit kernels) | devices with 32 address bits |
# | Normal | end of lowmem (on 64 bits: of RAM) | the direct map reaches it |
# | HighMem | end of RAM (32-bit kernels) | no permanent address |
#
# Zones are filled in that order; each begins where the one before it ended.

# %%
predict(ask.ARM_DMA)

# %%
amd64_kernel = vm.boot(vm.load_machine("amd64-pc-4g"))
three = {"ARM board": board_kernel, "32-bit PC": pc_kernel, "64-bit PC, 4 GiB": amd64_kernel}
reveal(ask.ARM_DMA, lambda: views.zone_rows(three))

# %% [markdown]
# A zone's *name* says little. The 16 MiB are the reach of the PC's first DMA controller; the ARM kernel uses
# the same name for all its lowmem, and has no Normal. Zones are ranges of *frames*: nothing here is a virtual
# address.
#
# ## 7. Spanned, present, managed
#
# A zone **spans** a range of frames. Those of them that are RAM are **present**.

# %%
predict(ask.PRESENT)

# %%
reveal(ask.PRESENT, lambda: views.zone_map(pc_kernel, marks=False))

# %% [markdown]
# Worked: the zone starts at frame 1, because frame 0 was dropped. Whole frames of RAM are 1 to 0x9e and 0x100 to
# 0xfff. Frame 0x9f is RAM in part only, so the hole has 97 frames and not the 96 of "640 KiB to 1 MiB":

# %%
low, hole, high = range(0x1, 0x9F), range(0x9F, 0x100), range(0x100, 0x1000)
print(f"spanned {len(low) + len(hole) + len(high):,}, hole {len(hole)}, present {len(low) + len(high):,}")
dma = pc_kernel.zones["DMA"]
print(f"managed {dma.managed_pages:,}: boot kept all {len(low)} frames below 1 MiB for itself")

# %% [markdown]
# **Managed** pages are those that the page allocator got: present, less what was still in memblock's reserved list when
# it handed over. So present does not mean usable. And always: **free** ≤ managed ≤ present ≤ spanned.
#
# ### Another PC is yours

# %%
practise(zones_steps.PRESENT_ALONE)

# %% [markdown]
# ### Back to the PC's numbers

# %%
predict(kept.LATER)

# %%
reveal(kept.LATER)

# %%
present = sum(zone.present_pages for zone in pc_kernel.zones)
managed = sum(zone.managed_pages for zone in pc_kernel.zones)
early = pc.recorded.data["dmesg"]["memory_line"]["available_kib"] // 4
print(f"{vm.GiB // 4096:,} frames in 1 GiB, less {vm.GiB // 4096 - present} dropped: {present:,} present,")
print(f"{present * 4:,}K: the number after the slash")
print(f"less {present - early:,} reserved by boot: {early:,} handed over, {early * 4:,}K: the line of the log")
print(f"plus {kept.late_pages(pc)} of initrd and init code, given back later,")
print(f"plus {managed - early - kept.late_pages(pc)} of code for several CPUs that this PC does not need,")
print(f"gives {managed:,} managed, {managed * 4:,}K: MemTotal")

# %% [markdown]
# Every page is accounted for, and the model worked the last number out from the machine's inputs alone.
#
# ## 8. What a zone keeps back
#
# If the last free page could be handed out, nobody could free memory any more: that takes memory too. So each zone
# has three **watermarks** of free pages. Below **low**, the thread **kswapd** is woken to free memory; it rests at
# **high**; below **min** whoever asks must first free memory itself. All come from one number, `min_free_kbytes`: the
# kernel's own formula is 4 × √(lowmem in kB), raised where huge pages are in use (Linux 6.1, mm/khugepaged.c).
#
# Five steps: *pages*, *share*, *step*, *low*, *high*. Worked for Normal of the PC, with the managed pages of the
# moment at which the kernel ran this rule:

# %%
dma, normal = pc_kernel.zones["DMA"], pc_kernel.zones["Normal"]
then = normal.managed_pages - kept.late_pages(pc)
print("real kernel:", {mark: pc.recorded.zones[1][mark] for mark in ("min", "low", "high")})
zones_steps_kept.marks_steps(pc_kernel.min_free_kbytes, dma.managed_pages, then, normal.watermark)

# %% [markdown]
# HighMem is treated apart: its min is a 1,024th of its managed pages, but at least 32 and at most 128, since urgent
# requests of the kernel itself seldom need HighMem.
#
# ### One step is yours

# %%
practise(zones_steps_kept.LOW_STEP)

# %% [markdown]
# ### All steps are yours

# %%
practise(zones_steps_kept.LOW)

# %% [markdown]
# ### Kept from those who have a choice
#
# A process could fill small, precious DMA with pages that might lie anywhere. **lowmem_reserve** prevents it: a zone
# keeps pages from each request that could have used a higher zone. The rule: managed pages of all zones above it, up to
# the highest that the request may use, divided by the zone's `lowmem_reserve_ratio`.

# %%
predict(kept.RESERVE)

# %%
reveal(kept.RESERVE)

# %%
print("real kernel, first read:      ", pc.recorded.zones[0]["protection"])
print("after somebody read the ratio:", pc.recorded.data["zones_after_sysctl_read"][0]["protection"])

# %% [markdown]
# **A trap.** In `/proc/zoneinfo` the managed count is of now, while watermarks and protection are of a moment during
# boot, before the initrd was freed. The second line above shows the other half of the trap: *reading*
# `/proc/sys/vm/lowmem_reserve_ratio` makes this kernel compute the reserves again (Linux 6.1, mm/page_alloc.c).
#
# ### Yours

# %%
practise(zones_steps_kept.KEEPS)

# %% [markdown]
# ## 9. Which zone serves a request
#
# Each request carries **gfp flags**; they name the zone that it gets its pages from first. Where that one has none to
# give, a list, the **zonelist**, says which zones are tried next.

# %%
predict(kept.FALLBACK)

# %%
flags = ("GFP_KERNEL", "GFP_DMA", "GFP_HIGHUSER", "GFP_HIGHUSER_MOVABLE")
tries = [(flag, *(", then ".join(kept.serves(kernel, flag)) for kernel in three.values())) for flag in flags]
reveal(kept.FALLBACK, lambda: views.Table(("request", *three), tries))

# %% [markdown]
# So 140 MiB of free HighMem do not help a kernel that runs out of lowmem. That is why a 32-bit machine with much RAM
# can die with memory free.
#
# With more than one memory **node** (NUMA) each has zones of its own, and its zonelist goes on with the zones of
# the other nodes:

# %%
from vmlab.physical.zonelist import zonelist

numa = vm.boot(vm.load_machine("amd64-pc-numa-1g-4g"))
for node in numa.nodes:
    order = [f"{zone.name} of node {zone.node}" for zone in zonelist(numa.nodes, node.id)]
    print(f"from node {node.id}:", ", ".join(order))

# %% [markdown]
# ### A zone that is a promise
#
# **ZONE_MOVABLE** is no range of the hardware's. `movablecore=` asks for frames in which only pages lie that can be
# moved elsewhere, so that they can be had as one piece later.

# %%
predict(kept.MOVABLE)

# %%
asked = kept.MOVABLE.variant()
reveal(
    kept.MOVABLE, lambda: views.zone_rows({"ARM board": board_kernel, f"movablecore={asked['mib']}M": asked["kernel"]})
)

# %% [markdown]
# ## 10. Change the machine
#
# The explorer boots any machine that you describe. Guess before you touch a control:
#
# 1. Give the ARM board a hole of 256 MiB. Which of the three counts of which zone changes?
# 2. Raise `vmalloc=`. Who gains the frames that DMA loses, and why does DMA then keep more back?
# 3. Find a machine with a zone that serves *no* request that could go higher. Why has it one?

# %%
explore.zones_explorer()

# %% [markdown]
# ## 11. Your machine
#
# Read-only. Where `/proc/zoneinfo` cannot be read (no Linux), a recorded PC is shown, and the first line says which it
# is. Before you run the cell: how many zones do you expect, and which one keeps most from others?

# %%
from vmlab.explore.zones import own_zones

own_zones()

# %% [markdown]
# Choose one zone with a zone above it. Add up the managed pages above it, divide by 256 (Normal of a 32-bit kernel:
# 32), and compare with its protection in the table. If you are a few pages off: which way, and why? If
# much of your RAM is not managed, a virtual machine's host may have taken it back (a balloon), or the kernel sets up
# its struct pages only later.
#
# ## 12. Find the bug, then decide
#
# ```python
# def kept_by_boot(zone):
#     return zone.spanned_pages - zone.managed_pages
# ```

# %%
practise(zones_steps_kept.BUG)

# %% [markdown]
# The last one has no single answer. What each choice gives is worked out by the model; what it costs is for you to
# weigh.

# %%
weigh(kept.who_pays())

# %% [markdown]
# ## 13. What the model leaves out
#
# - Memory that comes and goes while the kernel runs: hotplug, balloons, ZONE_DEVICE.
# - Memory that the firmware marks as mirrored (`kernelcore=mirror` finds none) or as hot-pluggable.
# - Watermark boosting, and the reserve for urgent requests of many pages (highatomic).
# - Kernels that set up part of their struct pages after boot (64-bit Debian: their `Memory:` line counts too little).
# - Kernels other than 6.1. Before 5.13 an ARM kernel did not subtract the 8 MiB if `vmalloc=` was given.
#
# ## 14. From memory, once more

# %%
recall(*zones_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the sentence quoted | public question "Find out pages used by mem_map[] array" |
# | the PC's lines, counts, protection before and after a read | record i386-pc-686-1g |
# | e820 to memory: `e820__memblock_setup`, `trim_bios_range` | Linux 6.1, arch/x86/kernel/e820.c, setup.c |
# | highest free place: `memblock_find_in_range_node` | Linux 6.1, mm/memblock.c; logs of the recorded kernels |
# | 875.99 MiB: `__VMALLOC_RESERVE`, `MAXMEM` | Linux 6.1, asm/pgtable_32_areas.h; record i386-pc-686-1g |
# | lowmem on ARM: `adjust_lowmem_bounds` | Linux 6.1, arch/arm/mm/mmu.c; record arm-virt-armmp-1g-vmalloc512m |
# | all lowmem in ZONE_DMA: `zone_sizes_init` | Linux 6.1, arch/arm/mm/init.c; record arm-virt-armmp-1g |
# | spanned, present: `calculate_node_totalpages` | Linux 6.1, mm/page_alloc.c |
# | managed: `memblock_free_all`, later `free_reserved_area` | Linux 6.1, mm/memblock.c, mm/page_alloc.c |
# | watermarks: `__setup_per_zone_wmarks`, `calculate_min_free_kbytes` | Linux 6.1, mm/page_alloc.c |
# | huge pages raise min_free_kbytes: `set_recommended_min_free_kbytes` | Linux 6.1, mm/khugepaged.c |
# | reserves: `setup_per_zone_lowmem_reserve` | Linux 6.1, mm/page_alloc.c |
# | computed again on a read: `lowmem_reserve_ratio_sysctl_handler` | Linux 6.1, mm/page_alloc.c |
# | flags to zones: `GFP_ZONE_TABLE`; zonelists: `build_zonelists` | Linux 6.1, include/linux/gfp.h, mm/page_alloc.c |
# | Movable: `find_zone_movable_pfns_for_nodes` | Linux 6.1, mm/page_alloc.c; record arm-virt-armmp-1g-movable256m |
# | two nodes | record amd64-pc-numa-1g-4g |
# | `vmalloc=` before 5.13: `early_vmalloc`, `adjust_lowmem_bounds` | Linux 5.12 and 5.15, arch/arm/mm/mmu.c |
