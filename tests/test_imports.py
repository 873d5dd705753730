"""The house has floors: a module imports only what stands below it, and importing vmlab stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "vmlab"

# Bottom to top. A module stands on the floor of the longest name here that begins its own.
FLOORS = [
    {"units"},
    {"versions"},
    {"cluster", "ledger", "jit", "prefetch", "ranges", "unlikely"},
    {"parts"},
    {"arch"},
    {"machine"},
    {"physical"},
    {"trace"},
    {"virtual"},
    {"record"},
    {"process"},
    {"kernel"},
    {"procfs"},
    {"judge", "compare"},
    {"live"},
    {"views", "study"},
    {"explore"},
    {"bench", "book", "grade", "warm", "doctor", "lab", "seat", "websocket"},
    {"cli", "__main__"},
]
SEPARATE = ({"views", "study"},)  # neighbours on one floor that must not know each other


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            found[name] = path
    return found


def floor(module: str) -> int | None:
    first = module.split(".")[0]
    return next((number for number, names in enumerate(FLOORS) if first in names), None)


def imported(path: Path, module: str) -> set[str]:
    """Modules of the package that running `path` imports; what only a type checker reads does not count."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package.split(".") if package else []
            base = base[: len(base) - node.level + 1]
            name = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {name} if name else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vmlab"):
            name = (node.module or "").removeprefix("vmlab").strip(".")
            found |= {name} if name else {alias.name for alias in node.names}
    return found & set(modules()) | {name for name in found if floor(name) is not None}


def test_every_module_has_a_floor():
    assert [] == [name for name in modules() if floor(name) is None]


def test_the_architecture_s_table_has_every_module_from_top_to_bottom():
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text()
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    rows = [[name.strip("/").removesuffix(".py") for name in re.findall(r"`([\w./]+)`", cell)] for cell in cells]
    rows = [[name for name in row if "/" not in name] for row in rows if {floor(name) for name in row} - {None}]

    assert {name for row in rows for name in row} == {name.split(".")[0] for name in modules()} - {"__main__"}
    floors = [[floor(name) for name in row] for row in rows]
    assert all(min(above) >= max(below) for above, below in pairwise(floors))


def test_imports_point_down():
    wrong = []
    for name, path in modules().items():
        for other in imported(path, name):
            mine, theirs = floor(name), floor(other)
            if name.split(".")[0] != other.split(".")[0] and theirs is not None and mine is not None and theirs > mine:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_views_and_study_do_not_know_each_other():
    wrong = []
    for name, path in modules().items():
        for pair in SEPARATE:
            if (first := name.split(".")[0]) in pair:
                wrong += [f"{name} imports {o}" for o in imported(path, name) if o.split(".")[0] in pair - {first}]
    assert wrong == []


def test_importing_vmlab_loads_nothing_heavy():
    code = "import sys, vmlab; vmlab.boot(vmlab.load_machine('arm-virt-armmp-1g')); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "vmlab.kernel" in loaded
    assert set() == set(loaded) & {"numba", "matplotlib", "ipywidgets", "IPython", "numpy"}


def test_no_module_branches_on_an_architecture_outside_arch():
    wrong = []
    for name, path in modules().items():
        if name.split(".")[0] in ("arch", "study", "explore"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and "attr='arch'" in ast.dump(node):
                wrong.append(f"{name}:{node.lineno}")
    assert wrong == []
