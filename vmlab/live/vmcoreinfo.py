"""What a kernel says of itself for whoever reads its memory: the note VMCOREINFO.

It names symbols' addresses, sizes and offsets of structs, and numbers (kernel/crash_core.c of 6.1,
crash_save_vmcoreinfo_init); crash(8) and makedumpfile live from it. So no package of debugging symbols is wanted.
/sys/kernel/vmcoreinfo says where it lies in physical memory.

Left out: everything the note does not have: task_struct, swap_info_struct, the counts of kmap's windows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..units import VmlabError

MOST_BYTES = 1 << 16
LINE = re.compile(r"(SYMBOL|SIZE|OFFSET|LENGTH|NUMBER)\(([\w.]{1,80})\)=(-?)(0x)?([0-9a-f]{1,16})")


@dataclass(slots=True)
class Vmcoreinfo:
    """The note: each table is {name: value}; offsets under "struct.field"."""

    symbols: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)  # lines such as OSRELEASE=...

    def size(self, name: str) -> int:
        """Bytes of a struct; refuses one that the note does not have."""
        return _get(self.sizes, name, "SIZE")

    def offset(self, name: str) -> int:
        """Byte offset of a "struct.field"."""
        return _get(self.offsets, name, "OFFSET")


def _get(table: dict[str, int], name: str, kind: str) -> int:
    if name not in table:
        raise VmlabError(f"the kernel's VMCOREINFO has no {kind}({name}): its version is not one that is known here")
    return table[name]


def parse(note: str) -> Vmcoreinfo:
    """The note's text, line by line; what is not understood is left out.

    >>> parse("SYMBOL(mem_map)=c15ddc40\\nSIZE(page)=36\\nNUMBER(phys_base)=-4096\\nOFFSET(page.lru)=4").numbers
    {'phys_base': -4096}
    """
    info = Vmcoreinfo()
    tables = {
        "SYMBOL": info.symbols,
        "SIZE": info.sizes,
        "OFFSET": info.offsets,
        "LENGTH": info.lengths,
        "NUMBER": info.numbers,
    }
    for line in note.splitlines():
        match = LINE.fullmatch(line)
        if match:
            kind, name, minus, is_hex, digits = match.groups()
            base = 16 if is_hex or kind == "SYMBOL" else 10
            if base == 10 and not digits.isdigit():
                continue
            tables[kind][name] = int(minus + digits, base)
        elif re.fullmatch(r"[\w-]{1,80}=[^\n]{0,200}", line):
            name, _, value = line.partition("=")
            info.words[name] = value
    return info


def read(place: str, ram: Callable[[int, int], bytes | None]) -> Vmcoreinfo:
    """The note at the place that /sys/kernel/vmcoreinfo names ("0x419b2000 1024": both hexadecimal).

    The place leads to an ELF note: a header, the name, then the text.
    """
    match = re.fullmatch(r"(?:0x)?([0-9a-f]{1,16}) ([0-9a-f]{1,8})", place.strip())
    if not match:
        raise VmlabError(f"/sys/kernel/vmcoreinfo: expected an address and a size, got {place[:80]!r}")
    pa, size = int(match[1], 16), int(match[2], 16)
    note = ram(pa, size) if size <= MOST_BYTES else None
    if note is None:
        raise VmlabError(f"/sys/kernel/vmcoreinfo: {size} bytes at {pa:#x} are not in the guest's RAM")
    at = note.find(b"OSRELEASE=")
    length = int.from_bytes(note[4:8], "little")  # n_descsz
    return parse(note[max(at, 0) :][: length or size].split(b"\0")[0].decode("ascii", "replace"))
