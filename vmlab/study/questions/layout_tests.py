"""Questions of lesson 09 about the kernel's own tests: what they say, what that proves, and the scenario."""

from __future__ import annotations

import functools

from ...virtual.pointer_tests import verdicts
from ..question import Misconception, Question, always
from ..weigh import Scenario
from .layout import ARM64, BOARD, OLD_PC, PC, booted, page_of
from .slab import fixed


def _valid(name: str, va: int) -> str:
    return "yes" if verdicts(booted(name).layout, va).virt_addr_valid else "no"


VMEMMAP_VALID = Question(
    id="09.vmemmap_valid",
    ask="You ask the kernel itself, on the 64-bit PC: virt_addr_valid(p), where p points to a struct page. What does "
    "it say?",
    facts=fixed({}),
    choices=lambda: {
        "yes": "true: there is memory behind p",
        "no": "false: p is not in the direct map, nor in the image",
        "fault": "nothing: it reads p and faults",
    },
    answer=lambda: _valid(PC, page_of(PC)),
    misconceptions=(
        Misconception(
            "valid means that it can be read",
            always("yes"),
            "Which arithmetic is done with p before the frame is known?",
        ),
        Misconception("the test tries the access", always("fault"), "What does it compute, and does it read?"),
    ),
    because="p can be read all the same: valid means valid for __pa and virt_to_page, no more.",
)


@functools.cache
def image_on_arm64() -> str:
    """What virt_addr_valid says of the image on the recorded arm64 kernel."""
    layout = booted(ARM64).layout
    return _valid(ARM64, layout.area("kernel image").mapped[0][0])


IMAGE_ARM64 = Question(
    id="09.image_arm64",
    ask="On the 64-bit PC virt_addr_valid(&init_task) is true. The same line of C on arm64?",
    facts=fixed({}),
    choices=lambda: {
        "yes": "true too: the kernel's own variables are always valid",
        "no": "false: there it asks for the direct map only",
        "build": "it does not compile: the function is x86's",
    },
    answer=lambda: image_on_arm64(),
    misconceptions=(
        Misconception(
            "what holds on x86-64 holds everywhere", always("yes"), "Who writes virt_addr_valid: mm/, or arch/?"
        ),
        Misconception("each architecture has other names", always("build"), "Which code calls it, in mm/usercopy.c?"),
    ),
    because="arch/arm64 tests __is_lm_address; use __pa_symbol and lm_alias for the kernel's own symbols.",
)


@functools.cache
def window_valid() -> str:
    """What virt_addr_valid says of kmap's first slot on the recorded 686 kernel with 1 GiB."""
    return _valid(OLD_PC, booted(OLD_PC).layout.area("pkmap").start)


WINDOW = Question(
    id="09.window",
    ask="A 32-bit PC with 1 GiB. kmap of a HighMem page returned 0xfec0_0000, which is not 1:1 mapped. What does "
    "virt_addr_valid say of it?",
    facts=fixed({}),
    choices=lambda: {
        "no": "false: it knows the direct map from the windows",
        "yes": "true, wrongly: less 0xc000_0000 that is a frame number which exists",
        "highmem": "true, rightly: the page is real memory, in HighMem",
    },
    answer=lambda: window_valid(),
    misconceptions=(
        Misconception(
            "virt_addr_valid proves that an address is logical",
            always("no"),
            "Which ranges above PAGE_OFFSET does __virt_addr_valid exclude?",
        ),
        Misconception(
            "the frame it has in mind is the one that kmap mapped",
            always("highmem"),
            "How would arithmetic know what the window shows today?",
        ),
    ),
    because="0xfec0_0000 − 0xc000_0000 = 0x3ec0_0000, below 1 GiB: frame 0x3ec00 has a struct page, of another page.",
)


@functools.cache
def after_swap() -> str:
    """Whether the frame of a user's page has its direct-map address in the kernel's tables, beside the user's own."""
    kernel = booted(PC)
    recorded = kernel.machine.recorded
    assert recorded is not None
    user = recorded.address_space("p0").walk(0x40_0000)
    assert user.pa is not None
    return "stays" if recorded.kernel_space().walk(kernel.phys_to_virt(user.pa)).pa == user.pa else "goes"


SWAPPED = Question(
    id="09.swapped",
    ask="A process's page at 0x400000 is swapped out. What becomes of its frame's address in the direct map?",
    facts=fixed({}),
    choices=lambda: {
        "goes": "it is taken away with the page: the next access faults",
        "never": "there was none: user pages are not in the direct map",
        "stays": "nothing: the frame stays mapped there, with other content later",
    },
    answer=lambda: after_swap(),
    misconceptions=(
        Misconception(
            "swapping a page out unmaps its frame everywhere",
            always("goes"),
            "Whose page-table entry holds the swap slot afterwards?",
        ),
        Misconception("the direct map is for kernel data", always("never"), "What does the direct map map?"),
    ),
    because="swap changes the process's entry. The direct map belongs to the frame, whoever uses it.",
)


@functools.cache
def stack_area(name: str) -> str:
    """Area of a task's kernel stack on a recorded machine."""
    from ...virtual.worked import worked

    kernel = booted(name)
    va = next(each.va for each in worked(kernel) if each.name == "stack")
    return "direct" if kernel.layout.classify(va).logical else "vmalloc"


STACK = Question(
    id="09.stack",
    ask="A function of a driver has a local array, buf, and wants a device to write there. On the ARM board, and on "
    "64-bit kernels: is the address of buf 1:1 mapped?",
    facts=fixed({}),
    choices=lambda: {
        "direct": "yes: stacks are kernel data, as kmalloc's objects are",
        "vmalloc": "no: kernel stacks are areas of vmalloc space there",
        "user": "no: the stack belongs to the process, below the kernel's addresses",
    },
    answer=lambda: stack_area(BOARD),
    misconceptions=(
        Misconception(
            "kernel data is always in the direct map",
            always("direct"),
            "What should lie below a stack, to catch overflow?",
        ),
        Misconception(
            "a system call runs on the process's own stack", always("user"), "Would the kernel trust that memory?"
        ),
    ),
    because="with CONFIG_VMAP_STACK a guard page below the stack catches overflows. So a driver must not use its stack "
    "for DMA: there is no constant that leads to the frames.",
)

POINTER = Scenario(
    id="09.pointer",
    ask="You write a debugging module: it gets a pointer of unknown origin and prints what it points to, if anything, "
    "with frame and struct page. It must run on 32-bit and 64-bit kernels, and must never crash. How do you decide?",
    ways=(
        (
            "compare with 0xffff_8880_0000_0000",
            "two instructions",
            "wrong on each machine with KASLR, on 5-level tables, before 4.20, and on every other architecture",
        ),
        (
            "virt_addr_valid first",
            "written by each architecture for this; guards __pa and virt_to_page",
            "true for some holes and, on x86-32, for kmap's windows; false for the image on arm64; says nothing of "
            "vmalloc",
        ),
        (
            "the order of check_heap_object: kmap, vmalloc, then virt_addr_valid",
            "catches the windows before the arithmetic misleads; what hardened usercopy does",
            "still ranges: a hole, or memory taken out of the direct map, passes",
        ),
        (
            "walk the page tables: init_mm, or vmalloc_to_page for vmalloc",
            "the truth, for every kind",
            "slow; entries may change meanwhile; large entries to take care of",
        ),
        (
            "copy_from_kernel_nofault for the content",
            "never crashes, whatever the pointer",
            "says whether it can be read now, not what it is",
        ),
    ),
)
