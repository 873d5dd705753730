"""The machines that can be recorded, as rows: a board that QEMU emulates, and a Debian kernel for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..units import GiB, MiB, VmlabError, memparse

STAGES = ("boot", "xlate", "kmap", "swap")


@dataclass(frozen=True, slots=True)
class Target:
    """What one of Debian's ports needs: QEMU's program and package, the console, and how its disk is attached."""

    arch: str
    debian: str  # the port's name in Debian
    qemu: str
    package: str
    console: str
    disk: str
    modules: tuple[str, ...]
    compilers: tuple[tuple[str, ...], ...]  # the first that is there builds the agent
    compiler_package: str


PC_MODULES, ARM_MODULES = ("virtio_pci", "virtio_blk", "zram"), ("virtio_mmio", "virtio_blk", "zram")
TARGETS = {
    target.arch: target
    for target in (
        Target("arm", "armhf", "qemu-system-arm", "qemu-system-arm", "ttyAMA0", "virtio-blk-device", ARM_MODULES,
               (("arm-linux-gnueabihf-gcc",),), "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"),
        Target("i386", "i386", "qemu-system-i386", "qemu-system-x86", "ttyS0", "virtio-blk-pci", PC_MODULES,
               (("i686-linux-gnu-gcc",), ("gcc", "-m32")), "gcc-i686-linux-gnu libc6-dev-i386-cross"),
        Target("amd64", "amd64", "qemu-system-x86_64", "qemu-system-x86", "ttyS0", "virtio-blk-pci", PC_MODULES,
               (("x86_64-linux-gnu-gcc",), ("gcc",)), "gcc-x86-64-linux-gnu libc6-dev-amd64-cross"),
        Target("arm64", "arm64", "qemu-system-aarch64", "qemu-system-arm", "ttyAMA0", "virtio-blk-device", ARM_MODULES,
               (("aarch64-linux-gnu-gcc",),), "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """One machine to record. `flavour` is Debian's name of the kernel; `words` are added to its command line."""

    name: str
    arch: str
    flavour: str
    board: str
    cpu: str
    ram: tuple[int, ...]  # bytes of each NUMA node
    words: str = ""
    kaslr: bool = False
    early_console: str = ""  # where dmesg's ring loses its head, the console has it
    qemu: str = ""  # instead of the target's
    smp: int = 1

    @property
    def target(self) -> Target:
        """What its port needs."""
        return TARGETS[self.arch]

    @property
    def is_pc(self) -> bool:
        """Whether its firmware and its kernel image are a PC's."""
        return self.board in ("pc", "q35")

    @property
    def emulator(self) -> str:
        """QEMU's program."""
        return self.qemu or self.target.qemu

    @property
    def ram_bytes(self) -> int:
        """All its RAM."""
        return sum(self.ram)

    def command_line(self, stages: tuple[str, ...] = STAGES, more: str = "") -> str:
        """The kernel's command line: the boot allocator's log is wanted, and addresses that are the same each time."""
        level = 8 if self.early_console else 3
        words = [f"console={self.target.console}", "memblock=debug", f"loglevel={level}", "log_buf_len=2M"]
        words += [] if self.kaslr else ["nokaslr"]
        words += [word for word in (self.early_console, self.words, more) if word]
        return " ".join([*words, *([] if stages == STAGES else [f"vmlab.stages={','.join(stages)}"])])


EARLY = "earlycon=pl011,0x9000000"
BOARDS = {
    board.name: board
    for board in (
        Board("arm-virt", "arm", "armmp", "virt", "cortex-a15", (GiB,)),
        Board("arm-virt-lpae", "arm", "armmp-lpae", "virt", "cortex-a15", (GiB,)),
        Board("i386-pc", "i386", "686", "pc", "pentium3", (GiB,)),
        Board("i386-pc-pae", "i386", "686-pae", "pc", "max", (GiB,)),
        Board("amd64-pc", "amd64", "amd64", "pc", "max,la57=off", (GiB,)),
        Board("amd64-pc-la57", "amd64", "amd64", "pc", "max", (GiB,)),
        Board("amd64-numa", "amd64", "amd64", "pc", "max,la57=off", (GiB, GiB)),
        Board("arm64-virt", "arm64", "arm64", "virt", "cortex-a57", (GiB,), early_console=EARLY),
    )
}
ABOVE_4G = {"qemu-system-arm": "qemu-system-aarch64", "qemu-system-i386": "qemu-system-x86_64"}
LEAST, MOST = 128 * MiB, 64 * GiB


def choose(name: str, ram: str = "", words: str = "", kaslr: bool = False) -> Board:
    """A row by name, changed as wanted: `ram` as on a command line ("2G", "1G,1G" for two nodes)."""
    if name not in BOARDS:
        raise VmlabError(f"machine: expected one of {', '.join(BOARDS)}, got {name!r}")
    board = BOARDS[name]
    if ram:
        board = replace(
            board, ram=tuple(_ram(part) for part in ram.split(",")), name=f"{name}-{ram.lower().replace(',', '-')}"
        )
    if board.ram_bytes > 3 * GiB:  # the 32-bit programs of QEMU 7.2 cannot walk page tables above 4 GiB
        board = replace(board, qemu=ABOVE_4G.get(board.target.qemu, ""))
    return replace(board, words=f"{board.words} {words}".strip(), kaslr=kaslr or board.kaslr)


def _ram(text: str) -> int:
    size = memparse(text)
    if not LEAST <= size <= MOST or size % MiB:
        raise VmlabError(f"ram: expected whole MiB from {LEAST >> 20}M to {MOST >> 30}G a node, got {text!r}")
    return size


def memory_arguments(board: Board, folder: str) -> tuple[list[str], Mapping[str, int]]:
    """QEMU's arguments for its RAM as shared files in `folder`, and the bytes of each by name."""
    backends = {f"memory{number}": size for number, size in enumerate(board.ram)}
    arguments = ["-m", f"{board.ram_bytes >> 20}M"]
    for number, (name, size) in enumerate(backends.items()):
        arguments += ["-object", f"memory-backend-file,id={name},size={size},mem-path={folder}/{name},share=on"]
        if len(board.ram) > 1:
            arguments += ["-numa", f"node,nodeid={number},memdev={name}"]
    machine = board.board if len(board.ram) > 1 else f"{board.board},memory-backend=memory0"
    return ["-M", machine, *arguments], backends
