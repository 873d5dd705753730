"""Recorded machines: a file in the form of records/SCHEMA.md, split into inputs and answers.

`load` gives a `Machine` made from the inputs alone; what the real kernel said is kept apart in
`machine.recorded`, and nothing in the model looks there.
"""

from __future__ import annotations

from pathlib import Path

from ..machine import Machine
from ..units import VmlabError
from .answers import Recorded
from .inputs import machine_from
from .read import read_record

__all__ = ["Recorded", "load_machine", "machines", "record_path"]

SHIPPED = Path(__file__).parent.parent / "machines"
SUFFIX = ".json.gz"


def machines() -> list[str]:
    """Names of the recorded machines that ship with the package."""
    return sorted(path.name.removesuffix(SUFFIX) for path in SHIPPED.glob(f"*{SUFFIX}"))


def record_path(name: str | Path) -> Path:
    """The file behind a shipped machine's name, or `name` itself if it is the path of a file."""
    name = str(name)
    shipped = SHIPPED / f"{name}{SUFFIX}"
    if shipped.is_file():
        return shipped
    path = Path(name)
    if path.is_file():
        return path
    close = [known for known in machines() if name and name.split("-")[0] in known]
    hint = f"; did you mean {', '.join(close[:3])}?" if close else ""
    raise VmlabError(f"no machine and no record file is called {name!r}: vmlab.machines() lists the names{hint}")


def load_machine(name: str | Path) -> Machine:
    """A recorded machine, by name or by the path of any record file."""
    path = record_path(name)
    data = read_record(path)
    return machine_from(data, Recorded(data, path))
