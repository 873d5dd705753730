"""How the kernel reaches a page that the direct map does not: kmap, kmap_local, and what an address shows.

A lowmem page has an address for good and needs no window; on kernels without HighMem all pages are such, and kmap
only looks the address up (Linux 6.1, include/linux/highmem-internal.h). `check` says of an address what it shows now,
and `read` and `write` go through it to the frame as a load or store would: through a pointer that was kept too long
they succeed, and that is the danger.

Left out: caches that alias, TLBs that still hold an entry which was taken out (each way of unmapping flushes them
before the address is used again), and mappings in vmalloc space.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .. import versions
from ..physical.mem_map import MemMap
from ..physical.zonelist import NoPage, Page
from ..physical.zones import Zones
from ..units import PAGE_SHIFT, PAGE_SIZE, VmlabError, group_hex
from .kmap_local import NEWEST, RULES, KmapLocal, Rule
from .layout import Layout
from .pkmap import Pkmap, Waits, Woken
from .ram import Ram


@dataclass(frozen=True, slots=True)
class Seen:
    """What an address shows. `state` is "lowmem", "window", "stale" (mapped, nobody holds it) or "unmapped"."""

    va: int
    state: str
    pfn: int | None
    asked: int | None  # the frame that the pointer was made for, where it was given
    why: str

    @property
    def ok(self) -> bool:
        """Whether the address may be used, for the page that it was made for."""
        return self.state in ("lowmem", "window") and self.asked in (None, self.pfn)


@dataclass(frozen=True, slots=True)
class Fault:
    """A load or store to an address at which nothing is mapped: the kernel's oops. False in a condition."""

    va: int
    why: str

    def __bool__(self) -> bool:
        return False

    def tell(self) -> str:
        """What the kernel's log says."""
        return f"BUG: unable to handle page fault for address: {self.va:08x}: {self.why}"


class HighMem:
    """The windows of one booted kernel; `pkmap` and `local` are None where the kernel has none."""

    def __init__(self, zones: Zones, layout: Layout, mem_map: MemMap, cpus: int) -> None:
        self._zones, self._layout = zones, layout
        self.ram = Ram()
        self.pkmap: Pkmap | None = None
        self.local: KmapLocal | None = None
        at = layout.constants
        if "pkmap_base" in at:
            self.pkmap = Pkmap(at["pkmap_base"], at["last_pkmap"], mem_map.pfn_to_page)
            self.local = KmapLocal(at["fixaddr_top"], at["fix_kmap_begin"], cpus)

    def follow(self, rule: Rule | str = NEWEST) -> None:
        """Hand out kmap_local's slots by the rule of another kernel version, a row of RULES or such as "5.10".

        Refused while any is in use.
        """
        rule = rule if isinstance(rule, Rule) else versions.pick(RULES, rule, "kmap_local's rule")
        if self.local is None:
            raise VmlabError("kmap_local's rule: this kernel has no windows: all its pages are in the direct map")
        if self.local.stacks:
            raise VmlabError("kmap_local's rule: windows are mapped: give them back first")
        self.local = KmapLocal(self.local.top, self.local.begin, self.local.cpus, rule)

    def is_highmem(self, page: Page | int) -> bool:
        """PageHighMem: the zone that the page belongs to is above the direct map."""
        return self._is_high(self._pfn(page, "PageHighMem"))

    def page_address(self, page: Page | int) -> int | None:
        """The address that a page has now: in the direct map, in a window of kmap's, or none."""
        pfn = self._pfn(page, "page_address")
        if self._is_high(pfn):
            return self._pool().addresses.find(pfn)
        return self._layout.phys_to_virt(pfn << PAGE_SHIFT)

    def kmap(self, page: Page | NoPage | int, task: str = "current") -> int | Waits:
        """An address for a page, for as long as the caller wants; Waits, which is false, where the task sleeps."""
        pfn = self._pfn(page, "kmap")
        return self._pool().kmap(pfn, task) if self._is_high(pfn) else self._direct(pfn)

    def kunmap(self, page: Page | NoPage | int, task: str = "current") -> tuple[Woken, ...]:
        """Give a page's window back; returns what became of the tasks that it woke. It takes a page, no address."""
        pfn = self._pfn(page, "kunmap")
        return self._pool().kunmap(pfn, task) if self._is_high(pfn) else ()

    @contextmanager
    def kmap_local(self, page: Page | NoPage | int, cpu: int = 0) -> Iterator[int]:
        """`with kmap_local(page) as va:` a window for the task on `cpu`, given back at the end of the block."""
        va = self.kmap_local_page(page, cpu)
        try:
            yield va
        finally:
            self.kunmap_local(va, cpu)

    def kmap_local_page(self, page: Page | NoPage | int, cpu: int = 0, kind: str = "") -> int:
        """The same without a block: to be given back with kunmap_local, the last one first."""
        pfn = self._pfn(page, "kmap_local_page")
        return self._slots().map(pfn, cpu, kind) if self._is_high(pfn) else self._direct(pfn)

    def kunmap_local(self, va: int, cpu: int = 0) -> None:
        """Give back what kmap_local_page returned. It takes an address, no page; one of lowmem needs nothing."""
        if isinstance(va, Page) or not isinstance(va, int):
            raise VmlabError(f"kunmap_local: expected the address that kmap_local_page returned, got {va!r}")
        if self.local is not None and self.local.holds(va):
            self.local.unmap(va, cpu)
        elif self._layout.classify(va).area.name != "direct map":
            raise VmlabError(
                f"kunmap_local({group_hex(va)}): expected an address that kmap_local_page returned: "
                "this one is no slot of it; kmap's windows go back with kunmap(page)"
            )

    def check(self, va: int, page: Page | int | None = None) -> Seen:
        """What an address shows now; with `page`, whether that is still the page the pointer was made for."""
        asked = None if page is None else self._pfn(page, "check")
        state, pfn, why = self._seen(va)
        if pfn is not None and asked not in (None, pfn):
            why += f"; the pointer was made for frame {asked:#x}: the window has moved on"
        return Seen(va, state, pfn, asked, why)

    def _seen(self, va: int) -> tuple[str, int | None, str]:
        pool, local = self.pkmap, self.local
        if pool is not None and pool.base <= va < pool.end:
            slot = pool.number(va)
            count, pfn = pool.counts[slot], pool.frames[slot]
            if count == 0:
                return "unmapped", None, f"slot {slot} was flushed: nothing is mapped there"
            if count == 1:
                why = f"slot {slot} shows frame {pfn:#x}, but nobody holds it: the next wrap takes it away"
                return "stale", pfn, why
            users = "1 user" if count == 2 else f"{count - 1} users"
            return "window", pfn, f"slot {slot} shows frame {pfn:#x} for {users}"
        if local is not None and local.holds(va):
            pfn = local.entries.get(local.slot(va))
            if pfn is None:
                return "unmapped", None, "a slot of kmap_local with nothing in it"
            return "window", pfn, f"a slot of kmap_local, which shows frame {pfn:#x} while its task runs"
        found = self._layout.classify(va)
        if found.area.name == "direct map" and found.pa is not None:
            return "lowmem", found.pa >> PAGE_SHIFT, "the direct map: this address never changes"
        return "unmapped", None, f"no window and no lowmem: {found.reason}"

    def read(self, va: int, size: int = 1) -> bytes | Fault:
        """What a load of `size` bytes from an address gives; Fault, which is false, where nothing is mapped."""
        _, pfn, why = self._seen(va)
        return Fault(va, why) if pfn is None else self.ram.read(pfn, va % PAGE_SIZE, size)

    def write(self, va: int, data: bytes) -> Fault | None:
        """Store `data` at an address; Fault where nothing is mapped."""
        _, pfn, why = self._seen(va)
        if pfn is None:
            return Fault(va, why)
        self.ram.write(pfn, va % PAGE_SIZE, data)
        return None

    def _is_high(self, pfn: int) -> bool:
        zone = self._zones.of(pfn)
        return zone is not None and zone.highmem

    def _direct(self, pfn: int) -> int:
        return self._layout.phys_to_virt(pfn << PAGE_SHIFT)

    def _pool(self) -> Pkmap:
        assert self.pkmap is not None, "HighMem zones exist only on kernels with the window"
        return self.pkmap

    def _slots(self) -> KmapLocal:
        assert self.local is not None, "HighMem zones exist only on kernels with the window"
        return self.local

    def _pfn(self, page: object, call: str) -> int:
        """The frame of a page; refuses what is no page, and says what it looks like."""
        if isinstance(page, NoPage):
            raise VmlabError(f"{call}: expected a page, got a failed allocation: test `if page:` first")
        if isinstance(page, bool) or not isinstance(page, (Page, int)):
            raise VmlabError(f"{call}: expected a page or a frame number, got {page!r}")
        pfn = int(page)
        if self._zones.of(pfn) is not None:
            return pfn
        pool = self.pkmap
        if pfn >= self._layout.page_offset or (pool is not None and pool.base <= pfn < pool.end):
            hint = "; kunmap takes the page, kunmap_local takes the address" if call == "kunmap" else ""
            raise VmlabError(f"{call}({group_hex(pfn)}): expected a page, got what looks like an address{hint}")
        raise VmlabError(f"{call}: frame {pfn:#x} has no struct page: no zone holds it")
