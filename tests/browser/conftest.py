"""Fixtures of the browser tests: one JupyterLab and one Chromium a session, a fresh page per test.

The server is started as `vmlab lab` starts it, on an empty folder of its own with settings of its own, so
that nothing in the tree or in the user's home is read or changed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from labpage import LabPage
from playwright.sync_api import Browser, sync_playwright

from vmlab import lab as vmlab_lab
from vmlab.doctor import BROWSERS

HERE = Path(__file__).resolve().parent
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

    def api(self, path: str, method: str = "GET") -> bytes:
        """Call the server's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is in this folder as browser tests, in time for `-m` to see it."""
    item.add_marker("browser")
    item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run them last: Playwright keeps an event loop."""
    items.sort(key=lambda item: HERE in item.path.parents)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one JupyterLab for all tests."""
    root = tmp_path_factory.mktemp("lab")
    folder, log, port, token = (
        root / "notebooks",
        root / "log",
        vmlab_lab.free_port(18888),
        secrets.token_hex(8),
    )
    folder.mkdir()
    flags = ["--LabApp.expose_app_in_browser=True"]
    with log.open("w") as output:
        process = vmlab_lab.start_server(folder, port, token, output, root / "state", flags)
    try:
        vmlab_lab.wait_until_up(process, port, token, log)
        yield Server(f"http://127.0.0.1:{port}", token, folder)
    finally:
        vmlab_lab.stop(process)


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


@pytest.fixture
def lab(server: Server, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[LabPage]:
    """Return a fresh page; afterwards keep its picture in artifacts/ and stop the kernels it started."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.add_init_script(path=HERE / "page.js")
    page = LabPage(context.new_page(), server.url, server.token, server.folder)
    yield page
    page.screenshot(re.sub(r"[^\w.-]+", "-", request.node.name))
    context.close()
    for session in json.loads(server.api("sessions")):
        server.api(f"sessions/{session['id']}", "DELETE")


@pytest.fixture
def lesson(lab: LabPage, server: Server, request: pytest.FixtureRequest) -> LabPage:
    """The module's NOTEBOOK, run from top to bottom, with nothing answered yet."""
    from lessonpage import open_lesson

    return open_lesson(lab, server, request.module.NOTEBOOK)
