"""How soon something is there: processes that are started, beside `python -c pass` and beside `import numba`.

The first translation is one of a page table made by hand, as a first cell does it: no numba, but numpy; its wall time
counts. The first compiled kernel comes from a warm cache (this suite's first call warms it); processor time counts,
and of each further kernel, loaded by the same process, beside a limit of 5 ms.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator

from vmlab.bench import CHILDREN, TOLD, WALL, Case

TRANSLATE = """
import vmlab as vm
table = vm.PageTable("x86-32")
table.map(0x40_0000, 0x1000)
table.walk(0x40_0000)
"""
KERNEL = """
import numpy as np
from vmlab.process.replacement import misses
trace = np.arange(8, dtype=np.uint32)
misses("lru", 2, trace)
"""
FURTHER = f"""{KERNEL}
import time
start = time.process_time()
for name in ("fifo", "clock", "sieve", "arc"):
    misses(name, 2, trace)
print((time.process_time() - start) / 4)
"""
WALL_GOAL, CPU_GOAL, FURTHER_LIMIT = 1.5, 2.0, 0.005
TIMES = 3  # processes a round


def cases(shrink: int = 1) -> Iterator[Case]:
    """Each is the same at any size: a process more or less."""
    times = max(1, TIMES // shrink)
    plain = functools.partial(python, "pass", times)
    yield Case("first translation", times, functools.partial(python, TRANSLATE, times), plain, WALL_GOAL, PASS, WALL)
    numba = functools.partial(python, "import numba", times)
    kernel = functools.partial(python, KERNEL, times)
    yield Case("first kernel, warm cache, processor time", times, kernel, numba, CPU_GOAL, "import numba", CHILDREN)
    yield Case("each further kernel, processor time", 1, further, lambda: FURTHER_LIMIT, 1.0, "the limit", TOLD)


PASS = "python -c pass"


def python(program: str, times: int) -> None:
    """Run it in a Python of its own, so many times one after the other."""
    for _ in range(times):
        subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def further() -> float:
    """Processor seconds, as a process told them."""
    done = subprocess.run([sys.executable, "-c", FURTHER], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)
