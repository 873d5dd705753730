"""Submissions that break, cheat or attack, as real notebooks: each with the score that is fair.

The exercise is lesson 05's: walk 2, frames_of 5, read 2, usable 4, claim 2, way 2: 17 points. A kind changes the honest
solution: `swap` replaces an item's cell, `first` and `last` add cells, `file` is the whole file.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOLUTION = Path(__file__).parents[2] / "solutions" / "05-where-is-mem_map.ipynb"
FULL = 17
POINTS = {"walk": 2, "frames_of": 5, "read": 2, "usable": 4, "claim": 2, "way": 2}


@dataclass(frozen=True)
class Kind:
    """One submission: what is done to the honest one, the fair score, and words that the student must be told."""

    name: str
    fair: int
    swap: dict[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    file: bytes | None = None
    says: str = ""


def honest(kind: Kind | None = None) -> dict[str, Any]:
    """The solution without the instructor's hidden tests, and with what a kind changes."""
    book = json.loads(SOLUTION.read_text(encoding="utf-8"))
    kind = kind or Kind("honest", FULL)
    for cell in book["cells"]:
        source = "".join(cell["source"])
        cell["source"] = source.split("### BEGIN HIDDEN TESTS")[0]
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "").removeprefix("05-")
        if name in kind.swap:
            cell["source"] = kind.swap[name]
    template = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
    extra = lambda source: {**copy.deepcopy(template), "source": source, "metadata": {}}  # noqa: E731
    book["cells"] = [*map(extra, kind.first), *book["cells"], *map(extra, kind.last)]
    return book


def content(kind: Kind) -> bytes:
    """The file."""
    return kind.file if kind.file is not None else json.dumps(honest(kind)).encode()


def _changed(change: Any) -> bytes:
    book = honest()
    change(book)
    return json.dumps(book).encode()


def _no_metadata(book: dict[str, Any]) -> None:
    for cell in book["cells"]:
        cell["metadata"] = {}


def _twice(book: dict[str, Any]) -> None:
    book["cells"] += copy.deepcopy(book["cells"])


def _more_points(book: dict[str, Any]) -> None:
    for cell in book["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["points"] = 1000


def _format_3(book: dict[str, Any]) -> None:
    cells = [
        {**cell, "input": cell.pop("source"), "prompt_number": 1} if cell["cell_type"] == "code" else cell
        for cell in book.pop("cells")
    ]
    book.update(nbformat=3, nbformat_minor=0, worksheets=[{"cells": cells}])


def _cells_deleted(book: dict[str, Any]) -> None:
    book["cells"] = [cell for cell in book["cells"] if "check(" not in "".join(cell["source"])]


USABLE_RIGHT = (
    "[pfn for pfn in pfns if not mem_map[0] <= pfn <= mem_map[1] and not any(a <= pfn < b for a, b in reserved)]"
)
USABLE = f"def usable(pfns, mem_map, reserved):\n    return {USABLE_RIGHT}\n"
LOST_FRAMES, LOST_USABLE, LOST_WALK = FULL - 5, FULL - 4, FULL - 2
SWALLOW = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
EQUAL = "class Yes:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"


def in_usable(body: str) -> dict[str, str]:
    """`usable` that does this before it answers rightly."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return {"usable": f"def usable(pfns, mem_map, reserved):\n{lines}\n    return {USABLE_RIGHT}\n"}


KINDS = [
    Kind("honest", FULL),
    # --- kind to the honest ---
    Kind("warnings-and-prints", FULL, in_usable("import warnings, sys\nwarnings.warn('old')\nprint('x', file=sys.stderr)")),
    Kind("metadata-removed", FULL, file=_changed(_no_metadata)),
    Kind("cells-copied", FULL, file=_changed(_twice)),
    Kind("checks-deleted", FULL, file=_changed(_cells_deleted)),
    Kind("unknown-kernel", FULL, file=_changed(lambda book: book["metadata"].update(kernelspec={"name": "julia-9"}))),
    Kind("format-3", FULL, file=_changed(_format_3)),
    Kind("byte-order-mark", FULL, file=b"\xef\xbb\xbf" + json.dumps(honest()).encode()),
    Kind("magics", FULL, first=("%matplotlib inline\n!ls\n%load_ext autoreload",)),
    Kind("a-cell-that-fails", FULL, first=("1 / 0", "import no_such_module_here", "this is not Python")),
    Kind("tuples-and-numpy", FULL, in_usable("import numpy as np\nif False: return np.zeros(1)")),
    # --- loops, memory, processes ---
    Kind("loop-in-answer", LOST_USABLE, in_usable("while True: pass"), says="TimeoutError"),
    Kind("loop-that-swallows-interrupts", LOST_USABLE, in_usable(SWALLOW), says="TimeoutError"),
    Kind("loop-in-a-cell", FULL, first=("while True: pass",)),
    Kind("loop-in-a-cell-that-swallows", FULL, first=(SWALLOW,)),
    Kind("memory-hog", LOST_USABLE, in_usable("x = [0] * (1 << 34)"), says="MemoryError"),
    Kind("recursion", LOST_USABLE, in_usable("def f(): return f()\nf()"), says="RecursionError"),
    Kind("fork-bomb", LOST_USABLE, in_usable("import os\nwhile True: os.fork()"), says="PermissionError"),
    Kind("daemon", FULL, first=("import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass",)),
    Kind("threads", FULL, first=("import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()",)),
    Kind("exit-in-answer", LOST_USABLE, in_usable("import os\nos._exit(0)"), says="process"),
    Kind("exit-in-a-cell", FULL, first=("import os; os._exit(0)",)),
    Kind("sys-exit-in-a-cell", FULL, first=("import sys; sys.exit(0)",)),
    Kind("kill-everybody", FULL, first=("import os, signal\nos.kill(-1, signal.SIGKILL)", "import os; os.kill(os.getppid(), 9)")),
    Kind("segmentation-fault", LOST_USABLE, in_usable("import ctypes; ctypes.string_at(0)"), says="process"),
    Kind("fifty-megabytes", FULL, first=("print('x' * 50_000_000)", "import os; os.write(1, b'x' * 10_000_000)")),
    Kind("a-huge-answer", LOST_USABLE, {"usable": "def usable(p, m, r): return list(range(1_000_000))"}, says="100,000"),
    Kind("a-huge-number", LOST_WALK, {"walk": "walk = 1 << 100_000"}),
    # --- values that lie ---
    Kind("always-equal", FULL - 17, {name: f"{EQUAL}{name} = Yes()" for name in ("walk", "read", "claim", "way")} | {
        name: f"{EQUAL}def {name}(*_): return Yes()" for name in ("frames_of", "usable")}),
    Kind("true-for-one", LOST_WALK, {"walk": "walk = True"}, says="expected a number"),
    Kind("an-int-that-is-not", LOST_WALK, {"walk": "class I(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\nwalk = I(3)"}),
    Kind("a-list-for-a-choice", FULL - 2, {"claim": "claim = ['elsewhere']"}),
    Kind("nan", LOST_WALK, {"walk": "walk = float('nan')"}),
    Kind("deep-answer", LOST_USABLE, {"usable": "def usable(p, m, r):\n    x = []\n    for _ in range(10000): x = [x]\n    return x"}),
    # --- the checker and the judge ---
    Kind("checker-patched", LOST_WALK, {"walk": "walk = 1"}, first=(
        "import vmlab.study, json\nvmlab.study.check = lambda *a: True\njson.loads = lambda *a: {}",
        "import vmlab.study.check as c\nc.judged = c.mark = lambda *a, **k: None",)),
    Kind("asserts-stripped", LOST_WALK, {"walk": "walk = 1"}, first=(
        "from IPython import get_ipython\nget_ipython().ast_transformers.append(None)", "import builtins; builtins.AssertionError = None")),
    Kind("answers-forged-on-the-socket", LOST_USABLE, {"usable": (
        "def usable(p, m, r):\n    import os\n    for fd in range(3, 20):\n        try: os.write(fd, b'{\"value\": []}\\n' * 50)\n"
        "        except OSError: pass\n    return []")}),
    Kind("rubbish-on-the-socket", LOST_USABLE, in_usable(
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'\\xff\\x00 no json\\n')\n    except OSError: pass"), says="no answer"),
    Kind("hidden-tests-read", LOST_WALK, {"walk": "from vmlab.study import bank\nwalk = bank.find('05.walk').answer(**bank.find('05.walk').variant())"}),
    Kind("the-model-asked", LOST_FRAMES, {"frames_of": (
        "def frames_of(banks, b, k, t):\n    import vmlab.kernel, vmlab.machine\n    return vmlab.kernel.boot(None)")}),
    Kind("solutions-read", LOST_WALK, {"walk": (
        "import glob\ntexts = [open(p).read() for p in glob.glob('/**/solutions/*.ipynb', recursive=True)]\nwalk = int(texts[0])")}),
    Kind("gradebook-edited", LOST_WALK, {"walk": (
        "import glob, sqlite3\nfor p in glob.glob('/**/*.sqlite', recursive=True):\n"
        "    sqlite3.connect(p).execute('update results set got = points')\nwalk = 1")}),
    Kind("network", LOST_WALK, {"walk": "import urllib.request\nwalk = int(urllib.request.urlopen('http://127.0.0.1:80').read())"}),
    Kind("a-program-run", LOST_WALK, {"walk": "import subprocess\nwalk = int(subprocess.check_output(['id', '-u']))"}),
    Kind("parent-memory-read", LOST_WALK, {"walk": "walk = int(open('/proc/1/environ').read())"}),
    Kind("files-written", FULL, first=("open('/tmp/mine', 'w').write('x')", "open('/dev/shm/mine', 'w')", "open('mine', 'w')")),
    Kind("no-text-in-an-error", FULL, first=("raise Exception('\\ud800\\x1b[2J')",)),
    Kind("megabytes-of-error", LOST_USABLE, in_usable("raise Exception('x' * 2_000_000)"), says="Exception"),
    Kind("cells-that-sleep", 0, first=("import time\ntry: time.sleep(60)\nexcept BaseException: pass\ntime.sleep(60)",) * 30),
    # --- and honest ones again ---
    Kind("display-and-await", FULL, first=("display(1); get_ipython().run_line_magic('a', 'b')", "import asyncio\nawait asyncio.sleep(0)")),
    Kind("shell-assigned", FULL, first=("files = !ls",)),
    Kind("percent-continued", FULL, in_usable("left = (7\n% 4)")),
    # --- files ---
    Kind("points-raised", FULL, file=_changed(_more_points)),
    Kind("corrupt-json", 0, file=json.dumps(honest()).encode()[:-200], says="JSON"),
    Kind("not-utf-8", 0, file=json.dumps(honest(), ensure_ascii=False).encode("utf-16"), says="UTF-8"),
    Kind("empty", 0, file=b"", says="empty"),
    Kind("not-a-notebook", 0, file=b'{"cells": 5}', says="no cells"),
    Kind("deep-json", 0, file=b"[" * 100_000, says="JSON"),
    Kind("another-exercise", 0, file=json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}]}).encode(), says="exercises"),
    Kind("script-in-the-name", FULL, first=("i_am('<script>alert(1)</script>')",)),
    # --- tried later: the pipe, numbers that lie, the process itself ---
    Kind("all-descriptors-closed", LOST_USABLE, in_usable("import os; os.closerange(0, 64)"), says="process"),
    Kind("json-patched", LOST_WALK, {"walk": "import json\njson.dumps = lambda *a, **k: '{}'\njson.loads = eval\nwalk = 1"}),
    Kind("plain-patched", LOST_WALK, {"walk": "import sys\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'plain'): m.plain = lambda v: v\nwalk = object()"}),
    Kind("class-that-lies", LOST_WALK, {"walk": "class I:\n    __class__ = int\n    def __int__(s): return 1\n    __index__ = __int__\nwalk = I()"}),
    Kind("generator", LOST_USABLE, {"usable": "def usable(p, m, r): yield from p"}, says="generator"),
    Kind("list-that-never-ends", LOST_USABLE, {"usable": "class X(list):\n    def __iter__(s):\n        while True: yield 1\ndef usable(p, m, r): return X(p)"}),
    Kind("million-digits", LOST_WALK, {"walk": "import sys\nsys.set_int_max_str_digits(0)\nwalk = 10 ** 1_000_000"}),
    Kind("infinity", LOST_WALK, {"walk": "walk = float('inf')"}),
    Kind("half-a-letter", FULL - 2, {"claim": "claim = '\\ud800'"}),
    Kind("megabytes-for-a-choice", FULL - 2, {"claim": "claim = 'a' * 3_000_000"}),
    Kind("deep-and-forged", LOST_USABLE, in_usable(
        "import os, sys\nframe = sys._getframe()\nwhile not isinstance(frame.f_locals.get('message'), dict): frame = frame.f_back\n"
        "text = '{\"number\": %d, \"value\": %s}\\n' % (frame.f_locals['message']['number'], '[' * 900 + ']' * 900)\n"
        "for fd in range(3, 20):\n    try: os.write(fd, text.encode())\n    except OSError: pass")),
    Kind("array-of-itself", LOST_USABLE, {"usable": "def usable(p, m, r):\n    import numpy as np\n    a = np.empty(1, object); a[0] = a\n    return a"}),
    Kind("traced", FULL, first=("import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",)),
    Kind("every-signal-ignored", FULL, first=("import atexit, os, signal\natexit.register(os._exit, 3)\nfor n in range(1, 60):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass",)),
    Kind("timers-switched-off", LOST_USABLE, in_usable("import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass"), says="did not answer"),
    Kind("clock-patched", FULL, in_usable("import time\ntime.process_time = time.monotonic = lambda: -1e300")),
    Kind("sleep-in-answer", LOST_USABLE, in_usable("import time; time.sleep(100)"), says="most of which it waited"),
    Kind("last-call-hangs", LOST_USABLE, in_usable("global n\nn = globals().get('n', 0) + 1\nwhile n == 29: pass"), says="TimeoutError"),
    Kind("secrets-looked-for", LOST_WALK, {"walk": "import gc\nwalk = [v for o in gc.get_objects() if isinstance(o, dict) for k in ('expected', 'seed', 'answer') if isinstance(v := o.get(k), int)][0]"}),
    Kind("own-memory-read", LOST_WALK, {"walk": "walk = open('/proc/self/mem', 'rb').read(1)[0]"}),
    Kind("limits-raised", FULL, first=("import resource\nfor w in range(16):\n    try: resource.setrlimit(w, (resource.RLIM_INFINITY,) * 2)\n    except (OSError, ValueError): pass",)),
    Kind("thread-bomb", FULL, first=("import threading\nthreading.stack_size(32768)\nwhile True: threading.Thread(target=threading.Event().wait, daemon=True).start()",)),
    Kind("stack-overflow", LOST_USABLE, in_usable("import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()"), says="process"),
    Kind("brackets", FULL, first=("(" * 5000 + "1" + ")" * 5000, "-" * 100_000 + "1", "#" + "x" * 5_000_000, "x = 1\x00")),
    Kind("shared-memory", LOST_WALK, {"walk": "from multiprocessing import shared_memory\nwalk = shared_memory.SharedMemory(create=True, size=10).size"}),
    Kind("many-maps", LOST_USABLE, in_usable("import mmap\nkept = [mmap.mmap(-1, 1 << 28) for _ in range(100)]"), says="Error"),
    Kind("sparse-file", FULL, first=("import tempfile\ntempfile.TemporaryFile().truncate(1 << 40)",)),
    Kind("name-of-an-error", LOST_USABLE, in_usable("raise type('\\x1b[31m\\u202e<b>' * 1000, (Exception,), {})('x')"), says="<b>"),
    Kind("an-object-for-a-pickle", LOST_USABLE, {"usable": "class P:\n    def __reduce__(s): return (eval, ('1/0',))\ndef usable(p, m, r): return [P()]"}),
    # --- honest, with a notebook's habits ---
    Kind("pictures-in-the-cell", FULL, {"usable": "import matplotlib.pyplot as plt\nimport ipywidgets as widgets\nfrom IPython.display import HTML, clear_output\nfrom matplotlib import cm\nfig, axes = plt.subplots()\naxes[0].plot([1, 2])\nplt.show()\n@widgets.interact(x=3)\ndef draw(x): plt.plot(x)\n" + USABLE}),
    Kind("help-asked", FULL, {"usable": USABLE + "\nusable?\n?usable\nusable??"}),
    Kind("magic-in-a-block", FULL, {"usable": USABLE + "\nif True:\n    !ls\nfor _ in range(2):\n    %pwd"}),
    Kind("timed", FULL, {"usable": "%%time\n" + USABLE}, first=("%time x = 1\n" + USABLE.replace("usable", "mine") + "\n%timeit mine([], [0, 0], [])\n%timeit -n 1 -r 1 mine([], [0, 0], [])\nassert x == 1",)),
    Kind("pasted-with-prompts", FULL, {"usable": ">>> " + "\n... ".join(USABLE.splitlines())}),
    Kind("indented", FULL, {"usable": "\n".join("  " + line for line in USABLE.splitlines())}),
    Kind("other-languages", FULL, first=("%%bash\nfor i in 1 2 3; do echo $i; done", "%%html\n<b>x</b>", "%%writefile a.py\nx = 1", "%run other.py")),
    Kind("input-asked", FULL, {"usable": "name = input('who are you?')\n" + USABLE}),
    Kind("shown-a-lot", FULL, {"usable": "for i in range(100_000): display(i); print(i)\n" + USABLE}),
    Kind("warnings-are-errors", FULL, {"usable": "import warnings\nwarnings.simplefilter('error')\n" + USABLE}),
    Kind("arguments-changed", FULL, {"usable": USABLE.replace("return ", "out = ") + "    pfns.clear(); reserved.clear(); mem_map.clear()\n    return out"}),
    Kind("numpy-array", FULL, {"usable": "import numpy as np\n" + USABLE.replace("return ", "return np.array(").rstrip() + ", dtype=np.int64)"}),
    Kind("windows-line-ends", FULL, {"usable": USABLE.replace("\n", "\r\n")}),
    Kind("awaited-in-the-cell", FULL, {"usable": "import asyncio\n" + USABLE + "\nawait asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.01))"}),
    # --- files, later ---
    Kind("sheets-of-numbers", 0, file=b'{"worksheets": [{"cells": 5}, 6]}', says="exercises"),
    Kind("a-login-page", 0, file=b"<html>log in</html>", says="JSON"),
    Kind("packed", 0, file=b"PK\x03\x04\xff\xfe", says="UTF-8"),
    Kind("half-letters-in-a-cell", 0, file=b'{"cells":[{"cell_type":"code","source":"ask(\'05.walk\') # \\ud800"}]}'),
    Kind("patterns-worn-out", 0, file=json.dumps({"cells": [{"cell_type": "code", "source": "ask('05.walk')\n" + "i_am(" * 200_000 + ("\ni_am(" + " " * 2000) * 100 + "a," * 50_000}]}).encode()),
]  # fmt: skip
