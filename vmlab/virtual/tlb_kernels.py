"""The compiled loop of the TLB: look up a tag in one set after another, fill what missed, count.

One entry is one uint64, and zero is an empty way:

    63            17 16 15          0
    page number, 1.. G  ASID            the lowest 1 above bit 16 marks the size: bit 17 is a 4 KiB page, bit 26 is
                                        a page of 2 MiB (its number has nine bits less); G: any ASID

so pages of different sizes cannot be mistaken for each other, and a set may hold both. 46 bits of page number and
mark are enough for every address of 57 bits; what is above is a copy of the sign.

LRU and FIFO keep a set in order, newest first; PLRU and random keep each entry in its way.

`run_any` reads the TLB's shape from tables and leaves a ledger of its last reference; `fixed(ways, policies, shift)`
makes the same loop for one page size and one structure a level, known to the compiler: for long traces.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..jit import inline, kernel, warmer

u64, i64 = np.uint64, np.int64

Z, ONE = u64(0), u64(1)
MARK_SHIFT = u64(17)
GLOBAL = u64(1 << 16)
HIT = u64(0xFFFF_FFFF_FFFF_FFFF)  # in place of the entry that a lookup pushed out; no entry is all ones
NOT_ASKED = u64(0xFFFF_FFFF_FFFF_FFFE)  # no structure of this level holds pages of this size

LRU, FIFO, PLRU, RANDOM = u64(0), u64(1), u64(2), u64(3)
BASE, SETS, WAYS, POLICY, TREE = range(5)  # columns of `shape`: first tag, sets, ways, policy, first tree
FETCH_BIT, GLOBAL_BIT, SIZE_SHIFT = u64(1), u64(2), u64(2)  # of a reference's class
CONTEXTS = u64(1 << 16)


@inline
def _look(tags, base, ways, policy, trees, tree, draws, drawn, tag):  # type: ignore[no-untyped-def]
    """Look for `tag` in the set at `base` and put it there; HIT, or the entry that had to go (0: none)."""
    if policy == LRU:
        return _push(tags, base, ways, tag)
    way = Z
    while way < ways and tags[base + way] != tag:
        way += ONE
    victim = HIT
    if way == ways:
        if policy == FIFO:
            victim = _push(tags, base, ways, tag)
        else:
            way = _choose(tags, base, ways, policy, trees[tree], draws, drawn)
            victim = tags[base + way]
            tags[base + way] = tag
    if policy == PLRU:
        trees[tree] = _plru_touch(trees[tree], ways, way)
    return victim


@inline
def _push(tags, base, ways, tag):  # type: ignore[no-untyped-def]
    """Put `tag` in front and move the others, up to where it was (HIT) or over the end."""
    victim = tag
    for each in range(ways):
        way = base + u64(each)
        older = tags[way]
        tags[way] = victim
        victim = older
        if older == tag:
            victim = HIT
            break
    return victim


@inline
def _choose(tags, base, ways, policy, bits, draws, drawn):  # type: ignore[no-untyped-def]
    """The way to fill: the first empty one, else the tree's choice or the next draw's."""
    way = Z
    while way < ways and tags[base + way] != Z:
        way += ONE
    if way == ways:
        if policy == PLRU:
            way = _plru_victim(bits, ways)
        else:
            way = u64(draws[drawn[0] % u64(draws.size)]) % ways
            drawn[0] += ONE
    return way


@inline
def _plru_victim(bits, ways):  # type: ignore[no-untyped-def]
    """Follow the tree from its root, node 1: a node's bit says in which half the older entries are."""
    node = ONE
    while node < ways:
        node = (node << ONE) | ((bits >> node) & ONE)
    return node - ways


@inline
def _plru_touch(bits, ways, way):  # type: ignore[no-untyped-def]
    """Point every node on the path to `way` at its other half."""
    node = way + ways
    while node > ONE:
        parent = node >> ONE
        away = (node & ONE) ^ ONE
        bits = (bits & ~(ONE << parent)) | (away << parent)
        node = parent
    return bits


@inline
def _tag(page, shift, context):  # type: ignore[no-untyped-def]
    """The entry of page number `page`, of 2**(12 + shift) bytes; `context` is an ASID, or GLOBAL."""
    return (((page << ONE) | ONE) << (shift + MARK_SHIFT)) | context


@kernel
def run_any(vpns, asids, classes, shape, route, shifts, tags, trees, draws, drawn, refs, misses, ledger):  # type: ignore[no-untyped-def]
    """Any TLB; afterwards `ledger[level]` is HIT, NOT_ASKED or what the last reference pushed out."""
    levels = u64(ledger.size)
    for i in range(vpns.size):
        sort, asid = u64(classes[i]), u64(asids[i])
        size = sort >> SIZE_SHIFT
        page = vpns[i] >> shifts[size]
        tag = _tag(page, shifts[size], GLOBAL if (sort & GLOBAL_BIT) != Z else asid)
        row = ((size << ONE) | (sort & FETCH_BIT)) * levels
        refs[asid] += ONE
        ledger[:] = NOT_ASKED
        for each in range(ledger.size):
            level = u64(each)
            which = route[row + level]
            if which >= 0:
                s = u64(which)
                ways, at = shape[s, WAYS], page & (shape[s, SETS] - ONE)
                base, tree = shape[s, BASE] + at * ways, shape[s, TREE] + at
                ledger[level] = _look(tags, base, ways, shape[s, POLICY], trees, tree, draws, drawn, tag)
                if ledger[level] == HIT:
                    break
            misses[level * CONTEXTS + asid] += ONE


@functools.cache
def fixed(ways: tuple[int, ...], policies: tuple[int, ...], shift: int) -> Callable[..., None]:
    """Make the loop for one or two levels of one structure each, and pages of 2**(12 + shift) bytes.

    What is fixed here must be numbers: a compiled function among them would change the key that numba keeps the
    result under from one process to the next.
    """
    ways1, ways2 = u64(ways[0]), u64(ways[-1])
    policy1, policy2 = u64(policies[0]), u64(policies[-1])
    has_second, size = len(ways) == 2, u64(shift)

    @kernel
    def run_fixed(vpns, asids, shape, tags, trees, draws, drawn, refs, misses):  # type: ignore[no-untyped-def]
        last = u64(shape.shape[0] - 1)
        first, mask1, tree1 = shape[0, BASE], shape[0, SETS] - ONE, shape[0, TREE]
        second, mask2, tree2 = shape[last, BASE], shape[last, SETS] - ONE, shape[last, TREE]
        for i in range(vpns.size):
            asid, page = u64(asids[i]), vpns[i] >> size
            tag = _tag(page, size, asid)
            refs[asid] += ONE
            at = page & mask1
            if _look(tags, first + at * ways1, ways1, policy1, trees, tree1 + at, draws, drawn, tag) != HIT:
                misses[asid] += ONE
                if has_second:
                    at = page & mask2
                    if _look(tags, second + at * ways2, ways2, policy2, trees, tree2 + at, draws, drawn, tag) != HIT:
                        misses[CONTEXTS + asid] += ONE

    return run_fixed


@warmer
def _warm() -> None:
    """Compile the loop that every TLB can use; a fixed one is compiled when a long trace first wants it."""
    nothing, one = np.zeros(0, u64), np.zeros(1, u64)
    shape, route = np.zeros((1, 5), u64), np.zeros(2, i64)
    asids, classes, draws = np.zeros(0, np.uint16), np.zeros(0, np.uint8), np.zeros(1, np.uint32)
    run_any(nothing, asids, classes, shape, route, one, one, one, draws, one, one, one, one)
