"""Page tables: what real ones said is in test_records.py; here are built ones, broken ones, and a naive walk."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import naive_walk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.arch.formats import format_names, page_format
from vmlab.virtual import walk as walking
from vmlab.virtual.address_space import REFUSES, AddressSpace
from vmlab.virtual.frames import FrameStore

ALL = pytest.mark.parametrize("name", format_names())


def highest(fmt, page):
    """The last address that can begin a page, in the upper half where there is one."""
    return (1 << (64 if fmt.signed else fmt.va_bits)) - page


def naive(space, va):
    """The naive walk of the same bytes."""
    root = (space.root_pa, space.high_root_pa) if space.format.two_roots else space.root_pa
    return naive_walk.walk(space.format.name, root, va, space.frames.read)


def agrees(space, vas):
    """Single walk, what it allows, batch and naive walk of each address give one answer."""
    pas, ok = space.translate(np.array(vas, np.uint64))
    status = np.empty(len(vas), np.uint32)
    space.translate_into(np.array(vas, np.uint64), np.empty(len(vas), np.uint64), status)
    for va, pa, good, word in zip(vas, pas.tolist(), ok.tolist(), status.tolist(), strict=True):
        single, expected = space.walk(va), naive(space, va)
        assert (expected and expected[0]) == single.pa == (pa if good else None), hex(va)
        if space.format.is_canonical(va):
            for access in REFUSES:
                assert space.allows(va, access) == (space.walk(va, access).pa is not None), (hex(va), access)
        if expected is None:
            assert single.fault is not None
            assert pa == 0
        else:
            rights = (single.flags["write"], single.flags["user"], single.flags.get("nx", False))
            assert expected[1:] == (single.page_bytes, *rights), hex(va)
            denied = (walking.NO_WRITE, walking.NO_USER, walking.NO_FETCH)
            assert expected[2:] == (not word & denied[0], not word & denied[1], bool(word & denied[2]))


# --- mapping ---


@ALL
def test_what_is_mapped_is_found_at_every_size_and_in_both_halves(name):
    table = vm.PageTable(name)
    fmt = table.format
    vas = []
    for size in fmt.page_sizes:
        for va in (size, highest(fmt, size) if fmt.signed else (1 << fmt.va_bits) - size):
            if any(table.walk(va + offset).pa is not None for offset in (0, size - 1)):
                continue
            pa = size if size < 1 << 34 else 0
            assert pa == table.map(va, pa, size, write=False).pa
            assert pa + size - 1 == table.walk(va + size - 1).pa
            vas += [va, va + size // 2 + 3, va + size - 1]
            table.unmap(va)
            assert table.walk(va).pa is None
            table.map(va, pa, size)
        for va in vas[-6::3]:
            agrees(table, vas)
            table.unmap(va)
        vas = []


@ALL
def test_unmapping_everything_gives_every_table_back(name):
    taken, given_back = [], []
    numbers = iter(range(0x400, 1 << 20, 16))
    table = vm.PageTable(
        name, lambda order: taken.append(order) or next(numbers), lambda *block: given_back.append(block)
    )
    bare = table.tables_bytes
    page = 1 << table.format.page_shift
    vas = [page * n for n in (0, 1, 5, 511, 512, 100_000)]
    for va in vas:
        table.map(va, va + 16 * page)
    assert table.tables_bytes > bare
    for va in vas:
        assert va + 16 * page == table.unmap(va).pa
    assert bare == table.tables_bytes
    assert len(taken) - len(given_back) == 1 + table.format.two_roots


@ALL
def test_a_page_that_may_be_written_is_dirty_unless_told_otherwise(name):
    """So no hardware has to set the bit at the first write of a page that the kernel itself maps."""
    table = vm.PageTable(name)
    page = 1 << table.format.page_shift
    found = [
        table.map(n * page, 4 * page, **flags).flags
        for n, flags in enumerate(({}, {"write": False}, {"dirty": False}, {"write": False, "dirty": True}))
    ]
    if "dirty" in found[0]:
        assert [True, False, False, True] == [flags["dirty"] for flags in found]
    assert [True, False, True, False] == [flags["write"] for flags in found]


@ALL
def test_protect_changes_only_what_it_names(name):
    table = vm.PageTable(name)
    page = 1 << table.format.page_shift
    before = table.map(page, 4 * page, write=True, user=True, nx=True)
    after = table.protect(page, write=False)

    assert after.pa == before.pa
    assert not after.flags["write"]
    assert {k: v for k, v in before.flags.items() if k != "write"} == {
        k: v for k, v in after.flags.items() if k != "write"
    }
    assert table.walk(page, "write").fault.kind == "permission"
    assert table.walk(page, "read").pa == before.pa


@ALL
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_sequence_of_changes_agrees_with_a_dict_and_with_the_naive_walk(name, data):
    table = vm.PageTable(name)
    fmt = table.format
    page, mapped = 1 << fmt.page_shift, {}
    numbers = st.integers(0, (1 << fmt.va_bits - fmt.signed - fmt.page_shift) - 1)
    high = highest(fmt, page) + page - (1 << fmt.va_bits - 1) if fmt.signed else 0
    for _ in range(data.draw(st.integers(1, 25))):
        va = data.draw(
            st.sampled_from(sorted(mapped)) if mapped and data.draw(st.booleans()) else numbers.map(lambda n: n * page)
        )
        if fmt.signed and va not in mapped and data.draw(st.booleans()):
            va |= high
        if va in mapped:
            assert mapped.pop(va) == table.unmap(va).pa
        else:
            mapped[va] = data.draw(st.integers(0, (1 << 20) - 1)) * page % (1 << 32)
            table.map(va, mapped[va], write=data.draw(st.booleans()), nx=data.draw(st.booleans()))
    for va, pa in mapped.items():
        assert pa == table.walk(va).pa
    probes = [*mapped, *(va + page - 1 for va in mapped), 0, (1 << 64) - 1, 1 << 63, (1 << 63) - 1]
    agrees(table, probes)


def test_tables_cost_frames_of_the_zone_they_come_from():
    kernel = vm.boot(vm.load_machine("amd64-pc-1g"))
    zone = kernel.zones["DMA32"]
    before = kernel.buddy.free_pages(zone)
    table = vm.PageTable("x86-64-4", lambda order: kernel.buddy.alloc(zone, order), kernel.buddy.free)
    table.map(0x40_0000, 0x123_4000)

    assert 4 * 4096 == table.tables_bytes
    assert before - 4 == kernel.buddy.free_pages(zone)
    table.unmap(0x40_0000)
    assert before - 1 == kernel.buddy.free_pages(zone)


def test_without_frames_there_is_no_table():
    frames = iter([0x100, 0x101, None])
    table = vm.PageTable("x86-64-4", lambda order: next(frames))

    with pytest.raises(vm.VmlabError, match="no 1 free frames for a table of level pmd"):
        table.map(0x40_0000, 0x123_4000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0x1001, 0x1000), "expected a multiple of the page size 4 KiB"),
        ((0x1000, 0x1001), "expected a multiple of the page size 4 KiB"),
        ((1 << 47, 0), "not an address of 64-bit x86"),
        ((0x1000, 1 << 52), "no room for it"),
        ((0x1000, 0, 8192), "maps 4 KiB, 2 MiB, 1 GiB; got 8192"),
        ((-4096, 0), "expected 0 <= address"),
    ],
)
def test_what_cannot_be_mapped_is_refused_in_words(arguments, message):
    with pytest.raises(vm.VmlabError, match=message):
        vm.PageTable("x86-64-4").map(*arguments)


def test_what_is_in_the_way_is_named():
    table = vm.PageTable("x86-64-4")
    table.map(0x20_0000, 0, 2 << 20)
    with pytest.raises(vm.VmlabError, match="lies in a page of 2 MiB"):
        table.map(0x20_1000, 0)
    table.map(0x40_0000, 0)
    with pytest.raises(vm.VmlabError, match="in use: unmap it first"):
        table.map(0x40_0000, 0, 2 << 20)
    with pytest.raises(vm.VmlabError, match="is not mapped"):
        table.unmap(0x1_0000_0000)
    with pytest.raises(vm.VmlabError, match="flag 'wirte'"):
        table.map(0x60_0000, 0, wirte=True)


def test_arm_keeps_two_tables_of_each_kind_in_one_frame():
    """asm/pgtable-2level.h: Linux's entries at +0 and +1024, the hardware's at +2048 and +3072."""
    table = vm.PageTable("arm-short")
    even, odd = table.map(0x40_0000, 0x8000_0000), table.map(0x50_0000, 0x8000_1000)

    assert (even.steps[1].table_pa % 4096, odd.steps[1].table_pa % 4096) == (2048, 3072)
    assert even.steps[1].table_pa >> 12 == odd.steps[1].table_pa >> 12
    assert (even.steps[1].entry_pa - 2048, 0x8000_0000) == (even.linux[0], even.linux[1] & ~0xFFF)
    assert 16384 + 4096 == table.tables_bytes


def test_a_walk_tells_what_it_did():
    table = vm.PageTable("x86-32")
    told = table.map(0xF1_1000, 0xFF_F000).explain()

    assert "pgd: entry 3 at 0x10_000c holds" in told
    assert "pte: entry 785 at" in told
    assert "the byte is at 0xff_f000" in told
    assert "fault: not present at pgd; #PF error code 0x4 (not present, from user mode)" in table.walk(0).explain()


# --- bytes that nobody checked ---


def space_of(name, pages, root=0x1000, high=0x2000):
    """An address space over raw pages: frame number -> bytes."""
    fmt = page_format(name)
    store = FrameStore(fmt.entry_bytes)
    store.fill(np.array(list(pages)), np.array([np.frombuffer(page, np.uint8) for page in pages.values()]))
    return AddressSpace(fmt, store, root, high if fmt.two_roots else None)


@ALL
def test_random_bytes_as_tables_end_in_an_answer_or_a_typed_fault(name):
    draw = random.Random(name)
    kinds = set()
    for turn in range(30):
        frames = draw.sample(range(1, 400), 40)
        pages = {pfn: draw.randbytes(4096) for pfn in frames}
        if turn % 2:  # half of them point at one another, at themselves and just outside
            pages = {pfn: pointers(name, draw, frames) for pfn in frames}
        space = space_of(name, pages, draw.choice(frames) << 12, draw.choice(frames) << 12)
        vas = [draw.getrandbits(64) for _ in range(10)] + [
            draw.getrandbits(space.format.va_bits - 1) for _ in range(40)
        ]
        vas += [va | (1 << 64) - (1 << space.format.va_bits - 1) for va in vas[-20:]] if space.format.signed else []
        agrees(space, vas)
        kinds |= {fault.kind for va in vas if (fault := space.walk(va).fault)}
    assert {"not present", "table outside memory", "non-canonical address"} <= kinds


def pointers(name, draw, frames):
    """A page of entries that each name one of `frames`, sometimes with other bits set."""
    fmt = page_format(name)
    table = fmt.levels[0].table
    entries = []
    for _ in range(4096 // fmt.entry_bytes):
        entry = table.value | table.pa.put(draw.choice([*frames, 401, 1 << 40]) << 12)
        if draw.random() < 0.3:
            entry ^= 1 << draw.randrange(8 * fmt.entry_bytes)
        entries.append(0 if draw.random() < 0.1 else entry)
    return np.array(entries, f"<u{fmt.entry_bytes}").tobytes()


@ALL
def test_a_table_that_points_to_itself_ends_after_one_entry_a_level(name):
    fmt = page_format(name)
    table = fmt.levels[0].table
    root = max(0x1_0000, fmt.table_bytes(0))
    page = np.full(4096 // fmt.entry_bytes, table.value | table.pa.put(root), f"<u{fmt.entry_bytes}").tobytes()
    space = space_of(name, {(root >> 12) + n: page for n in range(32)}, root, root)
    found = space.walk(0)

    assert len(found.steps) <= len(fmt.levels)
    agrees(space, [0, 4096, 0x1234_5678])


def test_tables_of_identical_entries_are_no_fault():
    """A table whose entries are all the same, such as one of zero pages, is as good as any other."""
    leaf = np.full(512, 0x1234_5000 | 0x25, "<u8").tobytes()
    upper = {n: np.full(512, (n + 1) << 12 | 0x27, "<u8").tobytes() for n in (1, 2, 3)}
    space = space_of("x86-64-4", {**upper, 4: leaf})

    vas = [0, 0x1FF << 12, 0x7FFF_FFFF_F000, 0xFFFF_8000_0000_0000]
    assert [0x1234_5000] * 4 == [space.walk(va).pa for va in vas]
    agrees(space, vas)


def test_pae_has_a_first_level_of_four_entries():
    """Bits 31 and 30 choose among four; not two levels of nine bits each from bit 31 down."""
    table = vm.PageTable("x86-pae")
    found = table.map(0xC123_4000, 0x56_7000)

    assert [("pgd", 3), ("pmd", 9), ("pte", 52)] == [(step.level, step.index) for step in found.steps]
    assert 32 == table.format.table_bytes(0)


def test_the_same_walk_when_tables_are_too_large_for_the_caches():
    """Beyond 8 MiB of tables a batch is walked in groups: holes, large pages and odd addresses must not differ."""
    for name in ("x86-64-4", "x86-pae", "sv39", "arm-lpae"):
        draw = random.Random(name)
        table = vm.PageTable(name)
        vas = [draw.getrandbits(table.format.va_bits - 1) & ~0xFFF for _ in range(80)]
        for number, va in enumerate(vas):
            if table.walk(va).pa is None and not (number % 4 == 0 and table.walk(va).steps[-1].level == "pte"):
                size = 4096 if number % 4 else 2 << 20
                table.map(va & -size, (number << 21), size)
        vas += [draw.getrandbits(64) for _ in range(77)] + [va + 5 for va in vas]
        addresses = np.array(vas, np.uint64)
        answers = [np.empty(len(vas), kind) for kind in (np.uint64, np.uint32, np.uint64, np.uint32)]
        table.translate_into(addresses, answers[0], answers[1])
        table.group_above = 0
        table.translate_into(addresses, answers[2], answers[3])
        assert (answers[0] == answers[2]).all()
        assert (answers[1] == answers[3]).all()


# --- recorded machines ---


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "i386-pc-686-1g", "i386-pc-686pae-4g", "amd64-pc-4g-la57",
                                  "arm-virt-lpae-4g", "arm64-virt-1g"])  # fmt: skip
def test_real_tables_walk_alike_in_batch_alone_and_naively(name):
    recorded = vm.load_machine(name).recorded
    cases = recorded.data["translation"]["cases"]
    for process in ("init", "p0"):
        vas = [case["va"] for case in cases if case["proc"] == process]
        agrees(recorded.address_space(process), vas + [va ^ 1 << 63 for va in vas])
    agrees(recorded.kernel_space(), [case["va"] for case in recorded.data["kernel_cases"]])


def test_the_same_address_is_another_frame_in_each_process_and_after_swapping():
    recorded = vm.load_machine("arm-virt-armmp-1g").recorded
    spaces = [recorded.address_space(name) for name in ("p0", "p1", "p2")]

    assert 3 == len({space.walk(0x40_0000).pa for space in spaces})
    swapped = recorded.address_space("p0", stage="swap1").walk(0x40_0000)
    assert swapped.fault.kind == "not present"
    assert swapped.linux[1] != 0


def test_what_is_no_process_and_no_stage_is_said():
    recorded = vm.load_machine("arm-virt-armmp-1g").recorded
    with pytest.raises(vm.VmlabError, match="process: expected one of init, p0"):
        recorded.address_space("p9")
    with pytest.raises(vm.VmlabError, match="stage: expected xlate, swap1"):
        recorded.address_space("p0", stage="swap9")
    with pytest.raises(vm.VmlabError, match="without page-table isolation"):
        recorded.address_space("p0", pti_user=True)


def test_missing_and_damaged_tables_say_what_to_do(tmp_path):
    shipped = vm.record.record_path("arm-virt-armmp-1g")
    record = tmp_path / shipped.name
    record.write_bytes(shipped.read_bytes())
    with pytest.raises(vm.VmlabError, match=r"expected arm-virt-armmp-1g.npz beside it; copy it there"):
        vm.load_machine(str(record)).recorded.kernel_space()
    whole = shipped.with_name("arm-virt-armmp-1g.npz").read_bytes()
    for content in (b"", whole[:1000], whole[: len(whole) // 2], whole[:5000] + b"xx" + whole[5002:], b"\x93NUMPY"):
        (tmp_path / "arm-virt-armmp-1g.npz").write_bytes(content)
        with pytest.raises(vm.VmlabError, match="copy it again"):
            vm.load_machine(str(record)).recorded.kernel_space()


@pytest.mark.parametrize(
    ("pas", "data"),
    [
        (np.array([0x1000, 0x1000], np.uint64), np.zeros((2, 4096), np.uint8)),
        (np.array([0x1001], np.uint64), np.zeros((1, 4096), np.uint8)),
        (np.array([1 << 60], np.uint64), np.zeros((1, 4096), np.uint8)),
        (np.array([0x1000], np.int64), np.zeros((1, 4096), np.uint8)),
        (np.array([0x1000], np.uint64), np.zeros((1, 4000), np.uint8)),
        (np.array([0x1000], np.uint64), np.array([[None] * 4096])),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path, pas, data):
    shipped = vm.record.record_path("arm-virt-armmp-1g")
    record = tmp_path / shipped.name
    record.write_bytes(shipped.read_bytes())
    np.savez(tmp_path / "arm-virt-armmp-1g.npz", boot_pa=pas, boot_data=data)
    with pytest.raises(vm.VmlabError, match=r"expected|not a file of page tables"):
        vm.load_machine(str(record)).recorded.kernel_space()


# --- compiled ---


@pytest.mark.parametrize("name", ["x86-32", "x86-64-4", "arm-short", "arm64-64k-52"])
def test_no_kernel_counts_references(name, monkeypatch):
    from vmlab import jit
    from vmlab.virtual import translate

    monkeypatch.setattr(jit, "_keep_on_disk", lambda compiled: None)  # code from disk cannot be inspected
    words, slots = np.zeros(1024, f"u{page_format(name).entry_bytes}"), np.zeros(1, np.uint32)
    numbers, zero, room = np.zeros(3, np.uint64), np.uint64(0), np.zeros((2, translate.GROUP), np.uint64)
    arguments = (words, slots, np.uint64(1), zero, zero, zero, numbers, numbers.copy(), np.zeros(3, np.uint32))
    for made, extra in ((translate.scalar, ()), (translate.grouped, (room[0], room[1]))):
        kernel = made.__wrapped__(page_format(name), dense=len(name) % 2 == 0)
        kernel(*arguments, *extra)
        assert ["NRT_incref" in code for code in kernel.inspect_llvm().values()] == [False]


@pytest.mark.slow
def test_no_kernel_reads_outside_its_arrays():
    """The walks of this file again, with every index checked by numba."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "random_bytes or too_large",
    ]
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    run = subprocess.run(command, env=env, capture_output=True, text=True)

    assert run.returncode == 0, run.stdout[-3000:]
