/* Two small swap areas, and the story of one page: paged out, forked, read, written, paged out again. */
#include "agent.h"
#include <sys/swap.h>
#include <sys/syscall.h>

/* Together below the 5 * 64 slots at which the per-CPU cache of slots switches itself on (mm/swap_slots.c of 6.1):
 * each slot is taken straight from the map. */
enum { ZRAM_PAGES = 150, DISK_PAGES = 128 };

static void load_modules(void)
{
	FILE *order = fopen("/mods/order", "r");
	char name[128], path[192];
	while (order && fscanf(order, "%127s", name) == 1) {
		snprintf(path, sizeof path, "/mods/%s", name);
		int file = open(path, O_RDONLY);
		long result = file < 0 ? -errno : syscall(SYS_finit_module, file, "", 0) ? -errno : 0;
		if (file >= 0)
			close(file);
		say("module %s: %ld\n", name, result);
	}
	if (order)
		fclose(order);
}

static int make_swap(const char *device, unsigned pages)
{
	static unsigned char header[PAGE];
	uint32_t *info = (uint32_t *)(header + 1024); /* union swap_header: version, last_page, nr_badpages */
	memset(header, 0, sizeof header);
	info[0] = 1, info[1] = pages - 1;
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	int file = open(device, O_WRONLY);
	if (file < 0)
		return -errno;
	int result = write(file, header, PAGE) == (ssize_t)PAGE ? 0 : -errno;
	fsync(file);
	close(file);
	return result;
}

static int swap_on(const char *device, unsigned pages, int priority)
{
	if (access(device, F_OK))
		return say("no %s\n", device), 0;
	say("mkswap %s: %d\n", device, make_swap(device, pages));
	int result = swapon(device, SWAP_FLAG_PREFER | priority) ? -errno : 0;
	say("swapon %s: %d\n", device, result);
	return result == 0;
}

static int set_up(void)
{
	char disksize[32];
	say_begin("swap_setup");
	load_modules();
	snprintf(disksize, sizeof disksize, "%lu", ZRAM_PAGES * PAGE);
	say("zram disksize: %d\n", write_file("/sys/block/zram0/disksize", disksize));
	usleep(100000);
	int zram = swap_on("/dev/zram0", ZRAM_PAGES, 10);
	for (int i = 0; zram && i < CHILDREN; i++)
		say("p%d page out its own: %d\n", i, child_do(i, 'a'));
	if (zram)
		say("p1 page out every second: %d\n", child_do(1, 'e'));
	for (int tries = 0; tries < 20 && access("/dev/vda", F_OK); tries++)
		usleep(50000);
	int disk = swap_on("/dev/vda", DISK_PAGES, 20);
	for (int i = 0; disk && i < CHILDREN; i++)
		say("p%d page out its second: %d\n", i, child_do(i, 'b'));
	for (int i = 0; disk && !zram && i < CHILDREN; i++)
		say("p%d page out its own: %d\n", i, child_do(i, 'a'));
	say_end("swap_setup");
	return zram || disk;
}

void stage_swap(void)
{
	children_start();
	if (!set_up())
		return hold("swapfail");
	usleep(200000); /* let the writes to the disk end: the pages leave the swap cache */
	say_children("swap1", CHILDREN);
	hold("swap1 what=paged_out");
	child_do(0, 'f');
	child_forked();
	child_spin(CHILDREN, 1); /* while it runs, the base register is its own */
	hold("spin i=%d pid=%d", CHILDREN, child[CHILDREN]);
	child_spin(CHILDREN, 0);
	say_children("swap2", CHILDREN + 1);
	hold("swap2 what=p0_forked_p3 p3=%d", child[CHILDREN]);
	int read = child_do(1, 'r'), wrote = child_do(2, 'w'), copied = child_do(CHILDREN, 'w');
	say_children("swap3", CHILDREN + 1);
	hold("swap3 what=p1_read_p2_wrote_p3_wrote r=%d,%d,%d", read, wrote, copied);
	int out = child_do(1, 'a');
	usleep(200000);
	say_children("swap4", CHILDREN + 1);
	hold("swap4 what=p1_paged_out_again r=%d", out);
}
