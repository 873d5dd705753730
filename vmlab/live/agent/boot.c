/* What the kernel says of memory once it is up, before anything else happens. */
#include "agent.h"
#include <dirent.h>
#include <sys/klog.h>

static const char *const FILES[][2] = {
	{"zoneinfo", "/proc/zoneinfo"}, /* first: reading lowmem_reserve_ratio below makes the kernel recompute it */
	{"meminfo", "/proc/meminfo"},
	{"buddyinfo", "/proc/buddyinfo"},
	{"pagetypeinfo", "/proc/pagetypeinfo"},
	{"version", "/proc/version"},
	{"cmdline", "/proc/cmdline"},
	{"iomem", "/proc/iomem"},
	{"vmallocinfo", "/proc/vmallocinfo"},
	{"slabinfo", "/proc/slabinfo"},
	{"vmstat", "/proc/vmstat"},
	{"swaps", "/proc/swaps"},
	{"cpuinfo", "/proc/cpuinfo"},
	{"vmcoreinfo_place", "/sys/kernel/vmcoreinfo"},
	{"memory_block_size", "/sys/devices/system/memory/block_size_bytes"},
	{"thp_enabled", "/sys/kernel/mm/transparent_hugepage/enabled"},
	{"kernel_page_tables", "/sys/kernel/debug/kernel_page_tables"},
	{"kernel_page_tables", "/sys/kernel/debug/page_tables/kernel"},
};

static const char *const SYSCTLS[] = {
	"min_free_kbytes", "lowmem_reserve_ratio", "watermark_scale_factor", "watermark_boost_factor",
	"user_reserve_kbytes", "admin_reserve_kbytes", "overcommit_memory", "overcommit_ratio", "swappiness",
	"numa_zonelist_order", "highmem_is_dirtyable",
};

static const char *const SYMBOLS[] = {
	"_text", "_stext", "_etext", "_sinittext", "_einittext", "_sdata", "_edata", "__bss_start", "__bss_stop", "_end",
	"swapper_pg_dir", "init_top_pgt", "mem_map", "max_low_pfn", "max_pfn", "min_low_pfn", "high_memory", "max_mapnr",
	"contig_page_data", "node_data", "mem_section", "page_offset_base", "vmalloc_base", "vmemmap_base", "phys_base",
	"pkmap_page_table", "pkmap_count", "last_pkmap_nr", "init_task", "init_mm", "__FIXADDR_TOP", "memstart_addr",
	"kimage_voffset", "empty_zero_page", "swap_info", "stext", "startup_32", "startup_64",
	"early_irq_init", "__alloc_pages_bulk",
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void say_symbols(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	char line[512], address[64], type[8], name[256];
	if (!symbols)
		return;
	say_begin("kallsyms");
	while (fgets(line, sizeof line, symbols)) {
		if (strchr(line, '[') || sscanf(line, "%63s %7s %255s", address, type, name) != 3)
			continue;
		for (size_t i = 0; i < COUNT(SYMBOLS); i++)
			if (!strcmp(name, SYMBOLS[i]))
				say("%s %s %s\n", address, type, name);
	}
	fclose(symbols);
	say_end("kallsyms");
}

static void say_device_tree(void)
{
	DIR *tree = opendir("/proc/device-tree");
	struct dirent *entry;
	char path[512], name[512];
	while (tree && (entry = readdir(tree))) {
		if (strncmp(entry->d_name, "memory", 6))
			continue;
		snprintf(path, sizeof path, "/proc/device-tree/%s/reg", entry->d_name);
		snprintf(name, sizeof name, "devicetree/%s/reg", entry->d_name);
		say_hex_file(name, path);
	}
	if (tree)
		closedir(tree);
}

static void say_kernel_log(const char *name)
{
	int size = klogctl(10, NULL, 0); /* SYSLOG_ACTION_SIZE_BUFFER */
	char *text = malloc(size = size > 0 ? size : 1 << 20);
	int length = text ? klogctl(3, text, size - 1) : 0; /* SYSLOG_ACTION_READ_ALL */
	say_begin(name);
	for (int done = 0; done < length; done += 512) {
		int part = length - done < 512 ? length - done : 512;
		say("%.*s", part, text + done);
	}
	say_end(name);
	free(text);
}

void say_boot(void)
{
	char path[160], name[160];
	for (size_t i = 0; i < COUNT(FILES); i++)
		say_file(FILES[i][0], FILES[i][1]);
	for (size_t i = 0; i < COUNT(SYSCTLS); i++) {
		snprintf(path, sizeof path, "/proc/sys/vm/%s", SYSCTLS[i]);
		snprintf(name, sizeof name, "sysctl_vm/%s", SYSCTLS[i]);
		say_file(name, path);
	}
	say_tree("firmware_memmap", "/sys/firmware/memmap", 0);
	say_tree("memblock", "/sys/kernel/debug/memblock", 0);
	for (int node = 0; node < 8; node++) {
		snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
		snprintf(name, sizeof name, "node%d_meminfo", node);
		say_file(name, path);
	}
	say_device_tree();
	say_symbols();
	say_page_flags("kpageflags");
	say_file("zoneinfo_after_sysctl_read", "/proc/zoneinfo");
	say_kernel_log("dmesg");
	hold("boot pid=%d", getpid());
}
