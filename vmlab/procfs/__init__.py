"""The files of /proc that describe physical memory: printed for the model, read from any kernel.

One reader for both: what `print_zoneinfo` writes for a modelled kernel, `parse_zoneinfo` reads back, and
`read_zoneinfo` reads this machine's own file.
"""

from .pagetypeinfo import (
    PageTypeInfo,
    format_pagetypeinfo,
    parse_pagetypeinfo,
    print_extfrag_index,
    print_pagetypeinfo,
    print_unusable_index,
    read_pagetypeinfo,
)
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
from .slabinfo import SlabInfo, format_slabinfo, parse_slabinfo, print_slabinfo, read_slabinfo
from .vmallocinfo import (
    VmallocInfo,
    format_vmallocinfo,
    parse_vmallocinfo,
    print_vmallocinfo,
    read_vmallocinfo,
)

__all__ = [
    "BuddyInfo",
    "PageTypeInfo",
    "Resource",
    "SlabInfo",
    "VmallocInfo",
    "ZoneInfo",
    "format_buddyinfo",
    "format_iomem",
    "format_pagetypeinfo",
    "format_slabinfo",
    "format_vmallocinfo",
    "format_zoneinfo",
    "parse_buddyinfo",
    "parse_iomem",
    "parse_pagetypeinfo",
    "parse_slabinfo",
    "parse_vmallocinfo",
    "parse_zoneinfo",
    "print_buddyinfo",
    "print_extfrag_index",
    "print_iomem",
    "print_pagetypeinfo",
    "print_slabinfo",
    "print_unusable_index",
    "print_vmallocinfo",
    "print_zoneinfo",
    "read_buddyinfo",
    "read_iomem",
    "read_pagetypeinfo",
    "read_slabinfo",
    "read_vmallocinfo",
    "read_zoneinfo",
    "sample",
    "zoneinfo",
]
