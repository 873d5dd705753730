"""The class's results in one SQLite file: a row a question, committed as it comes, so that grading can be resumed.

A submission is known by its cells' digest: the same cells are graded once, and keep their score.
"""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..units import VmlabError
from .judge import Graded, Result

SCHEMA = """
create table if not exists about (name text primary key, value text not null);
create table if not exists submissions (
    learner text not null, lesson text not null, digest text not null, path text not null,
    stopped text not null, notes text not null, primary key (learner, lesson));
create table if not exists results (
    learner text not null, lesson text not null, item text not null, points integer not null, got integer not null,
    kind text not null, text text not null, lines text not null, belief text not null,
    primary key (learner, lesson, item));
"""
SECONDS_TO_WAIT = 20.0  # for another program that writes to the file
COLUMNS = ("learner", "lesson", "item", "points", "got", "kind", "belief")


class Results:
    """The file; a missing one is made, with a secret seed of its own unless one is given."""

    def __init__(self, path: Path, seed: str = "") -> None:
        try:
            self._file = sqlite3.connect(path, timeout=SECONDS_TO_WAIT)
            with _told(path):
                self._file.executescript(SCHEMA)
                kept = self._about("seed")
        except sqlite3.DatabaseError as bad:
            raise VmlabError(
                f"{path}: expected a file of results that vmlab grade wrote ({bad}); give another --db"
            ) from None
        if kept and seed and kept != seed:
            raise VmlabError(f"{path}: was graded with another seed; give another --db, or leave --seed out")
        self._path = path
        self.seed = kept or seed or secrets.token_hex(16)
        with _told(path), self._file:
            self._file.execute("insert or replace into about values ('seed', ?)", (self.seed,))

    def _about(self, name: str) -> str:
        row = self._file.execute("select value from about where name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def has(self, learner: str, lesson: str, digest: str) -> bool:
        """Whether exactly this was graded to its end."""
        query = "select 1 from submissions where learner = ? and lesson = ? and digest = ?"
        return self._file.execute(query, (learner, lesson, digest)).fetchone() is not None

    def keep(self, graded: Graded, path: Path) -> None:
        """Write one submission's rows, all or none; a later submission of the same learner replaces them."""
        who = (graded.learner, graded.lesson)
        with _told(self._path), self._file:
            self._file.execute("delete from results where learner = ? and lesson = ?", who)
            self._file.execute(
                "delete from submissions where learner = ? and lesson = ''", who[:1]
            )  # it could not be read
            self._file.executemany(
                "insert into results values (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(*who, *row) for row in graded.results]
            )
            about = (*who, graded.digest, _stored(path), "\n".join(graded.stopped), "\n".join(graded.notes))
            self._file.execute("insert or replace into submissions values (?, ?, ?, ?, ?, ?)", about)

    def submissions(self) -> Iterator[tuple[str, str, Path, list[str], list[str]]]:
        """(learner, lesson, path, cells that stopped, notes), by learner."""
        query = "select learner, lesson, path, stopped, notes from submissions order by learner, lesson"
        for learner, lesson, path, stopped, notes in self._file.execute(query).fetchall():
            yield learner, lesson, Path(os.fsdecode(path)), stopped.splitlines(), notes.splitlines()

    def rows(self, learner: str, lesson: str) -> list[Result]:
        """A learner's results in one lesson, in the exercise's order."""
        columns = ", ".join(Result._fields)
        query = f"select {columns} from results where learner = ? and lesson = ? order by rowid"
        return [Result(*row) for row in self._file.execute(query, (learner, lesson))]

    def items(self) -> list[tuple[str, int, int, int]]:
        """(item, how many were asked, were right, gave no answer), in the exercises' order."""
        query = (
            "select item, count(*), sum(kind = 'right'), sum(kind = 'blank') from results"
            " group by lesson, item order by lesson, min(rowid)"
        )
        return self._file.execute(query).fetchall()

    def beliefs(self) -> list[tuple[str, str, int]]:
        """(item, belief, how many learners), the commonest first."""
        query = (
            "select item, belief, count(*) from results where belief != '' group by item, belief order by 3 desc, 1, 2"
        )
        return self._file.execute(query).fetchall()

    def write_csv(self, path: Path) -> None:
        """Every row as CSV: complete, or not there."""
        part = path.with_name(path.name + ".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            rows = self._file.execute(f"select {', '.join(COLUMNS)} from results order by learner, lesson, rowid")
            table.writerows([inert(cell) for cell in row] for row in rows)
        part.replace(path)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Words instead of a traceback where the file cannot be written now; what is no database is somebody else's."""
    try:
        yield
    except sqlite3.OperationalError as bad:
        why = {
            "database is locked": "another program is writing to it; let that end",
            "database or disk is full": "the disk is full; make room",
        }.get(str(bad), f"it cannot be written ({bad}); make it writable, or give another --db")
        raise VmlabError(f"{path}: {why}. Then run the same command again: what is graded stays") from None


def _stored(path: Path) -> str | bytes:
    """A path as text; as bytes, if its name is none."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)


def inert(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else cell
