"""kmap_local and kmap_atomic: slots of a CPU's own, by kernel version; the stack, and what a switch takes along."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import vmlab as vm
from vmlab.virtual.kmap_local import KM_TYPES, RULES, KmapLocal, NotTheLast
from vmlab.virtual.pkmap import KernelBug

TOP, PAGE = 0xFFEF_F000, 4096


def slots(since: str = "5.11", cpus: int = 2, begin: int = 1) -> KmapLocal:
    return KmapLocal(TOP, begin, cpus, RULES[since])


def test_slots_go_downwards_from_the_fixmap_s_top():
    """armmp: FIX_KMAP_BEGIN 1, FIXADDR_TOP 0xffef_f000."""
    local = slots()
    assert [0xFFEF_E000, 0xFFEF_D000] == [local.map(pfn) for pfn in (70, 71)]
    assert 0xFFEF_E000 - 16 * PAGE == local.map(72, cpu=1)


def test_a_booted_kernel_s_slots_lie_where_its_fixmap_says():
    kernel = vm.boot(vm.load_machine("i386-pc-686-1g"))
    page = kernel.alloc_pages(0, "GFP_HIGHUSER")
    with kernel.kmap_local(page) as va:
        assert 0xFFFF_F000 - 68 * PAGE == va
        with kernel.kmap_local(page) as inner:  # the same page twice: two windows
            assert va - PAGE == inner
    assert "unmapped" == kernel.highmem.check(va).state


def test_windows_go_back_in_the_reverse_order():
    local = slots()
    first, second = local.map(1), local.map(2)
    with pytest.raises(NotTheLast, match=r"WARN_ON_ONCE.*0xffef_d000: give windows back in the reverse order"):
        local.unmap(first)
    assert [(first, 1), (second, 2)] == local.windows()
    assert [2, 1] == [local.unmap(second), local.unmap(first)]
    with pytest.raises(KernelBug, match="idx < 0"):
        local.unmap(first)


def test_fifteen_windows_fit_and_the_sixteenth_is_a_bug():
    """The index is raised before it is compared with KM_MAX_IDX, 16."""
    local = slots()
    for pfn in range(15):
        local.map(pfn)
    with pytest.raises(KernelBug, match="idx >= KM_MAX_IDX"):
        local.map(15)
    assert 15 == len(local.windows())


@pytest.mark.parametrize(("since", "kind", "apart"), [("2.6.36", "KM_USER0", 20), ("2.6.37", "", 20), ("5.11", "", 16)])
def test_each_cpu_has_slots_of_its_own_as_many_as_the_version_gives(since, kind, apart):
    """KM_TYPE_NR and KM_MAX_IDX, times smp_processor_id()."""
    local = KmapLocal(0xFFFF_F000, 2, 2, RULES[since])
    first, second = local.map(1, 0, kind), local.map(1, 1, kind)
    assert apart << 12 == first - second


def test_a_switch_takes_the_task_s_entries_out_and_puts_them_back():
    local = slots()
    mine = local.map(1)
    assert (1, 0) == local.switch("b")
    assert {} == local.entries
    theirs = local.map(2)
    assert (mine, {0: 2}) == (theirs, local.entries)  # the same address shows another frame: each task has its own

    assert (1, 1) == local.switch("task0")
    assert {0: 1} == local.entries
    local.unmap(mine)
    assert (0, 1) == local.switch("b")


def test_a_task_with_windows_keeps_its_cpu_and_one_without_may_move():
    local = slots()
    va = local.map(1)
    local.switch("b")
    with pytest.raises(vm.VmlabError, match="migrate_disable"):
        local.switch("task0", cpu=1)
    with pytest.raises(vm.VmlabError, match="it runs on CPU 1"):
        local.switch("task1")
    local.switch("task0")
    local.unmap(va)
    local.switch("c")
    assert (0, 0) == local.switch("task0", cpu=1)


def test_kmap_atomic_forbids_to_switch_while_a_window_is_mapped():
    local = slots("2.6.37")
    va = local.map(1)
    with pytest.raises(KernelBug, match="scheduling while atomic"):
        local.switch("b")
    local.unmap(va)
    assert (0, 0) == local.switch("b")


def test_before_2_6_37_the_caller_names_the_slot_and_two_users_of_one_collide():
    local = slots("2.6.36")
    first = local.map(1, kind="KM_USER0")
    second = local.map(2, kind="KM_USER1")
    assert TOP - (1 + KM_TYPES.index("KM_USER0")) * PAGE == first
    assert TOP - (1 + 20 + KM_TYPES.index("KM_USER0")) * PAGE == local.map(3, cpu=1, kind="KM_USER0")
    with pytest.raises(KernelBug, match="KM_USER0 is in use on CPU 0"):
        local.map(4, kind="KM_USER0")
    with pytest.raises(vm.VmlabError, match="expected a type"):
        local.map(4)

    assert [1, 2] == [local.unmap(first), local.unmap(second)]  # no order is asked for


def test_types_are_refused_where_the_kernel_has_none():
    with pytest.raises(vm.VmlabError, match="expected no type"):
        slots().map(1, kind="KM_USER0")


@pytest.mark.parametrize("cpu", [-1, 2, None])
def test_a_cpu_is_one_of_the_machine_s(cpu: object):
    with pytest.raises(vm.VmlabError, match="expected 0 to 1"):
        slots().map(1, cpu=cpu)  # type: ignore[arg-type]


def test_the_rule_changes_only_while_nothing_is_mapped():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    page = kernel.alloc_pages(0, "GFP_HIGHUSER")
    va = kernel.highmem.kmap_local_page(page)
    with pytest.raises(vm.VmlabError, match="give them back first"):
        kernel.highmem.follow(RULES["2.6.36"])
    kernel.highmem.kunmap_local(va)
    kernel.highmem.follow(RULES["2.6.36"])
    assert va - 3 * PAGE == kernel.highmem.kmap_local_page(page, kind="KM_USER0")
    with pytest.raises(vm.VmlabError, match="no windows"):
        vm.boot(vm.load_machine("amd64-pc-1g")).highmem.follow()


def test_a_block_gives_its_window_back_after_an_error_too():
    kernel = vm.boot(vm.load_machine("arm-virt-armmp-1g"))
    page = kernel.alloc_pages(0, "GFP_HIGHUSER")
    with pytest.raises(RuntimeError), kernel.kmap_local(page):
        raise RuntimeError
    assert [] == kernel.highmem.local.windows()


class Stacks(RuleBasedStateMachine):
    """Tasks on two CPUs, beside lists: a task's windows are its own, in its order, and shown only while it runs."""

    TASKS = ("task0", "task1", "c", "d")

    def __init__(self) -> None:
        super().__init__()
        self.local = slots()
        self.held: dict[str, list[tuple[int, int]]] = {task: [] for task in self.TASKS}
        self.home: dict[str, int] = {}
        self.on = ["task0", "task1"]
        self.next = 0

    @rule(cpu=st.integers(0, 1))
    def map(self, cpu: int) -> None:
        task, self.next = self.on[cpu], self.next + 1
        if len(self.held[task]) == 15:
            with pytest.raises(KernelBug):
                self.local.map(self.next, cpu)
            return
        va = self.local.map(self.next, cpu)
        assert TOP - (1 + 16 * cpu + len(self.held[task])) * PAGE == va
        self.held[task].append((va, self.next))
        self.home[task] = cpu

    @precondition(lambda self: any(self.held[task] for task in self.on))
    @rule(data=st.data())
    def unmap(self, data: st.DataObject) -> None:
        cpu = data.draw(st.sampled_from([cpu for cpu in (0, 1) if self.held[self.on[cpu]]]))
        stack = self.held[self.on[cpu]]
        which = data.draw(st.integers(0, len(stack) - 1))
        if which < len(stack) - 1:
            with pytest.raises(NotTheLast):
                self.local.unmap(stack[which][0], cpu)
            return
        va, pfn = stack.pop()
        assert pfn == self.local.unmap(va, cpu)

    @rule(cpu=st.integers(0, 1), task=st.sampled_from(TASKS))
    def switch(self, cpu: int, task: str) -> None:
        elsewhere = task == self.on[1 - cpu]
        if task != self.on[cpu] and (elsewhere or (self.held[task] and self.home[task] != cpu)):
            with pytest.raises(vm.VmlabError):
                self.local.switch(task, cpu)
            return
        self.local.switch(task, cpu)
        self.on[cpu] = task

    @invariant()
    def entries_are_those_of_the_running_tasks(self) -> None:
        shown = {va: pfn for task in self.on for va, pfn in self.held[task]}
        assert shown == {self.local.address(slot): pfn for slot, pfn in self.local.entries.items()}
        assert [self.held[task] for task in self.on] == [self.local.windows(cpu) for cpu in (0, 1)]


Stacks.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestStacks = Stacks.TestCase
