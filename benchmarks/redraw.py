"""Drawing again beside matplotlib as a notebook shows it: a new figure, saved as a PNG with a tight border.

The frame map is a zone of 2**17 frames, its picture an indexed PNG, against an image of as many points; the diagram is
one process's page walk as SVG, against as many boxes, words and arrows. What our views compute from the model is in
their time, but in the row of the PNG alone; matplotlib is handed what it draws. The first zone was full of blocks
of 16 pages, every second one given back; of the second every other page is free, which is the most that can be.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import vmlab as vm
from vmlab.bench import Case
from vmlab.study.workbench import Workbench
from vmlab.views import walk
from vmlab.views.frame_map import grid, png

MAP_GOAL, DIAGRAM_GOAL = 1 / 40, 1 / 100
HIGH, WIDE, BOXES, ARROWS = 256, 512, 50, 40
INCHES, DPI = (8, 5), 100
AGAINST = "matplotlib, new figure, tight PNG"


def cases(shrink: int = 1) -> Iterator[Case]:
    """A picture is a picture: there is nothing to make smaller."""
    pixels = np.random.default_rng(1).integers(1, 4, (HIGH // 16, WIDE // 16), np.uint8).repeat(16, 0).repeat(16, 1)
    yield Case("frame map, the PNG alone", 1, lambda: drawn(png(pixels)), image, MAP_GOAL, AGAINST)
    for order, what in ((4, "blocks of 16 pages"), (0, "every other page free")):
        bench = Workbench()
        bench.fill(order)
        bench.scatter()
        sides = functools.partial(framed, bench), image
        yield Case(f"frame map from the model, {what}", 1, *sides, MAP_GOAL, AGAINST)
    lane = walk.lane(vm.load_machine("i386-pc-686-1g"), "p0", 0xF1_1001)
    yield Case("page-walk diagram, SVG", 1, lambda: drawn(walk.stairs(lane)), diagram, DIAGRAM_GOAL, AGAINST)


def framed(bench: Workbench) -> bool:
    """The zone's frames, from the allocator's lists to the picture."""
    return drawn(grid(bench.buddy, bench.zone, 0))


def drawn(picture: object) -> bool:
    """A picture came of it; two of different make cannot be equal."""
    return bool(picture)


def saved(fill: Callable[..., None]) -> bool:
    """What the inline backend does with a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI)
    FigureCanvasAgg(figure)
    fill(figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.tell() > 0


def image() -> bool:
    """A map of frames by `imshow`."""
    numbers = np.arange(HIGH * WIDE, dtype=np.uint32).reshape(HIGH, WIDE) % 4
    return saved(lambda axes: axes.imshow(numbers, interpolation="nearest"))


def diagram() -> bool:
    """Boxes, each with words, and arrows between them."""
    from matplotlib.patches import FancyArrowPatch, Rectangle

    def fill(axes: Any) -> None:
        for at in range(BOXES):
            x, y = at % 10, at // 10
            axes.add_patch(Rectangle((x, y), 0.8, 0.6))
            axes.text(x, y + 0.3, f"{at:#x}")
        for at in range(ARROWS):
            axes.add_patch(FancyArrowPatch((at % 10, at // 10), (at % 10 + 0.5, at // 10 + 1)))
        axes.set(xlim=(0, 10), ylim=(0, 6))

    return saved(fill)
