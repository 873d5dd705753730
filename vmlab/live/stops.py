"""What is read at each stop of the agent: the kernel's tables and lists at `boot`, processes, windows, swap."""

from __future__ import annotations

from typing import Any

from .. import procfs
from ..units import PAGE_SIZE
from . import boot_hold, cases, process_holds, vmcoreinfo
from .console import GuestFailed, Marker
from .guest import Guest
from .kernel_memory import KernelMemory, Tables, collect
from .recording import Recording
from .witnesses import FAMILIES, Cpu


def hold(recording: Recording, guest: Guest, marker: Marker) -> None:
    """Look at a stopped guest, and add what this stop is for."""
    cpu = Cpu(guest, FAMILIES[recording.board.arch], recording.format)
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
        "kaslr_slide": int(info.words.get("KERNELOFFSET", "0"), 16), "registers_at_boot_hold": registers,
        **boot_hold.tables_part(tables),
    }  # fmt: skip
    recording.keep("boot", tables)
    zones = procfs.parse_zoneinfo(files["zoneinfo"], "zoneinfo")
    recording.data["nodes"] = boot_hold.nodes(zones)
    borders = boot_hold.borders_of(
        recording.kernel, files, memory.pa(info.symbols["_stext"]) or 0, recording.board.is_pc
    )
    recording.data["symbols"] = boot_hold.symbols(files, borders, memory)
    pages = struct_pages(recording, memory)
    recording.data["mem_map"] = pages.record(zones)
    recording.data["layout"] = cases.layout(recording.board.arch, recording.data, info, memory)
    _free_lists(recording, pages)
    recording.data["kernel_cases"] = cases.kernel_cases(recording.data, files, cpu.translate)


def _space(tables: Tables, high_root_pa: int | None) -> Any:
    return tables.space(high_root_pa if tables.format.two_roots else None)


def struct_pages(recording: Recording, memory: KernelMemory) -> boot_hold.StructPages:
    """The array of struct page, as `memory` shows it."""
    on = recording.options
    model = (
        "FLATMEM"
        if "CONFIG_FLATMEM" in on
        else "SPARSEMEM_VMEMMAP"
        if "CONFIG_SPARSEMEM_VMEMMAP" in on
        else "SPARSEMEM"
    )
    zones = [zone for node in recording.data["nodes"] for zone in node["zones"] if zone["spanned"]]
    assert recording.info is not None
    first = min(zone["start_pfn"] for zone in zones)
    end = max(zone["start_pfn"] + zone["spanned"] for zone in zones)
    offset = 0 if recording.board.is_pc else first
    return boot_hold.StructPages(recording.info, memory, model, first, end, offset)


def node_structs(info: vmcoreinfo.Vmcoreinfo, memory: KernelMemory, nodes: int) -> list[int]:
    """Addresses of every node's struct pglist_data; none where the kernel does not say."""
    if table := info.symbols.get("node_data"):
        return [word for number in range(nodes) if (word := memory.word(table + number * memory.word_bytes))]
    return [info.symbols["contig_page_data"]] if "contig_page_data" in info.symbols else []


def _free_lists(recording: Recording, pages: boot_hold.StructPages) -> None:
    """The buddy's lists, where the kernel says where its nodes' structs are."""
    import numpy as np

    info, memory = recording.info, recording.memory
    assert info is not None
    assert memory is not None
    structs = node_structs(info, memory, len(recording.data["nodes"]))
    if not structs:
        recording.data.setdefault("withheld", {})["free_lists"] = "VMCOREINFO does not say where the nodes' structs are"
        return
    rows = boot_hold.free_lists(info, pages, structs, len(recording.data["nodes"][0]["zones"]))
    recording.arrays["free_lists"] = np.array(rows, np.int64).reshape(-1, 5)
    columns = ["node", "zone_index", "order", "migratetype", "pfn"]
    recording.data["free_lists"] = {"columns": columns, "npz_key": "free_lists"}


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
        recording.keep(f"spin_{name}_ptiuser", live)
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
    recording.keep("xlate", *process_holds.tables_of(fmt, read, recording.roots).values())


def _swap(recording: Recording, guest: Guest, marker: Marker) -> None:
    """Every process's pages at one stage of the story of swap."""
    files, fmt, stage = guest.console.files(), recording.format, marker.name
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
    recording.keep(stage, *tables.values())


def _windows(recording: Recording, guest: Guest, marker: Marker) -> None:
    """kmap's window: which slot shows which frame, found in the kernel's tables."""
    assert recording.tables is not None
    process = next(iter(process_holds.processes(marker.name, guest.console.files())), None)
    tables = collect(recording.tables.format, guest.read, recording.tables.root_pa)
    part = recording.data.setdefault("kmap", {"holds": []})
    cases.window(part, marker, process, tables, recording.data["layout"])
