"""A limit on the time that a learner's code may take here, and a place where what it prints is lost.

Left out: systems without these timers (Windows), code that runs beside the main thread, and one endless call of a
function written in C have no limit here; whoever waits can end it with the stop button or by restarting the kernel.
"""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Callable, Iterator
from types import FrameType

SLACK = 4  # by the clock: so many times the processor time that is allowed, for a machine that has other work


class TooLong(BaseException):
    """The time is over. No Exception, so that a learner's `except Exception` in the endless loop lets it through."""


class Nowhere(io.TextIOBase):
    """Takes what is printed and keeps none of it."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """As if written."""
        return len(text)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """For a while, nothing that is printed is shown."""
    with contextlib.redirect_stdout(Nowhere()), contextlib.redirect_stderr(Nowhere()):
        yield


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """TooLong if what is inside takes more processor time than this, or SLACK times as long by the clock."""
    timers = (("SIGPROF", "ITIMER_PROF", seconds), ("SIGALRM", "ITIMER_REAL", SLACK * seconds))
    before = {}
    try:
        if hasattr(signal, "setitimer"):
            for name, timer, most in timers:
                before[name] = signal.signal(getattr(signal, name), _late(seconds))
                signal.setitimer(getattr(signal, timer), most, 1)  # and again each second, if it is caught
    except ValueError:  # not the main thread
        before = {}
    try:
        yield
    finally:
        for name, timer, _ in timers:
            if name in before:
                signal.setitimer(getattr(signal, timer), 0)
                signal.signal(getattr(signal, name), before[name])


def _late(seconds: float) -> Callable[[int, FrameType | None], None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"it took more than {seconds:g} s. Does every loop come to its end?")

    return late
