"""Every recorded translation, done again from the raw page tables and compared with the real machine's answers.

Three witnesses: /proc/PID/pagemap of the running kernel, QEMU's own MMU (`qemu_gpa`), and the recorder's reading
of the entries (`pa`, `size`, `flags`). A page can be present for pagemap without being mapped for the hardware:
PROT_NONE everywhere, and on ARM's short descriptors every page that is old. `pagemap` here is worked out from
Linux's entry alone (its own one, where it keeps two).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kernel import Kernel
from ..machine import Machine
from ..procfs import PagemapEntry
from ..record import Recorded
from ..record.tables import tables_path
from ..virtual.address_space import AddressSpace, Walk
from ..virtual.linux_entry import pagemap_entry
from .compared import Compared, Rows

NO_TABLES = "the page tables (NAME.npz) are not beside the record"

FLAG_NAMES = {"writable": "write"}  # the records' word, and ours


def _without_tables(recorded: Recorded) -> str:
    return "" if tables_path(recorded.path) else NO_TABLES


def _stages(recorded: Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
    """The stages in which processes were recorded, each with its roots and cases."""
    if translation := recorded.data.get("translation"):
        yield "xlate", translation
    yield from sorted((recorded.data.get("swap") or {}).items())


def _cases(recorded: Recorded, pti_user: bool = False) -> Iterator[tuple[str, dict[str, Any], Walk]]:
    """Every user case with our walk of it; with `pti_user`, from the second root where there is one."""
    for stage, translation in _stages(recorded):
        spaces: dict[str, AddressSpace] = {}
        for case in translation["cases"]:
            process = case["proc"]
            if pti_user and "pti_user_root_pa" not in translation["roots"][process]:
                continue
            if process not in spaces:
                spaces[process] = recorded.address_space(process, stage, pti_user=pti_user)
            what = f"{stage} {process} {case['va']:#x} {case['what']}"
            yield what, case, spaces[process].walk(case["va"])


def user_translation(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Address, page size, flags and entries of every user case; QEMU's answer; the second root of PTI."""
    if reason := _without_tables(recorded):
        yield Compared("every case", None, None, reason)
        return
    for what, case, walk in _cases(recorded):
        yield from _answers(what, case, walk)
        if "swap_pte" in case:
            entry = walk.linux[1] if walk.linux else walk.steps[-1].entry
            yield Compared(f"{what}: swap entry", entry, case["swap_pte"], address=True)
    for what, case, walk in _cases(recorded, pti_user=True):
        yield from _answers(f"{what} (user root)", case, walk, trail=False)


def kernel_translation(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The same of kernel addresses, and what the layout or /proc made expect."""
    if reason := _without_tables(recorded):
        yield Compared("every case", None, None, reason)
        return
    space = recorded.kernel_space()
    for case in recorded.data.get("kernel_cases") or ():
        what, walk = f"{case['va']:#x} {case['what']}", space.walk(case["va"])
        yield from _answers(what, case, walk)
        if case["expect_pa"] is not None:
            yield Compared(f"{what}: {case['expect_how']}", walk.pa, case["expect_pa"], address=True)


def _answers(what: str, case: dict[str, Any], walk: Walk, trail: bool = True) -> Rows:
    """One case's fields; a record says no more than its witnesses did."""
    if "pa" in case:
        yield Compared(what, walk.pa, case["pa"], address=True)
    if "size" in case:
        yield Compared(f"{what}: page bytes", walk.page_bytes, case["size"])
    if "flags" in case or ("size" in case and walk.pa is not None):
        recorded = {name: bool(held) for name, held in case.get("flags", {}).items()}
        mine = {name: walk.entry_flags.get(FLAG_NAMES.get(name, name)) for name in recorded}
        yield Compared(f"{what}: flags", mine or None, recorded)
    if "qemu_gpa" in case:
        yield Compared(f"{what}: QEMU", walk.pa, case["qemu_gpa"], address=True)
    if trail and "trail" in case:
        steps = [[step.level, step.table_pa, step.index, step.entry] for step in walk.steps]
        yield Compared(f"{what}: entries", steps, [list(row) for row in case["trail"]])
    if "linux_pte" in case:
        theirs = (case["linux_pte_pa"], case["linux_pte"])
        yield Compared(f"{what}: Linux's entry", walk.linux, theirs, address=True)


def pagemap(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """What /proc/PID/pagemap said: present, swapped, and the frame."""
    if reason := _without_tables(recorded):
        yield Compared("every case", None, None, reason)
        return
    for what, case, walk in _cases(recorded):
        theirs = case["pagemap"]
        mine = pagemap_entry(walk) if case["va"] < kernel.layout.page_offset else (False, False, None)
        yield Compared(what, mine, (bool(theirs["present"]), bool(theirs["swapped"]), theirs.get("pfn")))


def pagemap_words(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """The kernel's 64 bits, decoded, against what the recorder read in them; and encoded again."""
    for stage, translation in _stages(recorded):
        for case in translation["cases"]:
            what = f"{stage} {case['proc']} {case['va']:#x} {case['what']}"
            told = {name: value for name, value in case["pagemap"].items() if name != "raw"}
            entry = PagemapEntry.decode(case["pagemap"]["raw"])
            yield Compared(f"{what}: decoded", {name: getattr(entry, name) for name in told}, told)
            yield Compared(f"{what}: encoded", entry.encode(), case["pagemap"]["raw"], address=True)


TRANSLATION_FIELDS = {
    "translation": user_translation,
    "kernel translation": kernel_translation,
    "pagemap": pagemap,
    "pagemap words": pagemap_words,
}
