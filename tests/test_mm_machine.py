"""Nothing is ever lost or mixed up: random processes on few frames, against boxes of bytes.

Hypothesis shrinks what it finds, but draws few long runs in which pages come back from swap; so weighted walks of many
steps go through the same rules.
"""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mm_parts import PAGE, a_memory, check_counts, content
from naive_mm import Area, Box, NaiveProcess

from vmlab.process.file import File
from vmlab.process.pageout import shrink_folio_list
from vmlab.process.process import Process

SPOTS = [0x40_0000 + number * PAGE for number in range(4)] + [0x1000_0000 + number * PAGE for number in range(3)]
VA, DATA = st.sampled_from(SPOTS), st.binary(min_size=1, max_size=6)
PROCESS = st.integers(0, 4)
MANY = 1 << 20
FRAMES = (MANY, 14, 18, 24)  # tables and pages together
KINDS = "aafwsaf"  # of each spot at the start: anonymous, file, file that writes reach, shared memory


class Machine(RuleBasedStateMachine):
    """Both models side by side. `few` frames make every allocation a chance for reclaim to take something."""

    @initialize(fmt=st.sampled_from(["x86-64-4", "x86-32", "arm-short", "arm64-4k-48"]), frames=st.sampled_from(FRAMES))
    def start(self, fmt, frames):
        few = frames < MANY
        self.memory, self.pool = a_memory(fmt, frames, pages=24)
        self.slow = self.memory.swapon(12, synchronous=False, rotational=False, start=5)
        self.memory.reclaimer = self.reclaim if few else None
        self.file = File("program", 8, {0: b"text", 1: b"data"})
        self.on_disk = [Box({self.file.disk.get(index, b"").ljust(PAGE, b"\0")}) for index in range(8)]
        self.both = [(Process(self.memory, "first"), NaiveProcess())]
        self.pinned = []
        for va, kind in zip(SPOTS, KINDS, strict=True):
            self._map(*self.both[0], va, "rw", kind)

    def reclaim(self, wanted):
        self.memory.end_writeback()
        return sum(shrink_folio_list(self.memory, [page]).freed for page in self.memory)

    def pick(self, number):
        return self.both[number % len(self.both)]

    @rule(p=PROCESS, va=VA, prot=st.sampled_from(["rw", "rw", "r", "rwx"]), kind=st.sampled_from("aasfw"))
    def mmap(self, p, va, prot, kind):
        real, naive = self.pick(p)
        if va not in naive.pages:
            self._map(real, naive, va, prot, kind)

    def _map(self, real, naive, va, prot, kind):
        index = SPOTS.index(va)
        if kind in "fw":
            real.mmap(va, 1, prot, self.file, index, shared=kind == "w")
            box = self.on_disk[index]
            naive.pages[va] = Area(box if kind == "w" else Box(), prot, kind == "w", None if kind == "w" else box)
        else:
            real.mmap(va, 1, prot, shared=kind == "s")
            naive.pages[va] = Area(Box(), prot, kind == "s")

    @rule(p=PROCESS, va=VA, offset=st.integers(0, PAGE - 6), data=DATA)
    def write(self, p, va, offset, data):
        real, naive = self.pick(p)
        done = real.write(va + offset, data)
        area = naive.pages.get(va)
        if area is None or "w" not in area.prot:
            assert not done
            assert done.name == "SIGSEGV"
        elif done:
            naive.write(va + offset, data)
            naive.pages[va].box.values = {content(real.space, va)} & naive.pages[va].box.values
        else:
            assert done.name == "OOM"

    @rule(p=PROCESS, va=VA)
    def read(self, p, va):
        real, naive = self.pick(p)
        found = real.read(va, PAGE)
        if va not in naive.pages or naive.pages[va].prot == "":
            assert not found
        else:
            assert found in naive.pages[va].seen.values if isinstance(found, bytes) else found.name == "OOM"

    @precondition(lambda self: len(self.both) < 5)
    @rule(p=PROCESS)
    def fork(self, p):
        real, naive = self.pick(p)
        if child := real.fork():
            self.both.append((child, naive.fork()))

    @precondition(lambda self: len(self.both) > 1)
    @rule(p=PROCESS)
    def exit(self, p):
        real, _ = self.both.pop(p % len(self.both))
        real.exit()

    @rule(p=PROCESS, va=VA, pages=st.integers(1, 3))
    def munmap(self, p, va, pages):
        real, naive = self.pick(p)
        real.munmap(va, pages * PAGE)
        for at in range(va, va + pages * PAGE, PAGE):
            naive.pages.pop(at, None)

    @rule(p=PROCESS, va=VA, prot=st.sampled_from(["r", "rw", "", "rx"]))
    def mprotect(self, p, va, prot):
        real, naive = self.pick(p)
        if va in naive.pages:
            real.mprotect(va, PAGE, prot)
            naive.pages[va].prot = prot

    @rule(p=PROCESS, va=VA, to=VA)
    def mremap(self, p, va, to):
        real, naive = self.pick(p)
        if va in naive.pages and to not in naive.pages and real.mremap(va, PAGE, to):
            naive.pages[to] = naive.pages.pop(va)

    @rule(p=PROCESS, va=VA, advice=st.sampled_from(["PAGEOUT", "PAGEOUT", "COLD", "DONTNEED", "FREE"]))
    def madvise(self, p, va, advice):
        real, naive = self.pick(p)
        area = naive.pages.get(va)
        vma = real.space.vmas.find(va)
        if area is None or area.locked or (advice == "FREE" and vma.kind != "anonymous"):
            return
        real.madvise(va, PAGE, advice)
        if advice == "FREE":
            area.box.values = area.box.values | {bytes(PAGE)}
        elif advice == "DONTNEED" and not area.shared:
            naive.dontneed(va)
            area.of_file = self.on_disk[vma.index(va)] if vma.file else None

    @rule(p=PROCESS, va=VA, lock=st.booleans())
    def mlock(self, p, va, lock):
        real, naive = self.pick(p)
        if va in naive.pages:
            failed = real.mlock(va, PAGE) if lock else real.munlock(va, PAGE)
            naive.pages[va].locked = lock
            naive.pages[va].resident = lock and not failed

    @rule(number=st.integers(0, 30))
    def page_out(self, number):
        pages = list(self.memory)
        if pages:
            shrink_folio_list(self.memory, [pages[number % len(pages)]])

    @rule(number=st.integers(0, 30))
    def migrate(self, number):
        pages = list(self.memory)
        if pages:
            page = pages[number % len(pages)]
            moved = self.memory.migrate(page.pfn)
            assert not (moved and page.pins)

    @rule()
    def end_writeback(self):
        self.memory.end_writeback()

    @rule(type=st.integers(0, 1))
    def swapoff_and_on(self, type):
        area = self.memory.swap.areas.get(type)
        if area is not None and self.memory.swapoff(type):
            fresh = self.memory.swapon(area.max, area.prio if area.prio >= 0 else None, synchronous=area.synchronous)
            assert fresh.type == type

    @rule(p=PROCESS, va=VA)
    def pin(self, p, va):
        real, naive = self.pick(p)
        if "w" in getattr(naive.pages.get(va), "prot", "") and (page := real.pin(va)):
            self.pinned.append((page, page.pfn))
            naive.pages[va].seen.values &= {content(real.space, va)}

    @precondition(lambda self: self.pinned)
    @rule()
    def unpin(self):
        page, pfn = self.pinned.pop()
        assert page.pfn == pfn, "a pinned page stays where it is"
        self.pinned[:] = self.pinned
        next(iter(self.both))[0].unpin(page)

    @invariant()
    def content_is_what_was_written(self):
        for real, naive in self.both:
            assert {at for vma in real.vmas for at in range(vma.start, vma.end, PAGE)} == set(naive.pages)
            for va, area in naive.pages.items():
                assert content(real.space, va) in area.seen.values
                assert not (area.resident and real.page_table.pte(va).swap), "a locked page is in swap"

    @invariant()
    def counts_balance(self):
        check_counts(self.memory, self.pool, self.files())

    def files(self):
        return tuple({vma.file for real, _ in self.both for vma in real.vmas if vma.file} | {self.file})

    def teardown(self):
        if not hasattr(self, "memory"):
            return
        while self.pinned:
            self.unpin()
        self.memory.end_writeback()
        for real, _ in self.both:
            real.exit()
        self.memory.evict(self.file)
        assert list(self.pool.out) == [self.memory.zero_pfn], "frames are left after the last exit"
        assert all(area.inuse_pages == 0 for area in self.memory.swap.areas.values())


def test_content_is_never_lost_or_mixed_and_counts_balance():
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=50, stateful_step_count=50, deadline=None, database=None)
    )


WEIGHTS = {
    "write": 5,
    "read": 2,
    "mmap": 1,
    "fork": 1,
    "exit": 0.4,
    "munmap": 0.3,
    "mprotect": 1,
    "mremap": 1,
    "madvise": 2,
    "mlock": 0.6,
    "page_out": 2,
    "migrate": 1,
    "end_writeback": 1,
    "swapoff_and_on": 0.6,
    "pin": 0.6,
    "unpin": 0.6,
}


def walk(seed, steps=60):
    """Run the rules above in a random order, many writes among them; the machine afterwards, torn down."""
    rng, machine = random.Random(seed), Machine.__new__(Machine)
    chosen = {
        "p": lambda: rng.randrange(5),
        "va": lambda: rng.choice(SPOTS),
        "to": lambda: rng.choice(SPOTS),
        "offset": lambda: rng.choice((0, 5, 4000)),
        "data": lambda: bytes([rng.randrange(256)]) * rng.randrange(1, 6),
        "prot": lambda: rng.choice(
            ("r", "rw", "rw", "rw", "", "rx") if name == "mprotect" else ("rw", "rw", "r", "rwx")
        ),
        "kind": lambda: rng.choice("aasfw"),
        "pages": lambda: rng.randrange(1, 4),
        "advice": lambda: rng.choice(("PAGEOUT", "PAGEOUT", "COLD", "DONTNEED", "FREE")),
        "lock": lambda: rng.random() < 0.4,
        "number": lambda: rng.randrange(31),
        "type": lambda: rng.randrange(2),
    }
    machine.start.hypothesis_stateful_initialize_rule.function(
        machine, fmt=rng.choice(("x86-64-4", "x86-32", "arm-short", "arm64-4k-48")), frames=rng.choice(FRAMES)
    )
    for name in rng.choices([*WEIGHTS], [*WEIGHTS.values()], k=steps):
        step = getattr(Machine, name).hypothesis_stateful_rule
        alone = len(machine.both) == 1
        if (name == "fork" and len(machine.both) > 4) or (name == "exit" and alone):
            continue
        if name == "unpin" and not machine.pinned:
            continue
        step.function(machine, **{argument: chosen[argument]() for argument in step.arguments})
        for check in (Machine.content_is_what_was_written, Machine.counts_balance):
            check.hypothesis_stateful_invariant.function(machine)
    machine.teardown()
    return machine


def test_long_walks_lose_nothing_and_meet_every_kind_of_fault():
    met = set()
    for seed in range(150):
        for real, _ in walk(seed).both:
            met |= {fault.result for fault in real.faults}
            met |= {step.function for fault in real.faults for step in fault.steps}
    assert {"minor", "major", "SIGSEGV", "OOM"} <= met
    assert {"do_swap_page", "swap_readpage", "swap_cache_get_folio", "wp_page_copy", "wp_page_reuse"} <= met
    assert {"do_cow_fault", "do_shared_fault", "shmem_swapin_folio", "swap_cluster_readahead"} <= met
