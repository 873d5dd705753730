"""A guest is untrusted: whatever it prints, the console ends in a typed error, in bounded time and memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmlab.live.console import Console, GuestFailed, marker_of

OPEN = Path("/proc/self/fd")


class Guest:
    """The other end of a console."""

    def __init__(self, most_bytes: int = 1 << 20) -> None:
        ours, self.end = socket.socketpair()
        self.console = Console(ours, most_bytes)

    def says(self, text: bytes) -> None:
        self.end.sendall(text)


@pytest.fixture
def guest() -> Iterator[Guest]:
    made = Guest()
    yield made
    made.end.close()
    made.console.close()


def test_a_marker_has_a_kind_a_name_and_words(guest: Guest):
    guest.says(b"noise\r\n@@HOLD spin i=2 pid=75\r\n")
    marker = guest.console.wait(5, "boot")
    assert ("HOLD", "spin", {"i": "2", "pid": "75"}) == (marker.kind, marker.name, marker.words)


def test_a_file_is_what_stands_between_its_markers(guest: Guest):
    guest.says(b"@@BEGIN zoneinfo\nNode 0, zone\n@@END zoneinfo\n@@BEGIN cut\nhalf of it\n@@HOLD boot\n")
    guest.console.wait(5, "start")
    assert {"zoneinfo": "Node 0, zone"} == guest.console.files()


def test_an_answer_reaches_the_guest(guest: Guest):
    guest.console.send("go\n")
    assert b"go\n" == guest.end.recv(10)


def test_a_guest_without_end_is_cut_off_and_named():
    guest = Guest(most_bytes=1 << 16)
    done = threading.Event()

    def talk() -> None:
        try:
            while not done.is_set():
                guest.says(b"x" * 4096)
        except OSError:
            pass

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    with pytest.raises(GuestFailed, match="printed more than 0 MiB"):
        guest.console.wait(30, "boot")
    assert len(guest.console.text()) <= (1 << 16) + (1 << 17)
    done.set()
    guest.console.close()
    guest.end.close()
    talker.join(5)


def test_a_silent_guest_is_given_up_with_its_last_words(guest: Guest):
    guest.says(b"Unable to handle kernel paging request\n")
    time.sleep(0.1)
    with pytest.raises(GuestFailed, match=r"after xlate: nothing came for 0 s(.|\n)*paging request"):
        guest.console.wait(0.2, "xlate")


def test_a_guest_that_goes_away_is_not_waited_for(guest: Guest):
    guest.says(b"@@HOL")
    guest.end.close()
    with pytest.raises(GuestFailed, match="the console was closed"):
        guest.console.wait(60, "boot")


def test_a_panic_is_a_marker(guest: Guest):
    guest.says(b"[ 1.0] Kernel panic - not syncing: No working init found.\n")
    assert "PANIC" == guest.console.wait(5, "start").kind


def test_too_many_files_are_refused(guest: Guest):
    guest.says(b"".join(b"@@BEGIN f%d\n\n@@END f%d\n" % (n, n) for n in range(5000)) + b"@@BYE\n")
    guest.console.wait(5, "start")
    with pytest.raises(GuestFailed, match="more than 4096 files"):
        guest.console.files()


def test_bytes_that_are_no_text_are_shown_as_question_marks(guest: Guest):
    guest.says(b"\x00\x1b[2J\xff\xfe\n@@BYE\n")
    guest.console.wait(5, "start")
    shown = guest.console.last()
    assert shown.replace("\n", "").isprintable()
    assert shown == "??[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n@@BYE"


@given(st.binary(max_size=300))
def test_any_marker_line_is_taken_apart_without_an_error(line: bytes):
    assert marker_of(b"@@HOLD " + line).kind


@given(
    st.lists(
        st.sampled_from([b"@@BEGIN a\n", b"@@END a\n", b"\n@@END b\n", b"@@BEGIN b\n", b"\n", b"x", b"@@"]), max_size=40
    )
)
def test_lying_markers_give_files_or_nothing(parts: list[bytes]):
    guest = Guest()
    guest.says(b"".join(parts) + b"\n@@BYE\n")
    guest.console.wait(5, "start")
    assert set(guest.console.files()) <= {"a", "b"}
    guest.end.close()
    guest.console.close()


@pytest.mark.parametrize(
    "part",
    [b"@@BEGIN a\n", b"@@BEGIN a\n\n@@END b\n", b"x", b"\n", b"@@END a\n@@BEGIN a\n", b"Kernel pani"],
    ids=["begins", "wrong ends", "one line", "empty lines", "ends first", "nearly a panic"],
)
def test_however_a_guest_fills_the_console_its_files_are_told_or_refused_in_one_pass(part: bytes):
    """4 MiB: a search from each beginning to the end would read more than a terabyte, and this test would not end."""
    guest = Guest(most_bytes=8 << 20)
    talker = threading.Thread(target=guest.says, args=(part * ((4 << 20) // len(part)) + b"\n@@BYE\n",), daemon=True)
    talker.start()
    assert "BYE" == guest.console.wait(60, "start").kind
    talker.join(5)
    if part.count(b"@@"):
        with pytest.raises(GuestFailed, match="65536 files"):
            guest.console.files()
    else:
        assert {} == guest.console.files()
    guest.end.close()
    guest.console.close()


def test_nothing_is_left_open():
    before = len(list(OPEN.iterdir())) if OPEN.is_dir() else 0
    for _ in range(20):
        guest = Guest()
        guest.says(b"@@BYE\n")
        guest.console.wait(5, "start")
        guest.end.close()
        guest.console.close()
    assert before == (len(list(OPEN.iterdir())) if before else 0)
