"""A record in the making: what the stages of a boot put together, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import arch
from ..arch.format import Format
from ..arch.formats import page_format
from ..units import PAGE_SIZE
from . import vmcoreinfo
from .boards import Board
from .debian import KernelFiles
from .kernel_memory import KernelMemory, Tables


@dataclass(slots=True)
class Recording:
    """A record in the making. `arrays` goes into NAME.npz, `data` into NAME.json.gz."""

    board: Board
    kernel: KernelFiles
    data: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    roots: dict[str, int] = field(default_factory=dict)  # process -> its table
    tables: Tables | None = None  # the kernel's
    memory: KernelMemory | None = None
    info: vmcoreinfo.Vmcoreinfo | None = None

    @property
    def options(self) -> set[str]:
        """The kernel's CONFIG_ names set to y."""
        return {name for name, value in self.kernel.config.items() if value == "y"}

    @property
    def format(self) -> Format:
        """The page-table format that this kernel uses on this CPU."""
        words = self.board.command_line().split()
        return page_format(arch.get(self.board.arch).format_of(self.options, self.board.cpu, words))

    def keep(self, stage: str, *many: Tables) -> None:
        """Table pages of one stage for NAME.npz."""
        import numpy as np

        pages = {pa: page for tables in many for pa, page in tables.pages.items()}
        addresses = sorted(pages)
        self.arrays[f"{stage}_pa"] = np.array(addresses, np.uint64)
        self.arrays[f"{stage}_data"] = np.frombuffer(b"".join(pages[pa] for pa in addresses), np.uint8).reshape(
            -1, PAGE_SIZE
        )
