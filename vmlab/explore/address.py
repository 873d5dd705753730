"""The explorers of lesson 09: an address on a kernel's ruler, and the same address under every kernel."""

from __future__ import annotations

import functools
import random

from ..arch.space import DIRECT_MAP, IMAGE
from ..study.question import number
from ..units import MiB, VmlabError, group_hex
from ..views.address_ruler import address_ruler, answers
from ..views.side_by_side import side_by_side
from ..virtual.layout import Layout
from ..virtual.pointer_tests import verdicts
from ..virtual.side_by_side import KERNELS, known_layout, rerolled
from .controls import Choice, Control, Entry, Slider
from .explorer import Explorer, Scene

TYPED = "the address typed below"
ROLLED = "x86-64, 4 levels, KASLR"
INTO = 0x123_4568  # bytes into an area: as a kmalloc'ed object might lie there
START = "x86-64, 4 levels, nokaslr"
EXAMPLES = {
    TYPED: "",
    "kmalloc: in the direct map": DIRECT_MAP,
    "vmalloc": "vmalloc",
    "struct page of that kmalloc": "page",
    "kernel text": IMAGE,
    "a module": "modules",
    "a fixmap slot": "fixmap",
    "kmap's window (32 bits)": "pkmap",
    "just behind the direct map": "behind",
    "a user pointer": "user",
}

CONTROLS: tuple[Control, ...] = (
    Choice("kernel", "Kernel", {name: name for name in KERNELS}, START),
    Choice("example", "Address of", EXAMPLES, ""),
    Slider("roll", "KASLR: which boot", 0, 30, 1, 0),
    Entry("typed", "Or type an address", "0xffff888012345678"),
)


def address_explorer() -> Explorer:
    """A kernel, an address: its area, its frame, what the kernel's tests say. KASLR is rolled again with each boot."""
    return Explorer(draw_address, CONTROLS)


def draw_address(kernel: str, example: str, roll: int, typed: str) -> Scene:
    """The ruler with the address on it; `roll` moves only the kernel that has KASLR."""
    layout = layout_for(kernel, roll)
    va = typed_address(typed) if not example else example_address(layout, example)
    said = verdicts(layout, va)
    why = [f"{name} {reason}." for name, _, reason in answers(said) if reason]
    moved = f", boot {roll}" if kernel == ROLLED else ""
    if roll and kernel != ROLLED:
        why.append(f"The boot's number moves {ROLLED} only: this kernel is where it always is.")
    return Scene(address_ruler(layout, va, f"{kernel}{moved}"), tuple(why) or ("No test misleads here.",))


@functools.lru_cache(maxsize=64)
def layout_for(kernel: str, roll: int) -> Layout:
    """The layout of a kernel; of the one with KASLR, at its boot number `roll`."""
    if kernel != ROLLED:
        return known_layout(kernel)
    rng = random.Random(f"boot {roll}")
    return rerolled([rng.getrandbits(64) for _ in range(4)])


def typed_address(text: str) -> int:
    """An address as people write it; 16 or 8 hexadecimal digits need no 0x, as kernel messages print them."""
    plain = text.strip().replace("_", "")
    if len(plain) in (8, 16) and not plain.startswith("0x") and all(c in "0123456789abcdefABCDEF" for c in plain):
        return int(plain, 16)
    try:
        return number(text)
    except VmlabError:
        raise VmlabError(f"address: expected one such as 0xffff888012345678, got {text!r}") from None


def example_address(layout: Layout, example: str) -> int:
    """An address of each kind under one kernel; refuses a kind that the kernel has not."""
    direct = layout.area(DIRECT_MAP)
    inside = min(low for low, high in direct.mapped if high - low > 16 * MiB) + INTO
    if example == "user":
        return 0x40_0000
    if example == "behind":
        return direct.end
    if example == "page":
        page = verdicts(layout, inside).page
        if page is None:
            raise VmlabError("struct page: on this kernel the array's place is known only after boot; choose another")
        return page
    there = {area.name: area for area in layout.areas}
    if example == IMAGE and IMAGE not in there:
        return inside
    if example not in there:
        names = ", ".join(there)
        raise VmlabError(f"this kernel has no area called {example}: its areas are {names}; choose another example")
    area = there[example]
    return {DIRECT_MAP: inside, IMAGE: (area.mapped or ((area.start, 0),))[0][0]}.get(example, area.start)


def kernels_explorer() -> Explorer:
    """One address, typed, under every kernel that is known here."""
    return Explorer(draw_kernels, (Entry("typed", "Address", "0xffff888012345678"),))


def draw_kernels(typed: str) -> Scene:
    """The address on every kernel's ruler."""
    va = typed_address(typed)
    if not 0 <= va < 1 << 64:
        raise VmlabError(f"address: expected 0 <= address < 2**64, got {va:#x}")
    drawing = side_by_side(va, {name: known_layout(name) for name in KERNELS})
    return Scene(drawing, (f"{group_hex(va)}: nothing in the number says which kernel it belongs to.",))
