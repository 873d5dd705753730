"""From an object's size to its slab, by name (size, align, order, objects); from a request to its cache; practice."""

from __future__ import annotations

import random
from dataclasses import replace

from ...physical import kmalloc
from ...physical.slab_size import (
    CpuRules,
    SlabFlag,
    calculate_alignment,
    calculate_order,
    calculate_sizes,
    order_objects,
)
from ...units import PAGE_SIZE
from ..question import Facts, Misconception, Question
from ..steps import Step, Steps
from .tlb_steps import apart

MINALIGN = {"a PC (smallest cache 8 bytes)": 8, "32-bit ARM (smallest cache 64 bytes)": 64}


def order_steps(size: int, rules: CpuRules, flags: SlabFlag = SlabFlag.NONE, align: int = 0) -> Steps:
    """All four steps for objects of `size` bytes."""
    align = calculate_alignment(flags, align, size, rules)
    sizes = calculate_sizes(size, align, flags, word=rules.word)
    order, cpus = calculate_order(sizes.size, rules.order_cpus), rules.order_cpus
    several = f"{cpus} CPU{'s' * (cpus != 1)}"
    wanted, slab = 4 * (cpus.bit_length() + 1), PAGE_SIZE << order
    objects = order_objects(order, sizes.size)
    inner = sizes.offset + rules.word if sizes.free_pointer_outside else sizes.inuse
    behind = ", and a word for the free pointer behind it" if sizes.free_pointer_outside else ""
    return Steps.of(
        (
            Step("size", f"rounded up to a word{behind}", f"{size:,} to {rules.word}", f"{inner:,} bytes"),
            Step("align", "rounded up to the alignment", f"{inner:,} to {align:,}", f"{sizes.size:,} bytes apart"),
            Step(
                "order",
                f"fewest pages for {wanted} objects ({several}), as far as order 3 and little waste allow",
                f"{slab:,} bytes, {slab % sizes.size:,} left over",
                f"order {order}",
            ),
            Step("objects", "bytes of the slab / distance", f"{slab:,} / {sizes.size:,}", f"{objects:,}"),
        )
    )


def _rules(cpus: int, word: int) -> CpuRules:
    return CpuRules(word=word, present_cpus=cpus, possible_cpus=cpus)


def _object(rng: random.Random) -> Facts:
    return {"size": rng.randrange(650, 3300), "align": rng.choice((32, 64)), "cpus": rng.choice((2, 4, 8))}


def _distance(size: int, align: int, cpus: int) -> int:
    return calculate_sizes(size, align, word=4).size


def _order(size: int, align: int, cpus: int) -> int:
    return calculate_order(_distance(size, align, cpus), cpus)


def _objects(size: int, align: int, cpus: int) -> int:
    return order_objects(_order(size, align, cpus), _distance(size, align, cpus))


def steps(size: int, align: int, cpus: int) -> Steps:
    """The steps from a question's facts."""
    return order_steps(size, _rules(cpus, 4), align=align)


OBJECTS = apart(
    Question(
        id="07.objects",
        ask="One step is open. Objects of {size:,} bytes, aligned to {align}, on a 32-bit kernel with {cpus} CPUs. "
        "How many fit in a slab?",
        facts=_object,
        answer=_objects,
        misconceptions=(
            Misconception(
                "an object takes whole pages",
                lambda size, align, cpus: (1 << _order(size, align, cpus)) // -(-size // PAGE_SIZE),
                "May two objects share a page?",
            ),
            Misconception(
                "sizes are rounded up to a power of two",
                lambda size, align, cpus: (PAGE_SIZE << _order(size, align, cpus)) // (1 << (size - 1).bit_length()),
                "Which step says how far apart two objects are?",
            ),
            Misconception(
                "a slab is always one page",
                lambda size, align, cpus: PAGE_SIZE // _distance(size, align, cpus),
                "Which step chooses the number of pages?",
            ),
        ),
        hints=("How far apart are two objects?", "objects: bytes of the slab / distance, rounded down."),
        steps=steps,
        blank="objects",
        because="the bytes of the slab divided by the distance of two objects, rounded down.",
    )
)

LEFT_OVER = apart(
    Question(
        id="07.left-over",
        ask="On your own. Objects of {size:,} bytes, aligned to {align}; their slabs have order "
        "{order}. How many bytes at the end of a slab belong to no object?",
        facts=lambda rng: {**(drawn := _object(rng)), "order": _order(**drawn)},
        answer=lambda size, align, cpus, order: (PAGE_SIZE << order) % _distance(size, align, cpus),
        misconceptions=(
            Misconception(
                "objects stand without any rounding",
                lambda size, align, cpus, order: (PAGE_SIZE << order) % size,
                "What does step align do to the size?",
            ),
            Misconception(
                "a slab is one page",
                lambda size, align, cpus, order: PAGE_SIZE % _distance(size, align, cpus),
                "How many pages are an order?",
            ),
            Misconception(
                "every slab is used up to its last byte",
                lambda size, align, cpus, order: 0,
                "Does the distance divide the slab?",
            ),
        ),
        hints=("How many objects fit?", "objects: divide; what is left over is the remainder."),
        steps=lambda size, align, cpus, order: _with_rest(size, align, cpus),
        because="the slab's bytes, less all objects at their full distance.",
    )
)


def _with_rest(size: int, align: int, cpus: int) -> Steps:
    distance, slab = _distance(size, align, cpus), PAGE_SIZE << _order(size, align, cpus)
    objects = slab // distance
    rest = Step("rest", "slab − objects × distance", f"{slab:,} − {objects} × {distance:,}", f"{slab % distance:,}")
    return Steps((*steps(size, align, cpus).steps, rest))


def served(bytes_: int, minalign: int) -> int:
    """Bytes that kmalloc really takes for a request: a cache's size, or whole pages above the largest cache."""
    if bytes_ > kmalloc.KMALLOC_MAX_CACHE_SIZE:
        return PAGE_SIZE << kmalloc.large_order(bytes_, 11)
    return kmalloc.size_of(bytes_, minalign)


def _request(rng: random.Random) -> Facts:
    where = rng.choice(sorted(MINALIGN))
    asked = rng.choice((rng.randrange(130, 190), rng.randrange(70, 95), rng.randrange(20, 61)))
    return {"bytes_": asked, "where": where, "minalign": MINALIGN[where]}


def kmalloc_steps(bytes_: int, where: str, minalign: int) -> Steps:
    """A request to kmalloc: which caches there are, which one serves it, what is lost."""
    sizes, found = kmalloc.sizes(minalign), served(bytes_, minalign)
    shown = ", ".join(map(str, sizes[:7]))
    return Steps.of(
        (
            Step("caches", "the sizes that there are", where, f"{shown}, …"),
            Step("cache", "the smallest that holds the request", f"at least {bytes_}", f"{found}"),
            Step("waste", "cache − request", f"{found} − {bytes_}", f"{found - bytes_}"),
        )
    )


WASTE = apart(
    Question(
        id="07.waste",
        ask="kmalloc({bytes_}) on {where}. How many bytes are wasted?",
        facts=_request,
        answer=lambda bytes_, where, minalign: served(bytes_, minalign) - bytes_,
        misconceptions=(
            Misconception(
                "kmalloc gives as many bytes as were asked for",
                lambda bytes_, where, minalign: 0,
                "From which cache does the object come?",
            ),
            Misconception(
                "all caches are powers of two",
                lambda bytes_, where, minalign: max(minalign, 1 << (bytes_ - 1).bit_length()) - bytes_,
                "Which two caches lie between 64 and 256?",
            ),
            Misconception(
                "every allocation takes a page",
                lambda bytes_, where, minalign: PAGE_SIZE - bytes_,
                "What is a slab for?",
            ),
        ),
        hints=("Which sizes of caches are there?", "cache: the smallest that holds the request; 96 and 192 count."),
        steps=kmalloc_steps,
        because="the smallest cache that holds the request, less the request.",
    )
)

WASTE_STEP = replace(
    WASTE, id="07.waste-step", ask="One step is open, and what follows it. " + WASTE.ask, blank="cache"
)
