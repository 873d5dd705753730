"""A filter of system calls: no new process, no program, no tracing, no socket, no namespace. Threads are allowed.

Classic BPF over struct seccomp_data (include/uapi/linux/seccomp.h): refused calls fail with EPERM, clone3 with
ENOSYS so that the C library falls back to clone, whose flags can be looked at. On a processor that is not in the
table nothing is filtered; namespaces and limits hold there too.
"""

import ctypes
import errno
import platform
import struct

NUMBERS = {  # machine -> (AUDIT_ARCH, refused calls and their numbers)
    "x86_64": (
        0xC000003E,
        "fork 57 vfork 58 execve 59 execveat 322 ptrace 101 process_vm_readv 310 process_vm_writev 311 socket 41 "
        "connect 42 bind 49 unshare 272 setns 308 mount 165 umount2 166 pivot_root 155 keyctl 250 bpf 321 "
        "perf_event_open 298 io_uring_setup 425 userfaultfd 323 pidfd_getfd 438 clone 56 clone3 435",
    ),
    "aarch64": (
        0xC00000B7,
        "execve 221 execveat 281 ptrace 117 process_vm_readv 270 process_vm_writev 271 socket 198 connect 203 bind 200 "
        "unshare 97 setns 268 mount 40 umount2 39 pivot_root 41 keyctl 219 bpf 280 perf_event_open 241 "
        "io_uring_setup 425 userfaultfd 282 pidfd_getfd 438 clone 220 clone3 435",
    ),
}
LOAD, EQUAL, BITS, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NUMBER, ARCH, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
X32 = 0x4000_0000  # the bit of x86-64's third ABI
THREAD = 0x0001_0000  # CLONE_THREAD
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def program(machine: str) -> bytes:
    """The filter for one processor; empty where its numbers are not known."""
    if machine not in NUMBERS:
        return b""
    arch, calls = NUMBERS[machine]
    words = calls.split()
    refused = REFUSE | errno.EPERM
    rows = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, arch), (RETURN, 0, 0, refused), (LOAD, 0, 0, NUMBER)]
    rows += [(BITS, 0, 1, X32), (RETURN, 0, 0, refused)]
    for name, number in zip(words[::2], map(int, words[1::2]), strict=True):
        if name == "clone":
            rows += [(EQUAL, 0, 4, number), (LOAD, 0, 0, FIRST_ARGUMENT), (BITS, 1, 0, THREAD)]
            rows += [(RETURN, 0, 0, refused), (RETURN, 0, 0, ALLOW)]
        else:
            code = errno.ENOSYS if name == "clone3" else errno.EPERM
            rows += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | code)]
    rows.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def forbid_processes() -> None:
    """Filter this process's calls from now on; OSError if the kernel refuses."""
    code = program(platform.machine())
    if not code:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
