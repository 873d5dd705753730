# %% [markdown]
# # 07 · slab, kmalloc, vmalloc: where task_struct lives
#
# **Purpose.** Know from where each kernel object gets its memory, what it costs, and which addresses it has.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 04: zones, lowmem and HighMem; lesson 05: the **direct map**. It helps to know that the page
# allocator (buddy) hands out blocks of 2^order page frames.
#
# **After this you can**
#
# - *predict* which cache serves a kmalloc, and what is wasted;
# - *calculate* how many objects fit in a slab, and in how many frames;
# - *explain* why more than 128 MiB of kernel objects can be addressed at once on 32 bits;
# - *trace* an object through the lists of its cache, and an area through vmalloc space;
# - *choose* between kmalloc, vmalloc and a cache of your own.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you
# commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.explore import own_areas, own_caches
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import slab as ask
from vmlab.study.questions import slab_lists as lists
from vmlab.study.questions import slab_place, slab_recall, slab_steps
from vmlab.study.questions import slab_vmalloc as areas

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*slab_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody reads *Understanding the Linux Kernel* and asks, in public:
#
# > While I read understanding the linux kernel, I got this sentence: process descriptors are stored in dynamic
# > memory. As far as I know, for 32-bit computer system: Kernel reserved almost 128MB High Memory in the highest
# > virtual address to address the Dynamic physical address. My question is: although the high memory can address
# > all physical address, it can only address 128MB at most at once. The kernel data structure is so much that it
# > could exceed 128MB. If kernel want to remap some of the high memory, the virtual address of some data structure
# > saved in high memory might be invalid. How can kernel save more than 128MB kernel data structure in dynamic
# > physical memory.
#
# The reasoning is sound, if what it starts from is true. **`task_struct`** is the process descriptor. Where is it?

# %%
predict(ask.HOME)

# %%
area, zone, pfn = ask.home()
reveal(ask.HOME, lambda: f"Asked of the model: addresses of the {area}, frame {pfn:#x}, zone {zone}.")

# %% [markdown]
# The zone is called DMA on this ARM kernel: all its lowmem is in that zone (lesson 05). So how much can it be?

# %%
predict(ask.CAP)

# %%
reveal(ask.CAP, lambda: views.zone_map(ask.fresh(), marks=False))

# %% [markdown]
# Two things with similar names were taken for one. **HighMem** is a range of *frames*, those which the direct map
# does not reach. The 128 MiB at the top of a PC's kernel space are a range of *addresses*, kept for vmalloc, kmap
# and fixed mappings. Kernel objects need neither: their frames are lowmem, and a lowmem frame has one address that
# never changes. Nothing is ever remapped under a pointer.
#
# The limit is real, but it is another one: when lowmem is full, the kernel is out of memory, even with gigabytes of
# HighMem free. That is one reason why large machines went to 64 bits.
#
# ## 3. kmalloc: one cache for each size
#
# Buddy's smallest block is a page. A **slab** is a block of pages that is cut into objects of one size; a **cache**
# (`struct kmem_cache`) is the set of slabs for one size. **`kmalloc`** picks the cache by the number of bytes.

# %%
predict(ask.KMALLOC)

# %%
machines = {"PC": vm.boot(vm.load_machine(ask.PC)), "ARM board": ask.fresh()}
rows = [
    (asked, name, (given := kernel.slab.ksize(kernel.kmalloc(asked))), given - asked)
    for asked in (20, 90, 129)
    for name, kernel in machines.items()
]
reveal(ask.KMALLOC, lambda: views.Table(("asked", "on", "object", "wasted"), rows))

# %% [markdown]
# Two sizes, 96 and 192, lie between the powers of two. The ARM board has no cache below 64 bytes and none of 96:
# a device may write to kmalloc'ed memory, so no object may share a **cache line** of the CPU with another
# (`ARCH_KMALLOC_MINALIGN`).

# %% [markdown]
# What a request wastes, in three steps: *caches*, *cache*, *waste*.

# %%
slab_steps.kmalloc_steps(90, "32-bit ARM (smallest cache 64 bytes)", 64)

# %%
practise(slab_steps.WASTE_STEP)

# %%
practise(slab_steps.WASTE)

# %% [markdown]
# The largest cache has objects of 8 KiB. And above?

# %%
predict(ask.LARGE)

# %%
reveal(ask.LARGE)

# %% [markdown]
# ## 4. From a size to a slab: four steps
#
# How many pages should a slab have? More pages waste less at the end, and serve more requests before the page
# allocator is asked again; but large blocks are hard to get.

# %%
predict(ask.TASKS)

# %%
task_structs = ask.fresh().slab["task_struct"]
title = "One slab of task_struct, Linux 6.1 on the ARM board"
reveal(ask.TASKS, lambda: views.slab_layout(task_structs.sizes, task_structs.order, title, 4))

# %% [markdown]
# The steps have the same names from here on. Step *order* is the only one with a rule of its own. The more CPUs, the
# more objects the kernel wants in a slab: 8 for one CPU, 12 for two, 16 for four, 20 for eight. It takes the smallest
# block with so many, but nothing above order 3; if more than a sixteenth would be left over, it tries larger blocks, up
# to order 3 again, and only then puts up with more waste (`calculate_order`).

# %%
slab_steps.order_steps(task_structs.object_size, task_structs.rules, align=task_structs.sizes.align)

# %% [markdown]
# Is the model right? The real kernels printed their `/proc/slabinfo`: bytes apart, objects a slab, pages a slab.

# %%
for name in ("arm-virt-armmp-1g", "amd64-pc-4g"):
    real = {row.name: row for row in vm.procfs.read_slabinfo(vm.procfs.sample("slabinfo", name))}["task_struct"]
    print(f"{name}: real {real.objsize, real.objperslab, real.pagesperslab}, model {ask.task_cache(name)}")

# %% [markdown]
# ### One step is yours

# %%
practise(slab_steps.OBJECTS)

# %% [markdown]
# ### All steps are yours

# %%
practise(slab_steps.LEFT_OVER)

# %% [markdown]
# ### A whole machine's tasks

# %%
practise(ask.FRAMES)

# %% [markdown]
# Now change the object. Tab moves from control to control, arrow keys move a slider, and its number can be typed.
# Guess before you touch a control:
#
# 1. Which size wastes most of its slab, 1,360, 1,368 or 2,752?
# 2. With 672 bytes: what do more CPUs change, and up to which order? What does SLAB_HWCACHE_ALIGN change?
# 3. What does SLAB_TYPESAFE_BY_RCU do to the place of the free pointer? (Its objects may still be read after they were
#    freed.)

# %%
explore.order_explorer()

# %% [markdown]
# ## 5. Who keeps the list of free objects?
#
# The free objects do. Each holds a pointer to the next one (the **free pointer**), in its own memory: nobody else
# needs it while it is free.

# %%
predict(lists.POINTER)

# %%
kmalloc_256 = ask.fresh().slab["kmalloc-256"]
reveal(lists.POINTER, lambda: views.slab_layout(kmalloc_256.sizes, kmalloc_256.order, "kmalloc-256, ARM board", 4))

# %% [markdown]
# ### What is handed out next

# %%
predict(lists.LAST)

# %%
reveal(lists.LAST)

# %% [markdown]
# This is why **use after free** is dangerous: A keeps a pointer to its old object, and D has it now. What A writes
# lands in D's data, at once and without any fault, because the page stays mapped.

# %%
predict(lists.TWICE)

# %%
reveal(lists.TWICE, lambda: "The model checks every free: " + lists.double_free_is_named())

# %% [markdown]
# A kernel with `CONFIG_SLAB_FREELIST_HARDENED` notices one case only: the object is at the head of the very list that
# it is being put on (mm/slub.c, `set_freepointer`: `BUG_ON(object == fp)`). Free another object in between, and nothing
# is noticed. Such a kernel also stores the pointer mixed with a secret number and the place where it is stored
# (`freelist_ptr`), so that an overwritten one leads nowhere useful. `slub_debug=F` looks through the whole list
# (`on_freelist`), and costs time at every call.
#
# ### Which slab is used
#
# Each CPU owns one slab and takes from it without a lock. Its **partial list** has some more with room. Then there
# is the node's partial list, with a lock, and at last a new slab from the page allocator.

# %%
predict(lists.NEXT_SLAB)

# %%
cache = ask.fresh().slab["task_struct"]
got = lists.objects(cache, 3 * cache.objects_per_slab)
cache.free(got[0])
cache.free(got[cache.objects_per_slab])
last = lists.objects(cache, 1)[0]
reveal(lists.NEXT_SLAB, lambda: views.slab_lists(cache, "After the next allocation", mark=last))

# %% [markdown]
# Do it yourself: press a button, or type its letter. Letters A, B, C … are owners (after Z comes A1); numbers show the
# order in which free objects will be handed out (drawn at random for each new slab, `CONFIG_SLAB_FREELIST_RANDOM`).
# Guess first:
#
# 1. Fill one slab from CPU 0. On which list does it stand?
# 2. Allocate on CPU 1: from the same slab?
# 3. Free everything. Do all frames go back to the page allocator?
# 4. Free an object twice.

# %%
explore.objects_explorer()

# %% [markdown]
# ## 6. vmalloc: addresses first
#
# `kmalloc` needs contiguous *frames*. **`vmalloc`** needs contiguous *addresses* only: it takes free frames one by
# one and writes page-table entries for them, in a part of the kernel's addresses kept for that.

# %%
predict(areas.ZONE)

# %%
kernel = areas.scattered()
buffer = kernel.vmalloc(64 * vm.KiB)
reveal(areas.ZONE, lambda: views.vmalloc_ruler(kernel, "vmalloc(64 KiB) on a board in use", {buffer: "buffer"}))

# %% [markdown]
# A kernel address, and HighMem behind it. So "the kernel cannot address HighMem" is too short: it has no *permanent*
# address. vmalloc gives it one for as long as the area lives, and that is what the asker's window is good for.

# %%
predict(areas.DMA)

# %%
reveal(areas.DMA, lambda: "Frames: " + ", ".join(map(hex, areas.frames_of(kernel, buffer, 64 * vm.KiB))))

# %% [markdown]
# ### Which addresses

# %%
predict(areas.GUARD)

# %%
reveal(areas.GUARD)

# %% [markdown]
# Where the next area begins, in three steps: *pages*, *guard*, *place*.

# %%
slab_place.place_steps(0xF080_0000, 10_000, 100)

# %%
practise(slab_place.NEXT_STEP)

# %%
practise(slab_place.NEXT)

# %% [markdown]
# ### When addresses come back

# %%
predict(areas.LAZY)

# %%
reveal(areas.LAZY)

# %% [markdown]
# The next explorer runs on the board with scattered free frames. Guess first: after which button does a new area get
# the addresses of a freed one? And can a large area use the holes of two small ones?

# %%
explore.vmalloc_explorer()

# %% [markdown]
# ## 7. When addresses run out

# %%
predict(areas.FULL)

# %%
count, message, free = areas.filled()
reveal(areas.FULL, lambda: f"{count} areas; then: {message}\nFrames still free: about {free:,}.")

# %% [markdown]
# Out of memory with most of the RAM free: the addresses are used up. The kernel names the remedy, a parameter of its
# command line. It is not free of charge. Here is the same board, recorded with `vmalloc=512M`:

# %%
for name in (ask.BOARD, "arm-virt-armmp-1g-vmalloc512m"):
    booted = ask.fresh(name)
    space, lowmem = booted.vmap_areas, booted.bounds.max_low_pfn * 4096 - booted.layout.phys_offset
    print(f"{name}: vmalloc {(space.end - space.start) // vm.MiB} MiB, lowmem {lowmem // vm.MiB} MiB")

# %% [markdown]
# What vmalloc gains, the direct map loses: fewer megabytes for every slab. On 64 bits the question is gone: x86-64
# has 32 TiB of addresses for vmalloc (Linux 6.1, 4-level tables), and all RAM is in the direct map.
#
# **The answer to the asker.** Process descriptors are allocated from slabs, slabs are lowmem, and lowmem is mapped
# for good: hundreds of megabytes on 32 bits, everything on 64. The addresses at the top are for other things.
#
# ## 8. kmalloc, vmalloc, or a cache of your own?

# %%
weigh(areas.BUFFER)

# %% [markdown]
# ## 9. Your machine
#
# Read-only. Both files are for root alone, and other systems than Linux do not have them: then those of a recorded
# PC are shown, and the first line says so. Before you run the cell: which cache takes most memory?

# %%
own_caches()

# %% [markdown]
# If the first lines are about files (`inode`, `dentry`, `ext4`): the kernel keeps what it knows of files as long as
# nobody needs the memory. Who made most areas in vmalloc space? (`kernel_clone` makes the kernel stacks of tasks,
# `pcpu_…` the variables of which each CPU has its own.)

# %%
own_areas()

# %% [markdown]
# ## 10. What the model leaves out
#
# - Of a running kernel's hundred-odd caches, the model has kmalloc's and those whose structs' sizes are known.
# - Accounting to cgroups, debugging caches (red zones, poison), `SLAB_TYPESAFE_BY_RCU`'s delay of frees.
# - SLAB and SLOB, the two older allocators: removed in Linux 6.8 and 6.4.
# - vmalloc's large mappings and `vm_map_ram`; from 6.9 on "lowest address first" holds for each of several nodes.
# - Kernel stacks: on this ARM kernel they are areas of vmalloc space, on the i386 ones they are two pages of lowmem.
#
# ## 11. From memory, once more

# %%
recall(*slab_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted | public question "How does linux kernel save struct_task in dynamic memory?" |
# | size, alignment, free pointer, order: `calculate_sizes`, `calculate_order` | Linux 6.1, mm/slub.c |
# | the free pointer in the middle of the object, since 5.7 | Linux 6.1, mm/slub.c: `calculate_sizes` |
# | which cache serves a request: `kmalloc_slab`, `create_kmalloc_caches` | Linux 6.1, mm/slab_common.c |
# | more than 8 KiB: `kmalloc_large` | Linux 6.1, mm/slab_common.c |
# | 2,752 bytes, 11 in 8 pages; 8,448 bytes, 3 in 8 pages | records arm-virt-armmp-1g, amd64-pc-4g (slabinfo) |
# | last in, first out; partial lists: `___slab_alloc`, `__slab_free` | Linux 6.1, mm/slub.c |
# | a double free noticed: `set_freepointer`, `freelist_ptr`, `on_freelist` | Linux 6.1, mm/slub.c |
# | lowest address, guard page: `alloc_vmap_area`, `__get_vm_area_node` | Linux 6.1, mm/vmalloc.c |
# | HighMem frames: `__vmalloc_area_node` | Linux 6.1, mm/vmalloc.c; record arm-virt-armmp-1g |
# | lazy purge: `free_vmap_area_noflush` | Linux 6.1, mm/vmalloc.c |
# | `vmalloc=` takes from lowmem: `adjust_lowmem_bounds` | Linux 6.1, arch/arm/mm/mmu.c; the two records |
# | 32 TiB for vmalloc | Linux 6.1, Documentation/x86/x86_64/mm.rst |
# | both files are root's (0400): `slab_proc_init`, `proc_vmalloc_init` | Linux 6.1, mm/slab_common.c, mm/vmalloc.c |
