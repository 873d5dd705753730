"""The explorer of lesson 06: a zone's free lists and frames; allocate, free, scatter, compact, and step back.

What is shown is always the state after a list of actions, replayed on a fresh zone: stepping back leaves one out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..physical.migratetype import Migratetype
from ..study.arrived import on_click
from ..study.workbench import Action, Workbench
from ..views.buddy import buddy_zone
from .explorer import Explorer, Scene

MOST_ACTIONS = 60
BUTTONS = {
    "Allocate": "allocate",
    "Free the newest": "free newest",
    "Free the oldest": "free oldest",
    "Fill half": "fill half",
    "Fill": "fill",
    "Free every second": "free every second",
    "Drain the CPU's list": "drain",
    "Compact": "compact",
}
TYPES = {kind.name: int(kind) for kind in (Migratetype.MOVABLE, Migratetype.UNMOVABLE, Migratetype.RECLAIMABLE)}
PATHS = {"the zone's lists": "zone", "the CPU's list": "cpu"}  # a widget takes None for "nothing chosen"
CPU = {"zone": None, "cpu": 0}
History = tuple[tuple[Action, ...], int]  # all actions, and how many of them are shown


@dataclass(frozen=True)
class Actions:
    """Buttons that add an action, and two that step back and forward; `value` is a `History`."""

    name: str
    start: History = ((), 0)
    wide: ClassVar[bool] = True

    def make(self) -> Any:
        """Order, type and path of the next request, and a button for everything that can be done."""
        import ipywidgets
        import traitlets

        order = ipywidgets.BoundedIntText(value=0, min=0, max=10, description="Order")
        kind = ipywidgets.Dropdown(options=[*TYPES.items()], value=1, description="Migratetype")
        path = ipywidgets.Dropdown(options=[*PATHS.items()], value="zone", description="Through")
        for control in (order, kind, path):
            control.style.description_width, control.layout.width = "7em", "19em"
        box = ipywidgets.VBox()
        box.layout = ipywidgets.Layout(max_width="940px")
        box.add_traits(value=traitlets.Any(self.start))

        def act(name: str) -> None:
            box.value = added(box.value, Action(name, order.value, kind.value, CPU[path.value]))

        doing = [_button(words, lambda name=name: act(name)) for words, name in BUTTONS.items()]
        moving = [
            _button("Step back", lambda: setattr(box, "value", moved(box.value, -1))),
            _button("Step forward", lambda: setattr(box, "value", moved(box.value, 1))),
            _button("Start again", lambda: setattr(box, "value", ((), 0))),
        ]
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        rows = [(order, kind, path), doing, moving]
        box.children = [ipywidgets.Box(list(row), layout=wrap) for row in rows]
        return box


def added(history: History, action: Action) -> History:
    """The history with one action more; those that had been stepped back over are gone."""
    actions, shown = history
    kept = actions[:shown]
    if len(kept) >= MOST_ACTIONS:
        return history
    return (*kept, action), len(kept) + 1


def moved(history: History, steps: int) -> History:
    """The same actions, with `steps` more or fewer of them shown."""
    actions, shown = history
    return actions, min(max(shown + steps, 0), len(actions))


def buddy_explorer(actions: Sequence[Action] = ()) -> Explorer:
    """NewMem's free lists and frames, after these actions and after whatever else you do."""
    return Explorer(draw, (Actions("history", (tuple(actions), len(actions))),))


def draw(history: History) -> Scene:
    """Replay the history on a fresh zone and draw it."""
    actions, shown = history
    bench = Workbench.after(actions[:shown])
    count = f"Action {shown} of {len(actions)}"
    full = f" No more than {MOST_ACTIONS}: step back, or start again." if shown == MOST_ACTIONS else ""
    return Scene(buddy_zone(bench.buddy, bench.zone), (f"{count}: {bench.said}{full}",))


def _button(words: str, act: Any) -> Any:
    import ipywidgets

    made = ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto"))
    on_click(made, act)
    return made
