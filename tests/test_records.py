"""The judge: every visible record of a real kernel, predicted from its inputs alone, field by field."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

import vmlab as vm
from vmlab.judge import verify
from vmlab.judge.fields import FIELDS
from vmlab.record import SHIPPED, SUFFIX
from vmlab.record.answers import Recorded
from vmlab.record.inputs import machine_from

KEPT_ASIDE = Path(__file__).parent / "records"
RECORDS = [path for folder in (SHIPPED, KEPT_ASIDE) for path in sorted(folder.glob(f"*{SUFFIX}"))]
NEWER = sorted((KEPT_ASIDE / "newer").glob(f"*{SUFFIX}"))  # kernels after 6.1
QEMU = [path for path in RECORDS if not path.name.startswith("host-")]

# Fields that a record's own inputs leave open, and how many: nothing else may be undecided.
UNDECIDED = {
    "amd64-pc-2g-kaslr": {"layout": 4, "mem_map address": 1, "vmalloc first area": 1},
    "arm64-virt-2g-kaslr": {"layout": 3, "mem_map address": 1},
    "amd64-pc-2g-plain": {
        "layout": 4,
        "mem_map address": 1,
        "zone managed": 2,
        "watermarks": 5,
        "min_free_kbytes": 1,
        "lowmem_reserve": 1,
        "pcp batch and high": 2,
        "vmalloc first area": 1,
    },
    "arm-virt-armmp-1g-plain": {"zone managed": 1},
    "amd64-pc-1g-6.12": {"pcp batch and high": 2},  # `high` is tuned while the kernel runs
}


def name_of(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def test_two_dozen_machines_ship_and_the_rest_is_kept_for_the_tests():
    assert len(vm.machines()) >= 24
    assert len(RECORDS) == 83


@pytest.mark.parametrize("path", [*QEMU, *NEWER], ids=name_of)
def test_every_predicted_field_is_what_the_kernel_said(path):
    scores = verify.verify(vm.load_machine(str(path)))

    wrong = {score.name: [(row.what, row.predicted, row.recorded) for row in score.mismatches] for score in scores}
    assert {} == {name: rows for name, rows in wrong.items() if rows}
    undecided = {score.name: len(score.undecided) for score in scores if score.undecided}
    assert UNDECIDED.get(name_of(path), {}) == undecided


def test_rules_that_changed_are_taken_by_the_kernels_version():
    """Linux 6.12, mm/page_alloc.c: __setup_per_zone_wmarks caps ZONE_MOVABLE's marks as HighMem's; 6.1 does not."""
    machine = vm.load_machine(str(NEWER[0]))
    older = dataclasses.replace(machine, config=dataclasses.replace(machine.config, version=None))

    assert "6.12" == machine.config.version
    assert [32, 32, 32] == list(dataclasses.astuple(vm.boot(machine).zones["Movable"].watermark))[:3]
    assert [0, 0, 0] == list(dataclasses.astuple(vm.boot(older).zones["Movable"].watermark))[:3]


def test_every_field_is_compared_on_some_machine():
    names = ("amd64-pc-4g", "arm-virt-armmp-1g", "amd64-pc-2g-kaslr")  # 32 bits have windows, KASLR has a rule
    compared = {score.name for name in names for score in verify.verify(vm.load_machine(name)) if score.total}

    assert set(FIELDS) == compared


def test_a_prediction_does_not_change_when_the_answers_are_taken_out_of_the_record():
    for name in ("arm-virt-lpae-4g", "i386-pc-686-1g", "amd64-pc-numa-1g-4g", "arm64-virt-1g"):
        data = json.loads(gzip.decompress((SHIPPED / f"{name}{SUFFIX}").read_bytes()))
        whole = vm.boot(machine_from(data, Recorded(data, Path(name))))
        for answer in (
            "zones",
            "nodes",
            "mem_map",
            "layout",
            "variables",
            "meminfo_kib",
            "sysctl_vm",
            "buddyinfo",
            "checks",
        ):
            del data[answer]
        alone = vm.boot(machine_from(data, Recorded(data, Path(name))))

        assert whole.allocations.got == alone.allocations.got
        assert list(whole.zones) == list(alone.zones)
        assert whole.layout.constants == alone.layout.constants


def test_a_prediction_does_not_change_when_the_logged_addresses_move():
    """Addresses that allocations got are answers: shifting them all must not move one prediction."""
    data = json.loads(gzip.decompress((SHIPPED / f"arm-virt-armmp-1g{SUFFIX}").read_bytes()))
    moved = copy.deepcopy(data)
    events = moved["memblock"]["events"]
    for before, event in pairwise(events):
        if event["op"] == "reserve" and before["op"] == "alloc":
            event["start"] += 1 << 34
            event["end"] += 1 << 34
    for event in events:
        if event["op"] == "free":
            event["start"] += 1 << 34
            event["end"] += 1 << 34

    predicted = vm.boot(machine_from(data, Recorded(data, Path("as recorded"))))
    again = vm.boot(machine_from(moved, Recorded(moved, Path("moved"))))
    assert predicted.allocations.got == again.allocations.got


def test_the_record_of_a_running_host_says_why_it_cannot_be_booted():
    with pytest.raises(vm.VmlabError, match="kind: expected 'qemu', got 'host'"):
        vm.load_machine(str(KEPT_ASIDE / f"host-6.18{SUFFIX}"))


def test_an_unknown_name_lists_names_that_are_close():
    with pytest.raises(vm.VmlabError, match="arm-virt-armmp"):
        vm.load_machine("arm-virt-armmp-9g")


def test_a_path_that_is_no_file_is_told_like_a_name():
    with pytest.raises(vm.VmlabError, match="no machine and no record file is called 'arm-virt/none'"):
        vm.load_machine(Path("arm-virt") / "none")


def test_a_truncated_file_is_an_error_that_says_what_to_do(tmp_path):
    whole = (SHIPPED / f"arm-virt-armmp-1g{SUFFIX}").read_bytes()
    for length in (0, 1, 10, 100, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"cut{SUFFIX}"
        cut.write_bytes(whole[:length])
        with pytest.raises(vm.VmlabError, match="cut"):
            vm.load_machine(str(cut))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "expected a JSON object, got list"),
        (b"{}", "schema: expected 1, got None"),
        (b'{"schema": 1, "kind": "qemu"}', "machine: expected an object, got nothing"),
        (b"not json", "not a record"),
        (b"\xff\xfe\x00", "not a record"),
        (b"[" * 100_000, "not a record"),
    ],
)
def test_what_is_no_record_is_refused_in_words(tmp_path, content, message):
    path = tmp_path / f"odd{SUFFIX}"
    path.write_bytes(gzip.compress(content))

    with pytest.raises(vm.VmlabError, match=message):
        vm.load_machine(str(path))


WRONG = (None, -1, 1 << 70, "word", [], {}, [1], {"a": 1}, 1.5, True)


def _places(value: object, path: tuple = ()) -> list[tuple]:
    """Every path to a value inside a record, long lists cut to their first entries."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for key in value for place in _places(value[key], (*path, key))]
    elif isinstance(value, list):
        found += [place for index in range(min(len(value), 6)) for place in _places(value[index], (*path, index))]
    return found


def _set(data: object, path: tuple, value: object) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


def test_damaged_answers_are_named_when_they_are_compared():
    for answer in ("nodes", "mem_map", "layout", "zones"):
        data = json.loads(gzip.decompress((SHIPPED / f"amd64-pc-1g{SUFFIX}").read_bytes()))
        data[answer] = [{"node_id": 0, "zones": 5}]
        machine = machine_from(data, Recorded(data, Path("damaged")))
        with pytest.raises(vm.VmlabError, match="answers for"):
            verify.verify(machine)


def test_a_record_without_an_answer_counts_nothing_for_it_and_says_so():
    data = json.loads(gzip.decompress((SHIPPED / f"amd64-pc-1g{SUFFIX}").read_bytes()))
    del data["sysctl_vm"]
    scores = {score.name: score for score in verify.verify(machine_from(data, Recorded(data, Path("bare"))))}

    assert 0 == scores["min_free_kbytes"].total
    assert scores["min_free_kbytes"].counts().endswith("0 of 0        (the record has nothing to compare)")
    assert "nothing to compare" not in scores["watermarks"].counts()


def test_a_record_without_its_nodes_is_damaged_and_not_a_wrong_prediction():
    data = json.loads(gzip.decompress((SHIPPED / f"amd64-pc-1g{SUFFIX}").read_bytes()))
    del data["nodes"]
    with pytest.raises(vm.VmlabError, match="answers for 'zone names' are missing"):
        verify.verify(machine_from(data, Recorded(data, Path("bare"))))


INPUTS = ("machine", "kernel", "firmware", "iomem", "dmesg", "symbols", "memblock", "page_tables")


@pytest.mark.parametrize("name", ["arm-virt-armmp-1g", "i386-pc-686-1g", "amd64-pc-numa-1g-4g", "arm64-virt-1g"])
def test_a_mangled_input_is_refused_by_name_or_harmless(name):
    """Two thousand records with one wrong value each: none may crash in another way, none may hang."""
    data = json.loads(gzip.decompress((SHIPPED / f"{name}{SUFFIX}").read_bytes()))
    data = {key: value for key, value in data.items() if key in (*INPUTS, "schema", "name", "kind")}
    draw = random.Random(name)
    places = [place for place in _places(data) if place[0] in INPUTS]
    for _ in range(500):
        place, value = draw.choice(places), draw.choice(WRONG)
        mangled = copy.deepcopy(data)
        _set(mangled, place, value)
        outcome: Exception | None = None
        try:
            vm.boot(machine_from(mangled, Recorded(mangled, Path(name))))
        except Exception as came:
            outcome = came
        is_refused = isinstance(outcome, vm.VmlabError) and len(str(outcome)) > 20
        assert outcome is None or is_refused, f"{place} = {value!r}: {type(outcome).__name__}: {outcome}"
