"""`vmlab lab`: JupyterLab on the lessons, with settings of its own and nothing of the user's changed.

The server's settings, the lab's overrides and the page's configuration lie in `vmlab/jupyter/`. Whatever
Jupyter writes (settings, trusted notebooks, connection files) goes to one folder of ours, so a lab that
the user has configured elsewhere neither disturbs this one nor is disturbed by it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from . import warm
from .study.lessons import START
from .units import VmlabError

PACKAGE = Path(__file__).resolve().parent
SETTINGS = PACKAGE / "jupyter"
SECONDS_TO_START = 120
FIRST = START.file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vmlab lab`."""
    parser.add_argument("folder", nargs="?", type=Path, help="what to open (default: notebooks/)")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    parser.add_argument("--port", type=int, help="the port to listen on (default: the first free one from 8888 on)")


def run(args: argparse.Namespace) -> int:
    """Start the server, warm what is cold meanwhile, say where it is, and stay until it ends."""
    folder = lessons_folder(args.folder)
    port = free_port() if args.port is None else checked_port(args.port)
    return serve(folder, port, state_folder(), show=not args.no_browser and has_screen())


def lessons_folder(folder: Path | None) -> Path:
    """Return the folder to open: the one asked for, or `notebooks/` beside the package or right here."""
    if folder is not None:
        if not folder.is_dir():
            raise VmlabError(f"folder: {folder} is not a folder; leave it out to open notebooks/")
        return folder.resolve()
    for candidate in (PACKAGE.parent / "notebooks", Path.cwd() / "notebooks"):
        if candidate.is_dir():
            return candidate
    raise VmlabError(
        "there is no notebooks/ here: run in a copy of the repository, or name a folder, as in `vmlab lab .`"
    )


def serve(folder: Path, port: int, state: Path, show: bool) -> int:
    """Run the server as a child; Ctrl-C or a kill of this process ends it too."""
    token = secrets.token_hex(24)
    log = state / f"lab-{port}.log"
    for name in ("SIGTERM", "SIGHUP"):  # a kill, or the terminal was closed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    print("Starting JupyterLab ...", flush=True)
    page = first_page(folder, state)
    with log.open("w", encoding="utf-8") as output:
        process = start_server(folder, port, token, output, state, [f"--LabApp.default_url={page}"])
    os.environ["MPLCONFIGDIR"] = isolated(state)["MPLCONFIGDIR"]  # whose font list is prepared too
    preparation = warm.Preparation()
    preparing = threading.Thread(target=preparation.run)
    preparing.start()
    try:
        wait_until_up(process, port, token, log)
        tell(f"The lab is open at\n\n    {address(port, token, page)}\n\nCtrl-C here stops it.")
        if preparing.is_alive():
            tell("Kernels are still being compiled; until that is done, a cell that needs one waits for it.")
        if show:  # by a page of the server's that leads on: other users could see a token among a browser's arguments
            webbrowser.open((state / "runtime" / f"jpserver-{process.pid}-open.html").as_uri())
        return process.wait()
    except KeyboardInterrupt:
        tell("\nStopping the lab ...")
        return 0
    finally:
        preparation.stop()
        stop(process)
        preparing.join()


def tell(text: str) -> None:
    """Print at once, above a progress bar if there is one."""
    from tqdm import tqdm

    tqdm.write(text)
    sys.stdout.flush()


def start_server(
    folder: Path, port: int, token: str, log: TextIO, state: Path, flags: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start JupyterLab with our settings; other users cannot see a token in the environment."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--config={SETTINGS / 'server_config.json'}",
        f"--LabApp.app_settings_dir={SETTINGS}",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.open_browser=False",
        *flags,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    environment = dict(os.environ, JUPYTER_TOKEN=token, **isolated(state))
    own_group = 0 if os.name == "posix" else None  # Ctrl-C reaches us only, and we end the server in order
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        process_group=own_group,
    )


def wait_until_up(process: subprocess.Popen[bytes], port: int, token: str, log: Path) -> None:
    """Return when the server answers; raise with the end of its log when it ended or took too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api", headers={"Authorization": f"token {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot know this machine's ports
    while process.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(request, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    came = "did not answer in time" if process.poll() is None else f"ended with code {process.returncode}"
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    raise VmlabError(f"JupyterLab {came}. The end of {log}:\n{tail}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and with it its kernels: ask first, then insist."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- where things are ---


def address(port: int, token: str, page: str = "/lab") -> str:
    """Return what a browser has to open."""
    return f"http://127.0.0.1:{port}{page}?token={token}"


def first_page(folder: Path, state: Path) -> str:
    """Return the page to begin with: the first notebook until an answer is kept, afterwards the lab as it was left."""
    kept = Path(os.environ.get("VMLAB_PROGRESS") or state / "data" / "vmlab-progress.json")
    return f"/lab/tree/{FIRST}" if (folder / FIRST).is_file() and not kept.exists() else "/lab"


def checked_port(port: int) -> int:
    """Return the port if it can be listened on."""
    if not 0 < port < 65536:
        raise VmlabError(f"--port: expected 1 to 65535, got {port}")
    if not is_free(port):
        raise VmlabError(f"--port: {port} cannot be had (in use, or reserved): give another, or leave it out")
    return port


def free_port(first: int = 8888, count: int = 100) -> int:
    """Return the first port that nobody listens on."""
    for port in range(first, first + count):
        if is_free(port):
            return port
    raise VmlabError(f"--port: none of {first} to {first + count - 1} is free: name one that is")


def is_free(port: int) -> bool:
    """Tell whether this machine would let us listen on a port."""
    with socket.socket() as probe:
        if os.name == "posix":  # as the server does: a port just given up counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def has_screen() -> bool:
    """Tell whether a browser could show: else Python may start a text browser in the terminal."""
    return not sys.platform.startswith("linux") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def state_folder() -> Path:
    """Return (and make) the folder for what Jupyter writes: in one's own checkout, else in one's home.

    Root in somebody else's checkout must not leave files there that its owner cannot write.
    """
    checkout = PACKAGE.parent
    project = checkout / "pyproject.toml"
    own = not hasattr(os, "geteuid") or (project.exists() and project.stat().st_uid == os.geteuid())
    if project.exists() and own and os.access(checkout, os.W_OK):
        folder = checkout / ".lab"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "vmlab"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def isolated(state: Path) -> dict[str, str]:
    """Return the environment variables that keep Jupyter, IPython and matplotlib inside `state`."""
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    places |= {"IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib"}
    nowhere = {"JUPYTER_PATH": "", "JUPYTER_CONFIG_PATH": "", "PYTHONNOUSERSITE": "1"}
    return {name: str(state / place) for name, place in places.items()} | nowhere
