"""What the kernel's own tests would say about a pointer, and where it would be wrong to use them.

`__pa` is arithmetic: it asks nothing and gives an answer for every address. `virt_addr_valid` asks whether the address
lies in the right range and whether the frame has a struct page; neither means that the page tables map it.
The rows are in `arch/*/layout*.py`; here they are only read.

Left out: CONFIG_DEBUG_VIRTUAL, with which __pa stops the kernel where it is wrong, and addresses with a tag (KASAN).
"""

from __future__ import annotations

from typing import NamedTuple

from ..arch.space import PaRule, PointerRules, Spans
from ..units import PAGE_SHIFT, VmlabError, group_hex
from .layout import Classified, Layout


class Verdicts(NamedTuple):
    """The answers for one address. `wrong` names the tests that mislead here, each with the reason."""

    va: int
    pa: int  # __pa(va)
    pfn_valid: bool  # of the frame of __pa(va)
    virt_addr_valid: bool
    is_vmalloc_addr: bool
    is_vmalloc_or_module_addr: bool
    page: int | None  # virt_to_page(va); None where its array of struct pages has no such place
    wrong: dict[str, str]


def verdicts(layout: Layout, va: int) -> Verdicts:
    """Run every test on `va`."""
    found, rules = layout.classify(va), layout.space.rules
    pa = _pa(rules.pa, va) % (1 << rules.pa_bits)
    pfn = pa >> PAGE_SHIFT
    has_page = _inside(rules.frames, pfn)
    asked = has_page if rules.asks == "pfn_valid" else _inside(rules.memory, pfn)
    answers = Verdicts(
        va=va,
        pa=pa,
        pfn_valid=has_page,
        virt_addr_valid=_inside(rules.valid, va) and asked,
        is_vmalloc_addr=_inside((rules.vmalloc,), va),
        is_vmalloc_or_module_addr=_inside((rules.vmalloc, rules.modules or (0, 0)), va),
        page=_page(layout, rules, va, pfn, has_page),
        wrong={},
    )
    return answers._replace(wrong=_misleading(found, answers))


def _pa(rows: tuple[PaRule, ...], va: int) -> int:
    return next(va - row.offset for row in rows if row.start <= va < row.end)


def _inside(spans: Spans, value: int) -> bool:
    return any(low <= value < high for low, high in spans)


def _page(layout: Layout, rules: PointerRules, va: int, pfn: int, has_page: bool) -> int | None:
    """virt_to_page: arithmetic too, on the array of struct page."""
    size = rules.struct_page_bytes
    if rules.page_by_va:
        page_offset, vmemmap = rules.page_by_va
        return (vmemmap + ((va - page_offset) % layout.top >> PAGE_SHIFT) * size) % layout.top
    if rules.vmemmap is not None:
        return (rules.vmemmap + pfn * size) % layout.top
    if layout.mem_map is None or not has_page:
        return None
    try:
        return layout.mem_map.pfn_to_page(pfn)
    except VmlabError:
        return None


def _misleading(found: Classified, said: Verdicts) -> dict[str, str]:
    """Each test that must not be used on this address, and why."""
    wrong = {}
    if found.pa is None:
        wrong["__pa"] = f"computes {group_hex(said.pa)} without looking: {found.reason}"
    elif found.pa != said.pa:
        wrong["__pa"] = f"computes {group_hex(said.pa)}, the frame is at {group_hex(found.pa)}"
    if said.virt_addr_valid and found.pa is None:
        wrong["virt_addr_valid"] = (
            f"says yes because frame {said.pa >> PAGE_SHIFT:#x} has a struct page: {found.reason}"
        )
    if found.pa is not None and not said.virt_addr_valid:
        wrong["virt_addr_valid"] = "says no although a constant offset leads to the frame"
    if said.is_vmalloc_addr and found.pa is not None:
        wrong["is_vmalloc_addr"] = f"says yes, but {found.area.name} is no area that vmalloc made"
    if not said.virt_addr_valid:
        wrong["virt_to_page"] = "is legal only where virt_addr_valid says yes"
    elif found.pa is None:
        wrong["virt_to_page"] = "gives the struct page of a frame that this address does not reach"
    return wrong
