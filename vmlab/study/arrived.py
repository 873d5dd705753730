"""Buttons that act on what was typed and chosen before them, however busy the kernel is.

A control sends its first change at once and keeps the later ones back until the kernel has answered (msg_throttle of
@jupyter-widgets/base is 1); a click overtakes what is kept back. On a slow machine "2304" was checked as "2", and a
radio button that had been left was committed. So a click makes a round trip first: the kernel changes a number, the
front end copies it back into another (`jsdlink`), and what was kept back comes before the copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

_trip: RoundTrip | None = None


def on_click(button: Any, act: Callable[[], None]) -> None:
    """Call `act` for every click, once everything that the learner did before it is in the kernel."""
    button.on_click(lambda _: _after_arrival(act))


def _after_arrival(act: Callable[[], None]) -> None:
    global _trip
    from IPython import get_ipython

    if get_ipython() is None:  # nobody there to send the copy back, nor to keep anything
        act()
        return
    if _trip is None or _trip.asked.comm is None:  # closed by Widget.close_all()
        _trip = RoundTrip()
    _trip.start(act)


class RoundTrip:
    """Two numbers and the link between them, in the front end; acts wait in order."""

    def __init__(self) -> None:
        import ipywidgets

        self.asked, self.came_back = ipywidgets.IntText(), ipywidgets.IntText()
        self.link = ipywidgets.jsdlink((self.asked, "value"), (self.came_back, "value"))
        self.waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self.came_back.observe(self._arrive, "value")

    def start(self, act: Callable[[], None]) -> None:
        """Send the next number; `act` is called when it, or a later one, is back."""
        self.waiting.append((self.asked.value + 1, act))
        self.asked.value += 1

    def _arrive(self, change: Any) -> None:
        while self.waiting and self.waiting[0][0] <= change["new"]:
            self.waiting.popleft()[1]()
