"""What runs in the sandbox: a warm process that forks one child for each submission.

Standard library only, for it is started by its path. The warm process imports numpy once. For each submission it is
sent two sockets: it forks a keeper, which moves to a new user, process and IPC namespace and forks the child there.
The child sees no other process, so it can signal and trace nobody; when the keeper's own socket is closed from
outside, or the child ends, the keeper ends everything in that namespace. File systems are read-only, so that one
submission leaves nothing for the next.
"""

import contextlib
import ctypes
import gc
import json
import os
import platform
import random
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

from seccomp import only_computing, program

NEW_USER, NEW_PID, NEW_IPC = 0x1000_0000, 0x2000_0000, 0x0800_0000  # include/uapi/linux/sched.h
PR_SET_DUMPABLE = 4
MOST_IN = 64 << 20  # bytes of one line from outside, which is trusted
LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_FSIZE: 1 << 20,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_NPROC: 64,
    resource.RLIMIT_CORE: 0,
}


def main(control: socket.socket) -> None:
    """Serve until whoever started us goes away: each message is a byte with two sockets."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody reads our memory
    own = NEW_USER | NEW_PID | NEW_IPC if has_namespaces(libc) else 0
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401  (warm: a child has it for nothing)
    import cells  # noqa: F401
    import run_cell  # noqa: F401

    gc.freeze()  # a child's collector leaves alone what it shares with us
    control.send(b"r" if program(platform.machine(), 1) else b"u")
    while True:
        message, sockets, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if len(sockets) == 2 and os.fork() == 0:
            control.close()
            keep(libc, own, *sockets)
        for number in sockets:
            os.close(number)


def has_namespaces(libc: ctypes.CDLL) -> bool:
    """Whether a child of ours may move to namespaces of its own: some systems allow that only to bubblewrap."""
    child = os.fork()
    if child == 0:
        os._exit(int(libc.unshare(NEW_USER | NEW_PID | NEW_IPC) != 0))
    return os.waitpid(child, 0)[1] == 0


def keep(libc: ctypes.CDLL, own: int, talk: int, life: int) -> None:
    """Run the child in namespaces of its own until it ends, or the socket `life` is closed outside."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if own and libc.unshare(own) != 0:
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
    only_computing()
    work = loads(receive(MOST_IN))
    resource.setrlimit(resource.RLIMIT_CPU, (work["life"], work["life"]))
    from cells import modules
    from plain import plain
    from run_cell import cell

    modules(work["given"])
    random.seed(0)  # the same submission draws the same each time
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    names: dict[str, Any] = {"__name__": "__main__"}
    slack = work["slack"]

    def answer(message: dict[str, Any]) -> None:
        try:
            text = dumps(message)
        except (TypeError, ValueError, RecursionError):
            why = "the value cannot be sent: it is not made of plain numbers, words and lists"
            text = dumps({"number": message.get("number"), "error": why})
        send(text.encode() + b"\n")

    def asked(message: dict[str, Any]) -> object:
        """The value of a name; of a function only that it is one; or what a call of it gives."""
        if "call" in message:
            return plain(names[message["call"]](*message["args"]))
        value = names.get(message["name"])
        return {"callable": True} if callable(value) else {"plain": plain(value)}

    for number, source in enumerate(work["cells"]):
        error, spent = "", 0.0
        if number not in work["skip"]:
            _, error, spent = guarded(work["seconds"], slack, cell, source, number, names)
        answer({"cell": number, "error": error, "spent": spent})
    while line := receive(MOST_IN):
        message = loads(line)
        value, error, spent = guarded(work["call_seconds"], slack, asked, message)
        answer({"number": message["number"], "spent": spent, **({"error": error} if error else {"value": value})})
    os._exit(0)


def guarded(seconds: float, slack: float, work: Callable[..., object], *args: object) -> tuple[object, str, float]:
    """(result, "" or what went wrong, processor time); it may take `seconds` of that, `slack` times as many in all."""

    def late(number: int, _: object) -> None:
        if number == signal.SIGPROF:
            raise TimeoutError(f"it took more than {seconds:g} s of processor time")
        raise TimeoutError(f"it took more than {seconds * slack:g} s, most of which it waited")

    began = process_time()
    for which, timer, most in ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, slack)):
        signal.signal(which, late)
        signal.setitimer(timer, seconds * most)
    result, error = None, ""
    try:
        result = work(*args)
    except BaseException as bad:  # SystemExit and KeyboardInterrupt are the learner's doing too
        error = "an error that cannot be told in words"
        with contextlib.suppress(BaseException):
            error = f"{type(bad).__name__}: {str(bad)[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return result, error, process_time() - began


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
