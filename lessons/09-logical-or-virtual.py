# %% [markdown]
# # 09 · The 64-bit direct map: logical or virtual?
#
# **Purpose.** Given any kernel address, say what it is, where it leads, and which test proves it.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 05: mem_map and the **direct map**; lesson 07: vmalloc. It helps to know from lesson 02 how page
# tables translate an address.
#
# **After this you can**
#
# - *classify* a kernel address: direct map, vmalloc, vmemmap, kernel image, modules, or nothing at all;
# - *calculate* its physical address, its frame and its struct page, where a constant gives them;
# - *explain* what KASLR moves and what it leaves in place;
# - *judge* what `virt_addr_valid` and its relatives prove, and what they do not.
#
# Run a cell with Shift-Enter. Questions wait for your answer: the result below one stays shut until you commit.

# %%
import vmlab as vm
from vmlab import explore, views
from vmlab.explore import own_layout
from vmlab.study import practise, predict, recall, reveal, weigh
from vmlab.study.questions import layout as ask
from vmlab.study.questions import layout_recall, layout_steps
from vmlab.study.questions import layout_tests as tests
from vmlab.virtual.layout_truth import differences, there_and_back
from vmlab.virtual.worked import worked

pc, board = ask.booted(ask.PC), ask.booted(ask.BOARD)

# %% [markdown]
# ## 1. From memory
#
# Three questions about what came before. Answer without looking back.

# %%
recall(*layout_recall.START)

# %% [markdown]
# ## 2. The question
#
# Somebody asks, in public:
#
# > I am familiar that the Linux kernel memory is usually 1:1 mapped (up to a certain limit of the zone). From what I
# > understood is that to make this 1:1 mapping more efficient the array of struct page is virtually mapped. I wanted to
# > check if that is the case. Is there a way to test if - given an address (lets say that of a struct page) check if it
# > is 1:1 mapped or virtually mapped?
#
# Two words first. A **logical address** lies in the direct map: its physical address is the address less a constant.
# "1:1" means this constant distance, not that both are equal. A **kernel virtual address** is any address that the
# kernel's page tables translate. Each logical address is one; many others are not logical.

# %%
predict(ask.STRUCT_PAGE)

# %%
page = ask.page_of(ask.PC)
reveal(ask.STRUCT_PAGE, lambda: views.address_ruler(pc.layout, page, "A struct page on a PC with 4 GiB, Linux 6.1"))

# %% [markdown]
# Read the picture from above. The first bar has **all** addresses of the machine, 2^64 of them. Its ends are
# logarithmic: *top − 2^40* is 2^40 bytes below the last address, and each step to the right halves that distance. The
# second bar is the address's own **area** between its neighbours; nothing is mapped where it is dotted. The third is
# RAM. Below stand the kernel's own tests; we come to them in section 6. The table under the picture lists every area:
# where it begins, and what it is for.
#
# On this kernel the asker is right: the array is virtually mapped, in the area called **vmemmap**. And on others?

# %%
predict(ask.STRUCT_PAGE_32)

# %%
flat = ask.page_of(ask.BOARD)
reveal(ask.STRUCT_PAGE_32, lambda: views.address_ruler(board.layout, flat, "A struct page on an ARM board, Linux 6.1"))

# %% [markdown]
# So "is struct page 1:1 mapped?" has no answer for *Linux*; it has one for each kernel. And the reason is not that the
# vmemmap would make the direct map faster. It makes the step from a frame number to its struct page one addition,
# although RAM has holes: entries for holes have addresses, and no memory behind them.
#
# ## 3. From an address to its frame: five steps
#
# Each area that boot maps as a whole has a constant: virtual less physical address. The table under the first picture
# says where the PC's direct map begins; physical 0 is there.

# %%
predict(ask.OFFSET)

# %%
reveal(ask.OFFSET)

# %% [markdown]
# All steps, worked out. They have the same names from here on. In C, `__pa` does the first three, and `virt_to_page`
# all five.

# %%
layout_steps.pointer_steps(0xFFFF_8880_1234_5678)

# %% [markdown]
# ### One step is yours

# %%
practise(layout_steps.PHYSICAL)

# %% [markdown]
# ### All steps are yours

# %%
practise(layout_steps.PAGE)

# %% [markdown]
# ## 4. The kernel's own variables
#
# The kernel's code and data are in RAM, and all RAM is in the direct map. But on 64 bits the kernel was linked to
# another place, the last 2 GiB of all addresses, and boot maps it there a second time.

# %%
predict(ask.IMAGE)

# %%
init_task = pc.machine.recorded.data["symbols"]["init_task"]["va"]
reveal(ask.IMAGE, lambda: views.address_ruler(pc.layout, init_task, "&init_task on the PC"))

# %% [markdown]
# One byte, two addresses. The third bar's line gives the other one, the **alias** in the direct map. On 32 bits there
# is one address only: there the image lies in the direct map itself.

# %%
practise(layout_steps.ALIAS)

# %% [markdown]
# Where no constant helps, the page tables still do: walk to the frame, then add the direct map's offset. This is done
# here in the tables of the recorded PC. So the asker's struct page has a logical address too; nobody uses it.

# %%
tables = pc.machine.recorded.kernel_space()
cases = {case["what"]: case["va"] for case in pc.machine.recorded.data["kernel_cases"]}
for what in ("kernel image: init_task", "mem_map first byte", "vmalloc first page", "guard page after vmalloc"):
    print(f"{what}: {there_and_back(pc.layout, tables, cases[what]).tell()}")

# %% [markdown]
# ### Who gives which kind
#
# Allocators, the module loader and boot hand out pointers of every kind. One of them surprises those who write drivers.

# %%
predict(tests.STACK)

# %%
rows = [
    (name, each.name, each.how, f"{each.va:#_x}", (it := kernel.layout.classify(each.va)).area.name, it.logical)
    for name, kernel in (("PC", pc), ("ARM", board))
    for each in worked(kernel)
]
rows = [(*row[:-1], "yes" if row[-1] else "no") for row in rows]
reveal(tests.STACK, lambda: views.Table(("on", "pointer to", "from", "address", "area", "logical"), rows))

# %% [markdown]
# ## 5. Is the range a proof?
#
# The answer that the asker got: the direct map starts at `ffff888000000000`, "so addresses in this range should always
# be logical", and one could "iterate through addresses 0+offset to total_bytes_of_RAM + offset".

# %%
predict(ask.HOLE)

# %%
hole = pc.layout.page_offset + 0xD000_0000
reveal(ask.HOLE, lambda: views.address_ruler(pc.layout, hole, "An address in the direct map's range, without RAM"))

# %% [markdown]
# The loop over "all bytes of RAM" would fault at the first hole, and never reach the last GiB. What proves that
# something is mapped? The page tables, and nothing else. Here are those of a recorded kernel with page-table isolation,
# against the rules of its layout: every address at which the two differ.

# %%
isolated = vm.boot(vm.load_machine("amd64-pc-2g-pti"))
for each in differences(isolated.layout, isolated.machine.recorded.kernel_space()):
    print(f"{each.start:#x} to {each.end - 1:#x}  {each.area}: {each.what}")

# %% [markdown]
# Three parts of the image were freed after boot and taken out of its window; the fourth is what follows the image in
# its last large page. The direct map agrees everywhere. On a running machine it may not: `memfd_secret` and debugging
# options take pages out of it, too.
#
# And what does a page's *use* change?

# %%
predict(tests.SWAPPED)

# %%
reveal(tests.SWAPPED)

# %% [markdown]
# ### KASLR
#
# Distributions build kernels that draw these places at each boot (**kernel address space layout randomisation**).
# Three bases move, in this order, by multiples of 1 GiB: direct map, vmalloc, vmemmap. The image moves within its own
# window by multiples of 2 MiB. The other areas keep their borders. Even without KASLR no number is for ever: with four
# levels the direct map began at 0xffff_8800_0000_0000 until 4.20 (and 4.19.5) made room below it; with five levels it
# begins at 0xff11_0000_0000_0000.

# %%
predict(ask.KASLR)

# %%
moved = ask.moved(ask.KASLR.variant()["base"])
reveal(ask.KASLR, lambda: views.address_ruler(moved, ask.KASLR.variant()["va"], "The recorded kernel with KASLR"))

# %% [markdown]
# Now place addresses yourself. Choose a kernel and an example, or type an address; Tab moves from control to control.
# Guess before you touch one:
#
# 1. Kernel "x86-64, 4 levels, KASLR": which areas move from boot to boot, and which stay?
# 2. "just behind the direct map", on "x86-32, 3G/1G" and on a 64-bit kernel: which test is wrong, and why there?
# 3. Kernel text on arm64 and on x86-64: which tests differ?

# %%
explore.address_explorer()

# %% [markdown]
# ## 6. What the kernel's tests prove
#
# **`__pa`** is arithmetic: it asks nothing and is never refused. **`virt_addr_valid`** asks whether the range fits and
# whether the frame has a struct page (**`pfn_valid`**). **`is_vmalloc_addr`** compares with two borders.

# %%
predict(tests.VMEMMAP_VALID)

# %%
reveal(tests.VMEMMAP_VALID)

# %% [markdown]
# ### On another architecture

# %%
predict(tests.IMAGE_ARM64)

# %%
reveal(tests.IMAGE_ARM64)

# %% [markdown]
# ### On 32 bits

# %%
predict(tests.WINDOW)

# %%
pc32 = ask.booted(ask.OLD_PC).layout
reveal(tests.WINDOW, lambda: views.address_ruler(pc32, 0xFEC0_0000, "kmap's first slot on a 32-bit PC with 1 GiB"))

# %% [markdown]
# So the order matters. Hardened usercopy (`check_heap_object`, mm/usercopy.c) asks for kmap's windows first, then for
# vmalloc, and only then `virt_addr_valid`.
#
# **The answer to the asker.** Yes: `virt_addr_valid(p)`, once `is_vmalloc_or_module_addr(p)` and `is_kmap_addr(p)` have
# said no. For a struct page the result is "no" on a kernel with a vmemmap and "yes" with a flat mem_map. It tells you
# that `__pa` and `virt_to_page` may be used. Whether the memory can be read, the page tables decide.
#
# The next explorer takes one address to nineteen kernels. Guess: under how many is it logical? Try `c0123456` as well.

# %%
explore.kernels_explorer()

# %% [markdown]
# ## 7. A pointer of unknown origin

# %%
weigh(tests.POINTER)

# %% [markdown]
# ## 8. Your machine
#
# Read-only. Most addresses of a kernel are told to root alone. Where yours are not told, the table says why, and a
# recorded PC is shown below. Before you run the cell: is your kernel's image where it was linked to?

# %%
own_layout()

# %% [markdown]
# As root, `grep ' _text$' /proc/kallsyms` before and after a reboot shows KASLR at work.
#
# ## 9. What the model leaves out
#
# - KASAN, KMSAN and debugging kernels, whose shadow memory takes areas of its own.
# - Memory that a running kernel takes out of the direct map, and firmware memory marked `nomap`.
# - Where in RAM KASLR puts the image: its virtual address is drawn by the kernel's rule, its physical one is kept.
# - arm64 with pages of 16 or 64 KiB; RISC-V kernels are shown from their document, none was recorded.
# - Tagged pointers, and CPUs that ignore upper bits of user addresses.
#
# ## 10. From memory, once more

# %%
recall(*layout_recall.END)

# %% [markdown]
# ## Sources
#
# | claim | source |
# |---|---|
# | the question quoted, and its answer | public question "How to test if address is virtual or logical" |
# | areas of x86-64 | Linux 6.1, Documentation/x86/x86_64/mm.rst |
# | the direct map's older base | Linux 4.20 and 4.19.5, d52888aa2753 (x86/mm: move LDT remap out of KASLR region) |
# | `__pa`, `virt_addr_valid` on x86 | Linux 6.1, arch/x86/include/asm/page.h, arch/x86/mm/physaddr.c |
# | the same on arm64 and ARM | Linux 6.1, arch/arm64/include/asm/memory.h, arch/arm/include/asm/memory.h |
# | three bases: `kernel_randomize_memory` | Linux 6.1, arch/x86/mm/kaslr.c; record amd64-pc-2g-kaslr |
# | the hole between 3 and 4 GiB has no entry | record amd64-pc-4g (page tables) |
# | freed parts of the image are unmapped | record amd64-pc-2g-pti; Linux 6.1, arch/x86/mm/init.c |
# | a user's frame stays in the direct map | record amd64-pc-4g (page tables of p0 and of the kernel) |
# | kernel stacks in vmalloc space | Linux 6.1, kernel/fork.c (CONFIG_VMAP_STACK); record arm-virt-armmp-1g |
# | the order of tests: `check_heap_object` | Linux 6.1, mm/usercopy.c |
# | what is hidden from whom | Linux 6.1, kernel/kallsyms.c, kernel/resource.c, lib/vsprintf.c |
# | Sv39 and Sv48 | Linux 6.1, Documentation/riscv/vm-layout.rst |
