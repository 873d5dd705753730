# %% [markdown]
# # 06 · Buddy: exercises
#
# **Purpose.** Merge and split blocks by hand, in code, and in an allocator that does it wrongly.
#
# **Time.** About 35 minutes.
#
# **Before.** Lesson 06. The steps keep their names: *order, free_area, split, take*, and *buddy, free?, merge,
# place*.
#
# **After this you can**
#
# - *follow* a page that comes back until merging stops;
# - *write* it as a function;
# - *read* from a line of buddyinfo what can still be served;
# - *repair* an allocator that loses memory, and *choose* where large buffers come from.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("06.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm

# %% [markdown]
# ## 1. A merge with one step open
#
# Step *free?* is open, and what follows it.

# %% item="06.walk"
given = ask("06.walk")
walk = None
### BEGIN SOLUTION
ends = [[int(page, 16) for page in part.split(" to ")] for part in given.ranges.split(", ")]
free = {page for part in ends for page in range(part[0], part[-1] + 1)}
walk, order = given.pfn, 0
while free >= set(range(walk ^ 1 << order, (walk ^ 1 << order) + (1 << order))):
    walk &= ~(1 << order)  # all of the buddy has to be free: a neighbour that is no buddy does not count
    order += 1
### END SOLUTION

# %% [markdown]
# ## 2. A page comes back, as a function
#
# Write `give_back`. `blocks` are the free blocks, each `[first frame, order]`; page `pfn` comes back; `most` is the
# largest order that there is. Return the free blocks after that, ascending.
#
# For example, `give_back([[88, 0], [90, 0], [92, 2]], 91, 3)` is `[[88, 0], [90, 1], [92, 2]]`: 91 merges with its
# buddy 90, and the two with nothing, as page 89 is in use.


# %% item="06.give_back"
def give_back(blocks, pfn, most):
    """The free blocks after page pfn came back."""
    ### BEGIN SOLUTION
    free = {tuple(block) for block in blocks}
    first, order = pfn, 0
    # The buddy as a whole: the same order, and no part of it. Tempting: any free neighbour, above or below.
    while order < most and (first ^ 1 << order, order) in free:
        free.remove((first ^ 1 << order, order))
        first &= ~(1 << order)  # the lower one of the two
        order += 1
    return sorted([*map(list, free), [first, order]])
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a line of /proc/buddyinfo

# %% item="06.read"
given = ask("06.read")
read = None
### BEGIN SOLUTION
counts = [int(count) for count in given.line.split()]
# Tempting: the one column of that order. Larger blocks are cut, and each gives two, four, ... of them.
read = sum(count << order - given.order for order, count in enumerate(counts) if order >= given.order)
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# This allocator has one free block of order `order` at frame `first`, and is asked for one of order `wanted`. It
# returns the frame that it hands out and the blocks that are free then. Count the pages:


# %%
def broken(first, order, wanted):
    blocks = []
    while order > wanted:
        blocks.append([first + (1 << order - 1), order])
        order -= 1
    return [first, sorted(blocks)]


frame, blocks = broken(0x100, 4, 1)
print("16 pages were free;", 2 + sum(1 << order for _, order in blocks), "there are after a request of two:", blocks)

# %% [markdown]
# Write it as it should be: `[frame, blocks]`, the blocks ascending, each `[first frame, order]`.


# %% item="06.split_block"
def split_block(first, order, wanted):
    """The frame that is handed out, and the free blocks after that."""
    ### BEGIN SOLUTION
    blocks = []
    while order > wanted:
        order -= 1  # first, and tempting to leave for later: a half has one order less than what was cut
        blocks.append([first + (1 << order), order])
    return [first, sorted(blocks)]
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="06.claim"
given = ask("06.claim")
claim = None
### BEGIN SOLUTION
# Tempting: free pages are more than wanted. They have to be one block.
counts = [int(count) for count in given.line.split()]
claim = "block" if any(counts[given.order :]) else "fragment"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="06.way"
given = ask("06.way")
way = None
### BEGIN SOLUTION
# Tempting: vmalloc, which finds memory in any state. What it finds is contiguous for the CPU only.
gives_up = {"pages": "weeks of uptime", "vmalloc": "are contiguous", "cma": "in an interrupt", "pool": "not lost"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A network driver takes frames of 9,000 bytes, in interrupts, after weeks of uptime.
# From where do its buffers come, and what do you give up? Two or three sentences; then compare.

# %% text="06.own-jumbo"
own_jumbo = ""
### BEGIN SOLUTION
own_jumbo = (
    "Three single pages for each frame, which the device gathers: an interrupt cannot wait for compaction, and single "
    "pages are the last to run out. I give up one piece: whoever reads a packet has to go from page to page. "
    "Tempting: order 2, because it works on the day of the test; weeks later free pages are many and blocks are few."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
