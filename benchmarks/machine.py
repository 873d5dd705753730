"""What a large machine costs: 1 TiB beside 4 GiB, described by hand, booted, and a thousand pages allocated.

Memory is measured in a process of its own: how much more it takes with the machine of 1 TiB than without any.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import vmlab as vm
from vmlab.bench import TOLD, Case

ALLOCATIONS = 1000
TIME_GOAL, MOST_BYTES = 1.5, 16 << 20
MEASURE = """
import resource, vmlab as vm
def boot(size):
    kernel = vm.boot(vm.Machine(arch="amd64", ram=[vm.Region(0, size)]))
    return kernel, [kernel.alloc_pages() for _ in range({count})]
def pages():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
small = boot(4 * vm.GiB)
before = pages()
large = boot(vm.TiB)
print(max(1, pages() - before))
"""


def cases(shrink: int = 1) -> Iterator[Case]:
    """Time, and memory."""
    count = max(1, ALLOCATIONS // shrink)
    name = f"boot and {count} allocations"

    def booted(size: int) -> int:
        kernel = vm.boot(vm.Machine(arch="amd64", ram=[vm.Region(0, size)]))
        return sum(bool(kernel.alloc_pages()) for _ in range(count))

    sides = (lambda: booted(vm.TiB)), (lambda: booted(4 * vm.GiB))
    yield Case(f"{name}: 1 TiB", 1, *sides, TIME_GOAL, "4 GiB")

    def taken() -> float:
        command = [sys.executable, "-c", MEASURE.format(count=count)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    yield Case(f"{name}: memory for 1 TiB", 1, taken, lambda: MOST_BYTES, 1.0, "the limit", TOLD, "B", most_rounds=3)
