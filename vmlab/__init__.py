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
    from .process.file import File
    from .process.memory import Memory
    from .process.process import Process
    from .process.swap_entry import SwapEntry
    from .virtual.page_table import PageTable

__all__ = [
    "BootCall",
    "Config",
    "Cpu",
    "File",
    "GiB",
    "Image",
    "Kernel",
    "KiB",
    "Machine",
    "Memory",
    "MiB",
    "Mm",
    "PageList",
    "PageTable",
    "Process",
    "Region",
    "SwapEntry",
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


_LATER = {  # names whose modules are heavy, or seldom wanted: imported when first asked for
    "File": "process.file",
    "Memory": "process.memory",
    "PageTable": "virtual.page_table",
    "Process": "process.process",
    "SwapEntry": "process.swap_entry",
}


def __getattr__(name: str) -> Any:
    """Import what is heavy only when somebody uses it."""
    if name not in _LATER:
        raise AttributeError(f"module 'vmlab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LATER[name]}", __name__), name)
