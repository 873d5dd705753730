# %% [markdown]
# # 13 · Boot a real kernel: exercises
#
# **Purpose.** Read what a kernel says of its memory, and know which of its numbers you could have told before.
#
# **Time.** About 45 minutes. Nothing is booted here: the kernels' words come with the package.
#
# **Before.** Lesson 13. Lessons 04 and 05: the counts of a zone, its marks, mem_map.
#
# **After this you can**
#
# - *calculate* mem_map's frames from a list of RAM, and *repair* a reader of that list;
# - *read* from a figure by how much a prediction missed;
# - *write* a test that finds the number in a report that cannot be true;
# - *judge* what a prediction may be told, and *choose* how to find out.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("13.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.study.questions.live_exercise import told_by

# %% [markdown]
# ## 1. From iomem to mem_map, with one step open
#
# `/proc/iomem` lists physical addresses, the last byte of each range included; indented lines lie inside the range
# above them. Step *span* is open, and what follows it.

# %% item="13.walk"
given = ask("13.walk")
walk = None
### BEGIN SOLUTION
ram = [line.split(" : ")[0] for line in given.report.splitlines() if line.endswith("System RAM")]
first, end = int(ram[0].split("-")[0], 16) >> 12, (int(ram[-1].split("-")[1], 16) + 1) >> 12
# Tempting: count only the frames that are RAM. But one array is indexed by frame number, so the hole has entries too.
walk = -(-(end - first) * given.size // 4096)
### END SOLUTION

# %% [markdown]
# ## 2. Find the bug
#
# A script reads which frames are RAM. On a board of 1 GiB it misses one, and run without root it says that
# there is none at all:


# %%
def broken(text):
    found = []
    for line in text.splitlines():
        addresses, _, name = line.strip().partition(" : ")
        first, last = (int(number, 16) // 4096 for number in addresses.split("-"))
        if name == "System RAM" and first < last:
            found.append([first, last])
    return found


board = "40000000-7fffffff : System RAM\n  40208000-411fffff : Kernel code"
print([[hex(pfn) for pfn in pair] for pair in broken(board)])
print(broken("00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code"))

# %% [markdown]
# Write it as it should be. Return, for each line `System RAM` at the margin, `[first, end]` in frames: whole frames
# only, and `end` is the first frame *after* them; a range without a whole frame is left out. Return `None` where the
# kernel does not tell: to a program without CAP_SYS_ADMIN it prints every address as zero.
#
# For example, `ram_of("00001000-0009fbff : System RAM")` is `[[1, 0x9f]]`.


# %% item="13.ram_of"
def ram_of(text):
    """The frames that are RAM: [first, end) of each range, or None."""
    ### BEGIN SOLUTION
    found, hidden = [], True
    for line in text.splitlines():
        addresses, _, name = line.partition(" : ")
        start, last = (int(number, 16) for number in addresses.split("-"))
        hidden = hidden and last == 0
        first, end = -(-start // 4096), (last + 1) // 4096  # the last byte is inside: tempting to take it for the end
        if name == "System RAM" and not line.startswith(" ") and first < end:
            found.append([first, end])
    return None if hidden else found  # "nothing" would be a claim; zeros are a refusal to say
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The prediction was made from the RAM and the command line, before the boot. Crossed squares are values that the kernel
# has otherwise; the words beside them, and the table, tell by how much.

# %%
given = ask("13.read")
views.verdicts(told_by(given.record), f"{given.record}: predicted before, said by the kernel")

# %% item="13.read"
given = ask("13.read")
read = None
### BEGIN SOLUTION
# The crossed rows of managed. Tempting: to add up all that is crossed; but marks are limits, no pages that anybody has.
managed = {
    "amd64-pc-4g": [-7219, -1391],
    "amd64-pc-4g-la57": [-7219, -1896],
    "amd64-pc-numa-1g-4g": [-7285, 210],
    "arm64-virt-numa-2x1g": [1314, -2055],
    "arm-virt-armmp-512m-movable128m": [256, 88],
}
read = sum(managed[given.record])
### END SOLUTION

# %% [markdown]
# ## 4. Which number cannot be true?
#
# Reports go through many hands: typed off a screen, cut, mixed with those of another boot. Write `odd_one`. It gets
# what a kernel said of one zone:
#
# - `ram`: the ranges `[first, end)` of the zone's frames that are RAM, ascending. They are right.
# - `spanned`, `present`, `managed`, `free`, `min`, `low`, `high`: as in `/proc/zoneinfo`, in pages.
# - `blocks`: its line of `/proc/buddyinfo`: how many free blocks of order 0, of order 1, and so on.
#
# At most one thing is wrong. Return its name: `"present"`, `"spanned"`, `"managed"`, `"free"` (with `blocks`) or
# `"marks"` (the three marks among themselves), or `None` if nothing contradicts the rest. What merely *differs* is no
# contradiction: a zone may span frames that are no RAM, and may even begin before its RAM or end after it.


# %% item="13.odd_one"
def odd_one(zone):
    """The name of what contradicts the rest, or None."""
    ### BEGIN SOLUTION
    ram = zone["ram"]
    if zone["present"] != sum(end - first for first, end in ram):
        return "present"
    if zone["spanned"] < ram[-1][1] - ram[0][0]:  # at least that; tempting: exactly present, as if there were no holes
        return "spanned"
    if zone["managed"] > zone["present"]:  # fewer is what boot kept
        return "managed"
    if zone["free"] != sum(count << order for order, count in enumerate(zone["blocks"])):
        return "free"
    if zone["low"] - zone["min"] != zone["high"] - zone["low"]:  # equal steps; low = min * 5 / 4 fails for HighMem
        return "marks"
    return None
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="13.claim"
given = ask("13.claim")
claim = None
### BEGIN SOLUTION
# First: was it told the answer in other words? Then: does the value follow from what it was told? Tempting: to stop at
# "every digit is right"; a copied answer and a lucky guess are right, too.
knows_requests = "boot asked" in given.inputs
if "; also" in given.inputs:
    claim = "circular"
elif given.compared == "where the direct map begins":
    claim = "luck"  # drawn at random: it follows from nothing
else:
    claim = "right" if knows_requests or given.compared == "the first frame of HighMem" else "luck"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="13.way"
given = ask("13.way")
way = None
### BEGIN SOLUTION
# Tempting: the way that sounds most real. Each of the four gives up one thing; take the one that nobody asked for.
gives_up = {"model": "own words", "qemu": "firmware keeps", "customer": "customers use", "buy": "within the hour"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A customer sends `zoneinfo` and `iomem` of a board. Your prediction has all borders
# right, and 5,120 managed pages too many. What do you ask for next, and what would it tell you? Two or three sentences;
# then compare.

# %% text="13.reported"
reported = ""
### BEGIN SOLUTION
reported = (
    "The command line and the boot log with memblock=debug: 5,120 pages are 20 MiB, and the log names who reserved "
    "them. Borders that are right say that RAM and split are known, so something was reserved; if no boot call has "
    "them, I ask for the device tree's reserved memory. Tempting is to tune the model until it fits: then it predicts "
    "nothing."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model, and with recorded kernels, on cases drawn from a seed that anybody can see.
# In a course, a grader draws others. How you found an answer, and what you wrote under 7, no program has judged.
