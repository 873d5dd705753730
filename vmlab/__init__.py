"""vmlab: how Linux manages memory, as a model that real kernels judge.

Importing this package is light: numba, matplotlib and ipywidgets load when something needs them.
"""

from __future__ import annotations

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
