"""An independent judge of buddy and the per-CPU lists: allocation traces of two real kernels (Linux 6.1), from boot.

Each trace has the kernel's own free lists, read out of its RAM in list order, before the first event and after the
last. The shares below are what was found; they may rise, and must not fall.

amd64-pc's one page that was not the first of its list came in between: its request is told after the call of
alloc_pages_bulk that took its pages after it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from vmlab.cli import main
from vmlab.judge.replay import report
from vmlab.physical import real_trace
from vmlab.physical.real_follow import follow
from vmlab.physical.real_replay import replay
from vmlab.physical.real_trace import ALLOC, BULK, EXACT, FREE, RealTrace
from vmlab.units import VmlabError

FOLDER = Path(__file__).parent / "records" / "alloc"
# name -> (blocks that leave the free lists, pages of CPUs' lists, requests played without help): same, total
FOUND = {
    "arm-virt": ((2532, 2532), (2327, 2327), (2331, 2331)),
    "amd64-pc": ((4132, 4132), (2585, 2586), (2610, 2610)),
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


def test_requests_played_without_help_get_their_real_frames_and_end_with_the_real_free_lists(trace: RealTrace) -> None:
    played = replay(trace)
    assert FOUND[trace.about["name"]][2] == (played.frames.same, played.frames.total)
    for zone in trace.zones:
        assert trace.lists(zone, at_end=True) == played.lists[zone]


def test_what_alloc_pages_exact_does_not_need_goes_past_the_cpus_list_to_a_lists_tail() -> None:
    """make_alloc_exact: "__free_pages_ok(page, 0, FPI_TO_TAIL)". Freed as other pages are, they would be handed out at
    once: the next request of amd64-pc for one page would get another frame than it got.
    """
    trace = real_trace.load(FOLDER / "amd64-pc.npz")
    assert 0 < trace.count(EXACT)
    as_others = dataclasses.replace(trace, events=trace.events[trace.events[:, 0] != EXACT])
    assert replay(as_others).frames.same < replay(trace).frames.same


def test_the_report_says_every_share_and_why_the_first_differs() -> None:
    lines, unexplained = report(real_trace.load(FOLDER / "amd64-pc.npz"))
    assert 0 == unexplained
    assert any(line.split()[-3:] == ["2610", "of", "2610"] for line in lines)
    assert any("because the request came after a call of alloc_pages_bulk began" in line for line in lines)


def test_a_difference_without_a_known_reason_shows_the_events_before_it_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = real_trace.load(FOLDER / "arm-virt.npz")
    events = trace.events.copy()
    first = int((events[:, 0] == BULK).argmax())
    events[first, 1] += 1  # it says that it took a page more than it did
    path = tmp_path / "lies.alloc.npz"
    real_trace.save(path, dataclasses.replace(trace, events=events))

    assert 1 == main(["replay", str(path)])
    said = capsys.readouterr().out
    assert "its reason is not known. The events before it:" in said


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
