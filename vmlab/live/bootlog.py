"""What the boot log says of memory: the firmware's map, every step of the boot allocator, zones and nodes.

The text is a guest's and so untrusted: a line that is not as Linux 6.1 prints it is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

HEX = r"0x([0-9a-f]{1,16})"
RANGE = rf"\[(?:mem )?{HEX}-{HEX}\]"
PREFIX = re.compile(r"<\d+>(?:\[\s*[\d.]+\] ?)?")  # no time without CONFIG_PRINTK_TIME
MOST_EVENTS, MOST_NOTES = 20_000, 120
NOTES = re.compile(
    r"HIGHMEM|LOWMEM|Truncating|Ignoring|lowmem|highmem|On node|cma: Reserved|Zeroed|unavailable ranges|pages used for "
    r"memmap|LIFO batch|mapped low ram|low ram:|kernel direct mapping|vmalloc|PAE|Using x86|NX|RAMDISK|Movable zone|"
    r"  \w+ zone: \d+ pages|last_pfn|max_low_pfn|crashkernel|KASLR|physmem"
)
FREED = re.compile(r"Freeing ([\w ()/]{1,60}) memory: (\d{1,12})K")  # mm/page_alloc.c: free_reserved_area
FREED_NAMES = {"unused decrypted": "decrypted memory"}


def parse(log: str) -> dict[str, Any]:
    """The parts of a record that come from the log, under the names of records/SCHEMA.md."""
    found: dict[str, Any] = {name: [] for name in ("e820", "e820_user", "zone_ranges", "node_ranges", "movable_start")}
    found |= {"events": [], "memory_line": None, "total_pages": [], "notes": [], "freed": []}
    snapshot: dict[str, Any] | None = None
    for line in log.splitlines():
        text = PREFIX.sub("", line, count=1)
        if event := _event(text):
            snapshot = event if event["op"] == "snapshot" else None
            if len(found["events"]) < MOST_EVENTS:
                found["events"].append(event)
        elif snapshot is not None and (row := SNAPSHOT_ROW.match(text)):
            snapshot[row[1]].append(_snapshot_row(row))
        else:
            _other(text, found)
    return found


def lines(log: str) -> Iterator[str]:
    """The log's lines without level and time."""
    return (PREFIX.sub("", line, count=1) for line in log.splitlines())


SNAPSHOT_ROW = re.compile(
    rf"\s+(memory|reserved)\[0x[0-9a-f]+\]\s+\[{HEX}-{HEX}\], 0x[0-9a-f]+ bytes(?: on node (\d+))? flags: {HEX}"
)


def _snapshot_row(row: re.Match[str]) -> dict[str, int]:
    return {**_span(row[2], row[3]), "node": int(row[4] or 0), "flags": int(row[5], 16)}


def _span(first: str, last: str) -> dict[str, int]:
    return {"start": int(first, 16), "end": int(last, 16) + 1}


def _event(text: str) -> dict[str, Any] | None:
    """One step of the boot allocator (mm/memblock.c with memblock=debug)."""
    if text.startswith("MEMBLOCK configuration:"):
        return {"op": "snapshot", "memory": [], "reserved": []}
    for pattern, event in EVENTS:
        if match := pattern.match(text):
            return event(match)
    return None


def _alloc(match: re.Match[str]) -> dict[str, Any]:
    fn, size, align, nid, start, most, caller = match.groups()
    numbers = {"size": int(size), "align": int(align, 16), "nid": int(nid or -1)}
    return {"op": "alloc", "fn": fn, **numbers, "from": int(start, 16), "max_addr": int(most, 16), "caller": caller}


EVENTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], dict[str, Any]]], ...] = (
    (
        re.compile(rf"\s*memblock_(reserve|add|remove|phys_free|free|physmem_add): {RANGE} ?(\S*)"),
        lambda m: {"op": m[1].replace("phys_free", "free"), **_span(m[2], m[3]), "caller": m[4]},
    ),
    (
        re.compile(
            rf"\s*(memblock_(?:phys_)?alloc\w*): (\d{{1,16}}) bytes align={HEX}(?: nid=(-?\d{{1,4}}))?"
            rf" from={HEX} max_addr={HEX} ?(\S*)"
        ),
        _alloc,
    ),
    (
        re.compile(rf"memblock_free_late: {RANGE} ?(\S*)"),
        lambda m: {"op": "free_late", **_span(m[1], m[2]), "caller": m[3]},
    ),
)


def _other(text: str, found: dict[str, Any]) -> None:
    """Every other line that says something of memory."""
    if match := re.match(rf"(BIOS-e820|BIOS-88|user): {RANGE} (.*)", text):
        rows = found["e820_user" if match[1] == "user" else "e820"]
        rows.append({**_span(match[2], match[3]), "type": match[4]})
    elif match := re.match(rf"\s+(DMA|DMA32|Normal|HighMem|Movable|Device)\s+(?:{RANGE}|(empty))$", text):
        where = {"empty": True} if match[4] else _span(match[2], match[3])
        found["zone_ranges"].append({"zone": match[1], **where})
    elif match := re.match(rf"\s+Node (\d+): {HEX}$", text):
        found["movable_start"].append({"node": int(match[1]), "start": int(match[2], 16)})
    elif match := re.match(rf"\s+node\s+(\d+): {RANGE}", text):
        found["node_ranges"].append({"node": int(match[1]), **_span(match[2], match[3])})
    elif match := re.match(r"Memory: (\d+)K/(\d+)K available \((.*)\)", text):
        sizes = {"available_kib": int(match[1]), "total_kib": int(match[2])}
        found["memory_line"] = {**sizes, "detail": match[3], "text": text}
    else:
        if (match := FREED.fullmatch(text)) and len(found["freed"]) < MOST_NOTES:
            found["freed"].append({"what": FREED_NAMES.get(match[1], match[1]), "kib": int(match[2])})
        if match := re.search(r"Total pages: (\d+)", text):
            found["total_pages"].append(int(match[1]))
        if len(found["notes"]) < MOST_NOTES and NOTES.search(text):
            found["notes"].append(text)


def whole(dmesg: str, console: str) -> str:
    """The log from its first line: where dmesg's ring lost its head, the console has it.

    The early ring holds 128 KiB until log_buf_len= takes effect; arm64's boot allocator prints more.
    """
    if "Linux version" in dmesg[:4000] or "Linux version" not in console:
        return dmesg
    early = [f"<6>{line}" for line in console.split("@@HELLO")[0].splitlines() if line.startswith("[")]
    kept = dmesg.splitlines()
    first = re.sub(r"^<\d+>", "", kept[0]) if kept else None
    until = next((number for number, line in enumerate(early) if line[3:] == first), len(early))
    return "\n".join(early[:until] + kept)
