"""One area of vmalloc space, what is said when there is none, and what is wrong with an address given back.

Left out: an area's flags beyond what made it, and its description's own memory (struct vm_struct, struct vmap_area).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..physical.zonelist import NoPage, Page
from ..units import VmlabError


class BadArea(VmlabError):
    """An address given back at which no area starts."""


class DoubleVfree(BadArea):
    """An address given back whose area was freed before."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area (struct vm_struct): `start`..`end` has a guard page at its end."""

    start: int
    end: int
    kind: str  # "vmalloc", "ioremap" or "vmap"
    caller: str
    frames: tuple[Page, ...] = ()
    phys: int | None = None

    @property
    def size(self) -> int:
        """Bytes of addresses, guard page included, as /proc/vmallocinfo prints them."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class NoArea:
    """-ENOMEM: addresses or frames ran out. False in a condition."""

    size: int  # bytes asked for
    why: str
    no_page: NoPage | None = None  # what the page allocator said

    def __bool__(self) -> bool:
        return False

    def tell(self) -> str:
        """What the kernel's log says, and why."""
        return self.why + ("\n" + self.no_page.tell() if self.no_page is not None else "")
