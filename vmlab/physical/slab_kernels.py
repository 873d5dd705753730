"""The compiled half of a batch of allocations and frees of one cache.

A kernel cannot call the page allocator. Where it needs a slab and none is ready it stops, says so, and goes on at
the same operation when it is called again. Linux 6.1, mm/slub.c: ___slab_alloc, get_partial_node, __slab_free,
shuffle_freelist.
"""

from __future__ import annotations

import numpy as np

from ..jit import inline, kernel, warmer
from .slab_lists import (
    COUNT,
    CPU_FREELIST,
    CPU_PARTIAL,
    CPUS,
    FREELIST,
    FROZEN,
    HEAD,
    INUSE,
    LISTED,
    MIN_PARTIAL,
    NODES,
    OBJECTS,
    ONE,
    POSITION,
    READY,
    SHIFT,
    SIZE,
    SLAB,
    START,
    Z,
    at,
    discard,
    empty,
    listed,
    of,
    pop,
    push,
    remove,
    u64,
    unfreeze,
)

DONE, NEED_SLAB, NEED_START, OCCUPIED, BAD_SLOT, BAD_CPU = range(6)  # why the batch stopped


@inline
def _take(lists, cpu, row):  # type: ignore[no-untyped-def]
    """get_freelist: all free objects of the slab become the CPU's own."""
    slabs = lists.slabs
    lists.cpus[of(cpu, SLAB)] = row
    lists.cpus[of(cpu, CPU_FREELIST)] = slabs[at(row, FREELIST)]
    slabs[at(row, FREELIST)], slabs[at(row, INUSE)] = Z, slabs[at(row, OBJECTS)]
    slabs[at(row, FROZEN)] = ONE


@inline
def _from_nodes(lists, cpu):  # type: ignore[no-untyped-def]
    """get_partial: the own node first; another one only if it has more than it wants to keep."""
    rules, nodes = lists.rules, lists.nodes
    for each in range(rules[NODES]):
        node = u64(each)
        if node != Z and u64(nodes[of(node, LISTED)]) <= rules[MIN_PARTIAL]:
            continue
        found = u64(nodes[of(node, HEAD)])
        if found != Z:
            remove(lists, found)
            for _ in range((rules[CPU_PARTIAL] >> ONE) + ONE):
                row = u64(nodes[of(node, HEAD)])
                if row == Z:
                    break
                remove(lists, row)
                push(lists, cpu, row)
            return found
    return Z


@inline
def _new_slab(lists):  # type: ignore[no-untyped-def]
    """allocate_slab and shuffle_freelist, with frames that are ready."""
    rules, sequence, links = lists.rules, lists.sequence, lists.links
    rules[READY] -= ONE
    row = u64(lists.ready[rules[READY]])
    number, count = u64(lists.starts[rules[START]]), u64(sequence.size)
    rules[START] += ONE
    base, objects, last = row << rules[SHIFT], u64(lists.slabs[at(row, OBJECTS)]), Z
    for _ in range(count):
        if u64(sequence[number]) < objects:  # a slab of a smaller order has fewer
            x = base + u64(sequence[number])
            if last == Z:
                lists.slabs[at(row, FREELIST)] = x
            else:
                links[last] = x
            last = x
        number += ONE
        if number == count:
            number = Z
    links[last] = Z
    return row


@inline
def _load(lists, cpu):  # type: ignore[no-untyped-def]
    """___slab_alloc: give the CPU a slab with free objects, the cheapest that can be had."""
    row = u64(lists.cpus[of(cpu, SLAB)])
    if row == Z:
        row = pop(lists, cpu)
    while row != Z:
        if lists.slabs[at(row, FREELIST)] != Z:
            _take(lists, cpu, row)
            return DONE
        lists.slabs[at(row, FROZEN)] = Z  # used up: from now on on no list
        lists.cpus[of(cpu, SLAB)] = Z
        row = pop(lists, cpu)
    row = _from_nodes(lists, cpu)
    if row == Z:
        if lists.rules[READY] == Z:
            return NEED_SLAB
        if lists.rules[START] == u64(lists.starts.size):
            return NEED_START
        row = _new_slab(lists)
    _take(lists, cpu, row)
    return DONE


@inline
def _free_slow(lists, cpu, row, x):  # type: ignore[no-untyped-def]
    """__slab_free: to the slab's own list; a slab that was full goes to this CPU's partial list."""
    slabs, rules = lists.slabs, lists.rules
    prior = u64(slabs[at(row, FREELIST)])
    lists.links[x] = prior
    slabs[at(row, FREELIST)] = x
    slabs[at(row, INUSE)] -= np.uint32(1)
    if slabs[at(row, FROZEN)] != Z:
        return
    if prior == Z:
        if u64(lists.cpus[of(cpu, COUNT)]) >= rules[CPU_PARTIAL]:
            unfreeze(lists, cpu)
        push(lists, cpu, row)
    elif slabs[at(row, INUSE)] == Z and listed(lists, row) >= rules[MIN_PARTIAL]:
        remove(lists, row)
        discard(lists, row)


@kernel
def run(lists, frees, slots, cpus, objects, answers):  # type: ignore[no-untyped-def]
    """Operations from POSITION on: `objects` is what each slot holds, `answers` gets the objects' addresses."""
    shift, size, nr_cpus = lists.rules[SHIFT], lists.rules[SIZE], lists.rules[CPUS]
    low = (ONE << shift) - ONE
    nr_slots, nr = u64(objects.size), u64(frees.size)
    i = lists.rules[POSITION]
    stopped = DONE
    while i < nr:
        slot, cpu = u64(slots[i]), u64(cpus[i])
        if slot >= nr_slots:
            stopped = BAD_SLOT
            break
        if cpu >= nr_cpus:
            stopped = BAD_CPU
            break
        x = u64(objects[slot])
        if frees[i]:
            if x != Z:
                row = x >> shift
                objects[slot] = Z
                if row == u64(lists.cpus[of(cpu, SLAB)]):
                    lists.links[x] = lists.cpus[of(cpu, CPU_FREELIST)]
                    lists.cpus[of(cpu, CPU_FREELIST)] = x
                else:
                    _free_slow(lists, cpu, row, x)
        else:
            if x != Z:
                stopped = OCCUPIED
                break
            x = u64(lists.cpus[of(cpu, CPU_FREELIST)])
            if x == Z:
                stopped = _load(lists, cpu)
                if stopped != DONE:
                    break
                x = u64(lists.cpus[of(cpu, CPU_FREELIST)])
            lists.cpus[of(cpu, CPU_FREELIST)] = lists.links[x]
            objects[slot] = x
        answers[i] = lists.first[x >> shift] + (x & low) * size
        i += ONE
    lists.rules[POSITION] = i
    return stopped


@warmer
def _warm() -> None:
    """Compile the batch, with no operation to do."""
    nothing = np.zeros(0, np.uint32)
    none = np.zeros(0, np.uint8)
    run(empty(1, 1, 1, 1, nothing), none, nothing, none, nothing, np.zeros(0, u64))
