"""Lesson 09's functions to write: where a 64-bit kernel's addresses lead, and which addresses are logical at all."""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple

from ...arch.space import DIRECT_MAP, IMAGE
from ...machine import Machine
from ...parts import Config, Image, Region
from ...units import MiB, VmlabError
from ...virtual.layout import Layout, drawn, layout_of
from ..plain import Plain
from ..question import Misconception
from ..task import Given, Task
from .boards import Banks, arm_banks, in_bytes

PC_OFFSET, WINDOW = 0xFFFF_8880_0000_0000, 0xFFFF_FFFF_8000_0000  # where direct map and image are without KASLR

# --- leads_to: a constant for the direct map, another one for the image ---


class Booted(NamedTuple):
    """A PC with KASLR as plain data: banks and image in MiB, [first, size]; `words` are what it drew."""

    banks: Banks
    image: list[int]
    words: list[int]

    def layout(self) -> Layout:
        """Its addresses."""
        start, size = self.image
        (first, low), *_ = self.banks
        if first or start < 16 or start % 2 or size < 1 or start + size > low:
            raise VmlabError("PC: expected RAM from 0, and in it the image, from an even MiB that is 16 or more")
        ram = tuple(Region(first * MiB, bank * MiB) for first, bank in self.banks)
        image = Image(start * MiB, (start + size) * MiB)
        machine = Machine("amd64", ram, Config(kaslr=True), image=image)
        return layout_of(machine, drawn(machine, self.words))

    def loads(self) -> str:
        """Lines of Python that make the same layout."""
        return (
            "from vmlab.study.tasks.layout import Booted\n"
            f"layout = Booted(banks={self.banks}, image={self.image}, words={self.words}).layout()  # in MiB"
        )


def _draw_pc(rng: random.Random, size: float) -> Given:
    low, image = int(160 + size * rng.randrange(64, 2900)), [2 * rng.randrange(8, 40), rng.randrange(8, 40)]
    banks = [[0, low], *([[4096, int(64 + size * rng.randrange(64, 4000))]] if rng.random() < 0.7 else [])]
    places = []
    for _ in range(4 + int(size * 6)):
        first, length = rng.choice([*banks, [banks[-1][0] + banks[-1][1], 64]])
        inside = [rng.randrange(length) * MiB + rng.randrange(MiB), 0, length * MiB - 8, length * MiB]
        own = [rng.randrange(image[1] * MiB), 0, image[1] * MiB - 8, image[1] * MiB]
        kind = rng.choice(("direct", "direct", "direct", "image", "image", "vmalloc", "vmemmap"))
        at = rng.choice(inside) + first * MiB if kind == "direct" else rng.choice(own)
        places.append([kind, at])
    return {"places": places, "words": [rng.getrandbits(60) for _ in range(4)], "banks": banks, "image": image}


def _addresses(layout: Layout, places: list[list[str | int]]) -> list[int]:
    base = {name: layout.area(name).start for name in ("vmalloc", "vmemmap")}
    base |= {"direct": layout.page_offset, "image": layout.area(IMAGE).mapped[0][0]}
    return [base[str(kind)] + int(at) for kind, at in places]


def _leads_args(banks: Banks, image: list[int], words: list[int], places: list[list[str | int]]) -> list[Plain]:
    layout = Booted(banks, image, words).layout()
    text, end = layout.area(IMAGE).mapped[0]
    addresses = _addresses(layout, places)
    return [addresses, layout.page_offset, in_bytes(banks), [text, end - text, image[0] * MiB]]


def _leads(banks: Banks, image: list[int], words: list[int], places: list[list[str | int]]) -> Plain:
    layout = Booted(banks, image, words).layout()
    if not places:
        raise VmlabError("addresses: expected one or more")
    return [layout.classify(va).pa for va in _addresses(layout, places)]


def _followed(
    addresses: Plain, page_offset: int, banks: Plain, image: Plain, *, last: int = 0, slide: bool = True
) -> Plain:
    """The obvious way, with what a belief changes; `last` is added to the end of every range."""
    found: list[Plain] = []
    for va in addresses:
        pa, inside = va - page_offset, va - image[0]
        if any(start <= pa < start + size + last for start, size in banks):
            found.append(pa)
        elif 0 <= inside < image[1] + last:
            found.append(inside + image[2] if slide else va - WINDOW)
        else:
            found.append(None)
    return found


def _packed(addresses: Plain, page_offset: int, banks: Plain, image: Plain) -> Plain:
    """The n-th byte of the direct map is the n-th byte of RAM."""
    total, starts = 0, []
    for start, size in banks:
        starts.append((page_offset + total, size, start))
        total += size
    rows = [*starts, tuple(image)]
    hits = ([va - low + pa for low, size, pa in rows if low <= va < low + size] for va in addresses)
    return [hit[0] if hit else None for hit in hits]


LEADS_TO = Task(
    id="09.leads_to",
    signature="leads_to(addresses, page_offset, banks, image)",
    ask="Return for each address the physical address that a constant offset gives, or None where there is none (or no "
    "RAM). A 64-bit PC with KASLR: `page_offset` is where the direct map begins, with physical 0; `banks` are the RAM, "
    "each [first byte, bytes]; `image` is [first address, bytes, physical address of its first byte].",
    draw=_draw_pc,
    args=_leads_args,
    answer=_leads,
    loads=lambda banks, image, words, places: "\n".join(
        (
            Booted(banks, image, words).loads(),
            *(f"print(layout.classify({va:#x}).reason)" for va in _leads_args(banks, image, words, places)[0]),
        )
    ),
    what="machines",
    beliefs=(
        Misconception(
            "the direct map's range proves that memory is there",
            lambda addresses, offset, banks, image: _followed(addresses, offset, [[0, sum(banks[-1])]], image),
            "Which addresses has a hole between two banks?",
        ),
        Misconception(
            "logical are as many addresses from page_offset on as RAM has bytes, and no others",
            lambda addresses, offset, banks, image: [
                va - offset if 0 <= va - offset < sum(size for _, size in banks) else None for va in addresses
            ],
            "Where is RAM's last byte if there is a hole below it, and how did boot map the kernel image?",
        ),
        Misconception(
            "outside the direct map no constant leads to a frame",
            lambda addresses, offset, banks, image: _followed(addresses, offset, banks, [0, 0, 0]),
            "How did boot map the kernel image?",
        ),
        Misconception(
            "the direct map always begins at 0xffff_8880_0000_0000",
            lambda addresses, offset, banks, image: _followed(addresses, PC_OFFSET, banks, image),
            "What did KASLR draw on this machine, and which argument tells it?",
        ),
        Misconception(
            "the image stays where it was linked to, so its offset is always 0xffff_ffff_8000_0000",
            lambda addresses, offset, banks, image: _followed(addresses, offset, banks, image, slide=False),
            "What are the addresses of the image's first byte, the virtual one and the physical one?",
        ),
        Misconception(
            "the address after the last one still belongs to a range",
            lambda addresses, offset, banks, image: _followed(addresses, offset, banks, image, last=1),
            "How many addresses has a range of one byte?",
        ),
        Misconception(
            "the direct map leaves out holes, so that RAM stands in it without gaps",
            _packed,
            "Would one constant do then, for every bank?",
        ),
    ),
    hints=(
        "Which two ranges of addresses have a constant offset, and what is it for each?",
        "physical: address - page_offset, if a bank has that byte; address - image[0] + image[2], if the image has it.",
    ),
)

# --- ranges: a bug to find ---


def _board(banks: Banks) -> Layout:
    if banks[0][0] % 2 or any(sum(one) >= other[0] for one, other in itertools.pairwise(banks)):
        raise VmlabError("banks: expected the first one at an even MiB, and holes between them")
    return layout_of(Machine("arm", tuple(Region(first * MiB, size * MiB) for first, size in banks), Config()))


def _ranges_args(banks: Banks) -> list[Plain]:
    layout = _board(banks)
    area = layout.area(DIRECT_MAP)
    assert area.offset is not None
    return [in_bytes(banks), layout.page_offset, area.end - area.offset]


def _joined(banks: Plain, page_offset: int, limit: int, first: int) -> Plain:
    """Each bank's addresses below the limit, if physical `first` is at page_offset."""
    spans = [[start, min(start + size, limit)] for start, size in banks if start < limit]
    return [[page_offset + start - first, page_offset + end - first] for start, end in spans]


def _without_gaps(banks: Plain, page_offset: int, limit: int) -> Plain:
    found: list[list[int]] = []
    for start, end in _joined(banks, page_offset, limit, banks[0][0]):
        low = found[-1][1] if found else start
        found.append([low, low + end - start])
    return found


RANGES = Task(
    id="09.ranges",
    signature="ranges(banks, page_offset, limit)",
    ask="Return the logical addresses of a 32-bit board as ranges [first, end), in order, one for each bank that has "
    "any; `end` is the address after the last one. `banks` are [first byte, bytes] of RAM, in order, with holes "
    "between; the first byte of the first bank is at `page_offset`; `limit` is the physical address where lowmem ends.",
    draw=lambda rng, size: {"banks": arm_banks(rng, size)},
    args=_ranges_args,
    answer=lambda banks: [list(span) for span in _board(banks).area(DIRECT_MAP).mapped],
    loads=lambda banks: (
        "from vmlab.virtual.layout import layout_of\n"
        f"ram = [vm.Region(first * vm.MiB, size * vm.MiB) for first, size in {banks}]\n"
        'layout = layout_of(vm.Machine(arch="arm", ram=ram))\n'
        'print([(hex(low), hex(end)) for low, end in layout.area("direct map").mapped])'
    ),
    beliefs=(
        Misconception(
            "RAM has as many logical addresses as bytes, one after the other",
            lambda banks, page_offset, limit: [[page_offset, page_offset + sum(size for _, size in banks)]],
            "Which physical address has the last byte, and is it below the limit?",
        ),
        Misconception(
            "all RAM is in the direct map",
            lambda banks, page_offset, limit: _joined(banks, page_offset, 1 << 40, banks[0][0]),
            "What lies above the end of lowmem?",
        ),
        Misconception(
            "the direct map leaves out holes, so that banks touch in it",
            _without_gaps,
            "Would one constant do then, for every bank?",
        ),
        Misconception(
            "physical 0 is at page_offset",
            lambda banks, page_offset, limit: _joined(banks, page_offset, limit, 0),
            "At which physical address does this board's RAM begin?",
        ),
        Misconception(
            "what lies between two banks has addresses, too",
            lambda banks, page_offset, limit: [[page_offset, page_offset + min(sum(banks[-1]), limit) - banks[0][0]]],
            "What would a read there reach?",
        ),
    ),
    hints=(
        "Which constant leads from a physical address to its logical one, and which banks have none?",
        "constant: page_offset - the first bank's first byte. Cut each bank at limit, or leave it out.",
    ),
)
