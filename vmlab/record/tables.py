"""The page tables that were read out of a recorded machine's RAM, as address spaces.

They lie beside the record, in NAME.npz (records/SCHEMA.md): pages of 4096 bytes with their physical addresses,
once for the end of boot, once for the recorded processes, once for each stage of swapping.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arch.formats import page_format
from ..units import PAGE_SIZE, MiB, VmlabError
from .read import Fields

if TYPE_CHECKING:
    import numpy as np

    from ..virtual.address_space import AddressSpace

MOST_BYTES = 256 * MiB  # of one unpacked array: the largest recorded is 9 MiB
MOST_PA = 1 << 42  # 4 TiB
NOWHERE = 1 << 47  # a physical address at which nothing was recorded


def tables_path(record: Path) -> Path | None:
    """The tables of a record file: beside it, or in the folder `tables` beside the records' own."""
    name = record.name.removesuffix(".json.gz") + ".npz"
    near = (record.with_name(name), record.parent.parent / "tables" / name)
    return next((path for path in near if path.is_file()), None)


class Tables:
    """The recorded page-table pages of one machine."""

    def __init__(self, data: dict[str, Any], record: Path) -> None:
        self.data, self.record = data, record
        self._stores: dict[tuple[str, ...], Any] = {}
        self._file: dict[str, np.ndarray] | None = None

    def address_space(self, process: str, stage: str = "xlate", *, pti_user: bool = False) -> AddressSpace:
        """The address space of a recorded process, user and kernel half.

        `stage` is "xlate" or one of "swap1" to "swap4". `pti_user` takes the second root that the CPU uses in
        user mode where page tables are isolated. On formats with two roots the kernel's half is that of the
        end of boot.
        """
        from ..virtual.address_space import AddressSpace

        translation = self._stage(stage)
        roots = translation.fields("roots")
        if process not in roots.data:
            raise VmlabError(f"process: expected one of {', '.join(roots.data)}, got {process!r}")
        row = roots.fields(process)
        fmt = page_format(self._page_tables().text("format"))
        if pti_user:
            if "pti_user_root_pa" not in row.data:
                raise VmlabError(f"{process} has no second root: this machine ran without page-table isolation")
            return AddressSpace(fmt, self.frames(f"spin_{process}_ptiuser"), row.integer("pti_user_root_pa"))
        if fmt.two_roots:
            high = self._page_tables().integer("kernel_root_pa")
            return AddressSpace(fmt, self.frames(stage, "boot"), row.integer("root_pa"), high)
        return AddressSpace(fmt, self.frames(stage), row.integer("root_pa"))

    def kernel_space(self) -> AddressSpace:
        """The kernel's own tables (swapper_pg_dir, init_top_pgt) at the end of boot."""
        from ..virtual.address_space import AddressSpace

        rows = self._page_tables()
        root = rows.integer("kernel_root_pa")
        fmt = page_format(rows.text("format"))
        if fmt.two_roots:  # the lower half belongs to some process: an address there finds no table
            return AddressSpace(fmt, self.frames("boot"), NOWHERE, root)
        return AddressSpace(fmt, self.frames("boot"), root)

    def _page_tables(self) -> Fields:
        return Fields(self.data.get("page_tables"), "page_tables")

    def _stage(self, stage: str) -> Fields:
        if stage == "xlate":
            return Fields(self.data.get("translation"), "translation")
        swap = Fields(self.data.get("swap"), "swap")
        if stage not in swap.data:
            raise VmlabError(f"stage: expected xlate, {', '.join(swap.data)}; got {stage!r}")
        return swap.fields(stage)

    def frames(self, *stages: str) -> Any:
        """The pages of the first stage, and from the later ones those that it lacks."""
        from ..virtual.frames import FrameStore

        if stages not in self._stores:
            store = FrameStore(page_format(self._page_tables().text("format")).entry_bytes)
            for stage in stages:
                store.fill(*self._pages(stage))
            self._stores[stages] = store
        return self._stores[stages]

    def _pages(self, stage: str) -> tuple[np.ndarray, np.ndarray]:
        """(frame numbers, bytes) of one stage, checked."""
        import numpy as np

        arrays, path = self._arrays()
        pas, data = arrays.get(f"{stage}_pa"), arrays.get(f"{stage}_data")
        if pas is None or data is None:
            raise VmlabError(f"{path}: no pages of stage {stage!r} in it: record the machine again")
        if pas.dtype != np.uint64 or data.dtype != np.uint8 or data.shape != (len(pas), PAGE_SIZE) or pas.ndim != 1:
            raise VmlabError(f"{path}: {stage}: expected n addresses (uint64) and n pages of {PAGE_SIZE} bytes (uint8)")
        if (pas % np.uint64(PAGE_SIZE)).any() or (pas >= np.uint64(MOST_PA)).any() or len(np.unique(pas)) < len(pas):
            raise VmlabError(f"{path}: {stage}_pa: expected different page-aligned addresses below 4 TiB")
        return (pas >> np.uint64(12)).astype(np.int64), data

    def _arrays(self) -> tuple[dict[str, np.ndarray], Path]:
        path = tables_path(self.record)
        if path is None:
            name = self.record.name.removesuffix(".json.gz") + ".npz"
            raise VmlabError(f"no page tables for {self.record.name}: expected {name} beside it; copy it there")
        if self._file is None:
            self._file = _load(path)
        return self._file, path


def _load(path: Path) -> dict[str, np.ndarray]:
    """Every array of the file but the free lists; nothing in it is executed or trusted to be small."""
    import numpy as np

    try:
        with zipfile.ZipFile(path) as packed:
            for item in packed.infolist():
                if item.file_size > MOST_BYTES:
                    raise VmlabError(f"{path}: {item.filename} would be {item.file_size} bytes: not a record's tables")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name.endswith(("_pa", "_data"))}
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as bad:
        raise VmlabError(f"{path}: the file is damaged ({bad}): copy it again") from None
    except ValueError as bad:
        if isinstance(bad, VmlabError):
            raise
        raise VmlabError(f"{path}: not a file of page tables ({bad}): copy it again") from None
