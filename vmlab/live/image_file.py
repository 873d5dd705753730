"""Where a kernel's image ends and where its init part lies, which the boot frees.

On ARM and arm64 /proc/iomem says it: "Kernel code" ends at __init_begin, "Kernel data" starts at __init_end
(arch/arm/kernel/setup.c and arch/arm64/kernel/setup.c, request_standard_resources; vmlinux.lds.S). On x86 it
does not, but the ELF file inside the bzImage that was booted has its sections (arch/x86/kernel/vmlinux.lds.S).
"""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..units import PAGE_SIZE, MiB, VmlabError, align_up

MOST_BYTES = 256 * MiB


@dataclass(frozen=True, slots=True)
class Borders:
    """Virtual addresses: the init part, the image's end, and its beginning, _stext."""

    init_begin: int
    init_end: int
    end: int
    stext: int
    how: str

    def moved(self, stext: int) -> Borders:
        """The same image where its _stext is at `stext`: KASLR moves the whole of it."""
        slide = stext - self.stext
        return Borders(self.init_begin + slide, self.init_end + slide, self.end + slide, stext, self.how)


def from_iomem(rows: Sequence[Mapping[str, Any]], stext: int, stext_pa: int) -> Borders:
    """The borders as /proc/iomem's resources have them; `stext` at `stext_pa` gives the offset."""
    at = {row["name"]: row for row in rows if row["depth"] == 1}
    if "Kernel code" not in at or "Kernel data" not in at:
        raise VmlabError("/proc/iomem: expected the resources Kernel code and Kernel data: was it read as root?")
    offset = stext - stext_pa
    code, data = at["Kernel code"], at["Kernel data"]
    return Borders(code["end"] + offset, data["start"] + offset, data["end"] + offset, stext, "iomem")


def from_bzimage(path: Path) -> Borders:
    """The borders from the sections of the ELF file in a bzImage (link-time addresses)."""
    sections, percpu = _sections(payload(path.read_bytes()))
    try:
        text, first, locks, brk = (sections[name] for name in (".text", ".init.text", ".smp_locks", ".brk"))
    except KeyError as missing:
        raise VmlabError(f"{path.name}: expected .text, .init.text, .smp_locks and .brk, no {missing}") from None
    begin = min(first[0], percpu) if percpu else first[0]
    return Borders(begin, locks[0], align_up(brk[0] + brk[1], PAGE_SIZE), text[0], f"ELF sections in {path.name}")


def payload(image: bytes) -> bytes:
    """The ELF file that a bzImage unpacks itself to (Documentation/x86/boot.rst: payload_offset, payload_length)."""
    if len(image) < 0x250 or image[0x202:0x206] != b"HdrS":
        raise VmlabError("expected a bzImage: it has no setup header")
    (sectors,) = struct.unpack_from("<B", image, 0x1F1)
    offset, length = struct.unpack_from("<II", image, 0x248)
    packed = image[(sectors + 1) * 512 + offset :][:length]
    if packed[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor(memlimit=MOST_BYTES * 2).decompress(packed, MOST_BYTES)
    if packed[:2] == b"\x1f\x8b":
        return zlib.decompressobj(31).decompress(packed, MOST_BYTES)
    if packed[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd(packed)
    raise VmlabError(f"the bzImage is packed in a way that is not known here (it begins {packed[:6].hex()})")


def _zstd(packed: bytes) -> bytes:
    """Unpacked by the program zstd: Python has no such module before 3.14."""
    if shutil.which("zstd") is None:
        raise VmlabError("this kernel is packed with zstd. On Debian or Ubuntu: apt-get install zstd")
    done = subprocess.run(["zstd", "-d", "-c", "-M512MB"], input=packed, capture_output=True)
    if not done.stdout.startswith(b"\x7fELF"):  # the payload's length follows the data, and zstd says so
        raise VmlabError(f"zstd cannot unpack this kernel: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout[:MOST_BYTES]


def _sections(elf: bytes) -> tuple[dict[str, tuple[int, int]], int]:
    """{section: (address, size)}, and where the per-CPU segment is linked to, which on x86-64 has address 0."""
    if elf[:4] != b"\x7fELF":
        raise VmlabError("the bzImage holds no ELF file")
    is_64 = elf[4] == 2
    table_at = struct.unpack_from("<Q" if is_64 else "<I", elf, 0x28 if is_64 else 0x20)[0]
    size, count, names_at = struct.unpack_from("<HHH", elf, 0x3A if is_64 else 0x2E)
    row = "<IIQQQQ" if is_64 else "<IIIIII"
    rows = [struct.unpack_from(row, elf, table_at + number * size) for number in range(count)]
    text = rows[names_at][4]
    named = {elf[text + row[0] :].split(b"\0", 1)[0].decode("latin1"): (row[3], row[5]) for row in rows}
    return named, _percpu_address(elf, named) if is_64 else 0


def _percpu_address(elf: bytes, sections: Mapping[str, tuple[int, int]]) -> int:
    """The virtual address at which the per-CPU section is kept in the image: its physical one, seen from the text's."""
    at = struct.unpack_from("<Q", elf, 0x20)[0]
    size, count = struct.unpack_from("<HH", elf, 0x36)
    segments = [struct.unpack_from("<IIQQQ", elf, at + number * size) for number in range(count)]
    loads = [(va, pa) for kind, _, _, va, pa in segments if kind == 1]
    offset = next((va - pa for va, pa in loads if va), 0)
    return next((pa + offset for va, pa in loads if va == 0), 0) if ".data..percpu" in sections else 0
