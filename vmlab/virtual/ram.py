"""What stands in frames: bytes that the model's users wrote, whichever address they wrote them through.

A frame that nobody wrote to reads as zeros and costs nothing.
"""

from __future__ import annotations

from ..units import PAGE_SIZE, VmlabError


class Ram:
    """Contents of frames by number."""

    def __init__(self) -> None:
        self._frames: dict[int, bytearray] = {}

    def read(self, pfn: int, offset: int, size: int) -> bytes:
        """`size` bytes from byte `offset` of a frame; they must lie in that one frame."""
        _check(offset, size)
        held = self._frames.get(pfn)
        return bytes(held[offset : offset + size]) if held else bytes(size)

    def write(self, pfn: int, offset: int, data: bytes) -> None:
        """Put `data` at byte `offset` of a frame."""
        _check(offset, len(data))
        self._frames.setdefault(pfn, bytearray(PAGE_SIZE))[offset : offset + len(data)] = data


def _check(offset: int, size: int) -> None:
    if not 0 <= offset <= offset + size <= PAGE_SIZE:
        raise VmlabError(
            f"bytes {offset} to {offset + size} of a page: expected them to lie in 0 to {PAGE_SIZE}: "
            "the next page is another frame, or none: ask for each page by itself"
        )
