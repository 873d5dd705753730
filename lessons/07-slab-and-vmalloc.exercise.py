# %% [markdown]
# # 07 · Slab, kmalloc, vmalloc: exercises
#
# **Purpose.** Work out what small objects really take, and where large areas go.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 07. The steps keep their names: *size, align, order, objects*, and *caches, cache, waste*.
#
# **After this you can**
#
# - *calculate* how many objects a slab has, and *read* from a figure what it loses;
# - *write* which cache serves a request;
# - *repair* a search for addresses;
# - *choose* an allocator for a large table.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("07.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views
from vmlab.physical.slab_size import calculate_sizes

# %% [markdown]
# ## 1. A slab with one step open
#
# The question comes with its steps as a table. Step *objects* is open. What you need stands in the rows above it.

# %% item="07.walk"
given = ask("07.walk")
walk = None
### BEGIN SOLUTION
distance = -(-given.size // given.align) * given.align  # rounded up to the alignment: objects do not stand closer
walk = (4096 << given.order) // distance  # rounded down: half an object is none
### END SOLUTION

# %% [markdown]
# ## 2. Read a figure
#
# The figure has one slab of a cache, to scale, and below it one object's place, magnified.

# %%
given = ask("07.lost")
sizes = calculate_sizes(given.size, given.align, word=4)
views.slab_layout(sizes, given.order, f"Objects of {given.size:,} bytes", 4)

# %% item="07.lost"
given = ask("07.lost")
lost = None
### BEGIN SOLUTION
distance = -(-given.size // given.align) * given.align
objects = (4096 << given.order) // distance
# Tempting: what is left over at the end, which the figure counts. Every object loses some, too, by rounding.
lost = (4096 << given.order) - objects * given.size
### END SOLUTION

# %% [markdown]
# ## 3. What kmalloc really takes, as a function
#
# Write `taken(size, minalign)`: the bytes that kmalloc(size) takes. There are caches for each power of two from
# `minalign` to 8,192 bytes; one of 96 bytes if `minalign` is at most 32, and one of 192 bytes if it is at most 64.
# What is larger than 8,192 bytes comes from the page allocator, as the smallest power of two of pages (4,096 bytes
# each).
#
# For example, `taken(84, 8)` is 96, `taken(84, 64)` is 128 and `taken(9000, 8)` is 16,384.


# %% item="07.taken"
def taken(size, minalign):
    """Bytes that a request of size bytes takes."""
    ### BEGIN SOLUTION
    if size > 8192:
        pages = -(-size // 4096)
        return 4096 << (pages - 1).bit_length()  # tempting: pages * 4096; but the page allocator has orders, too
    caches = [1 << bit for bit in range(3, 14) if 1 << bit >= minalign]
    caches += [96] * (minalign <= 32) + [192] * (minalign <= 64)
    return min(cache for cache in caches if cache >= size)
    ### END SOLUTION


# %% [markdown]
# ## 4. Find the bug
#
# A driver picks addresses for its areas as vmalloc does: the lowest hole that is large enough. `areas` are those that
# there are, `[start, end)` in bytes, *with* their guard page at the end. Two areas of this program ran into each
# other, and nothing faulted between them:


# %%
def broken(areas, start, pages):
    for low, high in areas:
        if low - start >= pages * 4096:
            break
        start = high
    return start


print(hex(broken([[0xF080_2000, 0xF080_5000]], 0xF080_0000, 2)), "for two pages; the next area begins at 0xf0802000")

# %% [markdown]
# Write it as it should be. Behind the last area there is room enough.


# %% item="07.place"
def place(areas, start, pages):
    """The address that vmalloc gives to so many pages."""
    ### BEGIN SOLUTION
    # Tempting: the pages alone. The guard page in front belongs to the area before; this one needs its own behind it.
    for low, high in areas:
        if low - start >= (pages + 1) * 4096:
            break
        start = high
    return start
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="07.claim"
given = ask("07.claim")
claim = None
### BEGIN SOLUTION
# Tempting: 128 MiB. Those are addresses, for vmalloc and others; slabs lie in lowmem, which has its own limit.
claim = "fits" if given.mib <= given.free else "full"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="07.way"
given = ask("07.way")
way = None
### BEGIN SOLUTION
# Tempting: kmalloc, because it has always worked. A large order is the first that is not to be had after weeks.
gives_up = {"kmalloc": "weeks of uptime", "reserved": "at boot", "vmalloc": "in one piece", "remapped": "one array"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A module keeps 72 bytes for each open connection: fifty on most days, 500,000 in an
# attack, on routers with 256 MiB, with ARM and x86 processors. Where do you keep them, and what do you give up? Two
# or three sentences; then compare.

# %% text="07.own-connections"
own_connections = ""
### BEGIN SOLUTION
own_connections = (
    "A cache of its own with 56 records a page, and a limit on their number: 34 MiB are a lot of 256. The price is "
    "that the limit refuses somebody, and that pages with one record each stay after an attack. Tempting: kmalloc, "
    "because it is one line; on this ARM each record would take 128 bytes, and the attack 61 MiB."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
