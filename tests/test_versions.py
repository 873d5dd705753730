"""Which kernel a rule is of: a version is read, refused in words, or taken to be what it stands between."""

from __future__ import annotations

import copy
import gzip
import json

import pytest

import vmlab as vm
from vmlab import versions
from vmlab.arch.arm64.layout import addresses
from vmlab.arch.swap_formats import swap_format
from vmlab.judge import verify
from vmlab.judge.translation import TRANSLATION_FIELDS
from vmlab.parts import Config
from vmlab.physical.slab_size import calculate_order
from vmlab.procfs.pagemap import PagemapEntry
from vmlab.record import SHIPPED, SUFFIX
from vmlab.record.answers import Recorded
from vmlab.record.inputs import machine_from
from vmlab.virtual.layout import layout_of

NO_VERSIONS = (
    "banana",
    "",
    "6",
    "6.",
    "6.1-rc1",
    "-6.1",
    "6.1.2.3",
    "٦.١",
    " 6.1",
    "6.1\n",
    "1e3.1",
    6.1,
    True,
    b"6.1",
)
RAM = (vm.Region(1 << 30, 1 << 30),)


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_what_is_no_version_is_refused_wherever_one_is_chosen(text: object):
    choices = (
        lambda: vm.Machine("arm64", RAM, Config(version=text)),
        lambda: swap_format("x86-64-4", text),
        lambda: addresses(text),
        lambda: calculate_order(64, 4, text),
        lambda: PagemapEntry.decode(0, text),
        lambda: vm.boot(vm.load_machine("i386-pc-686-1g")).highmem.follow(text),
    )
    for choose in choices:
        with pytest.raises(vm.VmlabError, match=r"expected a version such as '6\.1'"):
            choose()


@pytest.mark.parametrize("text", ["2.4.1", "5.10", "6.0.99", "6.13", "7.0", "999.999"])
def test_a_machine_of_a_kernel_that_is_not_modelled_is_refused_and_told_which_are(text: str):
    with pytest.raises(vm.VmlabError, match=r"machines of Linux 6\.1 to 6\.12 are modelled, got"):
        vm.Machine("arm64", RAM, Config(version=text))


@pytest.mark.parametrize(
    ("choose", "known"),
    [
        (lambda: swap_format("arm64-4k-48", "7.0"), "Linux 4.9 to 6.12"),
        (lambda: swap_format("arm64-4k-48", "4.8"), "Linux 4.9 to 6.12"),
        (lambda: addresses("6.13"), "Linux 4.9 to 6.12"),
        (lambda: addresses("2.4.1"), "Linux 4.9 to 6.12"),
        (lambda: calculate_order(64, 4, "5.10"), "Linux 6.1 to 6.12"),
        (lambda: PagemapEntry.decode(0, "2.4.1"), "Linux 2.6.25 to 6.15"),
        (lambda: PagemapEntry.decode(0, "7.0"), "Linux 2.6.25 to 6.15"),
        (lambda: vm.boot(vm.load_machine("i386-pc-686-1g")).highmem.follow("2.4.1"), "Linux 2.6.36 to 6.12"),
    ],
)
def test_a_table_of_rules_refuses_what_it_was_not_read_for(choose, known: str):
    with pytest.raises(vm.VmlabError, match=f"known are the rules of {known}, got"):
        choose()


@pytest.mark.parametrize(
    ("text", "row"),
    [("4.9", "4.9"), ("5.3.18", "4.9"), ("5.4", "5.4"), ("6.4.99", "5.4"), ("6.8", "6.5"), ("6.12.1", "6.9")],
)
def test_a_version_between_two_rows_takes_the_older_one(text: str, row: str):
    assert addresses(row) == addresses(text)
    assert row == versions.first_version(("4.9", "5.4", "6.5", "6.9"), text, "version")


def test_addresses_of_a_machine_are_those_of_its_version():
    """arch/arm64/include/asm/memory.h: the modules' area grew from 128 MiB to 2 GiB in 6.5."""
    for version, modules in ((None, 128 * vm.MiB), ("6.4", 128 * vm.MiB), ("6.5", 2 * vm.GiB), ("6.12", 2 * vm.GiB)):
        layout = layout_of(vm.Machine("arm64", RAM, Config(version=version)))
        area = layout.area("modules")
        assert modules == area.end - area.start
        assert "modules" == layout.classify(area.start + modules - 1).area.name


def test_swap_entries_and_slabs_of_a_machine_are_those_of_its_version():
    """arm64's type moved from bit 3 to bit 6 (asm/pgtable.h of 6.12); kmalloc aligns to 8 bytes since 6.5."""
    kernels = [vm.boot(vm.Machine("arm64", RAM, Config(version=version))) for version in ("6.1", "6.12")]

    assert [3, 6] == [swap_format(k.machine.config.format or "", k.memory.kernel).type.low for k in kernels]
    assert [128, 8] == [k.slab.rules.kmalloc_minalign for k in kernels]


def record(version: str | None) -> vm.Machine:
    data = json.loads(gzip.decompress((SHIPPED / f"amd64-pc-1g{SUFFIX}").read_bytes()))
    data = copy.deepcopy(data)
    data["kernel"]["version"] = version
    return machine_from(data, Recorded(data, SHIPPED / f"amd64-pc-1g{SUFFIX}"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Linux version 5.10.0-30-amd64 (x)", "Linux 5.10"),
        ("Linux version 7.0.1 (x)", "Linux 7.0"),
        ("banana", "an unknown version"),
        ("Linux version six", "an unknown version"),
    ],
)
def test_a_record_of_another_kernel_is_read_and_nothing_of_it_is_decided(text: str, shown: str):
    scores = verify.verify(record(text))

    assert 0 == sum(score.total for score in scores)
    reasons = {row.undecided for score in scores for row in score.undecided}
    assert any(reason == f"its kernel is of {shown}: the rules of 6.1 to 6.12 are modelled" for reason in reasons)
    assert sum(len(score.undecided) for score in scores) > 500
    assert set(TRANSLATION_FIELDS) <= {score.name for score in scores}


def test_a_record_of_a_version_between_is_compared():
    machine = record("Linux version 6.6.13+bpo-amd64 (x)")

    assert "6.6" == machine.config.version
    assert 0 == sum(len(score.mismatches) + len(score.undecided) for score in verify.verify(machine))


def test_a_what_if_of_a_record_that_is_not_modelled_says_so():
    with pytest.raises(vm.VmlabError, match=r"machines of Linux 6\.1 to 6\.12 are modelled, got '5\.10'"):
        record("Linux version 5.10.0 (x)").with_cmdline("nokaslr")


@pytest.mark.parametrize(
    ("words", "spans"),
    [
        ("", [(0, 640), (1024, 1 << 20)]),
        ("mem=512M", [(0, 640), (1024, 512 << 10)]),
        ("mem=nopentium", [(0, 640), (1024, 1 << 20)]),
        ("memmap=512M", [(0, 640), (1024, 512 << 10)]),
        ("memmap=64M$256M", [(0, 640), (1024, 256 << 10), (320 << 10, 1 << 20)]),
        ("memmap=64M#256M memmap=64M!320M", [(0, 640), (1024, 256 << 10), (384 << 10, 1 << 20)]),
        ("memmap=64M$256M,64M$512M", [(0, 640), (1024, 256 << 10), (320 << 10, 512 << 10), (576 << 10, 1 << 20)]),
        ("memmap=exactmap memmap=640K@0 memmap=100M@1M", [(0, 640), (1024, 101 << 10)]),
        ("memmap=exactmap,256M@16M mem=128M", [(16 << 10, 128 << 10)]),
        ("mem=512M memmap=16M@768M", [(0, 640), (1024, 512 << 10), (768 << 10, 784 << 10)]),
    ],
)
def test_words_that_change_a_pc_s_map_are_taken_in_their_order(words: str, spans: list[tuple[int, int]]):
    """arch/x86/kernel/e820.c:parse_memmap_one; KiB."""
    from vmlab.arch.x86 import e820

    ram = (vm.Region(0, 640 << 10), vm.Region(vm.MiB, vm.GiB - vm.MiB))
    machine = vm.Machine("amd64", ram, cmdline=words)
    assert spans == [(region.start >> 10, region.end >> 10) for region in e820.usable(machine)]


@pytest.mark.parametrize("words", ["memmap=64M%1G-1+2", "memmap=64M$", "memmap=$1G", "memmap=x@1M", "mem=all"])
def test_words_that_no_map_follows_from_are_refused(words: str):
    with pytest.raises(vm.VmlabError, match=r"is not a size|left out of this model"):
        vm.boot(vm.Machine("amd64", (vm.Region(0, vm.GiB),), cmdline=words))
