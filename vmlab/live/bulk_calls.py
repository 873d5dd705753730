"""What every call of __alloc_pages_bulk took: it has no trace event, so the CPU is looked at when it returns.

The debugger port stops the guest where the function begins and again where it returns to. Up to one page it takes by
__alloc_pages, which has its event, and so counts as none here (Linux 6.1, mm/page_alloc.c).

Left out: a call in the middle of another, by an interrupt; the trace then has more calls than were seen to return.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..physical.real_trace import MOST_BULK
from ..units import VmlabError
from .console import Console, GuestFailed
from .monitor import Debugger

FUNCTION = "__alloc_pages_bulk"
LOOK_SECONDS = 0.2
MOST_CALLS = 100_000
Call = tuple[int, int]  # pages taken without an event, gfp flags


@dataclass(frozen=True, slots=True)
class Calling:
    """Where a function's first argument, its result and the address that it returns to are when it begins or ends."""

    first: str
    result: str
    link: str  # the register with the return address, or the stack pointer
    word_bytes: int  # of the return address on the stack; 0: it is in the register


CALLING = {
    "amd64": Calling("rdi", "rax", "rsp", 8),
    "i386": Calling("eax", "eax", "esp", 4),  # -mregparm=3
    "arm": Calling("r0", "r0", "lr", 0),
}


def follow(debugger: Debugger, console: Console, arch: str, function: int, seconds: float) -> list[Call]:
    """Let a stopped guest run until its agent says something; each call of `function` until then, in order."""
    calls: list[Call] = []
    gfp, here, waited = 0, function, 0.0
    debugger.watch(here)
    debugger.go()
    while not console.has_news():
        if not debugger.has_stopped(LOOK_SECONDS):
            waited += LOOK_SECONDS
            if waited > seconds:
                raise GuestFailed(f"the traced guest said nothing for {seconds:.0f} s. Last:\n{console.last()}")
            continue
        waited = 0.0
        debugger.unwatch(here)
        if here == function:
            gfp, here = _register(debugger, CALLING[arch].first) & 0xFFFF_FFFF, _return_address(debugger, arch)
        else:
            taken = _register(debugger, CALLING[arch].result)
            if taken > MOST_BULK:
                raise GuestFailed(f"{FUNCTION} returned {taken:#x}: expected at most {MOST_BULK} pages")
            calls.append((taken if taken > 1 else 0, gfp))
            here = function
        if len(calls) > MOST_CALLS:
            raise GuestFailed(f"the guest called {FUNCTION} more than {MOST_CALLS} times")
        debugger.watch(here)
        debugger.go()
    return calls


def check(arch: str) -> None:
    """Refuse an architecture whose calls we cannot read."""
    if arch not in CALLING:
        raise VmlabError(f"tracing: expected one of {', '.join(CALLING)}, got {arch}: its VMCOREINFO names no node")


def _register(debugger: Debugger, name: str) -> int:
    value = debugger.read(name)
    if value is None:
        raise GuestFailed(f"QEMU's debugger port has no register {name}")
    return value


def _return_address(debugger: Debugger, arch: str) -> int:
    calling = CALLING[arch]
    at = _register(debugger, calling.link)
    return debugger.word(at, calling.word_bytes) if calling.word_bytes else at & ~1
