"""The top tables of recorded processes: mm->pgd, and what the base register held while each of them ran."""

from __future__ import annotations

from dataclasses import dataclass

from .read import Fields

BASE_REGISTERS = ("cr3", "ttbr0_el1_s", "ttbr0", "ttbr0_el1")  # boards in the secure state read 0 in the other bank


@dataclass(frozen=True, slots=True)
class Root:
    """One recorded process. Physical addresses in bytes; `registers` are those of its CPU in user mode."""

    process: str
    pid: int
    root_pa: int  # mm->pgd: the kernel's view of the process
    live_root_pa: int | None  # the table that was in use in user mode; None where it was not seen running
    user_root_pa: int | None  # the second table, of a kernel with page-table isolation on x86
    registers: dict[str, int]

    @property
    def is_isolated(self) -> bool:
        """Whether user mode runs on a table of its own, without the kernel."""
        return self.user_root_pa is not None

    @property
    def base_value(self) -> int | None:
        """What the base register held while it ran in user mode; None where that was not recorded."""
        return next((self.registers[name] for name in BASE_REGISTERS if self.registers.get(name)), None)


def roots_of(translation: Fields) -> dict[str, Root]:
    """Every process that a record has a root of."""
    table = Fields(translation.data.get("roots") or {}, f"{translation.path}.roots")
    rows = {name: table.fields(name) for name in table.data}
    return {name: _root(name, row) for name, row in rows.items() if row.data.get("root_pa") is not None}


def _root(name: str, row: Fields) -> Root:
    running = Fields(row.data.get("registers_while_running") or {}, f"{row.path}.registers_while_running")
    return Root(
        process=name,
        pid=row.integer("pid"),
        root_pa=row.integer("root_pa"),
        live_root_pa=row.integer("live_root_pa") if row.data.get("live_root_pa") is not None else None,
        user_root_pa=row.integer("pti_user_root_pa") if row.data.get("pti_user_root_pa") is not None else None,
        registers={key: running.integer(key) for key in running.data},
    )
