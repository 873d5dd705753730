"""What the functions that call the boot allocator want memory for, in words (Linux 6.1)."""

from __future__ import annotations

PURPOSE = {
    "__earlyonly_bootmem_alloc": "page tables of the vmemmap",
    "acpi_parse_hpet": "the name of a timer in /proc/iomem",
    "acpi_reserve_initial_tables": "firmware tables (ACPI)",
    "alloc_bootmem_cpumask_var": "a set of CPUs",
    "alloc_large_system_hash": "a hash table of the file system or network code",
    "alloc_low_pages": "page tables of the direct map",
    "alloc_node_data": "struct pglist_data of a node",
    "arm64_memblock_init": "the kernel image or the initrd",
    "arm_memblock_init": "the kernel image, then its first page table",
    "arm_mm_memblock_reserve": "the kernel's first page table",
    "cma_declare_contiguous_nid": "the contiguous memory area (CMA)",
    "e820__reserve_resources": "names of the firmware's ranges for /proc/iomem",
    "early_alloc": "the vectors page and page tables",
    "early_init_dt_alloc_memory_arch": "the unpacked device tree",
    "early_init_dt_alloc_reserved_memory_arch": "a memory pool that the device tree asks for",
    "early_init_fdt_scan_reserved_mem": "memory that the device tree reserves",
    "early_pgtable_alloc": "page tables of the direct map",
    "early_reserve_initrd": "the initrd",
    "early_reserve_memory": "the first MiB, or the kernel image",
    "firmware_map_add_early": "an entry of /sys/firmware/memmap",
    "free_unused_memmap": "struct pages of a hole",
    "init_mem_mapping": "a probe: where would page tables go?",
    "io_apic_init_mappings": "names of interrupt controllers in /proc/iomem",
    "iotable_init": "a note of mapped devices",
    "memblock_free": "given back",
    "numa_free_distance": "distances between nodes",
    "numa_init": "distances between nodes",
    "paging_init": "the first page tables in the image, no longer needed",
    "pcpu_alloc_alloc_info": "a plan of the per-CPU memory",
    "pcpu_alloc_first_chunk": "maps of the per-CPU memory",
    "pcpu_build_alloc_info": "a plan of the per-CPU memory",
    "pcpu_embed_first_chunk": "per-CPU variables",
    "pcpu_fc_alloc": "per-CPU variables",
    "pcpu_free_alloc_info": "a plan of the per-CPU memory",
    "pcpu_setup_first_chunk": "tables of the per-CPU memory",
    "register_nosave_region": "a range that hibernation leaves out",
    "relocate_initrd": "the initrd, moved into lowmem",
    "reserve_initrd_mem": "the initrd",
    "reserve_real_mode": "code that starts other CPUs, below 1 MiB",
    "setup_arch": "structures of the architecture's own",
    "setup_log_buf": "a larger kernel log (log_buf_len=)",
    "setup_per_cpu_areas": "per-CPU variables",
    "setup_usemap": "pageblock flags of a zone",
    "smp_scan_config": "firmware tables (MP)",
    "sparse_index_alloc": "a table of sections",
    "sparse_init": "the table of sections",
    "sparse_init_nid": "usage maps of sections",
    "spp_getpage": "page tables of the fixmap",
    "start_kernel": "a copy of the command line",
    "swiotlb_init_remap": "bounce buffers for devices with few address bits",
    "vm_reserve_area_early": "a note of reserved virtual addresses",
    "vmemmap_alloc_block_zero": "page tables of the vmemmap",
}


def purpose(caller: str) -> str:
    """What a caller in the boot log allocates for; a caller that is not known here keeps its own name."""
    name = caller.partition("+")[0].partition(".")[0]
    return PURPOSE.get(name, name)
