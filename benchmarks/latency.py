"""From a control's message to the picture's, through a real Jupyter kernel, for every explorer.

A kernel is started as JupyterLab starts one. A message changes a control as the front end would; the time ends when
the message with the new picture is here. What a browser then needs to paint: tests/browser/test_latency.py.
Two rows for each explorer: beside a slider whose picture is matplotlib's (a new figure, a tight PNG), in the same
kernel; and the slow end of many changes (95 of 100 are faster) beside the limit of 50 ms, which an idle machine keeps.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

from vmlab import explore
from vmlab.bench import TOLD, WALL, Case, Missing
from vmlab.units import VmlabError

GOAL, LIMIT = 1 / 10, 0.050
SAMPLES, ROUNDS = 40, 9
AGAINST = "matplotlib's savefig"
PATIENCE = 10.0  # seconds until a control is said to change nothing
ARGUMENTS = {"boot_explorer": '"arm-virt-armmp-1g"'}
NOT_HERE = {"live_explorer": "its button boots a kernel under QEMU: minutes, not a redraw"}
FIND = """
from vmlab import explore
from vmlab.study import arrived
import ipywidgets
arrived._trip = arrived.RoundTrip()
told = (arrived._trip.asked.model_id, arrived._trip.came_back.model_id)
def controls_of(widget):
    found = []
    for child in getattr(widget, "children", ()):
        if isinstance(child, (ipywidgets.IntSlider, ipywidgets.BoundedIntText)):
            found.append((child.model_id, "value", [child.value, min(child.value + 1, child.max), child.min]))
        elif isinstance(child, ipywidgets.Dropdown):
            found.append((child.model_id, "index", list(range(len(child.options)))[:4]))
        elif isinstance(child, ipywidgets.Text):
            found.append((child.model_id, "value", ["0xc0001000", "0xc0002008", child.value]))
        elif isinstance(child, ipywidgets.Button):
            found.append((child.model_id, "click", [child.description]))
        found += controls_of(child)
    return found
def with_way_back(found):
    back = [each[0] for each in found if each[2][0] in ("Step back", "Undo", "Start again")][:1]
    return [(*each[:2], [*back, each[0]] if each[1] == "click" else each[2]) for each in found if each[0] not in back]
"""
MAKE = """
e = explore.{name}({arguments})
told = (e.widget.children and e._picture.model_id, with_way_back(controls_of(e.widget)))
"""
MATPLOTLIB = """
import io
from matplotlib.figure import Figure
slider, shown = ipywidgets.IntSlider(1, 1, 40), ipywidgets.Image(format="png")
def draw(change):
    figure = Figure(figsize=(8, 5), dpi=100)
    axes = figure.subplots()
    axes.bar(range(20), [(n * slider.value) % 17 for n in range(20)])
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    shown.value = file.getvalue()
slider.observe(draw, "value")
told = (shown.model_id, [(slider.model_id, "value", [1, 2, 3])])
"""


def cases(shrink: int = 1) -> Iterator[Case | Missing]:
    """Every explorer of vmlab.explore, by name; `shrink` takes fewer of them and fewer samples."""
    names = sorted(name for name in explore.__all__ if name.endswith("_explorer"))
    samples = max(3, SAMPLES // shrink)
    with Kernel() as kernel:
        kernel.link = kernel.run(FIND)
        other = Control(kernel, MATPLOTLIB)
        for name in names if shrink == 1 else names[:3]:
            if name in NOT_HERE:
                yield Missing(name, NOT_HERE[name])
                continue
            ours = Control(kernel, MAKE.format(name=name, arguments=ARGUMENTS.get(name, "")))
            yield Case(name, 1, ours.change, other.change, GOAL, AGAINST, WALL)
            slow = SlowEnd(ours, samples)
            yield Case(
                f"{name}, slow end (95 of 100 faster)", 1, slow, lambda: LIMIT, 1.0, "the limit", TOLD, most_rounds=1
            )


class Kernel:
    """A running ipykernel and the messages to and from it.

    `link` are two numbers of which a front end copies the first into the second (study/arrived.py): so do we.
    """

    link = ("", "")

    def __enter__(self) -> Kernel:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str) -> Any:
        """Run code and return what it left in `told`, which must be plain data."""
        reply = self.client.execute_interactive(
            f"told = None\n{code}", user_expressions={"told": "told"}, timeout=120, output_hook=lambda message: None
        )["content"]
        if reply["status"] != "ok":
            raise VmlabError(f"the kernel said {reply['ename']}: {reply['evalue']}")
        return eval(reply["user_expressions"]["told"]["data"]["text/plain"], {"__builtins__": {}})  # our own repr

    def send(self, comm: str, data: dict[str, Any]) -> str:
        """A front end's message to a widget; returns its id."""
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def rest(self, sent: str, picture: str) -> float | None:
        """Wait until the kernel has done what was sent; when the picture's message came, or None."""
        came, until, waiting = None, time.perf_counter() + PATIENCE, {sent}
        while waiting and time.perf_counter() < until:
            try:
                message = self.client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                break
            content = message["content"]
            if content.get("data", {}).get("method") == "update":
                if content["comm_id"] == picture:
                    came = came or time.perf_counter()
                elif content["comm_id"] == self.link[0]:
                    waiting.add(self.send(self.link[1], content["data"]))
            if content.get("execution_state") == "idle":
                waiting.discard(message["parent_header"].get("msg_id"))
        return came


class Control:
    """The first control of an explorer that changes its picture, and the values that it is given in turn."""

    def __init__(self, kernel: Kernel, code: str) -> None:
        self.kernel, self.turn = kernel, 0
        self.picture, found = kernel.run(code)
        for self.comm, self.what, self.values in found:
            if all(self._once() is not None for _ in range(2)):
                return
        raise VmlabError("no control of it changed the picture")

    def _once(self) -> float | None:
        """Seconds from one message to the picture's; None: it did not change."""
        self.turn += 1
        value = self.values[self.turn % len(self.values)]
        comm, data = self.comm, {"method": "update", "state": {self.what: value}, "buffer_paths": []}
        if self.what == "click":  # a button, and in turn the one that takes it back
            comm, data = value, {"method": "custom", "content": {"event": "click"}}
        start = time.perf_counter()
        came = self.kernel.rest(self.kernel.send(comm, data), self.picture)
        return None if came is None else came - start

    def seconds(self) -> float:
        """The same, of the next change that changes the picture."""
        for _ in range(10):
            if (took := self._once()) is not None:
                return took
        raise VmlabError("the control no longer changes the picture")

    def change(self) -> None:
        """One change of the picture."""
        self.seconds()


class SlowEnd:
    """How long the slowest of so many changes take, without the slowest twentieth."""

    def __init__(self, control: Control, samples: int) -> None:
        self.control, self.samples = control, samples

    def __call__(self) -> float:
        """Seconds."""
        took = sorted(self.control.seconds() for _ in range(self.samples))
        return took[round(0.95 * (len(took) - 1))]
