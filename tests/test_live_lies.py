"""A guest that lies: what a real one printed, damaged in many ways, ends in a record or in a typed error."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from vmlab import procfs
from vmlab.live import boot_hold, bootlog, bulk_calls, recorder, trace_text
from vmlab.live.console import GuestFailed
from vmlab.live.vmcoreinfo import read as read_vmcoreinfo
from vmlab.physical.real_trace import ALLOC, BULK, EXACT, MOST_BULK
from vmlab.units import VmlabError

TRACE = """# tracer: function
# entries-in-buffer/entries-written: 5/5   #P:1
N 0 __alloc_pages_bulk <-__vmalloc_node_range
A 0 . pfn=0x51e1 order=0 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_NOWARN
A 0 s pfn=0x51e8 order=3 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE
N 0 __free_pages_ok <-make_alloc_exact
F 0 . pfn=0x51ef order=0
"""


def test_a_trace_becomes_rows_and_a_bulk_call_has_what_it_returned():
    rows = trace_text.events(TRACE, [(4, 0xDC0)]).tolist()
    assert [BULK, 4, 0, 0, 0xDC0, 0] == rows[0]
    assert [ALLOC, 0x51E8, 3, 1] == rows[2][:4]
    assert [0, 0, 1, 0, 0] == [row[5] for row in rows]
    assert EXACT == rows[3][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("5/5", "5/9"), "lost events: 5 of 9"),
        (lambda text: text.replace("pfn=0x51e1", "pfn=lots"), "line 4 is no event of ours"),
        (lambda text: text.replace("A 0 .", "A 1 ."), "line 4 is no event of ours"),
        (lambda text: text.replace("A 0 .", "A 0 ?"), "line 4 is no event of ours"),
        (lambda text: text + "N 0 __alloc_pages_bulk <-x\n", "2 calls of alloc_pages_bulk, 1 were seen to return"),
        (lambda text: text + "\x00\xff", "is no event of ours"),
    ],
)
def test_a_trace_that_is_not_the_tracers_is_refused_by_line(change: Callable[[str], str], says: str):
    with pytest.raises(GuestFailed, match=says):
        trace_text.events(change(TRACE), [(4, 0xDC0)])


class FakeDebugger:
    """A guest that calls alloc_pages_bulk as told, from 0x1000 on."""

    def __init__(self, results: list[int]) -> None:
        self.results, self.stops, self.watched = results, 0, 0

    def watch(self, address: int) -> None:
        self.watched = address

    def unwatch(self, address: int) -> None:
        assert address == self.watched

    def go(self) -> None:
        self.stops += 1

    def has_stopped(self, seconds: float) -> bool:
        return self.stops <= 2 * len(self.results)

    def read(self, name: str) -> int:
        return {"rdi": 0xDC0, "rsp": 0x2000, "rax": self.results[(self.stops - 1) // 2]}[name]

    def word(self, address: int, size: int) -> int:
        assert (0x2000, 8) == (address, size)
        return 0x1234


def calls(results: list[int], news: bool = True) -> list[bulk_calls.Call]:
    debugger = FakeDebugger(results)
    console = SimpleNamespace(has_news=lambda: news and debugger.stops > 2 * len(results), last=lambda: "(nothing)")
    return bulk_calls.follow(debugger, console, "amd64", 0x1000, 0.5)  # type: ignore[arg-type]


def test_each_call_in_bulk_is_followed_to_its_return_and_one_page_has_an_event_of_its_own():
    assert [(4, 0xDC0), (0, 0xDC0), (0, 0xDC0)] == calls([4, 1, 0])


def test_a_return_that_cannot_be_and_a_guest_that_stays_silent_are_named():
    with pytest.raises(GuestFailed, match=f"at most {MOST_BULK} pages"):
        calls([1 << 63])
    with pytest.raises(GuestFailed, match="said nothing for 0 s"):
        calls([2], news=False)


def test_only_what_can_be_read_is_traced():
    with pytest.raises(VmlabError, match="expected one of amd64, i386, arm, got arm64"):
        bulk_calls.check("arm64")


def test_whatever_breaks_on_what_a_guest_said_is_a_typed_error_with_its_last_words():
    for broken in (KeyError("zoneinfo"), IndexError(), TypeError(), OverflowError(), AttributeError("x" * 999)):
        expected = pytest.raises(GuestFailed, match=r"said at boot cannot be used(.|\n)*its last words")
        with expected, recorder.told_lies("at boot", lambda: "its last words"):
            raise broken
    with pytest.raises(VmlabError, match=r"^as it was$"), recorder.told_lies("at boot", lambda: ""):
        raise VmlabError("as it was")


FILES = {
    "zoneinfo": "Node 0, zone   Normal\n  pages free 1\n        min 1\n        spanned 4\n        present 4\n"
    "        managed 4\n        protection: (0, 0)\n  start_pfn: 16\n",
    "kallsyms": "ffffffff81000000 T _text\n",
    "vmcoreinfo_place": "0x1000 4096\n",
    "dmesg": "<6>[    0.000000] Linux version 6.1\n",
}


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_are_read_or_refused(seed: int):
    draw = random.Random(seed)
    files = {name: _damaged(text, draw) for name, text in FILES.items() if draw.random() < 0.8}
    for look in (
        lambda: boot_hold.kallsyms(files["kallsyms"]),
        lambda: boot_hold.nodes(procfs.parse_zoneinfo(files["zoneinfo"], "zoneinfo")),
        lambda: bootlog.parse(bootlog.whole(files["dmesg"], files["zoneinfo"])),
        lambda: read_vmcoreinfo(files["vmcoreinfo_place"], lambda pa, count: draw.randbytes(min(count, 4096))),
    ):
        try:
            with recorder.told_lies("at boot", lambda: ""):
                look()
        except VmlabError:
            pass  # a typed error is as good as an answer; anything else fails the test


def _damaged(text: str, draw: random.Random) -> str:
    """Cut, repeated, with other characters in it, or with a number beyond all bounds."""
    at = draw.randrange(len(text) + 1)
    return draw.choice([
        text[:at], text[:at] + "\udcff\x00" + text[at:], text * 50, text.replace("4", "9" * 5000),
        "".join(draw.choice("0123456789abcdef \n:,x") for _ in range(200)), text,
    ])  # fmt: skip
