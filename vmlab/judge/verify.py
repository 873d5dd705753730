"""Boot recorded machines from their inputs alone and compare every field with what the kernel said.

`vmlab machines` lists the machines that ship; `vmlab machines --verify [NAME|FILE|FOLDER ...]` compares.
A field that the inputs cannot decide is counted as such, with the reason; it is never copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..kernel import boot
from ..machine import Machine
from ..record import SUFFIX, load_machine, machines
from ..units import VmlabError, human
from ..versions import BASE, NEWEST, UNKNOWN, is_modelled
from .compared import Compared
from .fields import FIELDS

MODELLED = f"the rules of {BASE} to {NEWEST} are modelled"
MOST_MISMATCHES = 8  # printed for one field; the rest are counted


@dataclass(slots=True)
class Score:
    """What came of one field on one machine."""

    name: str
    exact: int = 0
    total: int = 0
    mismatches: list[Compared] = field(default_factory=list)
    undecided: list[Compared] = field(default_factory=list)

    def add(self, row: Compared) -> None:
        """Count one comparison."""
        if row.undecided:
            self.undecided.append(row)
            return
        self.total += 1
        if row.predicted == row.recorded:
            self.exact += 1
        else:
            self.mismatches.append(row)

    def counts(self) -> str:
        """Exact of total, and how many the inputs leave open; a field without an answer says so."""
        if not self.total and not self.undecided:
            return f"{self.name:<22}      0 of 0        (the record has nothing to compare)"
        aside = f"   ({len(self.undecided)} not decided by the inputs)" if self.undecided else ""
        return f"{self.name:<22} {self.exact:>6} of {self.total:<6}{aside}"

    def lines(self) -> Iterator[str]:
        """The field's line, then each mismatch with both values and each reason once."""
        yield f"    {self.counts()}" + ("" if self.exact == self.total else "   WRONG")
        for row in self.mismatches[:MOST_MISMATCHES]:
            yield f"        {row.what}: predicted {row.shown(row.predicted)}, the kernel said {row.shown(row.recorded)}"
        if len(self.mismatches) > MOST_MISMATCHES:
            yield f"        ... and {len(self.mismatches) - MOST_MISMATCHES} more"
        for reason in dict.fromkeys(row.undecided for row in self.undecided):
            names = [row.what for row in self.undecided if row.undecided == reason]
            yield f"        not decided: {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}: {reason}"


def verify(machine: Machine) -> list[Score]:
    """Compare one recorded machine with the model's boot of it, field by field."""
    recorded = machine.recorded
    if recorded is None:
        raise VmlabError(f"{machine.name}: nothing to compare with: only a machine as it was recorded can be verified")
    kernel = boot(machine)
    scores, stranger = [], not_modelled(machine)
    for name, compare in FIELDS.items():
        score = Score(name)
        try:
            for row in compare(machine, kernel, recorded):
                score.add(replace(row, undecided=row.undecided or stranger))
        except VmlabError as bad:
            if not stranger:
                raise
            score.add(Compared("the rest", None, None, f"{stranger}; {bad}"))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as bad:
            came = f"{type(bad).__name__}: {bad}"
            raise VmlabError(
                f"{machine.name}: the record's answers for {name!r} are missing or damaged ({came})"
            ) from bad
        scores.append(score)
    return scores


def not_modelled(machine: Machine) -> str:
    """Why nothing is decided on a kernel of another version than the modelled ones; empty where it is."""
    version = machine.config.version
    if version is None or (version != UNKNOWN and is_modelled(version)):
        return ""
    return f"its kernel is of {'an unknown version' if version == UNKNOWN else f'Linux {version}'}: {MODELLED}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vmlab machines`."""
    parser.add_argument(
        "--verify", action="store_true", help="boot each and compare every predicted field with the record"
    )
    parser.add_argument("--quiet", action="store_true", help="with --verify: one line a machine, and the mismatches")
    parser.add_argument(
        "machine", nargs="*", help="names, record files, or folders of records (default: all that ship)"
    )


def run(args: argparse.Namespace) -> int:
    """List the machines, or verify them; 1 if any field is wrong, 2 if any record cannot be used."""
    names = [name for given in args.machine for name in expand(given)] or machines()
    if args.verify:
        return _verify_all(names, args.quiet)
    for name in names:
        machine = load_machine(name)
        version = machine.recorded.kernel_version.split()[2] if machine.recorded else ""
        kind = f"{machine.arch:<6} {machine.config.format:<13}"
        print(f"{machine.name:<32} {kind} {human(machine.ram_bytes):>10}  {version}")
    print(f"{len(names)} recorded machines; `vmlab machines --verify` compares the model with each")
    return 0


def expand(given: str) -> list[str]:
    """A folder stands for the records in it."""
    folder = Path(given)
    if not folder.is_dir():
        return [given]
    found = [str(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    if not found:
        raise VmlabError(f"{given}: expected a folder with record files (*{SUFFIX}), found none in it")
    return found


def _verify_all(names: list[str], quiet: bool) -> int:
    totals: dict[str, Score] = {}
    failed = unusable = 0
    for name in names:
        try:
            machine = load_machine(name)
            scores = verify(machine)
        except VmlabError as bad:
            print(f"{name}: cannot be used: {bad}")
            unusable += 1
            continue
        exact, total = sum(s.exact for s in scores), sum(s.total for s in scores)
        undecided = sum(len(s.undecided) for s in scores)
        failed += exact < total
        print(
            f"{machine.name:<32} {exact} of {total} exact"
            + (f", {undecided} not decided by the inputs" if undecided else "")
        )
        for score in scores:
            if not quiet or score.mismatches:
                print(*score.lines(), sep="\n")
            together = totals.setdefault(score.name, Score(score.name))
            together.exact += score.exact
            together.total += score.total
            together.undecided += score.undecided
    _print_totals(totals, len(names) - unusable, failed, unusable)
    return 2 if unusable else 1 if failed else 0


def _print_totals(totals: dict[str, Score], used: int, failed: int, unusable: int) -> None:
    aside = f"; {unusable} records could not be used" if unusable else ""
    print(f"\n{used} machines, {used - failed} of them without a mismatch{aside}")
    for score in totals.values():
        print(f"    {score.counts()}")
