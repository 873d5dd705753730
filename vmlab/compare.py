"""`vmlab compare A B`: two machines side by side, recorded or modelled, each difference with its reason.

A reason is found by experiment: the first machine is given one of the second's inputs at a time, and booted. The
input that turns its value into the second's is the reason; where none does so alone, those that change it are named
together. The columns show what the kernels said (of a machine that was recorded), the experiments use the model.

Left out: machines of different architectures, or of a running host, have no inputs to exchange; their values are
shown, and that is said.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from . import arch, procfs
from .kernel import Kernel, boot
from .machine import Machine
from .record import Recorded, load_machine
from .units import PAGE_SIZE, VmlabError, group_hex, human

Values = dict[str, Any]
HOST = "host"
TAKEN_AT_BOOT = ("boot_calls", "reserved", "image", "final_reserved")
NO_INPUTS = "not tried: only machines of one architecture whose inputs are known can exchange them"
BY_ADDRESS = ("mem_map address", "layout ")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two machines do not share, and why."""

    what: str
    first: Any
    second: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Side:
    """One machine of two: its name, what to show, and the machine to experiment with (None of a host)."""

    name: str
    shown: Values
    machine: Machine | None = None


def side(name: str) -> Side:
    """A shipped machine's name, a record file, or "host" for this machine."""
    if name == HOST:
        return Side("this machine", zone_values(procfs.read_zoneinfo()))
    machine = load_machine(name)
    modelled = values(boot(machine))
    said = recorded_values(machine.recorded) if machine.recorded else {}
    return Side(machine.name, modelled | {key: said[key] for key in said if key in modelled}, machine)


def values(kernel: Kernel) -> Values:
    """What is compared of a booted model: zones, marks, reserves, mem_map, layout."""
    found = zone_values(procfs.zoneinfo(kernel))
    frames, mem_map = kernel.mem_map.frames, kernel.mem_map
    found |= {"mem_map model": mem_map.model, "mem_map struct page bytes": mem_map.struct_page_bytes,
              "mem_map frames": sum(map(len, frames)), "mem_map first frame": frames[0][0],
              "mem_map address": mem_map.va}  # fmt: skip
    return found | {f"layout {name}": value for name, value in kernel.layout.constants.items()}


def zone_values(zones: list[procfs.ZoneInfo]) -> Values:
    """Every populated zone's numbers, in pages; the same for the model, a record and this machine."""
    found: Values = {}
    for zone in zones:
        if not zone.present_pages:
            continue
        name = f"node {zone.node} {zone.name}"
        found |= {
            f"{name} start_pfn": zone.start_pfn,
            **{
                f"{name} {count}": zone.pages[count]
                for count in ("spanned", "present", "managed", "min", "low", "high")
            },
            f"{name} lowmem_reserve": zone.lowmem_reserve,
        }
    return found


def recorded_values(recorded: Recorded) -> Values:
    """The same from a record, as far as it has them."""
    found: Values = {}
    for row in recorded.zones:
        if row.get("present"):
            name = f"node {row['node']} {row['name']}"
            counts = ("start_pfn", "spanned", "present", "managed", "min", "low", "high")
            found |= {f"{name} {count}": row[count] for count in counts if count in row}
            found[f"{name} lowmem_reserve"] = tuple(row["protection"])
    real = recorded.mem_map
    names = {
        "model": "model",
        "struct_page_bytes": "struct page bytes",
        "frames": "frames",
        "first_frame": "first frame",
        "mem_map_va": "address",
    }
    found |= {f"mem_map {shown}": real[name] for name, shown in names.items() if real.get(name) is not None}
    return found | {f"layout {name}": value for name, value in recorded.layout.items() if value is not None}


def compare(first: Side, second: Side) -> list[Difference]:
    """Every value that differs, with its reason."""
    keys = [
        key for key in dict.fromkeys([*first.shown, *second.shown]) if first.shown.get(key) != second.shown.get(key)
    ]
    why = _reasons(first.machine, second.machine)
    return [Difference(key, first.shown.get(key), second.shown.get(key), why(key)) for key in keys]


def _reasons(first: Machine | None, second: Machine | None) -> Callable[[str], str]:
    """A function that finds the reason for one value."""
    rules = [machine and arch.get(machine.arch) for machine in (first, second)]
    if first is None or second is None or rules[0] is not rules[1]:
        return lambda key: NO_INPUTS
    wanted, now = values(boot(second)), values(boot(first))
    tried = [(name, _booted(changed)) for name, changed in exchanges(first, second)]

    def why(key: str) -> str:
        if now.get(key) == wanted.get(key):
            return "the model gives both the same: see ARCHITECTURE.md, what is not predicted"
        alone = [name for name, got in tried if got is not None and got.get(key) == wanted.get(key)]
        moved = [name for name, got in tried if got is not None and got.get(key) != now.get(key)]
        if alone:
            return alone[0]
        if len(moved) == 1:
            return f"{moved[0]}, and what follows from it"
        return f"together: {', '.join(moved)}" if moved else "several inputs, none of which changes it alone"

    return why


def exchanges(first: Machine, second: Machine) -> Iterator[tuple[str, Machine]]:
    """(input in words, the first machine with the second's), for every input in which they differ."""
    for word in _words_apart(first.cmdline, second.cmdline):
        yield f"kernel parameter {word}", replace(first, cmdline=_with_word(first.cmdline, second.cmdline, word))
    if first.ram != second.ram:
        yield f"RAM {human(first.ram_bytes)} and {human(second.ram_bytes)}", replace(first, ram=second.ram)
    for row in fields(first.config):
        mine, theirs = (getattr(machine.config, row.name) for machine in (first, second))
        if mine != theirs:
            try:
                changed = replace(first, config=replace(first.config, **{row.name: theirs}))
            except VmlabError:  # alone it fits no kernel, as a pageblock larger than the largest block
                continue
            yield f"configuration {row.name}: {mine} and {theirs}", changed
    taken = {name: getattr(second, name) for name in TAKEN_AT_BOOT}
    if any(getattr(first, name) != theirs for name, theirs in taken.items()):
        yield "what the boot reserved and allocated", replace(first, **taken)
    if (first.cpus, first.possible_cpus) != (second.cpus, second.possible_cpus):
        yield (
            f"CPUs {first.cpus} and {second.cpus}",
            replace(first, cpus=second.cpus, possible_cpus=second.possible_cpus),
        )
    if (first.cpu, first.la57) != (second.cpu, second.la57):
        yield f"CPU {first.cpu} and {second.cpu}", replace(first, cpu=second.cpu, la57=second.la57)


def _words_apart(first: str, second: str) -> list[str]:
    mine, theirs = first.split(), second.split()
    return [word for word in dict.fromkeys([*mine, *theirs]) if (word in mine) != (word in theirs)]


def _with_word(first: str, second: str, word: str) -> str:
    """The first command line with one word added or taken away; another value of the same parameter goes with it."""
    if word in first.split():
        return " ".join(kept for kept in first.split() if kept != word)
    name = word.partition("=")[0] + "="
    kept = [old for old in first.split() if not (old.startswith(name) and old not in second.split())]
    return " ".join([*kept, word])


def _booted(machine: Machine) -> Values | None:
    """Its values; None if the mixture of two machines is none that boots."""
    try:
        return values(boot(machine))
    except VmlabError:
        return None


def shown(what: str, value: Any) -> str:
    """A value for a person: addresses and frame numbers in hexadecimal, pages with their size."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return " ".join(shown(what, part) for part in value)
    if isinstance(value, str):
        return value
    if what.startswith(BY_ADDRESS) and value > 0xFFFF:
        return group_hex(value)
    if what.endswith(("first frame", " start_pfn")):
        return f"{value:#x}"
    if what.endswith((" spanned", " present", " managed", " frames")):
        return f"{value:,} ({human(value * PAGE_SIZE)})"
    return f"{value:,}" if isinstance(value, int) else str(value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab compare`."""
    parser.add_argument("first", help="a shipped machine, a record file, or host")
    parser.add_argument("second", help="likewise")


def run(args: argparse.Namespace) -> int:
    """Print the differences as a table; 0 if there is none, 1 if there are, as diff does."""
    for given in (args.first, args.second):
        if given != HOST and Path(given).is_dir():
            raise VmlabError(f"{given}: expected a record file or a machine's name, got a folder")
    first, second = side(args.first), side(args.second)
    found = compare(first, second)
    if not found:
        print(f"{first.name} and {second.name}: every compared value is the same ({len(first.shown)} of them)")
        return 0
    rows = [("", first.name, second.name, "because of")]
    rows += [(row.what, shown(row.what, row.first), shown(row.what, row.second), row.reason) for row in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip())
    same = len(set(first.shown) & set(second.shown)) - sum(None not in (row.first, row.second) for row in found)
    print(f"{len(found)} values differ, {same} are the same")
    return 1
