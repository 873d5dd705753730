"""The explorers of lesson 07: the layout of a slab, objects coming and going, and vmalloc space."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..kernel import Kernel, boot
from ..machine import Machine
from ..parts import Region
from ..physical.slab import KmemCache
from ..physical.slab_size import (
    CpuRules,
    SlabFlag,
    calculate_alignment,
    calculate_order,
    calculate_sizes,
    order_objects,
)
from ..record import load_machine
from ..study.questions.slab_steps import order_steps
from ..units import GiB, KiB, VmlabError, group_hex
from ..views.slab import slab_layout, slab_lists, where_slabs_are
from ..views.vmalloc import vmalloc_ruler, zone_of
from .actions import Actions, check_letters
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene

FLAGS = {
    "none": SlabFlag.NONE,
    "SLAB_HWCACHE_ALIGN": SlabFlag.HWCACHE_ALIGN,
    "SLAB_TYPESAFE_BY_RCU": SlabFlag.TYPESAFE_BY_RCU,
}
WORDS = {"64-bit (word of 8 bytes)": 8, "32-bit (word of 4 bytes)": 4}
ORDER_CONTROLS: tuple[Control, ...] = (
    Slider("size", "Object size, bytes", 8, 10000, 8, 672),
    Choice("flags", "Cache's flags", FLAGS, SlabFlag.NONE),
    Slider("cpus", "CPUs", 1, 64, 1, 4),
    Choice("word", "Kernel", WORDS, 4),
)
OBJECT_ACTIONS = {
    "a": "Allocate on CPU 0",
    "b": "Allocate on CPU 1",
    "o": "Free the oldest",
    "n": "Free the newest",
    "d": "Free the last freed again",
}
VMALLOC_ACTIONS = {
    "s": "vmalloc 8 KiB",
    "l": "vmalloc 40 KiB",
    "o": "vfree the oldest",
    "n": "vfree the newest",
    "p": "Flush the TLBs",
}
VMALLOC_BYTES = {"s": 8 * KiB, "l": 40 * KiB}


def order_explorer() -> Explorer:
    """From an object's size to its slab: alignment, order, how many, and what is left over."""
    return Explorer(draw_order, ORDER_CONTROLS)


def draw_order(size: int, flags: SlabFlag, cpus: int, word: int) -> Scene:
    """Lay one slab out, and tell the steps."""
    rules = CpuRules(word=word, present_cpus=cpus, possible_cpus=cpus)
    sizes = calculate_sizes(size, calculate_alignment(flags, 0, size, rules), flags, word=word)
    order = calculate_order(sizes.size, cpus)
    steps = order_steps(size, rules, flags).steps
    slab = 4096 << order
    waste = slab - order_objects(order, sizes.size) * size
    said = (*(f"{s.name}: {s.what}: {s.how} → {s.gives}" for s in steps),)
    lost = f"Of {slab:,} bytes, {waste:,} ({waste / slab:.1%}) serve no owner: rounding and what is left over."
    return Scene(slab_layout(sizes, order, f"A slab for objects of {size:,} bytes", word), (*said, lost))


def objects_explorer() -> Explorer:
    """task_structs come and go on two CPUs: the lists of their cache, step by step."""
    return Explorer(draw_objects, (Actions("done", "Done so far", OBJECT_ACTIONS, "aaaa"),))


@dataclass
class History:
    """Objects in the order of their allocation, and what was said last."""

    cache: KmemCache
    live: list[int] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    freed: int = 0
    mark: int = 0
    said: str = "Nothing was done yet. Press a button, or type its letter."

    def act(self, letter: str) -> None:
        """Do one action, by its letter."""
        if letter in "ab":
            self.alloc("ab".index(letter))
        elif letter == "d":
            if not self.freed:
                raise VmlabError("Nothing was freed yet: free an object first, then free it again")
            self.cache.free(self.freed)
        elif self.live:
            self.free(0 if letter == "o" else -1)
        else:
            raise VmlabError("No object is in use: allocate one first")

    def alloc(self, cpu: int) -> None:
        """One object for the next owner."""
        before = len(self.cache.slabs)
        va = self.cache.alloc(cpu=cpu)
        if not isinstance(va, int):
            raise VmlabError(f"no slab could be had: {va.tell()}")
        self.names[va] = _owner(self.names)
        self.live.append(va)
        self.mark = va
        new = "A new slab was needed. " if len(self.cache.slabs) > before else ""
        same = " It is the object that was freed last." if va == self.freed else ""
        self.said = f"{new}CPU {cpu} got the object at {group_hex(va)} for owner {self.names[va]}.{same}"

    def free(self, which: int) -> None:
        """Give the oldest or the newest object back, on CPU 0."""
        va = self.live.pop(which)
        owner, self.freed, self.mark = self.names[va], va, va
        self.cache.free(va)
        where = next((w for w, slab in where_slabs_are(self.cache) if slab.object_at(va) is not None), "")
        now = f"its slab is now: {where}" if where else "its slab was empty, and went back to the page allocator"
        self.said = f"Owner {owner} gave {group_hex(va)} back on CPU 0; {now}."


def _owner(names: dict[int, str]) -> str:
    """A name for the next owner: A to Z, then A1 to Z1, and so on."""
    number = 1 + max((ord(name[0]) - ord("A") + 26 * int(name[1:] or 0) for name in names.values()), default=-1)
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


def draw_objects(done: str) -> Scene:
    """Do it all again from a fresh cache, and draw what stands where."""
    check_letters(done, OBJECT_ACTIONS)
    machine = Machine(arch="arm", ram=(Region(0x4000_0000, GiB),), cpus=2)
    history = History(boot(machine).slab["task_struct"])
    for letter in done:
        history.act(letter)
    title = f"task_struct's slabs after {len(done)} actions"
    return Scene(slab_lists(history.cache, title, history.names, history.mark), (history.said,))


def vmalloc_explorer() -> Explorer:
    """Areas come and go in vmalloc space: lowest first, guard pages, and addresses that wait for a flush."""
    return Explorer(draw_vmalloc, (Actions("done", "Done so far", VMALLOC_ACTIONS, "sls"),))


def draw_vmalloc(done: str) -> Scene:
    """Do it all again on a fresh kernel whose free frames are scattered."""
    check_letters(done, VMALLOC_ACTIONS)
    kernel = scattered()
    live: list[int] = []
    names: dict[int, str] = {}
    said = "Nothing was done yet. Press a button, or type its letter."
    for letter in done:
        said = _vmalloc_step(kernel, letter, live, names)
    return Scene(vmalloc_ruler(kernel, f"vmalloc space after {len(done)} actions", names), (said,))


def _vmalloc_step(kernel: Kernel, letter: str, live: list[int], names: dict[int, str]) -> str:
    if letter == "p":
        kernel.vmap_areas.purge()
        return "Every CPU's TLB forgot the freed addresses: they may be used again."
    if letter in VMALLOC_BYTES:
        va = kernel.vmalloc(VMALLOC_BYTES[letter])
        if not isinstance(va, int):
            raise VmlabError(va.tell())
        live.append(va)
        names[va] = _owner(names)
        pfn = kernel.vmalloc_to_pfn(va)
        return f"{names[va]} got {group_hex(va)}; its first frame is {pfn:#x}, of zone {zone_of(kernel, pfn)}."
    if not live:
        raise VmlabError("No area is allocated: vmalloc first")
    va = live.pop(0 if letter == "o" else -1)
    kernel.vfree(va)
    return f"{group_hex(va)} was given back: its frames are free at once, its addresses wait for a flush."


def scattered(name: str = "arm-virt-armmp-1g") -> Kernel:
    """A recorded board on which every other one of the next 256 HighMem frames is in use."""
    kernel = boot(load_machine(name))
    pages = [kernel.alloc_pages(0, "GFP_HIGHUSER") for _ in range(256)]
    for page in pages[::2]:
        kernel.free_pages(page)
    return kernel
