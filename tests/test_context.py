"""Context switches: ASIDs as the kernel's source gives them out, registers as recorded machines held them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vmlab as vm
from vmlab.arch.base_register import base_register
from vmlab.units import KiB, MiB
from vmlab.virtual.asid import ASID, EVERYTHING, NOTHING, RULES, AsidAllocator, Mm, X86Pcid, kernel_rule
from vmlab.virtual.context import NOFLUSH, Cpu, Task
from vmlab.virtual.tlb import Tlb
from vmlab.virtual.tlb_rows import Structure

PAGE = 4096
KERNEL = 0xFFFF_8880_0000_0000
EXTRA = sorted((Path(__file__).parent / "records").glob("*.json.gz"))
RECORDS = [*vm.machines(), *(str(path) for path in EXTRA if not path.name.startswith("host"))]


def processes(count):
    return [Task(name := f"p{n}", Mm(name, 0x10_0000 * (n + 1), 0x10_0000 * (n + 1) + PAGE)) for n in range(count)]


def cpu(rule, format_name="x86-64-4", isolated=False):
    return Cpu(format_name, rule, Tlb([Structure("L1", 1, 64, 64)]), isolated)


# --- the register ---


def test_the_questions_two_processes():
    """0xf11001 in two processes: one register changes, and the same address is looked up in other tables."""
    machine = Cpu("x86-32", "x86")
    a, b = Task("a", Mm("a", 0x2CF_E000)), Task("b", Mm("b", 0x2D0_0000))

    assert {"CR3": 0x2CF_E000} == machine.switch(a).registers
    assert {"CR3": 0x2D0_0000} == machine.switch(b).registers
    assert "switch from a to b" in machine.log.tell()


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [
        ("x86-64-4", {"CR3": 0x6094003}),
        ("x86-pae", {"CR3": 0x6094000}),
        ("arm-short", {"TTBR0": 0x6094000, "CONTEXTIDR": 0x103}),
        ("arm-lpae", {"TTBR0": 0x0003_0000_0609_4000}),
        ("arm64-4k-48", {"TTBR0_EL1": 0x6094000, "TTBR1_EL1": 0x0003_0000_0000_0000}),
        ("sv39", {"satp": 0x8000_3000_0000_6094}),
        ("sv32", {"satp": 0x80C0_6094}),
    ],
)
def test_where_root_and_asid_are_written(format_name, expected):
    row = base_register(format_name)
    values = row.values(0x609_4000, 3 if row.asid_register else 0, 0x103)

    assert expected == values
    assert 0x609_4000 == row.root_of(values[row.name])


def test_an_unknown_format_or_rule_is_told_the_known_ones():
    with pytest.raises(vm.VmlabError, match=r"x86-pae.*sv39"):
        base_register("alpha")
    with pytest.raises(vm.VmlabError, match="x86-pcid"):
        kernel_rule("alpha")
    with pytest.raises(vm.VmlabError, match="x86 and arm64 only"):
        Cpu("sv39", "riscv", isolated=True)
    with pytest.raises(vm.VmlabError, match="has no TLB"):
        Cpu("sv39", "riscv").access(0)


# --- recorded machines ---


def held(root, names):
    """The value of the first of these registers that the record has and that is not zero."""
    return next((root.registers[name] for name in names if root.registers.get(name)), None)


@pytest.mark.parametrize("name", RECORDS)
def test_recorded_registers_hold_what_a_switch_writes(name):
    """init was the first process, p0 to p2 the next three: their roots, and with ASIDs the numbers too."""
    machine = vm.load_machine(name)
    roots = machine.recorded.roots
    rule = {"arm": "arm", "arm64": "arm64-16"}.get(machine.arch, "x86")
    run = Cpu(machine.config.format, rule, isolated=any(root.is_isolated for root in roots.values()))
    seen = 0
    for process in ("init", "p0", "p1", "p2"):
        root = roots[process]
        run.switch(Task(process, Mm(process, root.root_pa, root.user_root_pa)))
        if root.live_root_pa is None:
            continue
        assert root.live_root_pa == run.base.root_of(run.registers[run.base.name])
        value = held(root, ("cr3", "ttbr0_el1_s", "ttbr0", "ttbr0_el1"))
        if value is None:
            continue  # these boards' secure registers were not recorded
        seen += 1
        assert root.live_root_pa == run.base.root_of(value)
        if machine.arch in ("x86_64", "i386"):
            assert value == run.registers["CR3"], "no PCID on these machines"
        if context := held(root, ("contextidr_s", "contextidr_el1")) if machine.config.format == "arm-short" else None:
            assert context == run.registers["CONTEXTIDR"]
        if machine.config.format == "arm-lpae" and root.registers.get("ttbr0"):
            assert root.registers["ttbr0"] == run.registers["TTBR0"]
        if machine.arch == "arm64":
            assert root.registers["ttbr1_el1"] >> 48 in (run.asid, run.asid | 1), "odd: user mode's of the pair"
    assert seen == 3 or machine.name in ("arm-cubieboard-512m", "arm-orangepi-pc-1g")


def test_kaslr_on_arm64_isolates_user_mode_and_its_asid_is_odd():
    """arch/arm64/kernel/cpufeature.c:unmap_kernel_at_el0: a randomised kernel hides itself from user mode."""
    for name, isolated in (("arm64-virt-1g", False), ("arm64-virt-2g-kaslr", True)):
        roots = vm.load_machine(name).recorded.roots
        run = Cpu("arm64-4k-48", "arm64-16-kpti" if isolated else "arm64-16", isolated=isolated)
        for process in ("init", "p0", "p1", "p2"):
            run.switch(Task(process, Mm(process, roots[process].root_pa)))
            if registers := roots[process].registers:
                assert registers["ttbr1_el1"] >> 48 == run.hardware_asid()


def test_page_table_isolation_gives_user_mode_a_second_table():
    root = vm.load_machine("amd64-pc-2g-pti").recorded.roots["p0"]

    assert root.is_isolated
    assert root.root_pa + PAGE == root.user_root_pa == root.live_root_pa, "the two tables lie side by side"
    assert not vm.load_machine("amd64-pc-1g").recorded.roots["p0"].is_isolated


def test_a_damaged_root_is_named():
    machine = vm.load_machine("amd64-pc-1g")
    machine.recorded.data["translation"]["roots"]["p1"]["root_pa"] = "here"
    with pytest.raises(vm.VmlabError, match=r"translation\.roots\.p1\.root_pa"):
        machine.recorded.roots  # noqa: B018
    machine.recorded.data["translation"] = None
    assert {} == machine.recorded.roots


# --- what a switch forgets ---


def test_without_pcid_a_switch_forgets_all_but_global_entries():
    run, (a, b) = cpu("x86"), processes(2)
    run.switch(a)
    for page in range(3):
        run.access(page * PAGE)
    run.access(KERNEL, 2 * MiB, is_global=True)

    assert [2 * PAGE, PAGE, 0] == [entry.va for entry in run.switch(b).forgotten]
    assert [KERNEL] == [entry.va for entry in run.tlb.entries()]
    assert run.access(KERNEL, 2 * MiB, is_global=True).is_hit
    assert not run.access(0).is_hit


def test_with_pcid_coming_back_finds_the_entries():
    run, (a, b) = cpu("x86-pcid"), processes(2)
    run.switch(a)
    run.access(0x40_0000)
    run.switch(b)
    back = run.switch(a)

    assert [] == back.forgotten
    assert run.access(0x40_0000).is_hit
    assert f"CR3 = 0x{NOFLUSH | a.mm.root_pa | run.asid:_x}" in back.tell()
    assert a.mm.root_pa | run.asid == run.registers["CR3"], "bit 63 is an order to the CPU and is not kept"


def test_six_processes_keep_their_slots_and_the_seventh_takes_the_first():
    """TLB_NR_DYN_ASIDS is 6; slot 0 was init_mm's, so the first process gets slot 1, PCID 2."""
    rule, tasks = X86Pcid(), processes(7)
    assert [2, 3, 4, 5, 6, 1] == [rule.choose(task.mm).asid for task in tasks[:6]]
    assert [NOTHING] * 6 == [rule.choose(task.mm).forget for task in tasks[:6]]
    seventh = rule.choose(tasks[6].mm)

    assert (2, ASID) == seventh[:2]
    assert "was p0's" in seventh.why
    assert (3, ASID) == rule.choose(tasks[0].mm)[:2], "p0 lost its slot and takes p1's"


def test_each_cpu_has_slots_of_its_own():
    rule, (a, b) = X86Pcid(), processes(2)

    assert [2, 2, 3] == [rule.choose(a.mm, 0).asid, rule.choose(b.mm, 1).asid, rule.choose(a.mm, 1).asid]


def test_a_flush_that_was_missed_is_made_up_for():
    run, (a, b) = cpu("x86-pcid"), processes(2)
    run.switch(a)
    run.access(0x40_0000)
    run.switch(b)
    run.access(0x40_0000)
    assert [] == run.flush_tlb_mm_range(a.mm, 0x40_0000, 0x40_1000), "only its generation moves"
    back = run.switch(a)

    assert [(0x40_0000, run.asid)] == [(entry.va, entry.asid) for entry in back.forgotten]
    assert "flushes were missed: 1" in back.tell()
    assert 1 == len(run.tlb.entries()), "b's stays"


@pytest.mark.parametrize("rule", RULES)
def test_threads_share_and_kernel_threads_borrow(rule):
    formats = {"x86": "x86-64-4", "arm": "arm-short", "arm64": "arm64-4k-48", "riscv": "sv39"}
    run, (a, b) = cpu(rule, formats[rule.split("-")[0]]), processes(2)
    thread, kthread = Task("a's second thread", a.mm), Task("kswapd0", None)
    assert {} == run.switch(kthread).registers, "before any process there is nothing to borrow"
    run.switch(a)
    run.access(0x40_0000)
    before = dict(run.registers)
    for task in (thread, kthread, a, kthread, kthread, thread):
        step = run.switch(task)
        assert ({}, []) == (step.registers, step.forgotten)
    assert before == run.registers
    assert run.access(0x40_0000).is_hit
    assert run.switch(b).registers


def test_after_a_lazy_stay_x86_looks_at_the_generation():
    run, (a,) = cpu("x86-pcid"), processes(1)
    run.switch(a)
    run.access(0x40_0000)
    run.switch(Task("kworker", None))
    run.flush_tlb_mm_range(a.mm, 0x40_0000, 0x40_1000)
    back = run.switch(a)

    assert [0x40_0000] == [entry.va for entry in back.forgotten]
    assert "CR3" in back.registers


# --- ranges ---


@pytest.mark.parametrize(("pages", "left"), [(33, 30), (34, 0)])
def test_x86_forgets_33_pages_one_by_one_and_34_with_everything_of_the_process(pages, left):
    run, (a,) = cpu("x86-pcid"), processes(1)
    run.switch(a)
    for page in range(63):
        run.access(page * PAGE)
    run.access(KERNEL, 2 * MiB, is_global=True)
    run.flush_tlb_mm_range(a.mm, 0, pages * PAGE)

    assert left + 1 == len(run.tlb.entries()), "the global entry stays either way"
    assert NOTHING == run.asids.choose(a.mm).forget, "this CPU is up to date"


def test_large_pages_count_as_one_each():
    run, (a,) = cpu("x86-pcid"), processes(1)
    run.switch(a)
    for page in range(40):
        run.access(page * 2 * MiB, 2 * MiB)
    gone = run.flush_tlb_mm_range(a.mm, 0, 33 * 2 * MiB, stride_bytes=2 * MiB)

    assert 33 == len(gone)


def test_arm64_gives_up_at_512_pages_and_armv7_never():
    for rule, format_name, left in (("arm64-16", "arm64-4k-48", 0), ("arm", "arm-short", 1)):
        run, (a,) = cpu(rule, format_name), processes(1)
        run.switch(a)
        run.access(0)
        run.access(600 * PAGE)
        assert 1 == len(run.flush_tlb_mm_range(a.mm, 0, 511 * PAGE))
        run.flush_tlb_mm_range(a.mm, 0, 512 * PAGE)
        assert left == len(run.tlb.entries())


def test_a_broadcast_reaches_a_process_that_does_not_run():
    run, (a, b) = cpu("arm", "arm-short"), processes(2)
    run.switch(a)
    run.access(0x8000)
    run.switch(b)
    run.access(0x8000)

    assert [1] == [entry.asid for entry in run.flush_tlb_mm_range(a.mm, 0x8000, 0x9000)]
    assert [2] == [entry.asid for entry in run.tlb.entries()]


def test_invlpg_takes_one_page_global_or_not_and_flush_tlb_all_takes_all():
    run, (a,) = cpu("x86-pcid"), processes(1)
    run.switch(a)
    for va in (0, PAGE):
        run.access(va)
    run.access(KERNEL, is_global=True)

    assert [PAGE] == [entry.va for entry in run.invlpg(PAGE + 5)]
    assert [KERNEL] == [entry.va for entry in run.invlpg(KERNEL)]
    assert [0] == [entry.va for entry in run.flush_tlb_all()]


# --- isolation ---


def test_without_pcid_isolation_empties_the_tlb_at_every_system_call():
    run, (a,) = cpu("x86", isolated=True), processes(1)
    run.switch(a)
    run.access(0x40_0000)
    assert a.mm.user_root_pa == run.registers["CR3"]

    assert [0x40_0000] == [entry.va for entry in run.enter_kernel()]
    assert a.mm.root_pa == run.registers["CR3"]
    run.access(KERNEL, 2 * MiB)
    assert [KERNEL] == [entry.va for entry in run.return_to_user()]
    assert [] == run.return_to_user(), "already there"


def test_with_pcid_isolation_keeps_two_sets_of_entries():
    """kPCID is slot + 1, uPCID is 2048 more (arch/x86/mm/tlb.c)."""
    run, (a, b) = cpu("x86-pcid", isolated=True), processes(2)
    run.switch(a)
    run.access(0x40_0000)
    run.enter_kernel()
    assert not run.access(0x40_0000).is_hit, "the kernel reads it under its own PCID"
    run.return_to_user()

    assert run.access(0x40_0000).is_hit
    assert [2, 2050] == sorted(entry.asid for entry in run.tlb.entries())
    assert a.mm.user_root_pa | 2050 == run.registers["CR3"]
    assert 2 == len(run.invlpg(0x40_0000)), "both go"
    run.switch(b)
    assert b.mm.user_root_pa | 2051 == run.registers["CR3"]


# --- generations ---


def test_armv7_has_255_asids_and_then_a_new_generation():
    run, tasks = cpu("arm", "arm-short"), processes(257)
    assert list(range(1, 256)) == [run.switch(task).asid for task in tasks[:255]]
    for task in tasks[:3]:
        run.switch(task)
        run.access(0x8000)
    assert 3 == len(run.tlb.entries())
    run.access(KERNEL & 0xFFFF_FFFF, is_global=True)
    rollover = run.switch(tasks[255])

    assert 1 == rollover.asid
    assert 0x201 == run.registers["CONTEXTIDR"]
    assert 4 == len(rollover.forgotten), "local_flush_tlb_all: global entries too"
    assert "generation 2 begins" in rollover.tell()
    assert 3 == run.switch(tasks[2]).asid, "it ran when the generation changed: its number is kept"
    assert 2 == run.switch(tasks[1]).asid, "nobody has taken its old number yet"
    assert 4 == run.switch(tasks[0]).asid, "its old number is taken"
    assert [] == run.switch(tasks[2]).forgotten


def test_arm64_begins_with_even_asids_and_may_use_all_after_the_first_generation():
    """arch/arm64/mm/context.c:asids_init: whether user mode is isolated is not yet known, so pairs are set apart."""
    for rule, second in (("arm64-8", [1, 3, 4]), ("arm64-8-kpti", [2, 4, 6])):
        asids, mms = kernel_rule(rule).make(), [task.mm for task in processes(131)]
        assert list(range(2, 256, 2)) == [asids.choose(mm).asid for mm in mms[:127]]
        asids.choose(mms[0])  # runs with 2 when the numbers run out
        choices = [asids.choose(mm) for mm in mms[127:130]]
        assert [EVERYTHING, NOTHING, NOTHING] == [choice.forget for choice in choices]
        assert second == [choice.asid for choice in choices] if second[0] == 1 else [4, 6, 8]


def test_every_cpu_empties_its_tlb_once_a_generation():
    rule, mms = AsidAllocator(3, nr_cpus=2), [task.mm for task in processes(9)]
    rule.choose(mms[8], cpu=1)
    for mm in mms[:6]:
        rule.choose(mm, cpu=0)
    assert EVERYTHING == rule.choose(mms[6], cpu=0).forget
    assert [EVERYTHING, NOTHING] == [rule.choose(mms[8], cpu=1).forget, rule.choose(mms[8], cpu=1).forget]
    assert 1 == rule.asid_of(mms[8]), "it was running all the time and kept its number"


@given(
    st.integers(1, 2),
    st.sampled_from([1, 2]),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 11)), max_size=120),
)
@settings(max_examples=150, deadline=None)
def test_no_stale_translation_is_ever_found(nr_cpus, stride, turns):
    """What a TLB holds under an ASID is always of the process that runs under it, on every CPU."""
    rule = AsidAllocator(4, stride, stride, nr_cpus)
    mms = [task.mm for task in processes(12)]
    tlbs = [{} for _ in range(nr_cpus)]  # ASID: the process whose entries are there
    running = [None] * nr_cpus
    for cpu_number, which in turns:
        number, mm = cpu_number % nr_cpus, mms[which]
        choice = rule.choose(mm, number)
        if choice.forget == EVERYTHING:
            tlbs[number].clear()
        running[number] = mm
        assert choice.asid != 0
        assert choice.asid % stride == 0
        assert tlbs[number].setdefault(choice.asid, mm) is mm
        for other, now in enumerate(running):
            if now is not None:
                assert tlbs[other].get(rule.asid_of(now), now) is now
                tlbs[other][rule.asid_of(now)] = now
        assert len({id(now) for now in running if now}) == len({rule.asid_of(now) for now in running if now})


@given(st.lists(st.one_of(st.integers(0, 8), st.tuples(st.just("flush"), st.integers(0, 8))), max_size=100))
@settings(max_examples=150, deadline=None)
def test_x86_never_runs_on_a_stale_translation(turns):
    """Each entry remembers whose it is and its generation; what a switch leaves must be this process's and new."""
    rule, mms = X86Pcid(), [task.mm for task in processes(9)]
    held = {}
    for turn in turns:
        if isinstance(turn, tuple):
            mms[turn[1]].tlb_gen += 1
            continue
        mm = mms[turn]
        choice = rule.choose(mm)
        if choice.forget == ASID:
            held.pop(choice.asid, None)
        assert 1 <= choice.asid <= 6
        assert held.setdefault(choice.asid, (mm, mm.tlb_gen)) == (mm, mm.tlb_gen)


def test_a_trace_in_two_processes_with_and_without_asids():
    """Two programs in turns: without ASIDs every turn starts cold."""
    sort, awk = (vm.load_trace(name) for name in ("sort", "awk"))
    walks = {}
    for rule in ("x86", "x86-pcid"):
        run, (a, b) = Cpu("x86-64-4", rule, Tlb("Skylake")), processes(2)
        total = 0
        for start in range(0, 200_000, 10_000):
            for task, trace in ((a, sort), (b, awk)):
                run.switch(task)
                total += run.run(trace.part(start, start + 10_000)).total.misses
        walks[rule] = total
    pages = sum(len(set(trace.page[:200_000].tolist())) for trace in (sort, awk))

    assert pages == walks["x86-pcid"], "all of both programs fits: one walk a page"
    assert walks["x86"] > 4 * pages


def test_asid_allocators_refuse_what_cannot_work():
    for bits, cpus in ((0, 1), (17, 1), (1, 1), (2, 3)):
        with pytest.raises(vm.VmlabError, match="more ASIDs than CPUs"):
            AsidAllocator(bits, nr_cpus=cpus)


def test_sizes_of_top_tables():
    sizes = {name: base_register(name).root_bytes for name in ("x86-pae", "arm-short", "arm64-64k-48", "sv39")}

    assert {"x86-pae": 32, "arm-short": 16 * KiB, "arm64-64k-48": 64 * KiB, "sv39": 4 * KiB} == sizes
