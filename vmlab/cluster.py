"""A Dask cluster as a `concurrent.futures.Executor`: what runs beside itself here runs there, by its address.

with dask_executor("tcp://scheduler:8786") as cluster:
    sweep(traces, ["lru", "arc"], [64, 128], executor=cluster)

Dask gives the work of a worker that dies to another. The workers need the same vmlab: the work is sent by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from .units import VmlabError

SECONDS_TO_ANSWER = 10


@contextlib.contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """An executor of the Dask cluster at `address`; refused if none answers there."""
    try:
        from distributed import Client
    except ImportError:
        raise VmlabError("a Dask cluster needs distributed here too: pip install 'vmlab[dask]'") from None
    try:
        client: Any = Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as bad:
        raise VmlabError(f"{address}: no Dask scheduler answers there ({bad})") from None
    with client:
        yield client.get_executor(pure=False)
