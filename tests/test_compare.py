"""Two machines side by side: what differs, and the input that is the reason, found by giving it to the other."""

from __future__ import annotations

import pytest

import vmlab as vm
from vmlab import cli
from vmlab.compare import HOST, NO_INPUTS, Side, compare, recorded_values, side, values


def reasons(first: str, second: str) -> dict[str, str]:
    return {row.what: row.reason for row in compare(side(first), side(second))}


def test_a_machine_does_not_differ_from_itself(capsys):
    assert 0 == cli.main(["compare", "arm-virt-armmp-1g", "arm-virt-armmp-1g"])
    assert "every compared value is the same" in capsys.readouterr().out


def test_vmalloc_is_why_lowmem_ends_earlier():
    """Records arm-virt-armmp-1g and arm-virt-armmp-1g-vmalloc512m: high_memory 0xf0000000 and 0xdf000000."""
    found = reasons("arm-virt-armmp-1g", "arm-virt-armmp-1g-vmalloc512m")
    for what in ("layout high_memory", "node 0 HighMem start_pfn", "mem_map first frame", "node 0 DMA lowmem_reserve"):
        assert "kernel parameter vmalloc=512M" == found[what]
    assert not any("RAM" in reason for reason in found.values())


def test_more_ram_is_why_there_is_a_zone_normal():
    found = reasons("amd64-pc-1g", "amd64-pc-4g")
    assert found["node 0 Normal start_pfn"].startswith("RAM ")
    assert found["mem_map frames"].startswith("RAM ")


def test_a_field_of_the_configuration_is_named():
    machine = vm.load_machine("arm-virt-armmp-2g")
    other = machine.with_config(struct_page_bytes=64)
    rows = compare(*(Side(name, values(vm.boot(which)), which) for name, which in (("a", machine), ("b", other))))
    by_name = {row.what: row for row in rows}
    assert (36, 64) == (by_name["mem_map struct page bytes"].first, by_name["mem_map struct page bytes"].second)
    assert "configuration struct_page_bytes: 36 and 64" == by_name["mem_map frames"].reason


def test_a_field_that_fits_no_kernel_alone_is_passed_over():
    """Blocks of order 11 at most and pageblocks of order 11: given the other's largest order first, none would boot."""
    found = reasons("arm-virt-armmp-1g", "arm-virt-custom-2g-2g")
    assert "configuration zone_dma: True and False" == found["node 0 DMA start_pfn"]
    assert not any("pageblock_order" in reason for reason in found.values())


def test_what_is_shown_is_what_the_kernel_said():
    machine = vm.load_machine("i386-pc-686-1g")
    assert machine.recorded is not None
    shown, said = side("i386-pc-686-1g").shown, recorded_values(machine.recorded)
    assert said
    assert all(shown[key] == said[key] for key in said if key in shown)
    machine.recorded.data["zones"][0]["managed"] += 1  # a kernel that said something else would be shown so
    assert recorded_values(machine.recorded) != said


def test_two_architectures_are_shown_and_no_reason_is_invented():
    assert {NO_INPUTS} == set(reasons("arm-virt-armmp-1g", "i386-pc-686-1g").values())


def test_this_machine_is_a_side_too():
    assert all(name.startswith("node ") for name in side(HOST).shown)


@pytest.mark.parametrize("wrong", ["nothing-like-it", "tests"])
def test_a_wrong_name_is_refused_in_words(wrong, capsys):
    assert 2 == cli.main(["compare", "arm-virt-armmp-1g", wrong])
    assert wrong in capsys.readouterr().err
