"""Questions of lesson 07 about a cache at work: free pointers, what is handed out next, where a slab stands."""

from __future__ import annotations

import functools

from ...physical.slab import KmemCache
from ...physical.slab_page import DoubleFree
from ...units import VmlabError
from ..question import Misconception, Question, always
from .slab import fixed, fresh


def objects(cache: KmemCache, count: int) -> list[int]:
    """So many objects in a row; a cache that cannot give them is an error."""
    found = [cache.alloc() for _ in range(count)]
    return [va for va in found if isinstance(va, int)]


POINTER = Question(
    id="07.pointer",
    ask="A free object of kmalloc-{size} is on the free list of its slab, which leads through the objects "
    "themselves. At which byte of the object does the pointer to the next one begin (Linux 6.1)?",
    facts=fixed({"size": 256}),
    answer=lambda size: fresh().slab[f"kmalloc-{size}"].sizes.offset,
    misconceptions=(
        Misconception(
            "the pointer is the first word, as it was before Linux 5.7",
            always(0),
            "What does a write that runs a little over the end of the object before it hit?",
        ),
        Misconception(
            "it stands behind the object", lambda size: size, "Is the object's own memory in use while free?"
        ),
        Misconception("it is the last word", lambda size: size - 4, "Which neighbour's underflow would hit it?"),
    ),
    because="half of the object's size, rounded down to a word: far from both neighbours.",
)


@functools.cache
def reused() -> str:
    """Which object D gets, by doing it."""
    cache = fresh().slab["task_struct"]
    a, b, _ = objects(cache, 3)
    cache.free(b)
    cache.free(a)
    given = objects(cache, 1)[0]
    return {a: "a", b: "b"}.get(given, "new")


LAST = Question(
    id="07.last",
    ask="Owners A, B and C each got an object of one cache, in that order, on one CPU. B frees its object, then A. D "
    "allocates. What does D get?",
    facts=fixed({}),
    choices=lambda: {
        "a": "the object that A had",
        "b": "the object that B had",
        "new": "an object that nobody had yet",
        "low": "the free object with the lowest address",
    },
    answer=lambda: reused(),
    misconceptions=(
        Misconception("the list is a queue", always("b"), "At which end does a freed object join the list?"),
        Misconception(
            "freed objects rest before they are used again", always("new"), "Which one is still in the CPU's cache?"
        ),
        Misconception("slab takes the lowest address first", always("low"), "Would it have to search?"),
    ),
    because="a freed object goes to the head of the CPU's list: last in, first out. Its bytes are probably still in "
    "the CPU's cache.",
)


@functools.cache
def unchecked_double_free() -> str:
    """Put one object on a slab's list twice, below the model's check, and see whom it is given to."""
    cache = fresh().slab["kmalloc-256"]
    va = objects(cache, 1)[0]
    own = cache.cpus[0]
    slab = cache.slab_of(va)
    for _ in range(2):
        slab.set_free_pointer(va, own.freelist)
        own.freelist = va
    first = own.freelist
    return "both" if slab.free_pointer(first) == first else "leak"


TWICE = Question(
    id="07.twice",
    ask="A driver frees one object twice, and two others allocate from the same cache afterwards. If nobody "
    "checks it, what follows?",
    facts=fixed({}),
    choices=lambda: {
        "nothing": "nothing bad: the second free has no effect",
        "leak": "a leak: the object is never handed out again",
        "both": "both get the same object",
        "crash": "the second free crashes at once, on any kernel",
    },
    answer=lambda: unchecked_double_free(),
    misconceptions=(
        Misconception("kfree knows which objects are free", always("nothing"), "What would it have to search?"),
        Misconception("the list loses what is put twice", always("leak"), "Where does the object's pointer lead then?"),
        Misconception("the hardware notices", always("crash"), "Is the memory still mapped?"),
    ),
    because="the object's pointer leads to the object itself: each allocation takes the same head.",
)


def double_free_is_named() -> str:
    """What the model says to a double free."""
    cache = fresh().slab["kmalloc-256"]
    va = objects(cache, 1)[0]
    cache.free(va)
    try:
        cache.free(va)
    except DoubleFree as named:
        return str(named)
    raise VmlabError("a double free was not noticed")


@functools.cache
def next_slab() -> str:
    """Where the next object comes from, by doing it."""
    cache = fresh().slab["task_struct"]
    got = objects(cache, 3 * cache.objects_per_slab)
    cache.free(got[0])
    cache.free(got[cache.objects_per_slab])
    own, slabs = cache.cpus[0], len(cache.slabs)
    mine, stands = own.slab, {slab.va for slab in own.partial}
    slab = cache.slab_of(objects(cache, 1)[0])
    if slab.va in stands:
        return "partial"
    if len(cache.slabs) > slabs:
        return "new"
    return "own" if slab is mine else "node"


NEXT_SLAB = Question(
    id="07.next-slab",
    ask="All objects of three slabs are in use. Then one object of the first slab and one of the second are freed. The "
    "CPU has no free object in its own slab. From where does the next object come?",
    facts=fixed({}),
    choices=lambda: {
        "own": "from the CPU's own slab, in which room is made",
        "partial": "from a slab on the CPU's partial list",
        "node": "from a slab on the node's partial list",
        "new": "from a new slab",
    },
    answer=lambda: next_slab(),
    misconceptions=(
        Misconception("objects can be moved together", always("own"), "Who would correct the owners' pointers?"),
        Misconception(
            "all slabs with room stand on one list of the node",
            always("node"),
            "Which lock would every CPU have to take for that list?",
        ),
        Misconception(
            "a full slab is never used again", always("new"), "What happened to it when an object was freed?"
        ),
    ),
    because="a full slab is on no list; the first free in it puts it on the partial list of the CPU that frees.",
)
