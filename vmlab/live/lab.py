"""The live lab in four calls: describe a board, predict it, boot it, see where the prediction was right.

    board = choose("arm-virt", ram="512M", words="vmalloc=384M")
    booted = boot(board, print)            # a real kernel under QEMU; or a shipped record, and `source` says why
    verdicts(booted)                       # every value that both the prediction and the kernel have

Left out: kernels of other versions than the prediction's 6.1 are booted (`version`), and their differences shown, but
nothing here explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import kernel
from ..compare import Side, Values, compare, recorded_values, values
from ..machine import Machine
from ..parts import Config
from ..record import load_machine
from ..units import VmlabError
from . import debian
from .boards import Board, choose
from .console import GuestFailed
from .describe import describe
from .record import write
from .recorder import record

__all__ = ["Booted", "Verdict", "boot", "choose", "describe", "headlines", "predict", "shipped", "verdicts"]

Say = Callable[[str], None]
SHIPPED = {  # board -> the shipped records of it, with other RAM or words
    "arm-virt": ("arm-virt-armmp-1g", "arm-virt-armmp-512m", "arm-virt-armmp-2g", "arm-virt-armmp-1g-cma128m",
                 "arm-virt-armmp-1g-movable256m", "arm-virt-armmp-1g-vmalloc512m", "arm-virt-armmp-512m-movable128m"),
    "arm-virt-lpae": ("arm-virt-lpae-1g", "arm-virt-lpae-4g"),
    "i386-pc": ("i386-pc-686-1g", "i386-pc-686-512m", "i386-pc-686-512m-highmem128m"),
    "i386-pc-pae": ("i386-pc-686pae-4g",),
    "amd64-pc": ("amd64-pc-1g", "amd64-pc-4g"),
    "amd64-pc-la57": ("amd64-pc-4g-la57",),
    "amd64-numa": ("amd64-pc-numa-1g-4g",),
    "arm64-virt": ("arm64-virt-1g",),
}  # fmt: skip
OWN_WORDS = ("console=", "memblock=", "loglevel=", "log_buf_len=", "nokaslr", "earlycon=")  # the recorder's
NO_WITNESS = "constant MODULES_VADDR"  # how the shipped x86-64 records have modules_start: see ARCHITECTURE.md


@dataclass(frozen=True, slots=True)
class Booted:
    """A kernel that ran: `before` is the machine as it was known before, `machine` its record's inputs and answers."""

    before: Machine
    machine: Machine
    source: str  # what is shown, in a sentence
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """One value: predicted, what the kernel said, and the input that was not known before where they differ."""

    what: str
    predicted: Any
    real: Any
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the prediction is what the kernel said."""
        return bool(self.predicted == self.real)


def predict(machine: Machine) -> Values:
    """What the model says of a machine: zones, marks, mem_map, layout, by name (`vmlab.compare.values`)."""
    return values(kernel.boot(machine))


def boot(board: Board, say: Say, version: str = "", folder: Path | None = None) -> Booted:
    """Boot it for real, or take a shipped record of the same board where something is not installed.

    Stopping it (Ctrl-C, a notebook's stop button while its cell runs) ends QEMU and leaves no file. A kernel that
    fails is an error that says at which stage. The record is kept in `folder`; without one, in `debian.cache()`.
    """
    before = describe(board)
    try:
        found = record(board, say, version)
    except GuestFailed:
        raise
    except VmlabError as missing:  # it says what to install
        return shipped(board, str(missing))
    path = write(found, folder or debian.cache() / "records")
    booted = load_machine(str(path))
    said = booted.recorded.kernel_version if booted.recorded else ""
    source = f"Shown: booted just now under QEMU: {said}. Its record is kept in {path}."
    return Booted(before, booted, source, is_fresh=True)


def shipped(board: Board, why: str) -> Booted:
    """The shipped record that is nearest to what was asked for: the same board, then words, then RAM."""
    wanted = set(_words(board.command_line()))
    machines = [load_machine(name) for name in SHIPPED[_name(board)]]
    found = min(machines, key=lambda m: (len(wanted ^ set(_words(m.cmdline))), abs(m.ram_bytes - board.ram_bytes)))
    words = " ".join(_words(found.cmdline))
    other = f" with {words} on its command line" if words else ""
    source = f"Shown: {found.name}, a shipped record of the same board{other}. Nothing was booted here: {why}"
    return Booted(known_before(found), found, source, is_fresh=False)


def _name(board: Board) -> str:
    """The name in SHIPPED: `choose` has put the RAM behind it."""
    return max((name for name in SHIPPED if board.name.startswith(name)), key=len)


def _words(cmdline: str) -> list[str]:
    return [word for word in cmdline.split() if not word.startswith(OWN_WORDS)]


def known_before(machine: Machine) -> Machine:
    """A recorded machine without what only its boot told: image, initrd, boot calls, sizes of structs."""
    return replace(
        machine, config=Config(format=machine.config.format), name=f"{machine.name}, before it booted",
        reserved=(), image=None, boot_calls=None, final_reserved=None, recorded=None,
    )  # fmt: skip


def verdicts(booted: Booted, told: bool = False) -> list[Verdict]:
    """The prediction against the kernel, value by value, as far as the record has a witness.

    With `told`, the prediction from the record's own inputs: it knows what was asked of the boot allocator, and how
    large the image was, though not where anything came to lie.
    """
    recorded = booted.machine.recorded
    if recorded is None:
        raise VmlabError(f"{booted.machine.name}: expected a machine that was recorded, got one described by hand")
    before = booted.machine if told else booted.before
    predicted, real = predict(before), recorded_values(recorded)
    sides = Side("predicted", predicted, before), Side("recorded", real, booted.machine)
    why = {row.what: row.reason for row in compare(*sides)}
    layout = recorded.data.get("layout") or {}
    blind = {f"layout {name}" for name, row in layout.items() if str(row.get("how")).startswith(NO_WITNESS)}
    both = [what for what in predicted if what in real and what not in blind]
    return [Verdict(what, predicted[what], real[what], why.get(what, "")) for what in both]


def headlines(found: Values) -> dict[str, int]:
    """The three numbers that a learner is asked for first, from the values of a prediction or of a record."""
    starts = {what: count for what, count in found.items() if what.endswith(" start_pfn")}
    return {
        "first frame of the last zone": max(starts.values()),
        "frames that hold mem_map": found["mem_map frames"],
        "pages handed to the page allocator": sum(n for what, n in found.items() if what.endswith(" managed")),
    }
