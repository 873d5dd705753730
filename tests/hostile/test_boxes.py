"""What bubblewrap holds the other boxes hold, too: the same hostile work gets the same scores in each of them.

The kinds here are those that a box could fail at; what is judged outside, such as a lying value, is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kinds import FULL, KINDS, Kind, content

from vmlab.grade import boxes
from vmlab.grade.judge import grade, points
from vmlab.grade.sandbox import Limits, Missing, Sandbox
from vmlab.grade.submission import read

BY_NAME = {kind.name: kind for kind in KINDS}
HELD = [
    "honest", "memory-hog", "fork-bomb", "daemon", "kill-everybody", "exit-in-answer", "segmentation-fault",
    "threads", "hidden-tests-read", "the-model-asked", "network", "a-program-run",
    "parent-memory-read", "files-written",
]  # fmt: skip
LIMITS = Limits(1.0, 0.5, 3.0)
# One cell for each thing that no box lets through: it must raise OSError, or its answer is a lie that costs points.
TOUCHES = {
    "the grader's files": f"open({str(Path(__file__).parents[2] / 'pyproject.toml')!r}).read()",
    "somebody's passwords": "open('/etc/passwd').read()",
    "the process table": "open('/proc/self/status').read()",
    "a file that is shown, to write": "open(os.__file__, 'r+b')",
    "a file's mode": "os.chmod(os.__file__, 0o777)",
    "a file's time": "os.utime(os.__file__)",
    "a file's owner": "os.chown(os.__file__, 1, 1)",
    "a file's name": "os.rename(os.__file__, os.__file__ + 'x')",
    "a file's extra attributes": "os.setxattr(os.__file__, 'user.a', b'a')",
    "a new folder": "os.mkdir('/tmp/mine')",
    "a socket": "__import__('socket').socket()",
    "an abstract socket": "__import__('socket').socket(1)",
    "a program": "os.execv('/bin/true', ['true'])",
    "a new process": "os.fork()",
    "another's signals": "os.kill(OTHER, 9)",
    "everybody's signals": "os.kill(-1, 9)",
    "another's limits": "resource.prlimit(OTHER, resource.RLIMIT_NOFILE, (0, 0))",
    "its own limits, up": "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))",
    "a pipe's owner": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, OTHER)",
    "the terminal": "fcntl.ioctl(0, 0x5412, b'x')",
    "memory without a file": "os.memfd_create('x')",
    "the keyring": "libc(250, 0, -3, 0, 0)",
    "System V's shared memory": "libc(29, 1234, 4096, 0o1600)",
    "io_uring": "libc(425, 8, 0)",
    "userfaultfd": "libc(323, 0)",
    "another's memory": "libc(310, OTHER, 0, 0, 0, 0, 0)",
    "tracing": "libc(101, 16, OTHER, 0, 0)",
    "eBPF": "libc(321, 0, 0, 0)",
    "counters": "libc(298, 0, 0, 0, 0, 0)",
    "a namespace": "libc(272, 0x10000000)",
    "a mount": "libc(165, 0, 0, 0, 0, 0)",
    "its priority": "os.nice(-5)",
}
SETUP = """
import ctypes, fcntl, os, resource
OTHER = os.getppid() or 2
def libc(*words):
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(*words) == -1:
        raise OSError(ctypes.get_errno(), 'refused')
"""


@pytest.fixture(scope="module", params=[box.name for box in boxes.BOXES])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    try:
        made = Sandbox(request.param)
    except Missing as why:  # pragma: no cover  (a machine without it)
        pytest.skip(str(why))
    with made:
        yield made


def put(tmp_path: Path, kind: Kind) -> Path:
    path = tmp_path / f"{kind.name}.ipynb"
    path.write_bytes(content(kind))
    return path


@pytest.mark.parametrize("name", HELD)
def test_hostile_work_gets_the_same_score_in_every_box(name: str, box: Sandbox, tmp_path: Path) -> None:
    kind = BY_NAME[name]
    graded = grade(read(put(tmp_path, kind)), box, "s", LIMITS)
    assert kind.fair == points(graded.results)[0], graded
    assert any(kind.says in row.text for row in graded.results)


def test_what_a_box_shuts_out_stays_out(box: Sandbox, tmp_path: Path) -> None:
    tries = [f"{SETUP}\n{touch}\nraise SystemError('touched')" for touch in TOUCHES.values()]
    graded = grade(read(put(tmp_path, Kind("touches", FULL, first=tuple(tries)))), box, "s", LIMITS)
    said = dict(zip(TOUCHES, graded.stopped, strict=False))
    let_through = {what: why for what, why in said.items() if "Error" not in why or "SystemError" in why}
    assert not let_through
    assert len(graded.stopped) >= len(TOUCHES)
    assert (FULL, FULL) == points(graded.results)


@pytest.mark.parametrize("name", [made.name for made in boxes.BOXES])
def test_a_package_among_the_libraries_is_hidden_and_its_neighbours_are_not(name: str, tmp_path, monkeypatch) -> None:
    """An installed vmlab lies beside numpy; tqdm plays its part here."""
    import tqdm

    folder = Path(tqdm.__file__).parent
    monkeypatch.setattr(boxes, "hidden", lambda: [str(folder.resolve())])
    read_it = f"open({str(folder / '__init__.py')!r}).read()\nraise SystemError('read')"
    listed = "import numpy\nassert numpy.zeros(3).sum() == 0\nimport decimal, numpy.fft"
    with Sandbox(name) as made:
        path = put(tmp_path, Kind("neighbour", FULL, first=(read_it, "from tqdm import tqdm", listed)))
        graded = grade(read(path), made, "s", LIMITS)
    first, second, *others = graded.stopped
    assert "PermissionError" in first or "FileNotFoundError" in first
    assert "Error" in second
    assert not others or "code cell 3" not in others[0]
    assert (FULL, FULL) == points(graded.results)
