"""The files of /proc that describe memory: printed for the model, read from any kernel.

One reader for both: what `print_zoneinfo` writes for a modelled kernel, `parse_zoneinfo` reads back, and
`read_zoneinfo` reads this machine's own file.
"""

from .kpage import flag_names, flag_word, read_kpagecount, read_kpageflags
from .live_pagemap import PagemapFile, read_pagemap, sample_pagemap
from .maps import Mapping, Smaps, format_maps, parse_maps, parse_smaps, read_maps, read_smaps
from .model_pagemap import (
    kpagecount,
    kpageflags,
    model_pagemap,
    model_smaps,
    print_maps,
    print_pagemap,
    print_smaps,
)
from .pagemap import Pagemap, PagemapEntry, parse_pagemap
from .pagemap_scan import Region, has_pagemap_scan, scan_pagemap
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
    "Mapping",
    "PageTypeInfo",
    "Pagemap",
    "PagemapEntry",
    "PagemapFile",
    "Region",
    "Resource",
    "SlabInfo",
    "Smaps",
    "VmallocInfo",
    "ZoneInfo",
    "flag_names",
    "flag_word",
    "format_buddyinfo",
    "format_iomem",
    "format_maps",
    "format_pagetypeinfo",
    "format_slabinfo",
    "format_vmallocinfo",
    "format_zoneinfo",
    "has_pagemap_scan",
    "kpagecount",
    "kpageflags",
    "model_pagemap",
    "model_smaps",
    "parse_buddyinfo",
    "parse_iomem",
    "parse_maps",
    "parse_pagemap",
    "parse_pagetypeinfo",
    "parse_slabinfo",
    "parse_smaps",
    "parse_vmallocinfo",
    "parse_zoneinfo",
    "print_buddyinfo",
    "print_extfrag_index",
    "print_iomem",
    "print_maps",
    "print_pagemap",
    "print_pagetypeinfo",
    "print_slabinfo",
    "print_smaps",
    "print_unusable_index",
    "print_vmallocinfo",
    "print_zoneinfo",
    "read_buddyinfo",
    "read_iomem",
    "read_kpagecount",
    "read_kpageflags",
    "read_maps",
    "read_pagemap",
    "read_pagetypeinfo",
    "read_slabinfo",
    "read_smaps",
    "read_vmallocinfo",
    "read_zoneinfo",
    "sample",
    "sample_pagemap",
    "scan_pagemap",
    "zoneinfo",
]
