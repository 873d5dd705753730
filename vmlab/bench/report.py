"""Results as a table, as a file, and beside those of an earlier run."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..units import VmlabError
from ..warm import processor
from .measure import Result
from .suites import COMPILER

FORMAT, VERSION = "vmlab bench", 1
NOISE = 1.15  # ratios of two runs on a busy machine differ by this much without a reason
NAME = 58
HEADER = f"{'workload':<{NAME}} {'ours':>9} {'reference':>9} {'ratio':>7} {'goal':>7}  against"
SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")),
}


def amount(value: float, unit: str) -> str:
    """Seconds or bytes with a unit that suits them: '8.1 ns'."""
    scales = SCALES[unit]
    scale, name = next((pair for pair in scales if abs(value) >= pair[0]), scales[-1])
    return f"{value / scale:.{0 if value / scale >= 100 else 1}f} {name}"


def number(ratio: float) -> str:
    """A ratio with three digits that count: '0.94', '0.0512', '0.00061'."""
    if ratio >= 0.2 or ratio <= 0:
        return f"{ratio:.2f}"
    return f"{ratio:.{min(7, 2 - math.floor(math.log10(ratio)))}f}"


def line(result: Result) -> str:
    """One row of the table."""
    if result.reason:
        return f"{result.name:<{NAME}} not measured: {result.reason}"
    sides = f"{amount(result.ours, result.unit):>9} {amount(result.reference, result.unit):>9}"
    verdict = "  MISSED" if result.is_missed else ""
    return (
        f"{result.name:<{NAME}} {sides} {number(result.ratio):>7} {number(result.goal):>7}  {result.against}{verdict}"
    )


def summary(results: Sequence[Result]) -> str:
    """How many goals are met, missed, and could not be measured."""
    measured = [result for result in results if not result.reason]
    good = sum(result.is_good for result in measured)
    without = len(results) - len(measured)
    return f"{good} of {len(measured)} goals met" + (f"; {without} rows could not be measured." if without else ".")


# --- the file ---


def save(path: Path, rounds: int, shrink: int, results: Sequence[Result]) -> None:
    """Write the results as JSON, with what they were measured on; the file is there whole or not at all."""
    rows = [{name: _plain(value) for name, value in result._asdict().items()} for result in results]
    told: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "rounds": rounds,
        "shrink": shrink,
        "machine": platform.machine(),
        "processor": processor(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "compiler": " ".join(COMPILER[:3]),
        "results": [{**row, "good": None if row["reason"] else row["ratio"] <= row["goal"]} for row in rows],
    }
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def read(path: Path) -> list[Result]:
    """The results of an earlier run."""
    wrong = f"{path}: expected a file that `vmlab bench --json FILE` wrote"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VmlabError(f"{wrong}; it is no JSON ({error})") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise VmlabError(f'{wrong}; it is JSON without "format": "{FORMAT}"')
    if told.get("version") != VERSION:
        raise VmlabError(f"{wrong} of version {VERSION}, got version {told.get('version')!r}: measure again")
    rows = told.get("results")
    if not isinstance(rows, list):
        raise VmlabError(f"{wrong}; its results are no list")
    return [_result(row, f"{wrong}; its result {at}") for at, row in enumerate(rows)]


def _result(row: Any, where: str) -> Result:
    texts, figures = ("suite", "name", "against", "unit", "reason"), ("ours", "reference", "ratio", "goal")
    if not isinstance(row, dict):
        raise VmlabError(f"{where} is no object")
    for name in texts:
        if not isinstance(row.get(name), str):
            raise VmlabError(f"{where}: {name} should be text, got {row.get(name)!r}")
    for name in figures:
        value = row.get(name, "nothing")
        if value is None and row["reason"]:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise VmlabError(f"{where}: {name} should be a number above 0, got {value!r}")
    figure = {name: float("nan") if row[name] is None else float(row[name]) for name in figures}
    if row["unit"] not in SCALES:
        raise VmlabError(f"{where}: unit should be one of {', '.join(SCALES)}, got {row['unit']!r}")
    return Result(
        *(row["suite"], row["name"], row["against"], figure["ours"], figure["reference"], row["unit"]),
        *(figure["ratio"], figure["goal"], row["reason"]),
    )


# --- then and now ---


class Change(NamedTuple):
    """The same row in two runs."""

    suite: str
    name: str
    against: str
    then: float
    now: float
    goal: float

    @property
    def is_worse(self) -> bool:
        """Slower by more than noise, or a goal that was met is missed."""
        return self.now > self.then * NOISE or self.then <= self.goal < self.now


def changes(then: Sequence[Result], now: Sequence[Result]) -> list[Change]:
    """The rows that both runs measured, in the order of the later."""
    before = {result[:3]: result.ratio for result in then if not result.reason}
    both = [result for result in now if not result.reason and result[:3] in before]
    return [Change(*each[:3], before[each[:3]], each.ratio, each.goal) for each in both]


def compared(then: Sequence[Result], now: Sequence[Result]) -> str:
    """Ratios then and now as a table, and what got worse."""
    found = changes(then, now)
    rows = [f"{'ratios of both runs':<{NAME}} {'then':>8} {'now':>8}"]
    for each in found:
        mark = "  worse" if each.is_worse else "  better" if each.now * NOISE < each.then else ""
        rows.append(f"{each.name:<{NAME}} {number(each.then):>8} {number(each.now):>8}{mark}")
    worse = [each.name for each in found if each.is_worse]
    alone = len(now) - len(found)
    told = f"Worse than then: {'; '.join(worse)}." if worse else "Nothing got worse."
    rows.append(told + (f" {alone} rows have nothing to compare with." if alone else ""))
    return "\n".join(rows)
