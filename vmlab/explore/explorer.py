"""The explorer: draws again when a control changes, in place.

The picture is one widget whose content is replaced, never an Output widget, so the cell keeps its height
and nothing flickers. Bursts need no queue of ours: while a change is being drawn, the front end merges
the next ones of a control into one message (msg_throttle of @jupyter-widgets/base is 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..study.show import Interactive, paragraph
from ..units import VmlabError
from ..views import Drawing
from .controls import Control


@dataclass(frozen=True)
class Scene:
    """What one setting of the controls shows: a drawing and sentences below it."""

    drawing: Drawing
    says: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The drawing's sentence, then the others."""
        return "\n".join((self.drawing.alt, *self.says))


class Explorer(Interactive):
    """Controls over a function that turns their values into a `Scene`.

    `draw` takes each control's value under the control's name. A `VmlabError` from it is shown in the
    picture's place, over the last good picture. `values` may be set before the explorer is shown.
    """

    def __init__(self, draw: Callable[..., Scene], controls: Sequence[Control]) -> None:
        self.draw, self.controls = draw, tuple(controls)
        self.values: dict[str, Any] = {control.name: control.start for control in controls}
        self.error = ""
        self._drawn: Scene | None = None  # while the explorer is being shown: all its forms come from one drawing

    def scene(self) -> Scene:
        """What the present values show."""
        return self._drawn or self.draw(**self.values)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        self._drawn = self.scene()
        try:
            return super()._repr_mimebundle_(include, exclude)
        finally:
            self._drawn = None

    def static_html(self) -> str:
        """The default figure, its sentences and its table."""
        scene = self.scene()
        return scene.drawing.static_html() + paragraph("\n".join(scene.says))

    def static_text(self) -> str:
        """The same as text."""
        scene = self.scene()
        return "\n".join((scene.drawing.static_text(), "", *scene.says))

    def build(self) -> Any:
        """Controls above, picture, sentences, and the table when it is asked for."""
        import ipywidgets

        self._made = {control.name: control.make() for control in self.controls}
        self._says, self._rows = ipywidgets.HTML(), ipywidgets.HTML()
        self._table = ipywidgets.Checkbox(value=False, description="Show the same as a table", indent=False)
        self._scene = self.scene()
        self._picture = ipywidgets.Image(format="png") if self._scene.drawing.png else ipywidgets.HTML()
        self._put()
        for widget in (*self._made.values(), self._table):
            widget.observe(self._changed, "value")
        columns = ipywidgets.Layout(grid_template_columns="repeat(2, minmax(20em, 1fr))", max_width="940px")
        wide = [self._made[control.name] for control in self.controls if getattr(control, "wide", False)]
        grid = ipywidgets.GridBox([made for made in self._made.values() if made not in wide], layout=columns)
        return ipywidgets.VBox([grid, *wide, self._picture, self._says, self._table, self._rows])

    def _changed(self, _: Any) -> None:
        self.values = {name: widget.value for name, widget in self._made.items()}
        try:
            self._scene, self.error = self.scene(), ""
        except VmlabError as bad:
            self.error = str(bad)
        self._put()

    def _put(self) -> None:
        drawing = self._scene.drawing
        says = f"{self.error}\nThe picture is the last one that could be drawn." if self.error else self._scene.text
        if drawing.png:
            self._picture.value = drawing.png  # its sentence is said below: an Image widget has no alt text
        else:
            self._picture.value = _covered(drawing.figure_html(), self.error)
        self._says.value = f'<div style="min-height:6em">{paragraph(says, live=True)}</div>'
        self._rows.value = drawing.table.static_html() if self._table.value else ""


def _covered(figure: str, error: str) -> str:
    """The figure; with an error, faint under a box that tells it."""
    if not error:
        return figure
    box = (
        "position:absolute;top:40px;left:40px;right:40px;background:#fff;color:#1a1a1a;border:2px solid #d55e00;"
        "padding:.6em 1em;font-size:14px;line-height:1.4;white-space:normal"
    )
    return (
        f'<div style="position:relative"><div style="opacity:.3">{figure}</div>'
        f'<div role="alert" style="{box}">{escape(error)}</div></div>'
    )
