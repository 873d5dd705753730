"""Controls as data: what can be changed, what it is called, and where it starts.

Every control has its label in sight and works from the keyboard; a slider's readout can be typed into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LABEL = "12em"


class Control(Protocol):
    """A named argument of a drawing function, with a starting value.

    Controls stand in two columns; one that has `wide = True` has a row of its own below them.
    """

    @property
    def name(self) -> str:
        """The argument it stands for."""

    @property
    def start(self) -> Any:
        """The value it begins with."""

    def make(self) -> Any:
        """A widget whose `value` is the argument."""


@dataclass(frozen=True)
class Slider:
    """A whole number from `low` to `high` in steps, in the unit that the label names."""

    name: str
    label: str
    low: int
    high: int
    step: int
    start: int

    def make(self) -> Any:
        """An IntSlider whose number can be typed."""
        import ipywidgets

        slider = ipywidgets.IntSlider(
            value=self.start, min=self.low, max=self.high, step=self.step, description=self.label
        )
        return _laid_out(slider)


@dataclass(frozen=True)
class Choice:
    """One of a few values; `options` gives each its words; long words want a `wide` row."""

    name: str
    label: str
    options: Mapping[str, Any]
    start: Any
    wide: bool = False

    def make(self) -> Any:
        """A drop-down list."""
        import ipywidgets

        rows = [*self.options.items()]
        return _laid_out(ipywidgets.Dropdown(options=rows, value=self.start, description=self.label))


@dataclass(frozen=True)
class Entry:
    """Text to type; what it means is up to the drawing function."""

    name: str
    label: str
    start: str

    def make(self) -> Any:
        """A field that is read at every key."""
        import ipywidgets

        return _laid_out(ipywidgets.Text(value=self.start, description=self.label, continuous_update=True))


def _laid_out(widget: Any) -> Any:
    widget.style.description_width = LABEL
    widget.layout.width = "98%"
    return widget
