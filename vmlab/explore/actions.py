"""A control whose value is what was done so far: buttons that add a letter, and the letters as text to type.

Stepping back leaves the last letter out, stepping forward puts it in again; the picture is made anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..units import VmlabError
from .controls import LABEL

MOST_ACTIONS = 80


@dataclass(frozen=True)
class Actions:
    """A string with one letter for each action; `buttons` gives each letter its words."""

    name: str
    label: str
    buttons: Mapping[str, str]
    start: str = ""
    wide: ClassVar[bool] = True

    def make(self) -> Any:
        """Buttons, Undo, Start again, Redo, and the letters; `value` is the text's."""
        import ipywidgets
        import traitlets

        text = ipywidgets.Text(value=self.start, description=self.label, continuous_update=True)
        text.style.description_width = LABEL
        text.layout.width = "46em"
        pressed = [self._button(text, f"{words} ({letter})", letter) for letter, words in self.buttons.items()]
        undo, again, redo = _plain("Undo"), _plain("Start again"), _plain("Redo")
        longest = {"done": self.start}

        def follow(change: Any) -> None:  # what was undone, as long as nothing else is done instead
            if not longest["done"].startswith(change["new"]):
                longest["done"] = change["new"]

        text.observe(follow, "value")
        undo.on_click(lambda _: setattr(text, "value", text.value[:-1]))
        again.on_click(lambda _: setattr(text, "value", ""))
        redo.on_click(lambda _: setattr(text, "value", longest["done"][: len(text.value) + 1]))
        row = ipywidgets.HBox([*pressed, undo, again, redo], layout=ipywidgets.Layout(flex_flow="row wrap"))
        box = ipywidgets.VBox([row, text])
        box.layout = ipywidgets.Layout(max_width="940px", overflow="visible")
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


def play(done: str, act: Callable[[str], None]) -> None:
    """Do each letter's action. One that is refused changes nothing: it is told if it is the last, else passed over."""
    for place, letter in enumerate(done, 1):
        try:
            act(letter)
        except VmlabError:
            if place == len(done):
                raise


def check_letters(done: str, actions: Mapping[str, str]) -> None:
    """Refuse letters that stand for nothing, and more of them than are run again for one picture."""
    strange = sorted(set(done) - set(actions))
    if strange:
        known = ", ".join(f"{letter} ({words})" for letter, words in actions.items())
        raise VmlabError(f"what was done: expected only the letters {known}; got {' '.join(strange)}")
    if len(done) > MOST_ACTIONS:
        raise VmlabError(f"at most {MOST_ACTIONS} actions are run again for each picture: start again")
