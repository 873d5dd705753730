"""Past one machine: a sweep and a class's grading on a real Dask cluster, one of whose workers is killed midway."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import vmlab as vm
from vmlab import cli
from vmlab.cluster import dask_executor
from vmlab.grade.judge import points
from vmlab.grade.results import Results
from vmlab.process.sweep import sweep
from vmlab.trace import LOAD, STORE, load_trace

distributed = pytest.importorskip("distributed", reason="a cluster needs distributed: pip install 'vmlab[dask]'")
ROOT = Path(__file__).parent.parent
SOLUTION = ROOT / "solutions" / "05-where-is-mem_map.ipynb"
SECONDS = 120  # until a test gives up on a cluster that hangs
BACK = 0.02  # between two looks


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes behind a scheduler with an address, as on two machines."""
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(n_workers=2, **options) as made:
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


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="grading in a sandbox needs bubblewrap")
def test_a_class_graded_on_a_cluster_keeps_every_result_though_a_worker_is_killed(cluster, tmp_path, capsys) -> None:
    for number in range(10):
        shutil.copy(SOLUTION, tmp_path / f"s{number:02}.ipynb")
    db, address = tmp_path / "r.sqlite", cluster.scheduler_address
    cluster.wait_for_workers(2)
    killer = Killer(address, after=1)
    killer.start()
    assert 0 == cli.main(["grade", str(tmp_path), "--dask", address, "--db", str(db), "--seed", "s"])
    killer.join(SECONDS)

    assert killer.killed, "all was graded before a worker could be killed"
    told = capsys.readouterr().out
    assert all(told.count(f"s{number:02}: 17 of 17") == 1 for number in range(10)), told
    results = Results(db)
    assert all((17, 17) == points(results.rows(f"s{number:02}", "05")) for number in range(10))
    results.close()


def test_an_address_where_no_scheduler_answers_is_a_sentence(monkeypatch) -> None:
    monkeypatch.setattr("vmlab.cluster.SECONDS_TO_ANSWER", 0.5)
    with (
        pytest.raises(vm.VmlabError, match="no Dask scheduler answers there"),
        dask_executor("tcp://127.0.0.1:9"),
    ):
        pass
