"""Past one machine: a sweep and a class's grading on a real Dask cluster, one of whose workers is killed midway."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import distributed
import numpy as np
import pytest

import vmlab as vm
from vmlab import cli
from vmlab.cluster import dask_executor
from vmlab.grade.judge import points
from vmlab.grade.results import Results
from vmlab.process.sweep import sweep
from vmlab.trace import LOAD, STORE, load_trace

ROOT = Path(__file__).parent.parent
SOLUTION = ROOT / "solutions" / "05-where-is-mem_map.ipynb"
RELEASED = ROOT / "exercises" / SOLUTION.name
CLASS, FEW = 200, 24
SECONDS = 120  # until a test gives up on a cluster that hangs
BACK = 0.02  # between two looks
OPTIONS = {"processes": True, "dashboard_address": ":0", "silence_logs": 50}
boxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="grading in a sandbox needs bubblewrap")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of two threads behind a scheduler with an address, as on two machines."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, **OPTIONS) as made:
        yield made


class Killer(threading.Thread):
    """Waits until the cluster has done `after` tasks and works on more, then kills a busy worker."""

    def __init__(self, address: str, after: int) -> None:
        super().__init__(daemon=True)
        self.address, self.after = address, after
        self.killed: list[int] = []
        self.waiting = -1

    def run(self) -> None:
        with distributed.Client(self.address, set_as_default=False) as client:
            pids = client.run(os.getpid)
            end = time.monotonic() + SECONDS
            while not self.killed and time.monotonic() < end:
                states = client.run_on_scheduler(_states)
                busy = [worker for worker, tasks in client.processing().items() if tasks]
                if states.get("memory", 0) + states.get("forgotten", 0) >= self.after and busy:
                    self.waiting = states.get("processing", 0) + states.get("queued", 0)
                    os.kill(pids[busy[0]], signal.SIGKILL)
                    self.killed.append(pids[busy[0]])
                time.sleep(BACK)


def _states(dask_scheduler) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in dask_scheduler.tasks.values():
        counts[task.state] = counts.get(task.state, 0) + 1
    return counts


def traces() -> dict[str, np.ndarray]:
    """Real programs and Zipf's references: enough that the sweep is far from done when a worker dies."""
    rng = np.random.default_rng(3)
    made = {f"zipf {seed}": rng.zipf(1.2, 200_000) % 20_000 for seed in range(6)}
    return made | {name: load_trace(name).only(LOAD, STORE) for name in ("sqlite", "gzip")}


def test_a_sweep_on_a_cluster_is_the_serial_one_though_a_worker_is_killed(cluster) -> None:
    given, policies, sizes = traces(), ["lru", "fifo", "clock"], [16, 500, 5000]
    killer = Killer(cluster.scheduler_address, after=2)
    killer.start()
    with dask_executor(cluster.scheduler_address) as executor:
        rows = sweep(given, policies, sizes, executor=executor)
    killer.join(SECONDS)

    assert killer.killed, "the sweep was over before a worker could be killed"
    assert killer.waiting > 0
    with ThreadPoolExecutor(1) as alone:
        assert sweep(given, policies, sizes, executor=alone) == rows
    assert len(given) * len(policies) * len(sizes) == len(rows)


def hand_in(folder: Path, number: int) -> None:
    """So many submissions of one exercise: solved, with a wrong belief, with a cell that fails, and as released."""
    solved = SOLUTION.read_text()
    belief = solved.replace("(place + size - 1) >> 12]", "(place + size) >> 12]")
    failing = solved.replace("walk = (top - size)", "walk = 1 / 0 * (top - size)")
    assert 3 == len({solved, belief, failing})
    kinds = (solved, belief, failing, RELEASED.read_text())
    folder.mkdir()
    for one in range(number):  # each has variants of its own, and no two solutions the same numbers
        text = kinds[one % len(kinds)].replace('i_am(\\"\\")', f'i_am(\\"s{one:03}\\")')
        (folder / f"s{one:03}.ipynb").write_text(text)


def graded(db: Path) -> dict[str, list]:
    """Every learner's rows."""
    results = Results(db)
    rows = {learner: results.rows(learner, lesson) for learner, lesson, *_ in results.submissions()}
    results.close()
    return rows


@boxed
def test_a_class_of_200_gets_the_serial_scores_though_a_worker_is_killed(
    cluster, tmp_path, monkeypatch, capsys
) -> None:
    """Nothing is lost and nothing counted twice, whoever's questions the other threads of a worker are judging."""
    hand_in(tmp_path / "in", CLASS)
    kept: list[str] = []
    keep = Results.keep
    monkeypatch.setattr(Results, "keep", lambda self, one, path: (kept.append(one.learner), keep(self, one, path)))
    address, arguments = cluster.scheduler_address, ["grade", str(tmp_path / "in"), "--seed", "s"]
    cluster.wait_for_workers(2)
    killer = Killer(address, after=CLASS // 4)
    killer.start()
    assert 0 == cli.main([*arguments, "--dask", address, "--db", str(tmp_path / "dask")])
    killer.join(SECONDS)

    assert killer.killed, "all was graded before a worker could be killed"
    assert killer.waiting > 0
    assert f"{CLASS} graded, 0 known from before, 0 could not be graded" in capsys.readouterr().out
    assert [f"s{one:03}" for one in range(CLASS)] == sorted(kept)
    assert 0 == cli.main([*arguments, "--jobs", "1", "--db", str(tmp_path / "serial")])
    rows = graded(tmp_path / "dask")
    assert rows == graded(tmp_path / "serial")
    assert [17, 12, 15, 0] == [points(rows[f"s{one:03}"])[0] for one in range(4)]


@pytest.fixture
def lone(tmp_path):
    """A scheduler and one worker as programs of their own: the address, and the scheduler's process."""
    file, commands = tmp_path / "scheduler.json", ("dask_scheduler", "dask_worker")
    programs = [[sys.executable, "-m", f"distributed.cli.{name}", "--no-dashboard"] for name in commands]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    place = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen([*programs[0], *place], **options)
    worker = None
    try:
        until = time.monotonic() + SECONDS
        while not file.exists() or not file.read_text().strip():
            assert scheduler.poll() is None
            assert time.monotonic() < until
            time.sleep(BACK)
        address = json.loads(file.read_text())["address"]
        worker = subprocess.Popen([*programs[1], address, "--nthreads", "1", "--no-nanny"], **options)
        yield address, scheduler
    finally:
        for process in filter(None, (scheduler, worker)):
            process.kill()
            process.wait()


@boxed
def test_a_lost_scheduler_is_a_sentence_and_grading_goes_on_where_it_was(lone, tmp_path, monkeypatch, capsys) -> None:
    address, scheduler = lone
    hand_in(tmp_path / "in", FEW)
    keep, kept = Results.keep, []

    def keep_and_kill(self, one, path) -> None:
        keep(self, one, path)
        kept.append(one.learner)
        if len(kept) == 5:
            scheduler.kill()

    monkeypatch.setattr(Results, "keep", keep_and_kill)
    arguments = ["grade", str(tmp_path / "in"), "--db", str(tmp_path / "r")]
    assert 2 == cli.main([*arguments, "--dask", address])
    told = capsys.readouterr().err
    assert "the Dask scheduler was lost" in told
    assert "goes on where it was" in told
    assert "Traceback" not in told
    before = len(kept)
    assert 5 <= before < FEW
    assert 0 == cli.main([*arguments, "--jobs", "1"])
    assert f"{FEW - before} graded, {before} known from before" in capsys.readouterr().out
    assert FEW == len(set(kept)) == len(kept)


def refused(address: str, **options) -> str:
    with pytest.raises(vm.VmlabError) as why, dask_executor(address, **options):
        pass
    return str(why.value)


def test_a_lost_scheduler_ends_other_work_with_a_sentence() -> None:
    with distributed.LocalCluster(n_workers=1, **(OPTIONS | {"processes": False})) as made:

        def lose() -> None:
            with dask_executor(made.scheduler_address) as executor:
                future = executor.submit(time.sleep, 2)
                made.close()
                future.result()

        with pytest.raises(vm.VmlabError, match="scheduler was lost"):
            lose()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "http://127.0.0.1:9", ""])
def test_an_address_where_no_scheduler_answers_is_a_sentence(address: str, monkeypatch) -> None:
    monkeypatch.setattr("vmlab.cluster.SECONDS_TO_ANSWER", 0.5)
    assert "such as tcp://host:8786" in refused(address)


def test_a_worker_with_another_vmlab_is_refused_by_name_before_anything_is_graded(cluster, monkeypatch) -> None:
    monkeypatch.setattr("vmlab.cluster._sources", lambda: "000000000000")
    why = refused(cluster.scheduler_address)
    assert "the worker tcp://127.0.0.1:" in why
    assert re.search(r"sources [0-9a-f]{12} \(here .*sources 000000000000\)", why)


def test_a_worker_without_vmlab_and_one_without_a_sandbox_are_refused(cluster) -> None:
    hidden = {"preload": ["import sys; sys.modules['vmlab'] = None"], **OPTIONS}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **hidden) as without:
        assert "with the same vmlab" in refused(without.scheduler_address)
    why = refused(cluster.scheduler_address, ready=no_sandbox)
    assert "cannot do this work" in why
    assert "install one" in why


def no_sandbox() -> None:
    raise vm.VmlabError("no sandbox can be had here: install one")


def test_a_cluster_without_workers_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr("vmlab.cluster.SECONDS_TO_ANSWER", 0.5)
    with distributed.LocalCluster(n_workers=0, **OPTIONS) as empty:
        assert "has no workers" in refused(empty.scheduler_address)
