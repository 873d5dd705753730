# %% [markdown]
# # 05 · Where is mem_map? Exercises
#
# **Purpose.** Find the frames of `mem_map` alone, in numbers and in code, and judge what others say about them.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 05. Its five steps keep their names here: *span, size, top, place, frames*.
#
# **After this you can**
#
# - *calculate* where the array begins, and *write* a function that does it for any memory map;
# - *read* from a figure which frames of a zone it takes;
# - *repair* a test of who may write to a frame;
# - *judge* a claim, and *choose* a way to get memory of your own.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("05.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views

# %% [markdown]
# ## 1. A walk with one step open
#
# Everything is worked out but step *place*. Write the address, or write how it follows from the numbers.

# %% item="05.walk"
given = ask("05.walk")
walk = None
### BEGIN SOLUTION
top = given.lowmem_end - given.taken
size = given.entries * given.struct_page_bytes
walk = (top - size) // 64 * 64  # not top: the array has to end there, so it begins a whole array below
### END SOLUTION

# %% [markdown]
# ## 2. All five steps, as a function
#
# Write `frames_of`. Its arguments are plain numbers:
#
# - `banks`: the banks of RAM in order, each `[first byte, bytes]`. There may be holes between them.
# - `struct_page_bytes`: the size of one entry.
# - `block`: the page allocator's largest block, in frames; both ends of the span are rounded out to it.
# - `top`: the end of the highest free stretch of lowmem that has room for the array.
#
# Return `[first, last]`, the first and the last frame that hold the array (FLATMEM: one array for all banks). For
# example, one bank of 1 GiB from 0x4000_0000, 36 bytes an entry, blocks of 2,048 frames and a top of 0x6fff_9000 give
# `[0x6f6f9, 0x6fff8]`: the recorded board of the lesson.


# %% item="05.frames_of"
def frames_of(banks, struct_page_bytes, block, top):
    """The first and the last frame that hold mem_map."""
    ### BEGIN SOLUTION
    first = banks[0][0] >> 12
    end = (banks[-1][0] + banks[-1][1]) >> 12
    low = first // block * block
    high = -(-end // block) * block  # round up; a hole stays in: its frames have entries too
    size = (high - low) * struct_page_bytes
    place = (top - size) // 64 * 64
    return [place >> 12, (place + size - 1) >> 12]  # the last byte counts, not the byte after it
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The figure has a board before it is split. This time NewMem is to be cut from lowmem, and it is small: how much of
# mem_map will it hold?

# %%
given = ask("05.read")
ram = [vm.Region(given.ram_start, given.ram_mib * vm.MiB)]
board = vm.Machine(arch="arm", ram=ram, config=vm.Config(zone_dma=False))
views.ruler(vm.boot(board))

# %% [markdown]
# Where does lowmem end, which frame is mem_map's last, and where will NewMem begin?

# %% item="05.read"
given = ask("05.read")
read = None
### BEGIN SOLUTION
# NewMem ends with lowmem, and the lens shows mem_map up to 7 frames below that; the array begins below NewMem.
read = given.newmem_mib * 256 - 7
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# A driver's author tests each frame of NewMem before it is written to. The test passed on the author's machine, and
# later the kernel crashed. Here is the function, and what it allows around an array of frames 0x6f6f9 to 0x6fff8:


# %%
def broken(pfns, mem_map, reserved):
    first, last = mem_map
    free = [pfn for pfn in pfns if not first < pfn < last]
    return [pfn for pfn in free if not any(start < pfn < end for start, end in reserved)]


print([hex(pfn) for pfn in broken([0x6F6F8, 0x6F6F9, 0x6FFF8, 0x6FFF9], [0x6F6F9, 0x6FFF8], [])])

# %% [markdown]
# Write it as it should be: return the frames of `pfns` that the owner of NewMem may use. `mem_map` is `[first,
# last]`, both of them the array's; `reserved` are ranges `[first, end)`, whose end is the first frame *after* the
# range.


# %% item="05.usable"
def usable(pfns, mem_map, reserved):
    """The frames of pfns that nobody has."""
    ### BEGIN SOLUTION
    # Tempting: to compare both in the same way. One argument names its last frame, the other the frame after it.
    first, last = mem_map
    free = [pfn for pfn in pfns if not first <= pfn <= last]
    return [pfn for pfn in free if not any(start <= pfn < end for start, end in reserved)]
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes, as in `claim = "all"`.

# %% item="05.claim"
given = ask("05.claim")
claim = None
### BEGIN SOLUTION
# The number is what the struct pages of NewMem's frames take. They are part of one array at the end of lowmem: it is
# in NewMem only if NewMem was cut from there, and then all of the array counts, not only NewMem's share.
claim = "elsewhere" if given.cut == "the bottom of HighMem" else "more"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way

# %% item="05.way"
given = ask("05.way")
way = None
### BEGIN SOLUTION
# Tempting: CMA, because nothing is lost while nobody uses it. It has to be emptied first, and that may fail.
gives_up = {"zone": "unpatched", "no-map": "struct page", "cma": "is there whenever", "early": "one physical range"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A module of yours has to remember 8 bytes about each frame of RAM, on boards with 1
# GiB and on servers with 64. Where do you keep them, and what do you give up? Two or three sentences; then compare.

# %% text="05.own-table"
own_table = ""
### BEGIN SOLUTION
own_table = (
    "An array from vmalloc, indexed by frame number less the first one: a module can make it at any time, as it needs "
    "no contiguous frames. Holes cost entries, and the 128 MiB of the server are not there for others. Tempting: a "
    "field of struct page, which is one addition away; it needs a kernel of one's own, and every frame's entry grows."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on a few machines drawn from a seed that anybody can see. In a course, a
# grader draws others. How you found an answer, and what you wrote under 7, no program has judged.
