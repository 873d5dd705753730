"""Every recorded swap stage, decoded, and played again in the model.

What the guest did is known (records/SCHEMA.md, "swap"): p0, p1 and p2 page 0x400000 out, p1 every second page at
0xc00000; then an area of higher priority is added, and all three page 0xf11000 out (`swap1`); p0 forks p3 (`swap2`);
p1 reads, p2 and p3 write 0x400000 (`swap3`); p1 pages 0x400000 out again (`swap4`). From that, and from the inputs
below, the model predicts each entry's bits, each slot's byte in swap_map, and who shares which slot.

Inputs: the page-table format, the areas (/proc/swaps: device, size, priority), whether a device seeks and whether its
writes are done at once (zram does not seek and is synchronous, a virtio disk the opposite), and for each area that
does not seek the first slot that was handed out: the kernel draws the place where the search begins at random.
Linux 6.12 draws nothing: every area is searched by clusters, and one that is smaller than a cluster of 512 slots, as
the recorded ones are, from its first slot on and upwards (mm/swapfile.c: cluster_alloc_swap_entry), as 6.1 does where a
disk seeks. The model has no other of its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from ..kernel import Kernel
from ..machine import Machine
from ..record import Recorded
from ..units import PAGE_SIZE, KiB
from ..versions import BASE
from .compared import Compared, Rows

DEVICES = {"zram": {"rotational": False, "synchronous": True}}  # by the name's beginning; others seek and take time
NO_START = "the record lacks the stage swap1, with which the story begins"
FIRST, EVERY_SECOND, SECOND = 0x40_0000, 0xC0_0000, 0xF1_1000


def _stages(recorded: Recorded) -> list[tuple[str, dict[str, Any]]]:
    return sorted((recorded.data.get("swap") or {}).items())


def _format(recorded: Recorded) -> str:
    held = next(recorded.data[key] for key in ("page_tables", "translation") if recorded.data.get(key))
    return str(held["format"])


def entries(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """Every recorded swap entry: decoded, compared with the record and with pagemap, and encoded again."""
    from ..process.swap_entry import SwapEntry

    fmt, rules = _format(recorded) if _stages(recorded) else "", machine.config.rules
    for stage, data in _stages(recorded):
        for case in data["cases"]:
            if "swap_pte" not in case:
                continue
            what, entry = f"{stage} {case['proc']} {case['va']:#x}", SwapEntry.decode(fmt, case["swap_pte"], rules)
            yield Compared(f"{what}: slot", list(entry.slot), list(case["swap_decoded"]))
            seen = case["pagemap"]
            yield Compared(f"{what}: pagemap", list(entry.slot), [seen.get("swap_type"), seen.get("swap_offset")])
            yield Compared(f"{what}: encoded", entry.encode(fmt, rules), case["swap_pte"], address=True)


class Replay:
    """The guest's story in the model: three processes, their areas, and the swap devices."""

    def __init__(self, recorded: Recorded, rules: str = BASE, *, in_order: bool = False) -> None:
        from ..process.memory import Memory
        from ..process.process import Process

        self.stages, self.in_order = dict(_stages(recorded)), in_order
        frames = count(0x100)
        self.memory = Memory(_format(recorded), lambda order: _aligned(frames, order), lambda pfn, order: None, rules)
        self.process = {name: Process(self.memory, name) for name in ("p0", "p1", "p2")}
        for name, process in self.process.items():
            process.mmap(FIRST, 1)
            process.mmap(EVERY_SECOND, 16)
            process.mmap(SECOND, 1)
            for va in (FIRST, *range(EVERY_SECOND, EVERY_SECOND + 16 * PAGE_SIZE, 2 * PAGE_SIZE), SECOND):
                process.write(va, f"{name} {va:#x}".encode())

    def swapon(self, number: int) -> None:
        """The area of one row of /proc/swaps, with its first slot as recorded."""
        stage = self.stages["swap1"]
        row = stage["swaps"][number]
        name, pages = row["file"].rpartition("/")[2], row["size_kib"] * KiB // PAGE_SIZE + 1  # the header's page too
        device: dict[str, Any] = next((dict(kind) for prefix, kind in DEVICES.items() if name.startswith(prefix)), {})
        if self.in_order:
            device["rotational"] = True
        elif device:
            device["start"] = _start(stage, pages)
        self.memory.swapon(pages, row["prio"], name=row["file"], **device)

    def page_out(self, name: str, va: int, pages: int = 1) -> None:
        """madvise(MADV_PAGEOUT); the device has finished before anything else happens."""
        self.process[name].madvise(va, pages * PAGE_SIZE, "PAGEOUT")
        self.memory.end_writeback()

    def play(self) -> Iterator[str]:
        """Stage after stage, as guest/init.c of the recorder has them."""
        areas = len(self.stages["swap1"]["swaps"])
        self.swapon(0)
        for name in ("p0", "p1", "p2"):
            self.page_out(name, FIRST)
        self.page_out("p1", EVERY_SECOND, 16)
        if areas > 1:
            self.swapon(1)
            for name in ("p0", "p1", "p2"):
                self.page_out(name, SECOND)
        yield "swap1"
        child = self.process["p0"].fork("p3")
        assert child, "the model has frames without end"
        self.process["p3"] = child  # type: ignore[assignment]
        yield "swap2"
        self.process["p1"].read(FIRST, 1)
        self.process["p2"].write(FIRST, b"written")
        self.process["p3"].write(FIRST, b"written")
        yield "swap3"
        self.page_out("p1", FIRST)
        yield "swap4"


def _aligned(frames: Iterator[int], order: int) -> int:
    first = next(number for number in frames if number % (1 << order) == 0)
    for _ in range((1 << order) - 1):
        next(frames)
    return first


def _start(stage: dict[str, Any], pages: int) -> int:
    """Where the search began: one slot before the one that p0's page got, or the last slot of the area."""
    slot = next(case["swap_decoded"][1] for case in stage["cases"] if case["proc"] == "p0" and case["va"] == FIRST)
    return int(slot) - 1 or pages - 1


def _played(machine: Machine, recorded: Recorded) -> Iterator[tuple[str, dict[str, Any], Replay]]:
    if not _stages(recorded):
        return
    replay = Replay(recorded, machine.config.rules, in_order=machine.config.is_since("6.12"))
    for stage in replay.play():
        if stage in replay.stages:
            yield stage, replay.stages[stage], replay


def played(machine: Machine, kernel: Kernel, recorded: Recorded) -> Rows:
    """After the same history: the bits of each page's entry, every slot's byte, and who names which slot."""
    stages = dict(_stages(recorded))
    if stages and "swap1" not in stages:
        yield Compared("every stage", None, None, NO_START)
        return
    for stage, data, replay in _played(machine, recorded):
        yield from _entries(stage, data, replay)
        yield from _swap_maps(stage, data, replay)
        yield from _sharing(stage, data, replay)


def _entries(stage: str, data: dict[str, Any], replay: Replay) -> Rows:
    """The bits of the entry; 0 for a page that is not in swap."""
    for case in data["cases"]:
        pte, what = replay.process[case["proc"]].page_table.pte(case["va"]), f"{stage} {case['proc']} {case['va']:#x}"
        if case["pagemap"]["swapped"] and "swap_pte" not in case:  # a record without page tables
            theirs = (case["pagemap"].get("swap_type"), case["pagemap"].get("swap_offset"))
            yield Compared(f"{what}: slot", pte.swap and pte.swap.slot, theirs)
        else:
            yield Compared(what, pte.raw if pte.swap else 0, case.get("swap_pte", 0), address=True)


def _swap_maps(stage: str, data: dict[str, Any], replay: Replay) -> Rows:
    """Every byte of swap_map that is not 0, slots in use, and what /proc/swaps shows of each area."""
    areas = replay.memory.swap.areas
    names = ("file", "kind", "size_kib", "used_kib", "prio")
    shown = [{name: row[name] for name in names} for row in data["swaps"]]
    yield Compared(f"{stage} /proc/swaps", replay.memory.swap.table(), shown)
    for row in data.get("areas") or ():
        area, what = areas[row["type"]], f"{stage} area {row['type']}"
        if "swap_map" in row:  # a record made without debugging symbols has none
            mine = {str(offset): byte for offset, byte in enumerate(area.swap_map) if byte}
            yield Compared(f"{what}: swap_map", mine, row["swap_map"])
        yield Compared(f"{what}: in use", area.inuse_pages, row["inuse_pages"])


def _sharing(stage: str, data: dict[str, Any], replay: Replay) -> Rows:
    """Who holds an entry for each slot, found by searching every table."""
    holders = replay.memory.swap.all_holders(replay.memory.mms)
    for row in data.get("slot_users") or ():
        mine = sorted(mm.name for mm, _ in holders.get((row["type"], row["offset"]), ()))
        yield Compared(f"{stage} slot {row['type']}.{row['offset']}", mine, sorted(row["procs"]))


SWAP_FIELDS: dict[str, Callable[[Machine, Kernel, Recorded], Rows]] = {
    "swap entries": entries,
    "swap played again": played,
}
