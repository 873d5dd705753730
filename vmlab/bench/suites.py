"""The suites: files of benchmarks/, what they need, and C compiled on the spot.

A suite is a module with `cases(shrink)`: it yields a `Case` or a `Missing` for each of its rows. `shrink` divides
every size, so that a test can run all of them in no time; what is measured then says nothing about speed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ..units import VmlabError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
COMPILER = ("gcc", "-O3", "-march=native", "-shared", "-fPIC")


def suites() -> list[str]:
    """Names of the suites: the files of benchmarks/."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def chosen(names: Sequence[str]) -> list[str]:
    """The suites that are named, each once; without a name, all."""
    have = suites()
    if not have:
        raise VmlabError("there are no suites here: benchmarks/ comes with the source tree, not with the package")
    unknown = [name for name in names if name not in have]
    if unknown:
        raise VmlabError(f"suite: expected any of {', '.join(have)}; got {', '.join(map(repr, unknown))}")
    return list(dict.fromkeys(names)) or have


def load(suite: str) -> ModuleType:
    """Import one suite from the folder beside the package."""
    (name,) = chosen([suite])
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_compiler() -> None:
    """Without a C compiler there is nothing to compare with."""
    if shutil.which(COMPILER[0]) is None:
        raise VmlabError("this compares with C and needs gcc: install it (Debian, Ubuntu: apt install gcc)")


def build(source: Path) -> ctypes.CDLL:
    """Compile a C file; the library stays loaded after its folder is gone."""
    check_compiler()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "reference.so"
        done = subprocess.run([*COMPILER, "-o", str(library), str(source)], capture_output=True, text=True)
        if done.returncode:
            raise VmlabError(f"{source.name} does not compile here:\n{done.stderr.strip()}")
        return ctypes.CDLL(str(library))


def lacks(module: str, package: str) -> str:
    """Why a peer cannot be compared with: a sentence with its remedy, or nothing if it is installed."""
    if importlib.util.find_spec(module) is not None:
        return ""
    return f"needs {package}: pip install 'vmlab[bench]', or in a source tree pip install -e '.[bench]'"
