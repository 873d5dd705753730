"""The replacement policies as rows: their names, the kernel that runs each, how its state reads, its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..units import VmlabError


@dataclass(frozen=True)
class Policy:
    """One policy. `lists` names the heads of `links` that hold pages, `why` and `detail` read the ledger's columns."""

    name: str
    title: str
    idea: str  # which page goes
    kernel: str  # module.function
    lists: tuple[str, ...] = ()
    ghosts: tuple[str, ...] = ()  # of `lists`: these remember pages that are not in memory
    ring: str = ""  # what the frames are called where they are a ring, a heap or a second pair of links
    why: Mapping[int, str] | None = None
    detail: str = ""  # words around the ledger's number; {} is the number
    source: str = ""

    def load(self) -> Callable[..., None]:
        """The compiled kernel."""
        module, _, function = self.kernel.partition(".")
        found: Callable[..., None] = getattr(import_module(f"{__package__}.{module}"), function)
        return found

    @property
    def looks_ahead(self) -> bool:
        """Whether it must know the future."""
        return self.name == "opt"


GHOST_WHY = {1: "it was remembered", 0: ""}
ROWS = (
    Policy("fifo", "FIFO", "what came first goes first", "replacement_kernels.fifo", ring="frames"),
    Policy(
        "lru",
        "LRU",
        "what was used longest ago goes",
        "recency_kernels.lru",
        lists=("newest first",),
    ),
    Policy(
        "clock",
        "CLOCK",
        "a hand goes round: a page that was used since gets a second chance",
        "replacement_kernels.clock",
        ring="frames",
        detail="the hand cleared {} R bits first",
        source="F. J. Corbató, 1968; R is set when a page is loaded",
    ),
    Policy(
        "lfu",
        "LFU",
        "what was used least often since it came goes",
        "heap_kernels.lfu",
        ring="pages",
        detail="it had been used {} times",
        source="ties: the page loaded first",
    ),
    Policy(
        "random",
        "random",
        "a lot decides",
        "replacement_kernels.random",
        ring="frames",
        source="xorshift64*, the same draws each time",
    ),
    Policy(
        "opt",
        "OPT",
        "what is needed latest goes: it knows the future, so no machine has it",
        "heap_kernels.opt",
        ring="pages",
        source="Belady 1966; ties: the page loaded first",
    ),
    Policy(
        "2q",
        "2Q",
        "what was used once goes, unless it comes back while it is remembered",
        "ghost_kernels.two_queues",
        lists=("A1in", "Am", "A1out"),
        ghosts=("A1out",),
        why=GHOST_WHY,
        source="Johnson and Shasha 1994, full version, Kin = C/4, Kout = C/2",
    ),
    Policy(
        "arc",
        "ARC",
        "two LRU lists, used once and used again; misses move the border",
        "ghost_kernels.arc",
        lists=("T1", "T2", "B1", "B2"),
        ghosts=("B1", "B2"),
        why={0: "", 1: "it was a ghost of B1: T1 may grow", 2: "it was a ghost of B2: T2 may grow"},
        source="Megiddo and Modha 2003, figure 4",
    ),
    Policy(
        "lirs",
        "LIRS",
        "what was used at long intervals goes, however lately it was used",
        "lirs_kernels.lirs",
        lists=("S",),
        ring="Q",
        why={1: "it came back while S remembered it, and is LIR now", 0: ""},
        source="Jiang and Zhang 2002, 1 % of the frames for HIR pages",
    ),
    Policy(
        "sieve",
        "SIEVE",
        "a hand goes from old to new: what was used since stays where it is",
        "recency_kernels.sieve",
        lists=("newest first",),
        detail="the hand passed {} visited pages first",
        source="Zhang et al. 2024, algorithm 1",
    ),
    Policy(
        "s3fifo",
        "S3-FIFO",
        "new pages pass a small queue first; only what is used there again reaches the main one",
        "s3fifo_kernels.s3fifo",
        lists=("small", "main", "ghost"),
        ghosts=("ghost",),
        why=GHOST_WHY,
        source="Yang et al. 2023, algorithm 1, 10 % small",
    ),
    Policy(
        "linux",
        "Linux, two lists",
        "the end of the inactive list goes, unless it was used since the kernel last looked",
        "reclaim_kernels.linux",
        lists=("inactive", "active"),
        why={1: "it came back soon and is active at once (workingset_refault)", 0: ""},
        detail="{} pages were kept or activated first",
        source="Linux 6.1, mm/vmscan.c, mm/workingset.c; mapped anonymous pages",
    ),
    Policy(
        "mglru",
        "Linux, generations",
        "the oldest generation goes; a walk of the page tables moves what was used to the youngest",
        "reclaim_kernels.mglru",
        lists=("generation 0", "generation 1", "generation 2", "generation 3"),
        why={1: "the page tables were walked and a new generation begun", 0: ""},
        detail="{} pages were kept first",
        source="Linux 6.1, mm/vmscan.c, CONFIG_LRU_GEN; mapped pages of one type",
    ),
)
POLICIES = {row.name: row for row in ROWS}


def policy(name: Any) -> Policy:
    """The row of a policy; VmlabError lists the names."""
    if isinstance(name, Policy):
        return name
    if name not in POLICIES:
        raise VmlabError(f"policy: expected one of {', '.join(POLICIES)}; got {name!r}")
    return POLICIES[name]
