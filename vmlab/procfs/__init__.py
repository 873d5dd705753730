"""The files of /proc that describe physical memory: printed for the model, read from any kernel.

One reader for both: what `print_zoneinfo` writes for a modelled kernel, `parse_zoneinfo` reads back, and
`read_zoneinfo` reads this machine's own file.
"""

from .read import (
    parse_buddyinfo,
    parse_iomem,
    parse_zoneinfo,
    read_buddyinfo,
    read_iomem,
    read_zoneinfo,
    sample,
)
from .rows import BuddyInfo, Resource, ZoneInfo
from .show import (
    format_buddyinfo,
    format_iomem,
    format_zoneinfo,
    print_buddyinfo,
    print_iomem,
    print_zoneinfo,
    zoneinfo,
)

__all__ = [
    "BuddyInfo",
    "Resource",
    "ZoneInfo",
    "format_buddyinfo",
    "format_iomem",
    "format_zoneinfo",
    "parse_buddyinfo",
    "parse_iomem",
    "parse_zoneinfo",
    "print_buddyinfo",
    "print_iomem",
    "print_zoneinfo",
    "read_buddyinfo",
    "read_iomem",
    "read_zoneinfo",
    "sample",
    "zoneinfo",
]
