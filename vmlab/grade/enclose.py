"""Boxes without bubblewrap: what the process that becomes the warm one does to itself first.

`namespaces` does what bubblewrap does: a root that holds the interpreter and its libraries, read-only, no network and
no other process. `landlock` needs no privilege and no namespace: files that are not listed cannot be opened. It is told
in numbers of include/uapi/linux/{sched,mount,landlock,capability}.h; Linux 5.12 and 5.13 or later.
Standard library only; started by its path: KIND FOLDER HIDDEN PATHS... -- COMMAND.
"""

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW = (
    0x1000_0000 | 0x0002_0000 | 0x2000_0000 | 0x4000_0000 | 0x0800_0000 | 0x0400_0000
)  # user, mount, PID, net, IPC, UTS
MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV, MNT_DETACH = 4096, 16384, 1 << 18, 2, 4, 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # landlock's, the same on every processor
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI -> how many bits of rights to files; later ones have no more
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SIGKILL = 1, 38, 9
CAPABILITY_VERSION_3, NOBODY = 0x2008_0522, 65534
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def called(result: int, what: str) -> int:
    """The result of a C function; OSError if it was -1."""
    if result == -1:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    words = [word.encode() for word in (source, target, kind)]
    called(LIBC.mount(*words, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def namespaces(folder: str, hidden: Sequence[str], shown: Sequence[str]) -> None:
    """A root of our own with `shown` and, as /inside, `folder`; returns in process 1 of the new namespaces."""
    user, group = os.getuid(), os.getgid()
    called(LIBC.unshare(NEW), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {user} 1"), ("gid_map", f"1000 {group} 1")):
        Path("/proc/self", name).write_text(text)
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    called(LIBC.sethostname(b"sandbox", 7), "sethostname")
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    root = Path(folder, "root")
    root.mkdir()
    mount("tmpfs", str(root), "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for path, at in [*((path, path) for path in shown), (folder, "/inside"), *zip(DEVICES, DEVICES, strict=True)]:
        place(Path(path), root / at[1:])
    for covered in (root / path[1:] for path in hidden if not below_a_link(path, shown)):
        mount("tmpfs", str(covered), "tmpfs", MS_NOSUID | MS_NODEV, "size=4k")
    os.chdir(root)
    called(LIBC.pivot_root(b".", b"."), "pivot_root")
    called(LIBC.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")
    attributes = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    called(LIBC.syscall(MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, 32), "mount_setattr")


def below_a_link(path: str, shown: Sequence[str]) -> bool:
    """Whether a name begins with a link among `shown`: what it leads to has another name, too."""
    return any(path.startswith(f"{name}/") and Path(name).is_symlink() for name in shown)


def place(path: Path, at: Path) -> None:
    """A file, a folder or a link under a name in the new root; nothing if it is not there."""
    at.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        at.symlink_to(path.readlink())
    elif path.exists():
        at.mkdir(exist_ok=True) if path.is_dir() else at.touch()
        mount(str(path), str(at), "", MS_BIND | MS_REC)


def landlock(folder: str, hidden: Sequence[str], shown: Sequence[str]) -> None:
    """No file but what is in `shown` and `folder`, without `hidden`, can be opened from now on; no privilege stays."""
    os.chdir("/")
    abi = called(LIBC.syscall(CREATE_RULESET, None, 0, 1), "landlock")
    rights = (1 << RIGHTS.get(abi, 16)) - 1
    words = (rights, *((3,) if abi >= 4 else ()), *((3,) if abi >= 6 else ()))  # files; binding, connecting; scopes
    table = struct.pack(f"{len(words)}Q", *words)
    rules = called(LIBC.syscall(CREATE_RULESET, table, len(table), 0), "landlock")
    for path, may in [*allowed([*shown, folder], hidden), *((path, READ_FILE | WRITE_FILE) for path in DEVICES)]:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            called(LIBC.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", may, handle), 0), f"landlock: {path}")
        finally:
            os.close(handle)
    give_up_root(folder)
    called(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    called(LIBC.syscall(RESTRICT_SELF, rules, 0), "landlock")
    os.close(rules)


def allowed(shown: Sequence[str], hidden: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(path, rights), so that all of `shown` can be read but for what is in the folders `hidden`."""
    for path in dict.fromkeys(Path(path).resolve() for path in shown):
        if not any(Path(one).is_relative_to(path) for one in hidden):
            if path.exists():
                yield str(path), EXECUTE | READ_FILE | (READ_DIR if path.is_dir() else 0)
        elif (
            str(path) not in hidden
        ):  # rights add up on the way down: names may be listed, files of the neighbours be read
            yield str(path), READ_DIR
            inner = [str(entry) for entry in path.iterdir() if not entry.is_symlink()]
            yield from allowed([one for one in inner if one not in hidden], hidden)


def give_up_root(folder: str) -> None:
    """Become nobody, if nobody can read the interpreter's files; else keep the number and no privilege."""
    with contextlib.suppress(PermissionError):  # a root that may not change its number, as in some containers
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        readable = all(os.access(path, os.R_OK, effective_ids=True) for path in (os.__file__, sys.executable, folder))
        os.setresuid(0, 0, 0)
        if readable:
            os.setresuid(NOBODY, NOBODY, NOBODY)
    header, none = struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    called(LIBC.capset(header, none), "capset")


def main(kind: str, folder: str, hidden: str, *rest: str) -> None:
    """Enclose this process, then become the command."""
    end = rest.index("--")
    shown, command = rest[:end], rest[end + 1 :]
    try:
        {"namespaces": namespaces, "landlock": landlock}[kind](
            folder, [path for path in hidden.split(os.pathsep) if path], shown
        )
    except OSError as bad:
        sys.exit(f"{kind}: {bad}")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
