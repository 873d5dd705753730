"""gfp flags: what a request for pages asks for, and the highest zone that may serve it.

Values and combinations are those of Linux 6.1 (include/linux/gfp_types.h); the low four bits choose the zone
(include/linux/gfp.h: GFP_ZONE_TABLE, unchanged since 2.6.31).

Left out: KASAN's and lockdep's bits, and cpusets.
"""

from __future__ import annotations

from functools import lru_cache

from ..units import VmlabError
from .zones import Zones

BITS = {
    "__GFP_DMA": 0x01,
    "__GFP_HIGHMEM": 0x02,
    "__GFP_DMA32": 0x04,
    "__GFP_MOVABLE": 0x08,
    "__GFP_RECLAIMABLE": 0x10,
    "__GFP_HIGH": 0x20,
    "__GFP_IO": 0x40,
    "__GFP_FS": 0x80,
    "__GFP_ZERO": 0x100,
    "__GFP_ATOMIC": 0x200,
    "__GFP_DIRECT_RECLAIM": 0x400,
    "__GFP_KSWAPD_RECLAIM": 0x800,
    "__GFP_WRITE": 0x1000,
    "__GFP_NOWARN": 0x2000,
    "__GFP_RETRY_MAYFAIL": 0x4000,
    "__GFP_NOFAIL": 0x8000,
    "__GFP_NORETRY": 0x10000,
    "__GFP_MEMALLOC": 0x20000,
    "__GFP_COMP": 0x40000,
    "__GFP_NOMEMALLOC": 0x80000,
    "__GFP_HARDWALL": 0x100000,
    "__GFP_THISNODE": 0x200000,
    "__GFP_ACCOUNT": 0x400000,
}
COMBINED = {
    "__GFP_RECLAIM": "__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM",
    "GFP_ATOMIC": "__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM",
    "GFP_KERNEL": "__GFP_RECLAIM | __GFP_IO | __GFP_FS",
    "GFP_KERNEL_ACCOUNT": "GFP_KERNEL | __GFP_ACCOUNT",
    "GFP_NOWAIT": "__GFP_KSWAPD_RECLAIM",
    "GFP_NOIO": "__GFP_RECLAIM",
    "GFP_NOFS": "__GFP_RECLAIM | __GFP_IO",
    "GFP_USER": "__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL",
    "GFP_DMA": "__GFP_DMA",
    "GFP_DMA32": "__GFP_DMA32",
    "GFP_HIGHUSER": "GFP_USER | __GFP_HIGHMEM",
    "GFP_HIGHUSER_MOVABLE": "GFP_HIGHUSER | __GFP_MOVABLE",
}
ZONE_BITS = 0x0F  # GFP_ZONEMASK

# The low four bits to a zone; the second name is taken where the first is not configured (OPT_ZONE_*).
# MOVABLE alone does not select ZONE_MOVABLE: it is also a statement about the page's use.
ZONE_TABLE = {
    0x0: ("Normal",),
    0x1: ("DMA", "Normal"),
    0x2: ("HighMem", "Normal"),
    0x4: ("DMA32", "Normal"),
    0x8: ("Normal",),
    0x9: ("DMA", "Normal"),
    0xA: ("Movable",),
    0xC: ("DMA32", "Normal"),
}


def mask(gfp: str | int) -> int:
    """The bits of a gfp expression.

    >>> hex(mask("GFP_KERNEL | __GFP_ZERO"))
    '0xdc0'
    """
    if isinstance(gfp, int):
        if not 0 <= gfp < 1 << 27:
            raise VmlabError(f"gfp: expected flags below 2**27, got {gfp:#x}")
        return gfp
    return _bits(gfp)


@lru_cache(maxsize=256)
def _bits(words: str) -> int:
    bits = 0
    for word in words.replace("|", " ").split():
        if word not in BITS and word not in COMBINED:
            raise VmlabError(f"gfp: unknown flag {word!r}; expected some of {', '.join((*COMBINED, *BITS))}")
        bits |= BITS[word] if word in BITS else mask(COMBINED[word])
    return bits


def has(gfp: int, flag: str) -> bool:
    """Whether all bits of `flag` are set in `gfp`."""
    return gfp & mask(flag) == mask(flag)


def highest_zone(gfp: int, zones: Zones) -> int:
    """Index of the highest zone that may serve the request, among one node's zones (gfp_zone)."""
    names = ZONE_TABLE.get(gfp & ZONE_BITS)
    if names is None:
        asked = [name for name, bit in BITS.items() if bit & gfp & ZONE_BITS]
        raise VmlabError(
            f"gfp: {' | '.join(asked)} name more than one zone (GFP_ZONE_BAD): expected at most one of "
            "__GFP_DMA, __GFP_DMA32 and __GFP_HIGHMEM"
        )
    index = {zone.name: zone.index for zone in zones}
    return next(index[name] for name in names if name in index)
