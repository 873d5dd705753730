"""What is read out of a guest: its own notes, its log, its image, its tables; and what damage to them does."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.arch.formats import page_format
from vmlab.live import boards, bootlog, debian, image_file, initramfs, process_holds, vmcoreinfo
from vmlab.live.kernel_memory import KernelMemory, collect
from vmlab.units import PAGE_SIZE, VmlabError

NOTE = (
    "OSRELEASE=6.1.0-50-armmp\nSYMBOL(mem_map)=c15ddc40\nSIZE(page)=36\nOFFSET(page.lru)=4\nNUMBER(phys_base)=-4096\n"
)
NAMES = [
    "arm-virt-armmp-1g",
    "i386-pc-686pae-4g",
    "amd64-pc-4g",
    "amd64-pc-4g-la57",
    "arm64-virt-1g",
    "arm-virt-lpae-1g",
]


def test_vmcoreinfo_is_an_elf_note_at_the_place_that_sysfs_names():
    note = struct.pack("<III", 11, len(NOTE), 0) + b"VMCOREINFO\0\0" + NOTE.encode()
    info = vmcoreinfo.read("0x419b2000 1024\n", lambda pa, size: note.ljust(size, b"\0"))
    assert (0xC15D_DC40, 36, 4, -4096) == (
        info.symbols["mem_map"], info.size("page"), info.offset("page.lru"), info.numbers["phys_base"],
    )  # fmt: skip
    assert "6.1.0-50-armmp" == info.words["OSRELEASE"]


@pytest.mark.parametrize("place", ["", "nonsense", "0x1000", "0x1000 ffffffff", "-1 10"])
def test_a_place_that_cannot_be_is_refused(place):
    with pytest.raises(VmlabError, match="vmcoreinfo"):
        vmcoreinfo.read(place, lambda pa, size: bytes(size))


def test_what_the_note_lacks_is_named():
    with pytest.raises(VmlabError, match=r"SIZE\(zone\)"):
        vmcoreinfo.parse(NOTE).size("zone")


@given(st.text(max_size=400))
def test_any_note_is_read_without_an_error(text):
    vmcoreinfo.parse(text)


LOG = """<6>[    0.000000] Linux version 6.1.0-50-armmp
<6>[    0.000000] memblock_reserve: [0x40300000-0x415f5587] arm_memblock_init+0x30/0x74
<6>[    0.000000] memblock_alloc_try_nid_raw: 9437184 bytes align=0x80 nid=0 from=0x00000000 max_addr=0x00000000 x+0x1
<6>[    0.000000] memblock_phys_free: [0x6f6f9000-0x6f6f9fff] y+0x2
<6>[    0.000000] Memory: 973516K/1048576K available (13312K kernel code)
<6>[    0.000000]   HighMem  [mem 0x0000000070000000-0x000000007fffffff]
<6>[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
"""


def test_the_boot_log_tells_every_step_of_the_boot_allocator():
    said = bootlog.parse(LOG)
    reserve, alloc, free = said["events"]
    assert ("reserve", 0x4030_0000, 0x415F_5588) == (reserve["op"], reserve["start"], reserve["end"])
    assert ("alloc", 9437184, 0x80, "x+0x1") == (alloc["op"], alloc["size"], alloc["align"], alloc["caller"])
    assert ("free", 0x6F6F_A000) == (free["op"], free["end"])
    assert {"zone": "HighMem", "start": 0x7000_0000, "end": 0x8000_0000} == said["zone_ranges"][0]
    assert 1048576 == said["memory_line"]["total_kib"]
    assert {"start": 0, "end": 0x9FC00, "type": "usable"} == said["e820"][0]


@given(st.lists(st.sampled_from(LOG.splitlines()), max_size=20), st.randoms())
def test_a_damaged_log_is_read_as_far_as_it_goes(lines, rng):
    text = "\n".join(line[: rng.randrange(len(line) + 1)] for line in lines)
    assert len(bootlog.parse(text)["events"]) <= len(lines)


def test_a_log_that_lost_its_head_is_mended_from_the_console():
    dmesg = "<6>[    2.0] late\n<6>[    3.0] later"
    console = "[    0.0] Linux version 6.1\n[    2.0] late\n@@HELLO boot\n"
    assert "<6>[    0.0] Linux version 6.1\n" + dmesg == bootlog.whole(dmesg, console)


def test_an_initramfs_holds_what_was_put_in():
    """Read back as the kernel does: headers of 110 bytes, everything padded to 4 (init/initramfs.c)."""
    data, names = initramfs.build(b"\x7fELF agent"), []
    at = 0
    while at < len(data):
        assert b"070701" == data[at : at + 6]
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        body = at + 110 + fields[11] + -(at + 110 + fields[11]) % 4
        names.append((name, data[body : body + fields[6]]))
        at = body + fields[6] + -fields[6] % 4
    assert ["dev", "proc", "sys", "mods", "dev/console", "init", "TRAILER!!!"] == [name for name, _ in names]
    assert b"\x7fELF agent" == dict(names)["init"]


def test_modules_come_after_those_they_need(tmp_path: Path):
    for name, needed in (("zram", "zsmalloc"), ("zsmalloc", ""), ("virtio_blk", "virtio_ring,virtio"), ("virtio", ""),
                         ("virtio_ring", "virtio")):  # fmt: skip
        (tmp_path / f"{name}.ko").write_bytes(b"\0license=GPL\0depends=" + needed.encode() + b"\0")
    order = [path.stem for path in initramfs.with_dependencies(tmp_path, ["virtio_blk", "zram", "not-built"])]
    assert ["virtio", "virtio_ring", "virtio_blk", "zsmalloc", "zram"] == order


@given(st.binary(max_size=2000))
@settings(max_examples=50)
def test_a_file_that_is_no_kernel_is_refused(data):
    with pytest.raises(VmlabError):
        image_file.payload(data)


def test_the_image_of_arm_has_its_borders_in_iomem():
    """Record arm-virt-armmp-1g: __init_begin 0xc1200000, __init_end 0xc1400000, _end 0xc1607588."""
    recorded = vm.load_machine("arm-virt-armmp-1g").recorded
    assert recorded is not None
    symbols = recorded.data["symbols"]
    found = image_file.from_iomem(recorded.data["iomem"], symbols["_stext"]["va"], symbols["_stext"]["pa"])
    assert [symbols[name]["va"] for name in ("__init_begin", "__init_end", "_end")] == [
        found.init_begin, found.init_end, found.end,
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_all_tables_below_a_root_are_found_and_what_they_map(name):
    """The recorded kernel's own tables, collected anew through a RAM that holds only them."""
    recorded = vm.load_machine(name).recorded
    assert recorded is not None
    space = recorded.kernel_space()
    pfns, data = recorded.tables._pages("boot")
    ram = {int(pfn): bytes(page) for pfn, page in zip(pfns, data, strict=True)}

    def read(pa: int, size: int) -> bytes | None:
        return _bytes(ram, pa, size)

    two = space.format.two_roots
    found = collect(space.format, read, space.high_root_pa if two else space.root_pa, half=int(two))
    assert found.mapped
    chosen = random.Random(name).sample(found.mapped, min(300, len(found.mapped)))
    assert [row.pa for row in chosen] == [space.walk(row.va).pa for row in chosen]
    assert set(found.pages) <= {pfn * PAGE_SIZE for pfn in ram}
    memory = KernelMemory(space, read, 8)
    assert memory.bytes(chosen[0].va, 0) == b""


def _bytes(ram: dict[int, bytes], pa: int, size: int) -> bytes | None:
    pages = [ram.get(number) for number in range(pa // PAGE_SIZE, -(-(pa + size) // PAGE_SIZE))]
    if None in pages:
        return None
    return b"".join(page for page in pages if page)[pa % PAGE_SIZE :][:size]


@pytest.mark.parametrize("name", ["x86-64-4", "x86-32", "x86-pae", "arm-short", "arm-lpae", "arm64-4k-48"])
def test_tables_that_point_to_themselves_end(name):
    fmt = page_format(name)
    rng = random.Random(name)
    page = bytes(rng.randrange(256) for _ in range(PAGE_SIZE))

    def read(pa: int, size: int) -> bytes | None:
        return (page * (size // PAGE_SIZE + 2))[pa % PAGE_SIZE :][:size] if pa < 1 << 20 else None

    found = collect(fmt, read, 0)
    assert len(found.pages) <= 1 << 8


def test_runs_of_pagemap_continue_each_other():
    assert {0x40_0000: 5, 0x40_1000: 6} == process_holds.runs("400000 2 0000000000000005\nnot a line\n")
    with pytest.raises(VmlabError, match="more than"):
        process_holds.runs("400000 99999999999 1")


def test_a_machine_is_chosen_by_name_and_changed_by_words():
    board = boards.choose("arm-virt", "2G", "vmalloc=512M")
    assert (2 << 30, "arm-virt-2g") == (board.ram_bytes, board.name)
    assert "vmalloc=512M" in board.command_line()
    assert "qemu-system-aarch64" == boards.choose("arm-virt-lpae", "4G").emulator


@pytest.mark.parametrize("wrong", [("arm-vrit", ""), ("arm-virt", "12"), ("arm-virt", "much"), ("arm-virt", "65G,1G")])
def test_a_machine_that_cannot_be_is_refused(wrong):
    with pytest.raises(VmlabError):
        boards.choose(*wrong)


def test_everything_that_has_to_be_installed_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VmlabError) as missing:
        debian.check_tools(boards.choose("arm-virt"))
    install = str(missing.value).rpartition("apt-get install ")[2].split()
    assert ["qemu-system-arm", "dpkg", "apt", "gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"] == install


def test_an_image_that_kaslr_moved_has_all_its_borders_moved():
    """On i386 nothing but _stext tells: VMCOREINFO has no KERNELOFFSET there (arch/x86/kernel/crash_core_32.c, 6.1)."""
    linked = image_file.Borders(0xC1D8_6000, 0xC1E6_A000, 0xC200_C000, 0xC100_0000, "ELF sections")
    moved = linked.moved(0xD900_0000)

    assert (0xD9D8_6000, 0xD9E6_A000, 0xDA00_C000) == (moved.init_begin, moved.init_end, moved.end)
    assert linked == moved.moved(0xC100_0000)
