"""`vmlab doctor`: every line that says "no" says what that costs, and the answer is the machine's."""

from __future__ import annotations

import os

import pytest

from vmlab import doctor
from vmlab.cli import main


def test_on_a_machine_without_programs_each_is_named_with_its_cost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    for check in doctor.CHECKS:
        if check.what in ("QEMU", "gcc", "valgrind", "Chromium") or "bubblewrap" in check.what:
            assert f"no    {check.what}\n        without it: {check.cost}\n        to get it:  {check.remedy}" in shown


def test_a_sandbox_that_may_not_be_made_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    program = tmp_path / "bwrap"
    for code in (1, 0):
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert doctor.can_sandbox() is (code == 0)


def test_a_program_on_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (qemu,) = (check for check in doctor.CHECKS if check.what == "QEMU")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not qemu.is_there()
    (tmp_path / "qemu-system-arm").write_text("")
    (tmp_path / "qemu-system-arm").chmod(0o755)
    assert qemu.is_there() == (os.name == "posix")
