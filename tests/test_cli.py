"""The command vmlab: what is wrong is one line, and the exit code says so."""

from __future__ import annotations

import pytest

from vmlab.cli import COMMANDS, main


def test_without_a_command_the_table_of_commands_is_shown(capsys: pytest.CaptureFixture[str]):
    assert 2 == main([])
    shown = capsys.readouterr().out

    assert all(f"  {name}" in shown for name in COMMANDS)


def test_every_command_tells_its_options(capsys: pytest.CaptureFixture[str]):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])

        assert 0 == ended.value.code
        assert f"usage: vmlab {name}" in capsys.readouterr().out


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert 2 == main(["machine"])
    assert "did you mean 'machines'?" in capsys.readouterr().err


def test_an_unknown_machine_is_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]):
    assert 2 == main(["machines", "arm-virt-armmp-9g"])
    told = capsys.readouterr().err.strip()

    assert told.startswith("vmlab: no machine and no record file is called 'arm-virt-armmp-9g'")
    assert 1 == len(told.splitlines())


def test_machines_lists_them_all(capsys: pytest.CaptureFixture[str]):
    assert 0 == main(["machines"])
    assert "arm-virt-armmp-1g" in capsys.readouterr().out


def test_verify_prints_exact_of_total_for_every_field(capsys: pytest.CaptureFixture[str]):
    assert 0 == main(["machines", "--verify", "arm-virt-armmp-1g"])
    shown = capsys.readouterr().out

    assert "zone managed                4 of 4" in shown
    assert "mem_map address" in shown


def test_verify_says_which_record_it_could_not_use_and_goes_on(capsys: pytest.CaptureFixture[str], tmp_path):
    broken = tmp_path / "broken.json.gz"
    broken.write_bytes(b"\x1f\x8b")

    assert 2 == main(["machines", "--verify", "--quiet", str(broken), "i386-pc-686-1g"])
    shown = capsys.readouterr().out
    assert "cannot be used" in shown
    assert "i386-pc-686-1g " in shown
