"""SLUB's lists of one cache over plain arrays, as the compiled batches use them.

Slabs are rows from 1 on, objects are `row << SHIFT | index`; 0 is none, everywhere. All lists go through the rows
and objects themselves, as they do in struct slab and in the free objects:

    links[object]     the free object after it in its slab
    slabs[row]        FREELIST, INUSE, OBJECTS, FROZEN, NEXT and PREV on a list, NODE
    cpus[cpu]         SLAB, FREELIST, and the partial slabs as a stack: PARTIAL, COUNT
    nodes[node]       the partial slabs as a queue: HEAD, TAIL, COUNT
    first[row]        address of the slab's first object
    ready, given      rows whose frames wait to become a slab; rows whose frames go back to the page allocator
    rules             what is counted and what is fixed (the names below)

Linux 6.1, mm/slub.c: add_partial, remove_partial, put_cpu_partial, __unfreeze_partials, discard_slab.

Left out: the free pointers' encoding, which no address depends on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import inline

u64 = np.uint64
Z, ONE, TWO, THREE = u64(0), u64(1), u64(2), u64(3)

FREELIST, INUSE, OBJECTS, FROZEN, NEXT, PREV, NODE = (u64(n) for n in range(7))  # places in a row of `slabs`
SLAB, CPU_FREELIST, PARTIAL, COUNT = (u64(n) for n in range(4))  # of `cpus`
HEAD, TAIL, LISTED = (u64(n) for n in range(3))  # of `nodes`
POSITION, READY, GIVEN, START = (u64(n) for n in range(4))  # of `rules`: counted ...
RESERVE, SHIFT, SIZE, CPU_PARTIAL, MIN_PARTIAL, NODES, CPUS = (u64(n) for n in range(4, 11))  # ... and fixed


class Lists(NamedTuple):
    """One cache's arrays."""

    links: np.ndarray
    slabs: np.ndarray
    cpus: np.ndarray
    nodes: np.ndarray
    first: np.ndarray
    ready: np.ndarray
    given: np.ndarray
    sequence: np.ndarray  # numbers of a slab's objects in the cache's random order
    starts: np.ndarray  # where in it each new slab begins
    rules: np.ndarray


@inline
def at(row, place):  # type: ignore[no-untyped-def]
    """Where a place of a row of `slabs` is."""
    return (row << THREE) + place


@inline
def of(row, place):  # type: ignore[no-untyped-def]
    """Where a place of a row of `cpus` or `nodes` is."""
    return (row << TWO) + place


@inline
def discard(lists, row):  # type: ignore[no-untyped-def]
    """discard_slab: the frames are ready for the next slab while the reserve is not full, else given back."""
    rules = lists.rules
    if rules[READY] < rules[RESERVE]:
        lists.ready[rules[READY]] = row
        rules[READY] += ONE
    else:
        lists.given[rules[GIVEN]] = row
        rules[GIVEN] += ONE


@inline
def add(lists, row):  # type: ignore[no-untyped-def]
    """add_partial, at the tail of the node's list."""
    slabs, nodes = lists.slabs, lists.nodes
    node = u64(slabs[at(row, NODE)])
    last = u64(nodes[of(node, TAIL)])
    slabs[at(row, NEXT)], slabs[at(row, PREV)] = Z, last
    if last == Z:
        nodes[of(node, HEAD)] = row
    else:
        slabs[at(last, NEXT)] = row
    nodes[of(node, TAIL)] = row
    nodes[of(node, LISTED)] += np.uint32(1)


@inline
def remove(lists, row):  # type: ignore[no-untyped-def]
    """remove_partial."""
    slabs, nodes = lists.slabs, lists.nodes
    node = u64(slabs[at(row, NODE)])
    after, before = u64(slabs[at(row, NEXT)]), u64(slabs[at(row, PREV)])
    if before == Z:
        nodes[of(node, HEAD)] = after
    else:
        slabs[at(before, NEXT)] = after
    if after == Z:
        nodes[of(node, TAIL)] = before
    else:
        slabs[at(after, PREV)] = before
    nodes[of(node, LISTED)] -= np.uint32(1)


@inline
def push(lists, cpu, row):  # type: ignore[no-untyped-def]
    """A slab to the CPU's partial ones."""
    lists.slabs[at(row, FROZEN)] = ONE
    lists.slabs[at(row, NEXT)] = lists.cpus[of(cpu, PARTIAL)]
    lists.cpus[of(cpu, PARTIAL)] = row
    lists.cpus[of(cpu, COUNT)] += np.uint32(1)


@inline
def pop(lists, cpu):  # type: ignore[no-untyped-def]
    """The last slab of the CPU's partial ones, or none."""
    row = u64(lists.cpus[of(cpu, PARTIAL)])
    if row != Z:
        lists.cpus[of(cpu, PARTIAL)] = lists.slabs[at(row, NEXT)]
        lists.cpus[of(cpu, COUNT)] -= np.uint32(1)
    return row


@inline
def listed(lists, row):  # type: ignore[no-untyped-def]
    """nr_partial of the slab's node."""
    return u64(lists.nodes[of(u64(lists.slabs[at(row, NODE)]), LISTED)])


@inline
def unfreeze(lists, cpu):  # type: ignore[no-untyped-def]
    """__unfreeze_partials: an empty slab goes where its node has min_partial, the last first; others to the node."""
    gone, row = Z, pop(lists, cpu)
    while row != Z:
        lists.slabs[at(row, FROZEN)] = Z
        if lists.slabs[at(row, INUSE)] == Z and listed(lists, row) >= lists.rules[MIN_PARTIAL]:
            lists.slabs[at(row, NEXT)], gone = gone, row
        else:
            add(lists, row)
        row = pop(lists, cpu)
    while gone != Z:
        row, gone = gone, u64(lists.slabs[at(gone, NEXT)])
        discard(lists, row)


def empty(rows: int, shift: int, cpus: int, nodes: int, sequence: np.ndarray) -> Lists:
    """Arrays for slabs 1 to `rows`; the first rules are the caller's to set."""
    u32 = np.uint32
    links, slabs = np.zeros((rows + 1) << shift, u32), np.zeros((rows + 1) << 3, u32)
    lists = Lists(
        *(links, slabs, np.zeros(cpus << 2, u32), np.zeros(nodes << 2, u32), np.zeros(rows + 1, u64)),
        *(np.zeros(rows, u32), np.zeros(rows, u32), sequence.astype(u32), np.zeros(0, u32), np.zeros(11, u64)),
    )
    lists.rules[[int(SHIFT), int(CPUS), int(NODES)]] = shift, cpus, nodes
    return lists
