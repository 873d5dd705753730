# %% [markdown]
# # 03 · TLB and ASIDs: exercises
#
# **Purpose.** Work out what a TLB finds and what it forgets, and write one.
#
# **Time.** About 35 minutes.
#
# **Before.** Lesson 03. The steps of a lookup keep their names: *index, compare, walk, evict, fill*.
#
# **After this you can**
#
# - *calculate* what walks cost, with and without a host;
# - *write* how often a TLB of sets and ways misses;
# - *read* from a figure which page has to go;
# - *repair* a TLB that mixes processes up, and *choose* what to do about switches.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("03.walks")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views
from vmlab.virtual.tlb_rows import Structure

# %% [markdown]
# ## 1. A cost with one step open
#
# Step *each walk* is open, and the product after it.

# %% item="03.walks"
given = ask("03.walks")
walks = None
### BEGIN SOLUTION
each = (given.levels + 1) * (given.host_levels + 1) - 1  # every guest address that is met is walked for in the host
walks = given.misses * each  # not the accesses: what hits does not walk
### END SOLUTION

# %% [markdown]
# ## 2. A TLB as a function
#
# Write `misses`. `pages` are page numbers in the order of the references; the TLB is empty at first. Page p may be
# kept only in set number `p % sets`, and a set holds `ways` pages. When a set is full, the page in it goes whose
# last use is oldest; a hit is a use. Return the number of references that miss.
#
# For example, `misses([0x400, 0x404, 0x400, 0x408, 0x404], sets=4, ways=2)` is 4.


# %% item="03.misses"
def misses(pages, sets, ways):
    """How many of the references miss."""
    ### BEGIN SOLUTION
    kept = [[] for _ in range(sets)]  # oldest use first
    count = 0
    for page in pages:
        row = kept[page % sets]
        if page in row:
            row.remove(page)  # a hit makes it young again: without this line, first in would go first
        else:
            count += 1
            if len(row) == ways:
                row.pop(0)
        row.append(page)
    return count
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure

# %%
given = ask("03.read")
tlb = vm.Tlb((Structure("Toy TLB", 1, 8, 2),))
for page in given.told.split(", ")[:-1]:
    tlb.access(1, int(page, 16) << 12)
views.tlb_grid(tlb, "Before the last reference")

# %% item="03.read"
given = ask("03.read")
read = None
### BEGIN SOLUTION
pages = [int(words, 16) for words in given.told.split(", ")]
rivals = [page for page in pages[:-1] if page % 4 == pages[-1] % 4]
read = next(page for page in rivals if page != rivals[-1])  # two in the set: not the one that was used last
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# This TLB is used by several processes. `refs` are `[ASID, page number]`. It reports one miss for two processes that
# both use page 0x400; so the second one was served with the first one's frame:


# %%
def broken(refs, sets, ways):
    return misses([page for _, page in refs], sets, ways)


print(broken([[1, 0x400], [2, 0x400], [1, 0x400]], 4, 2))

# %% [markdown]
# Write it as it should be: an entry serves only the ASID that it was made for. A switch removes nothing; set, ways
# and the choice of who goes are as above.


# %% item="03.tagged"
def tagged(refs, sets, ways):
    """How many of the references miss."""
    ### BEGIN SOLUTION
    # Tempting: to empty the TLB at each change of ASID. That is right, too, in what it finds, but not in what it costs.
    kept = [[] for _ in range(sets)]
    count = 0
    for asid, page in refs:
        row = kept[page % sets]  # the page number alone chooses the set, as in hardware
        if (asid, page) in row:
            row.remove((asid, page))
        else:
            count += 1
            if len(row) == ways:
                row.pop(0)
        row.append((asid, page))
    return count
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="03.claim"
given = ask("03.claim")
claim = None
### BEGIN SOLUTION
# Tempting: a switch empties the TLB. With ASIDs it does not; what goes is pushed out by new entries.
claim = "kept" if given.mine + given.other <= given.entries else "pushed"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="03.way"
given = ask("03.way")
way = None
### BEGIN SOLUTION
# Tempting: ASIDs, which cost nothing while running. The old CPU has none.
gives_up = {"flush": "2,000 pages", "threads": "neither can read", "asid": "old CPU stays", "huge": "stay at 4 KiB"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A host of yours runs forty small guests on eight CPUs, and a fifth of the time goes
# into walks: both sides have four levels. What do you change, and what do you give up? Two or three sentences; then
# compare.

# %% text="03.own-guests"
own_guests = ""
### BEGIN SOLUTION
own_guests = (
    "2 MiB pages in the host first: no guest has to know, and at most 19 reads are left of 24. The price is that a "
    "guest's idle memory comes back in pieces of 2 MiB only, if at all. Tempting: to flush less; but the time went "
    "into walks, so I would first count how many of them follow a switch."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
