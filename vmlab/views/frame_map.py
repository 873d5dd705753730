"""Every frame of a zone as one pixel: pageblock by pageblock, free, in use, or on a CPU's own list.

White is free and black-blue is in use, so the picture reads in grey; a pageblock's type is a letter beside it.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

from ..physical.buddy import Buddy
from ..physical.free_area import FREE, ON_PCP, USED
from ..physical.migratetype import Migratetype
from ..physical.zones import Zone
from ..units import VmlabError
from . import svg

if TYPE_CHECKING:
    import numpy as np

WIDTH, MARGIN, LETTER, GAP = 920, 14, 14, 4
MOST_BLOCKS = 1024
OUTSIDE, IS_FREE, IS_ON_PCP, IS_USED = range(4)
PALETTE = ("#888888", "#ffffff", "#e69f00", "#17375e")
KEYS = ((IS_FREE, "free"), (IS_ON_PCP, "on a per-CPU list"), (IS_USED, "in use"))
LETTERS = {Migratetype.UNMOVABLE: "U", Migratetype.RECLAIMABLE: "R", Migratetype.HIGHATOMIC: "H", Migratetype.CMA: "C"}


def kinds(buddy: Buddy, zone: Zone) -> np.ndarray:
    """What each frame of the zone is: OUTSIDE (not the page allocator's), IS_FREE, IS_ON_PCP or IS_USED."""
    import numpy as np

    found = np.zeros(zone.spanned_pages + 1, np.int64)
    for kind, name in ((IS_FREE, FREE), (IS_ON_PCP, ON_PCP), (IS_USED, USED)):
        starts, ends = buddy.area_of(zone).spans(name)
        found[starts - zone.start_pfn] += kind
        found[ends - zone.start_pfn] -= kind
    return np.cumsum(found)[:-1].astype(np.uint8)


def pageblock_types(buddy: Buddy, zone: Zone) -> list[Migratetype]:
    """The type of each pageblock, ascending."""
    return buddy.area_of(zone).types(zone.start_pfn & -(1 << buddy.shape.pageblock_order), zone.end_pfn)


def grid(buddy: Buddy, zone: Zone, y: int) -> tuple[list[str], int]:
    """The map as parts of a drawing that begin at `y`, and how high they are."""
    import numpy as np

    pages = 1 << buddy.shape.pageblock_order
    types = pageblock_types(buddy, zone)
    if len(types) > MOST_BLOCKS:
        raise VmlabError(f"zone {zone.name} has {len(types)} pageblocks: expected at most {MOST_BLOCKS}")
    wide = 1 << (buddy.shape.pageblock_order // 2)
    high, pitch = pages // wide, wide + LETTER
    across = (WIDTH - 2 * MARGIN) // pitch
    down = -(-len(types) // across)
    pixels = np.full((down * (high + GAP), across * pitch), IS_FREE, np.uint8)
    frames = np.zeros(len(types) * pages, np.uint8)
    begin = zone.start_pfn % pages
    frames[begin : begin + zone.spanned_pages] = kinds(buddy, zone)
    parts = []
    for number, kind in enumerate(types):
        row, column = divmod(number, across)
        block = frames[number * pages : (number + 1) * pages].reshape(high, wide)
        pixels[row * (high + GAP) : row * (high + GAP) + high, column * pitch : column * pitch + wide] = block
        x, top = MARGIN + column * pitch, y + row * (high + GAP)
        parts.append(f"M{x - 0.5} {top - 0.5}h{wide + 1}v{high + 1}h-{wide + 1}z")
        if kind in LETTERS:
            parts.append(svg.text(x + wide + 2, top + 12, LETTERS[kind], more='font-weight="bold"'))
    frame = "".join(part for part in parts if part[0] == "M")
    words = [part for part in parts if part[0] != "M"]
    size = f'x="{MARGIN}" y="{y}" width="{pixels.shape[1]}" height="{pixels.shape[0]}"'
    data = base64.b64encode(png(pixels)).decode()
    image = f'<image {size} style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    return [image, f'<path d="{frame}" fill="none" stroke="#999"/>', *words], pixels.shape[0]


def legend(buddy: Buddy, zone: Zone, y: int) -> list[str]:
    """What a pixel is, and what the shades and the letters mean, in two rows: at y - 20 and at y."""
    pages = 1 << buddy.shape.pageblock_order
    what = f"Every frame of zone {zone.name} is one pixel, every box a pageblock of {pages} frames, row by row"
    parts, x = [svg.text(MARGIN, y - 20, what, more='font-weight="bold"')], MARGIN
    for kind, words in KEYS:
        parts += [svg.rect(x, y - 10, 12, 12, PALETTE[kind]), svg.text(x + 18, y, words)]
        x += 34 + int(len(words) * 6.7)
    meaning = "pageblock: U UNMOVABLE, R RECLAIMABLE, H HIGHATOMIC, C CMA, no letter MOVABLE"
    return [*parts, svg.text(x + 8, y, meaning)]


def png(pixels: np.ndarray) -> bytes:
    """An indexed PNG of rows of palette numbers."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in PALETTE)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
