# %% [markdown]
# # 12 · Pages that move: exercises
#
# **Purpose.** Read the kernel's words about a page, and know when what you remember of it is wrong.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 12. Its steps keep their names here: *present, marks, frame*.
#
# **After this you can**
#
# - *calculate* a physical address from a word of pagemap, and *write* what words say, with rights and without;
# - *read* from a page's story who said nothing;
# - *repair* a rule about which remembered frame numbers are wrong;
# - *judge* what mlock and pins promise, and *choose* a remedy.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("12.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
from vmlab import views
from vmlab.study.questions.moves_story_exercise import watched

# %% [markdown]
# ## 1. A word with one step open
#
# Step *frame* is open, and what follows it.

# %% item="12.walk"
given = ask("12.walk")
walk = None
### BEGIN SOLUTION
frame = int(given.word, 16) & ((1 << 55) - 1)  # bits 54 to 0; tempting: all below bit 62, but those above 54 are marks
walk = frame << 12 | int(given.va, 16) & 0xFFF  # the byte within the page is not translated
### END SOLUTION

# %% [markdown]
# ## 2. What words say, as a function
#
# Write `places`. For each word return
#
# - `["frame", number]` if the page is in RAM,
# - `["swap", area, slot]` if it is in swap,
# - `["hidden"]` if it is in one of the two and the kernel does not tell where: to a program without CAP_SYS_ADMIN all
#   of the bits 0 to 54 read as zero,
# - `["nothing"]` otherwise.
#
# Bit 63 says present, bit 62 swapped; bits 0 to 54 are the frame, or the area in bits 0 to 4 and the slot above it. For
# example, `places([0x8180_0000_0000_29e0, 0x4000_0000_0000_0021, 0x8100_0000_0000_0000])` is
# `[["frame", 0x29e0], ["swap", 1, 1], ["hidden"]]`.


# %% item="12.places"
def places(words):
    """What each word of pagemap says."""
    ### BEGIN SOLUTION
    found = []
    for word in words:
        number = word & ((1 << 55) - 1)
        if not word >> 62:
            found.append(["nothing"])  # marks may be set all the same
        elif not number:
            found.append(["hidden"])  # tempting: frame 0, which is a frame like any other
        elif word >> 63:
            found.append(["frame", number])
        else:
            found.append(["swap", number & 31, number >> 5])
    return found
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# The figure is one page's story: each column a change, each row a way to hear of it. A bold edge marks the changes that
# make a remembered frame wrong.

# %%
given = ask("12.read")
views.page_story(watched(given.story), f"One page: {given.story}")

# %% item="12.read"
given = ask("12.read")
read = None
### BEGIN SOLUTION
# Each event makes a remembered frame wrong once; reading back from swap does not: there was no frame to remember.
tells = {"soft-dirty": ["copy"], "PAGEMAP_SCAN": ["swap", "unmap"], "userfaultfd": ["unmap"]}[given.way]
read = sum(event not in tells for event in given.story.split(", "))
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# A tool remembers the frames of a program's pages. "Frame numbers only change by swapping or defragmentation", says its
# author, and so it forgets a frame only then:


# %%
def broken(pages, events):
    return sorted({page for what, page in events if what in ("migrate", "swap out")})


print(broken(2, [["fork", 0], ["write", 1]]), "but the program's page 1 has another frame now")

# %% [markdown]
# Write it as it should be. The program has written its pages 0 to `pages` - 1 and the tool has read all their frames.
# Then come `events`, each `[what, page]`:
#
# - `"migrate"`: compaction moves the page, if it is in RAM; `"swap out"`: it goes to swap;
# - `"read"`, `"write"`: the program does that; a page that is in swap comes back, and never to its old frame;
# - `"fork"`: there is a child now, which has all pages (page 0 is written here; there is one child at most);
# - `"child writes"`: the child writes to the page; `"child ends"`: it is gone (page 0 again).
#
# Return the pages, ascending, whose remembered frame is wrong at the end.


# %% item="12.stale"
def stale(pages, events):
    """Pages of the program whose remembered frame is wrong."""
    ### BEGIN SOLUTION
    wrong, shared = set(), set()
    for what, page in events:
        if what in ("migrate", "swap out"):
            wrong.add(page)
        elif what == "fork":
            shared = set(range(pages))
        elif what == "child writes":
            shared.discard(page)  # the child has the copy; the program keeps the frame, and shares it with nobody
        elif what == "child ends":
            shared = set()
        elif what == "write" and page in shared:
            wrong.add(page)  # whoever writes first gets the new frame
    return sorted(wrong)
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes.

# %% item="12.claim"
given = ask("12.claim")
claim = None
### BEGIN SOLUTION
# Three promises: in RAM (mlock), in its frame (a pin), at its address (neither). Tempting: that held is held.
if "unmaps" in given.change:
    claim = "address"
elif "mlock" in given.held and "compacted" in given.change:
    claim = "moved"
else:
    claim = "right"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="12.way"
given = ask("12.way")
way = None
### BEGIN SOLUTION
# Tempting: to read pagemap once more, just before. Between that and the use the page can move.
gives_up = {"again": "never sees", "pin": "still move", "notifier": "no module", "iommu": "stays as it is"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A tool of yours shows which frames a running database uses, once a minute, on machines
# of other people. How does it come by the numbers, and what do you promise to whoever reads them? Two or three
# sentences; then compare.

# %% text="12.own-buffer"
own_buffer = ""
### BEGIN SOLUTION
own_buffer = (
    "It reads pagemap once a minute, with CAP_SYS_ADMIN, and writes the time beside each number. I promise that each "
    "was true when it was read, and nothing about the minute after; nobody may write to memory by it. Tempting: a "
    "second reading to make sure; two equal readings say nothing of what was between them, nor of what comes."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
