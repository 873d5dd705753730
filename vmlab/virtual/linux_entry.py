"""What Linux reads from a page-table entry, where the hardware reads something else.

On ARM's short format Linux keeps its own entry beside the hardware's; elsewhere one entry serves both, but a
page that is "present" to Linux may be unmapped for the hardware (PROT_NONE, and old pages on ARM).
"""

from __future__ import annotations

from .address_space import Walk


def pagemap_entry(walk: Walk) -> tuple[bool, bool, int | None]:
    """(present, swapped, frame number) as fs/proc/task_mmu.c:pte_to_pagemap_entry reads Linux's entry."""
    fmt, software = walk.format, walk.format.software
    entry = walk.linux[1] if walk.linux else walk.steps[-1].entry
    if walk.pa is not None:
        return True, False, walk.pa >> 12
    if not entry or software is None or len(walk.steps) < len(fmt.levels):
        return False, False, None
    if not software.present.of(entry):
        return False, True, None
    return True, False, software.pa.of(entry ^ software.inverted) >> 12
