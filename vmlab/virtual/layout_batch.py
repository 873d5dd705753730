"""Millions of addresses at once: which area, logical or not, and the physical address where a rule gives one.

found = classify_all(kernel.layout, addresses)      # a numpy array of uint64
found.areas, found.logical, found.pas               # number in layout.whole; bool; NO_PA where no rule gives one
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..units import VmlabError
from . import layout_kernels as k
from .layout import Layout

NO_PA = int(k.NO_PA)


class Found(NamedTuple):
    """One answer for each address, in order: arrays of uint16, bool and uint64."""

    areas: np.ndarray
    logical: np.ndarray
    pas: np.ndarray


class Table(NamedTuple):
    """A layout's stretches as arrays of 2**n rows."""

    starts: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray


def table(layout: Layout) -> Table:
    """The stretches of a layout, the last one repeated up to a power of two."""
    size = 1 << (len(layout.stretches) - 1).bit_length()
    padded = list(layout.stretches) + [layout.stretches[-1]] * (size - len(layout.stretches))
    rows = [each.area << 2 | each.logical << 1 | (each.offset is not None) for each in padded]
    return Table(
        np.array([each.start for each in padded], np.uint64),
        np.array(rows, np.uint32),
        np.array([each.offset or 0 for each in padded], np.uint64),
    )


def classify_all(layout: Layout, vas: np.ndarray, found: Found | None = None) -> Found:
    """Classify every address of `vas`, as `Layout.classify` does one; into the arrays of `found` if it is given."""
    addresses = np.asarray(vas)
    if addresses.size and addresses.dtype.kind not in "ui":
        raise VmlabError(f"addresses: expected an array of uint64, got one of {addresses.dtype}")
    if addresses.dtype.kind == "i" and addresses.size and int(addresses.min()) < 0:
        raise VmlabError("addresses: expected an array of uint64, got negative numbers: use .astype(np.uint64)")
    addresses = np.ascontiguousarray(addresses, np.uint64)
    if addresses.size and int(addresses.max()) >= layout.top:
        raise VmlabError(f"addresses: expected less than {layout.top:#x} on this machine, got {addresses.max():#x}")
    if found is None:
        found = Found(*(np.empty(addresses.shape, kind) for kind in (np.uint16, np.bool_, np.uint64)))
    logical = found.logical.view(np.uint8)
    k.classify(*table(layout), *(array.reshape(-1) for array in (addresses, found.areas, logical, found.pas)))
    return found
