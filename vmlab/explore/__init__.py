"""Explorers: controls mapped to a view's arguments, one explorer per lesson."""

from .controls import Choice, Entry, Slider
from .explorer import Explorer, Scene

__all__ = ["Choice", "Entry", "Explorer", "Scene", "Slider"]
