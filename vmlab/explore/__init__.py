"""Explorers: controls mapped to a view's arguments, one explorer per lesson."""

from .actions import Actions
from .address import address_explorer, kernels_explorer
from .buddy import buddy_explorer
from .controls import Choice, Entry, Slider
from .explorer import Explorer, Scene
from .first_look import first_explorer, first_picture, your_lessons
from .formats import formats_explorer
from .highmem import local_explorer, window_explorer
from .live import live_explorer
from .mem_map import mem_map_explorer
from .moves import page_explorer, race_explorer
from .own_highmem import own_highmem
from .own_layout import own_layout
from .own_moves import own_moves
from .own_reclaim import own_reclaim
from .own_record import own_record
from .own_slab import own_areas, own_caches
from .own_swap import own_swap
from .own_tlb import own_features, own_strides
from .replacement import sizes_explorer, steps_explorer
from .slab import objects_explorer, order_explorer, vmalloc_explorer
from .swap import swap_explorer
from .tlb import geometry_explorer, lookup_explorer
from .tlb_switch import switch_explorer
from .translation import translation_explorer
from .zones import boot_explorer, zones_explorer

__all__ = [
    "Actions",
    "Choice",
    "Entry",
    "Explorer",
    "Scene",
    "Slider",
    "address_explorer",
    "boot_explorer",
    "buddy_explorer",
    "first_explorer",
    "first_picture",
    "formats_explorer",
    "geometry_explorer",
    "kernels_explorer",
    "live_explorer",
    "local_explorer",
    "lookup_explorer",
    "mem_map_explorer",
    "objects_explorer",
    "order_explorer",
    "own_areas",
    "own_caches",
    "own_features",
    "own_highmem",
    "own_layout",
    "own_moves",
    "own_reclaim",
    "own_record",
    "own_strides",
    "own_swap",
    "page_explorer",
    "race_explorer",
    "sizes_explorer",
    "steps_explorer",
    "swap_explorer",
    "switch_explorer",
    "translation_explorer",
    "vmalloc_explorer",
    "window_explorer",
    "your_lessons",
    "zones_explorer",
]
