"""`vmlab replay`: play a real kernel's allocation trace in the model, and say how often both did the same.

Three questions, each harder than the one before: told everything up to now, which block leaves the free lists next?
Which page of the CPU's list does a request get? And told nothing but the requests, which frame does each get, and
what are the free lists in the end, block by block?
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ..physical.migratetype import Migratetype
from ..physical.real_follow import Followed, follow
from ..physical.real_replay import replay
from ..physical.real_share import Difference, Share
from ..physical.real_trace import BULK, NAMES, Blocks, RealTrace, RealZone, load

GAP = "while it starts, the kernel switches its events off and on again"  # trace_events.c: early_enable_events
AROUND = 3  # events shown before a difference whose reason is not known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab replay`."""
    parser.add_argument("trace", nargs="+", type=Path, help="a file that `vmlab record --trace` wrote")


def run(args: argparse.Namespace) -> int:
    """Report on each trace; 1 if the model parted from any kernel for a reason that is not known."""
    worst = 0
    for path in args.trace:
        lines, unexplained = report(load(path))
        print("\n".join(lines))
        worst = max(worst, int(unexplained > 0))
    return worst


def report(trace: RealTrace) -> tuple[list[str], int]:
    """The lines, and how often the first difference has no reason; free lists that end otherwise count, too."""
    followed = follow(trace)
    played = replay(trace, followed)
    about, calls = trace.about, trace.count(BULK)
    lines = [f"{about['name']}: {len(trace)} events of {' '.join(str(about.get('kernel')).split()[:3])}"]
    unexplained = 0
    for what, share in (
        ("blocks that left the free lists", followed.blocks),
        ("pages from the CPU's lists", followed.pages),
        ("requests, told nothing else", played.frames),
    ):
        lines.append(_count(what, share.same, share.total))
        lines += first_difference(trace, followed, share)
        unexplained += sum(not reason(followed, first) for first in share.differences[:1])
    for what, lists in (("free lists, followed", followed.lists), ("free lists, played", played.lists)):
        same, total = alike(trace, lists)
        lines.append(_count(f"{what}, at the end", same, total))
        unexplained += total - same
    lines.append(f"    taken from the trace: {followed.bulk_pages} pages in {calls} calls of alloc_pages_bulk")
    if followed.unseen_refills:
        lines.append(
            f"    without any event: {len(followed.unseen_refills)} refill of a CPU's list, missed at event "
            f"{followed.unseen_refills[0]}: {GAP}"
        )
    return lines, unexplained


def _count(what: str, same: int, total: int) -> str:
    return f"    {what:<36} {same:>6} of {total}"


def alike(trace: RealTrace, lists: dict[RealZone, Blocks]) -> tuple[int, int]:
    """(free lists that hold the kernel's blocks in the kernel's order, free lists that hold any)."""
    pairs = [
        (real.get(key), ours.get(key))
        for zone in trace.zones
        for real, ours in [(trace.lists(zone, at_end=True), lists[zone])]
        for key in real.keys() | ours.keys()
    ]
    return sum(real == ours for real, ours in pairs), len(pairs)


def first_difference(trace: RealTrace, followed: Followed, share: Share) -> Iterator[str]:
    """What was asked, what both gave, and why, of the first difference if there is one."""
    if not share.differences:
        return
    first = share.differences[0]
    model = "no frame" if first.model < 0 else f"frame {first.model:#x}"
    yield (
        f"        first difference at event {first.at}: order {first.order}, {Migratetype(first.migratetype).name}: "
        f"the kernel took frame {first.real:#x}, the model {model}"
    )
    if why := reason(followed, first):
        yield f"        because {why}"
        return
    yield "        its reason is not known. The events before it:"
    for number in range(max(0, first.at - AROUND), first.at):
        kind, pfn, order, mt, *_ = trace.events[number].tolist()
        yield f"            {number} {NAMES[kind]} frame {pfn:#x} order {order} migratetype {mt}"


def reason(followed: Followed, difference: Difference) -> str:
    """Why model and kernel parted, where the trace shows it; else ""."""
    if difference.at in followed.early:
        return "the request came after a call of alloc_pages_bulk began and before it took its pages"
    if difference.at in followed.unseen_refills:
        return f"a CPU's list was refilled without any event: {GAP}"
    if difference.at in followed.after_lost:
        return f"the pages before it on the CPU's list were gone, and no event says who took them: {GAP}"
    return ""
