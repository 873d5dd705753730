"""What runs in the sandbox: a warm process that forks one child for each submission.

Standard library only, for it is started by its path. The warm process imports numpy once. For each submission it is
sent two sockets: it forks a keeper, which moves to a new user, process and IPC namespace and forks the child there.
The child sees no other process, so it can signal and trace nobody; when the keeper's own socket is closed from
outside, or the child ends, the keeper ends everything in that namespace. File systems are read-only, so that one
submission leaves nothing for the next.
"""

import ast
import builtins
import contextlib
import ctypes
import inspect
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import types
from collections.abc import Callable
from typing import Any

NEW_USER, NEW_PID, NEW_IPC = 0x1000_0000, 0x2000_0000, 0x0800_0000  # include/uapi/linux/sched.h
PR_SET_DUMPABLE = 4
MOST_IN = 64 << 20  # bytes of one line from outside, which is trusted
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
MAGIC = re.compile(r"^[ \t]*[%!][^\n]*$", re.MULTILINE)
ASSIGNED = re.compile(r"^([ \t]*[\w, ]+=[ \t]*)[%!][^\n]*$", re.MULTILINE)
LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_CPU: 40,
    resource.RLIMIT_FSIZE: 1 << 20,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_NPROC: 64,
    resource.RLIMIT_CORE: 0,
}


def main(control: socket.socket) -> None:
    """Serve until whoever started us goes away: each message is a byte with two sockets."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody reads our memory
    if not os.environ.get("VMLAB_NO_NAMESPACE") and not has_namespaces(libc):
        control.send(b"n")
        return
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401  (warm: a child has it for nothing)
    control.send(b"r")
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if len(sockets) == 2 and os.fork() == 0:
            control.close()
            keep(libc, *sockets)
        for number in sockets:
            os.close(number)


def has_namespaces(libc: ctypes.CDLL) -> bool:
    """Whether a child of ours may move to namespaces of its own: some systems allow that only to bubblewrap."""
    child = os.fork()
    if child == 0:
        os._exit(int(libc.unshare(NEW_USER | NEW_PID | NEW_IPC) != 0))
    return os.waitpid(child, 0)[1] == 0


def keep(libc: ctypes.CDLL, talk: int, life: int) -> None:
    """Run the child in a namespace of its own until it ends, or the socket `life` is closed outside."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if libc.unshare(NEW_USER | NEW_PID | NEW_IPC) != 0 and not os.environ.get("VMLAB_NO_NAMESPACE"):
        os._exit(71)  # whoever waits outside hears that the socket was closed
    child = os.fork()
    if child == 0:
        os.close(life)
        run(socket.socket(fileno=talk))
    os.close(talk)
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(life, select.POLLIN | select.POLLHUP)
    poll.poll()
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # process 1 of its namespace: the kernel ends the rest with it
    os._exit(0)


def run(talk: socket.socket) -> None:
    """The child: limits, then the submission's cells, then calls, until the other end hangs up."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    for which, most in LIMITS.items():
        resource.setrlimit(which, (most, most))
    reader = talk.makefile("r", encoding="utf-8")
    send, receive = talk.sendall, reader.readline
    dumps, loads = json.dumps, json.loads
    try:
        from seccomp import forbid_processes

        forbid_processes()
    except OSError:
        send(b'{"fatal": "the filter of system calls was refused"}\n')
        os._exit(72)
    work = loads(receive(MOST_IN))
    module(work)
    names: dict[str, Any] = {"__name__": "__main__"}
    from plain import plain

    def answer(message: object) -> None:
        try:
            text = dumps(message)
        except (TypeError, ValueError, RecursionError):
            text = dumps({"error": "the value cannot be sent: it is not made of plain numbers, words and lists"})
        send(text.encode() + b"\n")

    def asked(message: dict[str, Any]) -> object:
        """The value of a name; of a function only that it is one; or what a call of it gives."""
        if "call" in message:
            return plain(names[message["call"]](*message["args"]))
        value = names.get(message["name"])
        return {"callable": True} if callable(value) else {"plain": plain(value)}

    for number, source in enumerate(work["cells"]):
        error = ""
        if number not in work["skip"]:
            error = guarded(work["seconds"], cell, source, number, names)[1]
        answer({"cell": number, "error": error})
    while line := receive(MOST_IN):
        message = loads(line)
        value, error = guarded(work["call_seconds"], asked, message)
        answer({"number": message["number"], **({"error": error} if error else {"value": value})})
    os._exit(0)


def cell(source: str, number: int, names: dict[str, Any]) -> None:
    """Run one code cell; lines of IPython's own are left out if it is no Python as it stands."""
    where = f"<cell {number + 1}>"
    try:
        code = compile(source, where, "exec", AWAIT)
    except SyntaxError:
        plainer = ASSIGNED.sub(r"\1None", MAGIC.sub("", source))
        code = compile(plainer, where, "exec", AWAIT)
    running = eval(code, names)  # what awaits at the top is a coroutine
    if inspect.iscoroutine(running):
        import asyncio

        asyncio.run(running)


def guarded(seconds: float, work: Callable[..., object], *args: object) -> tuple[object, str]:
    """(result, "") or (None, what went wrong in words)."""

    def late(*_: object) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work(*args), ""
    except BaseException as bad:  # SystemExit and KeyboardInterrupt are the learner's doing too
        with contextlib.suppress(BaseException):
            return None, f"{type(bad).__name__}: {str(bad)[:300]}"
        return None, "an error that cannot be told in words"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Anything(types.ModuleType):
    """Stands for what is not here, pictures above all: takes every name and every call, and gives itself."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: object, **words: object) -> object:
        """Give itself."""
        return self


def module(work: dict[str, Any]) -> None:
    """The names that an exercise imports: `ask` tells what this learner is told, `check` stays silent."""
    import units

    package, study = Anything("vmlab"), Anything("vmlab.study")
    package.__path__ = []
    for name in ("KiB", "MiB", "GiB", "TiB", "VmlabError"):
        setattr(package, name, getattr(units, name))
    study.ask = lambda entry, *_, **__: types.SimpleNamespace(**work["given"].get(entry, {}))  # type: ignore[attr-defined]
    study.check = study.i_am = lambda *_, **__: None  # type: ignore[attr-defined]
    nothing = Anything("vmlab.views")
    package.units, package.study = units, study  # type: ignore[attr-defined]
    sys.modules.update({"vmlab": package, "vmlab.study": study, "vmlab.views": nothing, "vmlab.units": units})
    sys.modules.setdefault("IPython", Anything("IPython"))
    builtins.display = builtins.get_ipython = nothing  # type: ignore[attr-defined]
    sys.modules.setdefault("IPython.display", Anything("IPython.display"))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
