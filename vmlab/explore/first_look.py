"""Where to begin: a machine of two controls, and the map of the lessons with what you have answered.

The map is drawn anew when its cell runs; it reads the learner's own file and sends nothing anywhere.
"""

from __future__ import annotations

from ..kernel import boot
from ..machine import Machine
from ..parts import Region
from ..study import lessons, progress
from ..study.question import Facts
from ..units import MiB
from ..views import Drawing, lesson_map, ruler
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene

BOARDS = {"RAM at 0x4000_0000": 0x4000_0000, "RAM at 0x8000_0000": 0x8000_0000}
CONTROLS: tuple[Control, ...] = (
    Slider("ram_mib", "RAM, MiB", 256, 2048, 64, 1024),
    Choice("start", "An ARM board with", BOARDS, 0x4000_0000),
)


def first_explorer() -> Explorer:
    """A board of your size, booted at every move: its zones, and where its struct pages lie."""
    return Explorer(draw, CONTROLS)


def draw(ram_mib: int, start: int) -> Scene:
    """Boot the board and draw its memory."""
    kernel = boot(Machine(arch="arm", ram=(Region(start, ram_mib * MiB),)))
    array = kernel.mem_map
    share = array.bytes / (ram_mib * MiB)
    frames = sum(zone.present_pages for zone in kernel.zones)
    says = (
        f"{frames:,} page frames, {array.struct_page_bytes} bytes of struct page for each: "
        f"{array.bytes / MiB:.1f} MiB, {share:.2%} of the RAM."
    )
    return Scene(ruler(kernel), (says,))


def first_picture(facts: Facts) -> Drawing:
    """The picture behind the first prediction: the board that the question is about."""
    return draw(facts["ram_mib"], facts["start"]).drawing


def your_lessons() -> Explorer:
    """The map of the lessons; each box says how many of your answers are kept."""
    return Explorer(draw_lessons, ())


def draw_lessons() -> Scene:
    """The map as it is now, and where the answers are."""
    to_do = lessons.next_lesson()
    drawing = lesson_map(lessons.LESSONS, lessons.answers_kept(), to_do.number if to_do else "")
    return Scene(drawing, (f"Your answers are in {progress.path()}.",) if progress.path().exists() else ())
