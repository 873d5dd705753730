"""What a real kernel's page allocator did from its first traced request on, with its free lists before and after.

Two boots of the same kernel. The first says where things are (VMCOREINFO, /proc/kallsyms). The second is stopped by
QEMU's debugger port at START, the function that start_kernel (init/main.c, 6.1) calls right after trace_init: the
free lists are read out of RAM, in list order, then it runs until our agent has switched the tracer off, and they
are read again. Between the two stand the events of the tracer, which the agent prints, and what each call of
alloc_pages_bulk returned (`bulk_calls`).

Left out: machines with more than one CPU, whose events have no order that could be replayed; arm64, whose
VMCOREINFO does not say where the zones are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..units import VmlabError
from . import boot_hold, bulk_calls, recorder, stops
from .boards import Board
from .console import GuestFailed
from .guest import Guest, WorkFolder
from .kernel_memory import KernelMemory, collect
from .monitor import Debugger
from .recording import Recording

if TYPE_CHECKING:
    import numpy as np

START = "early_irq_init"
KMEM = ("alloc", "free", "free_batched", "alloc_zone_locked", "pcpu_drain", "alloc_extfrag")
FUNCTIONS = (
    "__alloc_pages_bulk",
    "setup_per_cpu_pageset",
    "setup_per_zone_wmarks",
    "__free_pages_core",
    "__free_pages_ok",
    "split_page",
)
WORDS = (
    f"trace_event={','.join(f'kmem:mm_page_{name}' for name in KMEM)} trace_buf_size=8M "
    f"ftrace=function ftrace_filter={','.join(FUNCTIONS)}"
)


@dataclass(slots=True)
class Traced:
    """One traced boot. A row of free lists is (node, zone index, order, migratetype, first frame), in list order."""

    record: Recording  # of the first boot
    text: str  # the second's events
    calls: list[bulk_calls.Call]
    before: np.ndarray  # free lists at START
    after: np.ndarray


def trace(board: Board, say: recorder.Say, version: str = "") -> Traced:
    """Boot a board twice, the second time traced."""
    check(board)
    first = recorder.record(board, say, version, stages=("boot",))
    if "free_lists" not in first.arrays or not {START, bulk_calls.FUNCTION} <= first.data["symbols"].keys():
        raise VmlabError(
            f"tracing {board.name}: its kernel does not say where its free lists, {START} and {bulk_calls.FUNCTION} are"
        )
    line = board.command_line(("trace",), WORDS)
    with WorkFolder(board.ram_bytes) as folder:
        command, backends = recorder.command_of(board, first.kernel, folder, line)
        say(f"booting {first.kernel.release} again, traced")
        with Guest(command, backends, folder) as guest:
            before, calls = _from_start(first, guest, say)
            after = _at_end(first, guest)
            say(f"traced: {len(after)} free blocks at the end")
            files = guest.console.files()
    if not files.get("trace", "").strip():
        raise GuestFailed("the guest printed no trace")
    return Traced(first, files["trace"], calls, before, after)


def check(board: Board) -> None:
    """Refuse what cannot be traced, before anything is booted."""
    bulk_calls.check(board.arch)
    if board.smp != 1:
        raise VmlabError(
            f"tracing {board.name}: expected one CPU, got {board.smp}: events of several have no one order"
        )
    if len(board.ram) != 1:
        raise VmlabError(f"tracing {board.name}: expected one node, got {len(board.ram)}")


def _from_start(first: Recording, guest: Guest, say: recorder.Say) -> tuple[np.ndarray, list[bulk_calls.Call]]:
    """The free lists when the guest comes to START; and what it took in bulk until its agent speaks."""
    symbols = first.data["symbols"]
    guest.stop()  # or the debugger port's word that it stopped would stand before its answers
    with Debugger(guest.folder / "gdb") as debugger:
        debugger.run_to(symbols[START]["va"], recorder.SECONDS)
        guest.stop()
        found = _lists(first, guest)
        say(f"{len(found)} free blocks when tracing begins")
        calls = bulk_calls.follow(
            debugger, guest.console, first.board.arch, symbols[bulk_calls.FUNCTION]["va"], recorder.SECONDS
        )
        guest.stop()
        debugger.has_stopped(recorder.SECONDS)
        debugger.let_go()
    guest.go_on()
    return found, calls


def _at_end(first: Recording, guest: Guest) -> np.ndarray:
    """The free lists when tracing has ended; leaves the guest to its end."""
    found = None
    while True:
        marker = guest.console.wait(recorder.SECONDS, "tracing")
        if marker.kind == "BYE" and found is not None:
            return found
        if marker.kind in ("BYE", "PANIC", "ERR"):
            raise GuestFailed(f"the guest failed while it was traced: {marker.line}\n{guest.console.last()}")
        if marker.kind == "HOLD":
            guest.stop()
            found = _lists(first, guest)
            guest.go_on()
            guest.console.send("go\n")


def _lists(first: Recording, guest: Guest) -> Any:
    """Every block on the buddy's lists of a stopped guest."""
    import numpy as np

    assert first.info is not None
    assert first.memory is not None
    assert first.tables is not None
    tables = collect(first.format, guest.read, first.tables.root_pa)
    memory = KernelMemory(tables.space(), guest.read, first.memory.word_bytes)
    pages = stops.struct_pages(first, memory)
    structs = stops.node_structs(first.info, memory, len(first.data["nodes"]))
    rows = boot_hold.free_lists(first.info, pages, structs, len(first.data["nodes"][0]["zones"]))
    return np.array(rows, np.int64).reshape(-1, 5)
