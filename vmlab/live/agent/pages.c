/* /proc/PID/pagemap and /proc/kpageflags, as runs: one line for pages that continue each other. */
#include "agent.h"

static void end_run(unsigned long long va, unsigned long long pages, uint64_t first)
{
	if (pages && first)
		say("%llx %llu %016llx\n", va, pages, (unsigned long long)first);
}

static void say_mapping(int pagemap, unsigned long long va, unsigned long long end)
{
	uint64_t entries[512], first = 0;
	unsigned long long start = va, pages = 0;
	while (va < end) {
		size_t wanted = (end - va) / PAGE < 512 ? (end - va) / PAGE : 512;
		ssize_t got = pread(pagemap, entries, wanted * 8, (off_t)(va / PAGE * 8));
		if (got <= 0)
			break;
		for (size_t i = 0; i < (size_t)got / 8; i++, va += PAGE) {
			/* only present pages continue: swap offsets are not the low bits of an entry */
			if (pages && first >> 63 && entries[i] == first + pages) {
				pages++;
				continue;
			}
			end_run(start, pages, first);
			start = va, first = entries[i], pages = first != 0;
		}
	}
	end_run(start, pages, first);
}

/* Lines of "va pages entry": entry i of a run is entry + i. */
void say_pagemap(const char *name, pid_t pid)
{
	char path[64], line[512];
	unsigned long long start, end;
	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	int pagemap = open(path, O_RDONLY);
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");
	if (pagemap < 0 || !maps) {
		say("@@ERR pagemap pid=%d\n", pid);
		return;
	}
	say_begin(name);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%llx-%llx", &start, &end) == 2)
			say_mapping(pagemap, start, end);
	say_end(name);
	fclose(maps);
	close(pagemap);
}

/* Lines of "pfn pages flags": pages with the same flags, one after the other. */
void say_page_flags(const char *name)
{
	static uint64_t flags[8192];
	unsigned long long pfn = 0, start = 0;
	uint64_t now = 0;
	ssize_t got;
	int file = open("/proc/kpageflags", O_RDONLY);
	if (file < 0)
		return;
	say_begin(name);
	while ((got = read(file, flags, sizeof flags)) > 0)
		for (ssize_t i = 0; i < got / 8; i++, pfn++)
			if (pfn == 0 || flags[i] != now) {
				if (pfn)
					say("%llx %llu %llx\n", start, pfn - start, (unsigned long long)now);
				start = pfn, now = flags[i];
			}
	if (pfn)
		say("%llx %llu %llx\n", start, pfn - start, (unsigned long long)now);
	say_end(name);
	close(file);
}
