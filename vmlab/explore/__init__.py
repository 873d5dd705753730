"""Explorers: controls mapped to a view's arguments, one explorer per lesson."""

from .controls import Choice, Entry, Slider
from .explorer import Explorer, Scene
from .mem_map import mem_map_explorer

__all__ = ["Choice", "Entry", "Explorer", "Scene", "Slider", "mem_map_explorer"]
