"""vmlab: how Linux manages memory, as a model that real kernels judge.

Importing this package is light: what a name needs is loaded when the name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .units import GiB, KiB, MiB, TiB, VmlabError

if TYPE_CHECKING:
    from . import procfs
    from .kernel import Kernel, boot
    from .machine import Machine
    from .parts import BootCall, Config, Image, Region
    from .physical.page_list import PageList
    from .process.file import File
    from .process.memory import Memory
    from .process.process import Process
    from .process.swap_entry import SwapEntry
    from .record import load_machine, machines
    from .trace import Trace, load_trace, traces
    from .virtual.context import Cpu, Mm, Task
    from .virtual.page_table import PageTable
    from .virtual.tlb import Tlb

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


_PLACES = {  # where each name is defined: its module is imported when the name is first asked for
    "kernel": ("Kernel", "boot"),
    "machine": ("Machine",),
    "parts": ("BootCall", "Config", "Image", "Region"),
    "physical.page_list": ("PageList",),
    "process.file": ("File",),
    "process.memory": ("Memory",),
    "process.process": ("Process",),
    "process.swap_entry": ("SwapEntry",),
    "record": ("load_machine", "machines"),
    "trace": ("Trace", "load_trace", "traces"),
    "virtual.context": ("Cpu", "Mm", "Task"),
    "virtual.page_table": ("PageTable",),
    "virtual.tlb": ("Tlb",),
}
_LATER = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what defines a name when somebody uses it, and keep the name."""
    from importlib import import_module

    if name == "procfs":
        return import_module(".procfs", __name__)
    if name not in _LATER:
        raise AttributeError(f"module 'vmlab' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    """For completion: all names, whether or not they were used yet."""
    return sorted({*globals(), *__all__})
