"""Pictures of the model: pure functions that take a part of it and return a `Drawing`.

A view imports the model and never `vmlab.study`; it keeps no state and shows nothing by itself.
"""

from .address_bits import address_bits
from .address_ruler import address_ruler
from .buddy import buddy_zone, frame_map, free_lists
from .curves import Axis, Curve, curves
from .drawing import Drawing, Table
from .entries import entries
from .format_rows import format_rows
from .highmem import kmap_slots, kmap_window, residents
from .lesson_map import lesson_map
from .live import prediction, verdicts
from .memblock import boot_step, firmware_map
from .moves import page_story, race_bars, ways_compared, who_tells
from .ruler import ruler
from .side_by_side import side_by_side
from .slab import slab_layout, slab_lists
from .swap import swap_story
from .tlb import tlb_grid, walk_bars
from .vmalloc import vmalloc_ruler
from .walk import Lane, lane, stairs
from .zone_bars import zone_bars
from .zones import zone_counts, zone_map, zone_rows

__all__ = [
    "Axis",
    "Curve",
    "Drawing",
    "Lane",
    "Table",
    "address_bits",
    "address_ruler",
    "boot_step",
    "buddy_zone",
    "curves",
    "entries",
    "firmware_map",
    "format_rows",
    "frame_map",
    "free_lists",
    "kmap_slots",
    "kmap_window",
    "lane",
    "lesson_map",
    "page_story",
    "prediction",
    "race_bars",
    "residents",
    "ruler",
    "side_by_side",
    "slab_layout",
    "slab_lists",
    "stairs",
    "swap_story",
    "tlb_grid",
    "verdicts",
    "vmalloc_ruler",
    "walk_bars",
    "ways_compared",
    "who_tells",
    "zone_bars",
    "zone_counts",
    "zone_map",
    "zone_rows",
]
