"""What the tests of slabs share: recorded slabinfo, a page allocator to watch, caches of their own."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import vmlab as vm
from vmlab.physical.slab import KmemCache
from vmlab.physical.slab_caches import SlabAllocator
from vmlab.physical.slab_page import Frames
from vmlab.physical.slab_size import CpuRules, SlabFlag, calculate_alignment, calculate_sizes
from vmlab.physical.zonelist import NoPage, Page

HERE = Path(__file__).parent
EXTRACT = HERE / "records" / "slabinfo" / "slabinfo.json.gz"
BASE = 0xFFFF_8880_0000_0000


@cache
def extract() -> dict[str, dict]:
    """/proc/slabinfo of every recorded kernel that has SLUB, and what its boot log says of CPUs and cache line."""
    return json.loads(gzip.decompress(EXTRACT.read_bytes()))


@cache
def machine(name: str) -> vm.Machine:
    known = name if name in vm.machines() else str(HERE / "records" / f"{name}.json.gz")
    return replace(vm.load_machine(known), possible_cpus=extract()[name]["cpus"])


@cache
def fresh(name: str) -> vm.Kernel:
    known = name if name in vm.machines() else str(HERE / "records" / f"{name}.json.gz")
    return vm.boot(vm.load_machine(known))


class FakeFrames:
    """A page allocator that gives ascending frames and knows which are out."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.next, self.most = 16, most
        self.out: dict[int, Page] = {}
        self.asked: list[tuple[int, str | int]] = []  # (order, gfp) of every request
        self.given_back: list[int] = []

    def alloc(self, order: int, gfp: str | int) -> Page | NoPage:
        self.asked.append((order, gfp))
        if sum(1 << page.order for page in self.out.values()) + (1 << order) > self.most:
            return NoPage(order, str(gfp), ())
        pfn = -(-self.next >> order) << order
        self.next = pfn + (1 << order)
        self.out[pfn] = Page(pfn, order, 0, "Normal", "low")
        return self.out[pfn]

    def free(self, page: Page) -> None:
        assert self.out.pop(page.pfn) == page
        self.given_back.append(page.pfn)


def make(size: int = 512, rules: CpuRules | None = None, most: int = 1 << 20, seed: int = 0, **more):
    """A cache of its own, and the frames it lives on."""
    fake, rules = FakeFrames(most), rules or CpuRules()
    family = more.pop("family", SlabFlag.NONE)
    align = calculate_alignment(family, more.pop("align", 0), size, rules)
    sizes = calculate_sizes(size, align, family, ctor=more.get("ctor", False), word=rules.word)
    return KmemCache("test", sizes, family, rules, Frames(fake.alloc, fake.free, BASE), seed=seed, **more), fake


def allocator(**more) -> SlabAllocator:
    fake = FakeFrames()
    return SlabAllocator(CpuRules(), Frames(fake.alloc, fake.free, BASE), **more)
