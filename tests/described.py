"""Machines described by hand, for Hypothesis to vary: every architecture, banks, holes, nodes, parameters."""

from __future__ import annotations

from hypothesis import strategies as st

import vmlab as vm

PAGES = st.integers(1, 1 << 16)  # of 4 KiB, so up to 256 MiB
FIRST = st.integers(24 << 8, 3 << 18)  # a first bank of 24 MiB .. 3 GiB holds kernel and boot allocations
WORDS = (
    "vmalloc=128M",
    "vmalloc=512M",
    "highmem=128M",
    "movablecore=64M",
    "kernelcore=25%",
    "log_buf_len=1M",
    "cma=8M",
)
CMDLINE = st.lists(st.sampled_from(WORDS), unique=True, max_size=3).map(" ".join)


def banks(first_pfn: int, first: int, more: list[tuple[int, int]], nodes: int) -> list[vm.Region]:
    """A first bank and further ones after holes, (hole, size) in pages; the last ones on other nodes."""
    spans = [(first_pfn, first_pfn + first)]
    for hole, size in more:
        start = spans[-1][1] + hole
        spans.append((start, start + size))
    node = [max(0, nodes - len(spans) + number) for number in range(len(spans))]
    return [vm.Region(a << 12, (b - a) << 12, node=n) for (a, b), n in zip(spans, node, strict=True)]


@st.composite
def machines(draw: st.DrawFn, archs: tuple[str, ...] = ("arm", "i386", "amd64", "arm64")) -> vm.Machine:
    """A machine that boots: its kernel lies in the first bank."""
    name = draw(st.sampled_from(archs))
    formats = {
        "arm": ("arm-short", "arm-lpae"),
        "i386": ("x86-32", "x86-pae"),
        "amd64": ("x86-64-4", "x86-64-5"),
        "arm64": ("arm64-4k-48",),
    }[name]
    config = vm.Config(format=draw(st.sampled_from(formats)))
    first_pfn = {"arm": 0x40000, "arm64": 0x40000}.get(name, 0x100)
    first = draw(FIRST.filter(lambda pages: pages >= 64 << 8))
    more = draw(st.lists(st.tuples(PAGES, PAGES), max_size=3))
    nodes = draw(st.integers(1, 2)) if config.format in ("x86-64-4", "arm64-4k-48") else 1
    ram = banks(first_pfn, first, more, nodes - 1)
    if name in ("i386", "amd64"):
        ram = [vm.Region(0, 0x9FC00), *ram]
    limit = 1 << 32 if config.format in ("arm-short", "x86-32") else 1 << 36
    ram = [region for region in ram if region.end <= limit]
    return vm.Machine(arch=name, ram=tuple(ram), config=config, cmdline=draw(CMDLINE), cpus=draw(st.integers(1, 4)))
