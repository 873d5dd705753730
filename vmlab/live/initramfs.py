"""The guest's whole file system: our agent as /init, a console, and a few of the kernel's modules.

The format is cpio's "newc" (Documentation/driver-api/early-userspace/buffer-format.rst), uncompressed.
"""

from __future__ import annotations

import lzma
import re
import stat
from collections.abc import Sequence
from pathlib import Path

FOLDERS = ("dev", "proc", "sys", "mods")


class Archive:
    """A cpio archive being written."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._inode = 0

    def add(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        """Add one entry; `mode` as in stat, `device` for a device node."""
        self._inode += 1
        path = name.encode() + b"\0"
        numbers = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        self._put(b"070701" + b"".join(b"%08X" % number for number in numbers) + path)
        self._put(data)

    def _put(self, data: bytes) -> None:
        self._out += data + bytes(-len(data) % 4)

    def finish(self) -> bytes:
        """The archive."""
        self.add("TRAILER!!!", 0)
        return bytes(self._out)


def build(agent: bytes, modules: Sequence[Path] = ()) -> bytes:
    """An archive with `agent` as /init and `modules` in the order in which they are to be loaded."""
    archive = Archive()
    for folder in FOLDERS:
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("init", stat.S_IFREG | 0o755, agent)
    names = []
    for path in modules:
        names.append(path.name.removesuffix(".xz"))
        archive.add(f"mods/{names[-1]}", stat.S_IFREG | 0o644, module_bytes(path))
    if names:
        archive.add("mods/order", stat.S_IFREG | 0o644, "\n".join([*names, ""]).encode())
    return archive.finish()


def with_dependencies(folder: Path, wanted: Sequence[str]) -> list[Path]:
    """The files of the modules `wanted` below `folder` and of those they need, deepest first.

    Each module says itself what it needs (modinfo's `depends=`), so no index is wanted. A module that this kernel
    does not have (built in, or not built) is left out.
    """
    files = {path.name.split(".ko")[0].replace("-", "_"): path for path in sorted(folder.rglob("*.ko*"))}
    order: list[Path] = []

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        if path is None or path in order:
            return
        for needed in needs(module_bytes(path)):
            add(needed)
        order.append(path)

    for name in wanted:
        add(name)
    return order


def module_bytes(path: Path) -> bytes:
    """A module, unpacked if it is packed."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def needs(module: bytes) -> list[str]:
    """The modules that a module must find loaded.

    >>> needs(b"...\\0license=GPL\\0depends=virtio_ring,virtio\\0...")
    ['virtio_ring', 'virtio']
    """
    found = re.search(rb"\0depends=([\w,-]*)\0", module)
    return [name for name in found[1].decode().split(",") if name] if found else []
