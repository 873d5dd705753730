# %% [markdown]
# # 02 · Real page-table formats: exercises
#
# **Purpose.** Take addresses apart by any format, in numbers and in code.
#
# **Time.** About 35 minutes.
#
# **Before.** Lesson 02. Its steps keep their names: *canonical, root, index, large page?, frame*.
#
# **After this you can**
#
# - *finish* a walk that ends in a large page;
# - *write* what splits an address by any table of levels;
# - *count* the tables that a few pages need;
# - *repair* a test for canonical addresses, and *choose* a page size.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("02.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.arch.formats import page_format

FORMATS = {page_format(name).title: name for name in ("x86-64-4", "x86-64-5", "sv39", "sv48")}

# %% [markdown]
# ## 1. A walk with one step open
#
# The walk has come to a large page. Step *frame* is open.

# %% item="02.walk"
given = ask("02.walk")
walk = None
### BEGIN SOLUTION
va = int(given.shown.replace("_", ""), 16)
entry = int(given.read.split()[-1].replace("_", ""), 16)
base = entry & ((1 << 52) - 1) & ~((1 << 21) - 1)  # bits 51..21: above them stand flags too, such as NX
walk = base + (va & ((1 << 21) - 1))  # 21 bits of offset, not 12: the last index has taken nothing below
### END SOLUTION

# %% [markdown]
# ## 2. Any format's indices
#
# A format is a table: `levels` is a list of `[shift, bits]`, from the root down. Write `split`: return a list of the
# index at every level, from the root down, and then the offset in the smallest page.
#
# For example, x86-64 with four levels splits 0x7f12_3456_7abc into `[254, 72, 418, 359, 0xabc]`.


# %% item="02.split"
def split(va, levels):
    """The indices from the root down, then the offset."""
    ### BEGIN SOLUTION
    indices = [va >> shift & (1 << bits) - 1 for shift, bits in levels]
    return [*indices, va & (1 << levels[-1][0]) - 1]  # nine bits and twelve are x86's numbers, and no law
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The figure has the bits of the first of four pages. Pages whose upper bits agree share tables: how many tables are
# there for your four?

# %%
given = ask("02.count")
first = int(given.where.split(", ")[0].replace("_", ""), 16)
views.address_bits(page_format(FORMATS[given.title]), first)

# %% item="02.count"
given = ask("02.count")
count = None
### BEGIN SOLUTION
vas = [int(words.replace("_", ""), 16) for words in given.where.split(", ")]
levels = {"3 levels": 3, "4 levels": 4, "four levels": 4, "five levels": 5}[given.title.split(", ")[1]]
shifts = [12 + 9 * depth for depth in range(levels)]
# Tempting: four pages, four tables a level. Pages whose bits above agree share the table.
count = 1 + sum(len({va >> shift for va in vas}) for shift in shifts[1:])  # the root, and one for each entry in use
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# A checker of addresses is to let canonical ones pass: bits `bits - 1` to 63 are equal. It lets the last of these
# pass, the first address above x86-64's lower half, and the CPU does not:


# %%
def broken(vas, bits):
    return [va for va in vas if va >> bits in (0, (1 << 64 - bits) - 1)]


print([hex(va) for va in broken([0x7FFF_FFFF_F000, 0xFFFF_8000_0000_0000, 0x8000_0000_0000], 48)])

# %% [markdown]
# Write it as it should be: return those of `vas` that are canonical, in their order.


# %% item="02.canonical"
def canonical(vas, bits):
    """The canonical ones among vas."""
    ### BEGIN SOLUTION
    upper = (1 << 64 - bits + 1) - 1  # one bit more than those above the translated ones: the sign is translated too
    return [va for va in vas if va >> bits - 1 in (0, upper)]
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="02.claim"
given = ask("02.claim")
claim = None
### BEGIN SOLUTION
# Tempting: a walk at every access. The TLB decides; in a round that does not fit, LRU drops each page before its
# next use.
claim = "hits" if given.pages <= given.entries else "walks"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="02.way"
given = ask("02.way")
way = None
### BEGIN SOLUTION
# Tempting: huge pages always, as walks get cheaper. Somebody pays: with memory set aside, or with processes that grow.
gives_up = {"small": "much more than 4 KiB", "hugetlb": "set aside", "always": "do not grow", "madvise": "not changed"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. You choose the page-table format of a small 64-bit CPU, for telephones with 2 to 8
# GiB of RAM that run fifty programs at once. How large are pages, and how many levels are there? What do you give up?
# Two or three sentences; then compare.

# %% text="02.own-format"
own_format = ""
### BEGIN SOLUTION
own_format = (
    "16 KiB and three levels: each walk is three reads, and a TLB entry reaches four times as far, which a "
    "telephone's small TLB needs. I give up 6 KiB more at the end of each mapping, and programs that count on 4 KiB. "
    "Tempting: as many levels as a server has; 8 GiB do not need them, and every walk would pay."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
