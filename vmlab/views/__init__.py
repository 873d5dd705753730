"""Pictures of the model: pure functions that take a part of it and return a `Drawing`.

A view imports the model and never `vmlab.study`; it keeps no state and shows nothing by itself.
"""

from .drawing import Drawing, Table
from .ruler import ruler
from .zone_bars import zone_bars

__all__ = ["Drawing", "Table", "ruler", "zone_bars"]
