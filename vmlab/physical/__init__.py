"""Physical memory: the boot allocator, zones, mem_map, and the page allocators."""
