"""The explorer of lesson 13: choose a board, write your numbers down, see the model's, boot the kernel.

A boot runs in a thread of its own: JupyterLab hands clicks to a thread that the notebook's stop button does not reach,
so there is a button Stop here. What the boot says appears as it is said.
"""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..live import lab
from ..live.boards import BOARDS, Board
from ..study.answer_box import button, html
from ..study.arrived import on_click
from ..study.question import number
from ..study.show import Interactive, note, paragraph
from ..units import VmlabError
from ..views.drawing import Drawing
from ..views.live import prediction, verdicts
from .controls import Choice, Control, Entry
from .explorer import Scene

RAM = {"256 MiB": "256M", "512 MiB": "512M", "1 GiB": "1G", "2 GiB": "2G"}
CONTROLS: tuple[Control, ...] = (
    Choice("board", "Board", {name: name for name in BOARDS}, "arm-virt"),
    Choice("ram", "RAM (of each node)", RAM, "1G"),
    Entry("words", "Command line: add", ""),
)
SECONDS_TO_STOP = 5
LINES = 6  # of a boot's progress that are kept in sight
GREY, ORANGE = "#777777", "#d55e00"
Boot = Callable[[Board, Callable[[str], None]], lab.Booted]


def live_explorer(boot: Boot = lab.boot) -> LiveLab:
    """Predict a machine, then boot it; `boot` is what the button calls."""
    return LiveLab(boot)


def chosen(board: str, ram: str, words: str) -> Board:
    """The board of these settings; `ram` is that of each of its nodes."""
    nodes = len(BOARDS[board].ram)
    same = nodes == 1 and ram == "1G"  # the board as it is, under its own name
    return lab.choose(board, "" if same else ",".join([ram] * nodes), words)


def draw_prediction(board: Board) -> Scene:
    """What the model says before anything is booted."""
    machine = lab.describe(board)
    predicted = lab.predict(machine)
    return Scene(prediction(predicted, f"{board.name}, before it boots"), (f"Command line: {machine.cmdline}",))


def draw_verdicts(booted: lab.Booted, guesses: Mapping[str, int] | None = None) -> Scene:
    """The prediction against what the kernel said; and the learner's numbers, if there are any."""
    found = lab.verdicts(booted)
    told = lab.verdicts(booted, told=True)
    right = sum(row.is_right for row in told)
    why = dict.fromkeys(row.reason for row in found if not row.is_right)
    says = [booted.source]
    if why:
        says.append(f"Not known before: {'; '.join(why)}.")
    says.append(
        f"Told what this boot asked for (sizes, in order; no address), the model has {right} of {len(told)} right."
    )
    return Scene(verdicts(found, f"{booted.machine.name}: predicted before, said by the kernel"),
                 (*says, *compared(booted, guesses or {})))  # fmt: skip


def compared(booted: lab.Booted, guesses: Mapping[str, int]) -> list[str]:
    """A sentence for each of the learner's numbers."""
    model = lab.headlines(lab.predict(booted.before))
    real = lab.headlines({row.what: row.real for row in lab.verdicts(booted)})
    return [
        f"{what}: you {_written(what, guess)}, the model {_written(what, model[what])}, the kernel "
        f"{_written(what, real[what])}"
        f"{' — you were right' if guess == real[what] else ''}."
        for what, guess in guesses.items()
    ]


def _written(what: str, number_: int) -> str:
    """A frame's number in hexadecimal, a count with its thousands."""
    return f"{number_:#x}" if what.startswith("first frame") else f"{number_:,}"


class LiveLab(Interactive):
    """Controls, three numbers of one's own, the buttons Predict, Boot and Stop, and what came of it."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self.progress: list[str] = []
        self.thread: threading.Thread | None = None

    def static_html(self) -> str:
        """A board of the shipped records, predicted and compared."""
        scene = self._default()
        return scene.drawing.static_html() + paragraph("\n".join(scene.says))

    def static_text(self) -> str:
        """The same as text."""
        scene = self._default()
        return "\n".join((scene.drawing.static_text(), "", *scene.says))

    def _default(self) -> Scene:
        board = chosen(**{control.name: control.start for control in CONTROLS})
        return draw_verdicts(lab.shipped(board, "this page has no button to boot with."))

    def build(self) -> Any:
        """Everything from top to bottom; Boot can be pressed once there is a prediction."""
        import ipywidgets

        self._controls = {control.name: control.make() for control in CONTROLS}
        names = lab.headlines(lab.predict(lab.describe(chosen("arm-virt", "1G", ""))))
        self._guesses = {name: _field(name) for name in names}
        self._predict, self._boot, self._stop = button("Predict"), button("Boot"), button("Stop")
        self._boot.disabled = self._stop.disabled = True
        self._said, self._picture, self._rows = html(), html(), html()
        self._table = ipywidgets.Checkbox(value=False, description="Show the same as a table", indent=False)
        self._scene: Scene | None = None
        on_click(self._predict, self._on_predict)
        on_click(self._boot, self._on_boot)
        on_click(self._stop, self._on_stop)
        atexit.register(self._at_exit)
        self._table.observe(lambda _: self._put(), "value")
        for widget in self._controls.values():
            widget.observe(lambda _: self._changed(), "value")
        self._tell("Write down your three numbers, then press Predict.")
        grid = ipywidgets.Layout(grid_template_columns="repeat(2, minmax(20em, 1fr))", max_width="940px")
        fields = ipywidgets.GridBox([*self._controls.values()], layout=grid)
        buttons = ipywidgets.HBox([self._predict, self._boot, self._stop])
        return ipywidgets.VBox(
            [fields, *self._guesses.values(), buttons, self._said, self._picture, self._table, self._rows]
        )

    def _changed(self) -> None:
        self._boot.disabled = True
        self._tell("Another machine: press Predict again before it boots.")

    def _settings(self) -> Board:
        return chosen(**{name: widget.value for name, widget in self._controls.items()})

    def _numbers(self) -> dict[str, int]:
        empty = [name for name, field in self._guesses.items() if not field.value.strip()]
        if empty:
            raise VmlabError(f"Type your own number first: {empty[0]}. A wrong one teaches more than none.")
        return {name: number(field.value) for name, field in self._guesses.items()}

    def _on_predict(self) -> None:
        try:
            self._numbers()
            self._scene = draw_prediction(self._settings())
        except VmlabError as bad:
            self._tell(str(bad), ORANGE)
            return
        self._put()
        self._tell("That is the model's. Compare it with yours, then press Boot.")
        self._boot.disabled = False

    def _on_boot(self) -> None:
        try:
            given = self._settings(), self._numbers()
        except VmlabError as bad:
            self._tell(str(bad), ORANGE)
            return
        self._running(True)
        self.progress = []
        self._say("starting; Stop ends it")
        self.thread = threading.Thread(target=self._follow, args=given, name="boot", daemon=True)
        self.thread.start()

    def _follow(self, board: Board, guesses: Mapping[str, int]) -> None:
        """The thread: boot, compare, show."""
        try:
            self._scene = draw_verdicts(self.boot(board, self._say), guesses)
            self._put()
            self._say("Done.")
        except KeyboardInterrupt:
            self._tell("Stopped. QEMU is ended, and nothing was written. Press Boot to try again.", ORANGE)
        except (VmlabError, OSError) as bad:
            self._tell(str(bad), ORANGE)
        finally:
            self._running(False)

    def _on_stop(self) -> None:
        if self.thread is not None and self.thread.is_alive():
            self._stop.disabled = True
            self._say("stopping")
            ident = ctypes.c_ulong(self.thread.ident or 0)  # raised at its next step of Python: within a second
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(KeyboardInterrupt))

    def _at_exit(self) -> None:
        """The notebook's kernel is shut down: leave no QEMU and no guest's RAM behind."""
        self._on_stop()
        if self.thread is not None:
            self.thread.join(SECONDS_TO_STOP)

    def _running(self, is_running: bool) -> None:
        self._predict.disabled = self._boot.disabled = is_running
        self._stop.disabled = not is_running

    def _say(self, text: str) -> None:
        self.progress.append(text)
        self._tell("\n".join(self.progress[-LINES:]))

    def _tell(self, text: str, colour: str = GREY) -> None:
        self._said.value = f'<div style="min-height:{LINES * 1.75}em">{note(text, colour)}</div>'

    def _put(self) -> None:
        if self._scene is None:
            return
        drawing: Drawing = self._scene.drawing
        self._picture.value = drawing.figure_html() + paragraph(self._scene.text)
        self._rows.value = drawing.table.static_html() if self._table.value else ""


def _field(name: str) -> Any:
    import ipywidgets

    field = ipywidgets.Text(description=f"Your {name}", placeholder="a number, such as 2304")
    field.style.description_width, field.layout.width = "22em", "40em"
    return field
