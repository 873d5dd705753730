"""The learner's own kernel's addresses, as far as it tells them; a recorded PC's where it does not.

Four files, read-only: /proc/kallsyms (zeros without CAP_SYSLOG: kernel/kallsyms.c), /proc/iomem (zeros without
CAP_SYS_ADMIN: kernel/resource.c), /proc/vmallocinfo (root only; addresses are hashed: %p, lib/vsprintf.c), and the
process's own /proc/self/maps. Left out: /proc/kcore, whose program headers tell root all the bases.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..arch.x86.layout64 import START_KERNEL_MAP
from ..procfs import parse_maps, read_iomem
from ..record import load_machine
from ..units import MiB, VmlabError, group_hex
from ..views import Table
from .own_slab import Own

SAMPLE = "amd64-pc-2g-kaslr"
LINKED_TEXT = START_KERNEL_MAP + 16 * MiB  # where _text is without KASLR
UPPER = 1 << 63


class Row(NamedTuple):
    """What was asked for, the file, the answer, and what follows from it."""

    what: str
    file: str
    value: str
    follows: str


def own_layout(proc: Path = Path("/proc")) -> Own:
    """What this machine tells of its addresses; a recorded PC with KASLR if it tells nothing of the kernel's."""
    symbols = _try(lambda: kernel_symbols(proc / "kallsyms"))
    image = _try(lambda: _image_pa(proc / "iomem"))
    rows = [*_kernel_rows(symbols, image), _vmalloc_row(proc / "vmallocinfo"), _own_row(proc / "self" / "maps")]
    if isinstance(symbols, str):
        says = (f"Shown: a sample, the recorded PC {SAMPLE}, below your own, because: {symbols}.",)
        rows += _sample_rows()
    else:
        says = (f"Shown: your own machine, Linux {platform.release()}, read-only from {proc}.",)
    return Own(says, Table(("what", "read from", "says", "so"), rows))


def kernel_symbols(path: Path) -> dict[str, int]:
    """Address of _text, of the first module's first symbol as "module"; refuses a file of zeros, with the reason."""
    found: dict[str, int] = {}
    try:
        with path.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                address, _, name, *module = line.split()[:4]
                key = "module" if module else name
                if key in ("_text", "module", "page_offset_base"):
                    found.setdefault(key, int(address, 16))
    except (OSError, ValueError) as bad:
        raise VmlabError(f"{path} cannot be read ({getattr(bad, 'strerror', None) or bad})") from None
    if not found.get("_text"):
        raise VmlabError(f"{path} shows zeros for addresses: it takes root, or kernel.kptr_restrict=0")
    return found


def _image_pa(path: Path) -> int:
    """Physical address of the kernel's code."""
    code = [row for row in read_iomem(path) if row.name.strip() == "Kernel code"]
    if not code or not code[0].start:
        raise VmlabError(f"{path} shows no address of the kernel's code: it takes root")
    return code[0].start


def _try(read: Callable[[], object]) -> object:
    """The value, or why there is none."""
    try:
        return read()
    except VmlabError as bad:
        return str(bad).partition(";")[0]


def _kernel_rows(symbols: object, image: object) -> list[Row]:
    """What kallsyms and iomem say together."""
    if not isinstance(symbols, dict):
        return [Row("_text, the kernel's first byte", "kallsyms", "not told", str(symbols))]
    text = symbols["_text"]
    rows = [Row("_text, the kernel's first byte", "kallsyms", group_hex(text), moved_by(text))]
    if isinstance(image, int):
        offset = group_hex((text - image) % (1 << 64))
        rows.append(Row("its physical address", "iomem", group_hex(image), f"va − pa of the image is {offset}"))
    else:
        rows.append(Row("its physical address", "iomem", "not told", str(image)))
    if "module" in symbols:
        above = "above" if symbols["module"] > text else "below"
        rows.append(Row("a module", "kallsyms", group_hex(symbols["module"]), f"{above} the image: the modules' area"))
    if "page_offset_base" in symbols:
        where = group_hex(symbols["page_offset_base"])
        rows.append(
            Row("page_offset_base, the variable", "kallsyms", where, "its content is where the direct map begins")
        )
    return rows


def moved_by(text: int) -> str:
    """What the address of _text says about KASLR on x86-64; elsewhere only that it is a kernel address."""
    if START_KERNEL_MAP <= text < START_KERNEL_MAP + (1 << 30):
        steps = (text - LINKED_TEXT) // (2 * MiB)
        return "where it was linked to: no KASLR" if not steps else f"KASLR moved the image by {steps} × 2 MiB"
    return "an address of the kernel's half" if text >= UPPER else "a kernel address"


def _vmalloc_row(path: Path) -> Row:
    """The lowest vmalloc area, where addresses are shown and not hashed."""
    what = "the lowest vmalloc area"
    try:
        starts = [int(found, 16) for found in re.findall(r"(?m)^0x([0-9a-f]+)-", path.read_text(encoding="ascii"))]
    except (OSError, ValueError) as bad:
        return Row(what, "vmallocinfo", "not told", f"cannot be read ({getattr(bad, 'strerror', None) or bad})")
    kernel = [start for start in starts if start >= UPPER or sys.maxsize < UPPER >> 32]  # hash values have 32 bits
    if not kernel:
        return Row(what, "vmallocinfo", "hashed", f"{len(starts)} areas, but the addresses printed are hash values")
    return Row(what, "vmallocinfo", group_hex(min(kernel)), "vmalloc space begins there or a little below")


def _own_row(path: Path) -> Row:
    """An address of this Python process."""
    here = id(object())
    try:
        mappings = parse_maps(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except (OSError, VmlabError):
        return Row("a Python object of yours", "id()", group_hex(here), "a user address")
    inside = next((m for m in mappings if m.start <= here < m.end), None)
    name = inside.path or "anonymous memory" if inside else "no mapping"
    return Row("a Python object of yours", "self/maps", group_hex(here), f"a user address, in {name}")


def _sample_rows() -> list[Row]:
    """The same of a recorded machine."""
    recorded = load_machine(SAMPLE).recorded
    data = recorded.data if recorded else {}
    text = data["symbols"]["_text"]
    lowest = min(row["start"] for row in data["vmallocinfo"])
    rows = _kernel_rows({"_text": text["va"]}, text["pa"])
    rows.append(Row("the lowest vmalloc area", "vmallocinfo", group_hex(lowest), "vmalloc space begins there"))
    base = data["layout"]["page_offset"]["value"]
    rows.append(Row("page_offset_base, its content", "guest RAM", group_hex(base), "where the direct map begins"))
    return [row._replace(what=f"sample: {row.what}") for row in rows]
