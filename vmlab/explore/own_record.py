"""The learner's own machine as `vmlab record --host` sees it, beside a recorded PC; read-only, without root.

Nothing is written. Off Linux, or where /proc/zoneinfo cannot be read, two recorded PCs are shown beside each other.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from ..compare import Values, recorded_values, shown, zone_values
from ..live.host import record_host
from ..procfs import read_zoneinfo
from ..record import load_machine
from ..units import VmlabError
from ..views import Table
from .own_slab import Own

BESIDE, SAMPLE = "amd64-pc-4g", "amd64-pc-1g"
COUNTS = (" spanned", " present", " managed", " min")


def own_record(proc: Path = Path("/proc")) -> Own:
    """Zones of this machine and of a recorded PC, and what this machine did not tell."""
    beside = _recorded(BESIDE)
    try:
        data, mine = record_host(proc), zone_values(read_zoneinfo(proc / "zoneinfo"))
    except (VmlabError, OSError) as problem:
        says = (f"Shown: a sample, the recorded PC {SAMPLE}, because {problem}.",)
        return Own(says, _beside(SAMPLE, _recorded(SAMPLE), beside))
    source = f"Shown: your own machine, Linux {platform.release()}, beside the recorded PC {BESIDE}."
    return Own((source, *_told(data)), _beside("this machine", mine, beside))


def _recorded(name: str) -> Values:
    recorded = load_machine(name).recorded
    return recorded_values(recorded) if recorded else {}


def _told(data: dict[str, Any]) -> tuple[str, ...]:
    """What is in the record, and what was withheld with its reason."""
    there = [name for name, part in data.items() if part and name not in ("schema", "kind", "name", "withheld")]
    withheld = [f"Withheld: {name}: {reason}" for name, reason in data["withheld"].items()]
    return (f"Told: {', '.join(there)}.", *(withheld or ["Nothing was withheld: you are root, or nearly."]))


def _beside(name: str, mine: Values, theirs: Values) -> Table:
    keys = [key for key in dict.fromkeys([*mine, *theirs]) if key.startswith("node 0 ") and key.endswith(COUNTS)]
    rows = [(key.removeprefix("node 0 "), shown(key, mine.get(key)), shown(key, theirs.get(key))) for key in keys]
    return Table(("zone of node 0, pages", name, BESIDE), rows)
