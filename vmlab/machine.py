"""What hardware, which kernel: a machine is data, described by hand or read from a record.

Nothing here computes; `vmlab.kernel.boot` does. A `Machine` is frozen: a what-if is a new machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from . import arch
from .parts import BootCall, Config, Image, Region, ZoneSplit
from .units import PAGE_SIZE, VmlabError, group_hex, human, memparse

if TYPE_CHECKING:
    from .record import Recorded


@dataclass(frozen=True)
class Machine:
    """Hardware and kernel, all that `boot` needs.

    `ram` is what the firmware says (e820's usable ranges, the device tree's memory nodes);
    `reserved` what is known to be taken before the kernel's first allocation. `boot_calls` is None
    for a machine described by hand: its architecture's usual sequence is used.
    """

    arch: str
    ram: tuple[Region, ...]
    config: Config = field(default_factory=Config)
    cmdline: str = ""
    name: str = "described by hand"
    reserved: tuple[Region, ...] = ()
    image: Image | None = None
    boot_calls: tuple[BootCall, ...] | None = field(default=None, repr=False)
    cpus: int = 1
    possible_cpus: int = 0  # nr_cpu_ids: at least `cpus`, more where some CPUs never came up
    cpu: str = ""  # the CPU's model as QEMU calls it; "" is the architecture's usual one
    la57: bool = False  # the CPU can walk five levels (x86-64)
    boot_allocator: str = "memblock"  # or "bootmem", the allocator of 2.4 and 2.6 kernels
    # Where no boot log tells them: reservations at the end of boot.
    final_reserved: tuple[Region, ...] | None = field(default=None, repr=False)
    splits: tuple[ZoneSplit, ...] = ()
    recorded: Recorded | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        rows = arch.get(self.arch)
        odd = [region for region in self.ram if not isinstance(region, Region)]
        if odd:
            raise VmlabError(f"ram: expected Regions, such as Region(0x4000_0000, GiB), got {odd[0]!r}")
        object.__setattr__(self, "ram", tuple(sorted(self.ram, key=lambda region: region.start)))
        object.__setattr__(self, "reserved", tuple(self.reserved))
        object.__setattr__(self, "config", rows.complete(self.config, self))
        if self.boot_allocator not in ("memblock", "bootmem"):
            raise VmlabError(f"boot_allocator: expected 'memblock' or 'bootmem', got {self.boot_allocator!r}")
        if self.cpus < 1:
            raise VmlabError(f"cpus: expected at least 1, got {self.cpus}")
        object.__setattr__(self, "possible_cpus", max(self.cpus, self.possible_cpus))
        check_ram(self.ram, rows.phys_bits(self.config), self.config.format or "")

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM that the firmware reports."""
        return sum(region.size for region in self.ram)

    def parameter(self, name: str) -> str | None:
        """Value of the last `name=value` on the kernel command line, or None."""
        values = [word[len(name) + 1 :] for word in self.cmdline.split() if word.startswith(name + "=")]
        return values[-1] if values else None

    def size_parameter(self, name: str) -> int | None:
        """The same as a size in bytes; a value that is no size is an error that names the parameter."""
        text = self.parameter(name)
        try:
            return None if text is None else memparse(text)
        except VmlabError as bad:
            raise VmlabError(f"kernel parameter {name}=: {bad}") from None

    def number_parameter(self, name: str) -> int | None:
        """The same as a plain number."""
        text = self.parameter(name)
        if text is not None and not text.isdigit():
            raise VmlabError(f"kernel parameter {name}=: expected a number, got {text!r}")
        return None if text is None else int(text)

    def memory_parameters(self, name: str, mark: str) -> list[tuple[int, int]]:
        """Every `name=size` or `name=size<mark>start` as (size, start) in bytes; RAM's first if left out."""
        found = []
        for value in (word[len(name) + 1 :] for word in self.cmdline.split() if word.startswith(name + "=")):
            size, _, start = value.partition(mark)
            try:
                found.append((memparse(size), memparse(start) if start else self.ram[0].start))
            except VmlabError as bad:
                raise VmlabError(f"kernel parameter {name}=: {bad}") from None
        return found

    def has_flag(self, name: str) -> bool:
        """Whether the bare word `name` stands on the command line."""
        return name in self.cmdline.split()

    def with_config(self, **changes: object) -> Machine:
        """The same machine with a kernel built differently.

        Its boot log no longer applies: the architecture's usual boot calls take its place.
        """
        known = {f.name for f in fields(Config)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise VmlabError(f"unknown configuration field {unknown[0]!r}: expected one of {', '.join(sorted(known))}")
        config = replace(self.config, **changes)  # type: ignore[arg-type]
        return replace(self, config=config, boot_calls=None, recorded=None)

    def with_cmdline(self, *words: str) -> Machine:
        """The same machine with `words` added to the kernel command line; a boot log no longer applies."""
        return replace(self, cmdline=" ".join((self.cmdline, *words)).strip(), boot_calls=None, recorded=None)

    def with_zone(self, name: str, *, size: int, below: str = "", above: str = "", excluded: bool = True) -> Machine:
        """The what-if: a zone `name` of `size` bytes, cut from another zone.

        `below="HighMem"` takes the bottom of HighMem; `above="Normal"` takes the top of Normal.
        `excluded` leaves it out of every zonelist, so that nobody but its owner allocates from it.
        The new zone is checked when the machine boots: the zones it is cut from are known only then.
        """
        if bool(below) == bool(above):
            came = "both" if below else "neither"
            raise VmlabError(f"zone {name}: expected either below= or above=, the zone to cut it from, got {came}")
        if not name.isidentifier():
            raise VmlabError(f"zone name: expected a word such as NewMem, got {name!r}")
        if not isinstance(size, int) or size <= 0 or size % PAGE_SIZE:
            raise VmlabError(
                f"size of zone {name}: expected a positive multiple of the page size {PAGE_SIZE}, got {size}"
            )
        return replace(self, splits=(*self.splits, ZoneSplit(name, size, below, above, excluded)), recorded=None)


def check_ram(ram: Iterable[Region], phys_bits: int, format_name: str) -> None:
    """Refuse a memory map that cannot be: none, overlapping, or beyond what the format can address."""
    regions = list(ram)
    if not regions:
        raise VmlabError("ram: expected at least one Region of RAM, got none")
    for low, high in pairwise(regions):
        if low.end > high.start:
            raise VmlabError(
                f"ram: regions overlap: {low.name} {group_hex(low.start)}..{group_hex(low.end)} and "
                f"{high.name} {group_hex(high.start)}..{group_hex(high.end)}; make them disjoint"
            )
    top = regions[-1]
    if top.start >> phys_bits:
        raise VmlabError(
            f"ram: {top.name} at {group_hex(top.start)} lies above the {human(1 << phys_bits)} that format "
            f"{format_name} can address ({phys_bits} bits); remove it, or choose a format with larger entries"
        )
