"""A Dask cluster as a `concurrent.futures.Executor`: what runs beside itself here runs there, by its address.

with dask_executor("tcp://scheduler:8786") as cluster:
    sweep(traces, ["lru", "arc"], [64, 128], executor=cluster)

Work is sent by name, so the workers need this very vmlab: every worker that is there at the start is asked, and
told apart by a digest of its sources. Dask gives the work of a worker that dies to another, as often as its
scheduler's `allowed-failures` says; arguments travel with the task through the scheduler, where no worker's death
can lose them. A scheduler that dies takes all tasks with it: that is an error, told at once.

Not checked: workers that join later.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .units import VmlabError

SECONDS_TO_ANSWER = 10
PACKAGES = ("numpy", "distributed", "cloudpickle")  # arrays, messages and functions must be read as they were written


@contextlib.contextmanager
def dask_executor(address: str, ready: Callable[[], object] | None = None) -> Iterator[Executor]:
    """An executor of the Dask cluster at `address`; refused if nobody answers there, or somebody who is unlike us.

    `ready` is called once on every worker: what it raises refuses the cluster, too.
    """
    with _quiet(), _client(address) as client:
        _check_alike(_asked(client, address, about), address)
        if ready is not None:
            _asked(client, address, ready)
        try:
            yield client.get_executor(pure=False)
        except CancelledError:
            raise VmlabError(
                f"{address}: the Dask scheduler was lost, and with it what it had not handed over. Start it again and "
                "run the same command again: vmlab grade goes on where it was"
            ) from None


def about() -> dict[str, str]:
    """What must be the same on all sides, asked on each: Python, vmlab's own sources, the packages of the messages."""
    found = {"Python": "{}.{}".format(*sys.version_info[:2]), "vmlab": f"{version('vmlab')}, sources {_sources()}"}
    return found | {name: version(name) for name in PACKAGES}


@functools.cache
def _sources() -> str:
    """A digest of the package's files: two copies of one version that were changed are not the same."""
    folder, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise VmlabError("a Dask cluster needs distributed here too: pip install 'vmlab[dask]'") from None
    if not address:  # Dask would start a cluster of its own here
        raise VmlabError("a Dask cluster is told by its scheduler's address, such as tcp://host:8786; got none")
    try:
        return Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as bad:
        raise VmlabError(
            f"{address}: no Dask scheduler answers there ({bad}); expected an address such as tcp://host:8786, as "
            "`dask scheduler` prints it"
        ) from None


def _asked(client: Any, address: str, question: Callable[[], Any]) -> Mapping[str, Any]:
    """What every worker answers; a worker that cannot answer is named with the reason."""
    try:
        client.wait_for_workers(1, timeout=SECONDS_TO_ANSWER)
    except TimeoutError:
        raise VmlabError(f"{address}: the scheduler has no workers; start some with `dask worker {address}`") from None
    answers = client.run(question, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, BaseException):
            raise VmlabError(
                f"{address}: the worker {worker} cannot do this work ({type(answer).__name__}: {answer}); start the "
                "workers in an environment like this one, with the same vmlab"
            )
    return answers


def _check_alike(workers: Mapping[str, Mapping[str, str]], address: str) -> None:
    ours = about()
    for worker, theirs in workers.items():
        unlike = [f"{name} {theirs.get(name)} (here {ours[name]})" for name in ours if theirs.get(name) != ours[name]]
        if unlike:
            raise VmlabError(
                f"{address}: the worker {worker} has {', '.join(unlike)}: results could differ. Install the same "
                "there (requirements-test.lock pins it) and start the worker again"
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Our sentences instead of Dask's tracebacks; no advice to keep arguments where a worker's death loses them."""
    loggers = [logging.getLogger(name) for name in ("distributed.client", "distributed.comm", "distributed.core")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        warnings.filterwarnings("ignore", message="(?s).*Mismatched versions")  # _check_alike says what counts
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
