"""A filter of system calls: what computing needs is allowed, all else is refused.

No new process and no thread, no program, no signal to another, no socket but a pair of one's own, no change of a
file's name, owner or mode, nothing shared with another process, no tracing, no namespace. Classic BPF over struct
seccomp_data (include/uapi/linux/seccomp.h); what is not in the list fails with EPERM. RLIMIT_NPROC does not bind root
(kernel/fork.c, copy_process), so threads are refused instead of counted. On a processor that is not in the table
nothing is filtered.
"""

import ctypes
import errno
import os
import platform
import struct

NUMBERS = {  # machine -> (AUDIT_ARCH, allowed calls and their numbers, the often used ones first)
    "x86_64": (
        0xC000003E,
        "read 0 write 1 sendto 44 recvfrom 45 mmap 9 munmap 11 mprotect 10 brk 12 mremap 25 madvise 28 futex 202 "
        "setitimer 38 rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 openat 257 open 2 close 3 stat 4 fstat 5 "
        "lstat 6 newfstatat 262 statx 332 lseek 8 pread64 17 pwrite64 18 readv 19 writev 20 access 21 faccessat 269 "
        "faccessat2 439 readlink 89 readlinkat 267 getdents64 217 getcwd 79 chdir 80 fchdir 81 fsync 74 fdatasync 75 "
        "ftruncate 77 msync 26 flock 73 fadvise64 221 statfs 137 fstatfs 138 umask 95 dup 32 dup2 33 dup3 292 pipe 22 "
        "pipe2 293 select 23 pselect6 270 poll 7 ppoll 271 epoll_create 213 epoll_create1 291 epoll_ctl 233 "
        "epoll_wait 232 epoll_pwait 281 eventfd2 290 timerfd_create 283 timerfd_settime 286 timerfd_gettime 287 "
        "rt_sigpending 127 rt_sigtimedwait 128 rt_sigsuspend 130 sigaltstack 131 sched_yield 24 sched_getaffinity 204 "
        "getcpu 309 nanosleep 35 clock_nanosleep 230 clock_gettime 228 clock_getres 229 gettimeofday 96 time 201 "
        "times 100 getitimer 36 alarm 37 pause 34 getpid 39 getppid 110 gettid 186 getuid 102 geteuid 107 getgid 104 "
        "getegid 108 getresuid 118 getresgid 120 getgroups 115 getpgrp 111 getpgid 121 getsid 124 socketpair 53 "
        "sendmsg 46 recvmsg 47 shutdown 48 getsockopt 55 setsockopt 54 getsockname 51 getpeername 52 exit 60 "
        "exit_group 231 set_tid_address 218 set_robust_list 273 rseq 334 restart_syscall 219 membarrier 324 uname 63 "
        "sysinfo 99 getrusage 98 getrlimit 97 getrandom 318 arch_prctl 158",
        {"fcntl": 72, "ioctl": 16, "prlimit64": 302, "kill": 62, "tgkill": 234},
    ),
    "aarch64": (
        0xC00000B7,
        "read 63 write 64 sendto 206 recvfrom 207 mmap 222 munmap 215 mprotect 226 brk 214 mremap 216 madvise 233 "
        "futex 98 setitimer 103 rt_sigaction 134 rt_sigprocmask 135 rt_sigreturn 139 openat 56 close 57 fstat 80 "
        "newfstatat 79 statx 291 lseek 62 pread64 67 pwrite64 68 readv 65 writev 66 faccessat 48 faccessat2 439 "
        "readlinkat 78 getdents64 61 getcwd 17 chdir 49 fchdir 50 fsync 82 fdatasync 83 ftruncate 46 msync 227 "
        "flock 32 fadvise64 223 statfs 43 fstatfs 44 umask 166 dup 23 dup3 24 pipe2 59 pselect6 72 ppoll 73 "
        "epoll_create1 20 epoll_ctl 21 epoll_pwait 22 eventfd2 19 timerfd_create 85 timerfd_settime 86 "
        "timerfd_gettime 87 rt_sigpending 136 rt_sigtimedwait 137 rt_sigsuspend 133 sigaltstack 132 sched_yield 124 "
        "sched_getaffinity 123 getcpu 168 nanosleep 101 clock_nanosleep 115 clock_gettime 113 clock_getres 114 "
        "gettimeofday 169 times 153 getitimer 102 getpid 172 getppid 173 gettid 178 getuid 174 geteuid 175 getgid 176 "
        "getegid 177 getresuid 148 getresgid 150 getgroups 158 getpgid 155 getsid 156 socketpair 199 sendmsg 211 "
        "recvmsg 212 shutdown 210 getsockopt 209 setsockopt 208 getsockname 204 getpeername 205 exit 93 exit_group 94 "
        "set_tid_address 96 set_robust_list 99 rseq 293 restart_syscall 128 membarrier 283 uname 160 sysinfo 179 "
        "getrusage 165 getrlimit 163 getrandom 278",
        {"fcntl": 25, "ioctl": 29, "prlimit64": 261, "kill": 129, "tgkill": 131},
    ),
}
# call -> (which argument, its allowed values); None stands for the process's own number
ONLY = {
    "fcntl": (1, (0, 1, 2, 3, 4, 5, 1030)),  # F_DUPFD to F_GETLK, F_DUPFD_CLOEXEC: no owner, no lease, no signal
    "ioctl": (
        1,
        (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),
    ),  # TCGETS, window size, FIONREAD, FIONBIO, FIO(N)CLEX
    "prlimit64": (0, (0,)),
    "kill": (0, (None,)),
    "tgkill": (0, (None,)),
}
LOAD, EQUAL, BITS, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBER, ARCH, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument has 8 bytes, its low half first
X32 = 0x4000_0000  # the bit of x86-64's third ABI
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def program(machine: str, own: int) -> bytes:
    """The filter for one processor and the process numbered `own`; empty where the calls' numbers are not known."""
    if machine not in NUMBERS:
        return b""
    arch, allowed, checked = NUMBERS[machine]
    rows = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, arch), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, NUMBER)]
    rows += [(BITS, 0, 1, X32), (RETURN, 0, 0, REFUSE)]
    for number in map(int, allowed.split()[1::2]):
        rows += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for name, (argument, values) in ONLY.items():
        rows += [(EQUAL, 0, 2 * len(values) + 2, checked[name]), (LOAD, 0, 0, ARGUMENTS + 8 * argument)]
        for value in values:
            rows += [(EQUAL, 0, 1, own if value is None else value), (RETURN, 0, 0, ALLOW)]
        rows.append((RETURN, 0, 0, REFUSE))
    rows.append((RETURN, 0, 0, REFUSE))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def only_computing() -> None:
    """Filter this process's calls from now on; OSError if the kernel refuses."""
    code = program(platform.machine(), os.getpid())
    if not code:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
