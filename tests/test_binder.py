"""Binder's files: the lab's lock, and a server that begins with the first lesson."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from vmlab import lab

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SECONDS = 60


def test_binder_installs_what_start_py_installs_for_the_lab():
    _, _, name = (BINDER / "requirements.txt").read_text().strip().partition("-r ")  # read beside itself, as pip does
    assert ROOT / "requirements.lock" == (BINDER / name).resolve()


def test_binders_python_is_one_that_vmlab_runs_on():
    version = re.fullmatch(r"python-(\d+)\.(\d+)\n", (BINDER / "runtime.txt").read_text())
    least = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"])
    assert version
    assert least
    assert tuple(map(int, version.groups())) >= tuple(map(int, least.groups()))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A prefix after postBuild, with a pip and a vmlab that only write down how they were called."""
    tools, prefix = tmp_path / "tools", tmp_path / "prefix"
    tools.mkdir()
    for name in ("pip", "vmlab"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $* $NUMBA_CPU_NAME" >> "{tmp_path}/called"\n')
        (tools / name).chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    for name in ("postBuild", "start"):
        assert (BINDER / name).stat().st_mode & stat.S_IXUSR, f"{name} has to be a program"
    subprocess.run(
        [BINDER / "postBuild"],
        cwd=tmp_path,
        check=True,
        env=os.environ | {"NB_PYTHON_PREFIX": str(prefix), "PATH": path},
    )
    return prefix


def test_post_build_installs_vmlab_as_it_is_and_compiles_for_whatever_runs_the_image(built: Path):
    called = (built.parent / "called").read_text().splitlines()
    assert ["pip install --no-cache-dir --no-deps --editable .", "vmlab warm"] == [
        line.removesuffix("x86-64-v3").strip() for line in called
    ]
    at_run_time = subprocess.run([BINDER / "start", "env"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"(?m)^NUMBA_CPU_NAME=(.+)$", at_run_time)
    assert called[-1] == " ".join(["vmlab warm", *names]), "compiled for another processor than it runs on"


def test_a_server_in_what_was_built_begins_with_the_first_lesson(built: Path):
    port = lab.free_port(9300)
    environment = os.environ | {"JUPYTER_CONFIG_PATH": str(built / "etc" / "jupyter")}
    environment |= {f"JUPYTER_{name}_DIR": str(built / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [BINDER / "start", sys.executable, "-m", "jupyter", "lab", "--ip=127.0.0.1", f"--port={port}"]
    with (built / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--no-browser", "--allow-root", "--IdentityProvider.token=binder"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        came, end = None, time.monotonic() + SECONDS
        while came is None:
            try:
                came = urllib.request.urlopen(f"http://127.0.0.1:{port}/?token=binder", timeout=5)
            except OSError:
                assert server.poll() is None, (built / "log").read_text()
                assert time.monotonic() < end, (built / "log").read_text()
                time.sleep(0.1)
        assert came.url.startswith(f"http://127.0.0.1:{port}/lab/tree/notebooks/00-start-here.ipynb")
        page = came.read().decode()
        assert '"windowingMode": "none"' in page or "@jupyterlab/apputils-extension:announcements" in page
    finally:
        server.terminate()
        server.wait(SECONDS)
