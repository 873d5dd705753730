"""Memory references of real programs, page by page: what a TLB, or the choice of a page to evict, is tried on.

A trace is the order in which one program touched its pages: instruction fetches, loads and stores, as recorded
by valgrind's lackey while the program ran. Each file says which program, which arguments, which tool and when.

Left out: the kernel's own references, those of other processes and of child processes, and speculation. A
reference that repeats the page and the kind of the one before it is counted but not kept: it would find its
page in the same place, so no count of misses changes.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..units import PAGE_SHIFT, PAGE_SIZE, MiB, VmlabError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["COUNTS", "FETCH", "KINDS", "LOAD", "STORE", "Trace", "load_trace", "trace_path", "traces"]

SHIPPED = Path(__file__).parent.parent / "traces"
SUFFIX = ".npz"
FORMAT = 1
MAX_BYTES = 512 * MiB  # unpacked; a trace of 64 million references has 320 MiB

KINDS = ("fetch", "load", "store")
FETCH, LOAD, STORE = range(3)
COUNTS = ("fetches", "loads", "stores")
PROVENANCE = ("program", "arguments", "tool", "date")


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One program's references in order: `page[i]` indexes `vpns`, `kind[i]` indexes KINDS."""

    name: str
    page: np.ndarray  # uint32: dense numbers, in the order in which pages were first touched
    kind: np.ndarray  # uint8: FETCH, LOAD or STORE
    vpns: np.ndarray  # uint64: virtual page numbers, va >> 12
    about: dict[str, Any] = field(default_factory=dict)  # program, arguments, tool, date, counts

    def __len__(self) -> int:
        """References kept."""
        return len(self.page)

    @property
    def references(self) -> int:
        """References that the program made, those included that repeat the one before them."""
        return sum(int(self.about[count]) for count in COUNTS)

    @property
    def repeats(self) -> int:
        """References that are counted and not kept; each would hit in any TLB."""
        return self.references - len(self)

    @property
    def footprint(self) -> int:
        """Bytes of all pages that were touched."""
        return len(self.vpns) * PAGE_SIZE

    @property
    def vas(self) -> np.ndarray:
        """The first byte of each referenced page, in order (uint64)."""
        import numpy as np

        return (self.vpns << np.uint64(PAGE_SHIFT))[self.page]

    def only(self, *kinds: int) -> Trace:
        """The references of some kinds: `trace.only(LOAD, STORE)` is what a TLB for data sees."""
        import numpy as np

        keep = np.isin(self.kind, kinds)
        about = dict(self.about)
        for number, count in enumerate(COUNTS):
            about[count] = about[count] if number in kinds else 0
        return Trace(self.name, self.page[keep], self.kind[keep], self.vpns, about)

    def part(self, start: int, end: int) -> Trace:
        """The kept references `start` to `end`, such as what a process does in one turn; counts are of these."""
        page, kind = self.page[start:end], self.kind[start:end]
        about = self.about | {count: int((kind == number).sum()) for number, count in enumerate(COUNTS)}
        return Trace(self.name, page, kind, self.vpns, about)

    def tell(self) -> str:
        """Where the trace is from, in three lines."""
        what = self.about
        return (
            f"{self.name}: {what['program']} {what['arguments']}".rstrip()
            + f"\n{self.references:,} references ({what['fetches']:,} fetches, {what['loads']:,} loads, "
            f"{what['stores']:,} stores) to {len(self.vpns):,} pages"
            f"\nrecorded {what['date']} with {what['tool']}"
        )


def traces() -> list[str]:
    """Names of the traces that ship with the package."""
    return sorted(path.name.removesuffix(SUFFIX) for path in SHIPPED.glob(f"*{SUFFIX}"))


def trace_path(name: str) -> Path:
    """The file behind a shipped trace's name, or `name` itself if it is the path of a file."""
    shipped = SHIPPED / f"{name}{SUFFIX}"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        raise VmlabError(
            f"no trace and no file is called {name!r}: expected one of {', '.join(traces())}, "
            "or a file that `vmlab trace` wrote"
        )
    return path


def load_trace(name: str) -> Trace:
    """A trace, by name or by the path of a file that `vmlab trace` wrote. A damaged file is a VmlabError."""
    import numpy as np

    path = trace_path(str(name))
    _refuse_bombs(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            page, kind, vpns = (file[key] for key in ("page", "kind", "vpns"))
            about = json.loads(bytes(file["about"]))
    except KeyError as bad:
        raise VmlabError(f"{path.name}: not a trace: {bad.args[0]}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RecursionError) as bad:
        raise VmlabError(f"{path.name}: cut short or damaged ({bad}): copy it or record it again") from None
    _check(path.name, page, kind, vpns, about)
    return Trace(path.name.removesuffix(SUFFIX), page, kind, vpns, about)


def _refuse_bombs(path: Path) -> None:
    """Refuse what is no archive, or unpacks to more than a trace can be."""
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(member.file_size for member in file.infolist())
    except (OSError, zipfile.BadZipFile) as bad:
        raise VmlabError(f"{path.name}: not a trace: expected an .npz file, got something else ({bad})") from None
    if size > MAX_BYTES:
        raise VmlabError(f"{path.name}: larger than {MAX_BYTES} bytes unpacked: not a trace")


def _check(name: str, page: np.ndarray, kind: np.ndarray, vpns: np.ndarray, about: Any) -> None:
    """Say which part of a trace is not what it should be."""
    for what, array, dtype in (("page", page, "uint32"), ("kind", kind, "uint8"), ("vpns", vpns, "uint64")):
        if array.dtype != dtype or array.ndim != 1:
            raise VmlabError(f"{name}: {what}: expected a row of {dtype}, got {array.ndim} x {array.dtype}")
    if len(page) != len(kind) or not len(page):
        raise VmlabError(f"{name}: expected as many kinds as pages, and some: got {len(kind)} and {len(page)}")
    if page.max() >= len(vpns):
        raise VmlabError(f"{name}: page: expected numbers below {len(vpns)}, got {page.max()}")
    if kind.max() >= len(KINDS):
        raise VmlabError(f"{name}: kind: expected 0 to {len(KINDS) - 1}, got {kind.max()}")
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise VmlabError(f"{name}: about.format: expected {FORMAT}: record the trace again with this vmlab")
    for key in (*PROVENANCE, *COUNTS):
        wanted = int if key in COUNTS else str
        if not isinstance(about.get(key), wanted) or isinstance(about.get(key), bool):
            raise VmlabError(f"{name}: about.{key}: expected {wanted.__name__}, got {about.get(key)!r}")
    if sum(about[count] for count in COUNTS) < len(page):
        raise VmlabError(f"{name}: about: the counts are smaller than the {len(page)} references kept")
