"""From a board to a record: boot, follow the agent from stop to stop, and put together what the witnesses say."""

from __future__ import annotations

import platform
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import arch, procfs
from ..arch.formats import page_format
from ..units import PAGE_SIZE, VmlabError
from . import boot_hold, bootlog, cases, debian, initramfs, process_holds, vmcoreinfo
from .boards import STAGES, Board, memory_arguments
from .console import GuestFailed, Marker
from .guest import Guest, WorkFolder
from .kernel_memory import KernelMemory, Tables, collect
from .witnesses import FAMILIES, Cpu

SECONDS = 240  # without a word from the guest
DISK_BYTES = 1 << 20
Say = Callable[[str], None]


@dataclass(slots=True)
class Recording:
    """A record in the making. `arrays` goes into NAME.npz, `data` into NAME.json.gz."""

    board: Board
    kernel: debian.KernelFiles
    data: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    roots: dict[str, int] = field(default_factory=dict)  # process -> its table
    tables: Tables | None = None  # the kernel's
    memory: KernelMemory | None = None
    info: vmcoreinfo.Vmcoreinfo | None = None

    @property
    def options(self) -> set[str]:
        """The kernel's CONFIG_ names set to y."""
        return {name for name, value in self.kernel.config.items() if value == "y"}


def record(board: Board, say: Say, version: str = "", stages: tuple[str, ...] = STAGES, words: str = "") -> Recording:
    """Boot `board` and follow it to its end. GuestFailed says at which stage it went wrong, and what came last."""
    debian.check_tools(board)
    kernel = debian.kernel(board, say, version)
    recording = Recording(board, kernel)
    command_line = board.command_line(stages, words)
    with WorkFolder(board.ram_bytes) as folder:
        command, backends = command_of(board, kernel, folder, command_line)
        say(f"booting {kernel.release} on {board.board} with {board.ram_bytes >> 20} MiB")
        began = time.monotonic()
        with Guest(command, backends, folder) as guest:
            follow(recording, guest, say)
            console, files = guest.console.text(), guest.console.files()
    recording.data["machine"] = {
        "arch": board.arch, "board": board.board, "cpu": board.cpu, "ram_bytes": board.ram_bytes,
        "numa": list(board.ram) if len(board.ram) > 1 else None, "smp": board.smp, "append": command_line,
        "qemu": version_of(board.emulator), "accel": "tcg", "holds": recording.stages, "complete": True,
        "seconds_total": round(time.monotonic() - began, 1),
    }  # fmt: skip
    texts(recording, files, console)
    return recording


def command_of(board: Board, kernel: debian.KernelFiles, folder: Path, line: str) -> tuple[list[str], dict[str, int]]:
    """QEMU's command, and the bytes of each memory backend; the initramfs and the disk are put into `folder`."""
    modules = initramfs.with_dependencies(kernel.modules, board.target.modules)
    initrd, disk = folder / "initrd", folder / "disk"
    initrd.write_bytes(initramfs.build(debian.build_agent(board.target), modules))
    disk.write_bytes(bytes(DISK_BYTES))
    memory, backends = memory_arguments(board, str(folder))
    command = [board.emulator, *memory, "-accel", "tcg", "-cpu", board.cpu, "-smp", str(board.smp)]
    command += ["-kernel", str(kernel.image), "-initrd", str(initrd), "-append", line]
    command += ["-drive", f"if=none,id=disk,file={disk},format=raw", "-device", f"{board.target.disk},drive=disk"]
    return command, dict(backends)


def version_of(program: str) -> str:
    """The first line that QEMU says of its version."""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split("\n")[0]


def follow(recording: Recording, guest: Guest, say: Say) -> None:
    """From stop to stop until the agent says goodbye."""
    stage = "starting"
    while True:
        marker = guest.console.wait(SECONDS, stage)
        if marker.kind == "BYE":
            return
        if marker.kind in ("PANIC", "ERR"):
            raise GuestFailed(f"the guest failed after {stage}: {marker.line}\n{guest.console.last()}")
        if marker.kind != "HOLD":
            continue
        stage = marker.name
        if not re.fullmatch(r"[a-z]+\d?", stage) or len(recording.stages) > 64:
            raise GuestFailed(f"the guest stopped at {stage[:40]!r}, which is no stage of our agent")
        recording.stages.append(stage)
        say(f"stage {stage} {marker.words.get('what', '')}".rstrip())
        _hold(recording, guest, marker)
        guest.go_on()
        guest.console.send("go\n")


def _hold(recording: Recording, guest: Guest, marker: Marker) -> None:
    cpu = Cpu(guest, FAMILIES[recording.board.arch], _format(recording))
    if marker.name == "spin":
        _spin(recording, cpu, cpu.stop_in_user_mode(), marker)
        return
    guest.stop()
    if marker.name == "boot":
        _boot(recording, guest, cpu)
    elif recording.memory is None:
        raise GuestFailed(f"the guest came to {marker.name} before boot")
    elif marker.name.startswith("swap") and marker.name != "swapfail":
        _swap(recording, guest, marker)
    elif marker.name.startswith("kmap"):
        _windows(recording, guest, marker)


def _format(recording: Recording) -> Any:
    board = recording.board
    words = board.command_line().split()
    return page_format(arch.get(board.arch).format_of(recording.options, board.cpu, words))


def _boot(recording: Recording, guest: Guest, cpu: Cpu) -> None:
    """The kernel's own tables, and everything that is read through them."""
    files, fmt = guest.console.files(), cpu.format
    registers = cpu.registers()
    word = 8 if fmt.levels[0].shift >= 32 else 4
    high = cpu.high_root_pa(registers)
    info = vmcoreinfo.read(files.get("vmcoreinfo_place", ""), guest.read)
    current = collect(fmt, guest.read, high or cpu.root_pa(registers), half=int(high is not None))
    swapper = _space(current, high).walk(info.symbols["swapper_pg_dir"]).pa
    if swapper is None:
        raise GuestFailed("swapper_pg_dir is not mapped: the page-table format is not what the configuration says")
    tables = (
        current if swapper == (high or current.root_pa) else collect(fmt, guest.read, swapper, int(high is not None))
    )
    memory = KernelMemory(_space(tables, swapper if fmt.two_roots else None), guest.read, word)
    recording.tables, recording.memory, recording.info = tables, memory, info
    recording.data["page_tables"] = {
        "format": fmt.name, "kernel_root_pa": swapper, "swapper_pgd_va": info.symbols["swapper_pg_dir"],
        "kaslr_slide": info.numbers.get("KERNELOFFSET", 0), "registers_at_boot_hold": registers,
        **boot_hold.tables_part(tables),
    }  # fmt: skip
    _keep(recording, "boot", tables)
    zones = procfs.parse_zoneinfo(files["zoneinfo"], "zoneinfo")
    recording.data["nodes"] = boot_hold.nodes(zones)
    borders = boot_hold.borders_of(
        recording.kernel, files, memory.pa(info.symbols["_stext"]) or 0, recording.board.is_pc,
        int(info.words.get("KERNELOFFSET", "0"), 16),
    )  # fmt: skip
    recording.data["symbols"] = boot_hold.symbols(files, borders, memory)
    pages = _struct_pages(recording, zones)
    recording.data["mem_map"] = pages.record(zones)
    recording.data["layout"] = cases.layout(recording.board.arch, recording.data, info, memory)
    _free_lists(recording, pages, zones)
    recording.data["kernel_cases"] = cases.kernel_cases(recording.data, files, cpu.translate)


def _space(tables: Tables, high_root_pa: int | None) -> Any:
    return tables.space(high_root_pa if tables.format.two_roots else None)


def _struct_pages(recording: Recording, zones: list[procfs.ZoneInfo]) -> boot_hold.StructPages:
    on = recording.options
    model = (
        "FLATMEM"
        if "CONFIG_FLATMEM" in on
        else "SPARSEMEM_VMEMMAP"
        if "CONFIG_SPARSEMEM_VMEMMAP" in on
        else "SPARSEMEM"
    )
    spans = [(zone.start_pfn, zone.end_pfn) for zone in zones if zone.spanned_pages]
    assert recording.info is not None
    assert recording.memory is not None
    first, end = min(first for first, _ in spans), max(end for _, end in spans)
    offset = 0 if recording.board.is_pc else first
    return boot_hold.StructPages(recording.info, recording.memory, model, first, end, offset)


def _free_lists(recording: Recording, pages: boot_hold.StructPages, zones: list[procfs.ZoneInfo]) -> None:
    """The buddy's lists, where the kernel says where its nodes' structs are."""
    import numpy as np

    info, memory = recording.info, recording.memory
    assert info is not None
    assert memory is not None
    structs = [info.symbols["contig_page_data"]] if "contig_page_data" in info.symbols else []
    if table := info.symbols.get("node_data"):
        words = [memory.word(table + number * memory.word_bytes) for number in range(len(recording.data["nodes"]))]
        structs = [word for word in words if word]
    if not structs:
        recording.data.setdefault("withheld", {})["free_lists"] = "VMCOREINFO does not say where the nodes' structs are"
        return
    rows = boot_hold.free_lists(info, pages, structs, len(recording.data["nodes"][0]["zones"]))
    recording.arrays["free_lists"] = np.array(rows, np.int64).reshape(-1, 5)
    columns = ["node", "zone_index", "order", "migratetype", "pfn"]
    recording.data["free_lists"] = {"columns": columns, "npz_key": "free_lists"}


def _keep(recording: Recording, stage: str, *many: Tables) -> None:
    """Table pages for NAME.npz."""
    import numpy as np

    pages = {pa: page for tables in many for pa, page in tables.pages.items()}
    addresses = sorted(pages)
    recording.arrays[f"{stage}_pa"] = np.array(addresses, np.uint64)
    recording.arrays[f"{stage}_data"] = np.frombuffer(b"".join(pages[pa] for pa in addresses), np.uint8).reshape(
        -1, PAGE_SIZE
    )


def _spin(recording: Recording, cpu: Cpu, registers: dict[str, int], marker: Marker) -> None:
    """A process while it runs: its root, and what the MMU makes of its addresses."""
    name, root = f"p{marker.words.get('i', '')}", cpu.root_pa(registers)
    read, fmt = cpu.guest.read, cpu.format
    live = collect(fmt, read, root)
    row: dict[str, Any] = {
        "pid": int(marker.words.get("pid", 0)),
        "registers_while_running": registers,
        "live_root_pa": root,
    }
    if recording.board.is_pc and not any(
        row.va >= 1 << (fmt.va_bits - 1) and row.size > PAGE_SIZE for row in live.mapped
    ):
        row["pti_user_root_pa"] = root
        _keep(recording, f"spin_{name}_ptiuser", live)
        root &= ~0x1000  # the kernel's table of the pair: arch/x86/include/asm/pgtable.h, user_to_kernel_pgdp
    row["root_pa"] = recording.roots[name] = root
    here = [process for process in process_holds.processes("xlate", cpu.guest.console.files()) if process.name == name]
    if not here:  # forked later, for the story of swap
        return
    part = recording.data.setdefault("translation", {"format": fmt.name, "roots": {}, "cases": [], "npz": "xlate"})
    part["roots"][name] = row
    for va in here[0].addresses("xlate"):
        pa = cpu.translate(va)
        part["cases"].append({**process_holds.case(here[0], va, None, read), "qemu_gpa": pa, "pa": pa})
    _keep(recording, "xlate", *process_holds.tables_of(fmt, read, recording.roots).values())


def _swap(recording: Recording, guest: Guest, marker: Marker) -> None:
    """Every process's pages at one stage of the story of swap."""
    files, fmt, stage = guest.console.files(), _format(recording), marker.name
    tables = process_holds.tables_of(fmt, guest.read, recording.roots)
    here = process_holds.processes(stage, files)
    pids = {process.name: process.pid for process in here}
    rows = process_holds.swaps(files.get(f"{stage}/swaps", ""))
    roots = {name: {"pid": pids.get(name, 0), "root_pa": root} for name, root in recording.roots.items()}
    spaces = {name: found.space() for name, found in tables.items()}
    recording.data.setdefault("swap", {})[stage] = {
        "what": marker.words, "npz": stage, "roots": roots, "swaps": rows, "areas": process_holds.areas(rows),
        "cases": [
            process_holds.case(process, va, spaces.get(process.name), guest.read)
            for process in here
            for va in process.addresses(stage)
        ],
    }  # fmt: skip
    _keep(recording, stage, *tables.values())


def _windows(recording: Recording, guest: Guest, marker: Marker) -> None:
    """kmap's window: which slot shows which frame, found in the kernel's tables."""
    assert recording.tables is not None
    process = next(iter(process_holds.processes(marker.name, guest.console.files())), None)
    tables = collect(recording.tables.format, guest.read, recording.tables.root_pa)
    part = recording.data.setdefault("kmap", {"holds": []})
    cases.window(part, marker, process, tables, recording.data["layout"])


def texts(recording: Recording, files: dict[str, str], console: str) -> None:
    """The parts that the guest printed."""
    data, kernel = recording.data, recording.kernel
    log = bootlog.whole(files.get("dmesg", ""), console)
    said = bootlog.parse(log)
    zones = procfs.parse_zoneinfo(files["zoneinfo"], "zoneinfo")
    data |= {"schema": 1, "name": recording.board.name, "kind": "qemu"}
    data["kernel"] = cases.kernel_part(kernel, files, recording.info, zones)
    data["firmware"] = cases.firmware(files, said)
    data["iomem"] = [vars(row) for row in procfs.parse_iomem(files["iomem"], "iomem")]
    data["dmesg"] = {
        name: said[name] for name in ("zone_ranges", "node_ranges", "movable_start", "memory_line", "notes")
    }
    data["zones"] = [cases.zone(row) for row in zones]
    data["zones_after_sysctl_read"] = [
        cases.zone(row) for row in procfs.parse_zoneinfo(files["zoneinfo_after_sysctl_read"], "zoneinfo")
    ]
    data["buddyinfo"] = [
        {"node": row.node, "zone": row.name, "nr_free": list(row.nr_free)}
        for row in procfs.parse_buddyinfo(files["buddyinfo"], "buddyinfo")
    ]
    data["vmallocinfo"] = [
        cases.vmalloc_row(row) for row in procfs.parse_vmallocinfo(files["vmallocinfo"], "vmallocinfo")
    ]
    data["slabinfo"] = files.get("slabinfo", "")
    data["kpageflags"] = cases.page_flags(files.get("kpageflags", ""), data["mem_map"])
    data["sysctl_vm"] = {
        name.split("/")[1]: text.strip() for name, text in files.items() if name.startswith("sysctl_vm/")
    }
    data["memblock"] = {"events": said["events"], "kernel_final": cases.memblock_final(files)}
    data["mem_map"]["boot_allocations"] = cases.boot_allocations(said["events"], data["mem_map"]["ranges"])
    data["recorded_on"] = f"{platform.system()} {platform.machine()}"
    if not data["memblock"]["events"] and "memblock=debug" in data["machine"]["append"]:
        raise VmlabError("the boot log has no line of the boot allocator: the guest's log is not Linux's")
