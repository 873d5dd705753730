"""vmlab: how Linux manages memory, as a model that real kernels judge.

Importing this package is light: numba, matplotlib and ipywidgets load when something needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import procfs
from .kernel import Kernel, boot
from .machine import Machine
from .parts import BootCall, Config, Image, Region
from .physical.page_list import PageList
from .record import load_machine, machines
from .trace import Trace, load_trace, traces
from .units import GiB, KiB, MiB, TiB, VmlabError
from .virtual.context import Cpu, Mm, Task
from .virtual.tlb import Tlb

if TYPE_CHECKING:
    from .virtual.page_table import PageTable

__all__ = [
    "BootCall",
    "Config",
    "Cpu",
    "GiB",
    "Image",
    "Kernel",
    "KiB",
    "Machine",
    "MiB",
    "Mm",
    "PageList",
    "PageTable",
    "Region",
    "Task",
    "TiB",
    "Tlb",
    "Trace",
    "VmlabError",
    "boot",
    "load_machine",
    "load_trace",
    "machines",
    "procfs",
    "traces",
]


_LATER = {"PageTable": "virtual.page_table"}  # names whose modules need numpy: imported when first asked for


def __getattr__(name: str) -> Any:
    """Import what is heavy only when somebody uses it."""
    if name not in _LATER:
        raise AttributeError(f"module 'vmlab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
