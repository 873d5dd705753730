# %% [markdown]
# # 00 · Start here
#
# **Purpose.** See what a kernel does with memory while it boots, answer one question, and choose your first lesson.
#
# **Time.** About 2 minutes.
#
# **Before.** Nothing.
#
# **After this you can**
#
# - *run* a cell, and move a control by keyboard;
# - *commit* a prediction, and read what a wrong one tells you;
# - *use* the hints without being told the answer;
# - *choose* the lesson to go on with.
#
# Press Shift-Enter to run a cell and go on to the next one. *Run → Run All Cells* runs them all.

# %%
from vmlab import explore
from vmlab.study import practise, predict, reveal
from vmlab.study.questions import start

# %% [markdown]
# ## 1. Predict first
#
# Every result in these lessons waits for your prediction. A wrong one is no harm: you are told which belief leads to
# it. Choose, then press Commit. (Tab moves from control to control, the arrow keys choose, Space presses.)
#
# Answers come from *the model*: a program that does with memory what a booting Linux kernel does.

# %%
predict(start.FRAMES)

# %%
reveal(start.FRAMES, lambda: explore.first_picture(start.BOARD))

# %% [markdown]
# All records together are one array, called **`mem_map`**: find it in the picture, whose lower half magnifies the place
# where it lies. You need not know the other words yet: zones, lowmem and CMA come in lesson 04, and lesson 05
# finds `mem_map` on any machine.
#
# ## 2. Change something
#
# Each move boots the model of a kernel anew. Guess first: what share of the RAM do the records take on a board of
# half the size?

# %%
explore.first_explorer()

# %% [markdown]
# Is the model right? 82 machines were booted with real kernels and recorded, and its numbers are compared with theirs.
# What it leaves out: no program runs in it, and no time passes. Each lesson has a list of what it leaves out.
#
# Below every picture is a sentence that says what it shows, and a table of the same data.
#
# ## 3. Practise, with hints
#
# An answer is checked at once and can be changed. Hints come in three steps: a question, the step that matters, and
# the same problem with other numbers, worked out. *Another variant* gives you new numbers.

# %%
practise(start.BYTES)

# %% [markdown]
# ## 4. What next?
#
# An arrow leads from a lesson to those that build on it. Your answers are kept between lessons, in one small file on
# this machine; nothing is sent anywhere. Run this cell again later to see how far you are.

# %%
explore.your_lessons()

# %% [markdown]
# Open a lesson in the list at the left. No arrow leads to 01 and 04: begin with one of them. To delete all your
# answers and begin anew: `from vmlab.study import forget`, then `forget()`.
#
# If something does not work, run `vmlab doctor` in a terminal: it says what is missing on this machine, and what that
# costs you. The words used are explained in `docs/GLOSSARY.md`.
#
# ## Sources
#
# | claim | source |
# |---|---|
# | a struct page for every frame: `alloc_node_mem_map` | Linux 6.1, mm/page_alloc.c |
# | 36 bytes a struct page on a board of 1 GiB | record arm-virt-armmp-1g |
