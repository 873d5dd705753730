# %% [markdown]
# # 04 · From the firmware's map to zones: exercises
#
# **Purpose.** Do by hand, and then in code, what boot does with a machine's memory map.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 04: memblock, zones, the three counts, watermarks and reserves.
#
# **After this you can**
#
# - *calculate* where lowmem ends;
# - *write* memblock's rule, and the table of what zones keep from each other;
# - *read* the holes of a zone from a figure;
# - *judge* whether a zone serves a request, and *choose* how to share out 32-bit addresses.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("04.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views

# %% [markdown]
# ## 1. A walk with one step open
#
# The steps are *top, vmalloc, guard, size, end*. Step *guard* is open, so what follows from it is open too.

# %% item="04.walk"
given = ask("04.walk")
walk = None
### BEGIN SOLUTION
direct_map_end = 0xFF80_0000 - (given.vmalloc_mib << 20) - (8 << 20)  # 8 MiB that fault, so that overruns are caught
walk = direct_map_end - given.page_offset + given.ram_start  # RAM does not start at 0
### END SOLUTION

# %% [markdown]
# ## 2. memblock's rule, as a function
#
# Before there is a page allocator, memblock lends memory: the highest free place below a limit. Write `find`.
#
# - `ram` and `reserved` are lists of `[start, end]` in bytes, ascending; the byte at `end` is outside.
# - `size` bytes are asked for, at a multiple of `align` (a power of two), entirely below `limit`.
# - Return the address, or `None` where nothing fits.
#
# For example, with RAM `[[0x4000_0000, 0x8000_0000]]`, nothing reserved but `[[0x6fff_9000, 0x7000_0000]]`, a
# request of 0x90_0000 bytes aligned to 64, and the limit 0x7000_0000, memblock gives 0x6f6f_9000.


# %% item="04.find"
def find(ram, reserved, size, align, limit):
    """The highest free place, or None."""
    ### BEGIN SOLUTION
    free = []
    for low, high in ram:
        at = low
        for start, end in [pair for pair in reserved if pair[1] > low and pair[0] < high]:
            free.append((at, start))
            at = max(at, end)
        free.append((at, high))
    for low, high in reversed(free):
        place = (min(high, limit) - size) // align * align  # down; tempting: to round up, into what is above
        if place >= low:
            return place
    return None  # a stretch that is too small is passed over, not refused
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure

# %%
given = ask("04.read")
ram = [vm.Region(0, given.base_end), vm.Region(vm.MiB, given.high_mib * vm.MiB)]
views.zone_map(vm.boot(vm.Machine(arch="i386", ram=ram)))

# %% [markdown]
# The table under the figure has the counts. Your answer:

# %% item="04.read"
given = ask("04.read")
read = None
### BEGIN SOLUTION
# spanned - present. Tempting: present - managed, which is what boot kept, and RAM all the same.
read = 0x100 - given.base_end // 4096  # a frame that is RAM only in part is no page
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# Each zone keeps some of its pages from requests that could have been served higher up (`lowmem_reserve`, the
# line *protection* of /proc/zoneinfo). A script computes them, and for three zones it differs from the kernel:


# %%
def broken(managed, ratios):
    rows = []
    for i, ratio in enumerate(ratios):
        rows.append([managed[j] // ratio if ratio and j > i else 0 for j in range(len(managed))])
    return rows


print(broken([3840, 220_000, 60_000], [256, 32, 0]))
print("the kernel: [[0, 859, 1093], [0, 0, 1875], [0, 0, 0]]")

# %% [markdown]
# Write it as it should be: one row for each zone, lowest zone first; in column j what it keeps from a request whose
# highest zone is j. A zone of ratio 0 keeps nothing.


# %% item="04.protection"
def protection(managed, ratios):
    """Rows of reserves, as the line protection has them."""
    ### BEGIN SOLUTION
    rows = []
    for i, ratio in enumerate(ratios):
        # Tempting: managed[j] alone. But a request for zone j has passed every zone between j and this one.
        above = [sum(managed[i + 1 : j + 1]) for j in range(len(managed))]
        rows.append([pages // ratio if ratio and j > i else 0 for j, pages in enumerate(above)])
    return rows
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes, as in `claim = "right"`.

# %% item="04.claim"
given = ask("04.claim")
claim = None
### BEGIN SOLUTION
# Tempting: free > low. But a zone keeps its reserve on top of the mark from requests that may be served elsewhere.
claim = "enough" if given.free > given.low + given.keep else "kept"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way

# %% item="04.way"
given = ask("04.way")
way = None
### BEGIN SOLUTION
# Tempting: vmalloc=512M, which makes room with one word. It takes the addresses from lowmem.
gives_up = {
    "default": "400 MiB fit",
    "vmalloc": "768 MiB of lowmem",
    "split": "3 GiB of addresses",
    "wide": "32-bit CPU",
}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A capture card in a PC with 16 GiB can address 30 bits, which is 1 GiB. It wants 64
# buffers of 64 KiB, all the time. From where do you take them, and what do you give up? Two or three sentences; then
# compare.

# %% text="04.own-device"
own_device = ""
### BEGIN SOLUTION
own_device = (
    "dma_alloc_coherent with a mask of 30 bits, once, when the driver starts: behind an IOMMU that is any memory, and "
    "without one the kernel looks in DMA32 and then in ZONE_DMA. The price is 4 MiB that nobody else gets, of 16 on "
    "a bad day. Tempting: GFP_DMA32, because 30 bits are nearly 32; three frames of four there are out of reach."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote under 7, no program has judged.
