# %% [markdown]
# # 11 · Reclaim and replacement: exercises
#
# **Purpose.** Say which page goes, how often that will hurt, and repair a second chance that never ends.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 11.
#
# **After this you can**
#
# - *follow* the hand of CLOCK;
# - *write* LRU's misses for many sizes at once, from distances;
# - *read* from a curve how much memory a program needs;
# - *repair* a second chance, *judge* what more frames do, and *choose* a remedy against a scan.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("11.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.process.sweep import curve

# %% [markdown]
# ## 1. A hand with one step open
#
# CLOCK keeps its pages in a ring of frames, each with an R bit that a use sets. Step *victim* is open.

# %% item="11.walk"
given = ask("11.walk")
walk = None
### BEGIN SOLUTION
ring, bits = given.ring.split(), given.bits.split()
at = given.hand
while bits[at] == "1":
    bits[at] = "0"  # its second chance; tempting, if all are set: none goes. The hand comes back, and the first goes
    at = (at + 1) % len(ring)
walk = int(ring[at])
### END SOLUTION

# %% [markdown]
# ## 2. Misses at many sizes, as a function
#
# To count LRU's misses for ten sizes, need you play ten times? No: look at each reference once, and ask how many
# different pages have been used since the last use of this one, itself included. That is its *distance*: with so many
# frames or more it hits, with fewer it misses.
#
# Write `missed(pages, sizes)`: a list with LRU's misses for each number of frames in `sizes`. `pages` are the
# references in order. For example, `missed([1, 2, 1, 3, 2], [2, 3])` is `[4, 3]`.


# %% item="11.missed"
def missed(pages, sizes):
    """LRU's misses with each number of frames."""
    ### BEGIN SOLUTION
    last = {}
    distances = []
    for at, page in enumerate(pages):
        if page in last:
            # Tempting: how many references ago. What counts are different pages, and itself is one of them.
            distances.append(len(set(pages[last[page] : at])))
        last[page] = at
    return [len(pages) - sum(distance <= size for distance in distances) for size in sizes]
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# A program reads an index and a table in turns. The figure has LRU's misses, counted as you did above, for sizes that
# are multiples of 8.

# %%
given = ask("11.read")
program = [page for n in range(4 * given.large) for page in (n % given.small, 1000 + n % given.large)]
whole = curve("lru", program)
sizes = range(8, given.small + given.large + 8, 8)
misses = [whole.at(frames) for frames in sizes]
views.curves(
    "LRU, an index and a table in turns",
    f"Misses fall from {misses[0]:,} with 8 frames to {misses[-1]:,} with {sizes[-1]}, in steps.",
    sizes,
    [views.Curve("misses", misses)],
    views.Axis("frames"),
    views.Axis("misses"),
)

# %% [markdown]
# The first step down is between two sizes of the figure. Where exactly?

# %% item="11.read"
given = ask("11.read")
read = None
### BEGIN SOLUTION
# Until an index page is used again, the program reads the whole index, and a page of the table after each of them.
# Tempting: small + large, all that the program has. That is where the curve ends, not where it first falls.
read = given.small + given.small
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# This second chance passes over pages that were used, and takes the first that was not. A page that was used once,
# long ago, is still here:


# %%
def broken(ring, bits, hand):
    for step in range(len(ring)):
        at = (hand + step) % len(ring)
        if not bits[at]:
            return [ring[at], bits]
    return [ring[hand], bits]


bits = [1, 0, 1, 1]
for turn in range(3):
    victim, bits = broken([11, 12, 13, 14], bits, 0)
    print(f"search {turn + 1}: page {victim} goes, the bits are {bits}: when would page 11 ever go?")

# %% [markdown]
# Write it as it should be. `ring` are the pages frame by frame, `bits` their R bits (0 or 1), `hand` the frame that
# the hand points at. Return `[victim, bits]`: the page that goes, and the bits as the hand leaves them.


# %% item="11.second_chance"
def second_chance(ring, bits, hand):
    """The page that goes, and the bits after the search."""
    ### BEGIN SOLUTION
    bits = list(bits)
    while bits[hand]:
        bits[hand] = 0  # tempting: only to pass over it; but then the chance would never be used up
        hand = (hand + 1) % len(ring)
    return [ring[hand], bits]
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="11.claim"
given = ask("11.claim")
claim = None
### BEGIN SOLUTION
# Tempting: more room, fewer misses. It holds for LRU, where 3 frames hold what 4 hold but for one page; under FIFO a
# hit does not make a page younger, and with 4 frames other pages are in memory: not the same and one more.
claim = "right" if given.policy == "LRU" else "more"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="11.way"
given = ask("11.way")
way = None
### BEGIN SOLUTION
# Tempting: mlock, as what is locked is never evicted. It is not given back either, when nobody uses it.
gives_up = {"fadvise": "program stays", "mglru": "the kernel", "mlock": "when it is idle", "night": "at any hour"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. You write a cache of web pages with room for 10,000 of them. Which policy do you take,
# and what do you give up for it? Two or three sentences; then compare.

# %% text="11.own-cache"
own_cache = ""
### BEGIN SOLUTION
own_cache = (
    "SIEVE: a hit sets one bit, so that many threads read at once, and pages which a crawler asks for once go soon. "
    "I give up knowing how often a page was used: one that is asked for twice a day looks like one of twice a second. "
    "Tempting: LRU, since more room is never worse; but it moves a page at each hit, under a lock."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
