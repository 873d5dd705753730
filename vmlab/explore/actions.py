"""A control whose value is what was done so far: buttons that add a letter, and the letters as text to type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .controls import LABEL


@dataclass(frozen=True)
class Actions:
    """A string with one letter for each action; `buttons` gives each letter its words."""

    name: str
    label: str
    buttons: Mapping[str, str]
    start: str = ""

    def make(self) -> Any:
        """Buttons, Undo, Start again, and the letters; `value` is the text's."""
        import ipywidgets
        import traitlets

        text = ipywidgets.Text(value=self.start, description=self.label, continuous_update=True)
        text.style.description_width = LABEL
        text.layout.width = "46em"
        pressed = [self._button(text, f"{words} ({letter})", letter) for letter, words in self.buttons.items()]
        undo, again = _plain("Undo"), _plain("Start again")
        undo.on_click(lambda _: setattr(text, "value", text.value[:-1]))
        again.on_click(lambda _: setattr(text, "value", ""))
        row = ipywidgets.HBox([*pressed, undo, again], layout=ipywidgets.Layout(flex_flow="row wrap"))
        box = ipywidgets.VBox([row, text])
        box.layout = ipywidgets.Layout(grid_column="1 / -1", overflow="visible")
        box.add_traits(value=traitlets.Unicode(self.start))
        traitlets.link((text, "value"), (box, "value"))
        return box

    def _button(self, text: Any, words: str, letter: str) -> Any:
        button = _plain(words)
        button.on_click(lambda _: setattr(text, "value", text.value + letter))
        return button


def _plain(words: str) -> Any:
    import ipywidgets

    return ipywidgets.Button(description=words, layout=ipywidgets.Layout(flex="0 0 auto", width="auto"))
