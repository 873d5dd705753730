"""The explorer of lesson 10: processes run in any order over one address, a few frames and a swap area."""

from __future__ import annotations

from ..process.story import Scene as Moment
from ..process.story import play
from ..units import VmlabError
from ..views.swap import swap_story
from .actions import Actions, check_letters
from .actions import play as play_letters
from .controls import Choice, Control, Slider
from .explorer import Explorer, Scene

RUN = {
    "a": "P0 runs",
    "b": "P1 runs",
    "c": "P2 runs",
    "f": "P0 forks P3",
    "d": "P3 runs",
}
STEPS = {"a": "P0", "b": "P1", "c": "P2", "f": "P0>P3", "d": "P3"}
FORMATS = {
    "32-bit x86": "x86-32",
    "64-bit x86": "x86-64-4",
    "32-bit ARM": "arm-short",
    "64-bit ARM": "arm64-4k-48",
}
CONTROLS: tuple[Control, ...] = (
    Choice("fmt", "Page table of", FORMATS, "x86-32"),
    Slider("frames", "Frames for these pages", 1, 4, 1, 1),
    Actions("done", "Done so far", RUN, "abcb"),
)


def swap_explorer() -> Explorer:
    """Who runs next: entries, frame and slots after every step, and the path of the last fault."""
    return Explorer(draw_story, CONTROLS)


def draw_story(fmt: str, frames: int, done: str) -> Scene:
    """Play the letters from the beginning."""
    check_letters(done, RUN)
    played: list[str] = []
    play_letters(done, lambda letter: played.append(_step(letter, played)))
    scenes = play(tuple(played), fmt, frames)
    counted = ", ".join(f"{kind} {sum(s.kind == kind for s in scenes)}" for kind in ("minor", "major"))
    outs = sum(len(scene.page_outs) for scene in scenes)
    total = f"Faults so far: {counted}. Entries that became swap entries: {outs}."
    return Scene(
        swap_story(scenes[-1], f"After {len(played)} step{'' if len(played) == 1 else 's'}"),
        (*_told(scenes[-1]), total),
    )


def _step(letter: str, played: list[str]) -> str:
    """The step that a letter stands for; refuses what cannot come after those that were played."""
    is_forked = STEPS["f"] in played
    if letter == "f" and is_forked:
        raise VmlabError("P3 is there already: it can be forked once. Start again, or undo")
    if letter == "d" and not is_forked:
        raise VmlabError("P3 does not exist yet: let P0 fork it first (f)")
    return STEPS[letter]


def _told(scene: Moment) -> tuple[str, ...]:
    """The fault's path, and what had to make room."""
    if scene.fault is None:
        return ("No fault: the entry had what was needed.",) if scene.who and "forks" not in scene.what else ()
    return (*(f"To make room: {out}" for out in scene.page_outs), *scene.fault.tell().splitlines())
