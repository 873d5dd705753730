"""start.py: one plain sentence where it cannot go on, and never half an environment that counts as whole."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
START = ROOT / "start.py"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """start.py as a module whose project lies in a folder with a space in its name."""
    home = tmp_path / "a folder"
    home.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, home / name)
    spec = importlib.util.spec_from_file_location("start", START)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    places = {"HERE": home, "VENV": home / ".venv", "STATE": home / ".lab"}
    places |= {"LOCKS": {command: home / lock.name for command, lock in module.LOCKS.items()}}
    places |= {"LOG": home / ".lab" / "install.log", "STAMP": home / ".venv" / "vmlab-complete"}
    places |= {"PROGRAMS": home / ".venv" / "bin", "PYTHON": home / ".venv" / "bin" / "python"}
    for name, place in places.items():
        monkeypatch.setattr(module, name, place)
    (home / ".lab").mkdir()
    return module


def test_an_old_python_gets_one_sentence_and_no_traceback():
    code = f"import sys; sys.version_info = (3, 9, 2); exec(open({str(START)!r}).read())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode != 0
    assert done.stderr.startswith("vmlab needs Python 3.11 or newer, and this is Python 3.9: ")
    assert 1 == len(done.stderr.strip().splitlines())


def test_an_old_python_can_at_least_read_the_file():
    ast.parse(START.read_text(), feature_version=(3, 7))


def test_only_the_standard_library_is_imported():
    tree = ast.parse(START.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert set() == {name.split(".")[0] for name in names} - sys.stdlib_module_names


def test_a_wrong_option_is_refused_before_anything_is_built():
    done = subprocess.run([sys.executable, START, "--nonsense"], capture_output=True, text=True)

    assert 2 == done.returncode
    assert "--nonsense" in done.stderr


def test_everything_after_test_belongs_to_pytest(start: ModuleType):
    assert ["-k", "memblock", "--lf"] == start.parse(["test", "-k", "memblock", "--lf"]).pytest
    assert "lab" == start.parse([]).command
    assert start.parse(["--no-browser", "--port", "9000"]).port == 9000


def test_a_missing_venv_module_is_one_sentence_with_its_remedy(start: ModuleType, monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))

    with pytest.raises(start.Failed, match=r"apt-get install python3.*-venv"):
        start.make_venv(with_pip=True)


def test_an_environment_is_made_in_a_path_with_spaces(start: ModuleType):
    start.make_venv(with_pip=False)
    done = subprocess.run([start.PYTHON, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)

    assert str(start.VENV) == done.stdout.strip()


def test_an_interrupted_build_is_not_taken_for_a_finished_one(start: ModuleType, monkeypatch: pytest.MonkeyPatch):
    def broken_off(lock: Path, uv: Path | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "install", broken_off)
    monkeypatch.setattr(start, "get_uv", lambda: start.make_venv(with_pip=False))
    with pytest.raises(KeyboardInterrupt):
        start.build("lab")

    assert start.PYTHON.exists()
    assert not start.is_ready("lab")


def test_a_finished_build_is_not_repeated_until_what_it_depends_on_changes(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(start, "install", lambda lock, uv: None)
    monkeypatch.setattr(start, "get_uv", lambda: start.make_venv(with_pip=False))
    start.build("lab")
    assert start.is_ready("lab")

    with start.LOCKS["lab"].open("a") as lock:
        lock.write("\n# changed\n")
    assert not start.is_ready("lab")


def test_what_was_built_for_tests_serves_the_lab_and_not_the_other_way_round(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    filled = []
    monkeypatch.setattr(start, "install", lambda lock, uv: filled.append(lock.name))
    monkeypatch.setattr(start, "get_uv", lambda: start.make_venv(with_pip=False))
    start.build("lab")
    assert not start.is_ready("test")

    start.build("test")
    assert start.is_ready("lab")
    assert ["requirements.lock", "requirements-test.lock"] == filled


def test_a_failing_step_says_what_came_and_where_to_read_on(start: ModuleType):
    with pytest.raises(start.Failed, match=r"Trying failed \(exit code 3\)(.|\n)*the reason(.|\n)*install\.log"):
        start.run_step("Trying", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])


def test_under_ci_a_missing_program_is_a_failure_and_elsewhere_a_sentence(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(start.Failed, match="sudo apt-get install chromium"):
        start.ensure_programs()

    monkeypatch.delenv("CI")
    start.ensure_programs()
    assert "will be skipped" in capsys.readouterr().out


def test_a_test_run_that_was_killed_is_a_failure(start: ModuleType, monkeypatch: pytest.MonkeyPatch):
    codes = iter([0, -9, 0, 0])  # warming, the first run of pytest, the browser's two
    monkeypatch.setattr(start, "run", lambda command: next(codes))
    monkeypatch.setattr(start, "ensure_programs", lambda: None)

    assert 1 == start.test([])


def test_no_browser_prints_an_address_and_ctrl_c_ends_the_lab(tmp_path: Path):
    environment = dict(os.environ, XDG_STATE_HOME=str(tmp_path), PYTHONUNBUFFERED="1")
    command = [sys.executable, "-m", "vmlab", "lab", "--no-browser", str(tmp_path)]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    assert lab.stdout
    try:
        address = next((line.strip() for line in lab.stdout if "http://127.0.0.1:" in line), "")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab\?token=[0-9a-f]{48}", address)
    finally:
        lab.send_signal(signal.SIGINT)
        assert 0 == lab.wait(30)
