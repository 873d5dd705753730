# %% [markdown]
# # 08 · The kernel's small windows: exercises
#
# **Purpose.** Follow kmap's round by hand and in code, and say what a pointer into a window is worth.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 08. Its counts keep their meaning here: 0 is free, 1 is nobody's but still mapped, *n* is *n* − 1
# users.
#
# **After this you can**
#
# - *calculate* the address that a page gets when some windows are kept;
# - *write* the round of slots for pages that are read;
# - *read* from a window which slots come next;
# - *repair* an allocator of windows, *judge* a pointer that was kept, and *choose* a way to a page.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("08.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.study.questions.highmem_window_exercise import window_before

# %% [markdown]
# ## 1. A round with one step open
#
# Step *pass* is open, and what follows it. What you need stands in the rows above it.

# %% item="08.walk"
given = ask("08.walk")
walk = None
### BEGIN SOLUTION
slot = (given.last + given.pages) % given.slots  # where the scan would be if every slot were free
slot += given.kept  # slots in use are never taken over: the scan passes them, and each costs it one more
walk = given.base + slot * 4096
### END SOLUTION

# %% [markdown]
# ## 2. Who reads through which slot, as a function
#
# Write `slots_of`. Pages of HighMem are read one after the other, each with `kmap` and `kunmap`; a page may come again.
#
# - `slots`: the number of slots. No page is mapped yet, and nobody else maps any.
# - `last`: `last_pkmap_nr`, the slot that the scan looked at last.
# - `pages`: the frames, in the order in which they are read.
#
# Return a list: for each page the slot through which it is read. For example, `slots_of(4, 2, [7, 8, 7, 9, 8])` is
# `[3, 0, 1, 2, 0]`. Why is page 7 not read through slot 3 again, but page 8 through slot 0?


# %% item="08.slots_of"
def slots_of(slots, last, pages):
    """The slot through which each page is read."""
    ### BEGIN SOLUTION
    there, found = {}, []  # pages that still stand in the page table, and their slots
    for page in pages:
        if page not in there:
            last = (last + 1) % slots
            if last == 0:
                there = {}  # the wrap flushes all that nobody uses; tempting: that kunmap does it, at once
            there[page] = last
        found.append(there[page])
    return found
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The thick edge is where the scan came last. Which slots will it hand out next, and in which order?

# %%
given = ask("08.read")
window = window_before(given.slots, given.pages, given.back)
views.kmap_window(window, f"Task A has mapped {given.pages} pages and given some back")

# %% item="08.read"
given = ask("08.read")
read = None
### BEGIN SOLUTION
behind = list(range(given.pages + 1, given.slots))  # up to the end: never used
idle = [int(slot) for slot in given.back.split(", ")]  # tempting to use them first: they wait for the wrap
read = [*behind, 0, *idle][given.more - 1]
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# A student's kernel has this in place of the scan. A program now and then read pieces of another program's file, on
# machines with two CPUs only:


# %%
def broken(counts, last):
    counts = list(counts)
    for step in range(1, len(counts) + 1):
        slot = (last + step) % len(counts)
        if counts[slot] < 2:
            counts[slot] = 2
            return [slot, counts]
    return [None, counts]


slot, counts = broken([0, 1, 1, 2], 1)
print(f"slot {slot} shows another page now. Its count was 1: whose TLB may still hold the old entry?")

# %% [markdown]
# Write it as it should be. `counts` are the counts of all slots, `last` is `last_pkmap_nr`, and a page that has no
# window yet is mapped. Return `[slot, counts]`: the slot that it gets, and all counts after that. If every slot has
# users, the task sleeps: return `[None, counts]`.


# %% item="08.take"
def take(counts, last):
    """The slot that the next page gets, and the counts after that."""
    ### BEGIN SOLUTION
    counts = list(counts)
    for _ in range(2 * len(counts)):  # to the wrap, and a whole round after it
        last = (last + 1) % len(counts)
        if last == 0:
            counts = [0 if count == 1 else count for count in counts]  # and one flush of all TLBs for all of them
        if counts[last] == 0:  # tempting: 1 as well, as nobody uses it; some TLB may still have the old entry
            counts[last] = 2  # 1 for the entry, 1 for its first user
            return [last, counts]
    return [None, counts]
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes, as in `claim = "held"`.

# %% item="08.claim"
given = ask("08.claim")
claim = None
### BEGIN SOLUTION
# Tempting: windows come and go, so no pointer into one is worth anything. One that is in use never goes.
claim = "other" if given.others >= given.slots else "luck"  # a whole round later the slot was handed out again
if "not called" in given.done:
    claim = "held"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="08.way"
given = ask("08.way")
way = None
### BEGIN SOLUTION
# Tempting: kmap, as its pointer can be handed on. To wait for a window is to sleep.
gives_up = {"kmap": "sleeping is forbidden", "local": "another task", "kernel": "kernel objects", "wide": "32-bit one"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. Your module keeps the last 64 MiB of a network's traffic, on 32-bit boards with 2 GiB.
# Packets are added in interrupts; once a minute a program reads all of it. Where do the pages come from, through which
# addresses do you reach them, and what do you give up? Two or three sentences; then compare.

# %% text="08.own-log"
own_log = ""
### BEGIN SOLUTION
own_log = (
    "Pages of HighMem, each reached with kmap_local_page while a packet is copied: it never waits, so interrupts may "
    "use it, and lowmem stays with the kernel's objects. The price is that no pointer into the log can be kept: I "
    "store frames and offsets instead, and a packet that crosses a page is copied in two parts. Tempting: kmap "
    "once, and keep the addresses; but 16,384 pages share 512 slots with everybody else."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
