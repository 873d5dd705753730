# %% [markdown]
# # 09 · Logical or virtual? Exercises
#
# **Purpose.** Follow addresses to RAM and back, in numbers and in code, and find what is wrong with a public answer.
#
# **Time.** About 45 minutes.
#
# **Before.** Lesson 09. Its steps keep their names here: *area, offset, physical, frame, struct page*.
#
# **After this you can**
#
# - *calculate* the page that a struct page describes, on a kernel with KASLR;
# - *write* what leads from any address to RAM, where a constant does;
# - *read* from a figure where a byte of the kernel's image has its second address;
# - *repair* a loop over "all RAM", *judge* whether a pointer is fit for a device, and *choose* a test.
#
# Each answer goes into a name: a variable, or a function. Run its cell, then the cell below it, which checks the
# answer at once and says what it did not check. Nothing is counted and nothing is timed. Stuck? A hint's first rung
# is a question, its last a worked twin: `hint("09.walk")`.

# %%
from vmlab.study import ask, check, hint, i_am

i_am("")  # in a course: your id, as in i_am("ada"); alone: leave it empty

# %%
import vmlab as vm
from vmlab import views
from vmlab.study.questions.layout_exercise import RAM
from vmlab.virtual.layout import layout_of

# %% [markdown]
# ## 1. The way back, with one step open
#
# From a struct page to the page that it describes. Step *frame* is open, and what follows it.

# %% item="09.walk"
given = ask("09.walk")
walk = None
### BEGIN SOLUTION
frame = (given.page - given.vmemmap) // given.size  # the array has one entry a frame, from frame 0 on
walk = given.base + frame * 4096  # not page + a constant: the struct page is not in the page that it describes
### END SOLUTION

# %% [markdown]
# ## 2. Where addresses lead, as a function
#
# Write `leads_to` for a 64-bit PC with KASLR. Its arguments are plain numbers:
#
# - `addresses`: kernel addresses of any kind.
# - `page_offset`: the direct map's first address, where physical 0 is.
# - `banks`: the RAM, each `[first byte, bytes]`. The direct map shows these bytes and no others.
# - `image`: the kernel image, `[first address, bytes, physical address of its first byte]`.
#
# Return a list: for each address the physical address that a constant offset gives, or `None` where there is none, or
# no RAM. For example, with a direct map from 0xffff_8a00_0000_0000, one bank `[0, 0x2000_0000]` and an image
# `[0xffff_ffff_9a00_0000, 0x200_0000, 0x100_0000]`, the addresses 0xffff_8a00_0123_4567, 0xffff_ffff_9a00_0010 and
# 0xffff_8a00_2000_0000 lead to `[0x123_4567, 0x100_0010, None]`.


# %% item="09.leads_to"
def leads_to(addresses, page_offset, banks, image):
    """The physical address of each, or None."""
    ### BEGIN SOLUTION
    first, size, physical = image
    found = []
    for va in addresses:
        pa = va - page_offset
        if any(start <= pa < start + length for start, length in banks):  # a hole is in the range, and yet nothing
            found.append(pa)
        elif first <= va < first + size:
            found.append(va - first + physical)  # not in the direct map, but boot mapped it with one constant, too
        else:
            found.append(None)  # vmalloc, vmemmap, ...: the page tables know
    return found
    ### END SOLUTION


# %% [markdown]
# ## 3. Read a figure
#
# Below the third bar the figure says where in RAM the byte is; the line goes on, but cover it and work it out.

# %%
given = ask("09.read")
drew = {"page_offset": given.base, "vmalloc_base": given.vmalloc, "vmemmap_base": given.vmemmap, "image_va": given.text}
pc = layout_of(vm.Machine(arch="amd64", ram=RAM, config=vm.Config(kaslr=True)), drew)
views.address_ruler(pc, given.text, "_text, the first function of the kernel")

# %% item="09.read"
given = ask("09.read")
read = None
### BEGIN SOLUTION
physical = 0x100_0000  # from the figure; tempting: text - base, as if the image lay in the direct map only
read = given.text - (given.base + physical)
### END SOLUTION

# %% [markdown]
# ## 4. Find the bug
#
# The lesson's question had this answer: "if the kernel needed to iterate through all bytes in physical memory, it could
# just iterate through addresses 0+offset to total_bytes_of_RAM + offset". Here it is for a 32-bit board with two banks
# of 256 MiB and lowmem up to 0x7000_0000:


# %%
def broken(banks, page_offset, limit):
    total = sum(size for _, size in banks)
    return [[page_offset, page_offset + total]]


((start, end),) = broken([[0x4000_0000, 0x1000_0000], [0x6800_0000, 0x1000_0000]], 0xC000_0000, 0x7000_0000)
print(f"{start:#x} to {end:#x}: the board crashed at 0xd0000000, and never came to its second bank")

# %% [markdown]
# Write it as it should be. `banks` are `[first byte, bytes]` of RAM, in order, with holes between them. The first byte
# of the first bank is at `page_offset`. `limit` is the physical address where lowmem ends. Return the logical
# addresses as ranges `[first, end)`, in order, one for each bank that has any; `end` is the address *after* the last
# one.


# %% item="09.ranges"
def ranges(banks, page_offset, limit):
    """The logical addresses of each bank."""
    ### BEGIN SOLUTION
    offset = page_offset - banks[0][0]  # one constant for all banks: a hole in RAM is a hole in the addresses
    found = []
    for start, size in banks:
        end = min(start + size, limit)  # HighMem has no logical address
        if start < end:
            found.append([start + offset, end + offset])
    return found
    ### END SOLUTION


# %% [markdown]
# ## 5. Judge a claim
#
# Set `claim` to one of the words in quotes, as in `claim = "right"`.

# %% item="09.claim"
given = ask("09.claim")
claim = None
### BEGIN SOLUTION
# Tempting: kernel memory is kernel memory. Who gave the pointer decides in which area it lies; __pa never asks.
flat = "flat" in given.where
if any(word in given.pointer for word in ("vmalloc", "stack", "registers", "kmap")):
    claim = "pages"
elif "struct page" in given.pointer:
    claim = "right" if flat else "pages"  # one flat array is in lowmem; a vmemmap has page tables of its own
elif "itself" in given.pointer:
    claim = "right" if flat else "image"  # on 32 bits the image lies in the direct map itself
else:
    claim = "right"
### END SOLUTION

# %% [markdown]
# ## 6. Choose a way
#
# Set `way` to one of the words in quotes.

# %% item="09.way"
given = ask("09.way")
way = None
### BEGIN SOLUTION
# Tempting: to try it and catch the fault. A read of a device's register can do something, and does not fault.
gives_up = {"ranges": "next boot", "valid": "hole between", "walk": "few instructions", "try": "never reads"}
(way,) = [key for key, wish in gives_up.items() if wish not in given.wishes]  # the wish that nobody has
### END SOLUTION

# %% [markdown]
# ## 7. Choose, and say why
#
# No program can judge this one. A user sends you one line of a log, from a kernel that you do not know: "BUG: unable to
# handle page fault for address: ffffea0003a1c048". What do you say about the address, what do you ask for, and what do
# you give up by answering now? Two or three sentences; then compare.

# %% text="09.own-oops"
own_oops = ""
### BEGIN SOLUTION
own_oops = (
    "On x86-64 without KASLR it would be a struct page, of frame 0xe8701 and its byte 8, so somebody may have used the "
    "struct page of a frame in a hole. With KASLR the number says nothing, so I ask for the whole oops and the command "
    "line first. By answering now I would give up being right on most distributions' kernels."
)
### END SOLUTION

# %% [markdown]
# ## What was checked
#
# The cells above compare with the model on cases drawn from a seed that anybody can see. In a course, a grader
# draws others. How you found an answer, and what you wrote in words, no program has judged.
