"""Fixtures of the browser tests: one JupyterLab and one Chromium a session (of each worker), one notebook a module.

The server is started as `vmlab lab` starts it, on an empty folder of its own with settings of its own, so
that nothing in the tree or in the user's home is read or changed.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from labpage import LabPage
from lessonpage import assert_nothing_is_given_away
from playwright.sync_api import Browser, sync_playwright

from vmlab import lab as vmlab_lab
from vmlab.doctor import BROWSERS

HERE = Path(__file__).resolve().parent
LONGEST = {"test_lesson_03", "test_lesson_06", "test_lesson_12"}  # what their cells compute takes seconds
# Chromium's own traffic is noise at best, and where there is no network it costs time at every start.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


class Server(NamedTuple):
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path
    log: Path

    @property
    def progress(self) -> Path:
        """Where the learner's answers are kept."""
        return self.folder.parent / "state" / "data" / "vmlab-progress.json"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is in this folder as browser tests, in time for `-m` to see it."""
    item.add_marker("browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run them last, as Playwright keeps an event loop, and the longest first: two workers then end together."""
    items.sort(key=lambda item: (HERE in item.path.parents, item.path.stem not in LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a picture of the page as it is when a test fails."""
    report = yield
    if report.failed and "lab_page" in getattr(item, "funcargs", {}):
        item.funcargs["lab_page"].screenshot(re.sub(r"[^\w.-]+", "-", f"failed-{report.when}-{item.name}"))
    return report


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one JupyterLab for all tests."""
    root = tmp_path_factory.mktemp("lab")
    folder, log, port, token = root / "notebooks", root / "log", any_port(), secrets.token_hex(8)
    folder.mkdir()
    flags = ["--LabApp.expose_app_in_browser=True"]
    with log.open("w") as output:
        process = vmlab_lab.start_server(folder, port, token, output, root / "state", flags)
    try:
        vmlab_lab.wait_until_up(process, port, token, log)
        yield Server(f"http://127.0.0.1:{port}", token, folder, log)
    finally:
        vmlab_lab.stop(process)


def any_port() -> int:
    """A port that nobody else is about to take, as other workers do the same."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Run one headless Chromium for all tests."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        problem = "no Chromium on PATH: `sudo apt-get install chromium` (Debian, Ubuntu), or any Google Chrome"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(problem)
        pytest.skip(problem)
    flags = [*FLAGS, *["--no-sandbox"] * (os.geteuid() == 0)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=flags)
        yield browser
        browser.close()


def new_page(server: Server, chromium: Browser) -> LabPage:
    """A page of its own, with nothing remembered."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.add_init_script(path=HERE / "page.js")
    return LabPage(context.new_page(), server.url, server.token, server.folder)


@pytest.fixture(scope="session")
def lab_page(server: Server, chromium: Browser) -> LabPage:
    """The lab, loaded once; notebooks are opened in it one after the other."""
    page = new_page(server, chromium)
    page.open_lab()
    return page


@pytest.fixture
def lab(lab_page: LabPage) -> Iterator[LabPage]:
    """The lab without a notebook; the one that the test opens is closed again."""
    lab_page.console_errors.clear()
    yield lab_page
    if lab_page.has_notebook():
        lab_page.close_notebook()


@pytest.fixture(scope="module")
def opened(lab_page: LabPage, server: Server, request: pytest.FixtureRequest) -> Iterator[LabPage]:
    """The module's NOTEBOOK, run from top to bottom with nothing answered; its kernel ends with the module."""
    server.progress.unlink(missing_ok=True)
    lab_page.console_errors.clear()
    lab_page.open_notebook(request.module.NOTEBOOK)
    lab_page.run_all()
    assert_nothing_is_given_away(lab_page)
    yield lab_page
    lab_page.close_notebook()


@pytest.fixture
def lesson(opened: LabPage, server: Server) -> Iterator[LabPage]:
    """The module's notebook as `opened`, or as the test before left it; nothing may go wrong anywhere meanwhile."""
    said = server.log.stat().st_size
    yield opened
    troubles = [*opened.troubles(), *opened.popups()]
    opened.forget_troubles()
    assert troubles == []
    assert "Traceback" not in server.log.read_text(errors="replace")[said:]
