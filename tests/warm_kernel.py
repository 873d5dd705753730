"""Jupyter kernels that import nothing: each is a fork of one process that has imported it all.

    python warm_kernel.py SOCKET                   imports, then forks a kernel for each connection
    python warm_kernel.py SOCKET CONNECTION_FILE   what a kernelspec calls; ends with its kernel, and its kernel with it

A kernel is ipykernel's, in a process of its own, with the directory and the environment of whoever started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path


def serve(path: str) -> None:
    """Fork for each connection, until killed."""
    from ipykernel import kernelapp

    import vmlab.physical.buddy_kernels  # noqa: F401  with numba
    from vmlab import views  # noqa: F401
    from vmlab.study import bank
    from vmlab.study.exercise import EXERCISES

    for lesson in EXERCISES:
        bank.of_lesson(lesson)
    signal.signal(signal.SIGCHLD, reap)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        while True:
            asking, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                become(kernelapp, asking)
            asking.close()


def reap(number: int, frame: object) -> None:
    """Take note of kernels that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def become(kernelapp: object, asking: socket.socket) -> None:
    """Be the kernel that is asked for; end when whoever asked is gone."""
    wish = json.loads(asking.makefile().readline())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["environment"])
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    threading.Thread(target=lambda: asking.recv(1) or os._exit(0), daemon=True).start()
    kernelapp.launch_new_instance(argv=["-f", wish["file"]])  # type: ignore[attr-defined]
    os._exit(0)


def ask(path: str, file: str) -> None:
    """Have a kernel forked, and wait until it ends."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        wish = {"file": file, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        asking.sendall(json.dumps(wish).encode() + b"\n")
        with contextlib.suppress(KeyboardInterrupt):  # Jupyter interrupts before it stops
            asking.recv(1)


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) == 2 else ask(*sys.argv[1:3])
