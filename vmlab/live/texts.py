"""The parts of a record that the guest printed: its /proc files, its log, its command line."""

from __future__ import annotations

import platform

from .. import procfs
from ..units import VmlabError
from . import bootlog, cases
from .recording import Recording


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
        name: said[name] for name in ("zone_ranges", "node_ranges", "movable_start", "memory_line", "notes", "freed")
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
