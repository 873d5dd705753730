# %% [markdown]
# # 01 · Same address, two processes: exercises
#
# **Purpose.** Walk page tables by hand and in code, and tell shared memory from equal addresses.
#
# **Time.** About 30 minutes.
#
# **Before.** Lesson 01. Its steps keep their names: *base register, index, entry, next table, frame, + offset*.
#
# **After this you can**
#
# - *follow* a walk of two levels, word by word;
# - *write* it as a function, the missing page included;
# - *read* an index off an address's bits;
# - *repair* a test of what two processes share, and *choose* a way to share it.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("01.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views
from vmlab.arch.formats import page_format

# %% [markdown]
# ## 1. A walk with one step open
#
# Two walks read these words; which of them are p's, the base register says. Step *next table* is open.

# %% item="01.walk"
given = ask("01.walk")
walk = None
### BEGIN SOLUTION
ram = {
    int(at, 16): int(word, 16)
    for at, word in (pair.split(" = ") for pair in given.words.replace("[", "").replace("]", "").split(", "))
}
top = ram[given.root + (given.va >> 22) * 4]
# Tempting: to stop here, as an entry with a frame in it was found. It is the frame of the next table.
last = ram[(top & ~0xFFF) + (given.va >> 12 & 0x3FF) * 4]
walk = (last & ~0xFFF) + (given.va & 0xFFF)  # flags off, offset on
### END SOLUTION

# %% [markdown]
# ## 2. The walk as a function
#
# Write `walk_tables`. `cr3` is the physical address of the top table. `words` are pairs `[address, word]` of RAM,
# enough for every walk; an entry that is not there reads as 0. Return the physical address of `va`, or `None` where
# an entry on the way is not present: its bit 0 is clear.
#
# For example, `walk_tables(0x2d0_0000, [[0x2d0_000c, 0x3f87_5067], [0x3f87_5018, 0x3fe6_2067]], 0xc0_6aa0)` is
# 0x3fe6_2aa0.


# %% item="01.walk_tables"
def walk_tables(cr3, words, va):
    """The physical address of va, or None."""
    ### BEGIN SOLUTION
    ram = dict(words)
    table = cr3
    for shift in (22, 12):
        entry = ram.get(table + (va >> shift & 0x3FF) * 4, 0)
        if not entry & 1:
            return None  # a page fault is a result of the walk; tempting: to go on with entry 0, into frame 0
        table = entry & ~0xFFF  # the next table, and after the last level the frame
    return table + (va & 0xFFF)
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The figure is of another address, so that you have to look at yours in the same way.

# %%
given = ask("01.read")
views.address_bits(page_format("x86-32"), given.va ^ 0x0F0F_0F0F)

# %% item="01.read"
given = ask("01.read")
read = None
### BEGIN SOLUTION
# Tempting: the upper ten bits. Those are the other index, and below both is the offset.
read = given.va >> 12 & 0x3FF
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# A program lists which frames two processes share. `one` and `two` are the pages that each has mapped, as
# `[page number, frame number]`. For these two it says that they share frame 0x512, and another frame not at all:


# %%
def broken(one, two):
    frames, other = dict(one), dict(two)
    return sorted(frames[page] for page in frames if page in other)


print(broken([[0x400, 0x512], [0x410, 0x777]], [[0x400, 0x93A], [0x423, 0x777]]))

# %% [markdown]
# Write it as it should be: the frames that both can reach, in ascending order.


# %% item="01.shared"
def shared(one, two):
    """Frames that both processes can reach."""
    ### BEGIN SOLUTION
    # Tempting: to look for equal page numbers. Those are names in two tables; what is shared is what they name.
    return sorted({frame for _, frame in one} & {frame for _, frame in two})
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `judge` to one of the words in quotes.

# %% item="01.judge"
given = ask("01.judge")
judge = None
### BEGIN SOLUTION
# Tempting: the same address. The tables of each process decide, and here are the frames that they name.
judge = "frame" if given.mine == given.theirs else "other"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes, as in `way = "pipe"`.

# %% item="01.way"
given = ask("01.way")
way = None
### BEGIN SOLUTION
# Tempting: shared memory, because it is fast. It fails where a pointer has to mean the same in both.
gives_up = {"threads": "wild pointer", "pipe": "not copied", "shared": "means the same", "fixed": "free to choose"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A tool of yours has to show, twenty times a second, what a running program of
# somebody else keeps at one of its addresses. How does it get at the bytes, and what do you give up? Two or three
# sentences; then compare.

# %% text="01.own-look"
own_look = ""
### BEGIN SOLUTION
own_look = (
    "process_vm_readv() on the program's process: the kernel translates with that program's tables, and it runs on. I "
    "need a debugger's rights, and a value may be read while it is half written; for one word that does no harm. "
    "Tempting: to read my own 0x400000. That is another page, however equal the address."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
