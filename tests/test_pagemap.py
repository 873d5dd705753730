"""pagemap: entries bit by bit, columns against single entries, this machine's own pages against a program in C."""

from __future__ import annotations

import ctypes
import dataclasses
import mmap
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vmlab as vm
from vmlab import procfs
from vmlab.procfs.pagemap import BITS, PagemapEntry

LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="reads this machine's /proc: Linux only")
WITNESS = r"""
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)   /* file, first page, pages: one entry a line */
{
	int fd = open(argv[1], O_RDONLY);
	uint64_t vpn = strtoull(argv[2], NULL, 0), pages = strtoull(argv[3], NULL, 0), word;
	for (uint64_t n = 0; argc > 3 && n < pages; n++)
		if (pread(fd, &word, 8, (vpn + n) * 8) == 8)
			printf("%llu\n", (unsigned long long)word);
	return 0;
}
"""
SLEEPER = """
import ctypes, mmap, sys
area = mmap.mmap(-1, 64 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, 64, 3):
    area[page * mmap.PAGESIZE] = 1
shared = mmap.mmap(-1, 64 * mmap.PAGESIZE)
for page in range(0, 64, 2):
    shared[page * mmap.PAGESIZE] = 1
print(*(ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in (area, shared)), flush=True)
sys.stdin.read()
"""

entries = st.one_of(
    st.builds(PagemapEntry),
    st.builds(
        PagemapEntry,
        present=st.just(True),
        pfn=st.integers(0, (1 << 55) - 1),
        **{bit.name: st.booleans() for bit in BITS[2:]},
    ),
    st.builds(
        PagemapEntry,
        swapped=st.just(True),
        swap_type=st.integers(0, 31),
        swap_offset=st.integers(0, (1 << 50) - 1),
        **{bit.name: st.booleans() for bit in BITS[2:]},
    ),
)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (0x8180_0000_0000_29E0, "present, frame 0x29e0 (exclusive, soft dirty)"),  # amd64-pc-1g, p0 0x400000
        (0xA000_0000_0007_E000, "present, frame 0x7e000 (file or shared)"),
        (0x4000_0000_0000_0021, "swapped, area 1, slot 1"),
        (0x8100_0000_0000_0000, "present, frame hidden (exclusive)"),
        (0x0080_0000_0000_0000, "nothing here (soft dirty)"),  # the area, not the page, carries the mark
        (0, "nothing here"),
    ],
)
def test_recorded_entries_are_said_in_words(raw: int, said: str):
    assert said == PagemapEntry.decode(raw).tell()


@given(entries)
def test_an_entry_encoded_and_decoded_is_the_same(entry: PagemapEntry):
    assert entry == PagemapEntry.decode(entry.encode("6.15"), "6.15")


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=40))
def test_columns_say_of_each_page_what_the_single_entry_says(raws: list[int]):
    raws = [raw & ~(3 << 59) if raw >> 62 != 3 else raw & ~(3 << 59) & ~(1 << 62) for raw in raws]
    pages = procfs.Pagemap(0x1000, np.array(raws, np.uint64))
    for number, raw in enumerate(raws):
        one = PagemapEntry.decode(raw, "6.15")
        assert (one.pfn or 0) == int(pages.pfn[number])
        assert (one.swap_type or 0, one.swap_offset or 0) == (pages.swap_type[number], pages.swap_offset[number])
        assert {bit.name: getattr(one, bit.name) for bit in BITS} == {b.name: pages.flag(b.name)[number] for b in BITS}
        assert one == pages.entry(0x1000 + number * 4096 + 5)
    assert int(pages.present.sum()) == pages.counts["present"]
    assert int(pages.flag("soft_dirty").sum()) == pages.counts["soft_dirty"]


def test_bits_belong_to_kernel_versions():
    guard = PagemapEntry(guard=True)
    assert 1 << 58 == guard.encode("6.15")
    with pytest.raises(vm.VmlabError, match=r"guard: Linux 6.1 has no bit"):
        guard.encode("6.1")
    with pytest.raises(vm.VmlabError, match=r"Linux 6.1 never sets 0x400_0000_0000_0000"):
        PagemapEntry.decode(1 << 58, "6.1")
    old = PagemapEntry(present=True, pfn=0x123)
    assert 0x8600_0000_0000_0123 == old.encode("3.2"), "bits 60..55 were the page's shift"
    assert old == PagemapEntry.decode(0x8600_0000_0000_0123, "3.2")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: PagemapEntry.decode(1 << 64), "expected a pagemap entry of 64 bits"),
        (lambda: PagemapEntry.decode(-1), "expected a pagemap entry of 64 bits"),
        (lambda: PagemapEntry.decode(0, "six"), "expected a version such as"),
        (lambda: PagemapEntry(present=True, swapped=True).encode(), "not of both"),
        (lambda: PagemapEntry(swapped=True, swap_type=32).encode(), "swap_type: expected 0 to 31"),
        (lambda: procfs.parse_pagemap(b"123456789"), "9 bytes: the file was cut"),
        (lambda: procfs.sample_pagemap().flag("dirty"), "expected one of present"),
        (lambda: procfs.sample_pagemap().entry(0x1000), "expected an address in 0xc0_0000"),
    ],
)
def test_bad_input_is_refused_in_words(wrong, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        wrong()


def test_the_sample_is_of_a_process_half_swapped_out():
    pages = procfs.sample_pagemap()
    assert [True, False] * 8 == pages.swapped.tolist()
    assert list(range(65, 81, 2)) == pages.swap_offset[::2].tolist()
    assert (8, 0, False) == (pages.counts["swapped"], pages.counts["present"], pages.hidden)
    again = procfs.parse_pagemap(pages.words.astype("<u8").tobytes(), pages.start)
    assert again.words.tolist() == pages.words.tolist()


def test_frames_that_read_as_zero_are_said_to_be_hidden():
    pages = procfs.Pagemap(0, np.array([1 << 63, 1 << 63 | 1 << 56], np.uint64), "somebody's")
    assert pages.hidden
    assert "CAP_SYS_ADMIN" in pages.tell()


@pytest.fixture
def sleeper():
    """A process with known pages, and the addresses of a private and of a shared area in it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    private, shared = map(int, process.stdout.readline().split())
    yield process.pid, private, shared
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


@LINUX
def test_a_live_process_is_read_as_a_c_program_reads_it(sleeper, tmp_path: Path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing: nothing here to compare our reader of pagemap with")
    pid, private, shared = sleeper
    source, program = tmp_path / "witness.c", tmp_path / "witness"
    source.write_text(WITNESS)
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    for va in (private, shared):
        asked = [program, f"/proc/{pid}/pagemap", str(va // mmap.PAGESIZE), "64"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        assert list(map(int, told)) == procfs.read_pagemap(pid, va, 64).words.tolist()


@LINUX
def test_pages_touched_in_a_live_process_are_present_and_no_others(sleeper):
    pid, private, shared = sleeper
    pages = procfs.read_pagemap(pid, private, 64)
    assert [n % 3 == 0 for n in range(64)] == pages.present.tolist()
    assert not pages.flag("file_or_shared").any()
    others = procfs.read_pagemap(pid, shared, 64)
    assert others.flag("file_or_shared").tolist() == others.present.tolist()
    area = next(row for row in procfs.read_maps(pid) if row.start <= private < row.end)
    assert area.perms == "rw-p"
    smaps = next(row for row in procfs.read_smaps(pid) if row.mapping == area)
    assert smaps.kib["Rss"] * 1024 >= 22 * mmap.PAGESIZE
    assert "rd" in smaps.vm_flags


@LINUX
def test_scanning_finds_the_runs_that_reading_finds(sleeper):
    pid, private, _ = sleeper
    end = private + 64 * mmap.PAGESIZE
    if not procfs.has_pagemap_scan():
        with pytest.raises(vm.VmlabError, match=r"came with Linux 6\.7"):
            procfs.scan_pagemap(pid, private, end)
        return
    found = procfs.scan_pagemap(pid, private, end, all_of=["present"])
    present = procfs.read_pagemap(pid, private, 64).present
    assert [private + n * mmap.PAGESIZE for n in np.flatnonzero(present)] == [run.start for run in found]
    assert {mmap.PAGESIZE} == {run.size for run in found}
    assert [] == procfs.scan_pagemap(pid, private, end, all_of=["swapped"])
    with pytest.raises(vm.VmlabError, match="expected some of wp_allowed"):
        procfs.scan_pagemap(pid, private, end, all_of=["dirty"])


@LINUX
def test_more_runs_than_one_call_takes_are_all_told():
    area = mmap.mmap(-1, 4000 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, 4000, 2):
        area[page * mmap.PAGESIZE] = 1
    va = ctypes.addressof(ctypes.c_char.from_buffer(area))
    if procfs.has_pagemap_scan():
        assert len(procfs.scan_pagemap("self", va, va + len(area), all_of=["present"])) >= 1500
    assert procfs.read_pagemap("self", va, 4000).counts["present"] >= 2000


@LINUX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="frames are for root alone")
def test_frames_are_mapped_as_often_as_pagemap_says(sleeper):
    pid, private, _ = sleeper
    pages = procfs.read_pagemap(pid, private, 64)
    if pages.hidden:
        pytest.skip("root here has not CAP_SYS_ADMIN: frames are hidden")
    frames = pages.pfn[pages.present & pages.flag("exclusive")]
    assert len(frames)
    try:
        counts = procfs.read_kpagecount(frames[::-1])
    except vm.VmlabError as refused:
        pytest.skip(f"this kernel has no kpagecount: {refused}")
    assert {1} == set(counts.tolist())
    for word in procfs.read_kpageflags(frames).tolist():
        assert {"ANON", "SWAPBACKED"} <= set(procfs.flag_names(word))
    assert [0] == procfs.read_kpagecount([1 << 60]).tolist()
    assert ("NOPAGE",) == procfs.flag_names(int(procfs.read_kpageflags([1 << 60])[0]))


@LINUX
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: procfs.read_pagemap(1 << 22, 0, 1), "no process 4194304, .*gone"),
        (lambda: procfs.read_pagemap("self", 5, 1), "a multiple of"),
        (lambda: procfs.read_pagemap("self", 0, 0), "a count of at least 1"),
        (lambda: procfs.read_pagemap("self", (1 << 64) - mmap.PAGESIZE, 2), "beyond any address of 64 bits"),
        (lambda: procfs.read_pagemap("self", 1 << 63, 2), "0 of 2 pages could be read: .*do not reach"),
        (lambda: procfs.read_maps(1 << 22), "no process 4194304"),
        (lambda: procfs.read_kpagecount([-1]), "not negative"),
        (lambda: procfs.PagemapFile().read(0, 2, np.zeros(3, np.uint64)), "into: expected 2 uint64"),
    ],
)
def test_what_cannot_be_read_here_is_said_with_what_to_do(wrong, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        wrong()


@LINUX
def test_a_refused_permission_says_whose_rights_are_needed(monkeypatch):
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(vm.VmlabError, match="right to trace it; be its user, or root"):
        procfs.read_pagemap(1, 0, 1)
    with pytest.raises(vm.VmlabError, match="for root alone"):
        procfs.read_kpageflags([1])


def test_off_linux_the_sample_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(vm.VmlabError, match=r"exists on Linux only; sample_pagemap\(\)"):
        procfs.read_pagemap("self", 0, 1, tmp_path / "proc")


MAPS = """\
00400000-00401000 rw-p 00000000 00:00 0 
20000000-20001000 r--p 00000000 00:02 6                                  /init
7ffe06834000-7ffe06855000 rw-p 00000000 00:00 0                          [stack]
"""  # noqa: W291


def test_maps_are_written_as_they_were_read():
    rows = procfs.parse_maps(MAPS)
    assert MAPS == procfs.format_maps(rows)
    assert (33, "[stack]") == (rows[2].pages, rows[2].path)
    if platform.system() == "Linux" and platform.architecture()[0] == "64bit":
        own = Path("/proc/self/maps").read_text()
        assert own == procfs.format_maps(procfs.parse_maps(own))
    assert 49 == procfs.format_maps(rows[1:2], word=4).index("/init")


@pytest.mark.parametrize(
    "text", ["hello", "00400000-00400000 rw-p 0 0:0 0", "00400000 rw-p", "Rss: 4 kB", "VmFlags: rd"]
)
def test_what_is_no_area_is_refused_with_its_line(text: str):
    with pytest.raises(vm.VmlabError, match=r"smaps, line 1: expected an area"):
        procfs.parse_smaps(text)


@given(st.integers(0, (1 << 64) - 1))
def test_flag_names_and_their_word_agree(word: int):
    names = [name for name in procfs.flag_names(word) if not name.startswith("bit ")]
    assert procfs.flag_word(names) & ~word == 0
    assert list(procfs.flag_names(procfs.flag_word(names))) == names


def test_entries_are_compared_by_value():
    assert dataclasses.replace(PagemapEntry(present=True, pfn=3), pfn=4) == PagemapEntry(present=True, pfn=4)
