"""A machine is data, checked when it is made: every mistake is named with its field and a way out."""

from __future__ import annotations

import dataclasses

import pytest

import vmlab as vm

RAM = (vm.Region(0x4000_0000, vm.GiB),)


def arm(**changes: object) -> vm.Machine:
    return vm.Machine(**{"arch": "arm", "ram": RAM, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ram": (vm.GiB,)}, "ram: expected Regions, such as .*, got 1073741824"),
        ({"ram": ()}, "ram: expected at least one Region of RAM, got none"),
        (
            {"ram": (vm.Region(0x4000_0000, vm.GiB), vm.Region(0x7FFF_F000, vm.GiB, "second bank"))},
            "ram: regions overlap: System RAM 0x4000_0000..0x8000_0000 and second bank 0x7fff_f000",
        ),
        (
            {"ram": (*RAM, vm.Region(8 * vm.GiB, vm.GiB))},
            r"ram: System RAM at 0x2_0000_0000 lies above the 4 GiB that format arm-short can address \(32 bits\)",
        ),
        ({"arch": "mips"}, "arch: expected one of arm, i386, amd64, arm64.*, got 'mips'"),
        ({"arch": None}, "arch: expected one of .*, got None"),
        ({"cpus": 0}, "cpus: expected at least 1, got 0"),
        ({"boot_allocator": "slab"}, "boot_allocator: expected 'memblock' or 'bootmem', got 'slab'"),
        ({"config": vm.Config(format="x86-32")}, "config.format: arm kernels use one of arm-short, arm-lpae"),
        ({"config": vm.Config(memory_model="DISCONTIGMEM")}, "config.memory_model: expected one of FLATMEM, SPARSEMEM"),
        ({"config": vm.Config(struct_page_bytes=-4)}, "config.struct_page_bytes: expected"),
        ({"config": vm.Config(struct_page_bytes=33)}, "config.struct_page_bytes: expected"),
        ({"config": vm.Config(max_order=0)}, "config.max_order: expected"),
        ({"config": vm.Config(page_offset=1 << 40)}, "config.page_offset: expected"),
        ({"config": vm.Config(cma_bytes=-1)}, "config.cma_bytes: expected"),
        ({"config": vm.Config(nr_cpus=0)}, "config.nr_cpus: expected"),
    ],
)
def test_a_machine_that_cannot_be_is_refused_when_it_is_made(changes: dict, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        arm(**changes)


@pytest.mark.parametrize(("start", "size"), [(0, 1.5 * vm.GiB), ("0x1000", 4096), (None, 1)])
def test_a_region_is_measured_in_whole_bytes(start: object, size: object):
    with pytest.raises(vm.VmlabError, match="expected start and size in whole bytes"):
        vm.Region(start, size)


@pytest.mark.parametrize(("start", "size"), [(-1, 5), (0, 0), (0, -4096)])
def test_a_region_has_a_place_and_a_size(start: int, size: int):
    with pytest.raises(vm.VmlabError, match="expected start >= 0 and size > 0"):
        vm.Region(start, size)


@pytest.mark.parametrize(
    ("cmdline", "message"),
    [
        ("vmalloc=lots", "kernel parameter vmalloc=: 'lots' is not a size"),
        ("vmalloc=", "kernel parameter vmalloc=: '' is not a size"),
        ("vmalloc=-5M", "kernel parameter vmalloc=: '-5M' is not a size"),
        ("cma=big", "kernel parameter cma=: 'big' is not a size"),
        ("log_buf_len=x", "kernel parameter log_buf_len=: 'x' is not a size"),
        ("mem=all", "kernel parameter mem=: 'all' is not a size"),
        ("kernelcore=12Q", "kernel parameter kernelcore=: '12Q' is not a size: .* or a share such as 25%"),
        ("movablecore=-5%", "kernel parameter movablecore=: '-5%' is not a size"),
        ("movablecore=half%", "kernel parameter movablecore=: 'half%' is not a size"),
        ("kernelcore=mirrors", "kernel parameter kernelcore=: 'mirrors' is not a size"),
    ],
)
def test_a_parameter_that_is_no_size_is_named_when_the_machine_boots(cmdline: str, message: str):
    with pytest.raises(vm.VmlabError, match=message):
        vm.boot(arm(cmdline=cmdline))


def test_highmem_is_checked_on_i386():
    with pytest.raises(vm.VmlabError, match="kernel parameter highmem=: 'some' is not a size"):
        vm.boot(vm.Machine(arch="i386", ram=(vm.Region(0, vm.GiB),), cmdline="highmem=some"))


@pytest.mark.parametrize(
    "machine",
    [
        arm(ram=(vm.Region(0x4000_0000, 4096),)),
        arm(ram=(vm.Region(0x4000_0000, 100),)),
        arm(image=vm.Image(0x1000_0000, 0x1010_0000)),
        arm(image=vm.Image(0x4010_0000, 0x4000_0000)),
        vm.Machine(arch="i386", ram=(vm.Region(0, 640 * vm.KiB),)),
        arm(cmdline="mem=1M"),
    ],
)
def test_a_kernel_that_does_not_lie_in_ram_is_refused(machine: vm.Machine):
    with pytest.raises(vm.VmlabError, match=r"image: the kernel at .* does not lie in RAM"):
        vm.boot(machine)


def test_an_unknown_configuration_field_lists_the_known_ones():
    with pytest.raises(
        vm.VmlabError, match=r"unknown configuration field 'struct_page': expected one of .*struct_page_bytes"
    ):
        arm().with_config(struct_page=32)


def test_the_last_of_two_parameters_counts():
    assert "256M" == arm(cmdline="vmalloc=128M quiet vmalloc=256M").parameter("vmalloc")
    assert 256 * vm.MiB == arm(cmdline="vmalloc=128M vmalloc=0x100M").size_parameter("vmalloc")
    assert None is arm(cmdline="novmalloc=3 quiet").parameter("vmalloc")
    assert arm(cmdline="novmalloc=3 quiet").has_flag("quiet")


def test_what_is_left_out_of_a_configuration_is_the_usual_debian_kernels():
    assert (36, "FLATMEM", 12) == (
        arm().config.struct_page_bytes,
        arm().config.memory_model,
        arm().config.max_order,
    )
    assert 32 == arm(config=vm.Config(struct_page_bytes=32)).config.struct_page_bytes
    assert 12 == arm(config=vm.Config(struct_page_bytes=32)).config.max_order


def test_a_what_if_is_a_new_machine_and_leaves_the_old_one_alone():
    machine = vm.load_machine("arm-virt-armmp-1g")
    changed = (
        machine.with_config(zone_dma=False)
        .with_cmdline("vmalloc=512M")
        .with_zone("NewMem", size=vm.MiB, below="HighMem")
    )

    assert (None, "vmalloc=512M") == (changed.recorded, changed.cmdline.split()[-1])
    assert 1 == len(changed.splits)
    assert machine == vm.load_machine("arm-virt-armmp-1g")
    assert machine.recorded is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        machine.cpus = 2


def test_banks_may_be_given_in_any_order_and_in_a_list():
    low, high = vm.Region(0x4000_0000, vm.GiB), vm.Region(0x9000_0000, vm.GiB)

    assert arm(ram=[high, low]) == arm(ram=(low, high))
    assert 2 * vm.GiB == arm(ram=[high, low]).ram_bytes


def test_arm_loses_the_last_page_below_4_gib():
    """Record arm-virt-lpae-3g and its kin: 3 GiB at 1 GiB end at 0xfffff000 (early_init_dt_add_memory_arch)."""
    kernel = vm.boot(arm(ram=(vm.Region(0x4000_0000, 3 * vm.GiB),)))

    assert [(0x4000_0000, 0xFFFF_F000)] == kernel.memblock.memory()


def test_an_order_and_a_page_that_are_none_are_refused():
    kernel = vm.boot(arm())

    with pytest.raises(vm.VmlabError, match="order 'two': expected 0 to 11"):
        kernel.alloc_pages("two")
    with pytest.raises(vm.VmlabError, match="expected a page or a frame number, got 'page'"):
        kernel.free_pages("page")
