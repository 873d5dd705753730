"""Misses by size: whole curves in one pass for LRU and OPT, and sweeps over traces, policies and sizes.

curve("lru", trace).ratio(64)
sweep({"gzip": trace}, ["lru", "arc"], [64, 128])      # `executor`: any concurrent.futures.Executor
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..units import VmlabError
from .policies import policy
from .replacement import Dense, check_frames, dense, misses, next_uses

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Curve", "Row", "curve", "sweep"]

CURVES = ("lru", "opt")  # stack algorithms: one pass serves all sizes


class Row(NamedTuple):
    """One run of a sweep."""

    trace: str
    policy: str
    frames: int
    misses: int
    references: int

    @property
    def miss_ratio(self) -> float:
        """Misses of each reference."""
        return self.misses / self.references if self.references else 0.0


class Curve(NamedTuple):
    """Misses by size: `misses[n]` with n frames, from 0 to the number of pages; more frames change nothing."""

    policy: str
    misses: np.ndarray  # int64
    references: int

    def at(self, frames: int) -> int:
        """Misses with so many frames."""
        return int(self.misses[min(check_frames(frames), len(self.misses) - 1)])

    def ratio(self, frames: int) -> float:
        """Miss ratio with so many frames."""
        return self.at(frames) / self.references if self.references else 0.0


def curve(name: str, trace: Any) -> Curve:
    """The misses of every size in one pass: for LRU and OPT, which are stack algorithms (Mattson 1970)."""
    import numpy as np

    from . import curve_kernels

    if policy(name).name not in CURVES:
        raise VmlabError(f"curve: one pass serves all sizes for {' and '.join(CURVES)} alone; use sweep for {name!r}")
    references = dense(trace)
    pages, histogram = references.pages, np.zeros(references.pages + 1, np.int64)
    if name == "opt":
        stack, needed = np.zeros(pages, np.uint32), np.zeros(pages, np.uint32)
        curve_kernels.opt_depths(references.trace, next_uses(references), stack, needed, histogram)
    else:
        places = 1 << (2 * pages + 2).bit_length()
        state = np.zeros(pages, np.uint32), np.zeros(places, np.uint32), np.zeros(places, np.uint32)
        curve_kernels.lru_depths(references.trace, *state, histogram)
    hits = np.concatenate(([0], np.cumsum(histogram[1:])))
    return Curve(name, len(references.trace) - hits, len(references.trace))


def sweep(
    traces: Mapping[str, Any],
    policies: Iterable[str],
    sizes: Sequence[int],
    executor: Executor | None = None,
) -> list[Row]:
    """Every trace under every policy with every number of frames, in this order.

    `executor` is any concurrent.futures.Executor: processes, or a cluster's
    (`vmlab.cluster.dask_executor`). Without one, threads: kernels run beside each other in one process. Refuses bad
    input before anything runs.
    """
    numbered = {name: dense(trace) for name, trace in traces.items()}
    names, frames = [policy(name).name for name in policies], [check_frames(size) for size in sizes]
    jobs = [(name, each) for name in numbered for each in names]
    work = partial(_runs, frames)
    given = ([numbered[name] for name, _ in jobs], [each for _, each in jobs])
    if executor is None:
        with ThreadPoolExecutor() as threads:
            found = list(threads.map(work, *given))
    else:
        found = list(executor.map(work, *given))
    return [
        Row(name, each, size, missed, len(numbered[name].trace))
        for (name, each), row in zip(jobs, found, strict=True)
        for size, missed in zip(frames, row, strict=True)
    ]


def _runs(frames: list[int], trace: Dense, name: str) -> list[int]:
    """The misses of one policy on one trace, a size after the other; in one pass where there are several."""
    if name in CURVES and len(frames) > 1:
        whole = curve(name, trace)
        return [whole.at(size) for size in frames]
    return [misses(name, size, trace) for size in frames]
