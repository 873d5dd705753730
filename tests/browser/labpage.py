"""One JupyterLab page as a test sees it: open a notebook, run it, look at it, press keys."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat
from playwright.sync_api import ElementHandle, Locator, Page, TimeoutError, expect

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
ARTIFACTS = ROOT / "artifacts"
# However long a busy machine takes: waiting ends when what is waited for is there, so a long limit costs nothing.
PATIENCE = 30_000  # ms
POLL = 50  # ms between two looks; to look at every frame keeps a core busy
expect.set_options(timeout=PATIENCE)


class Latency(NamedTuple):
    """Milliseconds from key to changed pixels, one per key."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def p90(self) -> float:
        return statistics.quantiles(self.samples, n=10, method="inclusive")[-1]

    def __str__(self) -> str:
        return f"median {self.median:.0f} ms, p90 {self.p90:.0f} ms over {len(self.samples)} keys"


@dataclass
class LabPage:
    """A page on the session's one server; `folder` is the server's root, a copy of nothing yet."""

    page: Page
    url: str
    token: str
    folder: Path
    console_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda m: self.console_errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))

    # --- opening and running ---

    def open_lab(self) -> None:
        """Open the lab with no document."""
        self.page.goto(f"{self.url}/lab?reset&token={self.token}")
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)", timeout=4 * PATIENCE)

    def open_notebook(self, name: str) -> None:
        """Open a clean copy of one notebook of `notebooks/` and wait until its kernel rests."""
        shutil.copyfile(NOTEBOOKS / name, self.folder / name)
        self.open_file(name)

    def open_cells(self, *sources: str, name: str = "test.ipynb", metadata: dict | None = None) -> None:
        """Open a new notebook with these code cells (and no kernel named in it, unless metadata does)."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata or {}), self.folder / name)
        self.open_file(name)

    def open_file(self, name: str) -> None:
        """Open a notebook that lies in the server's folder, in the lab that is open or in a new one."""
        if not self.page.url.startswith(self.url):
            self.open_lab()
        self.page.evaluate("path => vmlabTest.open(path)", name)
        self.page.wait_for_function("() => vmlabTest.kernel()?.status === 'idle'", timeout=4 * PATIENCE, polling=POLL)

    def close_notebook(self) -> None:
        """Close the notebook in front as it is; its kernel ends by itself."""
        self.page.evaluate("() => { vmlabTest.close() }")

    def run_all(self) -> None:
        """Run every cell; fail with the errors if a cell has one."""
        assert self.page.evaluate("limit => vmlabTest.runAll(limit)", 10 * PATIENCE), "the cells came to no end"
        errors = self.errors()
        assert errors == [], errors

    def add_cell(self, source: str) -> None:
        """Put a cell below the others, not run yet."""
        self.page.evaluate("source => vmlabTest.addCell(source)", source)

    def run_again(self, source: str) -> None:
        """Run the one cell whose source has this text; what was done in its output is gone."""
        self.page.evaluate("source => vmlabTest.run(source)", source)

    def has_notebook(self) -> bool:
        """Whether a notebook is in front."""
        return self.page.evaluate("() => Boolean(window.jupyterapp.shell.currentWidget?.sessionContext)")

    def forget_troubles(self) -> None:
        """Count them from here on."""
        self.console_errors.clear()
        self.page.evaluate("() => { vmlabTest.troubles = [] }")

    def troubles(self) -> list[str]:
        """Return what went wrong since the notebook was opened: in the page's console, in a cell, in a callback."""
        return [*self.console_errors, *self.page.evaluate("() => vmlabTest.troubles ?? []")]

    def errors(self) -> list[str]:
        """Return the error outputs of the notebook in front."""
        return self.page.evaluate("() => vmlabTest.errors()")

    # --- looking ---

    def cell(self, text: str) -> Locator:
        """Return the first cell that shows this text (in its source or its output)."""
        return self.page.locator(".jp-Cell", has_text=text).first

    def popups(self) -> list[str]:
        """Return the texts of all dialogs and notices that are open."""
        return self.page.locator(".jp-Dialog, .Toastify__toast").all_inner_texts()

    def picture_hash(self, cell: Locator, picture: str) -> str | None:
        """Return a hash of the pixels (or the SVG) of a cell's last picture that matches a CSS selector."""
        return self.page.evaluate("([root, css]) => vmlabTest.hash(root, css)", [handle(cell), picture])

    def wait_for_change(self, cell: Locator, picture: str, before: str | None) -> None:
        """Wait until a picture is there and differs from `before`."""
        arguments = [handle(cell), picture, before]
        changed = "(all) => vmlabTest.changed(...all)"
        self.page.wait_for_function(changed, arg=arguments, polling=POLL)

    def wait_until_none(self, expression: str, argument: object) -> None:
        """Wait until a function in the page returns an empty list; fail with what is still in it."""
        try:
            self.page.wait_for_function(f"all => ({expression})(all).length === 0", arg=argument, polling=POLL)
        except TimeoutError:
            left = self.page.evaluate(expression, argument)
            raise AssertionError(f"still there: {left}") from None

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the page in artifacts/ and return its path."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    # --- pressing keys ---

    def press(self, control: Locator, key: str = "ArrowRight", times: int = 1) -> None:
        """Focus a control (a slider's `.noUi-handle`, say) and press a key."""
        control.scroll_into_view_if_needed()
        control.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def key_to_pixel(
        self, cell: Locator, control: Locator, picture: str, key: str = "ArrowRight", times: int = 20
    ) -> Latency:
        """Press a key so many times; return how long the picture took to change after each.

        Measured in the page, from the key event to the animation frame whose pixels differ. A picture that
        does not change fails the test, so choose a control that can move so many steps.
        """
        root, samples = handle(cell), []
        control.scroll_into_view_if_needed()
        control.focus()
        for _ in range(times):
            watch = "(all) => { window.vmlabTest.pending = vmlabTest.keyToPixel(...all) }"
            self.page.evaluate(watch, [root, picture, PATIENCE])
            self.page.keyboard.press(key)
            samples.append(self.page.evaluate("() => window.vmlabTest.pending"))
            self.page.wait_for_timeout(60)  # let the page settle: each key is measured on its own
        return Latency(tuple(samples))


def handle(locator: Locator) -> ElementHandle:
    """Return the element itself, to be handed to a function in the page."""
    element = locator.element_handle()
    assert element is not None
    return element
