"""What tests share: every recorded machine, one test each.

A test that takes `record` runs once for every record that can be booted; `recorded` is its machine and
`booted` that machine's model, booted afresh.
"""

from __future__ import annotations

import signal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

import vmlab as vm
from vmlab.record import SHIPPED, SUFFIX

pytest.register_assert_rewrite("questions")
settings.register_profile("vmlab", deadline=None)  # how fast a machine is decides no test
settings.load_profile("vmlab")
# A shell's background job ignores SIGINT, and so would what the tests start in one to see how Ctrl-C ends it.
signal.signal(signal.SIGINT, signal.default_int_handler)

KEPT_ASIDE = Path(__file__).parent / "records"


@cache
def all_records() -> tuple[Path, ...]:
    """Every record of a kernel that booted in QEMU: the shipped ones and those kept for the tests."""
    found = [path for folder in (SHIPPED, KEPT_ASIDE) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return tuple(path for path in found if not path.name.startswith("host-"))


@cache
def load(path: Path) -> vm.Machine:
    return vm.load_machine(str(path))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "record" in metafunc.fixturenames:
        records = all_records()
        metafunc.parametrize("record", records, ids=[path.name.removesuffix(SUFFIX) for path in records])


@pytest.fixture
def recorded(record: Path) -> vm.Machine:
    return load(record)


@pytest.fixture
def booted(recorded: vm.Machine) -> vm.Kernel:
    return vm.boot(recorded)
