# %% [markdown]
# # 10 · Demand paging, fork, swap: exercises
#
# **Purpose.** Make a swap entry by hand, count who names a slot, and say where the bytes of evicted pages go.
#
# **Time.** About 40 minutes.
#
# **Before.** Lesson 10. Its steps keep their names here: *present, area, slot*.
#
# **After this you can**
#
# - *make* the entry of a page that went to swap, for four kinds of CPU;
# - *write* what fork, a fault and an exit do to a slot's count;
# - *repair* a rule that sends everything to swap;
# - *judge* how much swap a program needs, and *choose* what to swap to.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("10.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.process.story import play

# %% [markdown]
# ## 1. An entry with one step open
#
# Step *slot* is open, and what follows it. Bit 0 stays clear, so the CPU does not look at the rest: it is Linux's.
# Where a slot is stored *inverted*, each of its bits is flipped first.

# %% item="10.walk"
given = ask("10.walk")
walk = None
### BEGIN SOLUTION
slot = given.slot
if given.stored == "inverted":
    slot ^= (1 << given.wide) - 1  # only the field's own bits; tempting: ~slot, which flips the area and more
walk = slot << given.slot_bit | given.area << given.area_bit
### END SOLUTION

# %% [markdown]
# ## 2. Who names the slot, as a function
#
# Process 0 has one page, and it is in a slot of the swap area. Write `users`. `events` are
#
# - `["fork", n]`: process n forks. Children get the next number: the first one is process 1;
# - `["touch", n]`: process n reads the page;
# - `["exit", n]`: process n ends.
#
# Return a list with one number for each event: how many entries name the slot after it. (This is the count in the
# slot's byte of `swap_map`, without the bit for the swap cache.) Nobody writes to the page, and memory is not short.
#
# For example, `users([["fork", 0], ["touch", 0], ["exit", 1]])` is `[2, 1, 0]`.


# %% item="10.users"
def users(events):
    """Entries that name the slot after each event."""
    ### BEGIN SOLUTION
    names_it = [True]  # for each process: does its entry name the slot?
    counts = []
    for what, who in events:
        if what == "fork":
            names_it.append(names_it[who])  # the entry is copied: a swap entry, or one that leads to a frame
        else:
            # Its own entry alone. Tempting: once read, the page is back for all; others find it by their own entries.
            names_it[who] = False
        counts.append(sum(names_it))
    return counts
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The figure shows the story after its third step. How does it go on?

# %%
given = ask("10.read")
scenes = play(tuple(given.order.split()), frames=given.frames)
views.swap_story(scenes[3], f"Frames: {given.frames}. After the first three steps of {given.order}")

# %% item="10.read"
given = ask("10.read")
read = None
### BEGIN SOLUTION
inside, read = [], 0  # whose pages are in RAM, the oldest first
for who in given.order.split():
    if who not in inside:
        if len(inside) == given.frames:
            inside.pop(0)
            read += 1  # each time; tempting: its bytes are in swap still. The slot was given up when it came back
        inside.append(who)
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# "Three processes run one program. Memory gets short, so the page at 0x400000 of each goes to swap." Somebody wrote
# that down as a function:


# %%
def broken(pages):
    return ["swap" for kind, written in pages]


print(broken([["program", 0], ["shared file", 1], ["anonymous", 1]]), "and /bin/program was on disk all the time")

# %% [markdown]
# Write it as it should be. `pages` are the pages that are taken, each `[kind, written]`. `written` is 1 if the process
# has written to the page since it came. The kinds:
#
# - `"program"`: a private mapping of a file, as a program's text and data are;
# - `"shared file"`: a shared mapping of a file;
# - `"tmpfs"`: shared memory, which has no disk (these have always been written);
# - `"anonymous"`: here one that has been in swap and was read back, while another process still names its slot.
#
# Return for each where its bytes are written: `"swap"`, `"file"`, or `"drop"` if nothing is written at all.


# %% item="10.fate"
def fate(pages):
    """Where each page's bytes go."""
    ### BEGIN SOLUTION
    found = []
    for kind, written in pages:
        if not written:
            found.append("drop")  # tempting: swap for all; but these bytes are in the file, or still in the slot
        elif kind == "shared file":
            found.append("file")
        else:
            found.append("swap")  # a private page that was written is nobody's but the process's own
    return found
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="10.claim"
given = ask("10.claim")
claim = None
### BEGIN SOLUTION
# Tempting: all of it. The text is dropped, whoever shares it; only what the processes wrote has no other copy.
claim = "data" if given.processes * given.heap <= given.area else "full"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="10.way"
given = ask("10.way")
way = None
### BEGIN SOLUTION
# Tempting: zram, as it is fast and nothing is bought. What it holds, it holds in the RAM that was short.
gives_up = {"disk": "microseconds", "zram": "all of the RAM", "kill": "where they were", "nvme": "has to be bought"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. Your laptop has 8 GiB of RAM and a fast disk; a browser, an editor and a compiler share
# it. How much swap do you give it, on what, and what do you give up? Two or three sentences; then compare.

# %% text="10.own-swap"
own_swap = ""
### BEGIN SOLUTION
own_swap = (
    "A swap file of 4 GiB: what the browser's idle tabs have written can leave RAM while the compiler runs. The price "
    "is that a tab takes a moment to come back, and that a program which leaks is slow for a while before it ends. "
    "Tempting: none at all, since RAM is faster; idle tabs then keep the RAM that the compiler needs."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
