"""The layout of the kernel's addresses, compared with what a real kernel had.

Constants are predicted. What KASLR drew nobody can predict: for classifying addresses of such a kernel the recorded
bases are given to the model as inputs (`with_recorded_bases`), and apart from that the rule that made them is checked:
from the random words that would lead there it must arrive at the same bases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import arch
from ..arch.space import DIRECT_MAP, IMAGE
from ..kernel import Kernel
from ..machine import Machine
from ..record import Recorded
from ..record.tables import tables_path
from ..units import PAGE_SHIFT, MiB, align_down
from ..virtual.layout import Layout, kernel_layout
from ..virtual.layout_truth import NOT_MAPPED, differences, there_and_back
from ..virtual.pointer_tests import verdicts
from .compared import Compared, Rows

KASLR = "KASLR drew it at random while booting"
NO_TABLES = "the page tables (NAME.npz) are not beside the record"
MODULES = 0xFFFF_FFFF_A000_0000  # lowest place MODULES_VADDR can have on x86-64
HOLE = "a hole"

# The record's word for an address -> the areas it may be in; the longest beginning counts
EXPECTED = {
    "direct map": {DIRECT_MAP},
    "first address after the direct map": {HOLE},
    "last byte": {DIRECT_MAP},
    "kernel image": {IMAGE, DIRECT_MAP},
    "mem_map": {"vmemmap", DIRECT_MAP},
    "ioremap": {"vmalloc", "vmalloc below the image"},
    "guard page": {"vmalloc", "vmalloc below the image", "modules"},
    "vmalloc first page": {"vmalloc", "vmalloc below the image", "modules"},
    "pkmap_base": {"pkmap"},
    "fixaddr": {"fixmap"},
    "vectors": {"vectors"},
}


def random_bases(machine: Machine) -> frozenset[str]:
    """Layout constants that this kernel drew at random while booting."""
    drawn = machine.config.kaslr and not machine.has_flag("nokaslr")
    return arch.get(machine.arch).random_bases if drawn else frozenset()


def recorded_bases(machine: Machine, recorded: Recorded) -> dict[str, int]:
    """What KASLR drew on the recorded machine; empty without KASLR."""
    return {name: recorded.layout[name] for name in random_bases(machine) if recorded.layout.get(name) is not None}


def with_recorded_bases(machine: Machine, kernel: Kernel, recorded: Recorded) -> Layout:
    """The kernel's layout, moved to where KASLR put the recorded kernel's."""
    bases = recorded_bases(machine, recorded)
    if not bases:
        return kernel.layout
    return kernel_layout(machine, kernel.bounds, kernel.memblock, mem_map=kernel.mem_map, bases=bases)


def layout(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Layout constants; modules_start of x86-64 is taken from where modules were loaded.

    The recorder writes 0xffff_ffff_a000_0000 for machines booted with nokaslr. MODULES_VADDR depends on how
    the kernel was built, not on its command line, and these kernels loaded their first module at
    0xffff_ffff_c000_0000 (their vmallocinfo says so).
    """
    random = random_bases(machine)
    for name, value in recorded.layout.items():
        if value is None:
            continue
        mine = kernel.layout.constants.get(name)
        if name == "modules_start" and value >= MODULES:
            loaded = [row["start"] for row in recorded.data.get("vmallocinfo") or () if row["start"] >= MODULES]
            value = align_down(min(loaded), 512 * MiB) if loaded else value
        reason = KASLR if name in random else ""
        yield Compared(name, mine, value, reason, address=True)


def kaslr_rule(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The bases that the kernel's rule makes of the random words that lead to the recorded ones.

    A kernel that could draw but got no seed (arm64, from the boot loader) stands where it was linked to.
    """
    rows, bases = arch.get(machine.arch), recorded_bases(machine, recorded)
    slide = (recorded.data.get("page_tables") or {}).get("kaslr_slide")
    has_moved = bool(slide) or any(kernel.layout.constants.get(name) != value for name, value in bases.items())
    if bases and has_moved:
        made = rows.draw(machine, kernel.bounds, rows.words_for(machine, kernel.bounds, bases))
        for name in sorted(made):
            theirs = bases.get(name, machine.image.text_va if machine.image else 0)
            yield Compared(name, made[name], theirs, address=True)


def _expected(case: dict[str, Any]) -> set[str]:
    """The areas that a recorded case may be in; empty where its words are not known."""
    fits = [word for word in EXPECTED if case["what"].startswith(word)]
    return EXPECTED[max(fits, key=len)] if fits else set()


def kernel_addresses(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Every recorded kernel address: its area, and where a rule gives one, its physical address.

    An image symbol for which the record expects no address (_end; on arm64 _text, which is not mapped) is only
    compared with the walk of the tables.
    """
    mine = with_recorded_bases(machine, kernel, recorded)
    for case in recorded.data.get("kernel_cases") or ():
        what, found = f"{case['va']:#x} {case['what']}", mine.classify(case["va"])
        area = HOLE if found.area.hole else found.area.name
        expected = _expected(case)
        is_outside = expected == EXPECTED["kernel image"] and case["expect_pa"] is None
        if expected and not is_outside:
            yield Compared(f"{what}: area", area, area if area in expected else " or ".join(sorted(expected)))
        if found.pa is not None:
            yield Compared(f"{what}: physical address", found.pa, case["pa"], address=True)
        elif case["expect_how"] in ("va - PAGE_OFFSET + dram base", "image offset") and case["expect_pa"] is not None:
            yield Compared(f"{what}: physical address", None, case["expect_pa"], address=True)


def vmallocinfo_areas(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Every line of /proc/vmallocinfo lies whole in vmalloc space or in the modules' area.

    One is neither: 32-bit ARM maps its contiguous memory area anew, with small pages and at the direct map's
    addresses, and enters it as an area (arch/arm/mm/dma-mapping.c:dma_contiguous_remap). On arm64 the image's
    segments are areas too (arch/arm64/mm/mmu.c:map_kernel_segment): there the image lies inside vmalloc space.
    """
    mine = with_recorded_bases(machine, kernel, recorded)
    for row in recorded.data.get("vmallocinfo") or ():
        ends, what = (row["start"], row["end"] - 1), f"{row['start']:#x} {row['caller']}"
        first, last = (mine.classify(va) for va in ends)
        if first.area.name == DIRECT_MAP and None not in (first.pa, last.pa):
            frames = (first.pa or 0) >> PAGE_SHIFT, ((last.pa or 0) >> PAGE_SHIFT) + 1
            yield Compared(f"{what}: the contiguous memory area", frames, _around(kernel, frames[0]))
            continue
        yield Compared(f"{what}: a hole", first.area.hole or last.area.hole, False)
        tested = [verdicts(mine, va).is_vmalloc_or_module_addr for va in ends]
        yield Compared(f"{what}: is_vmalloc_or_module_addr", tested, [True, True])


def _around(kernel: Kernel, pfn: int) -> tuple[int, int] | None:
    """The contiguous memory area that holds frame `pfn`."""
    return next(((low, high) for low, high in kernel.allocations.cma_frames if low <= pfn < high), None)


def page_tables(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The whole kernel half: tables and rules differ nowhere, but for parts of the image that were freed.

    The image's last large page maps some memory behind it, too. With page-table isolation x86-64 unmaps what it freed
    of the image; which CPUs need that is not modelled.
    """
    if not tables_path(recorded.path):
        yield Compared("every address", None, None, NO_TABLES)
        return
    mine = with_recorded_bases(machine, kernel, recorded)
    found = list(differences(mine, recorded.kernel_space()))
    for row in found:
        if row.area == IMAGE:
            yield Compared(f"{row.start:#x}: {row.what}", _excused(machine, mine, row.start, row.end, row.what), True)
    theirs = [(row.start, row.end, row.area, row.what) for row in found if row.area != IMAGE]
    yield Compared("differences outside the image", [], theirs)


def aliases(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Every recorded address that is mapped to RAM in the direct map's reach has an alias there, to the same byte."""
    if not tables_path(recorded.path):
        yield Compared("every address", None, None, NO_TABLES)
        return
    mine, space = with_recorded_bases(machine, kernel, recorded), recorded.kernel_space()
    for case in recorded.data.get("kernel_cases") or ():
        route = there_and_back(mine, space, case["va"])
        if route.alias is not None:
            back = space.walk(route.alias).pa
            yield Compared(f"{case['va']:#x} {case['what']}", back, case["pa"], address=True)


def _excused(machine: Machine, mine: Layout, start: int, end: int, what: str) -> bool:
    """Whether a difference in the image's window is one of those that `page_tables` names."""
    area, image = mine.area(IMAGE), machine.image
    if image is None:
        return False
    if what != NOT_MAPPED:
        return start >= area.mapped[-1][1] and end <= start + 2 * MiB
    low, high = start - (area.offset or 0), end - (area.offset or 0)
    freed = ((image.init_start, image.init_end), *image.gaps)
    return any(first <= low % (1 << 64) and high % (1 << 64) <= last for first, last in freed)


def struct_pages(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """max_mapnr, the number of frames with a struct page, which pfn_valid reads on FLATMEM kernels."""
    real = (recorded.data.get("variables") or {}).get("max_mapnr") or {}
    if kernel.mem_map.model == "FLATMEM" and real.get("value"):
        first = kernel.layout.phys_offset >> PAGE_SHIFT
        yield Compared("max_mapnr", kernel.bounds.max_pfn - first, real["value"])


LAYOUT_FIELDS: dict[str, Callable[[Machine, Kernel, Recorded], Rows]] = {
    "layout": layout,
    "layout KASLR rule": kaslr_rule,
    "layout kernel addresses": kernel_addresses,
    "layout vmallocinfo": vmallocinfo_areas,
    "layout page tables": page_tables,
    "layout aliases": aliases,
    "layout struct pages": struct_pages,
}
