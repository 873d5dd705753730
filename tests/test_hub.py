"""A class on JupyterHub: two users log in to a real hub, run a lesson on servers of their own, and share nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import websocket

from vmlab import jit, seat, warm

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "deploy" / "jupyterhub_config.py"
LESSON = "notebooks/01-same-address-two-processes.ipynb"
PASSWORD = "tried and tested"
SECONDS = 120  # until a test gives up
USERS = {"ada": 27, "bob": 33}
# What a class's configuration is changed in here: accounts that no machine has, and ports that are free.
HERE = """
load_subconfig({config!r})
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = {users!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.JupyterHub.bind_url = "http://127.0.0.1:{front}"
c.JupyterHub.hub_port = {back}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.Spawner.args = [*c.Spawner.args, "--allow-root"]
"""
ANSWER = """
import os, resource
from vmlab import jit
from vmlab.virtual import tlb_kernels
from vmlab.study import progress
progress.remember("01.claim", given={given})
print("said", progress.learner(), progress.path(), resource.getrlimit(resource.RLIMIT_DATA)[0], os.getcwd())
tlb_kernels._warm()
print("compiled", sum(sum(kernel.stats.cache_misses.values()) for kernel in jit.kernels), "of", len(jit.kernels))
"""


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The hub's address and the folder of its learners' homes; afterwards nothing of it runs."""
    warm.warm()  # the hub would, and no time limit is meant for that
    state, (front, back, api) = tmp_path_factory.mktemp("hub"), free_ports(3)
    homes = str(state / "home" / "{username}")
    (state / "home").mkdir()
    places = {"front": front, "back": back, "api": api, "homes": homes}
    (state / "config.py").write_text(
        HERE.format(config=str(CONFIG), password=PASSWORD, users=set(USERS), **places), encoding="utf-8"
    )
    address = f"http://127.0.0.1:{front}"
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(state / "config.py")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=state,
            env=os.environ | {"VMLAB_HUB_STATE": str(state / "state")},
        )  # fmt: skip
    try:
        wait_for(lambda: answers(f"{address}/hub/health"), state, process)
        yield address, state
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        wait_for(lambda: not running(state), state)
    finally:
        process.kill()
        for pid in running(state):
            os.kill(pid, signal.SIGKILL)


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def wait_for(true, state: Path, process: subprocess.Popen | None = None) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        log = (state / "log").read_text()[-3000:]
        assert process is None or process.poll() is None, log
        assert time.monotonic() < end, log
        time.sleep(0.1)


def running(state: Path) -> list[int]:
    """Every process that was started for this hub: hub, proxy, servers, kernels."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            said = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
        except OSError:
            continue
        if str(state).encode() in said and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


class User:
    """Somebody's browser: logged in, and their server runs."""

    def __init__(self, hub: str, name: str) -> None:
        self.name, self.session, self.base = name, requests.Session(), f"{hub}/user/{name}"
        came = log_in(self.session, hub, name, PASSWORD)
        assert came.status_code == 200, came.text[:2000]
        self.session.get(f"{hub}/hub/spawn/{name}")
        end = time.monotonic() + SECONDS
        while not (page := self.session.get(f"{self.base}/", timeout=SECONDS)).url.startswith(f"{self.base}/lab"):
            assert page.status_code < 500, page.text[:2000]
            assert time.monotonic() < end, f"the server of {name} did not start"
            time.sleep(0.1)
        self.first_page = page.url.partition("?")[0]  # the hub counts its redirects there

    def cells(self, path: str) -> list[str]:
        """The code of a notebook, as their server hands it out."""
        came = self.session.get(f"{self.base}/api/contents/{path}", timeout=SECONDS)
        return ["".join(cell["source"]) for cell in came.json()["content"]["cells"] if cell["cell_type"] == "code"]

    def run(self, path: str, cells: list[str]) -> str:
        """What cells print that run in a kernel of their server, as the notebook's own would."""
        token = next(each.value for each in self.session.cookies if each.name == "_xsrf" and "user" in each.path)
        wanted = {"kernel": {"name": "python3"}, "name": "", "path": path, "type": "notebook"}
        made = self.session.post(f"{self.base}/api/sessions", headers={"X-XSRFToken": token}, json=wanted)
        assert made.status_code == 201, made.text
        cookie = "; ".join(f"{each.name}={each.value}" for each in self.session.cookies)
        place = f"{self.base}/api/kernels/{made.json()['kernel']['id']}/channels".replace("http", "ws", 1)
        channel = websocket.create_connection(place, cookie=cookie, timeout=SECONDS)
        try:
            return "".join(execute(channel, cell) for cell in cells)
        finally:
            channel.close()


def log_in(session: requests.Session, hub: str, name: str, password: str) -> requests.Response:
    token = re.search(r'name="_xsrf" value="([^"]+)"', session.get(f"{hub}/hub/login").text)
    assert token
    data = {"username": name, "password": password, "_xsrf": token[1]}
    return session.post(f"{hub}/hub/login", params={"next": "/hub/home"}, data=data)


def execute(channel: websocket.WebSocket, code: str) -> str:
    """Run one cell over the websocket; what it prints. An error of its is ours."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "msg_type": "execute_request", "version": "5.3", "username": "", "session": number}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    parts = {"parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channel.send(json.dumps({"header": header, **parts}))
    told = ""
    while True:
        message = json.loads(channel.recv())
        if message["parent_header"].get("msg_id") != number:
            continue
        kind, content = message["msg_type"], message["content"]
        assert kind != "error", "\n".join(content["traceback"])
        told += content["text"] if kind == "stream" and content["name"] == "stdout" else ""
        if kind == "status" and content["execution_state"] == "idle":
            return told


def take_a_lesson(hub: str, name: str, given: int) -> tuple[User, list[str]]:
    user = User(hub, name)
    cells = user.cells(LESSON)
    assert len(cells) > 10
    return user, user.run(LESSON, [*cells, ANSWER.format(given=given)]).splitlines()


def test_two_users_run_a_lesson_at_once_and_share_nothing(hub) -> None:
    address, state = hub
    with ThreadPoolExecutor(len(USERS)) as people:
        taken = list(people.map(take_a_lesson, [address] * len(USERS), USERS, USERS.values()))

    for user, told in taken:
        home = state / "home" / user.name
        kept = home / ".local" / "state" / "vmlab" / "data" / "vmlab-progress.json"
        assert f"said {user.name} {kept} {2 << 30} {home / 'vmlab' / 'notebooks'}" in told
        assert json.loads(kept.read_text())["01.claim"]["given"] == USERS[user.name]
        assert user.first_page == f"{user.base}/lab/tree/notebooks/00-start-here.ipynb"
        compiled = next(line.split() for line in told if line.startswith("compiled"))
        assert int(compiled[3]) > 0
        assert "0" == compiled[1], "a lesson would wait for a compiler"
        assert (home / "vmlab").stat().st_mode & 0o077 == 0
        assert (home / "vmlab" / LESSON).read_bytes() == (ROOT / LESSON).read_bytes()
    ada, bob = (user for user, _ in taken)
    assert 403 == ada.session.get(f"{bob.base}/api/contents/{LESSON}").status_code


def test_whoever_is_not_of_the_class_or_has_no_password_stays_outside(hub) -> None:
    address, _ = hub
    for name, password in (("ada", "guessed"), ("eve", PASSWORD)):
        assert 403 == log_in(requests.Session(), address, name, password).status_code
    assert 403 == requests.get(f"{address}/hub/api/users").status_code


def edition(source: Path, text: str) -> None:
    for folder in seat.FOLDERS:
        (source / folder).mkdir(parents=True, exist_ok=True)
        (source / folder / "01.ipynb").write_text(text)


def test_a_new_edition_reaches_who_changed_nothing_and_never_overwrites_work(tmp_path: Path) -> None:
    source, mine = tmp_path / "source", tmp_path / "home" / "vmlab"
    edition(source, "first")
    assert [] == seat.hand_out(source, mine)
    (mine / "notebooks" / "01.ipynb").write_text("my work")
    assert [] == seat.hand_out(source, mine)

    edition(source, "second")
    assert ["notebooks/01.ipynb"] == seat.hand_out(source, mine)
    assert "my work" == (mine / "notebooks" / "01.ipynb").read_text()
    assert "second" == (mine / "exercises" / "01.ipynb").read_text()

    (mine / "notebooks" / "01.ipynb").rename(mine / "notebooks" / "mine.ipynb")
    assert [] == seat.hand_out(source, mine)
    assert "second" == (mine / "notebooks" / "01.ipynb").read_text()
    assert "my work" == (mine / "notebooks" / "mine.ipynb").read_text()


def test_a_damaged_list_of_what_was_given_overwrites_no_work(tmp_path: Path) -> None:
    source, mine = tmp_path / "source", tmp_path / "vmlab"
    edition(source, "first")
    seat.hand_out(source, mine)
    (mine / "notebooks" / "01.ipynb").write_text("my work")
    (mine / seat.GIVEN).write_text("{")
    edition(source, "second")
    assert ["exercises/01.ipynb", "notebooks/01.ipynb"] == seat.hand_out(source, mine)
    assert "my work" == (mine / "notebooks" / "01.ipynb").read_text()


def test_a_learner_who_takes_too_much_memory_gets_an_error_of_their_own() -> None:
    code = "from vmlab import seat; seat.limit_memory(str(1 << 30)); bytearray(2 << 30)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MemoryError" in done.stderr


def test_kernels_that_stand_compiled_where_nobody_may_write_are_not_compiled_again(tmp_path, monkeypatch) -> None:
    """As for every learner of a hub: the installation is root's, the copy is in the learner's cache."""
    warm.warm()
    shared, own = tmp_path / "shared", tmp_path / "own"
    shutil.copytree(jit.cache_folder(), shared / jit.cache_folder().name)
    may = os.access
    monkeypatch.setattr(jit.os, "access", lambda path, how: shared not in Path(path).parents and may(path, how))
    monkeypatch.setattr(jit, "_cache_bases", lambda: [shared, own])
    jit.cache_folder.cache_clear()
    try:
        assert jit.cache_folder().parent == own
        assert warm.is_compiled()
        left = [path.name for path in own.iterdir()]
        assert [jit.cache_folder().name] == left
    finally:
        monkeypatch.undo()
        jit.cache_folder.cache_clear()
