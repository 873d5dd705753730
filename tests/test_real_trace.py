"""An independent judge of buddy and the per-CPU lists: allocation traces of two real kernels (Linux 6.1), from boot.

Each trace has the kernel's own free lists, read out of its RAM in list order, before the first event and after the
last. The shares below are what was found; they may rise, and must not fall.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from vmlab.physical import real_trace
from vmlab.physical.real_follow import follow
from vmlab.physical.real_replay import replay
from vmlab.physical.real_trace import ALLOC, FREE, RealTrace
from vmlab.units import VmlabError

FOLDER = Path(__file__).parent / "records" / "alloc"
# name -> (blocks that leave the free lists, pages of CPUs' lists, requests played without help): same, total
FOUND = {
    "arm-virt": ((2532, 2532), (2329, 2329), (2326, 2333)),
    "amd64-pc": ((4132, 4132), (2584, 2587), (2454, 2611)),
}


@pytest.fixture(scope="module", params=sorted(FOUND))
def trace(request: pytest.FixtureRequest) -> RealTrace:
    return real_trace.load(FOLDER / f"{request.param}.npz")


def test_the_model_takes_the_block_that_the_kernel_took_and_ends_with_its_free_lists(trace: RealTrace) -> None:
    followed = follow(trace)
    blocks, pages, _ = FOUND[trace.about["name"]]

    assert blocks == (followed.blocks.same, followed.blocks.total)
    assert pages[0] <= followed.pages.same
    assert pages[1] == followed.pages.total
    for zone in trace.zones:  # every block of every list, in list order
        assert trace.lists(zone, at_end=True) == followed.lists[zone]


def test_requests_played_without_help_get_their_real_frames_as_often_as_found(trace: RealTrace) -> None:
    played = replay(trace).frames
    same, total = FOUND[trace.about["name"]][2]
    assert total == played.total
    assert same <= played.same


def test_no_frame_is_handed_out_twice_in_the_real_trace(trace: RealTrace) -> None:
    in_use: set[int] = set()
    for kind, pfn, order, *_ in trace.events.tolist():
        frames = range(pfn, pfn + (1 << order)) if kind in (ALLOC, FREE) else ()
        if kind == ALLOC:
            assert in_use.isdisjoint(frames)
            in_use.update(frames)
        elif kind == FREE:
            in_use.difference_update(frames)


def test_a_damaged_trace_is_refused(tmp_path: Path) -> None:
    whole = (FOLDER / "arm-virt.npz").read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.npz"
        path.write_bytes(whole[:length])
        with pytest.raises(VmlabError, match=r"cut\.npz"):
            real_trace.load(path)
